//! What an agent may answer ([`Answer`]), and the proposal its run comes to.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::flow::config_parts::ProposerName;
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::Origin;

/// Longest answer file, bytes.
pub const ANSWER_BYTES_MAX: usize = 65_536;
/// Longest description in an answer, bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Longest `asi` in an answer, bytes of JSON.
pub const ASI_BYTES_MAX: usize = 16_384;

/// What an agent may say of its candidate.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Subject, and after a line break the reasons.
    #[serde(default)]
    pub description: Option<String>,
    /// What it wants remembered in the ledger.
    #[serde(default)]
    pub asi: Option<Map<String, Value>>,
    /// What the run cost, US dollars.
    #[serde(default)]
    pub cost_usd: Option<f64>,
}

/// Reads an answer file. An empty one says nothing, which is allowed.
///
/// # Errors
/// Longer than [`ANSWER_BYTES_MAX`], not a JSON object, an unknown key (named), a value of the
/// wrong type, too long or negative.
pub fn parse_answer(text: &str) -> Result<Answer> {
    let fail = |problem: String| {
        Error::usage(format!("the agent's answer {problem}"))
            .hint(r#"it is {"description": text, "asi": {...}, "cost_usd": number}, all optional"#)
    };
    if text.len() > ANSWER_BYTES_MAX {
        return Err(fail(format!(
            "has {} bytes; at most {ANSWER_BYTES_MAX}",
            text.len()
        )));
    }
    if text.trim().is_empty() {
        return Ok(Answer::default());
    }
    // serde would also read a struct from an array.
    if !text.trim_start().starts_with('{') {
        return Err(fail("is no JSON object".to_owned()));
    }
    let mut answer: Answer =
        serde_json::from_str(text).map_err(|error| fail(format!("cannot be read: {error}")))?;
    if let Some(description) = answer.description.take() {
        if description.len() > DESCRIPTION_BYTES_MAX {
            let length = description.len();
            let problem = format!("has a `description` of {length} bytes");
            return Err(fail(format!("{problem}; at most {DESCRIPTION_BYTES_MAX}")));
        }
        let kept = |c: &char| !c.is_control() || *c == '\n';
        let plain: String = description
            .replace('\t', " ")
            .chars()
            .filter(kept)
            .collect();
        answer.description = Some(plain.trim().to_owned()).filter(|text| !text.is_empty());
    }
    if let Some(asi) = &answer.asi {
        let length = serde_json::to_string(asi).expect("a JSON object").len();
        if length > ASI_BYTES_MAX {
            return Err(fail(format!(
                "has an `asi` of {length} bytes; at most {ASI_BYTES_MAX}"
            )));
        }
    }
    match answer.cost_usd {
        Some(cost) if !(0.0..=1e6).contains(&cost) => Err(fail(format!(
            "has a `cost_usd` of {cost}; it is 0 to 1000000"
        ))),
        Some(_) | None => Ok(answer),
    }
}

/// A subject for a candidate whose agent gave none: `agent: change src/a.rs, src/b.rs`.
pub fn describe_diff(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    let plain = |path: &String| path.replace(char::is_control, "?");
    let names: Vec<String> = paths.iter().take(SHOWN).map(plain).collect();
    match paths.len() {
        0 => "agent: no change".to_owned(),
        count if count > SHOWN => {
            format!(
                "agent: change {} and {} more",
                names.join(", "),
                count - SHOWN
            )
        }
        _ => format!("agent: change {}", names.join(", ")),
    }
}

/// The proposal that an agent's run comes to. `paths` are those it changed; a cost it reported
/// goes into `asi` as `cost_usd`.
pub fn proposal(idea: Option<String>, answer: Answer, paths: &[String]) -> Proposal {
    let mut asi = answer.asi;
    if let Some(cost) = answer.cost_usd {
        asi.get_or_insert_default()
            .insert("cost_usd".to_owned(), cost.into());
    }
    Proposal {
        description: answer.description.unwrap_or_else(|| describe_diff(paths)),
        origin: Origin {
            proposer: ProposerName::Agent.as_str().to_owned(),
            idea,
            ..Origin::default()
        },
        change: Change::Agent,
        asi,
    }
}

#[cfg(test)]
#[path = "agent_answer_tests.rs"]
mod tests;
