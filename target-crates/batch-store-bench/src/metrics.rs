//! What is measured, and how it is printed.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Letters, digits, `_`, `.` and `µ`; the unit is its ending.
    pub name: Cow<'static, str>,
    /// Finite.
    pub value: f64,
}

impl Metric {
    /// A measurement; its unit is in its name.
    pub fn new(name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        let name = name.into();
        Self { name, value }
    }

    /// A duration in milliseconds.
    pub fn ms(name: impl Into<Cow<'static, str>>, duration: Duration) -> Self {
        Self::new(name, duration.as_secs_f64() * 1e3)
    }

    /// A whole number.
    pub fn count(name: impl Into<Cow<'static, str>>, value: u64) -> Self {
        Self::new(name, value as f64)
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
