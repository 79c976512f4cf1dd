//! Plain unified diffs, as `diff -u` writes them, to git's form, which names each file once more.

/// The other side of a file that is new or gone.
const NOTHING: &str = "/dev/null";

/// The patch with a `diff --git` line before each file, unless it has such lines already. Hunks are
/// not looked into; what is no patch comes out as it went in.
pub fn with_git_headers(patch: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(patch) else {
        return patch.to_vec();
    };
    if text.lines().any(|line| line.starts_with("diff --git ")) {
        return patch.to_vec();
    }
    let mut out = String::with_capacity(text.len() + 256);
    let mut lines = text.split_inclusive('\n').peekable();
    // Lines of the old and the new file that the current hunk still holds.
    let mut left = (0_usize, 0_usize);
    while let Some(line) = lines.next() {
        if left == (0, 0)
            && let Some(old) = path_of(line, "--- ")
            && let Some(new) = lines.peek().and_then(|next| path_of(next, "+++ "))
        {
            lines.next();
            // `diff -N` names a file that is not there yet, with nothing in its first hunk.
            let is_new = lines
                .peek()
                .is_some_and(|hunk| hunk.starts_with("@@ -0,0 "));
            out.push_str(&header(if is_new { NOTHING } else { old }, new));
            continue;
        }
        match hunk_ranges(line.as_bytes()) {
            Some(([(_, old), (_, new)], _)) if left == (0, 0) => left = (old, new),
            _ => count_down(&mut left, line.as_bytes()),
        }
        out.push_str(line);
    }
    out.into_bytes()
}

/// The path in a `--- path<tab>time` line, without git's `a/` or `b/`.
fn path_of<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(mark)?.trim_end_matches(['\n', '\r']);
    let path = rest.split('\t').next().unwrap_or(rest);
    let bare = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/"));
    Some(bare.unwrap_or(path))
}

fn header(old: &str, new: &str) -> String {
    if old == NOTHING {
        format!("diff --git a/{new} b/{new}\nnew file mode 100644\n--- {NOTHING}\n+++ b/{new}\n")
    } else if new == NOTHING {
        format!(
            "diff --git a/{old} b/{old}\ndeleted file mode 100644\n--- a/{old}\n+++ {NOTHING}\n"
        )
    } else {
        // `diff -u x.orig x` names two files; the new name is the one in the repository.
        format!("diff --git a/{new} b/{new}\n--- a/{new}\n+++ b/{new}\n")
    }
}

/// Where a hunk begins and how many lines it has, in the old and in the new file.
pub(super) type Ranges = [(usize, usize); 2];

/// What `@@ -1,4 +1,5 @@ title` says, and the title with what is before and after it.
pub(super) fn hunk_ranges(line: &[u8]) -> Option<(Ranges, &[u8])> {
    let rest = line.strip_prefix(b"@@ ")?;
    let end = rest.windows(3).position(|three| three == b" @@")?;
    let mut words = std::str::from_utf8(&rest[..end]).ok()?.split(' ');
    let mut range = |sign: char| -> Option<(usize, usize)> {
        let range = words.next()?.strip_prefix(sign)?;
        let (start, size) = range.split_once(',').unwrap_or((range, "1"));
        Some((start.parse().ok()?, size.parse().ok()?))
    };
    let ranges = [range('-')?, range('+')?];
    Some((ranges, &rest[end + 3..]))
}

/// Takes one line of a hunk from the lines that it still holds of the old and the new file.
pub(super) fn count_down(left: &mut (usize, usize), line: &[u8]) {
    let (old, new) = match line.first() {
        Some(b'-') => (1, 0),
        Some(b'+') => (0, 1),
        Some(b'\\') => (0, 0),
        Some(_) | None => (1, 1),
    };
    left.0 = left.0.saturating_sub(old);
    left.1 = left.1.saturating_sub(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patch: &str, expected: &str) {
        let got = with_git_headers(patch.as_bytes());
        assert_eq!(String::from_utf8_lossy(&got), expected);
    }

    #[test]
    fn a_plain_diff_gets_gits_headers() {
        check(
            "--- a/x.rs\t2026-01-01\n+++ b/x.rs\n@@ -1 +1 @@\n-a\n+b\n--- y.orig\n+++ y\n@@ -1 +1 @@\n-a\n+b\n",
            "diff --git a/x.rs b/x.rs\n--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-a\n+b\n\
             diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
        );
    }

    #[test]
    fn new_and_deleted_files_get_their_modes() {
        check(
            "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+b\n--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
            "diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+b\n\
             diff --git a/old b/old\ndeleted file mode 100644\n--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
        );
    }

    #[test]
    fn a_new_file_by_diff_n_is_a_new_file() {
        check(
            "--- new.txt\t1970-01-01\n+++ new.txt\t2026-01-01\n@@ -0,0 +1 @@\n+b\n",
            "diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+b\n",
        );
    }

    #[test]
    fn removed_lines_that_look_like_headers_are_left_alone() {
        let hunk = "@@ -1,2 +1,2 @@\n--- a/sql comment\n+++ b/other\n-x\n+y\n";
        check(
            &format!("--- a/q\n+++ b/q\n{hunk}"),
            &format!("diff --git a/q b/q\n--- a/q\n+++ b/q\n{hunk}"),
        );
    }

    #[test]
    fn gits_own_patches_and_what_is_no_patch_come_out_as_they_went_in() {
        let git = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        check(git, git);
        check("make it faster\n", "make it faster\n");
        assert_eq!(with_git_headers(b"\xff\xfe"), b"\xff\xfe");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(text in "(-{1,3} |\\+{1,3} |@@ |[a-c,/ 0-9]|\n){0,60}") {
            with_git_headers(text.as_bytes());
        }
    }
}
