//! `autoresearch.config.json`: its text to a checked [`Config`].
//!
//! `maxIterations` and `workingDir` are spelled and mean what they do in pi-autoresearch; every
//! other key is ours. A key this version does not know is an error that names the nearest known
//! one: a misspelt `min_efect` must never silently become the default.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config_explain::explain;
pub use super::config_names::is_branch_component;
use super::config_names::is_inside;
use super::config_parts::{
    AgentSpec, GuardSpec, Knob, MetricSpec, ProposerName, SelfReportRule, Timeouts,
};
use super::config_protected::{ALWAYS_PROTECTED, DEFAULT_PROTECTED};
use super::config_sandbox::{MetricLines, SandboxMode};
use super::decision::Params;
use super::hooks::Hooks;
use super::limits::Limits;
use crate::error::{Error, Result};

/// The file's name, at the root of the project it configures.
pub const CONFIG_FILE: &str = "autoresearch.config.json";

/// The whole configuration of a session. See `docs/config.md` for a commented example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Path or URL of this file's JSON Schema, for editors; not read.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,

    /// Names the branch of kept commits, `autoresearch/<name>`. Lowercase letters, digits, `-`,
    /// `_` and `.`; the repository directory's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// Iterations of one `run` when `--max-iterations` is not given.
    #[serde(
        rename = "maxIterations",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub max_iterations: Option<u32>,

    /// Directory, relative to this file, that holds `autoresearch.sh` and in which it runs.
    #[serde(
        rename = "workingDir",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub working_dir: Option<String>,

    /// The metric to improve.
    pub metric: MetricSpec,

    /// Metrics that must not get worse than their tolerance.
    #[serde(default)]
    pub guards: Vec<GuardSpec>,

    /// The smallest gain worth finding, percent of the metric in log units; above 0, to 50.
    #[serde(default = "default_min_effect_percent")]
    pub min_effect_percent: f64,

    /// Proved bound on false keeps per 200 candidates without effect; 0.01 to 20. Fewer
    /// costs more benchmark runs a candidate.
    #[serde(default = "default_false_keeps")]
    pub false_keeps_per_200: f64,

    /// Most screening pairs spent on one candidate; 8 to 1000. (Eight is the fewest with which
    /// anything can be kept at one false keep per 200.)
    #[serde(default = "default_max_pairs")]
    pub max_pairs: u32,

    /// Every how many candidates one is a placebo: the incumbent itself, sent through as if it were
    /// new. It must not come through; how many did is in every summary. 0 is never; else at least 2.
    #[serde(default = "default_placebo_every")]
    pub placebo_every: u32,

    /// Shortest benchmark run, milliseconds; 0 to 60000. A shorter script is run several times in a
    /// row and the mean of its metrics counts as one run.
    #[serde(default = "default_min_run_ms")]
    pub min_run_ms: f64,

    /// What to do when the metric is a time that the script measures itself, and says better while
    /// the driver's clock says that the whole process took longer.
    #[serde(default)]
    pub self_report: SelfReportRule,

    /// Name of an environment variable that holds a fresh random whole number in confirmation and
    /// end-to-end runs, the same for both sides of a pair, and is not set in any other run. A script
    /// that takes its inputs from it shows up candidates that only fit the usual inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_out_env: Option<String>,

    /// Command that builds a checkout before it is measured, as program and arguments. Without
    /// it the discarded warm-up pair does the building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Vec<String>>,

    /// Globs, relative to the repository root, of the built files. When all are the same on both
    /// sides the candidate is `no_change` and costs no benchmark run.
    #[serde(default)]
    pub artifacts: Vec<String>,

    /// Deadlines of the children.
    #[serde(default)]
    pub timeouts: Timeouts,

    /// When a run ends by itself, beside its iterations.
    #[serde(default)]
    pub limits: Limits,

    /// Globs, relative to the repository root, of the paths a candidate may change.
    #[serde(default = "default_scope")]
    pub scope: Vec<String>,

    /// Globs no candidate may change, beside [`DEFAULT_PROTECTED`].
    #[serde(default)]
    pub protected: Vec<String>,

    /// Whether [`DEFAULT_PROTECTED`] applies. The scripts, config, ideas and ledger stay
    /// protected even when this is false.
    #[serde(default = "default_true")]
    pub protected_defaults: bool,

    /// Where candidates come from, in this order.
    #[serde(default = "default_proposers")]
    pub proposers: Vec<ProposerName>,

    /// The agent that proposer `agent` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,

    /// Named constants that `tune` and `knob:` ideas may change.
    #[serde(default)]
    pub knobs: Vec<Knob>,

    /// What keeps benchmark, gate and build from writing anywhere but into their own worktree and a
    /// private temporary directory.
    #[serde(default)]
    pub sandbox: SandboxMode,

    /// Whether they may use the network. Only a sandbox can take it away.
    #[serde(default)]
    pub network: bool,

    /// Which METRIC and DIGEST lines count.
    #[serde(default)]
    pub metric_lines: MetricLines,

    /// Address space of each process of benchmark, gate and build, MiB; 64 or more. No limit when
    /// absent. Runtimes that reserve much more than they use (Go, Java, Node) need a high one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,

    /// Programs called before and after each candidate.
    #[serde(default)]
    pub hooks: Hooks,

    /// Whether each kept commit is profiled after it was recorded, as `autoresearch profile` does.
    #[serde(default)]
    pub profile_kept: bool,

    /// Environment variables, as globs such as `MYAPP_*`, that children see beside the default
    /// list (see `docs/config.md`). Everything else is removed.
    #[serde(default)]
    pub env_allow: Vec<String>,
}

