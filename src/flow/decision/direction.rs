//! Which way is better, and the log gain of one pair.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DecisionError;

/// Whether less or more of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better: seconds, bytes, allocations.
    #[default]
    Lower,
    /// More is better: requests a second, a score.
    Higher,
}

impl Direction {
    /// `+1` for [`Lower`](Self::Lower), `-1` for [`Higher`](Self::Higher): the
    /// factor that makes `parent - candidate` positive when the candidate is
    /// better.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Lower => 1.0,
            Self::Higher => -1.0,
        }
    }
}

/// Log gain of a candidate over its parent: `sign * (ln parent - ln candidate)`.
///
/// Unitless; above 0 means better. For a lower-is-better metric a gain `d`
/// means that the candidate needs `exp(-d)` of what the parent needs.
///
/// # Panics
/// If a value is not finite or not above 0. Call [`checked_log_gain`] for
/// values that have not been checked yet.
#[must_use]
pub fn log_gain(direction: Direction, parent: f64, candidate: f64) -> f64 {
    match checked_log_gain(direction, parent, candidate) {
        Ok(d) => d,
        Err(e) => panic!("log_gain on unchecked values: {e}"),
    }
}

/// [`log_gain`] for values from a benchmark's output or a file.
///
/// # Errors
/// [`DecisionError::BadMetricValue`] if a value is not finite or not above 0.
/// The rule counts such a value as a failed run, see
/// [`PairPolicy`](super::PairPolicy).
pub fn checked_log_gain(
    direction: Direction,
    parent: f64,
    candidate: f64,
) -> Result<f64, DecisionError> {
    for value in [parent, candidate] {
        if !(value.is_finite() && value > 0.0) {
            return Err(DecisionError::BadMetricValue { value });
        }
    }
    Ok(direction.sign() * (parent.ln() - candidate.ln()))
}

/// The candidate's value as a factor of the parent's: `exp(-d)` for a
/// lower-is-better metric, `exp(d)` for the other. Always above 0.
#[must_use]
pub fn ratio(direction: Direction, d: f64) -> f64 {
    (-direction.sign() * d).exp()
}

/// Change of the metric in percent of the parent's value; negative means that
/// the value fell. A gain of `ln 2` on a lower-is-better metric is `-50`.
#[must_use]
pub fn change_percent(direction: Direction, d: f64) -> f64 {
    100.0 * (-direction.sign() * d).exp_m1()
}

/// Log gain of a metric that changed by `percent` of the parent's value: the
/// inverse of [`change_percent`].
///
/// # Errors
/// [`DecisionError::BadParam`] unless `percent` is finite and above -100.
pub fn gain_from_change_percent(direction: Direction, percent: f64) -> Result<f64, DecisionError> {
    if !(percent.is_finite() && percent > -100.0) {
        return Err(DecisionError::BadParam {
            name: "percent",
            value: percent,
            expected: "must be finite and above -100",
        });
    }
    Ok(-direction.sign() * (percent / 100.0).ln_1p())
}

/// Speed-up factor of a log gain: `exp(d)`, 2 for twice as good.
#[must_use]
pub fn speedup(d: f64) -> f64 {
    d.exp()
}

/// 100 times the log gain, the "percent" of every table in the design notes.
/// It adds up over steps, which [`change_percent`] does not.
#[must_use]
pub fn log_percent(d: f64) -> f64 {
    100.0 * d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_time_and_twice_the_rate_are_the_same_gain() {
        let less = log_gain(Direction::Lower, 2.0, 1.0);
        let more = log_gain(Direction::Higher, 1.0, 2.0);
        assert!((less - 2f64.ln()).abs() < 1e-15);
        assert!((more - less).abs() < 1e-15);
        assert!((change_percent(Direction::Lower, less) + 50.0).abs() < 1e-12);
        assert!((change_percent(Direction::Higher, less) - 100.0).abs() < 1e-12);
        assert!((ratio(Direction::Lower, less) - 0.5).abs() < 1e-15);
        assert!((speedup(less) - 2.0).abs() < 1e-15);
        assert!((log_percent(0.03) - 3.0).abs() < 1e-15);
    }

    #[test]
    fn percent_change_and_gain_are_inverse() {
        for direction in [Direction::Lower, Direction::Higher] {
            for percent in [-60.0, -5.0, 0.0, 0.1, 5.0, 300.0] {
                let d = gain_from_change_percent(direction, percent).unwrap();
                assert!((change_percent(direction, d) - percent).abs() < 1e-10);
            }
            assert!(gain_from_change_percent(direction, -100.0).is_err());
            assert!(gain_from_change_percent(direction, f64::NAN).is_err());
        }
    }

    #[test]
    fn values_without_a_logarithm_are_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(checked_log_gain(Direction::Lower, bad, 1.0).is_err());
            assert!(checked_log_gain(Direction::Higher, 1.0, bad).is_err());
        }
        let widest = checked_log_gain(Direction::Lower, f64::MAX, f64::from_bits(1)).unwrap();
        assert!(widest < super::super::error::LOG_GAIN_ABS_MAX);
    }

    #[test]
    fn direction_is_written_in_lowercase() {
        assert_eq!(
            serde_json::to_string(&Direction::Lower).unwrap(),
            "\"lower\""
        );
        assert!(serde_json::from_str::<Direction>("\"Higher\"").is_err());
    }
}
