//! Calibration: the same commit in both slots, measured against itself.

use serde::{Deserialize, Serialize};

use super::direction::{Direction, checked_log_gain};
use super::error::DecisionError;
use super::evidence::EProcess;
use super::exact::{self, ExactRule};
use super::params::Params;
use super::scale::{CALIBRATION_PAIRS_MIN, MAD_TO_SD, median_in_place, robust_scale};

/// Shortest useful benchmark run, in seconds; shorter ones are repeated within
/// a slot and summed.
pub const RUN_SECONDS_MIN: f64 = 0.2;

/// Most repeats of a short run.
const REPEATS_MAX: f64 = 10_000.0;

/// One pair of the same commit, a coin having chosen which slot ran first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AaPair {
    /// Metric value in slot 0, in the metric's unit.
    pub slot0: f64,
    /// Metric value in slot 1.
    pub slot1: f64,
    /// Whether slot 0 ran first.
    pub slot0_first: bool,
}

/// Whether one slot is systematically better than the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotBias {
    /// No sign of it.
    None,
    /// Some evidence, [`Params::slot_warn_e`]: warn. At most 10 % false alarms.
    Warn,
    /// Much evidence, [`Params::slot_refuse_e`]: refuse, "harness is biased
    /// between slots". At most 2 % false alarms.
    Refuse,
}

/// What the A/A pairs of one metric say about noise and harness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// `ln slot0 - ln slot1` of each pair, in order; the start of the metric's
    /// [`NoiseHistory`](super::NoiseHistory). All 0 for an exact metric with
    /// values that have no logarithm.
    pub d: Vec<f64>,
    /// How to judge the metric if it is exact; `None` if it is noisy.
    pub exact: Option<ExactRule>,
    /// Median of all runs, in the metric's unit.
    pub median: f64,
    /// Noise scale of a pair in log units, at least [`Params::scale_floor`].
    pub s0: f64,
    /// Standard deviation of `d`, in log units. Much larger than `s0` when a few
    /// runs stall.
    pub pair_sd: f64,
    /// `1.4826 *` median distance of `d` from its median, in log units.
    pub pair_mad_sd: f64,
    /// Correlation of the logarithms of neighbouring runs, -1 to 1; 0 if the
    /// runs do not vary. Near 1 the machine drifts and only pairs help.
    pub lag1_autocorrelation: f64,
    /// Smallest gain the screen looks for, `max(min_effect, s0)`, log units.
    pub detectable_effect: f64,
    /// Largest `ln E` for "slot 1 has the lower values".
    pub ln_e_slot1_lower: f64,
    /// Largest `ln E` for "slot 0 has the lower values".
    pub ln_e_slot0_lower: f64,
    /// Verdict on the harness.
    pub slot_bias: SlotBias,
}

impl Calibration {
    /// Analyses A/A pairs, warm-up already discarded.
    ///
    /// The test for slot bias is an e-process on `d` and one on `-d`. Their
    /// scale comes from the same pairs, which is sound: it depends on their
    /// magnitudes only, and the coins are fair whatever the magnitudes.
    ///
    /// # Errors
    /// [`DecisionError::TooFewPairs`] below [`CALIBRATION_PAIRS_MIN`],
    /// [`DecisionError::BadMetricValue`] for a value that is not finite, or,
    /// unless the metric is exact, not above 0.
    pub fn from_pairs(pairs: &[AaPair], params: &Params) -> Result<Self, DecisionError> {
        if pairs.len() < CALIBRATION_PAIRS_MIN {
            let needed = CALIBRATION_PAIRS_MIN;
            return Err(DecisionError::TooFewPairs {
                got: pairs.len(),
                needed,
            });
        }
        let mut runs: Vec<f64> = pairs.iter().flat_map(in_time_order).collect();
        let exact = exact::detect(&runs)?;
        let d = slot_differences(pairs, exact)?;
        let lag1_autocorrelation = lag1(&runs);
        let s0 = robust_scale(&d).max(params.scale_floor);
        let ln_e_slot1_lower = ln_e_max(d.iter().copied(), params, s0);
        let ln_e_slot0_lower = ln_e_max(d.iter().map(|x| -x), params, s0);
        Ok(Self {
            exact,
            median: median_in_place(&mut runs),
            s0,
            pair_sd: standard_deviation(&d),
            pair_mad_sd: centred_mad_sd(&d),
            lag1_autocorrelation,
            detectable_effect: params.min_effect.max(s0),
            ln_e_slot1_lower,
            ln_e_slot0_lower,
            slot_bias: slot_bias(ln_e_slot1_lower.max(ln_e_slot0_lower), params),
            d,
        })
    }
}

