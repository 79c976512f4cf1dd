//! Noise of benchmark runs: synthetic models and recorded series.

use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, StandardNormal, StandardUniform, StudentT};

use super::trace::{self, Series};
use crate::error::{Error, Result};

/// How the log time of a run varies.
#[derive(Debug, Clone)]
pub enum NoiseModel {
    /// `iid<P>`: independent normal noise of `P` percent.
    Iid {
        /// Its size in percent, as written in the name.
        percent: f64,
    },
    /// `heavy`: Student t with 3 degrees of freedom, robust scale 2 %, and with probability
    /// 5 % a stall of 20 % in the mean.
    Heavy,
    /// `ar1`: 1.5 % white noise on a slow drift of 5 %, autocorrelation 0.99 from run to run.
    Ar1,
    /// `regime`: 2 % white noise; a neighbour that costs 12 % comes and goes, 60 runs in the mean.
    Regime,
    /// `first-of-pair`: 1.5 % white noise; every other run, the first of each pair, 1.5 % slower.
    FirstOfPair,
    /// `slot<P>`: 2 % white noise; the second worktree is `P` percent faster whatever is in it.
    Slot {
        /// The bias in percent, as written in the name.
        percent: f64,
    },
    /// A recorded series, replayed in a circle from a random run on.
    Replay(Arc<Series>),
}

/// White noise of every model that does not say otherwise, log units.
const WHITE: f64 = 0.02;
/// 1.4826 times the median magnitude of a Student t with 3 degrees of freedom: divided by it, the
/// core of `heavy` has the robust scale [`WHITE`].
const STUDENT_WIDTH: f64 = 1.13;
/// Share and mean of the stalls of `heavy`.
const STALLS: (f64, f64) = (0.05, 0.20);
/// White noise of `ar1` and `first-of-pair`, log units.
const WHITE_SMALL: f64 = 0.015;
/// Autocorrelation and standard deviation of the drift of `ar1`.
const DRIFT: (f64, f64) = (0.99, 0.05);
/// Mean length in runs and cost of the regimes of `regime`.
const NEIGHBOUR: (f64, f64) = (60.0, 0.12);
/// By how much the first run of a pair is slower in `first-of-pair`.
const FIRST_PENALTY: f64 = 0.015;
/// Most noise or bias that a name may ask for, percent.
const PERCENT_MAX: f64 = 100.0;

impl NoiseModel {
    /// By how much the second worktree is faster, log units.
    pub(super) fn slot_bias(&self) -> f64 {
        match self {
            Self::Slot { percent } => percent / 100.0,
            Self::Iid { .. }
            | Self::Heavy
            | Self::Ar1
            | Self::Regime
            | Self::FirstOfPair
            | Self::Replay(_) => 0.0,
        }
    }
}

impl fmt::Display for NoiseModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid { percent } => write!(f, "iid{percent}"),
            Self::Heavy => f.write_str("heavy"),
            Self::Ar1 => f.write_str("ar1"),
            Self::Regime => f.write_str("regime"),
            Self::FirstOfPair => f.write_str("first-of-pair"),
            Self::Slot { percent } => write!(f, "slot{percent}"),
            Self::Replay(series) => f.write_str(series.name()),
        }
    }
}

/// The noise models that can be asked for.
#[derive(Debug, Clone)]
pub struct NoiseCatalog {
    series: Vec<Arc<Series>>,
}

/// The synthetic models of the default table.
const SYNTHETIC: [&str; 8] = [
    "iid1",
    "iid2",
    "iid5",
    "heavy",
    "ar1",
    "regime",
    "first-of-pair",
    "slot1",
];

impl NoiseCatalog {
    /// The synthetic models and the bundled series.
    pub fn bundled() -> Self {
        Self {
            series: trace::bundled().into_iter().map(Arc::new).collect(),
        }
    }

    /// The synthetic models and these series instead of the bundled ones.
    pub fn of(series: Vec<Series>) -> Self {
        Self {
            series: series.into_iter().map(Arc::new).collect(),
        }
    }

