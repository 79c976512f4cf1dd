//! Whether a kept commit still pays: the head against the head without it.

use serde::{Deserialize, Serialize};

use super::record::{Gain, GateResult, Pair};

/// The `type` of an [`AblationLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AblationTag {
    /// `ablation`.
    #[serde(rename = "ablation")]
    Ablation,
}

/// What a kept commit is worth to the head that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// The head is better with it: the whole interval is above 0.
    Pays,
    /// No more than the smallest gain wanted can lie in it, and it may be none.
    NoLongerPays,
    /// The head is worse with it: the whole interval is below 0.
    Costs,
    /// The interval holds both 0 and a gain worth having.
    CannotTell,
    /// It cannot be taken out: it does not revert cleanly, nothing of it is left, or without it the
    /// head does not build or run.
    Needed,
}

impl Worth {
    /// Judges the gain of the head over the head without the commit, from pairs fixed in number in
    /// advance. `min_effect` is the smallest gain wanted, log units.
    pub fn judge(gain: &Gain, min_effect: f64) -> Self {
        match (gain.lo, gain.hi) {
            (Some(lo), _) if lo > 0.0 => Self::Pays,
            (_, Some(hi)) if hi < 0.0 => Self::Costs,
            (Some(_), Some(hi)) if hi < min_effect => Self::NoLongerPays,
            _ => Self::CannotTell,
        }
    }

    /// Whether the head would do as well without it.
    pub fn is_flagged(self) -> bool {
        match self {
            Self::NoLongerPays | Self::Costs => true,
            Self::Pays | Self::CannotTell | Self::Needed => false,
        }
    }

    /// Words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Pays => "pays",
            Self::NoLongerPays => "no longer pays",
            Self::Costs => "costs",
            Self::CannotTell => "cannot tell",
            Self::Needed => "cannot be taken out",
        }
    }
}

/// One kept commit left out of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationLine {
    /// Always `ablation`.
    #[serde(rename = "type")]
    pub kind: AblationTag,
    /// [`FORMAT_VERSION`](super::record::FORMAT_VERSION).
    pub format: u32,
    /// The session.
    pub session: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// The run whose commit is left out.
    pub of: u64,
    /// The head with it, full id.
    pub head: String,
    /// The head without it, full id; absent when it does not revert cleanly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// Ref that keeps `without` reachable.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it is worth.
    pub worth: Worth,
    /// Particulars: why it is needed, or why it was not dropped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Gain of the head over the head without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Gain>,
    /// The gate on the head without it, when that was to become the head.
    pub gate: GateResult,
    /// Whether `without` became the head.
    pub dropped: bool,
    /// Seed of the coins.
    pub seed: u64,
    /// The pairs; `parent` is without the commit, `candidate` with it.
    pub pairs: Vec<Pair>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(lo: f64, hi: f64) -> Worth {
        let gain = Gain {
            log: f64::midpoint(lo, hi),
            lo: Some(lo),
            hi: Some(hi),
            percent: 0.0,
            pairs: 24,
        };
        Worth::judge(&gain, 0.01)
    }

    #[test]
    fn a_commit_is_worth_what_its_interval_says() {
        assert_eq!(judge(0.001, 0.05), Worth::Pays);
        assert_eq!(judge(-0.002, 0.009), Worth::NoLongerPays);
        assert_eq!(judge(-0.002, 0.011), Worth::CannotTell);
        assert_eq!(judge(-0.05, -0.001), Worth::Costs);
    }

    #[test]
    fn without_an_interval_nothing_can_be_told() {
        let gain = Gain {
            log: -0.5,
            lo: None,
            hi: None,
            percent: -50.0,
            pairs: 5,
        };
        assert_eq!(Worth::judge(&gain, 0.01), Worth::CannotTell);
        assert!(!Worth::CannotTell.is_flagged() && !Worth::Needed.is_flagged());
        assert!(Worth::Costs.is_flagged() && Worth::NoLongerPays.is_flagged());
    }
}
