//! Moves the hunks of a patch to where their lines are now.
//!
//! libgit2 takes a hunk only at the very line it names. A kept change shifts the lines below it, so
//! later patches of that file would be refused. The search is that of `git apply` (`find_pos` in
//! its `apply.c`): the nearest place at which all lines that the hunk leaves or takes away are
//! found, later places first, never over what an earlier hunk touched. A hunk that begins the file
//! stays there, as does one that ends it.

use super::patch::{Ranges, count_down, hunk_ranges};

/// A hunk and what it asks of the place where it is applied.
struct Hunk<'a> {
    ranges: Ranges,
    /// What follows the second `@@`, with the newline.
    title: &'a [u8],
    /// As it is in the patch.
    body: &'a [&'a [u8]],
    before: Vec<&'a [u8]>,
    after: Vec<&'a [u8]>,
    /// No line is left unchanged after its last change.
    ends_file: bool,
}

/// A line, and whether an earlier hunk touched it.
type Line<'a> = (&'a [u8], bool);

/// The patch, in git's form, with its hunks where they fit; `None` when one fits nowhere.
/// `contents` has the old file of each `diff --git` of the patch, in its order.
pub fn relocated(patch: &[u8], contents: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = split(patch).collect();
    let mut rest = &lines[..];
    let mut contents = contents.iter();
    let mut file: Vec<Line> = Vec::new();
    // Lines that the hunks so far added to the file, and whether one was not where it said.
    let (mut growth, mut has_moved) = (0_isize, false);
    let mut out = Vec::with_capacity(patch.len() + 64);
    while let Some((line, following)) = rest.split_first() {
        rest = following;
        if line.starts_with(b"diff --git ") {
            file = split(contents.next()?.as_deref().unwrap_or_default())
                .map(|line| (line, false))
                .collect();
            (growth, has_moved) = (0, false);
        }
        let Some(hunk) = hunk_of(line, following) else {
            out.extend_from_slice(line);
            continue;
        };
        rest = &following[hunk.body.len()..];
        let said = place_said(hunk.ranges[1]);
        let place = place_of(&hunk, said, &file, has_moved)?;
        has_moved |= place != said;
        let [(_, old), (_, new)] = hunk.ranges;
        let old_place = place.checked_add_signed(-growth)?;
        let (a, c) = (
            old_place + usize::from(old > 0),
            place + usize::from(new > 0),
        );
        out.extend_from_slice(format!("@@ -{a},{old} +{c},{new} @@").as_bytes());
        out.extend_from_slice(hunk.title);
        out.extend(hunk.body.iter().copied().flatten());
        growth += new.cast_signed() - old.cast_signed();
        let touched = hunk.after.iter().map(|line| (*line, true));
        file.splice(place..place + hunk.before.len(), touched);
    }
    Some(out)
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Lines before the range: an empty one names the line that it follows, others their first line.
fn place_said((start, size): (usize, usize)) -> usize {
    if size == 0 {
        start
    } else {
        start.saturating_sub(1)
    }
}

/// The hunk that `line` begins, if it does and is whole.
fn hunk_of<'a>(line: &'a [u8], following: &'a [&'a [u8]]) -> Option<Hunk<'a>> {
    let (ranges, title) = hunk_ranges(line)?;
    let mut left = (ranges[0].1, ranges[1].1);
    let is_mark = |at: usize| {
        following
            .get(at)
            .is_some_and(|line| line.starts_with(b"\\"))
    };
    let mut length = 0;
    while left != (0, 0) || is_mark(length) {
        count_down(&mut left, following.get(length)?);
        length += 1;
    }
    let body = following.get(..length)?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut ends_file = true;
    for (at, line) in body.iter().copied().enumerate() {
        // A line that a mark follows has no newline in its file.
        let whole = if is_mark(at + 1) {
            line.strip_suffix(b"\n").unwrap_or(line)
        } else {
            line
        };
        match whole.split_first() {
            Some((b'\\', _)) => {}
            Some((b'-', text)) => {
                before.push(text);
                ends_file = true;
            }
            Some((b'+', text)) => {
                after.push(text);
                ends_file = true;
            }
            Some((b' ', text)) => {
                before.push(text);
                after.push(text);
                ends_file = false;
            }
            // Some programs write an empty line that stays without its blank.
            _ => {
                before.push(whole);
                after.push(whole);
                ends_file = false;
            }
        }
    }
    Some(Hunk {
        ranges,
        title,
        body,
        before,
        after,
        ends_file,
    })
}

/// Lines of the file before the hunk, where it fits nearest to what it says.
fn place_of(hunk: &Hunk, said: usize, file: &[Line], has_moved: bool) -> Option<usize> {
    let last = file.len().checked_sub(hunk.before.len())?;
    if hunk.before.is_empty() {
        // Nothing tells where it belongs but its number.
        return (said <= last && !has_moved).then_some(said);
    }
    let begins_file = hunk.ranges[0].0 <= 1;
    let fits = |place: &usize| {
        (!begins_file || *place == 0)
            && (!hunk.ends_file || *place == last)
            && file[*place..]
                .iter()
                .zip(&hunk.before)
                .all(|((line, is_touched), wanted)| !is_touched && line == wanted)
    };
    let from = said.min(last);
    let later = from + 1..=last;
    let earlier = (0..from).rev();
    std::iter::once(from)
        .chain(interleave(later, earlier))
        .find(fits)
}