/// Times a benchmark is run in a slot, its results summed, so that a run lasts at least `wanted_s`
/// seconds (by default [`RUN_SECONDS_MIN`]); from 1 to 10,000. `median_run_s` is the median time of
/// one run in seconds.
///
/// # Panics
/// If `median_run_s` is not finite and above 0, or `wanted_s` is not finite.
#[must_use]
pub fn repeats_needed(median_run_s: f64, wanted_s: f64) -> u32 {
    assert!(
        median_run_s.is_finite() && median_run_s > 0.0 && wanted_s.is_finite(),
        "median run time {median_run_s} s, wanted {wanted_s} s"
    );
    // In range by the clamp, so the conversion is exact.
    (wanted_s / median_run_s).ceil().clamp(1.0, REPEATS_MAX) as u32
}

/// Whether to suggest wall time minus run-queue delay as the metric and wall
/// time as its guard: when that halves the noise at least, and one busy thread
/// makes it meaningful.
#[must_use]
pub fn adjusted_metric_advised(
    wall: &Calibration,
    adjusted: &Calibration,
    one_busy_thread: bool,
) -> bool {
    one_busy_thread && adjusted.s0 < wall.s0 / 2.0
}

fn in_time_order(pair: &AaPair) -> [f64; 2] {
    if pair.slot0_first {
        [pair.slot0, pair.slot1]
    } else {
        [pair.slot1, pair.slot0]
    }
}

fn slot_differences(pairs: &[AaPair], exact: Option<ExactRule>) -> Result<Vec<f64>, DecisionError> {
    let difference = |pair: &AaPair| checked_log_gain(Direction::Lower, pair.slot0, pair.slot1);
    let d: Result<Vec<f64>, _> = pairs.iter().map(difference).collect();
    match (d, exact) {
        (Err(_), Some(_)) => Ok(vec![0.0; pairs.len()]),
        (d, _) => d,
    }
}

fn ln_e_max(d: impl Iterator<Item = f64>, params: &Params, s0: f64) -> f64 {
    let mut evidence = EProcess::new(params, s0);
    d.for_each(|x| {
        evidence.push(x);
    });
    evidence.ln_e_max()
}

