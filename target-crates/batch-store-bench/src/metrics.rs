//! What is measured, and how it is printed.

use std::io::Write;
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Letters, digits, `_`, `.` and `µ`; the unit is its ending.
    pub name: &'static str,
    /// Finite.
    pub value: f64,
}

impl Metric {
    /// A duration in milliseconds.
    #[must_use]
    pub fn ms(name: &'static str, duration: Duration) -> Self {
        Self {
            name,
            value: duration.as_secs_f64() * 1e3,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self {
            name,
            value: value as f64,
        }
    }

    /// Writes the line: whole numbers plainly, others with three decimals.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Self { name, value } = self;
        if value.fract() == 0.0 {
            writeln!(out, "METRIC {name}={value:.0}")
        } else {
            writeln!(out, "METRIC {name}={value:.3}")
        }
    }
}

/// Peak resident memory of this process in KiB, from `/proc/self/status`; `None`
/// where there is no such file.
#[must_use]
pub fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
