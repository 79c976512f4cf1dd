//! Damaged inputs: a valid file, changed as disks, editors, scripts and attackers change files.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Numbers at the end of some range.
const EXTREMES: &[&str] = &[
    "1e400",
    "-1e400",
    "1e-400",
    "-0",
    "-0.0",
    "NaN",
    "Infinity",
    "null",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "9007199254740993",
    "4294967296",
    "4294967295",
    "-1",
    "0",
    "1",
    "0.5",
    "5e-324",
    "1.7976931348623157e308",
    "00",
    "+1",
    "0x10",
    "1_000",
    "\"1\"",
    "[]",
];

/// Pieces that mean something to one of the parsers, or to a terminal.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\0",
    " ",
    "\u{b}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[2J",
    "µ",
    "µ",
    "→",
    "é",
    "🦀",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    ",",
    ":",
    "=",
    "-",
    "**",
    "```",
    "<!--",
    "-->",
    "- [ ] ",
    "- [x] ",
    "(p0) ",
    "  - patch: ",
    "  - knob: ",
    "METRIC ",
    "METRIC[",
    "DIGEST ",
    "--- ",
    "+++ ",
    "@@ -1 +1 @@\n",
    "@@ -0,0 +1 @@\n",
    "/dev/null",
    "diff --git a/x b/x\n",
    "GIT binary patch\n",
    "commit\t",
    "true",
    "null",
    "\"format\":2,",
    "\"run\":1,",
    "\"type\":\"run\",",
    "__proto__",
    "../",
    "#",
];

/// One change. Places are relative, so that they fit any file.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Delete(Index, usize),
    Repeat(Index, usize, usize),
    Insert(Index, &'static str),
    Number(Index, &'static str),
    Nest(Index, &'static str, usize),
    Fill(Index, u8, usize),
    DropLine(Index),
    DoubleLine(Index),
    SwapLines(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let open = select(&["{", "[", "{\"a\":", "[[", "(", "**", "- ", "  "][..]);
    prop_oneof![
        4 => (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => at().prop_map(Change::Cut),
        2 => (at(), 1_usize..40).prop_map(|(at, length)| Change::Delete(at, length)),
        2 => (at(), 1_usize..40, 1_usize..4).prop_map(|(at, length, n)| Change::Repeat(at, length, n)),
        4 => (at(), select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        6 => (at(), select(EXTREMES)).prop_map(|(at, number)| Change::Number(at, number)),
        1 => (at(), open, 1_usize..400).prop_map(|(at, open, depth)| Change::Nest(at, open, depth)),
        1 => (at(), select(&b"9a \"\\[-\xff"[..]), 1_usize..5000)
            .prop_map(|(at, byte, length)| Change::Fill(at, byte, length)),
        1 => at().prop_map(Change::DropLine),
        1 => at().prop_map(Change::DoubleLine),
        1 => (at(), at()).prop_map(|(a, b)| Change::SwapLines(a, b)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(length)] = *byte,
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Delete(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + count).min(length));
            }
            Self::Repeat(at, count, times) => {
                let at = at.index(length);
                let piece = bytes[at..(at + count).min(length)].repeat(*times);
                bytes.splice(at..at, piece);
            }
            Self::Insert(at, piece) => insert(bytes, *at, piece.as_bytes()),
            Self::Nest(at, open, depth) => insert(bytes, *at, open.repeat(*depth).as_bytes()),
            Self::Fill(at, byte, count) => insert(bytes, *at, &vec![*byte; *count]),
            Self::Number(at, number) => {
                let numbers = numbers(bytes);
                if !numbers.is_empty() {
                    let range = numbers[at.index(numbers.len())].clone();
                    bytes.splice(range, number.bytes());
                }
            }
            Self::DropLine(at) => with_lines(bytes, |lines| {
                lines.remove(at.index(lines.len()));
            }),
            Self::DoubleLine(at) => with_lines(bytes, |lines| {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
            }),
            Self::SwapLines(a, b) => with_lines(bytes, |lines| {
                let count = lines.len();
                lines.swap(a.index(count), b.index(count));
            }),
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: Index, piece: &[u8]) {
    let at = at.index(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
}

fn with_lines(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    change(&mut lines);
    *bytes = lines.concat();
}

/// Where numbers stand, such as `-1.5e3`.
fn numbers(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit()
            || (bytes[at] == b'-' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
        let is_inside_word = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        let mut end = at + 1;
        if begins && !is_inside_word {
            while end < bytes.len() && is_part(bytes[end]) {
                end += 1;
            }
            found.push(at..end);
        }
        at = end;
    }
    found
}

/// One of the valid files with one to four changes.
pub fn damaged(valid: &'static [String]) -> impl Strategy<Value = Vec<u8>> {
    (select(valid), vec(change(), 1..5)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for change in &changes {
            change.apply(&mut bytes);
        }
        bytes
    })
}

/// Arbitrary bytes, arbitrary text, and damaged valid files.
pub fn any_input(valid: &'static [String]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..300),
        1 => "(?s).{0,200}".prop_map(String::into_bytes),
        6 => damaged(valid),
    ]
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD, as when a script's output is read.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The line an error names, of `origin:12: ...`.
pub fn line_named(message: &str, origin: &str) -> Option<usize> {
    let rest = message.strip_prefix(origin)?.strip_prefix(':')?;
    rest.split(':').next()?.parse().ok()
}
