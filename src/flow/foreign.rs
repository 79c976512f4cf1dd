//! Logs of the programs whose users come here: pi-autoresearch, codex-autoresearch, labloop, and
//! karpathy/autoresearch's `results.tsv`. They are read, never written.
//!
//! Their own readers forgive: pi-autoresearch takes an unknown status for a keep and a missing
//! metric for 0, which wins whenever lower is better. Here both are errors. Keys that are not
//! known are theirs to add and ignored; a known key of the wrong type is an error.

mod table;

pub(crate) use table::Table;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::decision::Direction;
use super::entry::{Entry, Segment, Source};
use super::ledger::Place;
use super::record::{Reason, Status};
use crate::error::Result;

/// The statuses of pi-autoresearch, codex-autoresearch and ours.
pub(crate) const STATUSES: [Status; 4] = [
    Status::Keep,
    Status::Discard,
    Status::Crash,
    Status::ChecksFailed,
];

/// Commit ids of codex-autoresearch have this many characters, those of pi-autoresearch seven.
const CODEX_COMMIT_CHARS: usize = 12;

/// What a foreign line says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Foreign {
    /// A hook ran, or something else that is no experiment.
    Skipped,
    /// A segment opens.
    Config(ForeignConfig),
    /// An experiment; its segment is the reader's to fill in.
    Run(Box<Entry>),
}

/// A foreign config line; what it does not say stays as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ForeignConfig {
    name: Option<String>,
    metric_name: Option<String>,
    metric_unit: Option<String>,
    direction: Option<Direction>,
    /// Whether it has keys that only codex-autoresearch writes.
    pub(crate) is_codex: bool,
}

impl ForeignConfig {
    /// The segment it opens after `before`.
    pub(crate) fn into_segment(self, index: u32, before: Segment) -> Segment {
        Segment {
            index,
            name: self.name.unwrap_or(before.name),
            metric_name: self.metric_name.unwrap_or(before.metric_name),
            metric_unit: self.metric_unit.unwrap_or(before.metric_unit),
            direction: self.direction.unwrap_or(before.direction),
            session: None,
        }
    }
}

/// One foreign line as JSON; `is_codex` says what the lines before it were.
pub(crate) fn decode(
    keys: &Map<String, Value>,
    is_codex: bool,
    place: Place<'_>,
) -> Result<Foreign> {
    if keys.contains_key("session") || keys.contains_key("pairs") {
        return Err(place.error("missing field `format`"));
    }
    if keys.contains_key("outcome") {
        return labloop_trial(keys, place);
    }
    if keys.contains_key("manifest") {
        return labloop_manifest(keys, place);
    }
    if keys.contains_key("fork") {
        return Ok(Foreign::Skipped);
    }
    if keys.contains_key("run") {
        return pi_run(keys, is_codex, place);
    }
    match text(keys, "type", place)?.as_deref() {
        Some("config") => pi_config(keys, place).map(Foreign::Config),
        Some("hook") => Ok(Foreign::Skipped),
        Some(other) => Err(place.unknown("type", other, &["config", "hook", "run"])),
        None => {
            Err(place
                .unlike_a_ledger("neither a run (no `run`) nor a config or hook line (no `type`)"))
        }
    }
}

/// A line of a newer format of ours: the keys shared with pi-autoresearch keep their meanings.
/// `None` for a line that has none of them.
pub(crate) fn newer(
    keys: &Map<String, Value>,
    format: u32,
    place: Place<'_>,
) -> Result<Option<Foreign>> {
    if keys.contains_key("run") {
        let Foreign::Run(mut entry) = pi_run(keys, false, place).map_err(|error| {
            error.hint(format!(
                "the line has format {format}, which this program does not know; update autoresearch"
            ))
        })?
        else {
            return Ok(None);
        };
        entry.source = Source::Newer { format };
        return Ok(Some(Foreign::Run(entry)));
    }
    match text(keys, "type", place)?.as_deref() {
        Some("config") => {
            let mut config = pi_config(keys, place)?;
            config.is_codex = false;
            Ok(Some(Foreign::Config(config)))
        }
        Some(_) | None => Ok(None),
    }
}

fn pi_config(keys: &Map<String, Value>, place: Place<'_>) -> Result<ForeignConfig> {
    let direction = match text(keys, "bestDirection", place)?.as_deref() {
        None => None,
        Some("lower") => Some(Direction::Lower),
        Some("higher") => Some(Direction::Higher),
        Some(other) => return Err(place.unknown("bestDirection", other, &["lower", "higher"])),
    };
    let codex_keys = ["segmentReason", "measurementGate", "timestamp"];
    Ok(ForeignConfig {
        name: text(keys, "name", place)?,
        metric_name: text(keys, "metricName", place)?,
        metric_unit: text(keys, "metricUnit", place)?,
        direction,
        is_codex: codex_keys.iter().any(|key| keys.contains_key(*key)),
    })
}

fn pi_run(keys: &Map<String, Value>, is_codex: bool, place: Place<'_>) -> Result<Foreign> {
    let run = whole(keys, "run", place)?.ok_or_else(|| place.error("`run`: null is no number"))?;
    let status = status(keys, place)?;
    let logged = number(keys, "metric", place)?;
    let metric = match (status, logged) {
        (Status::Keep, None) => return Err(place.error("a keep without `metric`")),
        (Status::Crash, Some(0.0)) => None,
        (Status::Keep | Status::Discard | Status::Crash | Status::ChecksFailed, logged) => logged,
    };
    let commit = text(keys, "commit", place)?.unwrap_or_default();
    let is_null = keys.get("metric").is_some_and(Value::is_null);
    let source = if is_codex || is_null || commit.len() >= CODEX_COMMIT_CHARS {
        Source::Codex
    } else {
        Source::Pi
    };
    Ok(Foreign::Run(Box::new(Entry {
        run,
        status,
        reason: None,
        commit,
        metric,
        metrics: metrics(keys, place)?,
        description: text(keys, "description", place)?.unwrap_or_default(),
        timestamp_ms: whole(keys, "timestamp", place)?,
        segment: 0,
        confidence: number(keys, "confidence", place)?,
        asi: match keys.get("asi") {
            None | Some(Value::Null) => None,
            Some(Value::Object(asi)) => Some(asi.clone()),
            Some(other) => return Err(wrong_type("asi", other, "object", place)),
        },
        source,
    })))
}

