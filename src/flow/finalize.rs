//! Kept commits in groups that can be reviewed and merged one by one: [`Plan`], its proposal and its
//! checks. A plan is a file that people edit.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::config::is_branch_component;
use super::decision::Direction;
use super::record::{Gain, GateOutcome};
use crate::error::{Error, Result};

/// Version of [`Plan`]'s JSON. 1: the first.
pub const PLAN_VERSION: u32 = 1;
/// Longest proposed name of a group, characters.
const NAME_CHARS_MAX: usize = 40;
/// The trailer with the [`Measured`] of a branch, as JSON.
const MEASURED_TRAILER: &str = "Autoresearch-Measured: ";
/// The trailer with the commit that a branch was measured against.
const START_TRAILER: &str = "Autoresearch-Start: ";
/// The trailer with the runs of a branch.
const RUNS_TRAILER: &str = "Autoresearch-Runs: ";

/// Which kept commits go on which branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The session whose commits they are.
    pub session: String,
    /// The commit that every branch starts from, full id.
    pub start: String,
    /// The commit that all groups together make, full id.
    pub head: String,
    /// The groups; one branch each.
    pub groups: Vec<Group>,
}

/// One branch to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Ends the branch's name: lowercase letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Title of the pull request.
    pub title: String,
    /// The runs whose commits it has; applied in the order in which they were kept.
    pub runs: Vec<u64>,
    /// Text of the pull request and of the commit, beside what was measured.
    #[serde(default)]
    pub body: String,
}

/// A kept commit as far as grouping needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The run that kept it.
    pub run: u64,
    /// Its subject.
    pub description: String,
    /// The entry of `ideas.md` it carries out.
    pub idea: Option<String>,
    /// Paths it changes.
    pub files: BTreeSet<String>,
}

/// What a branch was found to be on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The gain over the start.
    pub gain: Gain,
    /// The other metrics, in the same pairs.
    pub guards: Vec<GuardGain>,
    /// The gate.
    pub gate: GateOutcome,
}

/// A metric beside the primary one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardGain {
    /// Its name.
    pub name: String,
    /// Which way is better.
    pub direction: Direction,
    /// Above 0 is better.
    pub gain: Gain,
}

/// What the tip of a finished branch says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The commit it was measured against.
    pub start: String,
    /// The runs it has.
    pub runs: Vec<u64>,
    /// What was measured.
    pub measured: Measured,
}

