//! Several primary metrics judged as one.

use super::error::{DecisionError, assert_log_gain};

/// The declared composite of several primary metrics: a weighted geometric
/// mean, whose log gain is `sum w_j d_j`. Each part should also be a guard.
///
/// There is no "keep if any of them improves": that would be as many chances as
/// metrics, see [`Params::for_alternatives`](super::Params::for_alternatives).
#[derive(Debug, Clone, PartialEq)]
pub struct Composite {
    weights: Vec<f64>,
}

impl Composite {
    /// Takes the weights as declared and divides them by their sum, so that the
    /// composite is again a ratio and `min_effect` means what it says.
    ///
    /// # Errors
    /// [`DecisionError::BadParam`] if there are none, or one is not finite and
    /// above 0.
    pub fn new(weights: &[f64]) -> Result<Self, DecisionError> {
        let sum: f64 = weights.iter().sum();
        let bad = weights
            .iter()
            .copied()
            .find(|w| !(w.is_finite() && *w > 0.0));
        if let Some(value) = bad.or((!(sum > 0.0 && sum.is_finite())).then_some(sum)) {
            return Err(DecisionError::BadParam {
                name: "weights",
                value,
                expected: "there must be one or more, each finite and above 0",
            });
        }
        Ok(Self {
            weights: weights.iter().map(|w| w / sum).collect(),
        })
    }

    /// Log gain of the composite in one pair.
    ///
    /// # Panics
    /// If there are not as many gains as weights, or one is not finite.
    #[must_use]
    pub fn log_gain(&self, parts: &[f64]) -> f64 {
        assert_eq!(parts.len(), self.weights.len(), "one gain for each weight");
        parts.iter().for_each(|&d| assert_log_gain(d));
        self.weights.iter().zip(parts).map(|(w, d)| w * d).sum()
    }

    /// The weights, which sum to 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_composite_is_a_weighted_geometric_mean() {
        let c = Composite::new(&[3.0, 1.0]).unwrap();
        assert_eq!(c.weights(), [0.75, 0.25]);
        assert!((c.log_gain(&[0.04, -0.08]) - 0.01).abs() < 1e-15);
        assert_eq!(Composite::new(&[5.0]).unwrap().log_gain(&[0.3]), 0.3);
    }

    #[test]
    fn weights_that_mean_nothing_are_refused() {
        for bad in [&[][..], &[0.0], &[1.0, -1.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(Composite::new(bad).is_err(), "{bad:?}");
        }
    }
}
