//! What a proposer hands on: a described change to the incumbent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::record::{Gain, Origin, Reason};

/// One candidate before it is a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// First line: the subject. Further lines, if any: why, and the body of the commit message.
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

/// Longest hypothesis that goes into the ledger, characters.
const HYPOTHESIS_CHARS_MAX: usize = 4_000;

impl Proposal {
    /// The first line of the description.
    pub fn subject(&self) -> &str {
        self.description.lines().next().unwrap_or_default()
    }

    /// The lines after the subject, cut where they become too long for the ledger.
    pub fn hypothesis(&self) -> String {
        let (_, body) = self.description.split_once('\n').unwrap_or_default();
        let body = body.trim();
        match body.char_indices().nth(HYPOTHESIS_CHARS_MAX) {
            None => body.to_owned(),
            Some((end, _)) => format!("{}…", &body[..end]),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_subject_is_the_hypothesis_and_it_has_a_bound() {
        let of = |description: &str| {
            let description = description.to_owned();
            let proposal = Proposal {
                description,
                ..Proposal::placebo()
            };
            (proposal.subject().to_owned(), proposal.hypothesis())
        };
        let pair = |subject: &str, why: &str| (subject.to_owned(), why.to_owned());
        assert_eq!(of(""), pair("", ""));
        assert_eq!(of("Batch"), pair("Batch", ""));
        assert_eq!(of("Batch\n"), pair("Batch", ""));
        assert_eq!(of("Batch\r\n\r\nWhy.\n"), pair("Batch", "Why."));
        assert_eq!(of("Batch\n\nOne.\n\nTwo.\n"), pair("Batch", "One.\n\nTwo."));
        let (_, long) = of(&format!("Batch\n\n{}", "ü".repeat(5_000)));
        assert_eq!(long, format!("{}…", "ü".repeat(4_000)));
    }
}