fn status(keys: &Map<String, Value>, place: Place<'_>) -> Result<Status> {
    let given =
        text(keys, "status", place)?.ok_or_else(|| place.error("missing field `status`"))?;
    parse_status(&given, place)
}

/// The status of this name.
fn parse_status(given: &str, place: Place<'_>) -> Result<Status> {
    STATUSES
        .into_iter()
        .find(|status| status.as_str() == given)
        .ok_or_else(|| place.unknown("status", given, &STATUSES.map(Status::as_str)))
}

/// What labloop's outcomes are called here.
const LABLOOP_OUTCOMES: [(&str, Status, Option<Reason>); 9] = [
    ("kept", Status::Keep, None),
    ("reverted", Status::Discard, None),
    ("no_change", Status::Discard, Some(Reason::NoChange)),
    ("failed", Status::Crash, None),
    ("timed_out", Status::Crash, Some(Reason::Timeout)),
    ("no_metric", Status::Crash, Some(Reason::BadMetric)),
    ("not_finite", Status::Crash, Some(Reason::BadMetric)),
    ("harness_changed", Status::ChecksFailed, Some(Reason::Drift)),
    ("interrupted", Status::Crash, None),
];

fn labloop_trial(keys: &Map<String, Value>, place: Place<'_>) -> Result<Foreign> {
    let outcome = text(keys, "outcome", place)?.unwrap_or_default();
    let (_, status, reason) = LABLOOP_OUTCOMES
        .into_iter()
        .find(|(word, _, _)| *word == outcome)
        .ok_or_else(|| {
            place.unknown(
                "outcome",
                &outcome,
                &LABLOOP_OUTCOMES.map(|(word, _, _)| word),
            )
        })?;
    let metric = number(keys, "metric", place)?;
    if status == Status::Keep && metric.is_none() {
        return Err(place.error("a kept trial without `metric`"));
    }
    let run = whole(keys, "index", place)?.ok_or_else(|| place.error("missing field `index`"))?;
    Ok(Foreign::Run(Box::new(Entry {
        run,
        status,
        reason,
        commit: text(keys, "commit", place)?.unwrap_or_default(),
        metric,
        metrics: BTreeMap::new(),
        description: text(keys, "note", place)?.unwrap_or_default(),
        timestamp_ms: None,
        segment: 0,
        confidence: None,
        asi: None,
        source: Source::Labloop,
    })))
}

fn labloop_manifest(keys: &Map<String, Value>, place: Place<'_>) -> Result<Foreign> {
    let direction = match text(keys, "goal", place)?.as_deref() {
        None => None,
        Some("min" | "minimize" | "lower") => Some(Direction::Lower),
        Some("max" | "maximize" | "higher") => Some(Direction::Higher),
        Some(other) => return Err(place.unknown("goal", other, &["minimize", "maximize"])),
    };
    Ok(Foreign::Config(ForeignConfig {
        name: text(keys, "label", place)?,
        metric_name: text(keys, "metric", place)?,
        metric_unit: None,
        direction,
        is_codex: false,
    }))
}

fn metrics(keys: &Map<String, Value>, place: Place<'_>) -> Result<BTreeMap<String, f64>> {
    let given = match keys.get("metrics") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(given)) => given,
        Some(other) => return Err(wrong_type("metrics", other, "object", place)),
    };
    let mut metrics = BTreeMap::new();
    for (name, value) in given {
        match value {
            Value::Null => {}
            Value::Number(number) => {
                metrics.extend(number.as_f64().map(|value| (name.clone(), value)));
            }
            other => {
                return Err(wrong_type(
                    &format!("metrics.{name}"),
                    other,
                    "number",
                    place,
                ));
            }
        }
    }
    Ok(metrics)
}

fn text(keys: &Map<String, Value>, key: &str, place: Place<'_>) -> Result<Option<String>> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong_type(key, other, "string", place)),
    }
}

fn number(keys: &Map<String, Value>, key: &str, place: Place<'_>) -> Result<Option<f64>> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(other) => Err(wrong_type(key, other, "number", place)),
    }
}

/// A whole number from 0 to 2^53 - 1; JavaScript also writes it as `3.0` or `1.7e12`. What is larger
/// may have been rounded, so it is nobody's number.
fn whole(keys: &Map<String, Value>, key: &str, place: Place<'_>) -> Result<Option<u64>> {
    /// 2^53 - 1, up to which no two whole numbers are one `f64`.
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    let Some(value) = number(keys, key, place)? else {
        return Ok(None);
    };
    if (0.0..=EXACT_MAX).contains(&value) && value.fract() == 0.0 {
        Ok(Some(value as u64))
    } else {
        Err(place.error(format!(
            "`{key}`: {value} is no whole number from 0 to 2^53 - 1"
        )))
    }
}

fn wrong_type(key: &str, value: &Value, expected: &str, place: Place<'_>) -> crate::error::Error {
    let mut shown = value.to_string();
    if shown.chars().count() > 40 {
        shown = shown.chars().take(39).chain(['…']).collect();
    }
    place.error(format!("`{key}`: {shown} is no {expected}"))
}

#[cfg(test)]
mod tests;
