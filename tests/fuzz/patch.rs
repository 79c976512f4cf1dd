//! Patches of `ideas/`, plain and git's, up to the tree that they make.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use autoresearch::edge::repo::Repo;
use autoresearch::propose::patch::with_git_headers;
use autoresearch::propose::patch_offset::relocated;
use git2::{Oid, Repository, Signature};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;
use crate::heap::bounded;
use crate::mutate::any_input;

/// Name to lines; the last of them may lack its newline.
type Files = BTreeMap<String, String>;

/// A repository in which trees are made.
struct Trees {
    _directory: tempfile::TempDir,
    raw: Repository,
    repo: Repo,
}

impl Trees {
    fn new() -> Self {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let raw = Repository::init(directory.path()).expect("a repository");
        let repo = Repo::discover(directory.path()).expect("it is found");
        Self {
            _directory: directory,
            raw,
            repo,
        }
    }

    fn commit(&self, files: &Files) -> Oid {
        let mut builder = self.raw.treebuilder(None).expect("a tree");
        for (name, content) in files {
            let blob = self.raw.blob(content.as_bytes()).expect("a blob");
            builder.insert(name, blob, 0o100_644).expect("an entry");
        }
        let tree = builder.write().expect("a tree");
        let tree = self.raw.find_tree(tree).expect("the tree");
        let author = Signature::new("t", "t@example.com", &git2::Time::new(0, 0)).expect("a name");
        self.raw
            .commit(None, &author, &author, "m", &tree, &[])
            .expect("a commit")
    }
}

const OLD: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";

static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let plain =
        "--- a/x.txt\t2026-01-01\n+++ b/x.txt\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three\n";
    let two = "--- x.txt.orig\n+++ x.txt\n@@ -4,3 +4,3 @@\n four\n-five\n+5\n six\n\
        --- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of file\n\
        --- a/y.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n";
    let git = "diff --git a/x.txt b/z.txt\nsimilarity index 90%\nrename from x.txt\nrename to z.txt\n\
        index 0000000..1111111 100644\n--- a/x.txt\n+++ b/z.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
    let mode = "diff --git a/y.txt b/y.txt\nold mode 100644\nnew mode 100755\n";
    let binary = "diff --git a/b b/b\nnew file mode 100644\nGIT binary patch\nliteral 4\nLcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n";
    [plain, two, git, mode, binary].map(str::to_owned).to_vec()
});

/// git's form of a change without what only git writes, as `diff -u` prints it.
fn as_plain(patch: &str) -> String {
    let of_git = [
        "diff --git ",
        "index ",
        "new file mode ",
        "deleted file mode ",
    ];
    patch
        .split_inclusive('\n')
        .filter(|line| !of_git.iter().any(|word| line.starts_with(word)))
        .collect()
}

