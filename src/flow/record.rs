//! The ledger's format: one JSON object a line in `experiments.jsonl`.
//!
//! The file is a superset of pi-autoresearch's log. Its reader sees a `{"type":"config"}` line open
//! a segment and takes every object with a numeric `run` for an experiment; the keys it knows have
//! its meanings. What we add is beside them. The lines, in the order in which they appear:
//!
//! - [`ConfigLine`]: opens a session, which is one segment.
//! - [`CalibrationLine`]: an A/A measurement; the noise scale from here on.
//! - [`RunLine`]: one candidate with every pair measured, so that its verdict can be recomputed.
//! - [`ClaimLine`]: the end-to-end measurement of a session's start against its head.
//! - [`AblationLine`]: the head measured against the head without one kept commit.
//! - [`RepairLine`]: damaged lines were here.
//!
//! Append only, but for `autoresearch repair`. An unknown status, reason or type is an error with its
//! line number, never a keep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::ablation::{AblationLine, AblationTag, Worth};
use super::config::Config;
use super::decision::Calibration;
pub use super::record_parts::{
    DigestCheck, Durations, Gain, GateOutcome, GateResult, GuardOutcome, GuardResult, Pair, Phase,
    SelfReport,
};
pub use super::repair::{RepairLine, RepairTag};
pub use super::verdict::{Reason, Status};

/// Version of the lines this program writes. A file with a newer one is read as far as it goes and
/// never appended to.
///
/// 1: the first.
pub const FORMAT_VERSION: u32 = 1;

/// The ledger's file name, in the working directory of the project.
pub const LEDGER_FILE: &str = "experiments.jsonl";

/// Opens a session. pi-autoresearch reads the first five keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigLine {
    /// Always `config`.
    #[serde(rename = "type")]
    pub kind: ConfigTag,
    /// The session's name.
    pub name: String,
    /// The primary metric.
    #[serde(rename = "metricName")]
    pub metric_name: String,
    /// Its unit.
    #[serde(rename = "metricUnit")]
    pub metric_unit: String,
    /// `lower` or `higher`.
    #[serde(rename = "bestDirection")]
    pub best_direction: super::decision::Direction,
    /// [`FORMAT_VERSION`] of this and the following lines.
    pub format: u32,
    /// Unique id; names the refs `refs/autoresearch/<session>/<run>`.
    pub session: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// Full id of the commit the session started from; its scripts are the ones that run.
    pub start: String,
    /// Branch of kept commits, without `refs/heads/`.
    pub branch: String,
    /// SHA-256 over config and scripts; a session is continued only with the same.
    pub fingerprint: String,
    /// The version of this program.
    pub version: String,
    /// The config in force, defaults written out.
    pub config: Config,
    /// The machine.
    pub environment: Environment,
}

/// The `type` of a [`ConfigLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigTag {
    /// `config`.
    #[serde(rename = "config")]
    Config,
}

/// The `type` of a [`CalibrationLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CalibrationTag {
    /// `calibration`.
    #[serde(rename = "calibration")]
    Calibration,
}

/// The `type` of a [`RunLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunTag {
    /// `run`.
    #[serde(rename = "run")]
    Run,
}

/// The `type` of a [`ClaimLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimTag {
    /// `claim`.
    #[serde(rename = "claim")]
    Claim,
}

/// What a measurement depends on beside the code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Processor model.
    pub cpu: String,
    /// Logical processors.
    pub cores: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// Operating system.
    pub os: String,
    /// First line of `rustc --version`, where there is one.
    pub rustc: String,
    /// Environment variables that change builds, such as `RUSTFLAGS`.
    pub flags: BTreeMap<String, String>,
}

/// An A/A measurement: the incumbent built twice, one in each slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationLine {
    /// Always `calibration`.
    #[serde(rename = "type")]
    pub kind: CalibrationTag,
    /// [`FORMAT_VERSION`].
    pub format: u32,
    /// The session.
    pub session: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// The commit in both slots.
    pub commit: String,
    /// Seed of the coins.
    pub seed: u64,
    /// Executions of the script that make up one run, so that a run lasts at least 200 ms.
    pub repeats: u32,
    /// Median wall time of one run, milliseconds; the default deadline is ten times this.
    pub run_wall_ms: f64,
    /// The figures of the primary metric.
    pub primary: Calibration,
    /// The figures of each guard, by name.
    pub guards: BTreeMap<String, Calibration>,
    /// One-minute load average at the start.
    pub load: f64,
    /// The machine; another one is calibrated anew.
    pub environment: Environment,
    /// The pairs; here `parent` is what ran in slot 0 and `candidate` in slot 1.
    pub pairs: Vec<Pair>,
}

