//! The end-to-end comparison: what the session may claim, and whether its steps
//! add up to it.

use serde::{Deserialize, Serialize};

use super::error::{DecisionError, check_log_gains};
use super::estimate::Estimate;
use super::params::Params;

/// Standard errors of disagreement above which the steps do not add up.
const DISAGREEMENT_SE: f64 = 3.0;

/// The confirmation estimates of all kept commits, added.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSum {
    /// Sum of the estimates, a log gain.
    pub value: f64,
    /// Standard error of the sum in log units; `None` if a step has none.
    pub standard_error: Option<f64>,
    /// Commits kept.
    pub steps: usize,
}

impl StepSum {
    /// Adds the estimates of steps that follow each other. Their errors are
    /// independent, for each has pairs of its own.
    #[must_use]
    pub fn of(steps: &[Estimate]) -> Self {
        let square = |step: &Estimate| step.standard_error().map(|se| se * se);
        Self {
            value: steps.iter().map(|step| step.value).sum(),
            standard_error: steps.iter().map(square).sum::<Option<f64>>().map(f64::sqrt),
            steps: steps.len(),
        }
    }
}

/// What the session may say about its first and last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The interval includes 0: claim nothing.
    Nothing,
    /// The whole interval is above 0: claim the estimate with its interval.
    Improvement,
    /// The whole interval is below 0: the last commit is worse. Say so loudly.
    Regression,
}

/// The outcome of an end-to-end comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndToEnd {
    /// Gain of the last commit over the first.
    pub estimate: Estimate,
    /// What may be said about it.
    pub claim: Claim,
    /// The confirmation estimates of the steps between the two, added.
    pub steps: StepSum,
    /// Whether to print "steps do not add up".
    pub disagrees: bool,
}

impl EndToEnd {
    /// Judges the log gains of fresh pairs of the first commit (as parent) and
    /// the last (as candidate), and compares them with the steps between.
    ///
    /// The steps do not add up when the interval excludes their sum and the sum
    /// is more than 3 standard errors of the difference from the estimate.
    ///
    /// # Errors
    /// [`DecisionError::WrongPairCount`] unless there are exactly
    /// [`Params::end_to_end_pairs`], fixed in advance;
    /// [`DecisionError::BadLogGain`] for a damaged value.
    pub fn judge(
        fresh: &[f64],
        steps: &[Estimate],
        params: &Params,
    ) -> Result<Self, DecisionError> {
        let needed = params.end_to_end_pairs;
        if fresh.len() != needed {
            return Err(DecisionError::WrongPairCount {
                got: fresh.len(),
                needed,
            });
        }
        check_log_gains(fresh)?;
        Ok(Self::from_estimate(
            Estimate::from_pairs(fresh),
            StepSum::of(steps),
        ))
    }

    fn from_estimate(estimate: Estimate, steps: StepSum) -> Self {
        let interval = estimate.interval();
        let claim = match interval {
            Some(i) if i.lo > 0.0 => Claim::Improvement,
            Some(i) if i.hi < 0.0 => Claim::Regression,
            Some(_) | None => Claim::Nothing,
        };
        let se = estimate.standard_error().zip(steps.standard_error);
        let far = se.is_some_and(|(whole, sum)| {
            (estimate.value - steps.value).abs() > DISAGREEMENT_SE * whole.hypot(sum)
        });
        let excluded = interval.is_some_and(|i| !i.contains(steps.value));
        Self {
            estimate,
            claim,
            steps,
            disagrees: excluded && far,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, half_width: f64) -> Estimate {
        let (lo, hi) = (Some(value - half_width), Some(value + half_width));
        Estimate {
            value,
            lo,
            hi,
            pairs: 24,
        }
    }

    fn end_to_end(whole: Estimate, steps: &[Estimate]) -> EndToEnd {
        EndToEnd::from_estimate(whole, StepSum::of(steps))
    }

    #[test]
    fn an_interval_with_zero_claims_nothing() {
        for (value, expected) in [
            (0.10, Claim::Improvement),
            (0.02, Claim::Nothing),
            (0.0, Claim::Nothing),
            (-0.02, Claim::Nothing),
            (-0.10, Claim::Regression),
        ] {
            assert_eq!(
                end_to_end(estimate(value, 0.02), &[]).claim,
                expected,
                "{value}"
            );
        }
        let unbounded = Estimate {
            value: 0.5,
            lo: None,
            hi: None,
            pairs: 5,
        };
        assert_eq!(end_to_end(unbounded, &[]).claim, Claim::Nothing);
        assert!(!end_to_end(unbounded, &[]).disagrees);
    }

    #[test]
    fn steps_that_add_up_are_not_flagged() {
        let steps = [estimate(0.05, 0.02), estimate(0.05, 0.02)];
        for whole in [0.07, 0.10, 0.14] {
            assert!(
                !end_to_end(estimate(whole, 0.02), &steps).disagrees,
                "{whole}"
            );
        }
        // Excluded by the interval, yet within 3 se: hypot(.02, .02, .02)/1.96*3 = 0.053.
        assert!(!end_to_end(estimate(0.05, 0.02), &steps).disagrees);
    }

    #[test]
    fn steps_that_do_not_add_up_are_flagged_in_both_directions() {
        let steps = [estimate(0.05, 0.02), estimate(0.05, 0.02)];
        for whole in [0.04, 0.16, -0.10] {
            assert!(
                end_to_end(estimate(whole, 0.02), &steps).disagrees,
                "{whole}"
            );
        }
    }

    #[test]
    fn the_number_of_pairs_is_fixed_in_advance() {
        let p = Params::default();
        assert!(EndToEnd::judge(&[0.1; 23], &[], &p).is_err());
        assert!(EndToEnd::judge(&[f64::NAN; 24], &[], &p).is_err());
        let sure = EndToEnd::judge(&[0.1; 24], &[], &p).unwrap();
        assert_eq!((sure.claim, sure.estimate.value), (Claim::Improvement, 0.1));
        assert!(
            sure.disagrees,
            "a gain without a single step does not add up"
        );
    }
}
