//! The parts of [`Config`](super::config::Config): metric, guards, timeouts, agent and knobs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize};

pub use super::config_metric::MetricPart;
use super::config_sandbox::SandboxMode;
use super::decision::Direction;
pub use super::driver_metrics::{DRIVER_PREFIX, DRIVER_WALL};

/// The primary metric: a name alone (`"metric": "total_ms"`, lower is better) or an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSpec {
    /// Name in the script's `METRIC name=value` lines, or one of the driver's (`driver.wall_ms`).
    pub name: String,
    /// Unit for people, such as `ms`; never parsed.
    pub unit: String,
    /// Which way is better.
    pub direction: Direction,
    /// Whether 0 is a real value. Without it 0 and less are a crash: a broken benchmark that
    /// prints 0 must not win. With it values are compared as ln(1 + value).
    pub allow_zero: bool,
    /// Smallest gain kept of an exact metric, in its unit; 1 when absent. Not used of noisy ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_delta: Option<f64>,
    /// When not empty, the metric is the weighted geometric mean of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<MetricPart>,
}

/// The object form, for serde and the schema; [`MetricSpec`] also accepts a bare name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MetricObject {
    /// Name in the script's `METRIC name=value` lines, or one of the driver's (`driver.wall_ms`).
    name: String,
    /// Unit for people, such as `ms`; never parsed.
    #[serde(default)]
    unit: String,
    /// Which way is better.
    #[serde(default)]
    direction: Direction,
    /// Whether 0 is a real value. Without it 0 and less are a crash: a broken benchmark that
    /// prints 0 must not win. With it values are compared as ln(1 + value).
    #[serde(default)]
    allow_zero: bool,
    /// Smallest gain kept of an exact metric, in its unit; 1 when absent. Not used of noisy ones.
    #[serde(default)]
    min_delta: Option<f64>,
    /// Makes `name` a composite: the weighted geometric mean of these metrics, each of which is a
    /// guard as well. Two or more.
    #[serde(default)]
    parts: Vec<MetricPart>,
}

impl JsonSchema for MetricSpec {
    fn schema_name() -> Cow<'static, str> {
        "MetricSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The primary metric: a name alone (lower is better) or an object.",
            "anyOf": [
                { "type": "string" },
                MetricObject::json_schema(generator),
            ],
        })
    }
}

impl<'de> Deserialize<'de> for MetricSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;
        impl<'de> Visitor<'de> for NameOrObject {
            type Value = MetricSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a metric name or an object with `name`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<MetricSpec, E> {
                Ok(MetricSpec {
                    name: name.to_owned(),
                    unit: String::new(),
                    direction: Direction::default(),
                    allow_zero: false,
                    min_delta: None,
                    parts: Vec::new(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetricSpec, A::Error> {
                let object = MetricObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MetricSpec {
                    name: object.name,
                    unit: object.unit,
                    direction: object.direction,
                    allow_zero: object.allow_zero,
                    min_delta: object.min_delta,
                    parts: object.parts,
                })
            }
        }
        deserializer.deserialize_any(NameOrObject)
    }
}

/// What to do about a script whose own clock disagrees with the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SelfReportRule {
    /// The candidate is dropped.
    #[default]
    Block,
    /// It is recorded and does not decide.
    Warn,
    /// Nothing is compared.
    Off,
}

/// A metric measured in the same pairs that must not get worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardSpec {
    /// Name in the script's `METRIC` lines, or one of the driver's.
    pub name: String,
    /// Unit for people.
    #[serde(default)]
    pub unit: String,
    /// Which way is better.
    #[serde(default)]
    pub direction: Direction,
    /// How much worse is still accepted, percent; from 0 to below 100. When absent, 5 for a noisy metric and 0
    /// for an exact one. A noisy guard's tolerance is never below its own pair noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_percent: Option<f64>,
    /// As for the primary metric.
    #[serde(default)]
    pub allow_zero: bool,
}

/// Deadlines in seconds; a child that passes one is killed with its whole group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// One run of `autoresearch.sh` before a baseline is known; afterwards ten times the
    /// incumbent's median, at least 5 s, and never more than this.
    pub benchmark_s: f64,
    /// The build command.
    pub build_s: f64,
    /// One run of `autoresearch.checks.sh`.
    pub checks_s: f64,
    /// One run of the agent.
    pub propose_s: f64,
    /// Benchmark time spent on screening one candidate. When it is over, the candidate is dropped
    /// as inconclusive: the evidence needed never shrinks. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_s: Option<f64>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            benchmark_s: 600.0,
            build_s: 1800.0,
            checks_s: 900.0,
            propose_s: 1800.0,
            candidate_s: None,
        }
    }
}

impl Timeouts {
    /// Every deadline is positive and at most a week.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        for (field, value) in [
            ("benchmark_s", self.benchmark_s),
            ("build_s", self.build_s),
            ("checks_s", self.checks_s),
            ("propose_s", self.propose_s),
            ("candidate_s", self.candidate_s.unwrap_or(1.0)),
        ] {
            if !(value > 0.0 && value <= 604_800.0) {
                return Err((
                    format!("timeouts.{field}"),
                    format!("is {value}; it must be above 0 and at most 604800 seconds"),
                ));
            }
        }
        Ok(())
    }
}

/// Where candidates come from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum ProposerName {
    /// Patches and knob sweeps in `ideas.md`.
    Ideas,
    /// A search over the declared knobs.
    Tune,
    /// Any command that edits the worktree it is started in.
    Agent,
}

