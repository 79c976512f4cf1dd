//! From a pair's values to a log gain: direction, and metrics that may be zero.

use super::decision::{DecisionError, Direction, Estimate, change_percent, checked_log_gain};
use super::record::{Gain, Pair};

/// A metric as it is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its name in the pairs.
    pub name: String,
    /// Which way is better.
    pub direction: Direction,
    /// Whether zero is a value; then ln(1 + value) is compared.
    pub allow_zero: bool,
}

impl Judged {
    /// A time: lower is better, and 0 is impossible.
    pub fn time(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            direction: Direction::Lower,
            allow_zero: false,
        }
    }

    /// Parent's and candidate's value in a pair.
    ///
    /// # Errors
    /// One is missing.
    pub fn values(&self, pair: &Pair) -> Result<(f64, f64), DecisionError> {
        let value = |side: &std::collections::BTreeMap<String, f64>| {
            side.get(&self.name)
                .copied()
                .ok_or(DecisionError::BadMetricValue { value: f64::NAN })
        };
        Ok((value(&pair.parent)?, value(&pair.candidate)?))
    }

    /// The value whose logarithm is compared.
    pub fn positive(&self, value: f64) -> f64 {
        if self.allow_zero { value + 1.0 } else { value }
    }

    /// Log gain of the candidate: above 0 is better.
    ///
    /// # Errors
    /// A value is missing, not finite, or not positive.
    pub fn gain(&self, pair: &Pair) -> Result<f64, DecisionError> {
        let (parent, candidate) = self.values(pair)?;
        checked_log_gain(
            self.direction,
            self.positive(parent),
            self.positive(candidate),
        )
    }

    /// An estimate as the ledger has it.
    pub fn gain_record(&self, estimate: &Estimate) -> Gain {
        Gain {
            log: estimate.value,
            lo: estimate.lo,
            hi: estimate.hi,
            percent: percent_better(self.direction, estimate.value),
            pairs: u32::try_from(estimate.pairs).unwrap_or(u32::MAX),
        }
    }
}

/// A log gain in percent of the metric, positive for better: less time, or more throughput.
pub fn percent_better(direction: Direction, gain: f64) -> f64 {
    direction.sign() * -change_percent(direction, gain)
}
