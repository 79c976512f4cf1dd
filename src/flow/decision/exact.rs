//! Exact metrics: bytes, counts, allocations, instructions. Values that repeat
//! themselves need no statistics, only thresholds and a second run.

use serde::{Deserialize, Serialize};

use super::direction::Direction;
use super::error::DecisionError;
use super::scale::median_in_place;

/// Fewest A/A runs that can show a metric to be exact.
pub const EXACT_RUNS_MIN: usize = 6;

/// Largest A/A range, as a fraction of the median, of a metric that still
/// counts as exact. Instruction counts move by 5e-8.
pub const JITTER_MAX: f64 = 1e-4;

/// Smallest relative gain kept of an exact metric that jitters: 0.1 %.
pub const RELATIVE_DELTA_MIN: f64 = 1e-3;

/// How an exact metric is judged. `min_delta` is the smallest gain kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExactRule {
    /// All A/A values were identical; runs of one commit must be identical.
    Identical {
        /// In the metric's unit; default 1.
        min_delta: f64,
    },
    /// A/A values moved a little; runs of one commit may differ by `jitter`.
    Jittering {
        /// As a fraction of the parent's value; at least `max(0.1 %, 10 * A/A
        /// range / median)`.
        min_delta: f64,
        /// Largest difference between runs of one commit, as a fraction of
        /// their value; [`JITTER_MAX`].
        jitter: f64,
    },
}

/// Finds out from the A/A values whether a metric is exact, and how to judge it
/// then. `None` means noisy, or too few runs to tell ([`EXACT_RUNS_MIN`]).
///
/// # Errors
/// [`DecisionError::BadMetricValue`] for a value that is not finite. Unlike
/// noisy metrics, exact ones may be 0.
pub fn detect(values: &[f64]) -> Result<Option<ExactRule>, DecisionError> {
    if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
        return Err(DecisionError::BadMetricValue { value });
    }
    if values.len() < EXACT_RUNS_MIN {
        return Ok(None);
    }
    let mut sorted = values.to_vec();
    let median = median_in_place(&mut sorted).abs();
    let range = sorted[sorted.len() - 1] - sorted[0];
    if range == 0.0 {
        return Ok(Some(ExactRule::Identical { min_delta: 1.0 }));
    }
    let relative = range / median;
    if relative < JITTER_MAX {
        let min_delta = RELATIVE_DELTA_MIN.max(10.0 * relative);
        return Ok(Some(ExactRule::Jittering {
            min_delta,
            jitter: JITTER_MAX,
        }));
    }
    Ok(None)
}

/// Why an exact metric dropped a candidate after one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExactStep {
    /// Same value: drop.
    Equal,
    /// Worse: drop.
    Worse,
    /// Better by less than `min_delta`: drop.
    TooSmall,
    /// Better by enough: run the candidate once more, then call
    /// [`ExactRule::confirm`].
    RunAgain,
}

/// The verdict after the candidate's second run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExactVerdict {
    /// Both runs agree and the worse of them is better by enough.
    Keep,
    /// Both runs agree, but the worse of them is not better by enough.
    Drop,
    /// The metric disagrees with itself: it is noisy after all. Recalibrate and
    /// judge the candidate anew.
    Demote,
}

impl ExactRule {
    /// The rule for a metric that is known to jitter although the A/A values
    /// happened to be identical.
    #[must_use]
    pub fn jittering(self) -> Self {
        match self {
            Self::Identical { .. } => Self::Jittering {
                min_delta: RELATIVE_DELTA_MIN,
                jitter: JITTER_MAX,
            },
            jittering @ Self::Jittering { .. } => jittering,
        }
    }

    /// The rule with the user's smallest gain in the metric's unit, of which
    /// `median` is the present value.
    ///
    /// # Errors
    /// [`DecisionError::BadParam`] unless `min_delta` is finite and at least 0.
    /// With 0 any improvement is kept; a jittering metric never goes below its
    /// default.
    pub fn with_min_delta(self, min_delta: f64, median: f64) -> Result<Self, DecisionError> {
        if !(min_delta.is_finite() && min_delta >= 0.0) {
            return Err(DecisionError::BadParam {
                name: "min_delta",
                value: min_delta,
                expected: "must be finite and at least 0",
            });
        }
        Ok(match self {
            Self::Identical { .. } => Self::Identical { min_delta },
            Self::Jittering {
                min_delta: own,
                jitter,
            } => Self::Jittering {
                // 0 in the middle of values that move cannot be exact, so there is a quotient.
                min_delta: own.max(min_delta / median.abs()),
                jitter,
            },
        })
    }

