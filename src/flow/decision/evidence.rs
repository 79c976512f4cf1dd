//! Evidence for a gain (the e-process) and against one (the futility test).

use super::error::{assert_log_gain, assert_scale};
use super::params::Params;
use super::scale::AdaptiveScale;

/// Logarithm of one bet: `ln 2 f(z - theta) / (f(z - theta) + f(z + theta))`
/// with `f` the Student density of `nu` degrees of freedom.
///
/// Given `|z|`, the bets on `+z` and `-z` add up to 2, so a fair coin makes
/// their mean exactly 1 (Vovk and Wang, *Nonparametric e-tests of symmetry*,
/// arXiv 2208.08925).
pub(super) fn bet(z: f64, theta: f64, nu: f64) -> f64 {
    let wing = |x: f64| (x * x / nu).ln_1p();
    let a = (nu + 1.0) / 2.0 * (wing(z + theta) - wing(z - theta));
    std::f64::consts::LN_2 - softplus(-a)
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `ln(sum exp(x_k))` without overflow.
fn log_sum_exp(x: [f64; 4]) -> f64 {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + x.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

/// The sign-symmetry e-process of one candidate.
///
/// If candidate and parent are the same, the sign of every pair difference is
/// a fair coin given the past and its own magnitude, because a coin chose the
/// order of the two runs. Then `E` is a test martingale: its mean is 1 at every
/// stopping time and `P(E ever >= c) <= 1 / c` (Ville). It may be looked at
/// after every pair, stopped, resumed and extended.
#[derive(Debug, Clone)]
pub struct EProcess {
    thetas: [f64; 4],
    nu: f64,
    /// `ln(weight)` plus the sum of the log bets, one for each shift.
    ln_parts: [f64; 4],
    scale: AdaptiveScale,
    n: usize,
    ln_e: f64,
    ln_e_max: f64,
}

impl EProcess {
    /// An e-process without pairs: `E = 1`. `s0` is the noise scale in log
    /// units, raised to [`Params::scale_floor`] if it is below.
    ///
    /// # Panics
    /// If `s0` is not finite or above [`SCALE_MAX`](super::SCALE_MAX).
    #[must_use]
    pub fn new(params: &Params, s0: f64) -> Self {
        Self {
            thetas: params.thetas,
            nu: params.nu,
            ln_parts: params.weights.map(f64::ln),
            scale: AdaptiveScale::new(params, s0),
            n: 0,
            ln_e: 0.0,
            ln_e_max: 0.0,
        }
    }

    /// The scale the next pair will be divided by: `max(s0, median(|past|)/2)`.
    #[must_use]
    pub fn next_scale(&self) -> f64 {
        self.scale.next()
    }

    /// Adds the log gain of one pair and returns `ln E` with it.
    ///
    /// # Panics
    /// If `d` is not a finite log gain.
    pub fn push(&mut self, d: f64) -> f64 {
        assert_log_gain(d);
        let z = d / self.scale.next();
        for (part, theta) in self.ln_parts.iter_mut().zip(self.thetas) {
            *part += bet(z, theta, self.nu);
        }
        self.scale.push(d);
        self.n += 1;
        self.ln_e = log_sum_exp(self.ln_parts);
        self.ln_e_max = self.ln_e_max.max(self.ln_e);
        self.ln_e
    }

    /// `ln E` after the last pair; 0 without pairs.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }

    /// Largest `ln E` so far, at least 0 because `E` starts at 1. By Ville's
    /// inequality `exp(-ln_e_max)` is a p-value at any time.
    #[must_use]
    pub fn ln_e_max(&self) -> f64 {
        self.ln_e_max
    }

    /// Pairs added.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }
}

/// The futility test: log likelihood ratio of "the gain is delta" against "the
/// gain is 0" for normal noise, each pair's share clipped (Wald's sequential
/// test with Huber's clipping). It may only drop, so that its normal model can
/// cost power but never a false keep.
#[derive(Debug, Clone)]
pub struct Futility {
    delta: f64,
    clip: f64,
    lr: f64,
}

impl Futility {
    /// A test without pairs. It looks for `delta = max(min_effect, s0)`; `s0`
    /// is the noise scale in log units, raised to [`Params::scale_floor`].
    ///
    /// # Panics
    /// If `s0` is not finite or above [`SCALE_MAX`](super::SCALE_MAX).
    #[must_use]
    pub fn new(params: &Params, s0: f64) -> Self {
        assert_scale(s0);
        let delta = params.min_effect.max(s0.max(params.scale_floor));
        Self {
            delta,
            clip: params.huber_clip,
            lr: 0.0,
        }
    }

    /// Adds the log gain of one pair and returns the log likelihood ratio.
    /// `s` is what [`EProcess::next_scale`] said before this pair.
    ///
    /// # Panics
    /// If `d` is not a finite log gain or `s` is not above 0.
    pub fn push(&mut self, d: f64, s: f64) -> f64 {
        assert_log_gain(d);
        assert!(s.is_finite() && s > 0.0, "noise scale {s} is not above 0");
        let t = self.delta / s;
        self.lr += t * (d / s).clamp(-self.clip, self.clip + t) - t * t / 2.0;
        self.lr
    }

    /// The log likelihood ratio after the last pair; 0 without pairs.
    #[must_use]
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// The gain the test looks for, in log units.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposite_bets_average_to_one() {
        for z in [0.0, 1e-9, 0.3, 2.4, 17.0, 1e7] {
            for theta in [0.5, 1.0, 2.0, 4.0] {
                let mean = (bet(z, theta, 5.0).exp() + bet(-z, theta, 5.0).exp()) / 2.0;
                assert!((mean - 1.0).abs() < 1e-12, "z {z} theta {theta}: {mean}");
            }
        }
    }

    #[test]
    fn a_tie_is_no_evidence_either_way() {
        let mut e = EProcess::new(&Params::default(), 0.02);
        for _ in 0..10 {
            assert!(e.push(0.0).abs() < 1e-14);
        }
        assert_eq!(e.n(), 10);
    }

    #[test]
    fn the_running_maximum_outlives_later_losses() {
        let mut e = EProcess::new(&Params::default(), 0.02);
        for d in [0.04, 0.04, 0.04] {
            e.push(d);
        }
        let top = e.ln_e();
        e.push(-0.06);
        assert!(e.ln_e() < top);
        assert_eq!(e.ln_e_max(), top);
    }

    #[test]
    fn futility_clips_outliers_on_both_sides() {
        let p = Params {
            min_effect: 0.02,
            ..Params::default()
        };
        let mut bad = Futility::new(&p, 0.02);
        assert_eq!(bad.delta(), 0.02);
        assert!((bad.push(-9.0, 0.02) - -3.5).abs() < 1e-12);
        let mut good = Futility::new(&p, 0.02);
        assert!((good.push(9.0, 0.02) - 3.5).abs() < 1e-12);
    }

    #[test]
    #[should_panic(expected = "not finite")]
    fn a_nan_pair_is_a_programming_error() {
        EProcess::new(&Params::default(), 0.02).push(f64::NAN);
    }
}