impl Plan {
    /// Groups kept commits: those that change the same file, carry out the same idea, or are in
    /// `joined` (one does not work without the other) belong together.
    pub fn propose(pieces: &[Piece], joined: &[(u64, u64)], ids: [&str; 3]) -> Self {
        let mut group_of: Vec<usize> = (0..pieces.len()).collect();
        for (later, b) in pieces.iter().enumerate() {
            for (earlier, a) in pieces[..later].iter().enumerate() {
                let is_joined =
                    joined.contains(&(a.run, b.run)) || joined.contains(&(b.run, a.run));
                let same_idea = a.idea.is_some() && a.idea == b.idea;
                if is_joined || same_idea || !a.files.is_disjoint(&b.files) {
                    let (from, to) = (group_of[later], group_of[earlier]);
                    let (from, to) = (from.max(to), from.min(to));
                    for group in &mut group_of {
                        if *group == from {
                            *group = to;
                        }
                    }
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<&Piece>> = BTreeMap::new();
        for (piece, group) in pieces.iter().zip(group_of) {
            groups.entry(group).or_default().push(piece);
        }
        let mut names = BTreeSet::new();
        let groups = groups
            .into_values()
            .map(|pieces| Group::of(&pieces, &mut names))
            .collect();
        let [session, start, head] = ids.map(str::to_owned);
        Self {
            version: PLAN_VERSION,
            session,
            start,
            head,
            groups,
        }
    }

    /// Reads an edited plan and checks that it is one of these commits.
    ///
    /// # Errors
    /// Not JSON, of another session or head, or its groups do not have every run exactly once.
    pub fn parse(text: &str, origin: &str, pieces: &[Piece], ids: [&str; 3]) -> Result<Self> {
        let plan: Self = serde_json::from_str(text)
            .map_err(|error| Error::usage(format!("{origin} is no plan")).because(error))?;
        let fail = |problem: String| Err(Error::usage(format!("{origin}: {problem}")));
        if plan.version != PLAN_VERSION {
            let version = plan.version;
            return fail(format!(
                "`version` is {version}; this program knows {PLAN_VERSION}"
            ));
        }
        let found = [&plan.session, &plan.start, &plan.head];
        for ((field, is), found) in ["session", "start", "head"].iter().zip(ids).zip(found) {
            if found != is {
                let problem = format!("{origin}: `{field}` is {found} where the ledger has {is}");
                return Err(Error::usage(problem).hint(
                    "the loop went on since; `autoresearch finalize --plan` writes a new one",
                ));
            }
        }
        match plan.check_groups(pieces) {
            Ok(()) => Ok(plan),
            Err(problem) => fail(problem),
        }
    }

    fn check_groups(&self, pieces: &[Piece]) -> std::result::Result<(), String> {
        let mut seen: BTreeMap<u64, &str> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (index, group) in self.groups.iter().enumerate() {
            let name = &group.name;
            if !is_branch_component(name) {
                return Err(format!(
                    "`groups[{index}].name` is {name:?}; use lowercase letters, digits, '-', '_' and '.'"
                ));
            }
            if !names.insert(name) {
                return Err(format!(
                    "`groups[{index}].name`: {name:?} is there a second time"
                ));
            }
            if group.title.trim().is_empty() || group.title.lines().count() > 1 {
                return Err(format!("`groups[{index}].title` must be one line"));
            }
            if group.runs.is_empty() {
                return Err(format!("`groups[{index}].runs` is empty"));
            }
            for run in &group.runs {
                if pieces.iter().all(|piece| piece.run != *run) {
                    return Err(format!(
                        "`groups[{index}].runs`: run {run} is not among those kept and not dropped"
                    ));
                }
                if let Some(other) = seen.insert(*run, name) {
                    return Err(format!("run {run} is in {other:?} and in {name:?}"));
                }
            }
        }
        match pieces.iter().find(|piece| !seen.contains_key(&piece.run)) {
            Some(piece) => Err(format!("run {} is in no group", piece.run)),
            None => Ok(()),
        }
    }

    /// The JSON, indented, with a newline at the end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is plain JSON");
        text.push('\n');
        text
    }
}

impl Group {
    fn of(pieces: &[&Piece], names: &mut BTreeSet<String>) -> Self {
        let first = pieces[0];
        let plain = slug(first.idea.as_deref().unwrap_or(&first.description));
        let name = std::iter::once(plain.clone())
            .chain((2_u32..).map(|number| format!("{plain}-{number}")))
            .find(|name| !names.contains(name))
            .unwrap_or(plain);
        names.insert(name.clone());
        let title = match pieces.len() {
            1 => first.description.clone(),
            count => format!("{} (and {} more)", first.description, count - 1),
        };
        Self {
            name,
            title,
            runs: pieces.iter().map(|piece| piece.run).collect(),
            body: String::new(),
        }
    }
}

/// A text as the end of a branch name.
fn slug(text: &str) -> String {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let mut name: String = words.join("-").chars().take(NAME_CHARS_MAX).collect();
    name.truncate(name.trim_end_matches('-').len());
    if is_branch_component(&name) {
        name
    } else {
        "change".to_owned()
    }
}

/// A kept commit's message without the loop's figures: they are of the commit on top of the others.
pub fn plain_message(message: &str) -> &str {
    let end = message.find("\n\nResult: {").unwrap_or(message.len());
    message[..end].trim_end()
}

/// The trailers of a branch's tip.
pub fn trailers(name: &str, session: &str, said: &Said) -> String {
    let measured = serde_json::to_string(&said.measured).expect("finite numbers and text only");
    let runs: Vec<String> = said.runs.iter().map(u64::to_string).collect();
    format!(
        "Autoresearch-Group: {name} of session {session}\n{RUNS_TRAILER}{}\n{START_TRAILER}{}\n{MEASURED_TRAILER}{measured}\n",
        runs.join(", "),
        said.start,
    )
}

/// What a commit message says, when it is one of a finished branch's tip.
pub fn said(message: &str) -> Option<Said> {
    let value = |key: &str| {
        message
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(key))
    };
    let runs = value(RUNS_TRAILER)?.split(", ").map(str::parse);
    Some(Said {
        start: value(START_TRAILER)?.trim().to_owned(),
        runs: runs.collect::<std::result::Result<_, _>>().ok()?,
        measured: serde_json::from_str(value(MEASURED_TRAILER)?).ok()?,
    })
}

#[cfg(test)]
#[path = "finalize/tests.rs"]
mod tests;
