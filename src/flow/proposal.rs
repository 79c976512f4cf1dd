//! What a proposer hands on: a described change to the incumbent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::record::{Gain, Origin, Reason};

/// One candidate before it is a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// First line: the subject. Further lines, if any: the body of the commit message.
    pub description: String,
    /// Where it came from.
    pub origin: Origin,
    /// The change.
    pub change: Change,
    /// What the proposer wants remembered in the ledger.
    pub asi: Option<Map<String, Value>>,
}

/// How a candidate differs from the incumbent.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A patch in `git diff` form.
    Patch {
        /// The file it came from, for messages.
        path: String,
        /// Its bytes.
        text: Vec<u8>,
    },
    /// Knob settings, written into the incumbent's sources.
    Knobs(BTreeMap<String, String>),
    /// Whatever the agent leaves in its worktree.
    Agent,
    /// None: the incumbent once more, to test the loop itself.
    Nothing,
}

impl Proposal {
    /// The incumbent, sent through every step as if it were new.
    pub fn placebo() -> Self {
        Self {
            description: "placebo: the incumbent, built and judged once more".to_owned(),
            origin: Origin {
                proposer: super::record::PLACEBO.to_owned(),
                ..Origin::default()
            },
            change: Change::Nothing,
            asi: None,
        }
    }
}

/// What proposers may know of a run that was judged: no running statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The run's number.
    pub run: u64,
    /// Subject line.
    pub description: String,
    /// Where it came from.
    pub origin: Origin,
    /// The verdict.
    pub reason: Reason,
    /// The verdict's particulars.
    pub detail: String,
    /// The measured gain, where there was a measurement.
    pub estimate: Option<Gain>,
}
