//! The simulated machine: one timeline of noise that every run moves along.

use super::noise::{Generator, NoiseModel};
use super::seed::generator;

/// The noise of one stream, made as far as it is needed. Rules that are played on it in turn meet
/// the same values.
#[derive(Debug)]
pub struct Timeline {
    values: Vec<f64>,
    source: Generator,
    slot_bias: f64,
}

impl Timeline {
    /// The noise of `model` in stream number `stream`.
    pub fn new(model: &NoiseModel, seed: u64, stream: u64) -> Self {
        Self {
            values: Vec::new(),
            source: Generator::new(model, generator(seed, stream, &format!("noise {model}"))),
            slot_bias: model.slot_bias(),
        }
    }

    /// Noise of run number `t`, log units.
    pub fn at(&mut self, t: usize) -> f64 {
        while self.values.len() <= t {
            self.values.push(self.source.next(self.values.len()));
        }
        self.values[t]
    }
}

/// Two runs of a pair, logarithms of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairOfRuns {
    /// The parent's.
    pub parent: f64,
    /// The candidate's.
    pub candidate: f64,
}

impl PairOfRuns {
    /// Log gain of the candidate.
    pub fn gain(self) -> f64 {
        self.parent - self.candidate
    }
}

/// A machine at some point of a timeline.
#[derive(Debug)]
pub struct Machine<'a> {
    timeline: &'a mut Timeline,
    now: usize,
    runs: usize,
}

impl<'a> Machine<'a> {
    /// A machine at the start of the timeline.
    pub fn new(timeline: &'a mut Timeline) -> Self {
        Self {
            timeline,
            now: 0,
            runs: 0,
        }
    }

    /// Benchmark runs so far.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// One run of code at `level` (log time) in worktree `slot`, 0 or 1: the log time it takes.
    pub fn run(&mut self, level: f64, slot: u8) -> f64 {
        let noise = self.timeline.at(self.now);
        self.now += 1;
        self.runs += 1;
        level + noise - self.timeline.slot_bias * f64::from(slot)
    }

    /// `n` runs in a row, all in one worktree.
    pub fn block(&mut self, level: f64, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.run(level, 0)).collect()
    }

    /// Two runs back to back; the candidate is in `slot`, the parent in the other.
    pub fn pair(
        &mut self,
        parent: f64,
        candidate: f64,
        slot: u8,
        candidate_first: bool,
    ) -> PairOfRuns {
        if candidate_first {
            let candidate = self.run(candidate, slot);
            let parent = self.run(parent, 1 - slot);
            PairOfRuns { parent, candidate }
        } else {
            let parent = self.run(parent, 1 - slot);
            let candidate = self.run(candidate, slot);
            PairOfRuns { parent, candidate }
        }
    }

    /// Time passes without a benchmark, counted in runs.
    pub fn idle(&mut self, runs: usize) {
        self.now += runs;
    }

    /// Does something and takes the runs and the time back: for what a rule does once, beside the
    /// candidates.
    pub fn aside<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let (now, runs) = (self.now, self.runs);
        let result = what(self);
        (self.now, self.runs) = (now, runs);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::NoiseCatalog;

    fn timeline(noise: &str) -> Timeline {
        let model = NoiseCatalog::bundled().find(noise).unwrap();
        Timeline::new(&model, 1, 0)
    }

    #[test]
    fn two_machines_on_one_timeline_meet_the_same_noise_whatever_they_read_first() {
        let mut shared = timeline("ar1");
        let late = shared.at(500);
        let early = Machine::new(&mut shared).block(0.0, 501);
        assert_eq!(early[500], late);
        assert_eq!(early, Machine::new(&mut timeline("ar1")).block(0.0, 501));
    }

    #[test]
    fn the_order_of_a_pair_decides_which_run_meets_which_noise() {
        let mut shared = timeline("iid2");
        let noise = Machine::new(&mut shared).block(0.0, 2);
        let forward = Machine::new(&mut shared).pair(1.0, 2.0, 1, false);
        let backward = Machine::new(&mut shared).pair(1.0, 2.0, 1, true);
        assert_eq!(
            (forward.parent, forward.candidate),
            (1.0 + noise[0], 2.0 + noise[1])
        );
        assert_eq!(
            (backward.parent, backward.candidate),
            (1.0 + noise[1], 2.0 + noise[0])
        );
    }

    #[test]
    fn a_biased_slot_is_faster_whoever_runs_in_it() {
        let mut shared = timeline("slot1");
        let noise = Machine::new(&mut shared).block(0.0, 2);
        let pair = Machine::new(&mut shared).pair(0.0, 0.0, 0, false);
        assert!((pair.parent - (noise[0] - 0.01)).abs() < 1e-12);
        assert_eq!(pair.candidate, noise[1]);
    }

    #[test]
    fn what_is_done_aside_costs_nothing() {
        let mut shared = timeline("iid1");
        let mut machine = Machine::new(&mut shared);
        let aside = machine.aside(|machine| machine.run(0.0, 0));
        machine.idle(0);
        assert_eq!((machine.runs(), machine.run(0.0, 0)), (0, aside));
    }
}
