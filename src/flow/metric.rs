//! The METRIC grammar: lines of a benchmark's output to one value a metric.
//!
//! A line is `METRIC name=value`, the grammar of pi-autoresearch: `METRIC` at the start of the
//! line, white space, a name of ASCII letters, digits, `_`, `.` and `µ` (U+00B5), `=`, a value, and
//! nothing but white space after it. Two things differ on purpose. A value must be a plain finite
//! decimal: JavaScript's `Number` also takes `0x10` and `1e999`. And a repeat of a name within one
//! run is a further sample, of which the median counts, not a replacement.

use std::collections::{BTreeMap, BTreeSet};

/// Most samples in one run, all names together; more is a broken script.
pub const SAMPLES_MAX: usize = 1_000_000;
/// Most distinct names in one run (codex-autoresearch's limit).
pub const NAMES_MAX: usize = 512;
/// Longest line that can be a METRIC line, bytes; a longer one is output.
pub const LINE_BYTES_MAX: usize = 4096;

/// The key of one run: with it the script marks the lines that count, as `METRIC[key] name=value`.
#[derive(Debug, Clone)]
pub struct Key {
    marks: [String; 2],
}

impl Key {
    /// The key with this text.
    pub fn new(text: &str) -> Self {
        let marks = ["METRIC", "DIGEST"].map(|word| format!("{word}[{text}]"));
        Self { marks }
    }

    /// A line that carries the key, without it; `None` for any other.
    pub fn unlock(&self, line: &str) -> Option<String> {
        self.marks.iter().find_map(|mark| {
            let rest = line.strip_prefix(mark.as_str())?;
            Some(format!("{}{rest}", &mark[.."METRIC".len()]))
        })
    }
}

/// What one line of output says.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// Ordinary output.
    Output,
    /// One sample.
    Sample {
        /// The metric's name.
        name: &'a str,
        /// Its finite value.
        value: f64,
    },
    /// It starts like a METRIC line and is none.
    Malformed {
        /// The name it seems to be about.
        name: &'a str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Whether the script can print a metric of this name.
pub fn is_metric_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | 'µ');
    !name.is_empty()
        && name.chars().all(allowed)
        && !["__proto__", "constructor", "prototype"].contains(&name)
}

/// Reads one line, without its newline.
pub fn parse_line(line: &str) -> Line<'_> {
    let Some(rest) = line.strip_prefix("METRIC") else {
        return Line::Output;
    };
    let body = rest.trim();
    if !rest.starts_with(char::is_whitespace) || body.is_empty() {
        return Line::Output;
    }
    let malformed = |name, problem| Line::Malformed { name, problem };
    let Some((name, text)) = body.split_once('=') else {
        let name = body.split_whitespace().next().unwrap_or_default();
        return malformed(name, "it has no `=`");
    };
    if name.trim() != name || text.trim() != text {
        return malformed(name.trim(), "there is white space beside the `=`");
    }
    if !is_metric_name(name) {
        return malformed(
            name,
            "the name has a character other than letters, digits, '_', '.' and 'µ'",
        );
    }
    if text.contains(char::is_whitespace) {
        return malformed(name, "something follows the value");
    }
    match parse_decimal(text) {
        Some(value) if !value.is_finite() => malformed(name, "the value is not finite"),
        Some(0.0) if !is_zero(text) => malformed(name, "the value is too near zero"),
        Some(value) => Line::Sample { name, value },
        None => malformed(name, "the value is no decimal number"),
    }
}

/// `[+-]? (digits [. digits?] | . digits) ([eE] [+-]? digits)?`, and nothing else: no hex, no `inf`,
/// no `_`.
fn parse_decimal(text: &str) -> Option<f64> {
    let shape_is_decimal = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if shape_is_decimal {
        text.parse().ok()
    } else {
        None
    }
}

/// Whether a decimal has no digit but zeros before its exponent: others may still be rounded to 0.
fn is_zero(decimal: &str) -> bool {
    let mantissa = decimal.split(['e', 'E']).next().unwrap_or_default();
    !mantissa.contains(|c: char| ('1'..='9').contains(&c))
}

