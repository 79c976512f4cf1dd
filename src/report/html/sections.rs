//! The sections around the table of runs.

use super::Setting;
use super::markup::Html;
use crate::flow::decision::{Direction, SlotBias};
use crate::flow::measure::percent_better;
use crate::flow::record::{CalibrationLine, ClaimLine, Environment};
use crate::flow::summary::ClaimState;
use crate::report::review::{Fate, Review, Session, fates};
use crate::report::{closing, format};

/// Runs of an idea that are named; the others are counted.
const RUNS_NAMED: usize = 6;

pub(super) fn header(html: &mut Html, session: Option<&Session>, setting: &Setting) {
    html.raw("<header><h1>");
    match session {
        Some(session) if !session.summary.segment.name.is_empty() => {
            html.text(&session.summary.segment.name)
        }
        Some(_) | None => html.raw("autoresearch"),
    };
    html.raw("</h1>\n<p class=\"note\">");
    if let Some(session) = session {
        let segment = &session.summary.segment;
        html.text(&segment.metric_name);
        if !segment.metric_unit.is_empty() {
            html.raw(" in ").text(&segment.metric_unit);
        }
        html.raw(match segment.direction {
            Direction::Lower => ", lower is better",
            Direction::Higher => ", higher is better",
        });
        if let Some(line) = &segment.session {
            html.raw(" · session ")
                .text(&line.session)
                .raw(" · branch ")
                .text(&line.branch);
        }
    }
    html.raw("</p>\n<p id=\"live\" role=\"status\">");
    if let Some(running) = &setting.running {
        html.raw("<span class=\"pulse\" aria-hidden=\"true\"></span> running: ")
            .text(running);
    }
    html.raw("</p></header>\n");
}

/// What may be said of the whole, and no more.
pub(super) fn claim(html: &mut Html, session: &Session) {
    let summary = &session.summary;
    let is_better = matches!(summary.claim_state(), ClaimState::Better(_));
    html.raw("<section class=\"claim")
        .raw(if is_better { " better" } else { "" })
        .raw("\" aria-labelledby=\"claim\"><h2 id=\"claim\">Claim</h2>\n");
    if let ClaimState::Better(claim) = summary.claim_state() {
        let direction = summary.segment.direction;
        html.raw("<p class=\"big\">")
            .text(&format::change(direction, claim.estimate.percent))
            .raw(" ")
            .text(&summary.segment.metric_name)
            .raw("</p>\n");
        interval(html, claim, direction);
    }
    for line in closing::claim(summary).lines() {
        html.raw("<p>").text(line).raw("</p>\n");
    }
    html.raw("<ul class=\"facts\"><li>")
        .text(&closing::tally(summary))
        .raw("</li>");
    let bound = summary.false_keeps_bound().filter(|_| summary.judged > 0);
    let facts = [
        bound.map(|bound| closing::bound_text(summary.judged, bound)),
        closing::placebos(summary),
        closing::dropped(summary),
    ];
    for fact in facts.iter().flatten() {
        html.raw("<li>").text(fact).raw("</li>");
    }
    html.raw("</ul>\n");
    if let Some(line) = summary
        .segment
        .session
        .as_ref()
        .filter(|_| !summary.kept.is_empty())
    {
        html.raw("<p>Review it with <code>git log -p ")
            .text(format::short_id(&line.start))
            .raw("..")
            .text(&line.branch)
            .raw("</code>, take it over with <code>git merge ")
            .text(&line.branch)
            .raw("</code>.</p>\n");
    }
    html.raw("</section>\n");
}

