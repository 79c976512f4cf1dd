//! From a judged candidate to its ledger line, its refs and its commit.

use std::collections::BTreeMap;

use git2::Oid;
use serde_json::{Map, Value, json};

use crate::edge::clock;
use crate::flow::confidence::confidence;
use crate::flow::proposal::Proposal;
use crate::flow::record::{Durations, FORMAT_VERSION, GateResult, Reason, RunLine, RunTag, Status};
use crate::flow::session::SessionState;
use crate::flow::trial::TrialResult;

/// A candidate's fate, before it is written down.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The candidate's commit, when there is one.
    pub candidate: Option<Oid>,
    /// Its tree.
    pub tree: Option<Oid>,
    /// The verdict with all that was measured.
    pub result: TrialResult,
    /// The gate.
    pub gate: GateResult,
    /// Seed of its coins.
    pub seed: u64,
}

impl Outcome {
    /// A verdict without a measurement.
    pub fn unmeasured(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            candidate: None,
            tree: None,
            result: TrialResult {
                reason,
                detail: detail.into(),
                estimate: None,
                ln_e: None,
                scale: 0.0,
                guards: Vec::new(),
                self_report: None,
                pairs: Vec::new(),
            },
            gate: super::judge::no_gate(),
            seed: 0,
        }
    }

    /// The verdict in one word.
    pub fn status(&self) -> Status {
        self.result.reason.status()
    }
}

/// Name of the ref that keeps a candidate reachable.
pub fn ref_name(session: &str, run: u64) -> String {
    format!("refs/autoresearch/{session}/{run}")
}

/// The ledger line of a candidate.
pub fn run_line(
    state: &SessionState,
    run: u64,
    proposal: &Proposal,
    outcome: Outcome,
    durations: Durations,
    load: f64,
) -> RunLine {
    let status = outcome.status();
    let pairs = &outcome.result.pairs;
    let mut metrics = TrialResult::medians(pairs, |pair| &pair.candidate);
    let metric = metrics.remove(&state.opened.metric_name).unwrap_or(0.0);
    let incumbent =
        TrialResult::medians(pairs, |pair| &pair.parent).remove(&state.opened.metric_name);
    let values = state
        .metrics
        .iter()
        .copied()
        .chain(std::iter::once((metric, status)));
    let measured = !outcome.result.pairs.is_empty();
    RunLine {
        kind: RunTag::Run,
        run,
        commit: outcome
            .candidate
            .map_or_else(|| state.head().to_owned(), |id| id.to_string())
            .chars()
            .take(7)
            .collect(),
        metric,
        metrics,
        status,
        description: proposal.subject().to_owned(),
        hypothesis: proposal.hypothesis(),
        timestamp: clock::now_ms(),
        segment: state.segment,
        confidence: confidence(values, state.opened.best_direction),
        asi: proposal.asi.clone(),
        format: FORMAT_VERSION,
        session: state.opened.session.clone(),
        parent: state.head().to_owned(),
        reference: outcome
            .candidate
            .map(|_| ref_name(&state.opened.session, run)),
        candidate: outcome.candidate.map(|id| id.to_string()),
        tree: outcome.tree.map(|id| id.to_string()),
        reason: outcome.result.reason,
        detail: outcome.result.detail,
        incumbent,
        estimate: outcome.result.estimate,
        ln_e: outcome.result.ln_e,
        scale: measured.then_some(outcome.result.scale),
        pairs: outcome.result.pairs,
        guards: outcome.result.guards,
        self_report: outcome.result.self_report,
        gate: outcome.gate,
        durations,
        origin: proposal.origin.clone(),
        seed: outcome.seed,
        load,
    }
}

/// The message of a kept commit: the description, pi-autoresearch's `Result: {json}`, trailers.
pub fn kept_message(
    state: &SessionState,
    run: u64,
    proposal: &Proposal,
    outcome: &Outcome,
) -> String {
    let metrics = TrialResult::medians(&outcome.result.pairs, |pair| &pair.candidate);
    let result = result_json(&state.opened.metric_name, &metrics);
    let mut trailers = vec![
        ("Run", format!("{run} of session {}", state.opened.session)),
        ("Parent", state.head().to_owned()),
        ("Metric", metric_words(state)),
    ];
    if let Some(gain) = &outcome.result.estimate {
        trailers.push((
            "Estimate",
            format!("{:.2} % better, {} fresh pairs", gain.percent, gain.pairs),
        ));
        if let (Some(lo), Some(hi)) = (gain.lo, gain.hi) {
            let percent =
                |log| crate::flow::measure::percent_better(state.opened.best_direction, log);
            trailers.push((
                "Interval",
                format!("95 % [{:.2}, {:.2}] %", percent(lo), percent(hi)),
            ));
        }
    }
    if let Some(ln_e) = outcome.result.ln_e {
        trailers.push(("Evidence", format!("ln E {ln_e:.2}")));
    }
    trailers.push(("Seed", outcome.seed.to_string()));
    let trailers: Vec<String> = trailers
        .into_iter()
        .map(|(key, value)| format!("Autoresearch-{key}: {value}"))
        .collect();
    format!(
        "{}\n\nResult: {result}\n\n{}\n",
        proposal.description.trim_end(),
        trailers.join("\n")
    )
}

fn metric_words(state: &SessionState) -> String {
    let unit = &state.opened.metric_unit;
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!(" ({unit})")
    };
    let better = match state.opened.best_direction {
        crate::flow::decision::Direction::Lower => "lower",
        crate::flow::decision::Direction::Higher => "higher",
    };
    format!("{}{unit}, {better} is better", state.opened.metric_name)
}

fn result_json(primary: &str, metrics: &BTreeMap<String, f64>) -> Value {
    let mut result = Map::new();
    result.insert("status".to_owned(), json!("keep"));
    let primary_first = metrics.get_key_value(primary).into_iter();
    for (name, value) in primary_first.chain(metrics.iter().filter(|(name, _)| *name != primary)) {
        result.insert(name.clone(), json!(value));
    }
    Value::Object(result)
}
