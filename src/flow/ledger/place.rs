//! Where in a line an error is: the line's place in the file, and the field's in the line.

use crate::error::{Error, nearest};

/// A line of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) origin: &'a str,
    pub(crate) number: u64,
}

/// What to do about a line that cannot be read.
const BAD_LINE_HINT: &str = "restore the file from a backup or from git, or take the line out of a ledger of this program with `autoresearch repair`, which keeps the original; what it says is never guessed";

/// What to do about a first line that cannot be read: most likely it is another file.
const OTHER_FILE_HINT: &str = "known are experiments.jsonl and the logs of pi-autoresearch, \
    codex-autoresearch, labloop and karpathy/autoresearch; if it is one of these, restore the line \
    from a backup";

impl Place<'_> {
    /// `origin:number: problem`, a usage error.
    pub(crate) fn error(self, problem: impl std::fmt::Display) -> Error {
        Error::usage(format!("{}:{}: {problem}", self.origin, self.number)).hint(BAD_LINE_HINT)
    }

    /// The same for a line that is like none of a ledger; when it is the first, the file is none.
    pub(crate) fn unlike_a_ledger(self, problem: impl std::fmt::Display) -> Error {
        let error = self.error(problem);
        if self.number == 1 {
            error.hint(OTHER_FILE_HINT)
        } else {
            error
        }
    }

    /// The error for a word that is none of the known ones; the hint names the nearest.
    pub(crate) fn unknown(self, field: &str, given: &str, known: &[&str]) -> Error {
        let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        let error = self.error(format!(
            "`{field}`: unknown value `{given}`, expected one of {}",
            list.join(", ")
        ));
        did_you_mean(error, given, known.iter().copied())
    }

    /// serde's error with the path of the field it is about.
    pub(crate) fn explain(self, text: &str, error: &serde_json::Error) -> Error {
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let path = path_at(text, error.column());
        let problem = if path.is_empty() {
            message.to_owned()
        } else {
            format!("`{path}`: {message}")
        };
        let located = self.error(problem);
        let words = message
            .strip_prefix("unknown field ")
            .or_else(|| message.strip_prefix("unknown variant "));
        let Some(words) = words else {
            return located;
        };
        let mut names = words.split('`').skip(1).step_by(2);
        match names.next() {
            Some(given) => did_you_mean(located, given, names),
            None => located,
        }
    }
}

fn did_you_mean<'a>(error: Error, given: &str, known: impl Iterator<Item = &'a str>) -> Error {
    match nearest(given, known) {
        Some(word) => error.hint(format!(
            "did you mean `{word}`? else take the line out with `autoresearch repair`"
        )),
        None => error,
    }
}

/// One level of nesting on the way to an offset.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// Path such as `pairs[3].phase` of the value that contains, or ends at, byte `offset` of `text`.
/// Empty at the top. The text before `offset` is taken to be well-formed JSON.
pub(super) fn path_at(text: &str, offset: usize) -> String {
    let bytes = text.as_bytes();
    let end = offset.min(bytes.len());
    let mut levels: Vec<Level> = Vec::new();
    let mut last_string = String::new();
    let mut at = 0;
    while at < end {
        match bytes[at] {
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => {
                levels.pop();
            }
            b'"' => {
                let length = string_length(&bytes[at..]);
                let inner = at + 1..(at + length).saturating_sub(1).max(at + 1);
                last_string = String::from_utf8_lossy(&bytes[inner]).into_owned();
                at += length - 1;
            }
            b':' => {
                if let Some(Level::Object(key)) = levels.last_mut() {
                    *key = Some(std::mem::take(&mut last_string));
                }
            }
            b',' => match levels.last_mut() {
                Some(Level::Object(key)) => *key = None,
                Some(Level::Array(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for level in &levels {
        match level {
            Level::Object(Some(key)) if path.is_empty() => path.push_str(key),
            Level::Object(Some(key)) => path.push_str(&format!(".{key}")),
            Level::Object(None) => {}
            Level::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// Bytes of the string literal at the start of `bytes`, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::path_at;

    fn check(text: &str, expected: &str) {
        let offset = text.find('^').expect("the caret marks the offset");
        let text = text.replacen('^', "", 1);
        assert_eq!(path_at(&text, offset), expected, "{text}");
    }

    #[test]
    fn the_path_names_keys_and_indices_down_to_the_offset() {
        check(r#"{"a":1,"status":"kep"^}"#, "status");
        check(
            r#"{"pairs":[{"slot":0},{"slot":1,"phase":"x"^}]}"#,
            "pairs[1].phase",
        );
        check(r#"{"pairs":[{"slot":0}^]}"#, "pairs[0]");
        check(r#"{"a":{"b":[1,[2,3^]]}}"#, "a.b[1][1]");
        check(r#"{"a":1}^"#, "");
    }

    #[test]
    fn brackets_and_quotes_inside_strings_do_not_count() {
        check(r#"{"a":"{[\"\\","b":"],"^}"#, "b");
        check(r#"{"a,:":{"c^":1}}"#, "a,:");
    }
}
