//! `finalize`: messages of the branches, texts of their pull requests, and the table.

use serde::Serialize;

use super::closing::plural;
use super::format;
use crate::flow::decision::Direction;
use crate::flow::finalize::{Group, Measured, Piece, Plan, Said, plain_message, trailers};
use crate::flow::record::{Gain, GateOutcome};
use crate::flow::session::{SessionState, judged};

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has its branch.
    Made,
    /// It had it before.
    Already,
    /// Alone it does not build or run: no branch.
    Fails,
    /// Alone it does not pass the gate: no branch.
    GateFails,
}

/// A group and its branch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finished {
    /// The group's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Its runs.
    pub runs: Vec<u64>,
    /// The subjects of its commits.
    pub commits: Vec<String>,
    /// Paths it changes.
    pub files: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// What it fails at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Its branch, when it has one.
    pub branch: Option<String>,
    /// The branch's tip, full id.
    pub commit: Option<String>,
    /// What was measured of it alone.
    pub measured: Option<Measured>,
}

impl Finished {
    /// A group without a branch, with its pieces in order.
    pub fn new<'a>(
        group: &Group,
        outcome: Outcome,
        pieces: impl Iterator<Item = &'a Piece>,
    ) -> Self {
        let mut files = Vec::new();
        let mut commits = Vec::new();
        for piece in pieces {
            commits.push(format!("{} (run {})", piece.description, piece.run));
            files.extend(piece.files.iter().cloned());
        }
        files.sort();
        files.dedup();
        Self {
            name: group.name.clone(),
            title: group.title.clone(),
            body: group.body.clone(),
            runs: group.runs.clone(),
            commits,
            files,
            outcome,
            detail: String::new(),
            branch: None,
            commit: None,
            measured: None,
        }
    }

    /// The same with its branch.
    #[must_use]
    pub fn with_branch(self, branch: &str, commit: String, measured: Measured) -> Self {
        Self {
            branch: Some(branch.to_owned()),
            commit: Some(commit),
            measured: Some(measured),
            ..self
        }
    }

    /// Whether it was shown to be better on its own.
    pub fn is_better(&self) -> bool {
        let lo = self.measured.as_ref().and_then(|measured| measured.gain.lo);
        lo.is_some_and(|lo| lo > 0.0)
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The session.
    pub session: &'a str,
    /// Where every branch starts, full id.
    pub start: &'a str,
    /// What they are together, full id.
    pub head: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// The groups.
    pub groups: &'a [Finished],
}

/// The message of a commit on a branch that is not its tip, or not yet measured.
pub fn commit_message(original: &str, run: u64, session: &str) -> String {
    let message = plain_message(original);
    format!("{message}\n\nAutoresearch-Run: {run} of session {session}\n")
}

/// The message of a branch's tip: what was measured of the branch alone. A branch of one commit has
/// the group's title as its subject.
pub fn tip_message(original: &str, group: &Group, state: &SessionState, said: &Said) -> String {
    let opened = &state.opened;
    let (own, run_trailer) = match original.rsplit_once("\n\nAutoresearch-Run: ") {
        Some((own, run)) => (own, format!("Autoresearch-Run: {}\n", run.trim_end())),
        None => (original.trim_end(), String::new()),
    };
    let text = if group.runs.len() == 1 {
        let rest = own.split_once('\n').map_or("", |(_, rest)| rest.trim());
        join(&[&group.title, rest, &group.body])
    } else {
        let title = format!("Last of {} commits: {}", group.runs.len(), group.title);
        join(&[own, &title, &group.body])
    };
    let what = if group.runs.len() == 1 {
        "This commit"
    } else {
        "This branch"
    };
    let gain = &said.measured.gain;
    let figures = format!(
        "{what} alone, measured against {:.10}: {} {}, {} fresh pairs.",
        said.start,
        opened.metric_name,
        format::gain(opened.best_direction, gain),
        gain.pairs
    );
    let trailers = trailers(&group.name, &opened.session, said);
    format!("{}\n\n{run_trailer}{trailers}", join(&[&text, &figures]))
}

