//! Rules that compare new runs with a stored value: the best so far.

use super::{Rule, mean, median};
use crate::simulate::machine::Machine;

/// Keeps what is better than the best value so far by more than a margin.
pub(super) struct BestSoFar {
    /// Runs whose median is one value.
    runs: usize,
    /// Whether a second value must be better too; then the worse of the two becomes the best.
    confirms: bool,
    /// Seconds by which to be better.
    margin: f64,
    first: f64,
    best: f64,
}

impl BestSoFar {
    /// One run, no margin: karpathy/autoresearch (`program.md`, steps 8 and 9), pi-autoresearch
    /// ("improved: keep") and labloop without flags.
    pub(super) fn single(machine: &mut Machine<'_>, level: f64) -> Self {
        Self::start(machine, level, 1, false, 0.0)
    }

    /// pi-autoresearch's advice for benchmarks below 5 s.
    pub(super) fn median5(machine: &mut Machine<'_>, level: f64) -> Self {
        Self::start(machine, level, 5, false, 0.0)
    }

    /// labloop 1.0.3: `labloop noise` runs the baseline 5 times and advises `--min-delta` with their
    /// range, and `--confirm`.
    pub(super) fn labloop(machine: &mut Machine<'_>, level: f64) -> Self {
        let seconds: Vec<f64> = machine.block(level, 5).iter().map(|y| y.exp()).collect();
        let top = seconds.iter().copied().fold(f64::MIN, f64::max);
        let bottom = seconds.iter().copied().fold(f64::MAX, f64::min);
        Self::start(machine, level, 1, true, top - bottom)
    }

    fn start(
        machine: &mut Machine<'_>,
        level: f64,
        runs: usize,
        confirms: bool,
        margin: f64,
    ) -> Self {
        let first = median(&machine.block(level, runs));
        Self {
            runs,
            confirms,
            margin,
            first,
            best: first,
        }
    }

    /// One value, if it is better.
    fn better(&self, machine: &mut Machine<'_>, level: f64) -> Option<f64> {
        let value = median(&machine.block(level, self.runs));
        (value.exp() < self.best.exp() - self.margin).then_some(value)
    }
}

impl Rule for BestSoFar {
    fn judge(&mut self, machine: &mut Machine<'_>, _parent: f64, candidate: f64) -> bool {
        let Some(mut value) = self.better(machine, candidate) else {
            return false;
        };
        if self.confirms {
            let Some(again) = self.better(machine, candidate) else {
                return false;
            };
            value = value.max(again);
        }
        self.best = value;
        true
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.first - self.best
    }
}

/// `rigor.py` of autoresearch-mlx (pull request 30): drops a candidate whose first run is not below
/// the best mean; else keeps it when of all bootstrap samples of its 3 runs and the best's 3 runs at
/// least 95 % have the candidate's mean below the best's. Enumerated, 27 by 27, not drawn.
pub(super) struct Rigor {
    /// Seconds of the best candidate's runs.
    best: [f64; 3],
    first_mean: f64,
}

const BOOTSTRAP_LEVEL: f64 = 0.95;

impl Rigor {
    pub(super) fn start(machine: &mut Machine<'_>, level: f64) -> Self {
        let best = [0; 3].map(|_| machine.run(level, 0).exp());
        Self {
            best,
            first_mean: mean(&best),
        }
    }
}

/// The means of all samples of three with replacement, ascending.
fn bootstrap_means(x: [f64; 3]) -> Vec<f64> {
    let mut means: Vec<f64> = (0..27)
        .map(|i| (x[i / 9] + x[i / 3 % 3] + x[i % 3]) / 3.0)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    means
}

impl Rule for Rigor {
    fn judge(&mut self, machine: &mut Machine<'_>, _parent: f64, candidate: f64) -> bool {
        let first = machine.run(candidate, 0).exp();
        if first >= mean(&self.best) {
            return false;
        }
        let runs = [
            first,
            machine.run(candidate, 0).exp(),
            machine.run(candidate, 0).exp(),
        ];
        let best = bootstrap_means(self.best);
        let above = |x: &f64| best.len() - best.partition_point(|b| b <= x);
        let wins: usize = bootstrap_means(runs).iter().map(above).sum();
        if (wins as f64) < BOOTSTRAP_LEVEL * 729.0 {
            return false;
        }
        if mean(&runs) < mean(&self.best) {
            self.best = runs;
        }
        true
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        (self.first_mean / mean(&self.best)).ln()
    }
}
