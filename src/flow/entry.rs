//! What the readers make of a ledger's lines, whoever wrote them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::decision::Direction;
use super::record::{
    AblationLine, CalibrationLine, ClaimLine, ConfigLine, Reason, RepairLine, RunLine, Status,
};

/// Who wrote a run's line, with what only they wrote.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// This program, in a format it knows.
    Ours(Box<RunLine>),
    /// This program, in a newer format: the keys that pi-autoresearch shares are read.
    Newer {
        /// The line's `format`.
        format: u32,
    },
    /// pi-autoresearch.
    Pi,
    /// codex-autoresearch.
    Codex,
    /// labloop.
    Labloop,
    /// karpathy/autoresearch's `results.tsv`.
    Karpathy,
}

impl Source {
    /// The word in `--json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ours(_) => "autoresearch",
            Self::Newer { .. } => "autoresearch-newer",
            Self::Pi => "pi-autoresearch",
            Self::Codex => "codex-autoresearch",
            Self::Labloop => "labloop",
            Self::Karpathy => "karpathy",
        }
    }
}

/// One candidate of any ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number in the file.
    pub run: u64,
    /// What became of it.
    pub status: Status,
    /// Why; only our own lines and labloop's say so.
    pub reason: Option<Reason>,
    /// Abbreviated commit, empty when the log has none.
    pub commit: String,
    /// Its primary metric; `None` where it was not measured, also where the log says 0 for that.
    pub metric: Option<f64>,
    /// Its other metrics.
    pub metrics: BTreeMap<String, f64>,
    /// One line.
    pub description: String,
    /// Milliseconds since 1970, when it was recorded.
    pub timestamp_ms: Option<u64>,
    /// Index of its [`Segment`].
    pub segment: u32,
    /// pi-autoresearch's advisory figure, as logged.
    pub confidence: Option<f64>,
    /// What the proposer wanted remembered.
    pub asi: Option<Map<String, Value>>,
    /// Whose line it is.
    pub source: Source,
}

impl Entry {
    /// Our own line, when it is one.
    pub fn line(&self) -> Option<&RunLine> {
        match &self.source {
            Source::Ours(line) => Some(line),
            Source::Newer { .. }
            | Source::Pi
            | Source::Codex
            | Source::Labloop
            | Source::Karpathy => None,
        }
    }
}

impl From<Box<RunLine>> for Entry {
    /// `metric` is `None` when the line has 0 and no incumbent's value: then nothing was measured.
    fn from(line: Box<RunLine>) -> Self {
        let measured = line.metric != 0.0 || line.incumbent.is_some();
        Self {
            run: line.run,
            status: line.status,
            reason: Some(line.reason),
            commit: line.commit.clone(),
            metric: measured.then_some(line.metric),
            metrics: line.metrics.clone(),
            description: line.description.clone(),
            timestamp_ms: Some(line.timestamp),
            segment: line.segment,
            confidence: line.confidence,
            asi: line.asi.clone(),
            source: Source::Ours(line),
        }
    }
}

/// What the runs from one config line to the next have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Index in the file, from 0.
    pub index: u32,
    /// The session's name.
    pub name: String,
    /// The primary metric.
    pub metric_name: String,
    /// Its unit, maybe empty.
    pub metric_unit: String,
    /// Which way it is better.
    pub direction: Direction,
    /// The config line, when it is ours.
    pub session: Option<Box<ConfigLine>>,
}

impl Segment {
    /// What pi-autoresearch assumes of runs before any config line.
    pub fn unnamed(index: u32) -> Self {
        Self {
            index,
            name: String::new(),
            metric_name: "metric".to_owned(),
            metric_unit: String::new(),
            direction: Direction::Lower,
            session: None,
        }
    }

    /// Whether values are compared as ln(1 + value).
    pub fn allows_zero(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|line| line.config.metric.allow_zero)
    }
}

impl From<(u32, Box<ConfigLine>)> for Segment {
    fn from((index, line): (u32, Box<ConfigLine>)) -> Self {
        Self {
            index,
            name: line.name.clone(),
            metric_name: line.metric_name.clone(),
            metric_unit: line.metric_unit.clone(),
            direction: line.best_direction,
            session: Some(line),
        }
    }
}

/// What one line of a ledger comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// A segment begins. One with the index of the segment before replaces it: a foreign config
    /// line before any run.
    Segment(Box<Segment>),
    /// An A/A measurement of ours.
    Calibration(Box<CalibrationLine>),
    /// A candidate.
    Run(Box<Entry>),
    /// An end-to-end measurement of ours.
    Claim(Box<ClaimLine>),
    /// A kept commit of ours, left out.
    Ablation(Box<AblationLine>),
    /// Damaged lines were here, and `autoresearch repair` took them out.
    Repair(Box<RepairLine>),
    /// Nothing that counts: a blank line, a hook's, a table's header.
    Skipped,
    /// A line of a newer format that shares no keys with the formats known here.
    Newer {
        /// Its `format`.
        format: u32,
    },
}
