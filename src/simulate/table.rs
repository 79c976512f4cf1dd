//! From what the rules did to the figures that are printed.

use serde::Serialize;

use super::play::{BUDGETS, CANDIDATES, Played};
use super::rules::RuleName;

/// Effects for which the power is counted, percent.
pub const PROBES_PERCENT: [u32; 5] = [1, 2, 3, 5, 10];

/// A figure with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Jackknife standard error over the streams. 0 says that all streams agree, such as when
    /// nothing was kept in any, and not that the figure is exact.
    pub standard_error: f64,
}

/// One rule on one noise model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The noise model.
    pub noise: String,
    /// The rule.
    pub rule: String,
    /// Exact no-ops among the counted candidates of all streams.
    pub no_ops: u64,
    /// Those kept, per 200; `None` without any no-op.
    pub false_keeps_per_200: Option<Figure>,
    /// Kept candidates of those that make things worse, percent.
    pub harmful_kept_percent: Option<Figure>,
    /// Kept candidates of those whose true gain is exactly 1, 2, 3, 5, 10 %, percent.
    pub power_percent: [Option<Figure>; PROBES_PERCENT.len()],
    /// Benchmark runs a candidate, calibration and claim included.
    pub runs_per_candidate: Figure,
    /// Log gain claimed for a stream, percent, mean over the streams.
    pub claimed_percent: Figure,
    /// True log gain.
    pub true_percent: Figure,
    /// Standard deviation over the streams of claimed minus true, percent points.
    pub claim_error_sd_percent: f64,
    /// Claimed over true, both summed over the streams; `None` where less than 2 % is true.
    pub claimed_over_true: Option<Figure>,
    /// True speed-up factor reached within each of [`BUDGETS`], geometric mean.
    pub speed_up: [Figure; BUDGETS.len()],
}

/// Below this mean true gain a ratio to it says nothing, log units.
const TRUTH_MIN: f64 = 0.02;

/// Sums over streams; the figures are functions of them.
#[derive(Debug, Clone, Copy)]
struct Sums([f64; SUMS]);

// Places in `Sums`; a share has its candidates and then those kept.
const STREAMS: usize = 0;
const RUNS: usize = 1;
const CLAIMED: usize = 2;
const TRUTH: usize = 3;
const REACHED: usize = 4;
const NO_OPS: usize = REACHED + BUDGETS.len();
const HARMFUL: usize = NO_OPS + 2;
const PROBES: usize = HARMFUL + 2;
const SUMS: usize = PROBES + 2 * PROBES_PERCENT.len();

impl Sums {
    fn of(played: &Played) -> Self {
        let mut sums = [0.0; SUMS];
        sums[STREAMS] = 1.0;
        sums[RUNS] = played.runs as f64;
        sums[CLAIMED] = played.claimed;
        sums[TRUTH] = played.truth;
        sums[REACHED..NO_OPS].copy_from_slice(&played.reached);
        for &(effect, kept) in &played.verdicts {
            let mut count = |share: usize| {
                sums[share] += 1.0;
                sums[share + 1] += f64::from(u8::from(kept));
            };
            if effect == 0.0 {
                count(NO_OPS);
            } else if effect < 0.0 {
                count(HARMFUL);
            }
            let probe = |percent: &u32| f64::from(*percent) / 100.0 == effect;
            if let Some(index) = PROBES_PERCENT.iter().position(probe) {
                count(PROBES + 2 * index);
            }
        }
        Self(sums)
    }

    fn combine(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    fn per_stream(&self, what: usize) -> f64 {
        self.0[what] / self.0[STREAMS]
    }

    /// Kept ones of a share's candidates; `None` when there were none.
    fn share(&self, which: usize) -> Option<f64> {
        (self.0[which] > 0.0).then(|| self.0[which + 1] / self.0[which])
    }
}

/// The streams of one rule on one noise model.
struct Sample {
    each: Vec<Sums>,
    total: Sums,
}

impl Sample {
    /// A function of the sums, with its jackknife standard error: how it changes when each stream is
    /// left out.
    fn figure(&self, f: impl Fn(&Sums) -> Option<f64>) -> Option<Figure> {
        let value = f(&self.total)?;
        let without: Vec<f64> = self
            .each
            .iter()
            .filter_map(|one| f(&self.total.combine(one, |all, one| all - one)))
            .collect();
        let n = without.len() as f64;
        let mean = without.iter().sum::<f64>() / n;
        let squares: f64 = without.iter().map(|x| (x - mean).powi(2)).sum();
        Some(Figure {
            value,
            standard_error: if without.is_empty() {
                0.0
            } else {
                ((n - 1.0) / n * squares).sqrt()
            },
        })
    }

