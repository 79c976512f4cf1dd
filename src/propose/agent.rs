//! What an agent is told: [`Brief`] as JSON, [`prompt`] in words. What it may answer is in
//! [`super::agent_answer`].
//!
//! An agent is told verdicts, never the running figures they were made of: whoever sees the score
//! of a test in progress tunes to its noise.

use serde::{Deserialize, Serialize};

use super::agent_profile::BriefProfile;
use super::ideas::{Backlog, Idea, open_free_text};
use crate::flow::config::Config;
use crate::flow::decision::Direction;
use crate::flow::proposal::Tried;
use crate::flow::record::{Gain, Reason, Status};

/// Version of [`Brief`]'s JSON. 1: the first.
pub const BRIEF_VERSION: u32 = 1;
/// Environment variable with the path an [answer](super::agent_answer::Answer) may be written to.
pub const ANSWER_ENV: &str = "AUTORESEARCH_ANSWER";
/// Most verdicts in a brief; the latest.
pub const VERDICTS_MAX: usize = 20;
/// Most entries of the backlog in a brief; the first by priority.
pub const BACKLOG_MAX: usize = 20;
/// Longest text of an idea or verdict in a brief, characters.
const TEXT_CHARS_MAX: usize = 600;
/// Most globs of one kind in a brief.
const GLOBS_MAX: usize = 100;

/// Everything an agent is told, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// [`BRIEF_VERSION`].
    pub version: u32,
    /// What to do, in one sentence.
    pub goal: String,
    /// The number to improve.
    pub metric: BriefMetric,
    /// What to improve on: the code in the working directory.
    pub incumbent: BriefIncumbent,
    /// Globs of the paths that may change.
    pub scope: Vec<String>,
    /// Globs of the paths that must not, whatever the scope says.
    pub protected: Vec<String>,
    /// The idea to carry out; without one the choice is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idea: Option<BriefIdea>,
    /// What became of the latest candidates, oldest first.
    pub verdicts: Vec<BriefVerdict>,
    /// Other ideas that nobody has tried.
    pub backlog: Vec<BriefIdea>,
    /// What is asked of a candidate.
    pub rules: Vec<String>,
    /// What the hook `before` of the user says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where the incumbent spends its time, when it was profiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<BriefProfile>,
    /// Where the optional answer goes, a path; also in the environment as [`ANSWER_ENV`].
    pub answer_file: String,
}

/// The primary metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefMetric {
    /// Its name in the benchmark's output.
    pub name: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// `lower` or `higher` is better.
    pub direction: Direction,
}

/// The code the candidate starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefIncumbent {
    /// Full commit id.
    pub commit: String,
    /// The metric's value, where it was measured, in its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// An idea.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefIdea {
    /// Its id in `ideas.md`.
    pub id: String,
    /// Its prose.
    pub text: String,
    /// Its notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefVerdict {
    /// Number of the run.
    pub run: u64,
    /// `keep`, `discard`, `crash` or `checks_failed`.
    pub status: Status,
    /// Its subject.
    pub description: String,
    /// Why, as a sentence.
    pub reason: String,
    /// How much better it was, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<BriefGain>,
}

/// A gain, percent of the metric; above 0 is better. Ends of the 95 % interval where known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefGain {
    /// The estimate.
    pub percent: f64,
    /// Lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Brief {
    /// The brief for the next candidate. `idea` is the entry it is to carry out, `backlog` and
    /// `tried` are the session's.
    pub fn new(
        config: &Config,
        incumbent: BriefIncumbent,
        idea: Option<&Idea>,
        backlog: &Backlog,
        tried: &[Tried],
        answer_file: &str,
    ) -> Self {
        let metric = BriefMetric {
            name: config.metric.name.clone(),
            unit: config.metric.unit.clone(),
            direction: config.metric.direction,
        };
        let others = open_free_text(backlog, tried)
            .into_iter()
            .filter(|other| idea.is_none_or(|idea| idea.id != other.id));
        let first = tried.len().saturating_sub(VERDICTS_MAX);
        let protected = config.protected_globs();
        Self {
            version: BRIEF_VERSION,
            goal: goal(&metric),
            incumbent,
            scope: config
                .scope
                .iter()
                .take(GLOBS_MAX)
                .map(|glob| shorten(glob))
                .collect(),
            protected: protected
                .iter()
                .take(GLOBS_MAX)
                .map(|glob| shorten(glob))
                .collect(),
            idea: idea.map(BriefIdea::new),
            verdicts: tried[first..]
                .iter()
                .map(|run| BriefVerdict::new(run, metric.direction))
                .collect(),
            backlog: others.take(BACKLOG_MAX).map(BriefIdea::new).collect(),
            rules: rules(config),
            hint: None,
            profile: None,
            answer_file: answer_file.to_owned(),
            metric,
        }
    }

    /// The JSON, indented, with a newline at the end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a brief is plain JSON");
        text.push('\n');
        text
    }
}

