//! Which entry of the backlog comes next, and which are done.
//!
//! State is a fold over the ledger ([`Tried`]), not over the ticks in the file: a lost tick never
//! makes an entry run twice. A ticked entry is not proposed either, so a person can tick one off.

use std::collections::BTreeMap;

use super::number::same_value;
use super::plan::Plan;
use crate::error::{Error, Result, nearest};
use crate::flow::config_parts::Knob;
use crate::flow::proposal::Tried;
use crate::flow::record::Status;

/// The entries of `ideas.md` in file order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backlog {
    /// The entries.
    pub ideas: Vec<Idea>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Idea {
    /// `[a-z0-9-]+`, unique in the file.
    pub id: String,
    /// First sentence, at most [`TITLE_CHARS_MAX`] characters.
    pub title: String,
    /// All of the prose, one paragraph, without a verdict ticked behind it.
    pub text: String,
    /// 1 (first) to 9 (last).
    pub priority: u8,
    /// Whether it is ticked.
    pub done: bool,
    /// Line of the file, from 1.
    pub line: usize,
    /// What there is to try.
    pub kind: IdeaKind,
    /// The indented `key: text` lines that are neither patch nor knob, as written.
    pub notes: Vec<String>,
}

/// Longest title, characters; a commit subject is made of it.
pub const TITLE_CHARS_MAX: usize = 72;

/// What an entry carries.
#[derive(Debug, Clone, PartialEq)]
pub enum IdeaKind {
    /// A patch, as a path relative to the directory of `ideas.md`.
    Patch(String),
    /// Values of one knob, to be tried in this order.
    Sweep {
        /// The knob's name.
        knob: String,
        /// The values.
        values: Vec<String>,
    },
    /// Prose for an agent.
    FreeText,
}

/// Checks that every sweep names a declared knob. `origin` names the file in errors.
///
/// # Errors
/// The first unknown knob, with its line and the nearest declared name.
pub fn check_knobs(backlog: &Backlog, knobs: &[Knob], origin: &str) -> Result<()> {
    for idea in &backlog.ideas {
        let IdeaKind::Sweep { knob, .. } = &idea.kind else {
            continue;
        };
        if knobs.iter().any(|known| known.name == *knob) {
            continue;
        }
        let hint = nearest(knob, knobs.iter().map(|known| known.name.as_str())).map_or_else(
            || "declare it under `knobs` in autoresearch.config.json".to_owned(),
            |known| format!("did you mean `{known}`?"),
        );
        let message = format!(
            "{origin}:{}: idea `{}` sweeps the unknown knob `{knob}`",
            idea.line, idea.id
        );
        return Err(Error::usage(message).hint(hint));
    }
    Ok(())
}

/// The first patch or sweep value that was not tried yet: by priority, then in file order.
/// `current` holds the incumbent's value of each knob; a sweep skips the value that is current.
/// Whatever the verdict was, "does not apply" included, nothing is proposed twice.
pub fn next(
    backlog: &Backlog,
    tried: &[Tried],
    knobs: &[Knob],
    current: &BTreeMap<String, String>,
) -> Option<Plan> {
    by_priority(backlog)
        .into_iter()
        .filter(|idea| !idea.done)
        .find_map(|idea| match &idea.kind {
            IdeaKind::Patch(path) => (runs_of(idea, tried).next().is_none()).then(|| Plan::Patch {
                idea: idea.id.clone(),
                title: description(idea),
                path: path.clone(),
            }),
            IdeaKind::Sweep { knob, values } => {
                if !knobs.iter().any(|known| known.name == *knob) {
                    return None;
                }
                let value = next_value(idea, knob, values, tried, current)?;
                Some(Plan::Knobs {
                    idea: Some(idea.id.clone()),
                    title: with_reasons(format!("{}: {knob} = {value}", idea.title), idea),
                    settings: BTreeMap::from([(knob.clone(), value.to_owned())]),
                })
            }
            IdeaKind::FreeText => None,
        })
}

/// The first free-text entry that no run was made for.
pub fn next_for_agent(backlog: &Backlog, tried: &[Tried]) -> Option<Plan> {
    open_free_text(backlog, tried)
        .first()
        .map(|idea| Plan::Agent {
            idea: Some((*idea).clone()),
        })
}

/// The free-text entries that no run was made for: by priority, then in file order.
pub fn open_free_text<'a>(backlog: &'a Backlog, tried: &[Tried]) -> Vec<&'a Idea> {
    by_priority(backlog)
        .into_iter()
        .filter(|idea| !idea.done && idea.kind == IdeaKind::FreeText)
        .filter(|idea| runs_of(idea, tried).next().is_none())
        .collect()
}