/// The claim's interval against no change.
fn interval(html: &mut Html, claim: &ClaimLine, direction: Direction) {
    let (Some(lo), Some(hi)) = (claim.estimate.lo, claim.estimate.hi) else {
        return;
    };
    let (lo, hi) = (percent_better(direction, lo), percent_better(direction, hi));
    let x = |percent: f64| 20.0 + 560.0 * (percent / hi.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    html.raw("<svg class=\"interval-bar\" viewBox=\"0 0 600 52\" role=\"img\" aria-label=\"")
        .text(&format!("95 % interval from {lo:+.2} to {hi:+.2} percent; no change is 0"))
        .raw("\"><path class=\"grid\" d=\"M 20 18H 580\"/><path class=\"zero\" d=\"M 20 6V 30\"/><path class=\"bar\" d=\"M")
        .at(x(lo))
        .raw(" 18H")
        .at(x(hi))
        .raw("\"/><path class=\"zero\" d=\"M")
        .at(x(claim.estimate.percent))
        .raw(" 8V 28\"/><text class=\"tick\" x=\"20\" y=\"44\">no change</text><text class=\"tick\" text-anchor=\"end\" x=\"580\" y=\"44\">")
        .text(&format::bracket(lo, hi))
        .raw(" %</text></svg>\n");
}

pub(super) fn kept(html: &mut Html, session: &Session) {
    let summary = &session.summary;
    if summary.kept.is_empty() {
        return;
    }
    let has_worth = !session.ablations.is_empty();
    let has_gain = summary.kept.iter().any(|kept| kept.estimate.is_some());
    html.raw("<h3>Kept</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"kept commits\"><table><thead><tr><th scope=\"col\" class=\"num\">run</th><th scope=\"col\" class=\"wide\">commit</th>")
        .raw(if has_gain { "<th scope=\"col\" class=\"num\">gain</th>" } else { "" })
        .raw(if has_worth { "<th scope=\"col\">does it still pay?</th>" } else { "" })
        .raw("<th scope=\"col\">description</th></tr></thead><tbody>\n");
    for kept in &summary.kept {
        html.raw("<tr><td class=\"num\">");
        run_link(html, kept.run);
        html.raw("</td><td class=\"wide\"><code>")
            .text(format::short_id(&kept.commit))
            .raw("</code></td>");
        if has_gain {
            html.raw("<td class=\"num\">");
            if let Some(gain) = &kept.estimate {
                html.text(&format::gain(summary.segment.direction, gain));
            }
            html.raw("</td>");
        }
        if has_worth {
            html.raw("<td>");
            let worth = session
                .ablations
                .iter()
                .rev()
                .find(|line| line.of == kept.run);
            if let Some(line) = worth {
                html.text(line.worth.describe());
                if let Some(gain) = &line.estimate {
                    html.raw(" ")
                        .text(&format::gain(summary.segment.direction, gain));
                }
            }
            html.raw("</td>");
        }
        html.raw("<td>")
            .text(&format::one_line(&kept.description))
            .raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
}

fn run_link(html: &mut Html, run: u64) {
    html.raw("<a href=\"#run-")
        .number(run)
        .raw("\">")
        .number(run)
        .raw("</a>");
}

pub(super) fn ideas(html: &mut Html, review: &Review, session: &Session) {
    let fates = fates(review.runs_of(session));
    if fates.iter().all(|fate| fate.proposer.is_empty()) {
        return;
    }
    html.raw("<section aria-labelledby=\"ideas\"><h2 id=\"ideas\">Ideas and their fate</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"ideas\"><table><thead><tr><th scope=\"col\">by</th><th scope=\"col\">idea</th><th scope=\"col\">fate</th><th scope=\"col\" class=\"num\">best gain</th><th scope=\"col\" class=\"num\">time</th><th scope=\"col\">runs</th><th scope=\"col\">last tried</th></tr></thead><tbody>\n");
    for fate in &fates {
        idea(html, fate);
    }
    html.raw("</tbody></table></div></section>\n");
}

fn idea(html: &mut Html, fate: &Fate) {
    html.raw("<tr><td>")
        .text(&fate.proposer)
        .raw("</td><td>")
        .text(fate.idea.as_deref().unwrap_or(""))
        .raw("</td><td>");
    let counts = [
        (fate.kept, "kept"),
        (fate.discarded, "discarded"),
        (fate.checks_failed, "failed checks"),
        (fate.crashed, "crashed"),
    ];
    let words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    html.text(&words.join(", ")).raw("</td><td class=\"num\">");
    html.text(&fate.best_gain().unwrap_or_default());
    html.raw("</td><td class=\"num\">")
        .text(&format::duration(fate.seconds))
        .raw("</td><td>");
    for (index, run) in fate.runs.iter().take(RUNS_NAMED).enumerate() {
        html.raw(if index == 0 { "" } else { ", " });
        run_link(html, *run);
    }
    if fate.runs.len() > RUNS_NAMED {
        html.raw(" and ")
            .number((fate.runs.len() - RUNS_NAMED) as u64)
            .raw(" more");
    }
    html.raw("</td><td>")
        .text(&format::one_line(&fate.description))
        .raw("</td></tr>\n");
}

pub(super) fn time(html: &mut Html, session: &Session) {
    let spent = &session.summary.spent;
    if spent.total_s <= 0.0 && session.cost_usd <= 0.0 {
        return;
    }
    html.raw("<section aria-labelledby=\"time\"><h2 id=\"time\">Time and cost</h2>\n<table class=\"bars\"><thead><tr><th scope=\"col\">phase</th><th scope=\"col\" class=\"num\">time</th><th scope=\"col\" class=\"num\">share</th><th scope=\"col\"><span class=\"away\">bar</span></th></tr></thead><tbody>\n");
    let named = spent.propose_s + spent.build_s + spent.measure_s + spent.gate_s;
    let total = spent.total_s.max(named);
    for (phase, seconds) in [
        ("proposing", spent.propose_s),
        ("building", spent.build_s),
        ("measuring", spent.measure_s),
        ("gate", spent.gate_s),
        ("the harness itself", total - named),
    ] {
        let share = if total > 0.0 {
            100.0 * seconds / total
        } else {
            0.0
        };
        html.raw("<tr><th scope=\"row\">").raw(phase).raw("</th><td class=\"num\">").text(&format::duration(seconds)).raw("</td><td class=\"num\">")
            .text(&format!("{share:.0} %"))
            .raw("</td><td><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect height=\"8\" width=\"")
            .at(share)
            .raw("\"/></svg></td></tr>\n");
    }
    html.raw("</tbody></table>\n<p>")
        .text(&format::duration(total))
        .raw(" over all candidates");
    if session.cost_usd > 0.0 {
        html.raw("; agents reported a cost of $")
            .text(&format!("{:.2}", session.cost_usd));
    }
    html.raw(".</p></section>\n");
}

pub(super) fn environment(html: &mut Html, session: &Session) {
    let Some(line) = &session.summary.segment.session else {
        return;
    };
    html.raw("<section aria-labelledby=\"environment\"><h2 id=\"environment\">Environment and noise</h2>\n<dl>");
    let machine = &line.environment;
    let mut facts = vec![
        (
            "machine",
            format!(
                "{}, {} cores, {} MiB",
                machine.cpu, machine.cores, machine.memory_mib
            ),
        ),
        ("system", format!("{}, {}", machine.os, machine.kernel)),
        ("compiler", machine.rustc.clone()),
        ("autoresearch", line.version.clone()),
        (
            "started",
            format!(
                "{} at {}",
                format::time(line.timestamp),
                format::short_id(&line.start)
            ),
        ),
    ];
    let flags: Vec<String> = machine
        .flags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    facts.push(("variables", flags.join(" ")));
    for (name, text) in facts.iter().filter(|(_, text)| !text.is_empty()) {
        html.raw("<dt>")
            .raw(name)
            .raw("</dt><dd>")
            .text(text)
            .raw("</dd>");
    }
    html.raw("</dl>\n");
    calibrations(html, session, machine);
    html.raw("</section>\n");
}

fn calibrations(html: &mut Html, session: &Session, machine: &Environment) {
    if session.calibrations.is_empty() {
        html.raw("<p>The noise has not been measured yet.</p>");
        return;
    }
    html.raw("<h3>The unchanged code against itself</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"calibrations\"><table><thead><tr><th scope=\"col\">when</th><th scope=\"col\">metric</th><th scope=\"col\" class=\"num\">median</th><th scope=\"col\" class=\"num\">noise of a pair</th><th scope=\"col\" class=\"num\">smallest gain looked for</th><th scope=\"col\" class=\"num\">correlation of neighbours</th><th scope=\"col\">slots</th><th scope=\"col\" class=\"num\">load</th></tr></thead><tbody>\n");
    for line in &session.calibrations {
        calibration(html, session, line);
        if line.environment != *machine {
            html.raw("<tr><td colspan=\"8\">The machine was not the same as at the start of the session.</td></tr>\n");
        }
    }
    html.raw("</tbody></table></div>\n");
}

fn calibration(html: &mut Html, session: &Session, line: &CalibrationLine) {
    let primary = std::iter::once((&session.summary.segment.metric_name, &line.primary));
    for (name, figures) in primary.chain(&line.guards) {
        let percent = |log: f64| format!("{:.2} %", log.exp_m1() * 100.0);
        html.raw("<tr><td>")
            .text(&format::time(line.timestamp))
            .raw("</td><td>")
            .text(name)
            .raw("</td>");
        let noise = if figures.exact.is_some() {
            "exact".to_owned()
        } else {
            percent(figures.s0)
        };
        for text in [
            format::value(figures.median),
            noise,
            percent(figures.detectable_effect),
            format!("{:.2}", figures.lag1_autocorrelation),
        ] {
            html.raw("<td class=\"num\">").text(&text).raw("</td>");
        }
        html.raw("<td>")
            .raw(match figures.slot_bias {
                SlotBias::None => "alike",
                SlotBias::Warn => "may differ",
                SlotBias::Refuse => "differ",
            })
            .raw("</td><td class=\"num\">")
            .text(&format!("{:.2}", line.load))
            .raw("</td></tr>\n");
    }
}

pub(super) fn footer(html: &mut Html, setting: &Setting) {
    html.raw("<footer class=\"note\"><p>Gains are of the candidate over the incumbent, measured in pairs side by side; above 0 is better. <code>~</code> marks what was seen while screening: a description, not a claim. What is claimed for the whole is measured from the first commit to the last.</p><p>From ")
        .text(&setting.ledger)
        .raw(" at ")
        .text(&format::time(setting.now_ms))
        .raw(" by autoresearch ")
        .raw(env!("CARGO_PKG_VERSION"))
        .raw(".</p></footer>\n");
}
