//! What a proposer wants tried next, before anything is read or written for it.

use std::collections::BTreeMap;

use super::ideas::Idea;
use crate::error::Result;
use crate::flow::config_parts::ProposerName;
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::Origin;

/// The next candidate, as a proposer describes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// A patch named in `ideas.md`.
    Patch {
        /// Id of the entry.
        idea: String,
        /// Subject and, after an empty line, the rest of the entry's prose.
        title: String,
        /// The patch, relative to the directory of `ideas.md`.
        path: String,
    },
    /// Knob settings: of a sweep in `ideas.md`, or of the search.
    Knobs {
        /// Id of the entry, when it is a sweep.
        idea: Option<String>,
        /// Subject and, after an empty line, the rest of the entry's prose.
        title: String,
        /// Values by knob. The search gives all knobs, a sweep the one it sweeps.
        settings: BTreeMap<String, String>,
    },
    /// Whatever an agent makes of it.
    Agent {
        /// The free-text entry it is given, if there is one.
        idea: Option<Idea>,
    },
}

impl Plan {
    /// Where the candidate comes from, for the ledger.
    pub fn origin(&self) -> Origin {
        let (proposer, idea, knobs) = match self {
            Self::Patch { idea, .. } => (ProposerName::Ideas, Some(idea.clone()), BTreeMap::new()),
            Self::Knobs { idea, settings, .. } => {
                let proposer = match idea {
                    Some(_) => ProposerName::Ideas,
                    None => ProposerName::Tune,
                };
                (proposer, idea.clone(), settings.clone())
            }
            Self::Agent { idea } => {
                let id = idea.as_ref().map(|idea| idea.id.clone());
                (ProposerName::Agent, id, BTreeMap::new())
            }
        };
        Origin {
            proposer: proposer.as_str().to_owned(),
            idea,
            knobs,
        }
    }

    /// The proposal. `read` gives the bytes of a patch by its path, and is called for nothing
    /// else. An agent's proposal has the entry's title until the agent has answered; see
    /// [`super::agent_answer::proposal`].
    ///
    /// # Errors
    /// Those of `read`.
    pub fn into_proposal(self, read: impl FnOnce(&str) -> Result<Vec<u8>>) -> Result<Proposal> {
        let origin = self.origin();
        let (description, change) = match self {
            Self::Patch { title, path, .. } => {
                let text = read(&path)?;
                (title, Change::Patch { path, text })
            }
            Self::Knobs {
                title, settings, ..
            } => (title, Change::Knobs(settings)),
            Self::Agent { idea } => {
                let title = idea.map_or_else(|| "agent".to_owned(), |idea| idea.title);
                (title, Change::Agent)
            }
        };
        Ok(Proposal {
            description,
            origin,
            change,
            asi: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_patch_is_read_by_its_path_and_keeps_it() {
        let plan = Plan::Patch {
            idea: "one".to_owned(),
            title: "Do it".to_owned(),
            path: "ideas/one.patch".to_owned(),
        };
        let proposal = plan
            .into_proposal(|path| Ok(format!("bytes of {path}").into_bytes()))
            .unwrap();
        assert_eq!(proposal.origin.proposer, "ideas");
        assert_eq!(proposal.origin.idea.as_deref(), Some("one"));
        assert_eq!(
            proposal.change,
            Change::Patch {
                path: "ideas/one.patch".to_owned(),
                text: b"bytes of ideas/one.patch".to_vec()
            }
        );
    }

    #[test]
    fn settings_without_an_entry_are_tunes_and_nothing_is_read() {
        let plan = Plan::Knobs {
            idea: None,
            title: "tune".to_owned(),
            settings: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
        };
        let proposal = plan
            .into_proposal(|_| Err(Error::usage("must not be read")))
            .unwrap();
        assert_eq!(proposal.origin.proposer, "tune");
        assert_eq!(proposal.origin.knobs["a"], "1");
    }

    #[test]
    fn an_unreadable_patch_is_the_readers_error() {
        let plan = Plan::Patch {
            idea: "one".to_owned(),
            title: "Do it".to_owned(),
            path: "ideas/one.patch".to_owned(),
        };
        let error = plan
            .into_proposal(|_| Err(Error::usage("no such file")))
            .unwrap_err();
        assert_eq!(error.to_string(), "no such file");
    }
}