impl ProposerName {
    /// The name in config and ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ideas => "ideas",
            Self::Tune => "tune",
            Self::Agent => "agent",
        }
    }
}

/// The agent: a preset of a known CLI, or any command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// A known agent CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<AgentPreset>,
    /// Program and arguments; `{prompt_file}`, `{brief_file}` and `{prompt}` are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Extra arguments after a preset's own.
    #[serde(default)]
    pub args: Vec<String>,
    /// What keeps it in; as `sandbox` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxMode>,
    /// Whether it may use the network.
    #[serde(default = "default_true")]
    pub network: bool,
    /// Files and directories beside its worktree and a temporary directory that it may write, absolute
    /// or beginning with `~/`; those that do not exist are skipped. A preset adds the places in which its
    /// CLI keeps its own state.
    #[serde(default)]
    pub writable: Vec<String>,
}

fn default_true() -> bool {
    true
}

/// Agent CLIs whose unattended invocation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentPreset {
    /// Anthropic's Claude Code.
    Claude,
    /// OpenAI's Codex CLI.
    Codex,
    /// Google's Gemini CLI.
    Gemini,
    /// Aider.
    Aider,
    /// opencode.
    Opencode,
    /// The pi coding agent.
    Pi,
}

impl AgentSpec {
    /// Exactly one of preset and command.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.preset, &self.command) {
            (Some(_), None) => Ok(()),
            (None, Some(command)) if command.first().is_some_and(|program| !program.is_empty()) => {
                Ok(())
            }
            (None, Some(_)) => Err("has an empty `command`".to_owned()),
            (Some(_), Some(_)) => Err("has both `preset` and `command`; give one".to_owned()),
            (None, None) => Err("needs `preset` or `command`".to_owned()),
        }?;
        let is_place = |path: &&String| path.starts_with('/') || path.starts_with("~/");
        match self.writable.iter().find(|path| !is_place(path)) {
            Some(path) => Err(format!(
                "has {path:?} in `writable`, which begins with neither `/` nor `~/`"
            )),
            None => Ok(()),
        }
    }
}

/// A value in the source that may be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Knob {
    /// Name in ideas, ledger and log.
    pub name: String,
    /// File, relative to the repository root.
    pub file: String,
    /// A Rust, Go, C or JavaScript constant: `const NAME: T = value;`, `const NAME = value`,
    /// `static NAME`, `#define NAME value`.
    #[serde(rename = "const", default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// Instead of `const`: a line with `{value}` where the value stands, such as
    /// `opt-level = {value}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The values to try, as they stand in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<KnobValue>>,
    /// Instead of `values`: a numeric range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<KnobRange>,
}

/// A number or a text, written into the source as it stands here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct KnobValue(pub String);

impl JsonSchema for KnobValue {
    fn schema_name() -> Cow<'static, str> {
        "KnobValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number or a text, written into the source as it stands here.",
            "type": ["string", "number", "boolean"],
        })
    }
}

impl<'de> Deserialize<'de> for KnobValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match value {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            serde_json::Value::Bool(flag) => Ok(Self(flag.to_string())),
            other => Err(de::Error::custom(format!(
                "a knob value is a number, a text or a boolean, not {other}"
            ))),
        }
    }
}

/// The numbers a knob may take, both ends included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnobRange {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Distance of neighbours on the linear scale; 1 when absent. Not used on `log2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// How neighbours are spaced.
    #[serde(default)]
    pub scale: KnobScale,
}

/// Spacing of a [`KnobRange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KnobScale {
    /// `min`, `min + step`, ...
    #[default]
    Linear,
    /// `min`, `2 min`, `4 min`, ..., and `max`.
    Log2,
}

impl Knob {
    /// One way to find the value, one set of values, at least two of them.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("has an empty `name`".to_owned());
        }
        match (&self.constant, &self.pattern) {
            (Some(_), Some(_)) => return Err("has both `const` and `pattern`; give one".to_owned()),
            (None, None) => return Err("needs `const` or `pattern`".to_owned()),
            (None, Some(pattern)) if pattern.matches("{value}").count() != 1 => {
                return Err(format!(
                    "has the pattern {pattern:?}, which needs `{{value}}` once"
                ));
            }
            _ => {}
        }
        match (&self.values, &self.range) {
            (Some(_), Some(_)) => return Err("has both `values` and `range`; give one".to_owned()),
            (None, None) => return Err("needs `values` or `range`".to_owned()),
            (Some(values), None) if values.len() < 2 => {
                return Err("needs at least two `values`".to_owned());
            }
            (None, Some(range)) => range.check()?,
            _ => {}
        }
        Ok(())
    }
}

impl KnobRange {
    fn check(&self) -> Result<(), String> {
        let finite = self.min.is_finite() && self.max.is_finite();
        if !finite || self.min >= self.max {
            return Err(format!(
                "has the range {} to {}; `min` must be below `max`",
                self.min, self.max
            ));
        }
        if self
            .step
            .is_some_and(|step| !(step.is_finite() && step > 0.0))
        {
            return Err("has a `step` that is not above 0".to_owned());
        }
        if self.scale == KnobScale::Log2 && self.min <= 0.0 {
            return Err(format!(
                "has a log2 range from {}; `min` must be above 0",
                self.min
            ));
        }
        Ok(())
    }
}
