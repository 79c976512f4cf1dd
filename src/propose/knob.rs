//! Finding and rewriting a knob's value in a source text.
//!
//! A `const` knob is a declaration of its name: `const NAME: T = value;`, `static NAME`,
//! `const NAME = value` (also inside Go's `const (` ... `)`), `static const int NAME = value;` or
//! `#define NAME value`. A `pattern` knob is one whole line with `{value}` in it; white space may
//! differ, a trailing `;`, `,` or comment may follow. Neither is looked for in comments or string
//! literals. Exactly one place must match.

use std::ops::Range;

use super::knob_scan::{Language, Region, regions};
pub use super::knob_values::{VALUES_MAX, values};
use super::number::{Number, same_value, split_suffix};
use crate::error::{Error, Result};
use crate::flow::config_parts::Knob;

/// The knob's value as it stands in `source`, without white space around it.
///
/// # Errors
/// No place or more than one matches; the message names the file, the knob and the lines.
pub fn read(source: &str, knob: &Knob) -> Result<String> {
    Ok(source[find(source, knob)?].to_owned())
}

/// `source` with the knob set to `value`; no byte but the value's changes. The same number in
/// another spelling is left as it stands. A literal's suffix (`64usize`, `5UL`) is kept, and a
/// whole number in place of a decimal one is written with `.0`, which Rust and Go need.
///
/// # Errors
/// As [`read`], and a value with a line break.
pub fn write(source: &str, knob: &Knob, value: &str) -> Result<String> {
    let span = find(source, knob)?;
    let old = &source[span.clone()];
    let value = value.trim();
    if value.is_empty() || value.contains(['\n', '\r', '\0']) {
        let message = format!(
            "knob `{}`: {value:?} cannot be written into a line",
            knob.name
        );
        return Err(Error::usage(message));
    }
    if same_value(old, value) {
        return Ok(source.to_owned());
    }
    let value = in_the_style_of(old, value);
    Ok([&source[..span.start], &value, &source[span.end..]].concat())
}

fn in_the_style_of(old: &str, value: &str) -> String {
    let is_plain = |digits: &str| {
        let digits = digits.strip_prefix('-').unwrap_or(digits);
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
            && Number::parse(digits).is_some()
    };
    let (old_digits, suffix) = split_suffix(old);
    let (_, new_suffix) = split_suffix(value);
    if !is_plain(old_digits) || !is_plain(value) || !new_suffix.is_empty() {
        return value.to_owned();
    }
    let digits_only = value
        .trim_start_matches('-')
        .bytes()
        .all(|b| b.is_ascii_digit());
    let point = if digits_only && old_digits.contains('.') {
        ".0"
    } else {
        ""
    };
    format!("{value}{point}{suffix}")
}

/// Where the value stands.
fn find(source: &str, knob: &Knob) -> Result<Range<usize>> {
    let scan = Scan::new(source, &knob.file);
    let (found, what) = match (&knob.constant, &knob.pattern) {
        (Some(name), _) => (scan.constants(name), format!("declaration of `{name}`")),
        (None, Some(pattern)) => (scan.lines(pattern), format!("line like `{pattern}`")),
        (None, None) => {
            let message = format!("knob `{}` needs `const` or `pattern`", knob.name);
            return Err(Error::usage(message));
        }
    };
    let place = format!("{}: knob `{}`", knob.file, knob.name);
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let error = Error::usage(format!("{place}: no {what} outside comments and strings"));
            let mentions = knob.constant.as_ref().map(|name| scan.mentions(name));
            Err(match mentions.filter(|lines| !lines.is_empty()) {
                Some(lines) => error.hint(format!("the name occurs on {}", listed(&lines))),
                None => error.hint("check `file` and `const` or `pattern` in the config"),
            })
        }
        several => {
            let lines: Vec<usize> = several.iter().map(|span| scan.line(span.start)).collect();
            Err(Error::usage(format!(
                "{place}: more than one {what}, on {}",
                listed(&lines)
            ))
            .hint("a knob needs one place; rename one, or use a `pattern` that fits one line"))
        }
    }
}