    /// The series, as models.
    pub fn recorded(&self) -> Vec<NoiseModel> {
        self.series
            .iter()
            .cloned()
            .map(NoiseModel::Replay)
            .collect()
    }

    /// The synthetic models of the default table, then the series.
    pub fn all(&self) -> Vec<NoiseModel> {
        let synthetic = SYNTHETIC.iter().filter_map(|name| synthetic(name));
        synthetic.chain(self.recorded()).collect()
    }

    /// The model of that name.
    ///
    /// # Errors
    /// There is none; the hint lists those there are.
    pub fn find(&self, name: &str) -> Result<NoiseModel> {
        let recorded = self.series.iter().find(|series| series.name() == name);
        recorded
            .map(|series| NoiseModel::Replay(Arc::clone(series)))
            .or_else(|| synthetic(name))
            .ok_or_else(|| {
                let recorded = self.series.iter().map(|series| series.name());
                let known: Vec<&str> = SYNTHETIC.into_iter().chain(recorded).collect();
                Error::usage(format!("no noise is called `{name}`")).hint(format!(
                    "known: {}; any number up to 100 may follow iid and slot",
                    known.join(", ")
                ))
            })
    }
}

fn synthetic(name: &str) -> Option<NoiseModel> {
    let percent = |digits: &str| {
        let value: f64 = digits.parse().ok()?;
        (value > 0.0 && value <= PERCENT_MAX).then_some(value)
    };
    match name {
        "heavy" => Some(NoiseModel::Heavy),
        "ar1" => Some(NoiseModel::Ar1),
        "regime" => Some(NoiseModel::Regime),
        "first-of-pair" => Some(NoiseModel::FirstOfPair),
        _ => {
            let iid = name.strip_prefix("iid").and_then(percent);
            let slot = || name.strip_prefix("slot").and_then(percent);
            iid.map(|percent| NoiseModel::Iid { percent })
                .or_else(|| slot().map(|percent| NoiseModel::Slot { percent }))
        }
    }
}

/// A model at work.
#[derive(Debug)]
pub(super) struct Generator {
    model: NoiseModel,
    random: ChaCha8Rng,
    /// Drift of `ar1`, or 1 while the neighbour of `regime` is there.
    state: f64,
    /// Where a replay starts.
    offset: usize,
}

impl Generator {
    pub(super) fn new(model: &NoiseModel, mut random: ChaCha8Rng) -> Self {
        let state = match model {
            NoiseModel::Ar1 => DRIFT.1 * normal(&mut random),
            _ => 0.0,
        };
        let offset = match model {
            NoiseModel::Replay(series) => series.offset(uniform(&mut random)),
            _ => 0,
        };
        Self {
            model: model.clone(),
            random,
            state,
            offset,
        }
    }

    /// Noise of run `t`; call with 0, 1, 2, ...
    pub(super) fn next(&mut self, t: usize) -> f64 {
        let random = &mut self.random;
        match &self.model {
            NoiseModel::Iid { percent } => percent / 100.0 * normal(random),
            NoiseModel::Slot { .. } => WHITE * normal(random),
            NoiseModel::Heavy => {
                let core = WHITE / STUDENT_WIDTH * student3(random);
                let (share, mean) = STALLS;
                let stall = if uniform(random) < share {
                    mean * exponential(random)
                } else {
                    0.0
                };
                core + stall
            }
            NoiseModel::Ar1 => {
                let (rho, sd) = DRIFT;
                let now = self.state;
                self.state = rho * now + sd * (1.0 - rho * rho).sqrt() * normal(random);
                WHITE_SMALL * normal(random) + now
            }
            NoiseModel::Regime => {
                let (dwell, cost) = NEIGHBOUR;
                if uniform(random) < 1.0 / dwell {
                    self.state = 1.0 - self.state;
                }
                WHITE * normal(random) + cost * self.state
            }
            NoiseModel::FirstOfPair => {
                let penalty = if t.is_multiple_of(2) {
                    FIRST_PENALTY
                } else {
                    0.0
                };
                WHITE_SMALL * normal(random) + penalty
            }
            NoiseModel::Replay(series) => series.at(self.offset + t),
        }
    }
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    StandardUniform.sample(random)
}