/// The samples of one run, fed line by line so that the output never has to be in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    values: BTreeMap<String, Vec<f64>>,
    count: usize,
    malformed: BTreeMap<String, Quote>,
    overflow: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Quote {
    line: String,
    problem: &'static str,
}

/// Why a run's output gives no value for a metric that it must give.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// No line names it.
    #[error("the output has no `METRIC {name}=...` line{instead}")]
    Missing {
        /// The metric.
        name: String,
        /// What the output has in its place, as the end of the sentence.
        instead: String,
    },
    /// A line names it and cannot be read.
    #[error("malformed METRIC line `{line}`: {problem}")]
    Malformed {
        /// The line as printed, shortened.
        line: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Zero or less, where that is impossible.
    #[error("`METRIC {name}={value}`: {name} cannot be zero or negative")]
    NotPositive {
        /// The metric.
        name: String,
        /// The value printed.
        value: f64,
    },
    /// Less than zero, where zero is allowed.
    #[error("`METRIC {name}={value}`: {name} cannot be negative")]
    Negative {
        /// The metric.
        name: String,
        /// The value printed.
        value: f64,
    },
    /// More names or samples than any real benchmark prints.
    #[error("{0}")]
    TooMany(String),
}

impl Samples {
    /// Takes one line of output, without its newline.
    pub fn feed(&mut self, line: &str) {
        match parse_line(line) {
            Line::Output => {}
            Line::Sample { name, value } => self.push(name, value),
            Line::Malformed { name, problem } => {
                if self.malformed.contains_key(name) {
                    return;
                }
                if self.malformed.len() == NAMES_MAX {
                    // The one that is not noted might be about a metric that counts.
                    self.overflow = Some(format!(
                        "the output has more than {NAMES_MAX} malformed METRIC lines"
                    ));
                    return;
                }
                let line = shorten(line);
                self.malformed
                    .insert(name.to_owned(), Quote { line, problem });
            }
        }
    }

    fn push(&mut self, name: &str, value: f64) {
        if !self.values.contains_key(name) && self.values.len() == NAMES_MAX {
            self.overflow = Some(format!("the output has more than {NAMES_MAX} metric names"));
            return;
        }
        if self.count == SAMPLES_MAX {
            self.overflow = Some(format!(
                "the output has more than {SAMPLES_MAX} METRIC lines"
            ));
            return;
        }
        self.count += 1;
        self.values.entry(name.to_owned()).or_default().push(value);
    }

    /// The value of a metric that must be there: the median of its samples.
    ///
    /// # Errors
    /// Missing, malformed (even once), or zero or negative where that cannot be.
    pub fn required(&self, name: &str, allow_zero: bool) -> Result<f64, MetricError> {
        if let Some(problem) = &self.overflow {
            return Err(MetricError::TooMany(problem.clone()));
        }
        if let Some(quote) = self.malformed.get(name) {
            return Err(MetricError::Malformed {
                line: quote.line.clone(),
                problem: quote.problem,
            });
        }
        let samples = self.values.get(name).ok_or_else(|| MetricError::Missing {
            name: name.to_owned(),
            instead: self.instead(),
        })?;
        if let Some(&value) = samples.iter().find(|&&value| value < 0.0 && allow_zero) {
            return Err(MetricError::Negative {
                name: name.to_owned(),
                value,
            });
        }
        if let Some(&value) = samples.iter().find(|&&value| value <= 0.0 && !allow_zero) {
            return Err(MetricError::NotPositive {
                name: name.to_owned(),
                value,
            });
        }
        Ok(median(samples))
    }

    /// What the output has instead of a metric's line: malformed lines, else other metrics.
    fn instead(&self) -> String {
        const SHOWN_MAX: usize = 5;
        if let Some(Quote { line, problem }) = self.malformed.values().next() {
            return format!("; it has the malformed line `{line}`: {problem}");
        }
        let shown = self.values.keys().take(SHOWN_MAX);
        let names: Vec<String> = shown.map(|name| shorten(name)).collect();
        match self.values.len() - names.len() {
            _ if names.is_empty() => String::new(),
            0 => format!("; it has {}", names.join(", ")),
            more => format!("; it has {} and {more} more", names.join(", ")),
        }
    }

