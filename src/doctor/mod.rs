//! `doctor`: [`Facts`] to [`Finding`]s. Pure; the facts are gathered by the edges.
//!
//! A *problem* stops `run` or makes its verdicts worthless. A *warning* costs pairs, time or
//! trust. A *note* is worth knowing and needs no action.

pub mod facts;
mod machine;
pub mod repository;

use serde::Serialize;

use crate::exit::Exit;
use facts::Facts;

/// How serious a finding is, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It costs time or trust.
    Warning,
    /// `run` cannot work like this.
    Problem,
}

impl Level {
    /// The word in table and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, a stable short name such as `governor`.
    pub check: &'static str,
    /// How serious it is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it, where there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self {
            check,
            level,
            message: message.into(),
            advice: None,
        }
    }

    fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Judges the facts: the repository's first, then the machine's. One finding a check; a check whose
/// fact is `None` gives none, except where its absence is itself worth a note.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = repository::findings(facts);
    found.extend(machine::findings(&facts.host));
    found
}

/// [`Exit::Environment`] when there is a problem, else [`Exit::Ok`].
pub fn exit(findings: &[Finding]) -> Exit {
    if findings
        .iter()
        .any(|finding| finding.level == Level::Problem)
    {
        Exit::Environment
    } else {
        Exit::Ok
    }
}

#[cfg(test)]
mod tests;
