//! `show N`: everything the ledger knows of one run.

use serde_json::{Value, json};

use super::closing::plural;
use super::reason::{sentence, verdict};
use super::row::Row;
use super::strip::{self, strips};
use super::{format, measured};
use crate::flow::entry::{Entry, Segment};
use crate::flow::record::{
    ConfigLine, Durations, GateOutcome, GuardOutcome, GuardResult, RunLine, Status,
};

/// Where the text begins that stands beside a label.
const LABEL: usize = 12;
/// Before a strip.
const INDENT: &str = "  ";

/// The whole of one run as text, with a newline at the end.
pub fn text(entry: &Entry, segment: &Segment) -> String {
    text_within(entry, segment, usize::MAX)
}

/// The same with strip plots that fit into so many columns, as far as that is possible. Other lines
/// are as long as they are.
pub fn text_within(entry: &Entry, segment: &Segment, columns: usize) -> String {
    let mut page = Page::default();
    page.line(&format!(
        "run {}: {}",
        entry.run,
        format::one_line(&entry.description)
    ));
    page.gap();
    page.field("verdict", &verdict(entry.status, entry.reason));
    page.field("", sentence(entry));
    match entry.line() {
        Some(line) => ours(&mut page, line, segment, columns),
        None => foreign(&mut page, entry, segment),
    }
    page.text
}

/// `show N --json`: one object with `run` as in `log --json`, and of our own lines `line` and
/// `session`, the run's and the session's lines as they stand in the ledger.
pub fn json(entry: &Entry, segment: &Segment) -> String {
    let to_value = |value: serde_json::Result<Value>| value.expect("records hold finite numbers");
    let value = json!({
        "run": to_value(serde_json::to_value(Row::new(entry, segment))),
        "line": entry.line().map(|line| to_value(serde_json::to_value(line))),
        "session": segment.session.as_ref().map(|line| to_value(serde_json::to_value(line))),
    });
    format!("{value:#}\n")
}

/// Text under construction.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A label and its text; further lines of the text stand below the first.
    fn field(&mut self, label: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            let gap = if label.chars().count() < LABEL {
                ""
            } else {
                "  "
            };
            self.line(&format!("{label:<LABEL$}{gap}{line}"));
        }
    }
}

fn ours(page: &mut Page, line: &RunLine, segment: &Segment, columns: usize) {
    page.field("", &format::printable(&line.detail));
    page.field("gain", &gain(line, segment));
    page.field(
        &format::one_line(&segment.metric_name),
        &medians(line, segment),
    );
    for (index, guard) in line.guards.iter().enumerate() {
        page.field(
            if index == 0 { "guards" } else { "" },
            &guard_text(guard, segment),
        );
    }
    page.field(
        "self-report",
        &measured::self_report(line.self_report.as_ref()),
    );
    page.field("digests", &measured::digests(&line.pairs));
    page.field("hold-out", &measured::held_out(&line.pairs));
    page.field("process", &measured::process(&line.pairs));
    page.field("gate", &gate(line));
    page.field("", &indent(&format::printable(&line.gate.output_tail)));
    page.field("time", &times(&line.durations));
    page.field("origin", &origin(line));
    if let Some(asi) = &line.asi {
        page.field("notes", &notes(asi));
    }
    let cells = columns.saturating_sub(strip::BESIDE + INDENT.len());
    let cells = cells.saturating_sub(1).clamp(8, strip::CELLS - 1) | 1;
    let strips = strips(&line.pairs, segment, line.estimate.as_ref(), cells);
    if !strips.is_empty() {
        page.gap();
        page.line("gain by pair (digits count pairs, | is no gain, better is right)");
        for strip in strips.lines() {
            page.line(&format!("{INDENT}{strip}"));
        }
    }
    page.gap();
    page.field("recorded", &format::time(line.timestamp));
    page.field("session", &line.session);
    if let Some(session) = &segment.session {
        page.field("machine", &machine(session, line.load));
    }
    page.field("seed", &line.seed.to_string());
    page.field("parent", &line.parent);
    page.field("candidate", line.candidate.as_deref().unwrap_or("none"));
    page.field("ref", line.reference.as_deref().unwrap_or("none"));
    commands(page, line);
}

fn commands(page: &mut Page, line: &RunLine) {
    let target = line.reference.as_deref().or(line.candidate.as_deref());
    let Some(target) = target else {
        return;
    };
    page.gap();
    page.field("the change", &format!("git show {target}"));
    if line.status == Status::Keep {
        page.field("once more", &format!("autoresearch reproduce {}", line.run));
    }
}

fn gain(line: &RunLine, segment: &Segment) -> String {
    let Some(gain) = &line.estimate else {
        return "not measured".to_owned();
    };
    let change = format::change(segment.direction, gain.percent);
    let mut text = format!("{change} {}", format::one_line(&segment.metric_name));
    if let Some(interval) = format::interval(segment.direction, gain) {
        text.push_str(&format!(
            "\n95 % interval of the gain {interval} %, {}",
            plural(u64::from(gain.pairs), "pair")
        ));
    }
    if !super::row::is_confirmed(line) {
        text.push_str("\nseen while screening: a description, not a claim");
    }
    text
}

