//! What can become of a candidate: a closed list of statuses and of reasons.

use serde::{Deserialize, Serialize};

/// What became of a candidate, in pi-autoresearch's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Better, confirmed on fresh pairs, and through the gate: committed.
    Keep,
    /// Not better, or not shown to be.
    Discard,
    /// It could not be built or measured.
    Crash,
    /// Better, and wrong: the gate, a drift rule or a guard of correctness said no.
    ChecksFailed,
}

impl Status {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Discard => "discard",
            Self::Crash => "crash",
            Self::ChecksFailed => "checks_failed",
        }
    }
}

/// Why, exactly. Each belongs to one [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Kept.
    Improved,
    /// The proposal changes nothing, or what is built is the same to the byte.
    NoChange,
    /// The same tree was judged before in this session; its verdict stands.
    Repeat,
    /// The patch or knob does not fit the incumbent.
    NotApplicable,
    /// The pairs speak against a gain of the smallest size wanted.
    NoGain,
    /// Neither shown nor excluded within the most pairs allowed.
    Inconclusive,
    /// The screening said yes and the fresh pairs did not.
    NotConfirmed,
    /// A guard metric got worse by more than its tolerance.
    GuardFailed,
    /// A guard could not be decided within its pairs.
    GuardUndecided,
    /// A metric taken for exact differed between two runs of one build.
    NotExact,
    /// Better by the script's own clock while the driver's says that the process takes longer.
    SelfReport,
    /// A placebo came through: it would have been a false keep, and is not kept.
    PlaceboPassed,
    /// The build command failed.
    BuildFailed,
    /// The benchmark exited with an error, twice.
    RunFailed,
    /// The benchmark passed its deadline, twice.
    Timeout,
    /// A required metric is missing, malformed, or impossible, or a DIGEST line is, twice.
    BadMetric,
    /// The proposer itself failed.
    ProposeFailed,
    /// A change outside the scope, to a protected path, or of a forbidden kind.
    Drift,
    /// Files outside the candidate's own worktree changed while its code ran: the other side's, or what
    /// makes the user's git run programs.
    Tampered,
    /// The two sides of a pair printed different DIGEST lines.
    DigestDiffers,
    /// `autoresearch.checks.sh` fails with the candidate and passes without it.
    GateFailed,
    /// `autoresearch.checks.sh` fails with the candidate and without it.
    GateFlaky,
}

impl Reason {
    /// Whether a verdict says something about the tree, so that the same tree need not be judged again;
    /// and not only that time, luck or the machine did not suffice.
    pub fn says_something(self) -> bool {
        match self {
            Self::Improved
            | Self::NoChange
            | Self::NoGain
            | Self::NotConfirmed
            | Self::GuardFailed
            | Self::SelfReport
            | Self::DigestDiffers
            | Self::BuildFailed
            | Self::BadMetric
            | Self::RunFailed
            | Self::Drift
            | Self::Tampered
            | Self::GateFailed => true,
            Self::PlaceboPassed
            | Self::Repeat
            | Self::NotApplicable
            | Self::Inconclusive
            | Self::GuardUndecided
            | Self::NotExact
            | Self::Timeout
            | Self::ProposeFailed
            | Self::GateFlaky => false,
        }
    }

    /// The status that goes with it.
    pub fn status(self) -> Status {
        match self {
            Self::Improved => Status::Keep,
            Self::NoChange
            | Self::Repeat
            | Self::NotApplicable
            | Self::NoGain
            | Self::Inconclusive
            | Self::NotConfirmed
            | Self::GuardFailed
            | Self::GuardUndecided
            | Self::NotExact
            | Self::SelfReport
            | Self::PlaceboPassed => Status::Discard,
            Self::BuildFailed
            | Self::RunFailed
            | Self::Timeout
            | Self::BadMetric
            | Self::ProposeFailed => Status::Crash,
            Self::Drift
            | Self::Tampered
            | Self::DigestDiffers
            | Self::GateFailed
            | Self::GateFlaky => Status::ChecksFailed,
        }
    }

    /// Whether something other than the numbers ended it: a build, a failed run, a refusal before
    /// the first pair.
    pub fn ends_from_outside(self) -> bool {
        match self {
            Self::NoChange
            | Self::Repeat
            | Self::NotApplicable
            | Self::BuildFailed
            | Self::RunFailed
            | Self::Timeout
            | Self::BadMetric
            | Self::ProposeFailed
            | Self::Tampered
            | Self::Drift => true,
            Self::Improved
            | Self::NoGain
            | Self::Inconclusive
            | Self::NotConfirmed
            | Self::GuardFailed
            | Self::GuardUndecided
            | Self::NotExact
            | Self::SelfReport
            | Self::PlaceboPassed
            | Self::DigestDiffers
            | Self::GateFailed
            | Self::GateFlaky => false,
        }
    }

    /// Words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::NoChange => "no change",
            Self::Repeat => "already judged",
            Self::NotApplicable => "does not apply",
            Self::NoGain => "no gain",
            Self::Inconclusive => "inconclusive",
            Self::NotConfirmed => "not confirmed",
            Self::GuardFailed => "guard failed",
            Self::GuardUndecided => "guard undecided",
            Self::NotExact => "metric is not exact",
            Self::SelfReport => "self-report disagrees",
            Self::PlaceboPassed => "placebo passed",
            Self::BuildFailed => "build failed",
            Self::RunFailed => "benchmark failed",
            Self::Timeout => "timed out",
            Self::BadMetric => "bad metric",
            Self::ProposeFailed => "proposer failed",
            Self::Drift => "drift",
            Self::Tampered => "tampered",
            Self::DigestDiffers => "output differs",
            Self::GateFailed => "gate failed",
            Self::GateFlaky => "gate is flaky",
        }
    }
}