    fn mean(&self, f: impl Fn(&Sums) -> f64) -> Figure {
        self.figure(|sums| Some(f(sums)))
            .expect("a mean over streams is always defined")
    }
}

impl Row {
    /// The figures of one rule on one noise model.
    ///
    /// # Panics
    /// With fewer than two streams: then nothing is known of the error.
    pub(super) fn of(noise: &str, rule: RuleName, streams: &[&Played]) -> Self {
        assert!(streams.len() >= 2, "figures of {} streams", streams.len());
        let each: Vec<Sums> = streams.iter().map(|played| Sums::of(played)).collect();
        let zero = Sums([0.0; SUMS]);
        let total = each
            .iter()
            .fold(zero, |all, one| all.combine(one, |a, b| a + b));
        let sample = Sample { each, total };
        let share =
            |which: usize, scale: f64| sample.figure(|sums| Some(scale * sums.share(which)?));
        let candidates = CANDIDATES as f64;
        let errors: Vec<f64> = streams
            .iter()
            .map(|played| played.claimed - played.truth)
            .collect();
        Self {
            noise: noise.to_owned(),
            rule: rule.to_string(),
            no_ops: total.0[NO_OPS] as u64,
            false_keeps_per_200: share(NO_OPS, 200.0),
            harmful_kept_percent: share(HARMFUL, 100.0),
            power_percent: std::array::from_fn(|i| share(PROBES + 2 * i, 100.0)),
            runs_per_candidate: sample.mean(|sums| sums.per_stream(RUNS) / candidates),
            claimed_percent: sample.mean(|sums| 100.0 * sums.per_stream(CLAIMED)),
            true_percent: sample.mean(|sums| 100.0 * sums.per_stream(TRUTH)),
            claim_error_sd_percent: 100.0 * standard_deviation(&errors),
            claimed_over_true: sample
                .figure(|sums| Some(sums.0[CLAIMED] / sums.0[TRUTH]))
                .filter(|_| total.per_stream(TRUTH).abs() > TRUTH_MIN),
            speed_up: std::array::from_fn(|i| {
                sample.mean(|sums| sums.per_stream(REACHED + i).exp())
            }),
        }
    }
}

fn standard_deviation(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(no_ops_kept: usize, claimed: f64) -> Played {
        let mut verdicts: Vec<(f64, bool)> = (0..100).map(|i| (0.0, i < no_ops_kept)).collect();
        verdicts.extend([
            (-0.02, false),
            (-0.01, true),
            (0.03, true),
            (0.03, false),
            (0.015, true),
        ]);
        Played {
            verdicts,
            claimed,
            truth: 0.1,
            runs: 400,
            reached: [0.1, 0.3],
        }
    }

    #[test]
    fn figures_are_those_of_the_verdicts() {
        let (a, b) = (played(1, 0.2), played(3, 0.1));
        let row = Row::of("iid2", RuleName::Single, &[&a, &b]);
        let value = |figure: Option<Figure>| figure.unwrap().value;
        assert_eq!(row.no_ops, 200);
        assert!((value(row.false_keeps_per_200) - 4.0).abs() < 1e-12);
        assert!((value(row.harmful_kept_percent) - 50.0).abs() < 1e-12);
        assert!((value(row.power_percent[2]) - 50.0).abs() < 1e-12);
        assert_eq!(row.power_percent[0], None);
        assert!((row.runs_per_candidate.value - 2.0).abs() < 1e-12);
        assert!((value(row.claimed_over_true) - 1.5).abs() < 1e-12);
        assert!((row.claim_error_sd_percent - 5.0).abs() < 1e-9);
        assert!((row.speed_up[1].value - 0.3f64.exp()).abs() < 1e-12);
    }

    /// For a mean the jackknife gives the usual standard error, s / sqrt(n).
    #[test]
    fn the_standard_error_of_a_mean_is_the_usual_one() {
        let streams: Vec<Played> = [0, 2, 3, 7].map(|kept| played(kept, 0.1)).to_vec();
        let row = Row::of(
            "iid2",
            RuleName::Single,
            &streams.iter().collect::<Vec<_>>(),
        );
        // Kept of 200: 0, 4, 6, 14; mean 6, variance 34.67.
        let expected = (104.0f64 / 3.0 / 4.0).sqrt();
        let got = row.false_keeps_per_200.unwrap().standard_error;
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    }
}
