//! A hash chain over a ledger: each line that this program appends carries the SHA-256 of the line
//! and of the chain before it, so that an edit, a removal or a reordering shows. It shows accidents
//! and careless edits; it has no key, so whoever computes the chain anew hides everything.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// How a chained line ends, up to the 64 digits and `"}`.
const KEY: &str = r#","chain":""#;

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// The chain as of some line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    last: String,
    is_begun: bool,
    broken: Vec<u64>,
    /// SHA-256 of a line that may follow without fitting: those between were taken out.
    next: Option<String>,
}

impl Chain {
    /// The chain as of a line.
    pub(super) fn after(last: &str) -> Self {
        Self {
            last: last.to_owned(),
            ..Self::default()
        }
    }

    /// The line's text with the chain's next link in it. `text` is a JSON object.
    pub fn link(&mut self, text: &str) -> String {
        let link = self.next(text);
        let body = text.strip_suffix('}').unwrap_or(text);
        self.last.clone_from(&link);
        self.is_begun = true;
        format!("{body}{KEY}{link}\"}}")
    }

    /// Takes line `number` of a file as it stands there.
    pub fn read(&mut self, number: u64, text: &str) {
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() {
            return;
        }
        let is_next = self.next.take().is_some_and(|next| next == sha256(text));
        match split(text) {
            Some((body, link)) => {
                if self.next(&format!("{body}}}")) != link && !is_next {
                    self.broken.push(number);
                }
                // From here on the file is judged by itself again.
                link.clone_into(&mut self.last);
                self.is_begun = true;
            }
            None => {
                if self.is_begun && !is_next {
                    self.broken.push(number);
                }
                self.last = self.next(text);
            }
        }
    }

    /// After a line that stands in for others: one with this SHA-256 may follow as it is.
    pub fn goes_on_with(&mut self, next: Option<String>) {
        self.next = next;
    }

    /// The chain as of the last line, in text.
    pub(super) fn last(&self) -> &str {
        &self.last
    }

    /// Lines that are not what was written after the line before them, first to last.
    pub fn broken(&self) -> &[u64] {
        &self.broken
    }

    fn next(&self, text: &str) -> String {
        hex(Sha256::new()
            .chain_update(self.last.as_bytes())
            .chain_update(text.as_bytes()))
    }
}

/// SHA-256 of a line's text, without its line end.
pub fn sha256(text: &str) -> String {
    hex(Sha256::new().chain_update(text.trim_end_matches('\r').as_bytes()))
}

fn hex(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a line with a link was written after a line as of which the chain was `last`; `None` for a
/// line without one.
pub(super) fn follows(last: &str, text: &str) -> Option<bool> {
    let (body, link) = split(text.trim_end_matches('\r'))?;
    let hash = Sha256::new()
        .chain_update(last.as_bytes())
        .chain_update(body.as_bytes())
        .chain_update(b"}");
    Some(hex(hash) == link)
}

/// The line without its link.
pub fn without_link(text: &str) -> Cow<'_, str> {
    match split(text.trim_end_matches('\r')) {
        Some((body, _)) => Cow::Owned(format!("{body}}}")),
        None => Cow::Borrowed(text),
    }
}

/// The line up to its link, without the closing brace, and the link.
fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_suffix("\"}")?;
    let link = rest.get(rest.len().checked_sub(DIGITS)?..)?;
    let body = rest[..rest.len() - DIGITS].strip_suffix(KEY)?;
    link.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        .then_some((body, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 4] = [
        r#"{"a":1}"#,
        r#"{"b":"x"}"#,
        r#"{"c":{"chain":"no"}}"#,
        r#"{"d":null}"#,
    ];

    fn chained() -> Vec<String> {
        let mut chain = Chain::default();
        LINES.iter().map(|line| chain.link(line)).collect()
    }

    fn broken(lines: &[String]) -> Vec<u64> {
        let mut chain = Chain::default();
        for (index, line) in lines.iter().enumerate() {
            chain.read(index as u64 + 1, line);
        }
        chain.broken().to_vec()
    }

    #[test]
    fn an_untouched_file_has_no_broken_line_and_can_be_gone_on_with() {
        let mut lines = chained();
        assert_eq!(broken(&lines), Vec::<u64>::new());
        let mut chain = Chain::default();
        for (index, line) in lines.iter().enumerate() {
            chain.read(index as u64 + 1, line);
        }
        lines.push(chain.link(r#"{"e":5}"#));
        assert_eq!(broken(&lines), Vec::<u64>::new());
        for (line, plain) in lines.iter().zip(LINES) {
            assert_eq!(without_link(line), plain);
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["chain"].as_str().map(str::len), Some(DIGITS));
        }
    }

    #[test]
    fn every_single_change_of_a_byte_breaks_the_chain() {
        let lines = chained();
        for index in 0..lines.len() {
            for at in 0..lines[index].len() {
                let mut bytes = lines[index].clone().into_bytes();
                bytes[at] ^= 1;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                let mut all = lines.clone();
                all[index] = changed;
                assert!(!broken(&all).is_empty(), "line {index}, byte {at}");
            }
        }
    }

    #[test]
    fn a_line_that_is_taken_out_put_in_moved_or_stripped_of_its_link_shows() {
        let lines = chained();
        let without = [&lines[..1], &lines[2..]].concat();
        assert_eq!(broken(&without), [2]);
        let doubled = [&lines[..2], &lines[1..]].concat();
        assert_eq!(broken(&doubled), [3]);
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        assert_eq!(broken(&swapped), [2, 3, 4]);
        let mut stripped = lines.clone();
        stripped[3] = LINES[3].to_owned();
        assert_eq!(broken(&stripped), [4]);
    }

    #[test]
    fn lines_of_other_programs_before_the_first_link_are_part_of_the_chain() {
        let mut chain = Chain::default();
        chain.read(1, r#"{"run":1}"#);
        let linked = chain.link(r#"{"run":2}"#);
        assert!(broken(&[r#"{"run":1}"#.to_owned(), linked.clone()]).is_empty());
        assert_eq!(broken(&[r#"{"run":7}"#.to_owned(), linked]), [2]);
    }
}