    /// Judges the candidate's first run.
    ///
    /// # Panics
    /// If a value is not finite.
    #[must_use]
    pub fn judge(self, direction: Direction, parent: f64, candidate: f64) -> ExactStep {
        let gain = gain_in_units(direction, parent, candidate);
        if gain == 0.0 {
            ExactStep::Equal
        } else if gain < 0.0 {
            ExactStep::Worse
        } else if self.is_enough(gain, parent) {
            ExactStep::RunAgain
        } else {
            ExactStep::TooSmall
        }
    }

    /// Judges the candidate's two runs.
    ///
    /// # Panics
    /// If a value is not finite.
    #[must_use]
    pub fn confirm(
        self,
        direction: Direction,
        parent: f64,
        first: f64,
        second: f64,
    ) -> ExactVerdict {
        if !self.agrees(first, second) {
            return ExactVerdict::Demote;
        }
        let gain = |candidate| gain_in_units(direction, parent, candidate);
        let worse = gain(first).min(gain(second));
        if worse > 0.0 && self.is_enough(worse, parent) {
            ExactVerdict::Keep
        } else {
            ExactVerdict::Drop
        }
    }

    /// Whether two runs of the same commit agree. If ever they do not, the
    /// metric must be demoted to noisy and calibrated again.
    ///
    /// # Panics
    /// If a value is not finite.
    #[must_use]
    pub fn agrees(self, a: f64, b: f64) -> bool {
        assert!(a.is_finite() && b.is_finite(), "metric values {a} and {b}");
        match self {
            Self::Identical { .. } => a == b,
            Self::Jittering { jitter, .. } => (a - b).abs() <= jitter * a.abs().max(b.abs()),
        }
    }

    fn is_enough(self, gain: f64, parent: f64) -> bool {
        match self {
            Self::Identical { min_delta } => gain >= min_delta,
            Self::Jittering { min_delta, .. } => gain >= min_delta * parent.abs(),
        }
    }
}

/// Whether an exact metric permits a keep as a guard: it fails iff it is worse
/// by more than `tolerance_percent` of the parent's value (default 0). A
/// jittering one also has its own `min_delta`, for else its jitter would fail
/// every other candidate.
///
/// # Panics
/// If a value is not finite or the tolerance is negative.
#[must_use]
pub fn guard(
    rule: ExactRule,
    direction: Direction,
    parent: f64,
    candidate: f64,
    tolerance_percent: f64,
) -> bool {
    let user = tolerance_percent / 100.0;
    assert!(
        user.is_finite() && user >= 0.0,
        "guard tolerance {tolerance_percent} %"
    );
    let tolerance = match rule {
        ExactRule::Identical { .. } => user,
        ExactRule::Jittering { min_delta, .. } => user.max(min_delta),
    };
    gain_in_units(direction, parent, candidate) >= -tolerance * parent.abs()
}

