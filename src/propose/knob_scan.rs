//! Which bytes of a source text are code, comment or string literal.
//!
//! Not a parser: enough of each language's lexical rules to keep a knob from being found in a
//! comment or a string. A literal that is not closed on its line ends with the line, so that one
//! misread quote cannot hide the rest of the file.

/// What a byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// Code.
    Code,
    /// Comment, its markers included.
    Comment,
    /// String or character literal, its quotes included.
    Text,
}

/// Families of lexical rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// `//`, nested `/* */`, raw strings, lifetimes.
    Rust,
    /// `//`, `/* */`, `"` and `'`; statements end with `;`.
    C,
    /// As C with `` ` `` strings; a statement also ends with its line: Go, JavaScript, TypeScript.
    Lines,
    /// `#` anywhere, `"`, `'` and their triples: Python, TOML.
    Python,
    /// `#` after white space or at the start of a line, `;` at the start of a line for ini files:
    /// shell, ini, YAML, make and whatever has no known ending.
    Shell,
    /// `--`: SQL, Lua.
    Dashes,
}

impl Language {
    /// By the ending of a file's name.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "rs" => Self::Rust,
            "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "java" | "cs" | "cu"
            | "zig" | "proto" | "m" => Self::C,
            "go" | "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "kt" | "swift"
            | "scala" | "dart" => Self::Lines,
            "py" | "pyi" | "pyx" | "toml" | "rb" => Self::Python,
            "sql" | "lua" | "hs" => Self::Dashes,
            _ => Self::Shell,
        }
    }

    /// Whether a newline ends a statement.
    pub(super) fn ends_with_line(self) -> bool {
        match self {
            Self::Rust | Self::C => false,
            Self::Lines | Self::Python | Self::Shell | Self::Dashes => true,
        }
    }
}

/// One [`Region`] a byte of `source`.
pub(super) fn regions(source: &str, language: Language) -> Vec<Region> {
    let bytes = source.as_bytes();
    let mut regions = vec![Region::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let (region, end) = match comment_end(bytes, at, language) {
            Some(end) => (Region::Comment, end),
            None => match literal_end(bytes, at, language) {
                Some(end) => (Region::Text, end),
                None => (Region::Code, at + 1),
            },
        };
        regions[at..end].fill(region);
        at = end;
    }
    regions
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(bytes.len(), |offset| at + offset)
}

fn comment_end(bytes: &[u8], at: usize, language: Language) -> Option<usize> {
    let rest = &bytes[at..];
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let line_comment = match language {
        Language::Rust | Language::C | Language::Lines => rest.starts_with(b"//"),
        Language::Python => rest[0] == b'#',
        Language::Shell => {
            let at_start = || {
                bytes[..at]
                    .iter()
                    .rev()
                    .take_while(|&&b| b != b'\n')
                    .all(u8::is_ascii_whitespace)
            };
            (rest[0] == b'#' && before.is_none_or(|b| b.is_ascii_whitespace()))
                || (rest[0] == b';' && at_start())
        }
        Language::Dashes => rest.starts_with(b"--"),
    };
    if line_comment {
        return Some(line_end(bytes, at));
    }
    let block = match language {
        Language::Rust | Language::C | Language::Lines => rest.starts_with(b"/*"),
        Language::Python | Language::Shell | Language::Dashes => false,
    };
    block.then(|| block_end(bytes, at, language == Language::Rust))
}

