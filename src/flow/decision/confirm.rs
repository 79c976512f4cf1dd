//! The confirmation: fresh pairs of a clean rebuild, slots swapped.

use serde::{Deserialize, Serialize};

use super::error::{DecisionError, check_log_gains};
use super::estimate::{Estimate, confirmation_pairs};
use super::params::Params;

/// Whether the fresh pairs agree with the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmVerdict {
    /// The fresh estimate is above 0.
    Confirmed,
    /// The fresh estimate is 0 or below: drop.
    NotConfirmed,
}

/// The outcome of a confirmation.
///
/// For a no-op the sign of the estimate is a coin flip independent of the
/// screen, which halves the bound on false keeps. The estimate is free of the
/// winner's curse of the screen: it is conditioned on its own sign only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// What a kept commit claims.
    pub estimate: Estimate,
    /// Whether it may be kept, guards and checks permitting.
    pub verdict: ConfirmVerdict,
}

impl Confirmation {
    /// Judges the log gains of the fresh pairs after a screen of `n_screen`.
    ///
    /// # Errors
    /// [`DecisionError::WrongPairCount`] unless there are exactly
    /// [`confirmation_pairs`] of them: who may stop when it looks good confirms
    /// nothing. [`DecisionError::BadLogGain`] for a damaged value.
    pub fn judge(n_screen: usize, fresh: &[f64], params: &Params) -> Result<Self, DecisionError> {
        let needed = confirmation_pairs(n_screen, params);
        if fresh.len() != needed {
            return Err(DecisionError::WrongPairCount {
                got: fresh.len(),
                needed,
            });
        }
        check_log_gains(fresh)?;
        let estimate = Estimate::from_pairs(fresh);
        let verdict = if estimate.value > 0.0 {
            ConfirmVerdict::Confirmed
        } else {
            ConfirmVerdict::NotConfirmed
        };
        Ok(Self { estimate, verdict })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fresh: &[f64]) -> ConfirmVerdict {
        Confirmation::judge(8, fresh, &Params::default())
            .unwrap()
            .verdict
    }

    #[test]
    fn only_an_estimate_above_zero_confirms() {
        assert_eq!(verdict(&[0.01; 8]), ConfirmVerdict::Confirmed);
        assert_eq!(verdict(&[0.0; 8]), ConfirmVerdict::NotConfirmed);
        assert_eq!(verdict(&[-0.01; 8]), ConfirmVerdict::NotConfirmed);
        let one_wild = [5.0, -0.01, -0.01, -0.02, -0.01, -0.01, -0.02, -0.01];
        assert_eq!(verdict(&one_wild), ConfirmVerdict::NotConfirmed);
    }

    #[test]
    fn the_number_of_pairs_is_not_the_experimenters_choice() {
        let p = Params::default();
        for (n_screen, pairs) in [(8, 7), (8, 9), (30, 30), (0, 0)] {
            assert!(Confirmation::judge(n_screen, &vec![0.1; pairs], &p).is_err());
        }
        let mut damaged = [0.1; 8];
        damaged[3] = f64::NAN;
        assert!(Confirmation::judge(8, &damaged, &p).is_err());
    }
}
