//! One line's text to a [`Line`], strictly.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::place::Place;
use crate::error::{Error, Result};
use crate::flow::record::{ConfigLine, FORMAT_VERSION, Line, Reason, RunLine, Status};

/// What one line is, before anything is known of the lines around it.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// One of ours.
    Line(Line),
    /// One of ours in a newer format, as plain JSON.
    Newer {
        /// Its `format`.
        format: u32,
        /// All of it.
        keys: Map<String, Value>,
    },
    /// An object without `format`: another program's.
    Foreign(Map<String, Value>),
}

/// The keys that say how to read the rest.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type", default)]
    kind: Option<Value>,
    #[serde(default)]
    format: Option<Value>,
}

/// The `type`s of our lines.
const TYPES: &[&str] = &[
    "config",
    "calibration",
    "run",
    "claim",
    "ablation",
    "repair",
];

/// Decodes the text of line `number` of the file `origin`, without its newline.
///
/// A line with a `format` is ours and read strictly: every key must be known, every word one of
/// the documented ones, `reason` must go with `status`, and a keep must have what a keep has.
///
/// # Errors
/// Not a JSON object, or one of ours that is not as documented. The message names line and field;
/// the hint names the nearest known word when there is one.
pub fn decode_line(text: &str, number: u64, origin: &str) -> Result<Decoded> {
    let place = Place { origin, number };
    let text = &*super::chain::without_link(text);
    let head = head(text, place)?;
    let Some(format) = head.format else {
        return Ok(Decoded::Foreign(object(text, place)?));
    };
    let version = format
        .as_u64()
        .and_then(|version| u32::try_from(version).ok())
        .filter(|version| *version > 0)
        .ok_or_else(|| place.error(format!("`format`: {format} is no version number")))?;
    if version > FORMAT_VERSION {
        return Ok(Decoded::Newer {
            format: version,
            keys: object(text, place)?,
        });
    }
    let kind = match head.kind {
        Some(Value::String(kind)) => kind,
        Some(other) => return Err(place.error(format!("`type`: {other} is no string"))),
        None => return Err(place.error("missing field `type`")),
    };
    let line = match kind.as_str() {
        "config" => {
            let line: Box<ConfigLine> = strict(text, place)?;
            // What a verdict is recomputed by must be in range, as it was when the file was read.
            line.config.check(&format!("{origin}:{number}: `config`"))?;
            Line::Config(line)
        }
        "calibration" => {
            let line: Box<super::super::record::CalibrationLine> = strict(text, place)?;
            if line.repeats == 0 || !(line.run_wall_ms > 0.0 && line.run_wall_ms.is_finite()) {
                return Err(place.error("`repeats` and `run_wall_ms` must be above 0"));
            }
            Line::Calibration(line)
        }
        "run" => {
            let line: Box<RunLine> = strict(text, place)?;
            check_run(&line, place)?;
            Line::Run(line)
        }
        "claim" => Line::Claim(strict(text, place)?),
        "ablation" => {
            let line: Box<crate::flow::record::AblationLine> = strict(text, place)?;
            if line.dropped && (line.without.is_none() || line.reference.is_none()) {
                return Err(place.error("a dropped commit without `without` and `ref`"));
            }
            Line::Ablation(line)
        }
        "repair" => Line::Repair(strict(text, place)?),
        other => return Err(place.unknown("type", other, TYPES)),
    };
    Ok(Decoded::Line(line))
}

/// Whether `text` is no complete JSON at all, as the beginning of a line is.
pub(super) fn is_torn(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err_and(|error| !error.is_data())
}

fn head(text: &str, place: Place<'_>) -> Result<Head> {
    if !text.trim_start().starts_with('{') {
        return Err(not_an_object(text, place));
    }
    serde_json::from_str(text).map_err(|error| not_json(&error, text, place))
}

/// The error for a line that is no object; says so when it is one of the usual accidents.
fn not_an_object(text: &str, place: Place<'_>) -> Error {
    if super::repair::is_conflict_marker(text) {
        return place
            .error(format!("a conflict marker of git: `{}`", text.trim_end()))
            .hint(format!(
                "two clones appended to this file: `git checkout --ours -- {0}` or `--theirs` takes one clone's whole; `autoresearch repair` keeps the first side and moves the other into a file beside it",
                place.origin
            ));
    }
    let zeros = text.bytes().take_while(|byte| *byte == 0).count();
    if zeros > 0 {
        return place.error(format!(
            "begins with {zeros} zero bytes, as a power failure leaves them"
        ));
    }
    place.unlike_a_ledger("not a JSON object")
}

fn object(text: &str, place: Place<'_>) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| not_json(&error, text, place))
}

fn not_json(error: &serde_json::Error, text: &str, place: Place<'_>) -> Error {
    if error.is_data() {
        return place.explain(text, error);
    }
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    place.unlike_a_ledger(format!("not JSON: {message} at column {}", error.column()))
}

fn strict<'a, T: Deserialize<'a>>(text: &'a str, place: Place<'_>) -> Result<Box<T>> {
    serde_json::from_str(text)
        .map(Box::new)
        .map_err(|error| place.explain(text, &error))
}

/// What the types cannot say.
fn check_run(line: &RunLine, place: Place<'_>) -> Result<()> {
    if line.reason.status() != line.status {
        let (reason, status) = (word(line.reason), line.reason.status().as_str());
        return Err(place.error(format!(
            "`status` is `{}`, but `reason` `{reason}` goes with `{status}`",
            line.status.as_str()
        )));
    }
    if let Some(index) = line.pairs.iter().position(|pair| pair.slot > 1) {
        return Err(place.error(format!(
            "`pairs[{index}].slot`: {} is neither 0 nor 1",
            line.pairs[index].slot
        )));
    }
    if line.status == Status::Keep {
        let missing = [
            ("candidate", line.candidate.is_none()),
            ("incumbent", line.incumbent.is_none()),
            ("estimate", line.estimate.is_none()),
        ];
        if let Some((field, _)) = missing.iter().find(|(_, missing)| *missing) {
            return Err(place.error(format!("a keep without `{field}`")));
        }
    }
    Ok(())
}

/// The word a unit variant is written as.
fn word(value: Reason) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => unreachable!("a unit variant is a string, not {other:?}"),
    }
}