fn block_end(bytes: &[u8], start: usize, nested: bool) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if nested && bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn literal_end(bytes: &[u8], at: usize, language: Language) -> Option<usize> {
    let quote = bytes[at];
    match language {
        Language::Rust => match quote {
            b'"' => Some(quoted_end(bytes, at, quote, true)),
            b'r' if !continues_a_word(bytes, at) => raw_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => None,
        },
        Language::C | Language::Dashes => {
            matches!(quote, b'"' | b'\'').then(|| quoted_end(bytes, at, quote, false))
        }
        Language::Lines => match quote {
            b'"' | b'\'' => Some(quoted_end(bytes, at, quote, false)),
            b'`' => Some(quoted_end(bytes, at, quote, true)),
            _ => None,
        },
        Language::Python => {
            if !matches!(quote, b'"' | b'\'') {
                return None;
            }
            let triple = [quote; 3];
            if !bytes[at..].starts_with(&triple) {
                return Some(quoted_end(bytes, at, quote, false));
            }
            let body = at + 3;
            let close = bytes[body..].windows(3).position(|window| window == triple);
            Some(close.map_or(bytes.len(), |offset| body + offset + 3))
        }
        Language::Shell => {
            matches!(quote, b'"' | b'\'').then(|| quoted_end(bytes, at, quote, false))
        }
    }
}

fn continues_a_word(bytes: &[u8], at: usize) -> bool {
    // `br"` is a raw string as well.
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'b' | b'c') => at >= 2 && word(bytes[at - 2]),
        Some(before) => word(before),
        None => false,
    }
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8, multi_line: bool) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if !multi_line => return at,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..]
        .iter()
        .take_while(|&&b| b == b'#')
        .count();
    let body = start + 1 + hashes;
    if bytes.get(body) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let offset = bytes[body + 1..]
        .windows(close.len())
        .position(|window| window == close);
    Some(offset.map_or(bytes.len(), |offset| body + 1 + offset + close.len()))
}

/// `'x'`, `'\n'` or `'\u{1F600}'`; a lifetime is code.
fn char_end(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = &bytes[start + 1..];
    if rest.first() == Some(&b'\\') {
        let close = rest.iter().skip(2).take(12).position(|&b| b == b'\'')?;
        return Some(start + 1 + 2 + close + 1);
    }
    // One character, of up to four bytes, then the quote.
    let close = rest.iter().take(5).skip(1).position(|&b| b == b'\'')? + 1;
    let one = std::str::from_utf8(&rest[..close]).is_ok_and(|text| text.chars().count() == 1);
    one.then_some(start + 1 + close + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The code bytes, everything else as `_`.
    fn code(source: &str, path: &str) -> String {
        let regions = regions(source, Language::of(path));
        let shown = source.bytes().zip(regions);
        shown
            .map(|(b, region)| {
                if region == Region::Code {
                    b as char
                } else {
                    '_'
                }
            })
            .collect()
    }

    #[test]
    fn comments_and_literals_are_told_from_code() {
        for (path, source, expected) in [
            ("a.rs", "a // b\nc", "a ____\nc"),
            ("a.rs", "a /* b /* c */ d */ e", "a _________________ e"),
            ("a.c", "a /* b /* c */ d", "a ____________ d"),
            (
                "a.rs",
                "f(\"a\\\"//\", 'x', '\"', 'a: T)",
                "f(_______, ___, ___, 'a: T)",
            ),
            (
                "a.rs",
                "r#\"a\"b\"# c br\"x\" var\"y\"",
                "________ c b____ var___",
            ),
            ("a.rs", "'\\u{41}' '\\'' 'ß' &'a", "________ ____ ____ &'a"),
            ("a.go", "x := `a\n//b` + y", "x := _______ + y"),
            ("a.js", "don't // x\nok", "don_______\nok"),
            ("a.py", "x = '''a\n# b''' # c\ny", "x = ___________ ___\ny"),
            (
                "a.sh",
                "x=${a#b} # c\n; d",
                "x=${a#b} ___\n; d".replace("; d", "___").as_str(),
            ),
            ("a.sql", "set x -- y\nz", "set x ____\nz"),
            ("Makefile", "A = 1 # b", "A = 1 ___"),
        ] {
            assert_eq!(code(source, path), expected, "{path}: {source}");
        }
    }

    proptest! {
        #[test]
        fn every_text_of_every_language_is_covered(
            source in "[a-z/*#'\"`\\\\ \nrß;-]{0,60}",
            path in "a\\.(rs|c|go|py|sh|sql)",
        ) {
            prop_assert_eq!(regions(&source, Language::of(&path)).len(), source.len());
        }
    }
}
