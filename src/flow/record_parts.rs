//! The parts of a ledger line: pairs, gains, guards, gate, durations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which part of a judgement a pair belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Run first in each slot and never used: caches are cold.
    WarmUp,
    /// Both sides are the same commit.
    Calibrate,
    /// Decides whether to go on.
    Screen,
    /// Fresh pairs after the slots were swapped; the only source of an estimate.
    Confirm,
    /// Further pairs for guards that are undecided.
    Guard,
    /// The session's start against its head.
    EndToEnd,
}

/// One run of each side, back to back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// What it was for.
    pub phase: Phase,
    /// The slot that held the candidate, 0 or 1.
    pub slot: u8,
    /// Whether the candidate ran first.
    pub candidate_first: bool,
    /// Metrics of the parent by name, the driver's among them.
    pub parent: BTreeMap<String, f64>,
    /// Metrics of the candidate.
    pub candidate: BTreeMap<String, f64>,
    /// What the comparison of the DIGEST lines gave; absent when neither side printed any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<DigestCheck>,
    /// The seed that both sides were given in the config's `hold_out_env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_out: Option<u64>,
}

/// The DIGEST lines of the two sides of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestCheck {
    /// Names that at least one side printed.
    pub compared: u32,
    /// The names whose values differ: the parent's and the candidate's, null where not printed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub differ: BTreeMap<String, [Option<String>; 2]>,
}

/// A win of the script's own clock that the driver's speaks against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfReport {
    /// The driver's metric that got worse.
    pub metric: String,
    /// Median gain of that metric over the pairs, percent; negative is worse.
    pub median_percent: f64,
    /// ln of the e-value for "it takes longer, by more than the smallest effect wanted".
    pub ln_e: f64,
}

/// A gain with its 95 % interval. A gain of `g` log units makes a time `exp(-g)` times as long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gain {
    /// Hodges-Lehmann estimate, log units; above 0 is better.
    pub log: f64,
    /// Lower end of the interval, log units; absent with fewer than six pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
    /// The estimate in percent of the metric: 5 means 5 % less time, or 5 % more throughput.
    pub percent: f64,
    /// Pairs it rests on.
    pub pairs: u32,
}

/// What became of one guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardResult {
    /// The metric.
    pub name: String,
    /// `pass`, `fail` or `undecided`.
    pub outcome: GuardOutcome,
    /// The tolerance in force, log units.
    pub tolerance_log: f64,
    /// Pairs it was judged on.
    pub pairs: u32,
    /// Median gain over those pairs, percent; negative is worse.
    pub median_percent: f64,
    /// Noise scale it was judged with, log units; 0 for an exact metric.
    pub scale: f64,
}

/// The outcome of one guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardOutcome {
    /// Not worse than the tolerance.
    Pass,
    /// Worse.
    Fail,
    /// Not known within the pairs allowed.
    Undecided,
}

/// What the correctness gate said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateResult {
    /// `pass`, `fail`, `flaky` or `not_run`.
    pub outcome: GateOutcome,
    /// Seconds it took.
    pub duration_s: f64,
    /// The last lines of its output when it did not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output_tail: String,
}

/// The outcome of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// Exit 0.
    Pass,
    /// Fails with the candidate, passes with the incumbent.
    Fail,
    /// Fails with both.
    Flaky,
    /// The candidate never came so far, or there is no gate script.
    NotRun,
}

/// Seconds spent on one candidate, by what on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Durations {
    /// Making the proposal.
    pub propose_s: f64,
    /// Checking out and building.
    pub build_s: f64,
    /// Benchmark runs.
    pub measure_s: f64,
    /// The gate.
    pub gate_s: f64,
    /// From proposal to record; what is not in the others is the harness's own.
    pub total_s: f64,
}
