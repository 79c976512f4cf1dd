//! Rules that run a block of the parent and then a block of the candidate.

use super::{Rule, TINY, mean, median, student_tail, variance};
use crate::simulate::machine::Machine;
use crate::simulate::rank::mann_whitney_tail;

/// Five fresh runs each, Welch's t on log times, one-sided 5 %.
#[derive(Default)]
pub(super) struct Welch {
    claimed: f64,
}

/// Runs of a block, and the level.
const WELCH: (usize, f64) = (5, 0.05);

impl Rule for Welch {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let (runs, level) = WELCH;
        let parent = machine.block(parent, runs);
        let candidate = machine.block(candidate, runs);
        let keeps = welch_p(&parent, &candidate) < level;
        if keeps {
            self.claimed += mean(&parent) - mean(&candidate);
        }
        keeps
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.claimed
    }
}

/// p-value of "`b` is not below `a`" (Welch 1947, with Satterthwaite's degrees of freedom).
fn welch_p(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (va, vb) = (variance(a) / n, variance(b) / m);
    let t = (mean(a) - mean(b)) / (va + vb + TINY).sqrt();
    let freedom = (va + vb).powi(2) / (va.powi(2) / (n - 1.0) + vb.powi(2) / (m - 1.0) + TINY);
    student_tail(t, freedom.max(1.0))
}

/// benchstat as its documentation begins: 10 runs of the old code, 10 of the new, Mann-Whitney,
/// two-sided 5 %. (The documentation goes on to advise interleaving.)
pub(super) struct Benchstat {
    /// Fewest wins of 100 comparisons that are significant.
    wins_needed: usize,
    claimed: f64,
}

const BENCHSTAT_RUNS: usize = 10;
/// One side of 5 %.
const BENCHSTAT_LEVEL: f64 = 0.025;

impl Benchstat {
    pub(super) fn new() -> Self {
        let tail = mann_whitney_tail(BENCHSTAT_RUNS, BENCHSTAT_RUNS);
        Self {
            wins_needed: tail.partition_point(|&p| p >= BENCHSTAT_LEVEL),
            claimed: 0.0,
        }
    }
}

impl Rule for Benchstat {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let parent = machine.block(parent, BENCHSTAT_RUNS);
        let candidate = machine.block(candidate, BENCHSTAT_RUNS);
        let faster = |p: &f64| candidate.iter().filter(|&c| c < p).count();
        let wins: usize = parent.iter().map(faster).sum();
        let keeps = wins >= self.wins_needed;
        if keeps {
            self.claimed += median(&parent) - median(&candidate);
        }
        keeps
    }

    fn claim(&mut self, _machine: &mut Machine<'_>, _start: f64, _head: f64) -> f64 {
        self.claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's sleep data, R: t.test(extra ~ group): t = -1.8608, df = 17.776, p = 0.07939.
    #[test]
    fn welch_agrees_with_a_published_example() {
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        assert!((welch_p(&two, &one) - 0.07939 / 2.0).abs() < 1e-5);
    }

    /// The usual table: with 10 and 10 runs U <= 23 is significant at 5 %, two-sided.
    #[test]
    fn benchstat_needs_as_many_wins_as_the_printed_table_says() {
        assert_eq!(Benchstat::new().wins_needed, 100 - 23);
    }
}