fn gain_in_units(direction: Direction, parent: f64, candidate: f64) -> f64 {
    assert!(
        parent.is_finite() && candidate.is_finite(),
        "metric values {parent} and {candidate}"
    );
    direction.sign() * (parent - candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: ExactRule = ExactRule::Identical { min_delta: 1.0 };
    const INSTRUCTIONS: ExactRule = ExactRule::Jittering {
        min_delta: 1e-3,
        jitter: 1e-4,
    };

    #[test]
    fn six_identical_runs_are_exact_and_five_are_not() {
        assert_eq!(detect(&[0.0; 6]).unwrap(), Some(BYTES));
        assert_eq!(detect(&[-7.0; 6]).unwrap(), Some(BYTES));
        assert_eq!(detect(&[7.0; 5]).unwrap(), None);
        assert!(detect(&[7.0, f64::NAN]).is_err());
    }

    #[test]
    fn tiny_jitter_is_exact_with_a_threshold_ten_times_as_wide() {
        let around = |range: f64| [1e6, 1e6, 1e6, 1e6, 1e6, 1e6 * (1.0 + range)];
        assert_eq!(detect(&around(5e-8)).unwrap(), Some(INSTRUCTIONS));
        match detect(&around(9.9e-5)).unwrap() {
            Some(ExactRule::Jittering { min_delta, .. }) => assert!(min_delta <= 1e-3),
            other => panic!("{other:?}"),
        }
        assert_eq!(detect(&around(1.1e-4)).unwrap(), None);
        assert_eq!(detect(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap(), None);
    }

    #[test]
    fn the_first_run_decides_whether_there_is_a_second() {
        for (candidate, lower, higher) in [
            (100.0, ExactStep::Equal, ExactStep::Equal),
            (99.0, ExactStep::RunAgain, ExactStep::Worse),
            (99.5, ExactStep::TooSmall, ExactStep::Worse),
            (101.0, ExactStep::Worse, ExactStep::RunAgain),
            (100.5, ExactStep::Worse, ExactStep::TooSmall),
        ] {
            assert_eq!(BYTES.judge(Direction::Lower, 100.0, candidate), lower);
            assert_eq!(BYTES.judge(Direction::Higher, 100.0, candidate), higher);
        }
        let any = BYTES.with_min_delta(0.0, 100.0).unwrap();
        assert_eq!(any.judge(Direction::Lower, 0.0, 0.0), ExactStep::Equal);
        assert_eq!(
            any.judge(Direction::Lower, 100.0, 99.9),
            ExactStep::RunAgain
        );
        assert!(BYTES.with_min_delta(-1.0, 100.0).is_err());
        assert!(BYTES.with_min_delta(f64::NAN, 100.0).is_err());
    }

    #[test]
    fn the_smallest_gain_is_in_the_metrics_unit_and_never_below_the_jitter() {
        let with = |rule: ExactRule, delta| rule.with_min_delta(delta, 1e6).unwrap();
        let min_delta = |rule| match rule {
            ExactRule::Identical { min_delta } | ExactRule::Jittering { min_delta, .. } => {
                min_delta
            }
        };
        assert_eq!(min_delta(with(BYTES, 0.25)), 0.25);
        assert_eq!(min_delta(with(INSTRUCTIONS, 5e3)), 5e-3);
        assert_eq!(min_delta(with(INSTRUCTIONS, 1.0)), 1e-3);
        assert_eq!(BYTES.jittering(), INSTRUCTIONS);
        assert_eq!(INSTRUCTIONS.jittering(), INSTRUCTIONS);
    }

    #[test]
    fn a_metric_that_disagrees_with_itself_is_demoted() {
        let confirm = |rule: ExactRule, a, b| rule.confirm(Direction::Lower, 1e6, a, b);
        assert_eq!(confirm(BYTES, 999_990.0, 999_990.0), ExactVerdict::Keep);
        assert_eq!(confirm(BYTES, 999_990.0, 999_991.0), ExactVerdict::Demote);
        assert_eq!(confirm(BYTES, 1_000_001.0, 1_000_001.0), ExactVerdict::Drop);
        assert_eq!(
            confirm(INSTRUCTIONS, 998_000.0, 998_050.0),
            ExactVerdict::Keep
        );
        assert_eq!(
            confirm(INSTRUCTIONS, 998_990.0, 999_050.0),
            ExactVerdict::Drop
        );
        assert_eq!(
            confirm(INSTRUCTIONS, 998_000.0, 998_200.0),
            ExactVerdict::Demote
        );
    }

    #[test]
    fn an_exact_guard_fails_only_beyond_its_tolerance() {
        let lower = |rule, candidate, tol| guard(rule, Direction::Lower, 1000.0, candidate, tol);
        assert!(lower(BYTES, 1000.0, 0.0) && lower(BYTES, 10.0, 0.0));
        assert!(!lower(BYTES, 1000.5, 0.0));
        assert!(lower(BYTES, 1020.0, 2.0) && !lower(BYTES, 1021.0, 2.0));
        assert!(lower(INSTRUCTIONS, 1000.9, 0.0) && !lower(INSTRUCTIONS, 1001.1, 0.0));
        assert!(guard(BYTES, Direction::Higher, 1000.0, 1000.0, 0.0));
        assert!(!guard(BYTES, Direction::Higher, 1000.0, 999.0, 0.0));
        assert!(
            !guard(BYTES, Direction::Lower, 0.0, 1.0, 50.0),
            "half of nothing is nothing"
        );
    }
}
