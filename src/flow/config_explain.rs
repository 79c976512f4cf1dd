//! serde's messages about `autoresearch.config.json`, with the key they are about and the nearest
//! known one.

use std::fmt::Write as _;

use crate::error::{Error, nearest};

/// Where the types and ranges are.
const TYPES_HINT: &str = "docs/config.md has every key with its type, range and an example";
/// The mistakes that people make in JSON.
const SYNTAX_HINT: &str =
    "JSON has no comments, no comma after the last entry, and double quotes around every text";

/// What is wrong with `text`, the content of the file `origin`: place, key, problem, and a hint.
pub(super) fn explain(error: &serde_json::Error, text: &str, origin: &str) -> Error {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let place = format!("{origin}:{}:{}", error.line(), error.column());
    if !text.trim_start().starts_with('{') {
        return Error::usage(format!("{origin}: it is no JSON object"))
            .hint("the least that is valid: {\"metric\": \"total_ms\"}");
    }
    // serde_json counts a number that no type can hold as a mistake of the syntax.
    let is_range = message == "number out of range";
    let key = match error.classify() {
        _ if is_range => path_at(text, error.line(), error.column()),
        serde_json::error::Category::Data => path_at(text, error.line(), error.column()),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => String::new(),
    };
    let inside = if key.is_empty() {
        String::new()
    } else {
        format!("`{key}`: ")
    };
    match Unknown::read(message) {
        Some(unknown) => {
            let problem = format!(
                "{place}: {inside}unknown {} `{}`",
                unknown.what, unknown.given
            );
            Error::usage(problem).hint(unknown.hint())
        }
        None => {
            let hint = match error.classify() {
                serde_json::error::Category::Data => TYPES_HINT,
                _ if is_range => TYPES_HINT,
                _ => SYNTAX_HINT,
            };
            Error::usage(format!("{place}: {inside}{}", in_json_words(message))).hint(hint)
        }
    }
}

/// serde's "unknown field `x`, expected one of `a`, `b`" or "unknown variant ...".
struct Unknown<'a> {
    what: &'static str,
    given: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn read(message: &'a str) -> Option<Self> {
        let (what, rest) = message
            .strip_prefix("unknown field ")
            .map(|rest| ("key", rest))
            .or_else(|| Some(("value", message.strip_prefix("unknown variant ")?)))?;
        let mut names = rest.split('`').skip(1).step_by(2);
        Some(Self {
            what,
            given: names.next()?,
            known: names.collect(),
        })
    }

    /// The nearest name when one is near, else all of them.
    fn hint(&self) -> String {
        match nearest(self.given, self.known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known: {}", self.known.join(", ")),
        }
    }
}

/// Rust's type names as a user of JSON calls them.
fn in_json_words(message: &str) -> String {
    let Some((given, expected)) = message.split_once(", expected ") else {
        return message.replace(" field `", " key `");
    };
    let expected = match expected {
        "f64" => "a number",
        "u32" | "u64" | "usize" => "a whole number from 0",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") => "an object",
        other if other.contains("enum ") => "a text",
        other => other,
    };
    let given = given
        .replace("sequence", "list")
        .replace("floating point", "number")
        .replace("map", "object");
    format!("{given}, expected {expected}")
}

/// One object or list that is open.
enum Frame {
    Object { key: Option<String> },
    List { index: usize },
}

/// The key that the reader was at after `column` bytes of line `line` (both from 1, as serde_json
/// counts), such as `guards[1].name`; empty for the whole file.
fn path_at(text: &str, line: usize, column: usize) -> String {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let end = (start + column).min(text.len());
    let read = &text.as_bytes()[..end];
    let mut open: Vec<Frame> = Vec::new();
    let mut string = String::new();
    let mut at = 0;
    while let Some(&byte) = read.get(at) {
        at += 1;
        match byte {
            b'"' => (string, at) = read_string(read, at),
            b'{' => open.push(Frame::Object { key: None }),
            b'[' => open.push(Frame::List { index: 0 }),
            b'}' | b']' => {
                open.pop();
            }
            b':' => {
                if let Some(Frame::Object { key }) = open.last_mut() {
                    *key = Some(std::mem::take(&mut string));
                }
            }
            b',' => match open.last_mut() {
                Some(Frame::Object { key }) => *key = None,
                Some(Frame::List { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }
    join(&open)
}

/// The string whose opening quote is before `at`, escapes as they stand, and where it ends.
fn read_string(read: &[u8], mut at: usize) -> (String, usize) {
    let start = at;
    while let Some(&byte) = read.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    let end = at.min(read.len());
    let string = String::from_utf8_lossy(&read[start..end]).into_owned();
    (string, (end + 1).min(read.len()))
}

fn join(open: &[Frame]) -> String {
    let mut path = String::new();
    for frame in open {
        match frame {
            Frame::Object { key: Some(key) } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Frame::Object { key: None } => {}
            Frame::List { index } => {
                write!(path, "[{index}]").expect("a String takes everything");
            }
        }
    }
    path
}
