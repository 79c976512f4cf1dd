//! `status`: where each session stands.

use std::time::Duration;

use serde_json::{Value, json};

use super::closing::{bound_text, claim, dropped, kept_line, placebos, plural, tally};
use super::format;
use super::show::times;
use crate::flow::live::{Live, Running};
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

/// Whether a loop is running and what it is doing at `now_ms`, with a newline at the end.
pub fn running_text(running: &Running, now_ms: u64) -> String {
    let (pid, live) = match running {
        Running::No => return "no loop is running\n".to_owned(),
        Running::Yes { pid, live } => (pid, live),
    };
    let pid = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
    let Some(live) = live else {
        return format!("a loop is running{pid}\n");
    };
    let for_how_long = |since: u64| {
        format::duration(Duration::from_millis(now_ms.saturating_sub(since)).as_secs_f64())
    };
    let mut text = format!(
        "a loop is running{pid}, since {} ({})\n",
        format::time(live.started),
        for_how_long(live.started)
    );
    let doing = doing(live);
    if !doing.is_empty() {
        text.push_str(&format!(
            "  now      {doing}, for {}\n",
            for_how_long(live.phase_since)
        ));
    }
    if live.tried > 0 {
        text.push_str(&format!(
            "  so far   {} kept of {} tried\n",
            live.kept, live.tried
        ));
    }
    if let Some(last) = &live.last {
        text.push_str(&format!("  last     {}\n", format::one_line(last)));
    }
    text
}

/// `iteration 3 of 50: screening, 12 of at most 60 pairs`.
pub fn doing(live: &Live) -> String {
    let mut text = match (live.iteration, live.iterations) {
        (0, _) => String::new(),
        (iteration, 0) => format!("iteration {iteration}: "),
        (iteration, most) => format!("iteration {iteration} of {most}: "),
    };
    text.push_str(&format::one_line(&live.phase));
    if let Some(pairs) = live.pairs {
        text.push_str(&format!(", {} of at most {} pairs", pairs.done, pairs.most));
    }
    text
}

/// `session store (20261121-053600-a1b2)`.
pub(crate) fn title(session: &SessionSummary) -> String {
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
pub fn json(summary: &Summary, running: Option<&Running>) -> String {
    let sessions: Vec<Value> = summary.sessions.iter().map(session_json).collect();
    let mut value = json!({"total": summary.counts(), "sessions": sessions});
    if let Some(running) = running {
        let live = match running {
            Running::No => None,
            Running::Yes { live, .. } => live.as_ref(),
        };
        value["running"] = json!(*running != Running::No);
        value["live"] = json!(live);
    }
    format!("{value:#}\n")
}

pub(super) fn session_json(session: &SessionSummary) -> Value {
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