    /// The metrics that the run printed more than once.
    pub fn repeated(&self) -> BTreeSet<String> {
        let repeated = self.values.iter().filter(|(_, values)| values.len() > 1);
        repeated.map(|(name, _)| name.clone()).collect()
    }

    /// Every metric the run printed, by its median.
    pub fn medians(&self) -> BTreeMap<String, f64> {
        self.values
            .iter()
            .map(|(name, samples)| (name.clone(), median(samples)))
            .collect()
    }
}

/// The middle sample, or the mean of the two middle ones. 0 for none.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// At most 120 characters of a line, control characters made visible.
pub(super) fn shorten(line: &str) -> String {
    let mut text: String = line
        .trim_end()
        .chars()
        .take(120)
        .collect::<String>()
        .escape_debug()
        .to_string();
    if line.trim_end().chars().count() > 120 {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: Result<f64, &str>) {
        let mut samples = Samples::default();
        lines.iter().for_each(|line| samples.feed(line));
        let got = samples
            .required("x_ms", false)
            .map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{lines:?}");
    }

    #[test]
    fn a_metric_line_is_read_wherever_it_stands() {
        check(&["noise", "METRIC x_ms=12.5", "more"], Ok(12.5));
        check(&["METRIC \t x_ms=.5e1  \r"], Ok(5.0));
        check(&["METRIC x_ms=+7"], Ok(7.0));
    }

    #[test]
    fn repeats_within_a_run_are_samples_and_the_median_counts() {
        check(
            &["METRIC x_ms=3", "METRIC x_ms=1", "METRIC x_ms=100"],
            Ok(3.0),
        );
        check(&["METRIC x_ms=3", "METRIC x_ms=1"], Ok(2.0));
    }

    #[test]
    fn a_value_that_is_no_finite_decimal_is_a_crash_that_quotes_the_line() {
        for (value, problem) in [
            ("0x10", "the value is no decimal number"),
            ("NaN", "the value is no decimal number"),
            ("inf", "the value is no decimal number"),
            ("1_000", "the value is no decimal number"),
            ("1e999", "the value is not finite"),
            ("1,5", "the value is no decimal number"),
            ("", "the value is no decimal number"),
            ("5 ms", "something follows the value"),
        ] {
            let line = format!("METRIC x_ms={value}");
            check(
                &["METRIC x_ms=1", &line],
                Err(&format!(
                    "malformed METRIC line `{}`: {problem}",
                    line.trim_end()
                )),
            );
        }
    }

    #[test]
    fn zero_or_less_never_counts_unless_declared() {
        check(
            &["METRIC x_ms=0"],
            Err("`METRIC x_ms=0`: x_ms cannot be zero or negative"),
        );
        check(
            &["METRIC x_ms=5", "METRIC x_ms=-1"],
            Err("`METRIC x_ms=-1`: x_ms cannot be zero or negative"),
        );
        let mut samples = Samples::default();
        samples.feed("METRIC misses=0");
        assert_eq!(samples.required("misses", true), Ok(0.0));
    }

    #[test]
    fn prose_that_starts_with_metric_is_output() {
        check(
            &["METRICS x_ms=1", "METRIC", " METRIC x_ms=1"],
            Err("the output has no `METRIC x_ms=...` line"),
        );
        check(&["METRIC values follow", "METRIC x_ms=1"], Ok(1.0));
    }

    #[test]
    fn the_micro_sign_is_part_of_a_name() {
        assert_eq!(
            parse_line("METRIC t_µs=3"),
            Line::Sample {
                name: "t_µs",
                value: 3.0
            }
        );
        assert!(!is_metric_name("a-b"));
        assert!(!is_metric_name("__proto__"));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_a_panic_and_only_finite_values_come_out(line in ".*") {
            if let Line::Sample { value, .. } = parse_line(&line) {
                proptest::prop_assert!(value.is_finite());
            }
        }

        #[test]
        fn every_finite_decimal_survives(value in proptest::num::f64::NORMAL) {
            let line = format!("METRIC x={value}");
            proptest::prop_assert_eq!(parse_line(&line), Line::Sample { name: "x", value });
        }
    }
}
