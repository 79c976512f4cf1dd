//! Ideas tried and what became of them.

use serde::Serialize;

use super::Run;
use crate::flow::record::{PLACEBO, Status};
use crate::report::format;

/// What became of one idea, or of all that a proposer tried without one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fate {
    /// Who proposed it; empty where the log does not say.
    pub proposer: String,
    /// Id in ideas.md.
    pub idea: Option<String>,
    /// The runs, in order.
    pub runs: Vec<u64>,
    /// How many of them were kept.
    pub kept: u64,
    /// How many were discarded.
    pub discarded: u64,
    /// How many could not be measured.
    pub crashed: u64,
    /// How many failed the checks.
    pub checks_failed: u64,
    /// The largest gain among those kept, else among those measured; percent.
    pub best_percent: Option<f64>,
    /// Whether that one was kept.
    pub best_is_kept: bool,
    /// Whether fresh pairs gave it, whatever became of the run.
    pub best_is_confirmed: bool,
    /// Seconds spent on them.
    pub seconds: f64,
    /// Description of the last one.
    pub description: String,
}

/// The fates of the ideas behind `runs`: kept ones first, then those with the largest gain. Placebos
/// are no ideas.
pub fn fates<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<Fate> {
    let mut fates: Vec<Fate> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for run in runs {
        let row = &run.row;
        let proposer = row.proposer.clone().unwrap_or_default();
        if proposer == PLACEBO {
            continue;
        }
        let key = (proposer.clone(), row.idea.clone());
        let index = *place.entry(key).or_insert(fates.len());
        if index == fates.len() {
            fates.push(Fate {
                proposer,
                idea: row.idea.clone(),
                runs: Vec::new(),
                kept: 0,
                discarded: 0,
                crashed: 0,
                checks_failed: 0,
                best_percent: None,
                best_is_kept: false,
                best_is_confirmed: false,
                seconds: 0.0,
                description: String::new(),
            });
        }
        fates[index].add(run);
    }
    let rank = |fate: &Fate| fate.best_percent.unwrap_or(f64::NEG_INFINITY);
    fates.sort_by(|a, b| {
        let by_kept = (b.kept > 0).cmp(&(a.kept > 0));
        by_kept.then(rank(b).total_cmp(&rank(a)))
    });
    fates
}

impl Fate {
    /// The best gain, marked as `log` marks it.
    pub fn best_gain(&self) -> Option<String> {
        let percent = self.best_percent?;
        Some(format::gain_percent(percent, self.best_is_confirmed))
    }

    fn add(&mut self, run: &Run) {
        let row = &run.row;
        self.runs.push(row.run);
        let is_kept = row.status == Status::Keep;
        match row.status {
            Status::Keep => self.kept += 1,
            Status::Discard => self.discarded += 1,
            Status::Crash => self.crashed += 1,
            Status::ChecksFailed => self.checks_failed += 1,
        }
        if let Some(gain) = row.gain {
            let is_better = (is_kept, gain.percent)
                > (
                    self.best_is_kept,
                    self.best_percent.unwrap_or(f64::NEG_INFINITY),
                );
            if is_better {
                (self.best_is_kept, self.best_percent) = (is_kept, Some(gain.percent));
                self.best_is_confirmed = gain.confirmed;
            }
        }
        self.seconds += row.seconds.unwrap_or(0.0);
        self.description.clone_from(&row.description);
    }
}