/// One of each in turn, then the rest of the longer.
fn interleave(
    mut first: impl Iterator<Item = usize>,
    mut second: impl Iterator<Item = usize>,
) -> impl Iterator<Item = usize> {
    let mut is_firsts_turn = false;
    std::iter::from_fn(move || {
        is_firsts_turn = !is_firsts_turn;
        if is_firsts_turn {
            first.next().or_else(|| second.next())
        } else {
            second.next().or_else(|| first.next())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n";

    fn moved(hunks: &str, old: &str) -> Option<String> {
        let patch = format!("{HEAD}{hunks}");
        let out = relocated(patch.as_bytes(), &[Some(old.as_bytes().to_vec())])?;
        let text = String::from_utf8(out).expect("what went in is text");
        Some(text.strip_prefix(HEAD).expect("headers stay").to_owned())
    }

    #[test]
    fn hunks_follow_lines_that_were_shifted() {
        let old = "new\nnew\na\nb\nc\nd\ne\nf\nnew\ng\nh\ni\nj\n";
        assert_eq!(
            moved(
                "@@ -2,3 +2,4 @@ title\n b\n-c\n+C\n+c\n d\n@@ -7,3 +8,2 @@\n g\n-h\n i\n",
                old
            )
            .as_deref(),
            Some("@@ -4,3 +4,4 @@ title\n b\n-c\n+C\n+c\n d\n@@ -10,3 +11,2 @@\n g\n-h\n i\n")
        );
    }

    #[test]
    fn the_nearest_of_equal_places_is_taken_and_of_two_as_near_the_later() {
        let old = "a\nb\na\nb\nx\ny\nz\na\nb\na\n";
        let at = |line: usize| {
            let out = moved(&format!("@@ -{line},2 +{line},2 @@\n-a\n+A\n b\n"), old);
            out.and_then(|out| Some(out.split(' ').nth(1)?.to_owned()))
        };
        assert_eq!(at(3).as_deref(), Some("-3,2"));
        assert_eq!(at(4).as_deref(), Some("-3,2"));
        assert_eq!(at(7).as_deref(), Some("-8,2"));
        assert_eq!(at(2).as_deref(), Some("-3,2"));
        assert_eq!(at(90).as_deref(), Some("-8,2"));
    }

    #[test]
    fn what_an_earlier_hunk_made_is_not_changed_again() {
        let hunk = "@@ -3,1 +3,1 @@\n-a\n+a\n b\n".replace("-3,1 +3,1", "-3,2 +3,2");
        assert!(moved(&hunk, "x\nx\nx\na\nb\n").is_some());
        assert_eq!(moved(&format!("{hunk}{hunk}"), "x\nx\nx\na\nb\n"), None);
    }

    #[test]
    fn a_hunk_at_an_end_of_the_file_stays_there() {
        let first = "@@ -1,2 +1,3 @@\n+0\n a\n b\n";
        assert!(moved(first, "a\nb\n").is_some());
        assert_eq!(moved(first, "x\na\nb\n"), None);
        let last = "@@ -3,1 +3,2 @@\n a\n+b\n";
        assert!(moved(last, "x\na\n").is_some());
        assert_eq!(moved(last, "x\na\nx\n"), None);
    }

    #[test]
    fn a_missing_newline_is_part_of_the_line() {
        let hunk = "@@ -9,1 +9,1 @@\n-a\n\\ No newline at end of file\n+b\n";
        assert_eq!(
            moved(hunk, "x\na").as_deref(),
            Some("@@ -2,1 +2,1 @@\n-a\n\\ No newline at end of file\n+b\n")
        );
        assert_eq!(moved(hunk, "x\na\n"), None);
    }

    #[test]
    fn what_has_no_lines_to_go_by_is_taken_only_where_it_says() {
        let old = "a\nb\nc\n";
        let insert = "@@ -2,0 +3,1 @@\n+x\n";
        assert_eq!(moved(insert, old).as_deref(), Some(insert));
        assert_eq!(moved("@@ -4,0 +5,1 @@\n+x\n", old), None);
        let after_a_moved_one = format!("@@ -7,2 +7,1 @@\n-a\n b\n{}", "@@ -9,0 +9,1 @@\n+x\n");
        assert_eq!(moved(&after_a_moved_one, old), None);
    }

    #[test]
    fn each_file_is_searched_in_itself_and_new_and_binary_ones_are_left_alone() {
        let other = "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1,1 @@\n+n\n\
            diff --git a/b b/b\nGIT binary patch\nliteral 4\nLcmZQzWMT#Y01f~L\n\n\
            diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -2,2 +2,2 @@\n-p\n+P\n q\n";
        let files = [None, None, Some(b"o\no\np\nq\n".to_vec())];
        let out = relocated(other.as_bytes(), &files).expect("all fit");
        let wanted = other.replace("@@ -2,2 +2,2 @@", "@@ -3,2 +3,2 @@");
        assert_eq!(String::from_utf8_lossy(&out), wanted);
    }
}
