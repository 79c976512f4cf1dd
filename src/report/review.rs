//! Everything a report shows of a ledger, made in one pass over it. What becomes of it (a page,
//! Markdown, JSON) is in [`super::html`], [`super::markdown`] and [`Review::to_json`].

mod idea;
mod run;

use serde_json::{Value, json};

pub use idea::{Fate, fates};
pub use run::{Detail, Evidence, GuardShown, MetricChange, PhaseGains};

use super::row::Row;
use super::status;
use crate::flow::decision::DecisionError;
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::explain::Explainer;
use crate::flow::limits::cost_usd;
use crate::flow::record::{AblationLine, CalibrationLine};
use crate::flow::session::Past;
use crate::flow::summary::{SessionSummary, Summary};

/// A whole ledger as a report shows it.
#[derive(Debug, Clone, Default)]
pub struct Review {
    /// The sessions, oldest first.
    pub sessions: Vec<Session>,
    /// All runs, in order.
    pub runs: Vec<Run>,
}

/// One session, or a segment of another program's log.
#[derive(Debug, Clone)]
pub struct Session {
    /// What its runs come to.
    pub summary: SessionSummary,
    /// Its calibrations, without their pairs.
    pub calibrations: Vec<CalibrationLine>,
    /// Kept commits that were left out, without the pairs.
    pub ablations: Vec<AblationLine>,
    /// US dollars that agents reported.
    pub cost_usd: f64,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// As in `log`.
    pub row: Row,
    /// The rest.
    pub detail: Detail,
}

/// Makes a [`Review`] from a ledger that is read entry by entry.
#[derive(Debug, Default)]
pub struct Builder {
    past: Past,
    explainer: Explainer,
    summary: Summary,
    extras: Vec<Extra>,
    runs: Vec<Run>,
}

/// What a session has beside its summary.
#[derive(Debug, Clone, Default)]
struct Extra {
    calibrations: Vec<CalibrationLine>,
    ablations: Vec<AblationLine>,
    cost_usd: f64,
}

impl Builder {
    /// A builder before the first line.
    pub fn new() -> Self {
        Self {
            past: Past::new(),
            ..Self::default()
        }
    }

    /// Takes what the next line came to; `segments` are those so far.
    ///
    /// # Errors
    /// The line holds values that no run can have.
    pub fn push(&mut self, read: &Read, segments: &[Segment]) -> Result<(), DecisionError> {
        match read {
            Read::Run(entry) => self.run(entry, &segments[entry.segment as usize])?,
            Read::Calibration(line) => {
                let mut line = (**line).clone();
                line.pairs.clear();
                self.current().calibrations.push(line);
            }
            Read::Ablation(line) => {
                let mut line = (**line).clone();
                line.pairs.clear();
                self.current().ablations.push(line);
            }
            Read::Segment(segment) => self.extras.truncate(segment.index as usize),
            Read::Claim(_) | Read::Repair(_) | Read::Skipped | Read::Newer { .. } => {}
        }
        self.summary.push(read);
        while self.extras.len() < self.summary.sessions.len() {
            self.extras.push(Extra::default());
        }
        self.past.apply(read)
    }

    fn run(&mut self, entry: &Entry, segment: &Segment) -> Result<(), DecisionError> {
        let detail = match entry.line() {
            Some(line) => {
                let session = self.past.session.as_ref();
                let setup = session.and_then(|session| session.trial_setup());
                self.current().cost_usd += cost_usd(line);
                Detail::of_ours(entry, line, segment, setup, &mut self.explainer)?
            }
            None => Detail::of_foreign(entry),
        };
        let row = Row::new(entry, segment);
        self.runs.push(Run { row, detail });
        Ok(())
    }

    /// The session that is being read. Only its lines follow one another; the lines of an earlier
    /// one that `ablate` adds later are of the last session too.
    fn current(&mut self) -> &mut Extra {
        if self.extras.is_empty() {
            self.extras.push(Extra::default());
        }
        let last = self.extras.len() - 1;
        &mut self.extras[last]
    }

    /// The last line has been taken.
    pub fn finish(self) -> Review {
        let sessions = self.summary.sessions.into_iter().zip(self.extras);
        Review {
            sessions: sessions
                .map(|(summary, extra)| Session {
                    summary,
                    calibrations: extra.calibrations,
                    ablations: extra.ablations,
                    cost_usd: extra.cost_usd,
                })
                .collect(),
            runs: self.runs,
        }
    }
}

impl Review {
    /// The runs of one session.
    pub fn runs_of(&self, session: &Session) -> impl Iterator<Item = &Run> {
        let index = session.summary.segment.index;
        self.runs.iter().filter(move |run| run.row.segment == index)
    }

    /// `report --format json`; its keys are documented in docs/ledger.md.
    pub fn to_json(&self) -> String {
        let sessions: Vec<Value> = self
            .sessions
            .iter()
            .map(|session| {
                let mut value = status::session_json(&session.summary);
                value["calibrations"] = json!(session.calibrations);
                value["ablations"] = json!(session.ablations);
                value["cost_usd"] = json!(session.cost_usd);
                value["ideas"] = json!(fates(self.runs_of(session)));
                value
            })
            .collect();
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|run| json!({"run": run.row, "detail": run.detail}))
            .collect();
        format!("{:#}\n", json!({"sessions": sessions, "runs": runs}))
    }
}

#[cfg(test)]
pub(crate) mod tests;
