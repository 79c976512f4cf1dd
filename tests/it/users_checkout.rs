//! Whatever the user's checkout is and whatever happens to the loop: every file, mode, link, empty
//! directory and time of change in it, git's index, HEAD, settings, branches and stashes are as before.
//! `AUTORESEARCH_CASES=n` plays n rounds with other endings.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use autoresearch::edge::fault::{FAULT_VARIABLE, KILL_POINTS};

use crate::support::{EXACT_SCRIPT, Project};

/// A kind of checkout: its name, and what makes it of a project; where the user stands in it.
pub type Kind = (&'static str, fn(&Project) -> PathBuf);

pub const KINDS: &[Kind] = &[
    ("plain", |project| project.root()),
    ("subdirectory", |project| project.root().join("src")),
    ("submodule", submodule),
    ("lfs not installed", |project| {
        lfs(project, "no-such-git-lfs")
    }),
    ("lfs", |project| lfs(project, "touch ../filtered; cat")),
    ("hooks", hooks),
    ("signing", signing),
    ("autocrlf", autocrlf),
    ("sparse", sparse),
    ("linked worktree", linked),
    ("shallow clone", shallow),
    ("merge in progress", merging),
];

#[derive(Debug, Clone, Copy)]
pub enum Ending {
    Undisturbed,
    Killed(&'static str),
    Interrupted,
    EditedMeanwhile,
}

fn project() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.write("docs/guide.txt", "read me\n");
    project.write("tools/run.sh", "true\n");
    project.commit("more");
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    project
}

fn submodule(project: &Project) -> PathBuf {
    let lib = project.beside("lib");
    let lib = lib.to_str().expect("UTF-8");
    project.git(&["init", "--quiet", lib]);
    fs::write(project.beside("lib/lib.txt"), "library\n").expect("written");
    project.git(&["-C", lib, "add", "--all"]);
    project.git(&["-C", lib, "commit", "--quiet", "--message", "lib"]);
    project.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        lib,
        "lib",
    ]);
    project.git(&["commit", "--quiet", "--message", "submodule"]);
    project.write("lib/lib.txt", "edited in the submodule\n");
    project.root()
}