/// Paragraphs, empty ones left out.
fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// The text of a pull request, in Markdown; `None` for a group without a branch.
pub fn pull_request(finished: &Finished, state: &SessionState) -> Option<String> {
    let (measured, branch) = (finished.measured.as_ref()?, finished.branch.as_ref()?);
    let opened = &state.opened;
    let (primary, _) = judged(&opened.config);
    let mut text = format!("# {}\n\n", format::one_line(&finished.title));
    if !finished.body.trim().is_empty() {
        text.push_str(&format!("{}\n\n", finished.body.trim()));
    }
    let verdict = if finished.is_better() {
        "The whole interval is above 0: it is better."
    } else {
        "The interval holds 0: this branch alone is not shown to be better."
    };
    text.push_str(&format!(
        "**{}: {}** (95 % interval) of this branch alone against `{:.10}`. {verdict}\n\n\
         | metric | gain | pairs |\n|---|---|--:|\n{}",
        primary.name,
        format::gain(primary.direction, &measured.gain),
        opened.start,
        row(&primary.name, primary.direction, &measured.gain)
    ));
    for guard in &measured.guards {
        text.push_str(&row(&guard.name, guard.direction, &guard.gain));
    }
    text.push_str(
        "\n+ is better. Measured in randomised pairs of fresh runs, the branch beside its start.\n",
    );
    text.push_str(match measured.gate {
        GateOutcome::Pass => "\n`autoresearch.checks.sh` passes on this branch alone.\n",
        GateOutcome::NotRun | GateOutcome::Fail | GateOutcome::Flaky => {
            "\nThe project has no `autoresearch.checks.sh`.\n"
        }
    });
    list(
        &mut text,
        "Commits",
        finished.commits.iter().map(|line| format::one_line(line)),
    );
    list(
        &mut text,
        "Files",
        finished.files.iter().map(|file| format!("`{file}`")),
    );
    text.push_str(&format!(
        "\n## Measure it again\n\n```console\n$ autoresearch reproduce {branch}\n```\n"
    ));
    Some(text)
}

fn row(name: &str, direction: Direction, gain: &Gain) -> String {
    format!(
        "| `{name}` | {} | {} |\n",
        format::gain(direction, gain),
        gain.pairs
    )
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    text.push_str(&format!("\n## {title}\n\n"));
    for line in lines {
        text.push_str(&format!("- {line}\n"));
    }
}

/// The groups with their branches, a few lines each, with a newline at the end.
pub fn text(groups: &[Finished], direction: Direction) -> String {
    let mut text = String::new();
    for group in groups {
        let runs: Vec<String> = group.runs.iter().map(u64::to_string).collect();
        let what = match (&group.branch, group.outcome) {
            (Some(branch), Outcome::Already) => format!("{branch} (was there)"),
            (Some(branch), _) => branch.clone(),
            (None, Outcome::GateFails) => "no branch: the gate fails on it alone".to_owned(),
            (None, _) => "no branch: it does not work alone".to_owned(),
        };
        text.push_str(&format!(
            "{what}\n  runs {}: {}\n",
            runs.join(", "),
            format::one_line(&group.title)
        ));
        if let Some(measured) = &group.measured {
            let better = if group.is_better() {
                ""
            } else {
                ", not shown to be better"
            };
            text.push_str(&format!(
                "  alone {} ({}){better}\n",
                format::gain(direction, &measured.gain),
                plural(u64::from(measured.gain.pairs), "pair")
            ));
        }
        for line in format::printable(&group.detail).lines().take(12) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// A plan for people, with a newline at the end.
pub fn plan_text(plan: &Plan, pieces: &[Piece]) -> String {
    let mut text = String::new();
    for group in &plan.groups {
        text.push_str(&format!(
            "{}: {}\n",
            group.name,
            format::one_line(&group.title)
        ));
        for piece in pieces
            .iter()
            .filter(|piece| group.runs.contains(&piece.run))
        {
            let files: Vec<&str> = piece.files.iter().map(String::as_str).collect();
            let what = format::one_line(&piece.description);
            text.push_str(&format!(
                "  run {}: {what} ({})\n",
                piece.run,
                files.join(", ")
            ));
        }
    }
    text
}