fn default_min_effect_percent() -> f64 {
    1.0
}
fn default_false_keeps() -> f64 {
    1.0
}
fn default_max_pairs() -> u32 {
    60
}
fn default_placebo_every() -> u32 {
    25
}
fn default_min_run_ms() -> f64 {
    1e3 * super::decision::RUN_SECONDS_MIN
}
fn default_scope() -> Vec<String> {
    vec!["**".to_owned()]
}
fn default_true() -> bool {
    true
}
fn default_proposers() -> Vec<ProposerName> {
    vec![ProposerName::Ideas, ProposerName::Tune]
}

impl Config {
    /// Parses and checks `text`; `origin` names the file in errors.
    ///
    /// # Errors
    /// Not JSON, an unknown key, a value of the wrong type or out of range, each with its place.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let config = Self::deserialize(&mut deserializer)
            .and_then(|config| deserializer.end().map(|()| config))
            .map_err(|error| explain(&error, text, origin))?;
        config.check(origin)?;
        let needed = config.params().keep_pairs_min();
        if (config.max_pairs as usize) < needed {
            let (most, bound) = (config.max_pairs, config.false_keeps_per_200);
            return Err(Error::usage(format!(
                "{origin}: `max_pairs` is {most}; with {bound} false keeps per 200 nothing can be kept in fewer than {needed} pairs"
            ))
            .hint(format!("raise `max_pairs` to {needed}, or `false_keeps_per_200`")));
        }
        Ok(config)
    }

    /// The decision rule's parameters for this config.
    pub fn params(&self) -> Params {
        let mut params = Params::with_false_keeps_per_200(self.false_keeps_per_200)
            .expect("the range was checked when the config was read");
        params.min_effect = (1.0 + self.min_effect_percent / 100.0).ln();
        params.cap_pairs = self.max_pairs as usize;
        params.placebo_every = self.placebo_every as usize;
        params
    }

    /// The protected globs in force.
    pub fn protected_globs(&self) -> Vec<String> {
        let defaults: &[&str] = if self.protected_defaults {
            DEFAULT_PROTECTED
        } else {
            &[]
        };
        ALWAYS_PROTECTED
            .iter()
            .chain(defaults)
            .map(|glob| (*glob).to_owned())
            .chain(self.protected.iter().cloned())
            .collect()
    }

    /// Checks the ranges that types cannot say, of a ledger's config as well; `origin` names the place.
    pub(super) fn check(&self, origin: &str) -> Result<()> {
        let fail = |field: &str, problem: String| {
            Err(Error::usage(format!("{origin}: `{field}` {problem}")))
        };
        if let Some(name) = &self.name
            && !is_branch_component(name)
        {
            return fail(
                "name",
                format!("is {name:?}; use lowercase letters, digits, '-', '_' and '.'"),
            );
        }
        if self.max_iterations == Some(0) {
            return fail("maxIterations", "is 0; it must be at least 1".to_owned());
        }
        in_range(self.min_effect_percent, 0.0, 50.0)
            .or_else(|problem| fail("min_effect_percent", problem))?;
        if !(0.01..=20.0).contains(&self.false_keeps_per_200) {
            let value = self.false_keeps_per_200;
            return fail("false_keeps_per_200", format!("is {value}; use 0.01 to 20"));
        }
        if !(8..=1000).contains(&self.max_pairs) {
            return fail("max_pairs", format!("is {}; use 8 to 1000", self.max_pairs));
        }
        if self.placebo_every == 1 {
            return fail(
                "placebo_every",
                "is 1, so every candidate would be a placebo; use 0 for none or at least 2"
                    .to_owned(),
            );
        }
        if !(0.0..=60_000.0).contains(&self.min_run_ms) {
            return fail(
                "min_run_ms",
                format!("is {}; use 0 to 60000", self.min_run_ms),
            );
        }
        if let Some(memory) = self.memory_mib.filter(|memory| *memory < 64) {
            return fail("memory_mib", format!("is {memory}; use 64 or more"));
        }
        if self.scope.is_empty() {
            return fail(
                "scope",
                "is empty, so no candidate could change anything; use [\"**\"] for every file"
                    .to_owned(),
            );
        }
        if self.proposers.is_empty() {
            return fail("proposers", "is empty".to_owned());
        }
        if self.build.as_ref().is_some_and(Vec::is_empty) {
            return fail("build", "is an empty command".to_owned());
        }
        if self.build.is_none() && !self.artifacts.is_empty() {
            return fail(
                "artifacts",
                "needs a `build`, the command that makes them".to_owned(),
            );
        }
        if let Some(name) = &self.hold_out_env
            && let Err(problem) = super::config_names::check_hold_out_name(name)
        {
            return fail("hold_out_env", problem);
        }
        if let Some(delta) = self.metric.min_delta
            && !(delta.is_finite() && delta >= 0.0)
        {
            return fail(
                "metric.min_delta",
                format!("is {delta}; it must be at least 0"),
            );
        }
        self.check_names(origin)?;
        self.metric
            .check_parts()
            .or_else(|(field, problem)| fail(&field, problem))?;
        self.timeouts
            .check()
            .and_then(|()| self.limits.check())
            .and_then(|()| self.hooks.check())
            .or_else(|(field, problem)| fail(&field, problem))?;
        if let Some(agent) = &self.agent {
            agent.check().or_else(|problem| fail("agent", problem))?;
        }
        for (index, knob) in self.knobs.iter().enumerate() {
            knob.check()
                .or_else(|problem| fail(&format!("knobs[{index}]"), problem))?;
        }
        self.check_globs(origin)?;
        if let Some(dir) = &self.working_dir
            && !is_inside(dir)
        {
            return fail(
                "workingDir",
                format!("is {dir:?}; it must be a relative path inside the repository"),
            );
        }
        Ok(())
    }

    /// Every glob can be compiled.
    fn check_globs(&self, origin: &str) -> Result<()> {
        for (field, globs) in [
            ("scope", &self.scope),
            ("protected", &self.protected),
            ("artifacts", &self.artifacts),
            ("env_allow", &self.env_allow),
        ] {
            for (index, glob) in globs.iter().enumerate() {
                if let Err(error) = globset::Glob::new(glob) {
                    return Err(Error::usage(format!(
                        "{origin}: `{field}[{index}]` is no glob: {error}"
                    )));
                }
            }
            // Globs that cannot be compiled together would protect nothing.
            if let Err(error) = super::scope::compile(globs) {
                return Err(Error::usage(format!(
                    "{origin}: `{field}` is too much to compile: {error}"
                ))
                .hint("use fewer or shorter globs, such as `src/**`"));
            }
        }
        Ok(())
    }

    /// Metric names are valid and distinct, tolerances in range, knob names distinct.
    fn check_names(&self, origin: &str) -> Result<()> {
        let fail = |field: String, problem: String| {
            Err(Error::usage(format!("{origin}: `{field}` {problem}")))
        };
        let mut seen = BTreeSet::new();
        let metrics = std::iter::once(("metric".to_owned(), self.metric.name.as_str())).chain(
            self.guards
                .iter()
                .enumerate()
                .map(|(index, guard)| (format!("guards[{index}].name"), guard.name.as_str())),
        );
        for (field, name) in metrics {
            if let Err(problem) = super::config_names::check_metric_name(name) {
                return fail(field, problem);
            }
            if !seen.insert(name) {
                return fail(field, format!("names {name:?} a second time"));
            }
        }
        for (index, guard) in self.guards.iter().enumerate() {
            if let Some(percent) = guard.tolerance_percent
                && !(0.0..100.0).contains(&percent)
            {
                return fail(
                    format!("guards[{index}].tolerance_percent"),
                    format!("is {percent}; it must be at least 0 and below 100"),
                );
            }
        }
        let mut knobs = BTreeSet::new();
        for (index, knob) in self.knobs.iter().enumerate() {
            if !knobs.insert(knob.name.as_str()) {
                return fail(
                    format!("knobs[{index}].name"),
                    format!("names {:?} a second time", knob.name),
                );
            }
        }
        Ok(())
    }
}

/// Above `low` and at most `high`; the error reads on from "`field` ".
fn in_range(value: f64, low: f64, high: f64) -> std::result::Result<(), String> {
    if value > low && value <= high {
        Ok(())
    } else {
        Err(format!(
            "is {value}; it must be above {low} and at most {high}"
        ))
    }
}

/// The JSON Schema of the file, as checked in at `docs/config.schema.json`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Config);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