fn lfs(project: &Project, filter: &str) -> PathBuf {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    project.write("data.bin", pointer);
    project.write(
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    project.commit("pointer");
    for step in ["clean", "smudge"] {
        project.git(&["config", &format!("filter.lfs.{step}"), filter]);
    }
    project.git(&["config", "filter.lfs.required", "true"]);
    fs::remove_file(project.beside("filtered")).ok();
    project.root()
}

fn hooks(project: &Project) -> PathBuf {
    let names = [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
        "post-rewrite",
    ];
    for name in names {
        let path = project.root().join(".git/hooks").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let ran = project.beside("filtered");
        fs::write(
            &path,
            format!("#!/bin/sh\ntouch {}\nexit 1\n", ran.display()),
        )
        .expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    project.root()
}

fn signing(project: &Project) -> PathBuf {
    for (key, value) in [("commit.gpgSign", "true"), ("gpg.program", "/bin/false")] {
        project.git(&["config", key, value]);
    }
    project.root()
}

fn autocrlf(project: &Project) -> PathBuf {
    project.git(&["config", "core.autocrlf", "true"]);
    fs::remove_file(project.root().join("docs/guide.txt")).expect("removed");
    project.git(&["checkout", "--", "docs/guide.txt"]);
    assert_eq!(project.read("docs/guide.txt"), "read me\r\n");
    project.root()
}

fn sparse(project: &Project) -> PathBuf {
    project.git(&["sparse-checkout", "set", "src", "ideas"]);
    assert!(!project.root().join("docs").exists());
    project.root()
}

fn linked(project: &Project) -> PathBuf {
    project.git(&["worktree", "add", "--quiet", "-b", "work", "../linked"]);
    project.beside("linked")
}

fn shallow(project: &Project) -> PathBuf {
    let (from, to) = (
        format!("file://{}", project.root().display()),
        project.beside("shallow"),
    );
    project.git(&[
        "clone",
        "--quiet",
        "--depth",
        "1",
        &from,
        to.to_str().expect("UTF-8"),
    ]);
    to
}

fn merging(project: &Project) -> PathBuf {
    project.git(&["checkout", "--quiet", "-b", "other"]);
    project.write("docs/guide.txt", "theirs\n");
    project.commit("theirs");
    project.git(&["checkout", "--quiet", "main"]);
    project.write("docs/guide.txt", "ours\n");
    project.commit("ours");
    let merged = project.shell("git -c user.name=t -c user.email=t@example.com merge other");
    assert!(!merged.status.success(), "it conflicts");
    project.root()
}

/// Every kind of unfinished work, where the checkout does not forbid it.
fn unfinished_work(project: &Project, top: &Path) {
    let top_text = top.to_str().expect("UTF-8");
    let write = |path: &str, content: &str| {
        let path = top.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("written");
    };
    write("src/staged.txt", "staged\n");
    write("src/cost.txt", "55\n");
    // Git itself would want its filters now.
    let no_filter = ["-c", "filter.lfs.clean=", "-c", "filter.lfs.required=false"];
    project.git(&[&no_filter[..], &["-C", top_text, "add", "src/staged.txt"]].concat());
    write("src/staged.txt", "staged, then edited\n");
    write("untracked/secret.txt", "mine\n");
    write("ignored", "a cache of mine\n");
    write("src/crlf.txt", "a\r\nb\n");
    fs::remove_file(top.join("src/note.txt")).expect("removed");
    fs::create_dir(top.join("empty")).expect("a directory");
    symlink("nowhere", top.join("dangling")).expect("a link");
    symlink("src", top.join("linked-directory")).expect("a link");
    for (path, mode) in [
        ("untracked/secret.txt", 0o600),
        ("src/cost.txt", 0o755),
        ("empty", 0o700),
    ] {
        fs::set_permissions(top.join(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

pub type State = BTreeMap<PathBuf, (u32, i128, Vec<u8>)>;

/// Mode, time and content of everything below a checkout, but for what is documented as the loop's, and
/// what git keeps for the user.
pub fn state(project: &Project, top: &Path) -> State {
    let mut state = State::new();
    add(top, top, &mut state);
    let top_text = top.to_str().expect("UTF-8");
    let git = |arguments: &[&str]| project.git(&[&["-C", top_text][..], arguments].concat());
    for file in [
        "index",
        "HEAD",
        "config",
        "info/sparse-checkout",
        "info/exclude",
        "MERGE_HEAD",
        "logs/HEAD",
    ] {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", file]);
        let content = fs::read(path.trim()).unwrap_or_default();
        state.insert(Path::new("git").join(file), (0, 0, content));
    }
    let refs = git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
    let theirs: Vec<&str> = refs
        .lines()
        .filter(|line| !line.starts_with("refs/autoresearch/"))
        .filter(|line| !line.starts_with("refs/heads/autoresearch"))
        .collect();
    state.insert("git/refs".into(), (0, 0, theirs.join("\n").into_bytes()));
    state
}

fn add(top: &Path, directory: &Path, state: &mut State) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_loops = name.starts_with("experiments.jsonl")
            || name == "ideas.md"
            || name.ends_with(".autoresearch-tmp");
        if is_loops || (directory == top && name == ".git") {
            continue;
        }
        let metadata = path.symlink_metadata().expect("metadata");
        let time = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let (time, content) = if metadata.is_dir() {
            add(top, &path, state);
            (0, Vec::new())
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("a target");
            (time, target.into_os_string().into_encoded_bytes())
        } else {
            (time, fs::read(&path).expect("content"))
        };
        state.insert(path, (metadata.mode(), time, content));
    }
}

#[track_caller]
pub fn assert_same(before: &State, after: &State, case: &str) {
    let changed: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.is_empty(), "{case}: {changed:?} changed");
}

#[test]
fn nothing_of_the_users_changes_in_any_checkout_at_any_ending() {
    let rounds = std::env::var("AUTORESEARCH_CASES").ok();
    let rounds: usize = rounds.and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        for (index, kind) in KINDS.iter().enumerate() {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let point = KILL_POINTS[(seed >> 33) as usize % KILL_POINTS.len()];
            let ending = match (index + round) % 4 {
                0 => Ending::Killed(point),
                1 => Ending::Undisturbed,
                2 => Ending::Interrupted,
                _ => Ending::EditedMeanwhile,
            };
            play(*kind, ending);
        }
    }
}

fn play((name, make): Kind, ending: Ending) {
    let case = format!("{name}, {ending:?}");
    let project = project();
    let stands = make(&project);
    let at = stands.to_str().expect("UTF-8");
    let top = project.git(&["-C", at, "rev-parse", "--show-toplevel"]);
    let top = PathBuf::from(top.trim());
    unfinished_work(&project, &top);
    let mut before = state(&project, &top);
    // What the commands above ran is not the loop's doing.
    fs::remove_file(project.beside("filtered")).ok();
    let run = ["-C", at, "run", "-n", "2"];
    match ending {
        Ending::Undisturbed => {
            project.run(&run).expect(0);
        }
        Ending::Killed(point) => {
            let fault = format!("kill:{point}");
            let _ = project.run_with(&run, &[(FAULT_VARIABLE, Path::new(&fault))]);
        }
        Ending::Interrupted | Ending::EditedMeanwhile => {
            before = disturb(&project, &top, &run, ending, before);
        }
    }
    assert_same(&before, &state(&project, &top), &case);
    let left = 2 - judged(&top);
    if left > 0 {
        let left = left.to_string();
        project.run(&["-C", at, "run", "-n", &left]).expect(0);
    }
    let ran = project.run(&["-C", at, "run", "-n", "1"]).expect(0);
    assert_eq!(judged(&top), 2, "{case}: {ran:?}");
    let ledger = fs::read_to_string(top.join("experiments.jsonl")).expect("a ledger");
    assert!(
        ledger.contains("\"reason\":\"improved\""),
        "{case}: {ledger}"
    );
    assert_same(&before, &state(&project, &top), &case);
    assert!(
        !project.beside("filtered").exists(),
        "{case}: a hook or filter ran"
    );
}

/// Disturbs a run once its session is open; what is then to be found.
pub fn disturb(
    project: &Project,
    top: &Path,
    run: &[&str],
    ending: Ending,
    before: State,
) -> State {
    let mut running = project
        .command(run)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    while !top.join("experiments.jsonl").exists() {
        assert!(running.try_wait().expect("a child").is_none(), "it ended");
        std::thread::yield_now();
    }
    let after = if matches!(ending, Ending::Interrupted) {
        let pid = running.id().to_string();
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill starts");
        before
    } else {
        fs::write(top.join("src/cost.txt"), "edited meanwhile\n").expect("written");
        fs::write(top.join("untracked/new.txt"), "new\n").expect("written");
        fs::remove_file(top.join("dangling")).expect("removed");
        state(project, top)
    };
    let code = running.wait().expect("it ends").code();
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
    after
}

fn judged(top: &Path) -> usize {
    let text = fs::read_to_string(top.join("experiments.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .filter(|line| line.contains("\"type\":\"run\""))
        .count()
}