fn files() -> impl Strategy<Value = Files> {
    // Lines that look like parts of a patch, in few variants so that files share some.
    let line = select(
        &[
            "a",
            "b",
            "c",
            "",
            "-- a/x",
            "++ b/x",
            "@@ -1 +1 @@",
            "\\ No",
            "diff --git a/x b/x",
            "\tµ",
        ][..],
    );
    let content = (vec(line, 1..12), any::<bool>()).prop_filter_map(
        "empty files have no hunk",
        |(lines, ends)| {
            let text = lines.join("\n") + if ends { "\n" } else { "" };
            (!text.is_empty()).then_some(text)
        },
    );
    btree_map("[a-d]{1,2}", content, 0..4)
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn headers_are_added_once_and_no_line_of_a_hunk_is_lost(input in any_input(&VALID)) {
        let out = bounded(input.len(), 40, || with_git_headers(&input));
        prop_assert_eq!(&with_git_headers(&out), &out);
        let (Ok(before), Ok(after)) = (std::str::from_utf8(&input), std::str::from_utf8(&out)) else {
            prop_assert_eq!(input, out);
            return Ok(());
        };
        let kept = |text: &str| -> Vec<String> {
            let of_header = ["--- ", "+++ ", "diff --git ", "new file mode ", "deleted file mode "];
            let is_header = |line: &&str| of_header.iter().any(|word| line.starts_with(word));
            text.split_inclusive('\n').filter(|line| !is_header(line)).map(str::to_owned).collect()
        };
        prop_assert_eq!(kept(before), kept(after));
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn any_patch_makes_a_tree_or_is_refused_with_a_reason(inputs in vec(any_input(&VALID), 8)) {
        thread_local!(static TREES: (Trees, Oid) = {
            let trees = Trees::new();
            let files = [("x.txt", OLD), ("y.txt", "y\n")].map(|(name, text)| (name.to_owned(), text.to_owned()));
            let commit = trees.commit(&files.into());
            (trees, commit)
        });
        for input in inputs {
            TREES.with(|(trees, commit)| {
                let result = trees.repo.apply_patch(*commit, &with_git_headers(&input));
                match result.expect("only the patch can be at fault") {
                    Ok(tree) => prop_assert!(trees.raw.find_tree(tree).is_ok()),
                    Err(why) => prop_assert!(!why.is_empty() && why.chars().count() < 1100, "{why:?}"),
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_change_printed_as_a_patch_makes_the_same_tree_again(old in files(), new in files()) {
        thread_local!(static TREES: Trees = Trees::new());
        prop_assume!(old != new);
        TREES.with(|trees| {
            let (from, to) = (trees.commit(&old), trees.commit(&new));
            let patch = trees.repo.diff_text(from, to).expect("both are there");
            let wanted = trees.repo.tree_id(to).expect("it is there");
            for patch in [patch.clone(), as_plain(&patch)] {
                let tree = trees.repo.apply_patch(from, &with_git_headers(patch.as_bytes()));
                prop_assert_eq!(tree.expect("the commit is there"), Ok(wanted), "{}", patch);
            }
            Ok(())
        })?;
    }
}

/// What `git apply` makes of a patch for one file; `None` when it refuses it.
fn by_git(old: &str, patch: &str) -> Option<String> {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let (file, diff) = (directory.path().join("f"), directory.path().join("p"));
    std::fs::write(&file, old).expect("the file is written");
    std::fs::write(&diff, patch).expect("the patch is written");
    let output = std::process::Command::new("git")
        .args(["apply", "p"])
        .current_dir(directory.path())
        .env("GIT_CEILING_DIRECTORIES", directory.path())
        .output()
        .expect("git runs");
    output
        .status
        .success()
        .then(|| std::fs::read_to_string(&file).expect("it is there"))
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn a_patch_of_a_file_that_changed_since_applies_where_git_applies_it(
        old in vec(select(&["a", "b", "c", "d", "e"][..]), 4..24),
        edits in vec((0_usize..24, 0_usize..3, "[f-h]{0,2}"), 1..4),
        since in vec((0_usize..24, 0_usize..2, "[v-z]{0,3}"), 0..3),
    ) {
        thread_local!(static TREES: Trees = Trees::new());
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let edited = |edits: &[(usize, usize, String)]| {
            let mut lines: Vec<String> = old.iter().map(|line| (*line).to_owned()).collect();
            for (at, gone, new) in edits {
                let at = at % (lines.len() + 1);
                let end = (at + gone).min(lines.len());
                lines.splice(at..end, new.chars().map(String::from));
            }
            text(&lines)
        };
        let old_text = edited(&[]);
        let (new, now) = (edited(&edits), edited(&since));
        prop_assume!(new != old_text && !new.is_empty() && !now.is_empty());
        TREES.with(|trees| {
            let commit = |content: &str| trees.commit(&[("f".to_owned(), content.to_owned())].into());
            let patch = trees.repo.diff_text(commit(&old_text), commit(&new)).expect("both are there");
            match by_git(&now, &patch) {
                Some(wanted) => {
                    let tree = trees.repo.apply_patch(commit(&now), patch.as_bytes());
                    let tree = tree.expect("the commit is there").map(|tree| tree.to_string());
                    let wanted = trees.repo.tree_id(commit(&wanted)).expect("it is there");
                    prop_assert_eq!(tree, Ok(wanted.to_string()), "{} on {:?}", patch, now);
                }
                None => {
                    let moved = relocated(patch.as_bytes(), &[Some(now.clone().into_bytes())]);
                    prop_assert!(moved.is_none(), "{} on {:?}", patch, now);
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn huge_patches_are_taken() {
    let hunk = format!("@@ -1,{0} +1,{0} @@\n", u64::MAX);
    let text = format!("--- a/x\n+++ b/x\n{hunk}{}", "-a\n+b\n".repeat(500_000));
    assert!(with_git_headers(text.as_bytes()).len() > text.len());
    let heads = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".repeat(100_000);
    assert!(with_git_headers(heads.as_bytes()).len() > heads.len());
}
