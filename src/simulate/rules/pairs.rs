//! Rules on pairs that run back to back.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Rule, TINY, mean, median, student_tail, variance};
use crate::simulate::machine::Machine;
use crate::simulate::rank::signed_rank_tail;

/// Worktree of the candidate.
const SLOT: u8 = 1;

/// Log gains of `n` pairs, the parent always first.
fn alternating(machine: &mut Machine<'_>, parent: f64, candidate: f64, n: usize) -> Vec<f64> {
    (0..n)
        .map(|_| machine.pair(parent, candidate, SLOT, false).gain())
        .collect()
}

/// Ten pairs, exact signed-rank test, one-sided 5 %.
pub(super) struct Wilcoxon {
    tail: Vec<f64>,
    claimed: f64,
}

const WILCOXON: (usize, f64) = (10, 0.05);

impl Wilcoxon {
    pub(super) fn new() -> Self {
        Self {
            tail: signed_rank_tail(WILCOXON.0),
            claimed: 0.0,
        }
    }
}

/// Sum of the ranks of the positive values, ranked by magnitude; ties in order of appearance.
fn signed_rank(d: &[f64]) -> usize {
    let mut by_size: Vec<f64> = d.to_vec();
    by_size.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    (1..)
        .zip(&by_size)
        .filter(|(_, x)| **x > 0.0)
        .map(|(rank, _)| rank)
        .sum()
}

impl Rule for Wilcoxon {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let (pairs, level) = WILCOXON;
        let d = alternating(machine, parent, candidate, pairs);
        let keeps = self.tail[signed_rank(&d)] < level;
        if keeps {
            self.claimed += median(&d);
        }
        keeps
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.claimed
    }
}

/// tango (`lib.rs`: `z >= 2.6` and a change above the noise threshold of 1 %), 20 pairs.
#[derive(Default)]
pub(super) struct Tango {
    claimed: f64,
}

const TANGO_PAIRS: usize = 20;
const TANGO_Z: f64 = 2.6;
const TANGO_THRESHOLD: f64 = 0.01;

impl Rule for Tango {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let d = alternating(machine, parent, candidate, TANGO_PAIRS);
        let gain = mean(&d);
        let z = gain / ((variance(&d) / TANGO_PAIRS as f64).sqrt() + TINY);
        let keeps = z >= TANGO_Z && gain > TANGO_THRESHOLD;
        if keeps {
            self.claimed += gain;
        }
        keeps
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.claimed
    }
}

/// Group-sequential paired t with boundaries after Pocock; stops for futility when the upper 80 %
/// bound of the gain is below what is worth finding.
pub(super) struct GroupSequential {
    random: ChaCha8Rng,
    /// Gain worth finding, log units.
    wanted: f64,
    claimed: f64,
}

/// Pairs at which it looks.
const LOOKS: [usize; 6] = [4, 6, 9, 13, 19, 28];
/// One-sided level over all looks, and by what Pocock's boundary divides it.
const SEQUENTIAL_LEVEL: (f64, f64) = (0.005, 2.7);
/// Standard normal quantile of 0.8.
const FUTILITY_QUANTILE: f64 = 0.84;
/// The gain worth finding is this share of the noise of a pair, but at least 1 %.
const WANTED: (f64, f64) = (0.75, 0.01);
const CALIBRATION_PAIRS: usize = 20;

impl GroupSequential {
    pub(super) fn start(machine: &mut Machine<'_>, level: f64, random: ChaCha8Rng) -> Self {
        let mut rule = Self {
            random,
            wanted: 0.0,
            claimed: 0.0,
        };
        let noise: Vec<f64> = (0..CALIBRATION_PAIRS)
            .map(|_| rule.pair(machine, level, level))
            .collect();
        rule.wanted = WANTED.1.max(WANTED.0 * variance(&noise).sqrt());
        rule
    }

    fn pair(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> f64 {
        let candidate_first = self.random.next_u32() & 1 == 1;
        machine
            .pair(parent, candidate, SLOT, candidate_first)
            .gain()
    }
}

impl Rule for GroupSequential {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let level = SEQUENTIAL_LEVEL.0 / SEQUENTIAL_LEVEL.1;
        let mut d = Vec::new();
        for look in LOOKS {
            while d.len() < look {
                d.push(self.pair(machine, parent, candidate));
            }
            let gain = mean(&d);
            let error = (variance(&d) / look as f64).sqrt() + TINY;
            if student_tail(gain / error, (look - 1) as f64) < level {
                self.claimed += gain;
                return true;
            }
            if gain + FUTILITY_QUANTILE * error < self.wanted {
                return false;
            }
        }
        false
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_rank_is_the_sum_of_the_positive_ranks() {
        assert_eq!(signed_rank(&[0.1, -0.2, 0.3, 0.4]), 1 + 3 + 4);
        assert_eq!(signed_rank(&[-1.0, -2.0]), 0);
    }
}