fn medians(line: &RunLine, segment: &Segment) -> String {
    let unit = &segment.metric_unit;
    match line.incumbent {
        Some(incumbent) => format!(
            "{} → {} (medians of incumbent and candidate)",
            format::value(incumbent),
            format::value_with_unit(line.metric, unit)
        ),
        None if line.metric != 0.0 => format::value_with_unit(line.metric, unit),
        None => "not measured".to_owned(),
    }
}

fn guard_text(guard: &GuardResult, segment: &Segment) -> String {
    let outcome = match guard.outcome {
        GuardOutcome::Pass => "pass",
        GuardOutcome::Fail => "FAIL",
        GuardOutcome::Undecided => "undecided",
    };
    format!(
        "{}: {outcome}, median gain {} over {}, tolerance {}",
        format::one_line(&guard.name),
        format::signed_percent(guard.median_percent),
        plural(u64::from(guard.pairs), "pair"),
        super::guard::tolerance(guard, segment)
    )
}

fn gate(line: &RunLine) -> String {
    let outcome = match line.gate.outcome {
        GateOutcome::Pass => "pass",
        GateOutcome::Fail => "FAIL",
        GateOutcome::Flaky => "FLAKY: fails with the incumbent too",
        GateOutcome::NotRun => return "not run".to_owned(),
    };
    format!("{outcome}, {}", format::duration(line.gate.duration_s))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Where the time went; what is in no phase is the harness's own.
pub(super) fn times(spent: &Durations) -> String {
    let named = spent.propose_s + spent.build_s + spent.measure_s + spent.gate_s;
    let parts: Vec<String> = [
        ("propose", spent.propose_s),
        ("build", spent.build_s),
        ("measure", spent.measure_s),
        ("gate", spent.gate_s),
        ("other", (spent.total_s - named).max(0.0)),
    ]
    .into_iter()
    .filter(|(_, seconds)| *seconds >= 0.005)
    .map(|(name, seconds)| format!("{name} {}", format::duration(seconds)))
    .collect();
    if parts.is_empty() {
        return format::duration(spent.total_s);
    }
    format!("{}: {}", format::duration(spent.total_s), parts.join(", "))
}

fn origin(line: &RunLine) -> String {
    let mut text = format::one_line(&line.origin.proposer);
    if let Some(idea) = &line.origin.idea {
        text.push_str(&format!(", idea {}", format::one_line(idea)));
    }
    for (knob, value) in &line.origin.knobs {
        text.push_str(&format!(", {knob} = {}", format::one_line(value)));
    }
    text
}

fn notes(asi: &serde_json::Map<String, Value>) -> String {
    asi.iter()
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}: {}\n", format::one_line(text)),
            other => format!("{key}: {}\n", format::one_line(&other.to_string())),
        })
        .collect::<String>()
}

fn machine(session: &ConfigLine, load: f64) -> String {
    let host = &session.environment;
    let mut text = format!(
        "{}, {} cores, {} MiB\n{}, {}",
        host.cpu, host.cores, host.memory_mib, host.os, host.kernel
    );
    if !host.rustc.is_empty() {
        text.push_str(&format!(", {}", host.rustc));
    }
    for (name, value) in &host.flags {
        text.push_str(&format!("\n{name}={value}"));
    }
    text.push_str(&format!("\nload {load:.2} when recorded"));
    format::printable(&text)
}

fn foreign(page: &mut Page, entry: &Entry, segment: &Segment) {
    let metric = entry.metric.map_or("not measured".to_owned(), |value| {
        format::value_with_unit(value, &segment.metric_unit)
    });
    page.field(&format::one_line(&segment.metric_name), &metric);
    for (index, (name, value)) in entry.metrics.iter().enumerate() {
        let label = if index == 0 { "others" } else { "" };
        page.field(
            label,
            &format!("{} {}", format::one_line(name), format::value(*value)),
        );
    }
    if let Some(confidence) = entry.confidence {
        page.field("confidence", &format!("{confidence:.1} (as logged)"));
    }
    if let Some(asi) = &entry.asi {
        page.field("notes", &notes(asi));
    }
    page.gap();
    if let Some(timestamp) = entry.timestamp_ms {
        page.field("recorded", &format::time(timestamp));
    }
    page.field("log of", entry.source.as_str());
    page.field(
        "segment",
        &format!("{} {}", segment.index, format::one_line(&segment.name)),
    );
    if !entry.commit.is_empty() {
        let commit = format::one_line(&entry.commit);
        page.field("commit", &commit);
        if entry.status == Status::Keep {
            page.gap();
            page.field("the change", &format!("git show {commit}"));
        }
    }
}

#[cfg(test)]
mod tests;
