//! Recorded run times: the bundled series, and files of the same format.
//!
//! # The bundled series
//!
//! `noise_trace.csv` holds 3,072 runs of one commit each, measured within an hour on a virtual
//! machine with two cores (AMD EPYC, KVM guest) on which other programs were being compiled. In time
//! order, in seconds:
//!
//! | series | runs | workload | what is timed |
//! |---|--:|---|---|
//! | `mixed_wall` | 1,036 | C: arithmetic, a random walk over 32 MB, SQLite on a file; 0.27 s idle | wall time |
//! | `pysql_wall` | 736 | Python with SQLite | wall time |
//! | `cpu_time` | 300 | a loop that only computes; 0.12 s idle | CPU time, user and system |
//! | `loaded_cpu_wall` | 500 | the same at load 3 to 7 | wall time |
//! | `loaded_cpu_adjusted` | 500 | the same runs | wall time minus run-queue delay |
//!
//! # Format
//!
//! A header `series,seconds`, then one run a line in time order; series may alternate. Lines that
//! start with `#` and blank lines do not count.

use crate::error::{Error, Result};

/// The bundled file.
const BUNDLED: &str = include_str!("noise_trace.csv");

/// Fewest runs of a series: enough to calibrate on and screen some candidates before it repeats.
pub const RUNS_MIN: usize = 100;

const HEADER: &str = "series,seconds";

/// Runs of one workload in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    name: String,
    /// Log times, less their median.
    log: Vec<f64>,
    /// Whether runs 0 and 1, 2 and 3, ... belong together.
    is_paired: bool,
}

impl Series {
    /// A series from log times.
    pub(super) fn new(name: String, mut log: Vec<f64>, is_paired: bool) -> Self {
        let mut sorted = log.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        log.iter_mut().for_each(|x| *x -= median);
        Self {
            name,
            log,
            is_paired,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its runs.
    pub fn runs(&self) -> usize {
        self.log.len()
    }

    /// Log time of run `t`, in a circle.
    pub(super) fn at(&self, t: usize) -> f64 {
        self.log[t % self.log.len()]
    }

    /// A run to start from, by a number in [0, 1).
    pub(super) fn offset(&self, uniform: f64) -> usize {
        let at = (uniform * self.log.len() as f64) as usize;
        if self.is_paired { at & !1 } else { at }
    }
}

/// The bundled series.
///
/// # Panics
/// Never: a test reads them.
pub fn bundled() -> Vec<Series> {
    parse(BUNDLED, "the bundled trace").expect("the bundled trace is well-formed")
}

/// Reads a file of the format above; `origin` names it in errors.
///
/// # Errors
/// The header is another, a line has no positive time, or a series has fewer than [`RUNS_MIN`] runs.
pub fn parse(text: &str, origin: &str) -> Result<Vec<Series>> {
    let mut lines = (1usize..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let header = lines.next().map_or("", |(_, line)| line.trim());
    if header != HEADER {
        return Err(Error::usage(format!(
            "{origin}: the first line is `{}`, not `{HEADER}`",
            header.escape_debug()
        )));
    }
    let mut series: Vec<(String, Vec<f64>)> = Vec::new();
    for (number, line) in lines {
        let (name, seconds) = parse_line(line).ok_or_else(|| {
            Error::usage(format!(
                "{origin}: line {number} is not `name,seconds` with a time above 0"
            ))
        })?;
        match series.iter_mut().find(|(known, _)| known == name) {
            Some((_, log)) => log.push(seconds.ln()),
            None => series.push((name.to_owned(), vec![seconds.ln()])),
        }
    }
    if series.is_empty() {
        return Err(Error::usage(format!("{origin}: there are no runs")));
    }
    if let Some((name, log)) = series.iter().find(|(_, log)| log.len() < RUNS_MIN) {
        return Err(Error::usage(format!(
            "{origin}: series `{name}` has {} runs, at least {RUNS_MIN} are needed",
            log.len()
        )));
    }
    Ok(series
        .into_iter()
        .map(|(name, log)| Series::new(name, log, false))
        .collect())
}

fn parse_line(line: &str) -> Option<(&str, f64)> {
    let (name, seconds) = line.split_once(',')?;
    let name = name.trim();
    let seconds: f64 = seconds.trim().parse().ok()?;
    let is_time = seconds.is_finite() && seconds > 0.0;
    (is_time && !name.is_empty() && !name.chars().any(char::is_control)).then_some((name, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_series_are_those_documented() {
        let found: Vec<(String, usize)> = bundled()
            .iter()
            .map(|series| (series.name().to_owned(), series.runs()))
            .collect();
        let documented = [
            ("mixed_wall", 1036),
            ("pysql_wall", 736),
            ("loaded_cpu_wall", 500),
            ("loaded_cpu_adjusted", 500),
            ("cpu_time", 300),
        ];
        assert_eq!(found, documented.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn files_that_are_no_traces_are_refused_with_the_line() {
        let runs = "a,0.5\n".repeat(RUNS_MIN);
        let whole = format!("# measured by hand\n{HEADER}\n\n{runs}");
        assert_eq!(parse(&whole, "t").unwrap()[0].runs(), RUNS_MIN);
        for (text, problem) in [
            (String::new(), "the first line"),
            (runs.clone(), "the first line"),
            (format!("{HEADER}\n"), "no runs"),
            (format!("{HEADER}\na,0.5\n"), "has 1 runs"),
            (format!("{HEADER}\n{runs}a\n"), "line 102"),
            (format!("{HEADER}\n{runs}a,0\n"), "line 102"),
            (format!("{HEADER}\n{runs}a,nan\n"), "line 102"),
            (format!("{HEADER}\n{runs},1\n"), "line 102"),
        ] {
            let error = parse(&text, "t").unwrap_err().render();
            assert!(error.contains(problem), "{problem}: {error}");
        }
    }
}
