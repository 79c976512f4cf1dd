//! The DIGEST grammar: what a benchmark computed, so that both sides of a pair can be compared.
//!
//! A line is `DIGEST name=value`: `DIGEST` at the start of the line, white space, a name as of a
//! METRIC, `=`, and a value of 1 to [`VALUE_BYTES_MAX`] bytes without white space and control
//! characters, such as a hash of the output. A line that starts like one and is none is an error of the
//! run: a check that is not made must not look like one that passed. A name may be repeated with the
//! same value; with another it is an error.

use std::collections::BTreeMap;

use super::metric::{is_metric_name, shorten};
use super::record::DigestCheck;

/// Most distinct names in one run.
pub const NAMES_MAX: usize = 512;
/// Longest value; print a hash of what is longer.
pub const VALUE_BYTES_MAX: usize = 256;

/// What a run's DIGEST lines said, by name.
pub type DigestValues = BTreeMap<String, String>;

/// The digests of one run, fed line by line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Digests {
    values: DigestValues,
    problem: Option<DigestError>,
}

/// Why a run's digests cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DigestError {
    /// A line starts with DIGEST and does not follow the grammar.
    #[error("malformed DIGEST line `{line}`: {problem}")]
    Malformed {
        /// The line as printed, shortened.
        line: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// One side has two values for a name: its output is not the same every time.
    #[error("DIGEST {name} is {first} and then {second} in one run")]
    Unstable {
        /// The digest.
        name: String,
        /// Its first value.
        first: String,
        /// The value that differs.
        second: String,
    },
    /// More names than any real benchmark prints.
    #[error("the output has more than {NAMES_MAX} DIGEST names")]
    TooMany,
}

/// Reads one line, without its newline: name and value; `None` for ordinary output.
fn parse_line(line: &str) -> Option<Result<(&str, &str), &'static str>> {
    let rest = line.strip_prefix("DIGEST")?;
    let body = rest.trim();
    if !rest.starts_with(char::is_whitespace) || body.is_empty() {
        return None;
    }
    Some(parse_body(body))
}

fn parse_body(body: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = body.split_once('=').ok_or("it has no `=`")?;
    if name.trim() != name || value.trim() != value {
        return Err("there is white space beside the `=`");
    }
    if !is_metric_name(name) {
        return Err("the name has a character other than letters, digits, '_', '.' and 'µ'");
    }
    if value.is_empty() {
        return Err("it has no value");
    }
    if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("the value has white space or a control character");
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err("the value is longer than 256 bytes; print a hash of it");
    }
    Ok((name, value))
}

impl Digests {
    /// Takes one line of output, without its newline.
    pub fn feed(&mut self, line: &str) {
        match parse_line(line) {
            None => {}
            Some(Ok((name, value))) => self.push(name, value),
            Some(Err(problem)) => self.fail(DigestError::Malformed {
                line: shorten(line),
                problem,
            }),
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        match self.values.get(name) {
            Some(first) if first == value => {}
            Some(first) => self.fail(DigestError::Unstable {
                name: name.to_owned(),
                first: first.clone(),
                second: value.to_owned(),
            }),
            None if self.values.len() == NAMES_MAX => self.fail(DigestError::TooMany),
            None => {
                self.values.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn fail(&mut self, problem: DigestError) {
        self.problem.get_or_insert(problem);
    }

    /// Every digest, by name.
    ///
    /// # Errors
    /// The first thing that was wrong.
    pub fn values(self) -> Result<DigestValues, DigestError> {
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok(self.values),
        }
    }
}

/// Compares both sides of a pair; a digest that one side lacks is a difference. `None` when neither
/// has any.
pub fn compare(parent: &DigestValues, candidate: &DigestValues) -> Option<DigestCheck> {
    let names: std::collections::BTreeSet<&String> =
        parent.keys().chain(candidate.keys()).collect();
    let differ: BTreeMap<String, [Option<String>; 2]> = names
        .iter()
        .map(|name| (*name, [parent.get(*name), candidate.get(*name)]))
        .filter(|(_, [parent, candidate])| parent != candidate)
        .map(|(name, values)| (name.clone(), values.map(Option::<&String>::cloned)))
        .collect();
    (!names.is_empty()).then(|| DigestCheck {
        compared: u32::try_from(names.len()).unwrap_or(u32::MAX),
        differ,
    })
}

impl DigestCheck {
    /// The differences with both values, for people; `None` without any. `sides` are their names.
    pub fn difference(&self, sides: [&str; 2]) -> Option<String> {
        let words: Vec<String> = self
            .differ
            .iter()
            .map(|(name, values)| {
                let [first, second] = values
                    .each_ref()
                    .map(|value| value.as_deref().unwrap_or("not printed"));
                format!("DIGEST {name}: {} {first}, {} {second}", sides[0], sides[1])
            })
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<DigestValues, DigestError> {
        let mut digests = Digests::default();
        lines.iter().for_each(|line| digests.feed(line));
        digests.values()
    }

    fn values(of: &[(&str, &str)]) -> DigestValues {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn lines_that_follow_the_grammar_are_digests_and_all_else_is_output() {
        let lines = [
            "DIGEST rows=9f86d081",
            "DIGEST\tsum.µ=a=b",
            "DIGEST rows=9f86d081",
            "DIGEST",
            "DIGESTrows=1",
            " DIGEST rows=2",
            "digest rows=3",
        ];
        assert_eq!(
            read(&lines),
            Ok(values(&[("rows", "9f86d081"), ("sum.µ", "a=b")]))
        );
    }

    #[test]
    fn a_line_that_starts_like_a_digest_and_is_none_fails_the_run() {
        let long = format!("DIGEST a={}", "x".repeat(VALUE_BYTES_MAX + 1));
        for (line, why) in [
            ("DIGEST of the output", "no `=`"),
            ("DIGEST a =1", "beside the `=`"),
            ("DIGEST a= 1", "beside the `=`"),
            ("DIGEST a-b=1", "a character other than"),
            ("DIGEST a=", "no value"),
            ("DIGEST a=1 2", "white space"),
            ("DIGEST a=1\u{1b}[2J", "control character"),
            (long.as_str(), "print a hash"),
        ] {
            let problem = read(&[line, "DIGEST ok=1"]).expect_err(line).to_string();
            assert!(problem.contains(why), "{line}: {problem}");
        }
    }

    #[test]
    fn two_values_of_one_name_in_one_run_are_an_error() {
        let problem = read(&["DIGEST a=1", "DIGEST a=2"]).expect_err("unstable");
        assert_eq!(problem.to_string(), "DIGEST a is 1 and then 2 in one run");
    }

    #[test]
    fn a_difference_shows_both_values_and_a_missing_digest_is_one() {
        let parent = values(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let candidate = values(&[("a", "1"), ("b", "x"), ("d", "4")]);
        let check = compare(&parent, &candidate).expect("there are digests");
        assert_eq!(check.compared, 4);
        assert_eq!(
            check
                .difference(["parent", "candidate"])
                .expect("they differ"),
            "DIGEST b: parent 2, candidate x; DIGEST c: parent 3, candidate not printed; \
             DIGEST d: parent not printed, candidate 4"
        );
        let same = compare(&parent, &parent).expect("there are digests");
        assert_eq!(
            (same.compared, same.difference(["parent", "candidate"])),
            (3, None)
        );
        assert_eq!(compare(&values(&[]), &values(&[])), None);
    }
}
