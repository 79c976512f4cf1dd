//! The noise scale: of the machine's recent pairs, and inside one candidate.

use serde::{Deserialize, Serialize};

use super::error::{DecisionError, assert_log_gain, assert_scale, check_log_gains};
use super::params::Params;

/// Makes the median absolute deviation of a normal law its standard deviation.
pub const MAD_TO_SD: f64 = 1.4826;

/// Fewest A/A pairs a noise scale may start from.
pub const CALIBRATION_PAIRS_MIN: usize = 4;

/// Median of `values`, which it sorts: the mean of the two middle ones when
/// their number is even.
///
/// # Panics
/// If `values` is empty or holds a NaN.
pub(super) fn median_in_place(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "median of nothing");
    assert!(values.iter().all(|v| !v.is_nan()), "median of a NaN");
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// `1.4826 * median(|d|)`: the standard deviation of a normal law around 0,
/// untouched by up to half of outliers. Not centred, because under
/// randomised order the pair differences of a no-op are symmetric around 0.
///
/// # Panics
/// If `d` is empty or holds a NaN.
#[must_use]
pub fn robust_scale(d: &[f64]) -> f64 {
    let mut magnitudes: Vec<f64> = d.iter().map(|x| x.abs()).collect();
    MAD_TO_SD * median_in_place(&mut magnitudes)
}

/// The scale of the next pair of one candidate: `max(s0, median(|past|) / 2)`.
///
/// It uses the past only, so the e-process stays exact. Without it a gain far
/// above the noise would stall: the Student kernel cannot tell `+theta` from
/// `-theta` when both are far away.
#[derive(Debug, Clone)]
pub(super) struct AdaptiveScale {
    s0: f64,
    /// Magnitudes of the past pairs, ascending.
    past: Vec<f64>,
}

impl AdaptiveScale {
    pub(super) fn new(params: &Params, s0: f64) -> Self {
        assert_scale(s0);
        Self {
            s0: s0.max(params.scale_floor),
            past: Vec::new(),
        }
    }

    pub(super) fn next(&self) -> f64 {
        let n = self.past.len();
        if n == 0 {
            return self.s0;
        }
        self.s0
            .max(0.25 * (self.past[(n - 1) / 2] + self.past[n / 2]))
    }

    pub(super) fn push(&mut self, d: f64) {
        assert_log_gain(d);
        let magnitude = d.abs();
        let at = self.past.partition_point(|&x| x <= magnitude);
        self.past.insert(at, magnitude);
    }
}

/// What a candidate's pairs say about noise, its own effect taken out:
/// `(d_i - mean) * sqrt(n / (n - 1))`, the factor undoing the shrinkage by the
/// fitted mean. `None` with fewer than [`Params::residual_pairs_min`] pairs:
/// then nearly nothing of the noise is left.
///
/// # Panics
/// If a value is not a log difference.
#[must_use]
pub fn noise_residuals(d: &[f64], params: &Params) -> Option<Vec<f64>> {
    d.iter().for_each(|&d| assert_log_gain(d));
    if d.len() < params.residual_pairs_min {
        return None;
    }
    let n = d.len() as f64;
    let mean = d.iter().sum::<f64>() / n;
    let inflate = (n / (n - 1.0)).sqrt();
    Some(d.iter().map(|d| (d - mean) * inflate).collect())
}

/// The last pair differences that stand for noise alone: the calibration's,
/// then the residuals of screened candidates. A metric and each of its guards
/// has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseHistory {
    /// Log differences, oldest first; at most `window` of them.
    d: Vec<f64>,
    /// Most differences kept.
    window: usize,
}

impl NoiseHistory {
    /// Starts from the pair differences of an A/A calibration.
    ///
    /// # Errors
    /// [`DecisionError::TooFewPairs`] below [`CALIBRATION_PAIRS_MIN`],
    /// [`DecisionError::BadLogGain`] for a value that is not a log difference.
    pub fn from_calibration(d: &[f64], params: &Params) -> Result<Self, DecisionError> {
        if d.len() < CALIBRATION_PAIRS_MIN {
            return Err(DecisionError::TooFewPairs {
                got: d.len(),
                needed: CALIBRATION_PAIRS_MIN,
            });
        }
        check_log_gains(d)?;
        let mut history = Self {
            d: d.to_vec(),
            window: params.window,
        };
        history.forget();
        Ok(history)
    }

    /// Takes in the [`noise_residuals`] of a candidate's screen, kept or
    /// dropped. Returns whether there were any.
    ///
    /// Pass screen pairs only, never confirmation pairs.
    ///
    /// # Panics
    /// If a value is not a log difference.
    pub fn absorb(&mut self, screen: &[f64], params: &Params) -> bool {
        let residuals = noise_residuals(screen, params);
        self.d.extend(residuals.iter().flatten());
        self.forget();
        residuals.is_some()
    }

    /// The scale `s0` with which the next candidate starts: the robust scale
    /// of the window, at least [`Params::scale_floor`]. In log units.
    #[must_use]
    pub fn s0(&self, params: &Params) -> f64 {
        robust_scale(&self.d).max(params.scale_floor)
    }

    /// The differences in the window, oldest first.
    #[must_use]
    pub fn differences(&self) -> &[f64] {
        &self.d
    }

    fn forget(&mut self) {
        let extra = self.d.len().saturating_sub(self.window);
        self.d.drain(..extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adaptive_scale_uses_the_past_only() {
        let mut scale = AdaptiveScale::new(&Params::default(), 1.0);
        let mut seen = Vec::new();
        for d in [100.0, -2.0, 6.0, 0.0] {
            seen.push(scale.next());
            scale.push(d);
        }
        seen.push(scale.next());
        assert_eq!(seen, [1.0, 50.0, 25.5, 3.0, 2.0]);
    }

    #[test]
    fn residuals_are_centred_and_undo_the_fitted_mean() {
        let p = Params {
            window: 4,
            ..Params::default()
        };
        let mut history = NoiseHistory::from_calibration(&[9.0, 9.0, 9.0, 9.0], &p).unwrap();
        assert!(history.absorb(&[1.0, 3.0, 1.0, 3.0], &p));
        let r = (4.0f64 / 3.0).sqrt();
        assert_eq!(history.differences(), [-r, r, -r, r]);
    }

    #[test]
    fn short_screens_leave_the_scale_alone() {
        let p = Params::default();
        let mut history = NoiseHistory::from_calibration(&[0.1; 20], &p).unwrap();
        let before = history.clone();
        for n in 0..4 {
            assert!(!history.absorb(&vec![0.001; n], &p), "{n} pairs");
        }
        assert_eq!(history, before);
        assert!(history.absorb(&[0.001; 4], &p));
        assert_eq!(history.differences().len(), 24);
    }

    #[test]
    fn the_window_forgets_the_oldest() {
        let p = Params::default();
        let d: Vec<f64> = (0..100).map(f64::from).collect();
        let history = NoiseHistory::from_calibration(&d, &p).unwrap();
        assert_eq!(history.differences(), &d[40..]);
    }

    #[test]
    fn a_silent_metric_still_has_a_scale() {
        let p = Params::default();
        let history = NoiseHistory::from_calibration(&[0.0; 20], &p).unwrap();
        assert_eq!(history.s0(&p), 1e-4);
        assert!(NoiseHistory::from_calibration(&[0.0; 3], &p).is_err());
        assert!(NoiseHistory::from_calibration(&[0.0, f64::NAN, 0.0, 0.0], &p).is_err());
    }
}