fn listed(lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().take(10).map(usize::to_string).collect();
    let more = if lines.len() > 10 { ", ..." } else { "" };
    let plural = if lines.len() == 1 { "line" } else { "lines" };
    format!("{plural} {}{more}", shown.join(", "))
}

struct Scan<'a> {
    source: &'a str,
    language: Language,
    regions: Vec<Region>,
}

impl<'a> Scan<'a> {
    fn new(source: &'a str, file: &str) -> Self {
        let language = Language::of(file);
        Self {
            source,
            language,
            regions: regions(source, language),
        }
    }

    fn line(&self, at: usize) -> usize {
        self.source.as_bytes()[..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1
    }

    fn is_code(&self, at: usize) -> bool {
        self.regions.get(at) == Some(&Region::Code)
    }

    /// Where `word` stands as a whole word, in code or not.
    fn words<'b>(&'b self, word: &'b str) -> impl Iterator<Item = usize> + 'b {
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        self.source
            .match_indices(word)
            .map(|(at, _)| at)
            .filter(move |&at| {
                !word.is_empty()
                    && !self.source[..at].ends_with(part)
                    && !self.source[at + word.len()..].starts_with(part)
            })
    }

    fn mentions(&self, word: &str) -> Vec<usize> {
        let mut lines: Vec<usize> = self.words(word).map(|at| self.line(at)).collect();
        lines.dedup();
        lines
    }

    fn constants(&self, name: &str) -> Vec<Range<usize>> {
        self.words(name)
            .filter(|&at| self.is_code(at))
            .filter_map(|at| self.define(at, name).or_else(|| self.declaration(at, name)))
            .collect()
    }

    /// `#define NAME value`, to the end of the line.
    fn define(&self, at: usize, name: &str) -> Option<Range<usize>> {
        let before = self.source[self.line_start(at)..at]
            .trim_start()
            .strip_prefix('#')?;
        let define = before.trim_start().strip_prefix("define")?;
        if define.is_empty() || !define.trim().is_empty() {
            return None;
        }
        let start = at + name.len();
        // `NAME(x)` is a macro with parameters.
        if !self.source[start..].starts_with([' ', '\t']) {
            return None;
        }
        self.trim(start..self.line_end(start))
    }

    fn declaration(&self, at: usize, name: &str) -> Option<Range<usize>> {
        let prefix = &self.source[self.line_start(at)..at];
        let prefix = prefix.rsplit([';', '{', '}']).next().unwrap_or(prefix);
        let declares = ["const", "static", "constexpr"];
        let says_so = !prefix.contains(['=', '<', '"', '#'])
            && prefix.ends_with(|c: char| c.is_whitespace() || c == '*')
            && prefix
                .split_whitespace()
                .any(|word| declares.contains(&word));
        let in_block = prefix.trim().is_empty() && self.is_in_const_block(at);
        if !says_so && !in_block {
            return None;
        }
        let equals = self.equals_sign(at + name.len())?;
        self.trim(equals + 1..self.statement_end(equals + 1))
    }

    /// The `=` that follows the name and, if there is one, its type.
    fn equals_sign(&self, from: usize) -> Option<usize> {
        let bytes = self.source.as_bytes();
        for at in (from..bytes.len()).filter(|&at| self.is_code(at)) {
            match bytes[at] {
                b'=' => {
                    let doubled = matches!(bytes.get(at + 1), Some(b'=' | b'>'));
                    return (!doubled).then_some(at);
                }
                b';' | b'{' | b'}' | b'(' | b')' | b',' => return None,
                b'\n' if self.language.ends_with_line() => return None,
                _ => {}
            }
        }
        None
    }

    /// The `;` or `,` outside parentheses, or the line's end where that ends a statement.
    fn statement_end(&self, from: usize) -> usize {
        let bytes = self.source.as_bytes();
        let mut depth = 0i32;
        for at in (from..bytes.len()).filter(|&at| self.is_code(at)) {
            match bytes[at] {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth == 0 => return at,
                b')' | b']' | b'}' => depth -= 1,
                b';' | b',' if depth == 0 => return at,
                b'\n' if depth == 0 && self.language.ends_with_line() => return at,
                _ => {}
            }
        }
        bytes.len()
    }

    /// Whether the nearest open parenthesis before `at` is that of Go's `const (`.
    fn is_in_const_block(&self, at: usize) -> bool {
        if self.language != Language::Lines {
            return false;
        }
        let bytes = self.source.as_bytes();
        let mut depth = 0;
        for at in (0..at).rev().filter(|&at| self.is_code(at)) {
            match bytes[at] {
                b')' => depth += 1,
                b'(' if depth > 0 => depth -= 1,
                b'(' => {
                    let before = self.source[..at].trim_end();
                    let word = before
                        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
                        .next();
                    return word == Some("const");
                }
                b'{' | b'}' if depth == 0 => return false,
                _ => {}
            }
        }
        false
    }

    /// The lines that fit `pattern`, as the places of their values.
    fn lines(&self, pattern: &str) -> Vec<Range<usize>> {
        let Some((before, after)) = pattern.trim().split_once("{value}") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut start = 0;
        for line in self.source.split_inclusive('\n') {
            let first = start + (line.len() - line.trim_start().len());
            // A line may begin with a literal of its own, but not inside a longer one.
            let inside = first > 0 && self.regions[first - 1] == Region::Text;
            let fits = match self.regions.get(first) {
                Some(Region::Code) => true,
                Some(Region::Text) => !inside,
                Some(Region::Comment) | None => false,
            };
            if fits {
                found.extend(self.line_value(start..start + line.len(), before, after));
            }
            start += line.len();
        }
        found
    }

    fn line_value(&self, line: Range<usize>, before: &str, after: &str) -> Option<Range<usize>> {
        let start = skip(self.source, line.start).min(line.end);
        let value_start = skip_exactly(self.source, start, before)?;
        let end = self.line_end(line.start);
        let end = (value_start..end)
            .find(|&at| self.regions[at] == Region::Comment)
            .unwrap_or(end);
        if value_start > end {
            return None;
        }
        let terminator = |c: char| c.is_whitespace() || c == ';' || c == ',';
        let text = &self.source[value_start..end];
        if after.trim().is_empty() {
            let text = text.trim_end_matches(terminator);
            return self.trim(value_start..value_start + text.len());
        }
        // The last place where what follows the value fits the rest of the line.
        let value_end = (value_start..end)
            .rev()
            .filter(|&at| self.source.is_char_boundary(at))
            .find(|&at| {
                skip_exactly(self.source, at, after).is_some_and(|rest| {
                    rest <= end && self.source[rest..end].trim_matches(terminator).is_empty()
                })
            })?;
        self.trim(value_start..value_end)
    }

    fn line_start(&self, at: usize) -> usize {
        self.source[..at]
            .rfind('\n')
            .map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.source[at..]
            .find('\n')
            .map_or(self.source.len(), |offset| at + offset)
    }

    /// The span without white space and comments at its ends; `None` when nothing is left.
    fn trim(&self, span: Range<usize>) -> Option<Range<usize>> {
        let bytes = self.source.as_bytes();
        let solid =
            |&at: &usize| self.regions[at] != Region::Comment && !bytes[at].is_ascii_whitespace();
        let start = span.clone().find(solid)?;
        let end = span.rev().find(solid)? + 1;
        Some(start..end)
    }
}

/// Matches `pattern` at `at` and gives the place behind it. White space in the pattern fits any,
/// or none beside punctuation, within the line.
fn skip_exactly(source: &str, at: usize, pattern: &str) -> Option<usize> {
    let mut at = at;
    let mut last = None;
    for c in pattern.chars() {
        if c.is_whitespace() {
            last = Some(c);
            continue;
        }
        let after_blank = skip(source, at);
        let next = if source[after_blank..].starts_with(c) {
            after_blank
        } else {
            at
        };
        let wants_blank = last.is_some_and(char::is_whitespace);
        // Two words stay two words, and one word stays one.
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = source[..at].chars().next_back();
        let joins = word(c) && last.is_some() && before.is_some_and(word);
        if joins && wants_blank != (next > at) || !source[next..].starts_with(c) {
            return None;
        }
        at = next + c.len_utf8();
        last = Some(c);
    }
    Some(at)
}

/// The first place from `at` that is no blank or tab.
fn skip(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    at + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
}

#[cfg(test)]
#[path = "knob_tests.rs"]
mod tests;
