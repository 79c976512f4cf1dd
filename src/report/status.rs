//! `status`: where each session stands.

use serde_json::{Value, json};

use super::closing::{bound_text, claim, dropped, kept_line, placebos, plural, tally};
use super::format;
use super::show::times;
use crate::flow::measure::percent_better;
use crate::flow::record::Status;
use crate::flow::summary::{ClaimState, SessionSummary, Summary};

/// All sessions, the last one last and in most detail; with a newline at the end.
pub fn text(summary: &Summary) -> String {
    let Some((last, earlier)) = summary.sessions.split_last() else {
        return "no sessions\n".to_owned();
    };
    let mut text = String::new();
    if !earlier.is_empty() {
        let counts = summary.counts();
        text.push_str(&format!(
            "{} in {}, {} kept\n\n",
            plural(counts.runs, "run"),
            plural(summary.sessions.len() as u64, "session"),
            counts.kept
        ));
    }
    for session in earlier {
        text.push_str(&format!(
            "{}: {}\n  {}\n",
            title(session),
            tally(session),
            claim(session).replace('\n', "\n  ")
        ));
    }
    if !earlier.is_empty() {
        text.push('\n');
    }
    text.push_str(&detail(last));
    text
}

fn title(session: &SessionSummary) -> String {
    let segment = &session.segment;
    let name = format::one_line(&segment.name);
    let id = segment.session.as_ref().map(|line| line.session.as_str());
    match (name.is_empty(), id) {
        (false, Some(id)) => format!("session {name} ({id})"),
        (true, Some(id)) => format!("session {id}"),
        (false, None) => format!("segment {} ({name})", segment.index),
        (true, None) => format!("segment {}", segment.index),
    }
}

fn detail(session: &SessionSummary) -> String {
    let segment = &session.segment;
    let better = match segment.direction {
        crate::flow::decision::Direction::Lower => "lower",
        crate::flow::decision::Direction::Higher => "higher",
    };
    let mut lines = vec![title(session)];
    let mut field = |label: &str, text: &str| {
        for (index, line) in text.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            lines.push(format!("  {label:<9}{line}"));
        }
    };
    let unit = match segment.metric_unit.as_str() {
        "" => String::new(),
        unit => format!("{unit}, "),
    };
    field(
        "metric",
        &format!("{} ({unit}{better} is better)", segment.metric_name),
    );
    if let Some(line) = &segment.session {
        let head = session.head().unwrap_or_default();
        field(
            "branch",
            &format!("{} at {}", line.branch, format::short_id(head)),
        );
        field(
            "start",
            &format!(
                "{}, {}",
                format::short_id(&line.start),
                format::time(line.timestamp)
            ),
        );
    }
    field("runs", &tally(session));
    field("", &reasons(session));
    for (index, kept) in session.kept.iter().enumerate() {
        let label = if index == 0 { "kept" } else { "" };
        field(label, &kept_line(kept, segment.direction));
    }
    field("", &dropped(session).unwrap_or_default());
    field("claim", &claim(session));
    if let Some(bound) = session.false_keeps_bound() {
        field("trust", &bound_text(session.judged, bound));
        field("", &placebos(session).unwrap_or_default());
        field("time", &times(&session.spent));
    }
    lines.join("\n") + "\n"
}

/// `no gain 9, inconclusive 3`, most frequent first; keeps are listed on their own.
fn reasons(session: &SessionSummary) -> String {
    let mut counts: Vec<_> = session
        .counts
        .reasons
        .iter()
        .filter(|(reason, _)| reason.status() != Status::Keep)
        .collect();
    counts.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), **reason));
    counts
        .iter()
        .map(|(reason, count)| format!("{} {count}", reason.describe()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `status --json`: `{"runs", "kept", ..., "sessions": [...]}`, documented in docs/ledger.md.
/// `running` is what is known of a loop at work, if that was asked.
pub fn json(summary: &Summary, running: Option<bool>) -> String {
    let sessions: Vec<Value> = summary.sessions.iter().map(session_json).collect();
    let mut value = json!({"total": summary.counts(), "sessions": sessions});
    if let Some(running) = running {
        value["running"] = json!(running);
    }
    format!("{value:#}\n")
}

fn session_json(session: &SessionSummary) -> Value {
    let segment = &session.segment;
    let line = segment.session.as_ref();
    let state = match session.claim_state() {
        ClaimState::NotMeasured => "not_measured",
        ClaimState::Nothing(_) => "nothing",
        ClaimState::Better(_) => "better",
        ClaimState::Outdated(_) => "outdated",
    };
    json!({
        "segment": segment.index,
        "name": segment.name,
        "session": line.map(|line| &line.session),
        "metric_name": segment.metric_name,
        "unit": segment.metric_unit,
        "direction": segment.direction,
        "start": line.map(|line| &line.start),
        "branch": line.map(|line| &line.branch),
        "head": session.head(),
        "counts": session.counts,
        "kept": session.kept,
        "dropped": session.dropped,
        "judged": session.judged,
        "false_keeps_bound": session.false_keeps_bound(),
        "placebos": session.placebos,
        "placebos_kept": session.placebos_passed,
        "spent": line.map(|_| session.spent),
        "claim_state": state,
        "claim": session.claim.as_ref().map(|claim| json!({
            "head": claim.head,
            "kept": claim.kept,
            "estimate": claim.estimate,
            "percent_lo": claim.estimate.lo.map(|lo| percent_better(segment.direction, lo)),
            "percent_hi": claim.estimate.hi.map(|hi| percent_better(segment.direction, hi)),
            "wall": claim.wall,
            "wall_adj": claim.wall_adj,
            "sum_of_steps_log": claim.sum_of_steps_log,
            "steps_do_not_add_up": claim.steps_do_not_add_up,
            "timestamp": claim.timestamp,
        })),
    })
}

#[cfg(test)]
mod tests;