fn slot_bias(ln_e: f64, params: &Params) -> SlotBias {
    if ln_e >= params.slot_refuse_e.ln() {
        SlotBias::Refuse
    } else if ln_e >= params.slot_warn_e.ln() {
        SlotBias::Warn
    } else {
        SlotBias::None
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn standard_deviation(x: &[f64]) -> f64 {
    let centre = mean(x);
    let squares: f64 = x.iter().map(|v| (v - centre).powi(2)).sum();
    (squares / (x.len() - 1) as f64).sqrt()
}

fn centred_mad_sd(d: &[f64]) -> f64 {
    let centre = median_in_place(&mut d.to_vec());
    let mut distances: Vec<f64> = d.iter().map(|x| (x - centre).abs()).collect();
    MAD_TO_SD * median_in_place(&mut distances)
}

/// Lag-1 autocorrelation of the logarithms of `runs`; 0 if there are none or
/// they do not vary.
fn lag1(runs: &[f64]) -> f64 {
    if runs.iter().any(|&x| x <= 0.0) {
        return 0.0;
    }
    let logs: Vec<f64> = runs.iter().map(|x| x.ln()).collect();
    let centre = mean(&logs);
    let total: f64 = logs.iter().map(|x| (x - centre).powi(2)).sum();
    let neighbours: f64 = logs
        .windows(2)
        .map(|w| (w[0] - centre) * (w[1] - centre))
        .sum();
    if total > 0.0 { neighbours / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs around 1.0 whose `ln slot0 - ln slot1` is `d`, orders alternating.
    fn pairs(d: &[f64]) -> Vec<AaPair> {
        let one = |(i, d): (usize, &f64)| AaPair {
            slot0: d.exp(),
            slot1: 1.0,
            slot0_first: i % 2 == 0,
        };
        d.iter().enumerate().map(one).collect()
    }

    fn calibrate(d: &[f64]) -> Calibration {
        Calibration::from_pairs(&pairs(d), &Params::default()).unwrap()
    }

    #[test]
    fn the_figures_are_those_of_the_pairs() {
        let c = calibrate(&[0.01, -0.02, 0.03, -0.04]);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(c.s0, 1.4826 * 0.025);
        near(c.detectable_effect, c.s0);
        near(c.pair_sd, (0.0029f64 / 3.0).sqrt());
        near(c.pair_mad_sd, 1.4826 * 0.025);
        assert_eq!((c.exact, c.slot_bias), (None, SlotBias::None));
        let text = serde_json::to_string(&c).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), c);
    }

    #[test]
    fn autocorrelation_is_that_of_the_runs_in_time_order() {
        let drift: Vec<AaPair> = (0..20)
            .map(|i| {
                let (early, late) = (
                    (0.1 * f64::from(i)).exp(),
                    (0.1 * f64::from(i) + 0.05).exp(),
                );
                let slot0_first = i % 3 == 0;
                let (slot0, slot1) = if slot0_first {
                    (early, late)
                } else {
                    (late, early)
                };
                AaPair {
                    slot0,
                    slot1,
                    slot0_first,
                }
            })
            .collect();
        let c = Calibration::from_pairs(&drift, &Params::default()).unwrap();
        assert!(c.lag1_autocorrelation > 0.9, "{}", c.lag1_autocorrelation);
    }

    #[test]
    fn a_slot_that_is_always_faster_is_refused_either_way() {
        for sign in [1.0, -1.0] {
            let d: Vec<f64> = (0..20)
                .map(|i| sign * (0.02 + 0.001 * f64::from(i % 5)))
                .collect();
            let c = calibrate(&d);
            assert_eq!(c.slot_bias, SlotBias::Refuse);
            assert_eq!(c.ln_e_slot1_lower > c.ln_e_slot0_lower, sign > 0.0);
        }
    }

    #[test]
    fn some_evidence_of_bias_only_warns() {
        let p = Params::default();
        let biases = [19.0f64, 21.0, 99.0, 101.0].map(|e| slot_bias(e.ln(), &p));
        let expected = [
            SlotBias::None,
            SlotBias::Warn,
            SlotBias::Warn,
            SlotBias::Refuse,
        ];
        assert_eq!(biases, expected);
    }

    #[test]
    fn exact_metrics_may_be_zero_and_noisy_ones_may_not() {
        let zero = AaPair {
            slot0: 0.0,
            slot1: 0.0,
            slot0_first: true,
        };
        let c = Calibration::from_pairs(&[zero; 20], &Params::default()).unwrap();
        assert_eq!(c.exact, Some(ExactRule::Identical { min_delta: 1.0 }));
        assert_eq!((c.d.len(), c.s0, c.lag1_autocorrelation), (20, 1e-4, 0.0));
        let mut noisy = pairs(&[0.01; 20]);
        noisy[7].slot1 = 0.0;
        assert!(Calibration::from_pairs(&noisy, &Params::default()).is_err());
        assert!(Calibration::from_pairs(&noisy[..3], &Params::default()).is_err());
    }

    #[test]
    fn short_runs_are_repeated_to_two_hundred_milliseconds() {
        for (median_s, repeats) in [
            (30.0, 1),
            (0.2, 1),
            (0.199, 2),
            (0.05, 4),
            (0.03, 7),
            (1e-9, 10_000),
        ] {
            assert_eq!(
                repeats_needed(median_s, RUN_SECONDS_MIN),
                repeats,
                "{median_s} s"
            );
        }
    }

    #[test]
    fn the_adjusted_metric_is_advised_when_it_halves_the_noise() {
        let wall = calibrate(&[0.08, -0.08, 0.08, -0.08]);
        let half = calibrate(&[0.041, -0.041, 0.041, -0.041]);
        let less = calibrate(&[0.03, -0.03, 0.03, -0.03]);
        assert!(adjusted_metric_advised(&wall, &less, true));
        assert!(!adjusted_metric_advised(&wall, &less, false));
        assert!(!adjusted_metric_advised(&wall, &half, true));
    }
}
