//! What can be wrong with data that comes from outside: a ledger, a
//! configuration, a benchmark's output.
//!
//! Values computed inside one run of the program are not errors when they are
//! wrong but bugs; those functions say `# Panics`.

use thiserror::Error;

/// Why recorded or configured data cannot be judged.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DecisionError {
    /// A metric value without a logarithm: zero, negative, infinite or NaN.
    #[error("metric value {value} has no logarithm; it must be finite and above 0")]
    BadMetricValue {
        /// The offending value, in the metric's unit.
        value: f64,
    },
    /// A recorded log gain that two finite positive numbers cannot produce.
    #[error("pair {index}: log gain {value} is not finite or out of range")]
    BadLogGain {
        /// Position of the pair, from 0.
        index: usize,
        /// The offending log gain.
        value: f64,
    },
    /// A noise scale outside [`Params::scale_floor`](super::Params::scale_floor)
    /// `..=` [`SCALE_MAX`].
    #[error("noise scale {value} is not between the floor {floor} and {SCALE_MAX}")]
    BadScale {
        /// The offending scale, in log units.
        value: f64,
        /// [`Params::scale_floor`](super::Params::scale_floor).
        floor: f64,
    },
    /// Not enough pairs for what was asked.
    #[error("{got} pairs given, at least {needed} needed")]
    TooFewPairs {
        /// Pairs given.
        got: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// The number of confirmation pairs is fixed by the screen, not by what
    /// they show; another number is a damaged or doctored record.
    #[error("{got} confirmation pairs given, the screen asks for exactly {needed}")]
    WrongPairCount {
        /// Pairs given.
        got: usize,
        /// Pairs the rule asks for.
        needed: usize,
    },
    /// The record holds pairs measured after the screen had decided.
    #[error("the screen decided after {decided_after} pairs, yet {got} are recorded")]
    PairsAfterDecision {
        /// Pairs up to and with the deciding one.
        decided_after: usize,
        /// Pairs recorded.
        got: usize,
    },
    /// A parameter outside its documented range.
    #[error("parameter {name} = {value}: {expected}")]
    BadParam {
        /// Field or argument name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range it must lie in, as a phrase.
        expected: &'static str,
    },
}

/// Largest magnitude a log gain can have: `ln` of the largest finite `f64`
/// minus `ln` of the smallest positive one is 1454.3.
pub const LOG_GAIN_ABS_MAX: f64 = 1_500.0;

/// Checks log gains read from a file.
///
/// # Errors
/// [`DecisionError::BadLogGain`] names the first value that is not finite or
/// exceeds [`LOG_GAIN_ABS_MAX`] in magnitude.
pub fn check_log_gains(d: &[f64]) -> Result<(), DecisionError> {
    let bad = |x: &f64| !(x.is_finite() && x.abs() <= LOG_GAIN_ABS_MAX);
    match d.iter().position(bad) {
        None => Ok(()),
        Some(index) => Err(DecisionError::BadLogGain {
            index,
            value: d[index],
        }),
    }
}

/// Largest noise scale and guard tolerance, in log units. Far above what any
/// metric can show: 1.4826 times a residual of the widest gains is below it.
pub const SCALE_MAX: f64 = 10_000.0;

/// The assertion behind every `# Panics` about a log gain. Wider than
/// [`LOG_GAIN_ABS_MAX`] by what residuals, and guards with their tolerance, add.
pub(super) fn assert_log_gain(d: f64) {
    assert!(
        d.is_finite() && d.abs() <= LOG_GAIN_ABS_MAX + SCALE_MAX,
        "log gain {d} is not finite or out of range; check recorded data first"
    );
}

/// The assertion behind every `# Panics` about a noise scale.
pub(super) fn assert_scale(s0: f64) {
    assert!(
        s0.is_finite() && s0 <= SCALE_MAX,
        "noise scale {s0} is not finite or out of range"
    );
}
