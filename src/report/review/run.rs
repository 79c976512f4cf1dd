//! One run in detail.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::flow::decision::DecisionError;
use crate::flow::entry::{Entry, Segment};
use crate::flow::explain::Explainer;
use crate::flow::measure::Judged;
use crate::flow::record::{
    Durations, GateResult, GuardResult, Pair, Phase, RunLine, SelfReport, Status,
};
use crate::flow::trial::{TrialResult, TrialSetup};
use crate::report::guard::tolerance_percent;
use crate::report::row::{RowGain, row_gain};
use crate::report::{measured, reason};

/// What a report says of a run beside its row. What is absent is left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Detail {
    /// What the verdict means.
    pub sentence: &'static str,
    /// The reason's particulars.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the proposer wanted remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Map<String, Value>>,
    /// Knob settings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knobs: BTreeMap<String, String>,
    /// The gain of each pair, warm-ups left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<PhaseGains>,
    /// How the evidence grew in the screening.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What on record does not follow from the pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Every metric measured, medians of both sides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricChange>,
    /// The guards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardShown>,
    /// The clock that disagrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_report: Option<SelfReport>,
    /// How the DIGEST lines compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digests: String,
    /// The gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateResult>,
    /// Time spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durations: Option<Durations>,
    /// One-minute load average when it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Full id of the incumbent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent: String,
    /// Full id of the candidate's commit, or what the log has of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub candidate: String,
    /// How to look at it and measure it again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// The change, where the commits are at hand; the command fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// A flamegraph as a `data:` address, where one was recorded; the command fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flamegraph: Option<String>,
}

/// A guard of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuardShown {
    /// As in the ledger.
    #[serde(flatten)]
    pub result: GuardResult,
    /// The tolerance that was in force, percent of the metric.
    pub tolerance_percent: f64,
}

/// The pairs of one phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseGains {
    /// What they were for.
    pub phase: Phase,
    /// Log gain of each, in order; null for a pair without one.
    pub log: Vec<Option<f64>>,
    /// What the pairs come to, where they are the fresh ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<RowGain>,
}

/// The evidence for a gain after each pair of the screening.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// ln E after each pair.
    pub ln_e: Vec<f64>,
    /// ln of the e-value that goes to the confirmation.
    pub keep: f64,
}

/// One metric of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricChange {
    /// Its name.
    pub name: String,
    /// Median of the incumbent.
    pub parent: Option<f64>,
    /// Median of the candidate.
    pub candidate: f64,
}

impl Detail {
    /// A run of ours; `setup` is what it was judged by.
    ///
    /// # Errors
    /// The line holds values that no run can have.
    pub fn of_ours(
        entry: &Entry,
        line: &RunLine,
        segment: &Segment,
        setup: Option<TrialSetup>,
        explainer: &mut Explainer,
    ) -> Result<Self, DecisionError> {
        let mut detail = Self {
            detail: line.detail.clone(),
            knobs: line.origin.knobs.clone(),
            metrics: metrics(&line.pairs),
            guards: guards(line, segment),
            self_report: line.self_report.clone(),
            digests: measured::digests(&line.pairs),
            gate: Some(line.gate.clone()),
            durations: Some(line.durations),
            load: Some(line.load),
            parent: line.parent.clone(),
            candidate: line.candidate.clone().unwrap_or_default(),
            commands: commands(line),
            ..Self::of_foreign(entry)
        };
        if let Some(setup) = setup {
            detail.gains = gains(
                &line.pairs,
                &setup.primary,
                row_gain(line, segment.direction),
            );
            let explanation = explainer.explain(&setup, line)?;
            detail.differences = explanation.differences;
            if !explanation.screen.is_empty() {
                let path = explanation.screen.iter();
                detail.evidence = Some(Evidence {
                    ln_e: path.map(|point| rounded(point.ln_e)).collect(),
                    keep: rounded(explanation.rule.e_keep.ln()),
                });
            }
        }
        Ok(detail)
    }

    /// A run of another program's log.
    pub fn of_foreign(entry: &Entry) -> Self {
        let metrics = entry.metrics.iter().map(|(name, value)| MetricChange {
            name: name.clone(),
            parent: None,
            candidate: *value,
        });
        Self {
            sentence: reason::sentence(entry),
            notes: entry.asi.clone(),
            metrics: metrics.collect(),
            candidate: entry.commit.clone(),
            ..Self::default()
        }
    }
}

fn guards(line: &RunLine, segment: &Segment) -> Vec<GuardShown> {
    let guards = line.guards.iter();
    guards
        .map(|guard| GuardShown {
            result: guard.clone(),
            tolerance_percent: rounded(tolerance_percent(guard, segment)),
        })
        .collect()
}

pub(super) fn gains(
    pairs: &[Pair],
    primary: &Judged,
    estimate: Option<RowGain>,
) -> Vec<PhaseGains> {
    let mut phases: Vec<PhaseGains> = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.phase != Phase::WarmUp) {
        let gain = primary.gain(pair).ok().map(rounded);
        match phases.iter_mut().find(|of| of.phase == pair.phase) {
            Some(of) => of.log.push(gain),
            None => phases.push(PhaseGains {
                phase: pair.phase,
                log: vec![gain],
                estimate: estimate.filter(|_| pair.phase == Phase::Confirm),
            }),
        }
    }
    phases
}

fn metrics(pairs: &[Pair]) -> Vec<MetricChange> {
    let parent = TrialResult::medians(pairs, |pair| &pair.parent);
    TrialResult::medians(pairs, |pair| &pair.candidate)
        .into_iter()
        .map(|(name, candidate)| MetricChange {
            parent: parent.get(&name).copied().map(rounded),
            candidate: rounded(candidate),
            name,
        })
        .collect()
}

fn commands(line: &RunLine) -> Vec<String> {
    let target = line.reference.as_deref().or(line.candidate.as_deref());
    let Some(target) = target else {
        return Vec::new();
    };
    let mut commands = vec![
        format!("git show {target}"),
        format!("autoresearch explain {}", line.run),
    ];
    if line.status == Status::Keep {
        commands.push(format!("autoresearch reproduce {}", line.run));
    }
    commands
}

/// Six significant digits: what a picture or a table can show, in a third of the space.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
