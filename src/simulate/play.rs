//! One rule on one stream of candidates.

use super::machine::{Machine, Timeline};
use super::rules::{RuleName, Settings};
use super::seed::generator;

/// Candidates of a stream that are counted.
pub const CANDIDATES: usize = 200;

/// Runs of machine time that pass while the next candidate is made.
pub const PROPOSAL_RUNS: usize = 30;

/// What a session may cost in all, in benchmark runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Cost of proposing and building one candidate.
    pub candidate: usize,
    /// Of everything.
    pub total: usize,
}

/// The budgets under which speeds are compared: cheap candidates, as of a knob search, and dear ones,
/// as of an agent.
pub const BUDGETS: [Budget; 2] = [
    Budget {
        candidate: 20,
        total: 6_000,
    },
    Budget {
        candidate: 100,
        total: 22_000,
    },
];

/// Candidates that use up every budget even when judging costs nothing.
pub(super) const CANDIDATES_MAX: usize = 300;

/// What a rule made of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// For each of the counted candidates its true effect (log gain), and whether it was kept.
    pub verdicts: Vec<(f64, bool)>,
    /// Log gain claimed for all kept ones together.
    pub claimed: f64,
    /// Their true gain.
    pub truth: f64,
    /// Benchmark runs, those of calibration and claim included.
    pub runs: usize,
    /// True log gain when each of [`BUDGETS`] was used up.
    pub reached: [f64; BUDGETS.len()],
}

/// Plays `rule` on a stream: `effects` are the candidates' true log gains, at least [`CANDIDATES`].
/// The seed and the stream's number decide the rule's coins.
pub fn play(
    rule: RuleName,
    settings: &Settings,
    timeline: &mut Timeline,
    effects: &[f64],
    seed: u64,
    stream: u64,
) -> Played {
    let mut machine = Machine::new(timeline);
    let mut level = 0.0;
    let mut rule = rule.start(
        settings,
        &mut machine,
        level,
        generator(seed, stream, "coins"),
    );
    let mut played = Played {
        verdicts: Vec::with_capacity(CANDIDATES),
        claimed: 0.0,
        truth: 0.0,
        runs: 0,
        reached: [0.0; BUDGETS.len()],
    };
    let mut open = [true; BUDGETS.len()];
    for (done, &effect) in (1..).zip(effects) {
        let keeps = rule.judge(&mut machine, level, level - effect);
        if keeps {
            level -= effect;
        }
        machine.idle(PROPOSAL_RUNS);
        if done <= CANDIDATES {
            played.verdicts.push((effect, keeps));
        }
        if done == CANDIDATES {
            played.truth = -level;
            (played.claimed, played.runs) = machine.aside(|machine| {
                let claimed = rule.claim(machine, 0.0, level);
                (claimed, machine.runs())
            });
        }
        for ((budget, open), reached) in BUDGETS.iter().zip(&mut open).zip(&mut played.reached) {
            if *open {
                *reached = -level;
                *open = machine.runs() + budget.candidate * done < budget.total;
            }
        }
        if done >= CANDIDATES && open == [false; BUDGETS.len()] {
            break;
        }
    }
    played
}