impl BriefIdea {
    fn new(idea: &Idea) -> Self {
        Self {
            id: idea.id.clone(),
            text: shorten(&idea.text),
            notes: idea
                .notes
                .iter()
                .take(10)
                .map(|note| shorten(note))
                .collect(),
        }
    }
}

impl BriefVerdict {
    fn new(run: &Tried, direction: Direction) -> Self {
        let mut reason = sentence(run.reason).to_owned();
        if !run.detail.trim().is_empty() {
            reason.push_str(": ");
            reason.push_str(run.detail.trim());
        }
        Self {
            run: run.run,
            status: run.reason.status(),
            description: shorten(&run.description),
            reason: shorten(&reason),
            gain: run.estimate.map(|gain| BriefGain::new(gain, direction)),
        }
    }
}

impl BriefGain {
    fn new(gain: Gain, direction: Direction) -> Self {
        // As for `Gain::percent`: less of a time, or more of a rate.
        let percent = |log: f64| {
            let share = match direction {
                Direction::Lower => -(-log).exp_m1(),
                Direction::Higher => log.exp_m1(),
            };
            round(share * 100.0)
        };
        Self {
            percent: round(gain.percent),
            low: gain.lo.map(percent),
            high: gain.hi.map(percent),
        }
    }
}

/// Two digits behind the point: more would be noise.
fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

fn goal(metric: &BriefMetric) -> String {
    let way = match metric.direction {
        Direction::Lower => "lower",
        Direction::Higher => "higher",
    };
    let unit = match metric.unit.as_str() {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    format!(
        "Make {}{unit} {way} with one change to this repository.",
        metric.name
    )
}

fn rules(config: &Config) -> Vec<String> {
    let mut rules = vec![
        "Make one change, as small as it can be, that can be judged on its own.".to_owned(),
        format!(
            "A gain of less than {} % is not kept.",
            config.min_effect_percent
        ),
        "The program must still do the same work: its correctness checks run on every candidate \
         that is faster."
            .to_owned(),
        "Change only paths in the scope, and none that is protected; otherwise the candidate is \
         refused."
            .to_owned(),
        "Do not detect the benchmark, cache its results or skip its work.".to_owned(),
        "You need not run the benchmark: it is run beside the present code afterwards, many times."
            .to_owned(),
        "Do not repeat what was tried, unless you change what made it fail.".to_owned(),
        "Leave no other files behind. Committing is not needed.".to_owned(),
    ];
    if !config.guards.is_empty() {
        let guards: Vec<String> = config
            .guards
            .iter()
            .map(|guard| match guard.tolerance_percent {
                Some(percent) => format!("{} ({percent} %)", guard.name),
                None => guard.name.clone(),
            })
            .collect();
        rules.push(format!(
            "These must not get worse by more than: {}.",
            guards.join(", ")
        ));
    }
    rules
}

/// Why, for somebody who does not know this program.
fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::Improved => "it was better, and still was when measured again",
        Reason::NoChange => "it changes nothing in what is built",
        Reason::Repeat => "the same code was judged before",
        Reason::NotApplicable => "it does not fit the present code",
        Reason::NoGain => "it was not better by enough to matter",
        Reason::Inconclusive => "no difference could be shown in the runs allowed",
        Reason::NotConfirmed => "it looked better at first and not when measured again",
        Reason::GuardFailed => "another metric got worse by more than is tolerated",
        Reason::GuardUndecided => "it stayed unclear whether another metric gets worse",
        Reason::NotExact => "a metric that must not vary varied",
        Reason::SelfReport => {
            "the benchmark's own time got shorter while the whole process took longer"
        }
        Reason::PlaceboPassed => "it changed nothing",
        Reason::BuildFailed => "it does not build",
        Reason::RunFailed => "the benchmark fails with it",
        Reason::Timeout => "the benchmark takes too long with it",
        Reason::BadMetric => "the benchmark printed no usable value with it",
        Reason::ProposeFailed => "no candidate came out of it",
        Reason::Drift => "it changes files that must not be changed",
        Reason::Tampered => "running it changed files outside its worktree",
        Reason::DigestDiffers => "the output it computes differs from before",
        Reason::GateFailed => "the correctness checks fail with it",
        Reason::GateFlaky => "the correctness checks fail with and without it",
    }
}

