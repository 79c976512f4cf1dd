//! What to do when a run of a pair fails.

use serde::{Deserialize, Serialize};

/// Candidate failures after which it is dropped as crashing.
const CANDIDATE_FAILURES_MAX: u32 = 2;

/// Times a pair is measured again because the parent failed.
const PARENT_REDOS_MAX: u32 = 2;

/// What to do after an attempt at a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairOutcome {
    /// Both runs are good: use the pair.
    Accept,
    /// Throw the whole pair away and measure it again, with a new coin. Half a
    /// pair is never used and nothing is ever imputed.
    Redo,
    /// Drop the candidate: "crash".
    CandidateCrash,
    /// Pause the session: "environment". The parent, known to be good, fails
    /// here; that is no verdict on the candidate.
    EnvironmentPause,
}

/// The failure rules for the pairs of one candidate.
///
/// A run fails by its exit status, its deadline
/// ([`run_deadline_s`](super::run_deadline_s)), or a metric that is missing, not
/// finite or not above 0.
///
/// Keep one for all pairs of a candidate. The candidate's failures count over
/// all of them, so that one which fails every tenth run is not kept for its
/// speed; the parent's are forgotten after a good pair. When both fail in one
/// attempt the environment is to blame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairPolicy {
    candidate_failures: u32,
    parent_failures: u32,
}

impl PairPolicy {
    /// No failures yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the outcome of both runs of an attempt. A run that was not started
    /// because the other had failed counts as good.
    pub fn on_attempt(&mut self, parent_ok: bool, candidate_ok: bool) -> PairOutcome {
        match (parent_ok, candidate_ok) {
            (true, true) => {
                self.parent_failures = 0;
                PairOutcome::Accept
            }
            (true, false) => {
                self.candidate_failures += 1;
                if self.candidate_failures >= CANDIDATE_FAILURES_MAX {
                    PairOutcome::CandidateCrash
                } else {
                    PairOutcome::Redo
                }
            }
            (false, _) => {
                self.parent_failures += 1;
                if self.parent_failures > PARENT_REDOS_MAX {
                    PairOutcome::EnvironmentPause
                } else {
                    PairOutcome::Redo
                }
            }
        }
    }

    /// Failures of the candidate so far.
    #[must_use]
    pub fn candidate_failures(&self) -> u32 {
        self.candidate_failures
    }

    /// Failures of the parent since the last good pair.
    #[must_use]
    pub fn parent_failures(&self) -> u32 {
        self.parent_failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PairOutcome::{Accept, CandidateCrash, EnvironmentPause, Redo};

    /// `.` a good pair, `c` the candidate fails, `p` the parent, `b` both.
    fn outcomes(attempts: &str) -> Vec<PairOutcome> {
        let mut policy = PairPolicy::new();
        let ok = |c| (c != 'p' && c != 'b', c != 'c' && c != 'b');
        attempts
            .chars()
            .map(ok)
            .map(|(p, c)| policy.on_attempt(p, c))
            .collect()
    }

    #[test]
    fn failures_lead_where_the_rule_says() {
        for (attempts, expected) in [
            ("..", vec![Accept, Accept]),
            ("c.", vec![Redo, Accept]),
            ("cc", vec![Redo, CandidateCrash]),
            ("c...c", vec![Redo, Accept, Accept, Accept, CandidateCrash]),
            ("pp.", vec![Redo, Redo, Accept]),
            ("ppp", vec![Redo, Redo, EnvironmentPause]),
            ("pp.pp.", vec![Redo, Redo, Accept, Redo, Redo, Accept]),
            ("bbb", vec![Redo, Redo, EnvironmentPause]),
            ("cbc", vec![Redo, Redo, CandidateCrash]),
            ("bpc.", vec![Redo, Redo, Redo, Accept]),
        ] {
            assert_eq!(outcomes(attempts), expected, "{attempts}");
        }
    }
}
