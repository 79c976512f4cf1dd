//! Estimates and intervals from a fixed number of fresh pairs.

use serde::{Deserialize, Serialize};

use super::error::assert_log_gain;
use super::params::Params;
use super::scale::median_in_place;

/// Confidence of every interval the program prints.
pub const CONFIDENCE: f64 = 0.95;

/// Standard normal quantile of `1 - (1 - CONFIDENCE) / 2`.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// A closed interval, in log units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end, at least `lo`.
    pub hi: f64,
}

impl Interval {
    /// Whether `x` lies in the interval, ends included.
    #[must_use]
    pub fn contains(&self, x: f64) -> bool {
        self.lo <= x && x <= self.hi
    }
}

/// An estimated log gain with its [`CONFIDENCE`] interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Hodges-Lehmann estimate, a log gain.
    pub value: f64,
    /// Lower end of the interval; `None` means minus infinity: with fewer than
    /// six pairs no finite interval has the confidence.
    pub lo: Option<f64>,
    /// Upper end of the interval; `None` means infinity.
    pub hi: Option<f64>,
    /// Pairs it was computed from.
    pub pairs: usize,
}

impl Estimate {
    /// Estimate and interval from fresh pairs whose number was fixed before the
    /// first was measured.
    ///
    /// # Panics
    /// If `d` is empty or holds a value that is not a finite log gain.
    #[must_use]
    pub fn from_pairs(d: &[f64]) -> Self {
        let interval = walsh_interval(d, CONFIDENCE);
        Self {
            value: hodges_lehmann(d),
            lo: interval.map(|i| i.lo),
            hi: interval.map(|i| i.hi),
            pairs: d.len(),
        }
    }

    /// The interval, if it is finite.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        Some(Interval {
            lo: self.lo?,
            hi: self.hi?,
        })
    }

    /// Standard error in log units, read off the interval as if the estimate
    /// were normal; `None` if the interval is infinite.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        self.interval()
            .map(|i| (i.hi - i.lo) / 2.0 / NORMAL_QUANTILE)
    }
}

/// All `n (n + 1) / 2` means of two values, each value also with itself.
fn walsh_averages(d: &[f64]) -> Vec<f64> {
    assert!(!d.is_empty(), "an estimate from no pairs");
    d.iter().for_each(|&x| assert_log_gain(x));
    let tail_means = |(i, x): (usize, &f64)| {
        let x = *x;
        d[i..].iter().map(move |y| (x + y) / 2.0)
    };
    d.iter().enumerate().flat_map(tail_means).collect()
}

/// The Hodges-Lehmann estimate: the median of the Walsh averages. Nearly as
/// efficient as the mean on normal noise, and unmoved by 29 % of outliers.
///
/// # Panics
/// If `d` is empty or holds a value that is not a finite log gain.
#[must_use]
pub fn hodges_lehmann(d: &[f64]) -> f64 {
    median_in_place(&mut walsh_averages(d))
}

/// The interval of all gains that an exact two-sided Wilcoxon signed-rank test
/// does not reject at level `1 - confidence`. It covers a constant gain with at
/// least that probability, by the coins that ordered the runs alone.
///
/// `None` when the number of pairs is too small for a finite interval; at
/// 95 % that is fewer than six.
///
/// # Panics
/// If `d` is empty or holds a value that is not a finite log gain, or
/// `confidence` is not between 0 and 1.
#[must_use]
pub fn walsh_interval(d: &[f64], confidence: f64) -> Option<Interval> {
    assert!(
        confidence > 0.0 && confidence < 1.0,
        "confidence {confidence}"
    );
    let mut averages = walsh_averages(d);
    averages.sort_unstable_by(f64::total_cmp);
    let k = rejected_ranks(d.len(), (1.0 - confidence) / 2.0);
    (k > 0).then(|| Interval {
        lo: averages[k - 1],
        hi: averages[averages.len() - k],
    })
}

/// How many values of the signed-rank statistic of `n` pairs, from 0 upwards,
/// have together a probability of at most `tail`.
fn rejected_ranks(n: usize, tail: f64) -> usize {
    let mut pmf = vec![1.0];
    for rank in 1..=n {
        let mut next = vec![0.0; pmf.len() + rank];
        for (i, p) in pmf.iter().enumerate() {
            next[i] += p / 2.0;
            next[i + rank] += p / 2.0;
        }
        pmf = next;
    }
    let mut cumulated = 0.0;
    pmf.iter()
        .take_while(|p| {
            cumulated += *p;
            cumulated <= tail
        })
        .count()
}

/// Fresh pairs of the confirmation after a screen of `n_screen`: as many, but
/// at least 8 and at most 24 ([`Params::confirm_pairs_min`], `_max`).
#[must_use]
pub fn confirmation_pairs(n_screen: usize, params: &Params) -> usize {
    n_screen
        .max(params.confirm_pairs_min)
        .min(params.confirm_pairs_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_median_of_the_walsh_averages() {
        for (d, expected) in [
            (&[0.3][..], 0.3),
            (&[1.0, 2.0], 1.5),
            (&[1.0, 2.0, 9.0], 3.5),
            (&[0.0, 0.0, 0.0, 100.0], 0.0),
            (&[-1.0, 1.0], 0.0),
        ] {
            assert_eq!(hodges_lehmann(d), expected, "{d:?}");
        }
    }

    /// Hollander and Wolfe's depression data: estimate 0.46, and 0.01 to 0.786
    /// with the exact test at 95 %.
    #[test]
    #[expect(clippy::approx_constant, reason = "3.14 is a measurement here")]
    fn a_published_example_is_reproduced() {
        let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let d: Vec<f64> = before.iter().zip(after).map(|(b, a)| b - a).collect();
        assert!((hodges_lehmann(&d) - 0.46).abs() < 1e-9);
        let i = walsh_interval(&d, 0.95).unwrap();
        assert!(
            (i.lo - 0.01).abs() < 1e-9 && (i.hi - 0.786).abs() < 1e-9,
            "{i:?}"
        );
    }

    #[test]
    fn five_pairs_have_no_finite_interval_and_six_have() {
        let d = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        assert_eq!(walsh_interval(&d[..5], 0.95), None);
        assert_eq!(
            walsh_interval(&d, 0.95),
            Some(Interval { lo: 0.1, hi: 0.6 })
        );
        let few = Estimate::from_pairs(&d[..5]);
        assert_eq!((few.lo, few.hi, few.standard_error()), (None, None, None));
        let text = serde_json::to_string(&few).unwrap();
        assert_eq!(text, r#"{"value":0.3,"lo":null,"hi":null,"pairs":5}"#);
        assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), few);
    }

    /// Critical values of the signed-rank test, two-sided 5 %: the usual table.
    #[test]
    fn the_rank_distribution_matches_the_printed_table() {
        for (n, largest_rejected) in [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52), (24, 81)] {
            assert_eq!(rejected_ranks(n, 0.025), largest_rejected + 1, "n {n}");
        }
    }

    #[test]
    fn confirmation_is_as_long_as_the_screen_within_limits() {
        let p = Params::default();
        let lengths = [1, 8, 9, 24, 25, 60].map(|n| confirmation_pairs(n, &p));
        assert_eq!(lengths, [8, 8, 9, 24, 24, 24]);
    }
}
