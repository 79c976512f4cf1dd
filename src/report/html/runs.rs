//! Every run in a table, and the data from which the details are drawn.

use std::collections::BTreeMap;

use super::markup::Html;
use crate::flow::record::{GateOutcome, Status};
use crate::report::review::{Detail, Review, Run};
use crate::report::row::Row;
use crate::report::{format, log, reason};

/// The columns: heading, class, and whether it sorts by a number.
const COLUMNS: [(&str, &str); 9] = [
    ("run", "num"),
    ("verdict", ""),
    ("gain", "num"),
    ("metric", "num wide"),
    ("guards moved", "wider"),
    ("gate", "wider"),
    ("time", "num wide"),
    ("by", "by wide"),
    ("description", ""),
];

/// The section with the table.
pub(super) fn table(html: &mut Html, review: &Review) {
    html.raw("<section aria-labelledby=\"runs\"><h2 id=\"runs\" tabindex=\"-1\">Runs</h2>\n");
    if review.runs.is_empty() {
        html.raw("<p>No candidate has been judged yet.</p></section>\n");
        return;
    }
    controls(html, review);
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"runs\"><table id=\"table\" class=\"runs\"><caption class=\"away\">One row a run; the button in the first column opens its details below it</caption><thead><tr>");
    for (heading, class) in COLUMNS {
        html.raw("<th scope=\"col\" class=\"")
            .raw(class)
            .raw("\">")
            .raw(heading)
            .raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for run in &review.runs {
        row(html, run);
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

fn controls(html: &mut Html, review: &Review) {
    html.raw("<form class=\"controls\" role=\"search\" hidden><label>Search <input id=\"search\" type=\"search\" autocomplete=\"off\"></label><fieldset><legend class=\"away\">Verdicts shown</legend>");
    for (status, word, label) in STATUSES {
        let count = review
            .runs
            .iter()
            .filter(|run| run.row.status == status)
            .count();
        if count > 0 {
            html.raw("<label><input type=\"checkbox\" checked value=\"")
                .raw(word)
                .raw("\"> ")
                .raw(label)
                .raw(" (")
                .number(count as u64)
                .raw(")</label>");
        }
    }
    html.raw("</fieldset>");
    if review.sessions.len() > 1 {
        html.raw("<label>Session <select id=\"session\"><option value=\"\">all</option>");
        for session in review.sessions.iter().rev() {
            let segment = &session.summary.segment;
            let index = u64::from(segment.index);
            html.raw("<option value=\"")
                .number(index)
                .raw("\">")
                .number(index)
                .raw(" ")
                .text(&segment.name)
                .raw("</option>");
        }
        html.raw("</select></label>");
    }
    html.raw("<output id=\"count\" aria-live=\"polite\"></output></form>\n");
}

const STATUSES: [(Status, &str, &str); 4] = [
    (Status::Keep, "keep", "kept"),
    (Status::Discard, "discard", "discarded"),
    (Status::ChecksFailed, "checks_failed", "failed checks"),
    (Status::Crash, "crash", "crashed"),
];

/// The shapes of the chart, as characters.
fn glyph(status: Status) -> &'static str {
    match status {
        Status::Keep => "●",
        Status::Discard => "○",
        Status::ChecksFailed => "△",
        Status::Crash => "✕",
    }
}

fn row(html: &mut Html, run: &Run) {
    let row = &run.row;
    html.raw("<tr id=\"run-")
        .number(row.run)
        .raw("\" class=\"")
        .raw(row.status.as_str())
        .raw("\" data-session=\"")
        .number(u64::from(row.segment))
        .raw("\"><td class=\"num\"><button type=\"button\" aria-expanded=\"false\">")
        .number(row.run)
        .raw("</button></td><td class=\"verdict\"><span aria-hidden=\"true\">")
        .raw(glyph(row.status))
        .raw("</span> ")
        .text(&reason::verdict(row.status, row.reason))
        .raw("</td>");
    gain(html, row);
    number_cell(html, "num wide", row.metric, &metric(row));
    let guards = log::guards(row).unwrap_or_default();
    cell(html, "wider", &guards.replace(" %", "\u{a0}%"));
    cell(
        html,
        "wider",
        match row.gate {
            Some(GateOutcome::Pass) => "pass",
            Some(GateOutcome::Fail) => "fail",
            Some(GateOutcome::Flaky) => "flaky",
            Some(GateOutcome::NotRun) | None => "",
        },
    );
    number_cell(
        html,
        "num wide",
        row.seconds,
        &row.seconds.map(format::duration).unwrap_or_default(),
    );
    let by = [row.proposer.as_deref(), row.idea.as_deref()];
    cell(
        html,
        "by wide",
        &by.into_iter().flatten().collect::<Vec<_>>().join("/"),
    );
    cell(html, "", &format::one_line(&row.description));
    html.raw("</tr>\n");
}

fn cell(html: &mut Html, class: &'static str, text: &str) {
    html.raw("<td class=\"")
        .raw(class)
        .raw("\">")
        .text(text)
        .raw("</td>");
}

/// A cell that is sorted by its number.
fn number_cell(html: &mut Html, class: &'static str, value: Option<f64>, text: &str) {
    html.raw("<td class=\"").raw(class).raw("\"");
    if let Some(value) = value.filter(|value| value.is_finite()) {
        html.raw(" data-v=\"").text(&value.to_string()).raw("\"");
    }
    html.raw(">").text(text).raw("</td>");
}

fn gain(html: &mut Html, row: &Row) {
    let Some(gain) = row.gain else {
        return number_cell(html, "num", None, "");
    };
    let mark = if gain.confirmed { "" } else { "~" };
    let mut text = format!("{mark}{}", format::signed_percent(gain.percent));
    if let (Some(lo), Some(hi)) = (gain.percent_lo, gain.percent_hi) {
        text.push_str(&format!(" {}", format::bracket(lo, hi)));
    }
    number_cell(html, "num", Some(gain.percent), &text);
}

fn metric(row: &Row) -> String {
    let Some(value) = row.metric else {
        return String::new();
    };
    let after = format::value_with_unit(value, &row.unit);
    row.incumbent.map_or(after.clone(), |before| {
        format!("{} → {after}", format::value(before))
    })
}

/// The details of all runs, and what the script must know of the sessions.
pub(super) fn data(html: &mut Html, review: &Review) {
    let details: BTreeMap<String, &Detail> = review
        .runs
        .iter()
        .map(|run| (run.row.run.to_string(), &run.detail))
        .collect();
    let directions: BTreeMap<String, _> = review
        .sessions
        .iter()
        .map(|session| {
            (
                session.summary.segment.index.to_string(),
                session.summary.segment.direction,
            )
        })
        .collect();
    html.raw("<script type=\"application/json\" id=\"sessions\">")
        .json(&directions)
        .raw("</script>\n");
    html.raw("<script type=\"application/json\" id=\"details\">")
        .json(&details)
        .raw("</script>\n");
}