fn student3(random: &mut ChaCha8Rng) -> f64 {
    StudentT::new(3.0).expect("3 is above 0").sample(random)
}

fn exponential(random: &mut ChaCha8Rng) -> f64 {
    Exp::new(1.0).expect("1 is above 0").sample(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Timeline;

    fn values(name: &str, n: usize) -> Vec<f64> {
        let model = NoiseCatalog::bundled().find(name).unwrap();
        let mut timeline = Timeline::new(&model, 5, 0);
        (0..n).map(|t| timeline.at(t)).collect()
    }

    fn mean(x: &[f64]) -> f64 {
        x.iter().sum::<f64>() / x.len() as f64
    }

    fn sd(x: &[f64]) -> f64 {
        let centre = mean(x);
        mean(&x.iter().map(|v| (v - centre).powi(2)).collect::<Vec<_>>()).sqrt()
    }

    fn lag1(x: &[f64]) -> f64 {
        let centre = mean(x);
        let products: Vec<f64> = x
            .windows(2)
            .map(|w| (w[0] - centre) * (w[1] - centre))
            .collect();
        mean(&products) / sd(x).powi(2)
    }

    #[test]
    fn the_models_have_the_noise_they_are_named_for() {
        let n = 60_000;
        for (name, expected) in [("iid1", 0.01), ("iid2", 0.02), ("iid5", 0.05)] {
            let x = values(name, n);
            assert!(
                (sd(&x) / expected - 1.0).abs() < 0.02 && lag1(&x).abs() < 0.02,
                "{name}"
            );
        }
        let heavy = values("heavy", n);
        let stalled = heavy.iter().filter(|&&x| x > 0.15).count() as f64 / n as f64;
        // exp(-0.15 / 0.20) of the stalls, and next to none of the core.
        assert!(
            (stalled - 0.05 * (-0.75f64).exp()).abs() < 0.005,
            "{stalled}"
        );
        let drift = values("ar1", n);
        assert!(
            (sd(&drift) / (0.05f64).hypot(0.015) - 1.0).abs() < 0.15,
            "{}",
            sd(&drift)
        );
        assert!(lag1(&drift) > 0.85);
        let regime = values("regime", n);
        assert!(
            (sd(&regime) / (0.06f64).hypot(0.02) - 1.0).abs() < 0.05,
            "{}",
            sd(&regime)
        );
        let parity = values("first-of-pair", n);
        let first: Vec<f64> = parity.iter().copied().step_by(2).collect();
        assert!((mean(&first) - 2.0 * mean(&parity) + 0.0).abs() < 0.001);
        assert!((mean(&first) - 0.015).abs() < 0.001);
    }

    #[test]
    fn a_replay_is_the_series_in_a_circle() {
        let n = 1036;
        let x = values("mixed_wall", 2 * n);
        assert_eq!(x[..n], x[n..]);
        let mut sorted = x[..n].to_vec();
        sorted.sort_by(f64::total_cmp);
        assert!(
            (sorted[n / 2 - 1] + sorted[n / 2]).abs() < 1e-12,
            "centred on its median"
        );
    }

    #[test]
    fn every_listed_name_is_found_and_others_are_refused_with_the_list() {
        let catalog = NoiseCatalog::bundled();
        for model in catalog.all() {
            assert_eq!(
                catalog.find(&model.to_string()).unwrap().to_string(),
                model.to_string()
            );
        }
        assert_eq!(catalog.find("iid0.5").unwrap().to_string(), "iid0.5");
        for name in [
            "", "iid", "iid0", "iid-1", "iid101", "iidnan", "slot", "Heavy",
        ] {
            let text = catalog.find(name).unwrap_err().render();
            assert!(
                text.contains("first-of-pair") && text.contains("mixed_wall"),
                "{text}"
            );
        }
    }
}
