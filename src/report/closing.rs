//! The text with which `run` ends: what was kept, what may be claimed, and how to take it over.

use super::format;
use crate::flow::decision::Direction;
use crate::flow::measure::percent_better;
use crate::flow::record::{ClaimLine, Gain};
use crate::flow::summary::{ClaimState, KeptRun, SessionSummary};

/// Most kept runs listed; the rest are counted.
const KEPT_MAX: usize = 20;

/// The summary of one session, with a newline at the end.
pub fn text(session: &SessionSummary) -> String {
    let mut text = format!("{}\n", tally(session));
    for kept in session.kept.iter().take(KEPT_MAX) {
        text.push_str(&format!(
            "  {}\n",
            kept_line(kept, session.segment.direction)
        ));
    }
    if session.kept.len() > KEPT_MAX {
        let more = session.kept.len() - KEPT_MAX;
        text.push_str(&format!(
            "  ... and {more} more: autoresearch log --status keep\n"
        ));
    }
    if let Some(dropped) = dropped(session) {
        text.push_str(&format!("  {dropped}\n"));
    }
    text.push_str(&format!("{}\n", claim(session)));
    if session.judged > 0
        && let Some(bound) = session.false_keeps_bound()
    {
        text.push_str(&format!("{}\n", bound_text(session.judged, bound)));
    }
    if let Some(placebos) = placebos(session) {
        text.push_str(&format!("{placebos}\n"));
    }
    if let Some(review) = review(session) {
        text.push('\n');
        text.push_str(&review);
    }
    text
}

/// `20 runs: 3 kept, 14 discarded, 2 crashed, 1 failed its checks`.
pub(crate) fn tally(session: &SessionSummary) -> String {
    let counts = &session.counts;
    let mut text = format!(
        "{}: {} kept, {} discarded",
        plural(counts.runs, "run"),
        counts.kept,
        counts.discarded
    );
    if counts.crashed > 0 {
        text.push_str(&format!(", {} crashed", counts.crashed));
    }
    if counts.checks_failed > 0 {
        text.push_str(&format!(", {} failed the checks", counts.checks_failed));
    }
    text
}

pub(crate) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// `run 3  +5.2 % [+4.1, +6.3]  Batch the writes`.
pub(super) fn kept_line(kept: &KeptRun, direction: Direction) -> String {
    let gain = kept.estimate.as_ref().map_or(String::new(), |gain| {
        format!("{}  ", format::gain(direction, gain))
    });
    format!(
        "run {}  {gain}{}",
        kept.run,
        format::one_line(&kept.description)
    )
}

/// What may be said of the gain from the session's start to its head.
pub(crate) fn claim(session: &SessionSummary) -> String {
    let segment = &session.segment;
    match session.claim_state() {
        ClaimState::NotMeasured if session.kept.is_empty() => {
            "nothing is claimed: nothing was kept".to_owned()
        }
        ClaimState::NotMeasured if segment.session.is_none() => {
            "nothing is claimed: this log has no end-to-end measurements".to_owned()
        }
        ClaimState::NotMeasured => {
            "nothing is claimed yet: start and head were not measured against each other".to_owned()
        }
        ClaimState::Outdated(claim) => format!(
            "nothing is claimed for the present head; up to {}: {}",
            format::short_id(&claim.head),
            size(&claim.estimate, segment.direction, &segment.metric_name)
        ),
        ClaimState::Nothing(claim) => format!(
            "nothing is claimed: end to end {} is not above 0{}",
            format::gain(segment.direction, &claim.estimate),
            steps(claim, segment.direction)
        ),
        ClaimState::Better(claim) => format!(
            "end to end: {}{}",
            size(&claim.estimate, segment.direction, &segment.metric_name),
            steps(claim, segment.direction)
        ),
    }
}

/// `31.8 % less total_ms, 95 % interval [+31.0, +32.6] %, 24 fresh pairs`.
fn size(gain: &Gain, direction: Direction, metric: &str) -> String {
    let change = format::change(direction, gain.percent);
    let interval = format::interval(direction, gain).map_or(String::new(), |interval| {
        format!(", 95 % interval {interval} %")
    });
    format!("{change} {metric}{interval}, {} fresh pairs", gain.pairs)
}

/// The warning that the kept steps promised something else.
fn steps(claim: &ClaimLine, direction: Direction) -> String {
    if claim.steps_do_not_add_up {
        format!(
            "\nsteps do not add up: the kept runs' own gains come to {}",
            format::signed_percent(percent_better(direction, claim.sum_of_steps_log))
        )
    } else {
        String::new()
    }
}

pub(super) fn bound_text(judged: u64, bound: f64) -> String {
    format!(
        "of {} at most {bound:.2} false keeps are to be expected",
        plural(judged, "judged candidate")
    )
}

/// `dropped again: run 3, run 7`; `None` when `ablate` dropped nothing.
pub(super) fn dropped(session: &SessionSummary) -> Option<String> {
    let runs: Vec<String> = session
        .dropped
        .iter()
        .map(|run| format!("run {run}"))
        .collect();
    (!runs.is_empty()).then(|| format!("dropped again: {}", runs.join(", ")))
}

/// `0 of 8 placebos kept`; `None` before the first.
pub(super) fn placebos(session: &SessionSummary) -> Option<String> {
    (session.placebos > 0).then(|| {
        format!(
            "{} of {} kept",
            session.placebos_passed,
            plural(session.placebos, "placebo")
        )
    })
}

/// How to look at the kept commits and take them over; `None` when there are none.
fn review(session: &SessionSummary) -> Option<String> {
    let line = session.segment.session.as_ref()?;
    if session.kept.is_empty() {
        return None;
    }
    let start = format::short_id(&line.start);
    let branch = &line.branch;
    let next = match session.claim_state() {
        ClaimState::Better(_) => format!("merge:   git merge {branch}\n"),
        // Nobody should merge what is not shown to be better.
        ClaimState::Nothing(_) => "check:   autoresearch ablate\n".to_owned(),
        ClaimState::NotMeasured | ClaimState::Outdated(_) => String::new(),
    };
    Some(format!("review:  git log -p {start}..{branch}\n{next}"))
}

#[cfg(test)]
mod tests;