/// Where a candidate came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `ideas`, `tune`, `agent` or `try`.
    pub proposer: String,
    /// Id of the entry in `ideas.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idea: Option<String>,
    /// Knob settings, by knob.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub knobs: BTreeMap<String, String>,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLine {
    /// Always `run`.
    #[serde(rename = "type")]
    pub kind: RunTag,
    /// 1, 2, ... through the whole file.
    pub run: u64,
    /// First seven characters of the candidate's commit, or of the incumbent's when there is none.
    pub commit: String,
    /// The candidate's primary metric, median of its used runs; 0 when it has none, as in
    /// pi-autoresearch.
    pub metric: f64,
    /// The candidate's other metrics.
    pub metrics: BTreeMap<String, f64>,
    /// What became of it.
    pub status: Status,
    /// One line of the proposal's.
    pub description: String,
    /// Why it should be better: the rest of what the proposal says of itself, its lines kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hypothesis: String,
    /// Milliseconds since 1970, when it was recorded.
    pub timestamp: u64,
    /// Index of the session in the file, from 0.
    pub segment: u32,
    /// pi-autoresearch's advisory figure, |best kept - first| / MAD; never used here.
    pub confidence: Option<f64>,
    /// What the proposer wants remembered: hypothesis, rollback reason, next idea.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asi: Option<serde_json::Map<String, Value>>,
    /// [`FORMAT_VERSION`].
    pub format: u32,
    /// The session.
    pub session: String,
    /// Full id of the incumbent it was judged against.
    pub parent: String,
    /// Full id of the candidate's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Id of the candidate's tree: the same tree is not judged twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Ref that keeps the candidate reachable.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The reason with its particulars: which guard, which path, which line of output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The incumbent's primary metric, median of its used runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent: Option<f64>,
    /// The gain: of the fresh pairs when there was a confirmation, else of the screening (a
    /// description, never a claim).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Gain>,
    /// ln of the e-value when the screening ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ln_e: Option<f64>,
    /// Noise scale the screening began with, log units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Every pair, in order.
    pub pairs: Vec<Pair>,
    /// The guards, where the candidate came so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardResult>,
    /// Set when the script's own clock says better and the driver's says longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_report: Option<SelfReport>,
    /// The gate.
    pub gate: GateResult,
    /// Time spent.
    pub durations: Durations,
    /// Where it came from.
    pub origin: Origin,
    /// Seed of the coins: slots and order.
    pub seed: u64,
    /// One-minute load average when it was recorded.
    pub load: f64,
}

/// Proposer of a placebo: a no-op that the loop sends through itself.
pub const PLACEBO: &str = "placebo";

impl RunLine {
    /// Whether it is a no-op that the loop sent through to test itself.
    pub fn is_placebo(&self) -> bool {
        self.origin.proposer == PLACEBO
    }
}

/// The end-to-end measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimLine {
    /// Always `claim`.
    #[serde(rename = "type")]
    pub kind: ClaimTag,
    /// [`FORMAT_VERSION`].
    pub format: u32,
    /// The session.
    pub session: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// The session's start.
    pub start: String,
    /// Its head.
    pub head: String,
    /// Kept commits between them.
    pub kept: u32,
    /// The gain of head over start.
    pub estimate: Gain,
    /// The same for the driver's wall time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<Gain>,
    /// The same for wall time without the waiting for a processor, where that is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_adj: Option<Gain>,
    /// Sum of the kept commits' own estimates, log units.
    pub sum_of_steps_log: f64,
    /// Whether that sum lies further from the measured gain than both intervals allow.
    pub steps_do_not_add_up: bool,
    /// Seed of the coins.
    pub seed: u64,
    /// The pairs.
    pub pairs: Vec<Pair>,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Opens a session.
    Config(Box<ConfigLine>),
    /// An A/A measurement.
    Calibration(Box<CalibrationLine>),
    /// One candidate.
    Run(Box<RunLine>),
    /// An end-to-end measurement.
    Claim(Box<ClaimLine>),
    /// A kept commit left out.
    Ablation(Box<AblationLine>),
    /// Damaged lines were here.
    Repair(Box<RepairLine>),
}

impl Line {
    /// The line's text, without a newline.
    pub fn encode(&self) -> String {
        let encoded = match self {
            Self::Config(line) => serde_json::to_string(line),
            Self::Calibration(line) => serde_json::to_string(line),
            Self::Run(line) => serde_json::to_string(line),
            Self::Claim(line) => serde_json::to_string(line),
            Self::Ablation(line) => serde_json::to_string(line),
            Self::Repair(line) => serde_json::to_string(line),
        };
        encoded.expect("records hold finite numbers and string keys only")
    }
}