/// One line of at most [`TEXT_CHARS_MAX`] characters.
fn shorten(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// The brief in words, for any agent CLI. It begins with a letter, as some CLIs take `-`, `/` and
/// `@` for something else.
pub fn prompt(brief: &Brief) -> String {
    let mut text = format!("{}\n\n", brief.goal);
    let value = brief
        .incumbent
        .value
        .map(|value| format!("{value} {}", brief.metric.unit));
    let now = value.map(|value| format!(" It is {} now.", value.trim_end()));
    let commit: String = brief.incumbent.commit.chars().take(12).collect();
    text.push_str(&format!(
        "You are in a checkout of commit {commit}.{} Edit files here; what you leave is \
         the candidate. It is built, measured beside the present code and kept only if it is \
         better.\n",
        now.unwrap_or_default()
    ));
    match &brief.idea {
        Some(idea) => {
            text.push_str(&format!(
                "\nCarry out this idea ({}): {}\n",
                idea.id, idea.text
            ));
            section(&mut text, "", &idea.notes);
        }
        None => text.push_str("\nChoose what to try yourself.\n"),
    }
    section(&mut text, "Rules:", &brief.rules);
    section(&mut text, "Paths you may change:", &brief.scope);
    section(&mut text, "Paths you must not change:", &brief.protected);
    if let Some(hint) = &brief.hint {
        text.push_str(&format!("\nFrom the user's own script:\n{hint}\n"));
    }
    if let Some(profile) = &brief.profile {
        let functions = profile.lines();
        section(
            &mut text,
            "Where the time goes now, by function:",
            &functions,
        );
    }
    let verdicts: Vec<String> = brief.verdicts.iter().map(verdict_line).collect();
    section(&mut text, "Tried before, latest last:", &verdicts);
    let ideas: Vec<String> = brief
        .backlog
        .iter()
        .map(|idea| format!("{}: {}", idea.id, idea.text))
        .collect();
    let title = match brief.idea {
        Some(_) => "Other ideas, not for now:",
        None => "Ideas nobody has tried:",
    };
    section(&mut text, title, &ideas);
    text.push_str(&format!(
        "\nWhen done you may write a JSON object to {} (the variable {ANSWER_ENV} has the same \
         path): {{\"description\": \"subject line, then why\", \"asi\": {{\"hypothesis\": \"...\", \
         \"next\": \"...\"}}, \"cost_usd\": 0.12}}. Every key may be left out, no other is \
         allowed.\n",
        brief.answer_file
    ));
    text
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    if !title.is_empty() {
        text.push_str(&format!("\n{title}\n"));
    }
    for line in lines {
        text.push_str(&format!("- {line}\n"));
    }
}

fn verdict_line(verdict: &BriefVerdict) -> String {
    let gain = match verdict.gain {
        None => String::new(),
        Some(BriefGain {
            percent,
            low: Some(low),
            high: Some(high),
        }) => {
            format!(" ({percent:+.1} %, 95 % between {low:+.1} and {high:+.1})")
        }
        Some(
            BriefGain {
                percent, low: None, ..
            }
            | BriefGain {
                percent,
                high: None,
                ..
            },
        ) => {
            format!(" ({percent:+.1} %)")
        }
    };
    let status = match verdict.status {
        Status::Keep => "kept",
        Status::Discard => "discarded",
        Status::Crash => "failed",
        Status::ChecksFailed => "refused",
    };
    format!(
        "{}: {status}, {}{gain}",
        verdict.description, verdict.reason
    )
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