/// The entries without a tick that have nothing left to try, with the verdict to tick them with:
/// `keep, run 12 (+4.1 %)`, `discard, run 3 (no gain)`, `discard, runs 3-5`. A sweep with several
/// keeps shows the last one: each was judged against the one before.
pub fn finished(
    backlog: &Backlog,
    tried: &[Tried],
    current: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let mut ticks = Vec::new();
    for idea in backlog.ideas.iter().filter(|idea| !idea.done) {
        let runs: Vec<&Tried> = runs_of(idea, tried).collect();
        let nothing_left = match &idea.kind {
            IdeaKind::Patch(_) | IdeaKind::FreeText => true,
            IdeaKind::Sweep { knob, values } => {
                next_value(idea, knob, values, tried, current).is_none()
            }
        };
        if nothing_left && !runs.is_empty() {
            ticks.push((idea.id.clone(), verdict(&runs)));
        }
    }
    ticks
}

fn by_priority(backlog: &Backlog) -> Vec<&Idea> {
    let mut ideas: Vec<&Idea> = backlog.ideas.iter().collect();
    ideas.sort_by_key(|idea| idea.priority);
    ideas
}

fn runs_of<'a>(idea: &'a Idea, tried: &'a [Tried]) -> impl Iterator<Item = &'a Tried> {
    tried
        .iter()
        .filter(|run| run.origin.idea.as_deref() == Some(idea.id.as_str()))
}

/// Values are tried in file order. Once one was kept, an earlier value that was skipped is the
/// one that was current before: it has lost already, so it is not gone back to.
fn next_value<'a>(
    idea: &Idea,
    knob: &str,
    values: &'a [String],
    tried: &[Tried],
    current: &BTreeMap<String, String>,
) -> Option<&'a str> {
    let was_tried = |value: &str| {
        runs_of(idea, tried).any(|run| {
            run.origin
                .knobs
                .get(knob)
                .is_some_and(|set| same_value(set, value))
        })
    };
    let kept = runs_of(idea, tried).any(|run| run.reason.status() == Status::Keep);
    let last_tried = values.iter().rposition(|value| was_tried(value));
    let from = match last_tried {
        Some(last) if kept => last + 1,
        Some(_) | None => 0,
    };
    values[from..].iter().map(String::as_str).find(|value| {
        let is_current = current.get(knob).is_some_and(|now| same_value(now, value));
        !is_current && !was_tried(value)
    })
}

/// Subject line, and what else the entry says as the body.
pub fn description(idea: &Idea) -> String {
    with_reasons(idea.title.clone(), idea)
}

/// The subject with the prose, when it says more than the title, and the notes.
fn with_reasons(mut subject: String, idea: &Idea) -> String {
    let is_all_said = idea.text.trim_end_matches('.') == idea.title || idea.text.is_empty();
    let prose = (!is_all_said).then_some(&idea.text);
    for (index, line) in prose.into_iter().chain(&idea.notes).enumerate() {
        subject.push_str(if index == 0 { "\n\n" } else { "\n" });
        subject.push_str(line);
    }
    subject
}

fn verdict(runs: &[&Tried]) -> String {
    if let Some(kept) = runs
        .iter()
        .rev()
        .find(|run| run.reason.status() == Status::Keep)
    {
        let gain = kept
            .estimate
            .map(|gain| format!(" ({:+.1} %)", gain.percent));
        return format!("keep, run {}{}", kept.run, gain.unwrap_or_default());
    }
    if let [only] = runs {
        let (status, reason) = (only.reason.status().as_str(), only.reason.describe());
        return format!("{status}, run {} ({reason})", only.run);
    }
    let mut parts = Vec::new();
    for status in [Status::Discard, Status::Crash, Status::ChecksFailed] {
        let numbers: Vec<u64> = runs
            .iter()
            .filter(|run| run.reason.status() == status)
            .map(|run| run.run)
            .collect();
        if !numbers.is_empty() {
            let plural = if numbers.len() == 1 { "run" } else { "runs" };
            parts.push(format!(
                "{}, {plural} {}",
                status.as_str(),
                ranges(&numbers)
            ));
        }
    }
    parts.join("; ")
}

/// `3-5, 8` from 3, 4, 5, 8.
fn ranges(numbers: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match spans.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            Some(_) | None => spans.push((number, number)),
        }
    }
    let texts: Vec<String> = spans
        .iter()
        .map(|(from, to)| {
            if from == to {
                from.to_string()
            } else {
                format!("{from}-{to}")
            }
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
#[path = "ideas_tests.rs"]
mod tests;
