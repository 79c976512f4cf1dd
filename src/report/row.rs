//! One entry as `log` shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::flow::decision::Direction;
use crate::flow::entry::{Entry, Segment};
use crate::flow::measure::percent_better;
use crate::flow::record::{GateOutcome, GuardOutcome, GuardResult, Phase, Reason, RunLine, Status};

/// A run in the table and in `log --json`; its keys are documented in docs/ledger.md.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Number in the file.
    pub run: u64,
    /// Index of the segment.
    pub segment: u32,
    /// Whose log it is from.
    pub source: &'static str,
    /// Session id, ours only.
    pub session: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub reason: Option<Reason>,
    /// The reason's particulars.
    pub detail: Option<String>,
    /// Abbreviated commit.
    pub commit: String,
    /// Name of the primary metric.
    pub metric_name: String,
    /// Its unit.
    pub unit: String,
    /// Which way it is better.
    pub direction: Direction,
    /// Its value, when it was measured.
    pub metric: Option<f64>,
    /// What it was measured against.
    pub incumbent: Option<f64>,
    /// The gain over that.
    pub gain: Option<RowGain>,
    /// Pairs measured, warm-ups not counted.
    pub pairs: Option<usize>,
    /// The guards that moved.
    pub guards_moved: Vec<MovedGuard>,
    /// The gate's outcome.
    pub gate: Option<GateOutcome>,
    /// From proposal to record.
    pub seconds: Option<f64>,
    /// Where it came from.
    pub proposer: Option<String>,
    /// Id in ideas.md.
    pub idea: Option<String>,
    /// One line.
    pub description: String,
    /// Its other metrics.
    pub metrics: BTreeMap<String, f64>,
    /// pi-autoresearch's advisory figure, as logged.
    pub confidence: Option<f64>,
    /// Milliseconds since 1970.
    pub timestamp: Option<u64>,
}

/// A gain with its interval, in log units and percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RowGain {
    /// Estimate, log units.
    pub log: f64,
    /// Lower end of the 95 % interval.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
    /// Estimate, percent of the metric.
    pub percent: f64,
    /// Lower end, percent.
    pub percent_lo: Option<f64>,
    /// Upper end, percent.
    pub percent_hi: Option<f64>,
    /// Pairs it rests on.
    pub pairs: u32,
    /// Whether they are fresh pairs: without that it describes what was seen and claims nothing.
    pub confirmed: bool,
}

/// A guard that failed, that stopped the candidate undecided, or whose median is further from no
/// change than the noise of one pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MovedGuard {
    /// The metric.
    pub name: String,
    /// Median gain, percent; negative is worse.
    pub median_percent: f64,
    /// `pass`, `fail` or `undecided`.
    pub outcome: GuardOutcome,
}

impl Row {
    /// The row of an entry of `segment`.
    pub fn new(entry: &Entry, segment: &Segment) -> Self {
        let line = entry.line();
        Self {
            run: entry.run,
            segment: entry.segment,
            source: entry.source.as_str(),
            session: line.map(|line| line.session.clone()),
            status: entry.status,
            reason: entry.reason,
            detail: line
                .map(|line| line.detail.clone())
                .filter(|detail| !detail.is_empty()),
            commit: entry.commit.clone(),
            metric_name: segment.metric_name.clone(),
            unit: segment.metric_unit.clone(),
            direction: segment.direction,
            metric: entry.metric,
            incumbent: line.and_then(|line| line.incumbent),
            gain: line.and_then(|line| row_gain(line, segment.direction)),
            pairs: line.map(measured_pairs),
            guards_moved: line.map(guards_moved).unwrap_or_default(),
            gate: line.map(|line| line.gate.outcome),
            seconds: line.map(|line| line.durations.total_s),
            proposer: line.map(|line| line.origin.proposer.clone()),
            idea: line.and_then(|line| line.origin.idea.clone()),
            description: entry.description.clone(),
            metrics: entry.metrics.clone(),
            confidence: entry.confidence,
            timestamp: entry.timestamp_ms,
        }
    }
}

/// The estimate of a run; `None` when it has none.
pub fn row_gain(line: &RunLine, direction: Direction) -> Option<RowGain> {
    let gain = line.estimate.as_ref()?;
    let percent = |log| percent_better(direction, log);
    Some(RowGain {
        log: gain.log,
        lo: gain.lo,
        hi: gain.hi,
        percent: gain.percent,
        percent_lo: gain.lo.map(percent),
        percent_hi: gain.hi.map(percent),
        pairs: gain.pairs,
        confirmed: is_confirmed(line),
    })
}

/// Whether the estimate is of fresh pairs, whatever the verdict was in the end.
pub fn is_confirmed(line: &RunLine) -> bool {
    line.pairs.iter().any(|pair| pair.phase == Phase::Confirm)
}

/// Pairs without the warm-ups.
pub fn measured_pairs(line: &RunLine) -> usize {
    let is_used = |phase| match phase {
        Phase::WarmUp => false,
        Phase::Calibrate | Phase::Screen | Phase::Confirm | Phase::Guard | Phase::EndToEnd => true,
    };
    line.pairs.iter().filter(|pair| is_used(pair.phase)).count()
}

/// The guards of a run that moved, in the ledger's order.
pub fn guards_moved(line: &RunLine) -> Vec<MovedGuard> {
    // A candidate that was dropped early leaves every guard undecided.
    let has_moved = |guard: &&GuardResult| match guard.outcome {
        GuardOutcome::Fail => true,
        GuardOutcome::Undecided if line.reason == Reason::GuardUndecided => true,
        GuardOutcome::Pass | GuardOutcome::Undecided => {
            guard.median_percent.abs() > guard.scale.exp_m1() * 100.0
        }
    };
    let moved = line.guards.iter().filter(has_moved);
    moved
        .map(|guard| MovedGuard {
            name: guard.name.clone(),
            median_percent: guard.median_percent,
            outcome: guard.outcome,
        })
        .collect()
}
