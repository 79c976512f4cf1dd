//! Every run in a table, and the data from which the details are drawn.

use std::collections::BTreeMap;

use super::markup::Html;
use crate::flow::record::{GateOutcome, Status};
use crate::report::review::{Detail, Review, Run};
use crate::report::row::Row;
use crate::report::{format, log, reason};

/// One column after the run and its verdict.
struct Column {
    heading: &'static str,
    /// What the style and the script know it by.
    class: &'static str,
    cell: fn(&Row) -> Cell,
}

/// Text, and the number by which it sorts where it is one.
#[derive(Default)]
struct Cell {
    text: String,
    value: Option<f64>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, value: None }
    }
}

const DESCRIPTION: &str = "description";

const COLUMNS: [Column; 7] = [
    Column {
        heading: "gain",
        class: "num gain",
        cell: gain,
    },
    Column {
        heading: "metric",
        class: "num metric wide",
        cell: |row| Cell {
            text: metric(row),
            value: row.metric,
        },
    },
    Column {
        heading: "guards moved",
        class: "wider",
        cell: |row| {
            let guards = log::guards(row).unwrap_or_default();
            guards.replace(" %", "\u{a0}%").into()
        },
    },
    Column {
        heading: "gate",
        class: "wider",
        cell: |row| gate(row.gate).to_owned().into(),
    },
    Column {
        heading: "time",
        class: "num wide",
        cell: |row| Cell {
            text: row.seconds.map(format::duration).unwrap_or_default(),
            value: row.seconds,
        },
    },
    Column {
        heading: "by",
        class: "by wide",
        cell: |row| {
            let by = [row.proposer.as_deref(), row.idea.as_deref()];
            by.into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("/")
                .into()
        },
    },
    Column {
        heading: DESCRIPTION,
        class: "what",
        cell: |row| format::one_line(&row.description).into(),
    },
];

/// The columns that say anything of any run; the description is always there.
fn columns(review: &Review) -> Vec<&'static Column> {
    let says_something = |column: &&Column| {
        let mut cells = review.runs.iter().map(|run| (column.cell)(&run.row));
        column.heading == DESCRIPTION || cells.any(|cell| !cell.text.is_empty())
    };
    COLUMNS.iter().filter(says_something).collect()
}

/// The section with the table.
pub(super) fn table(html: &mut Html, review: &Review) {
    html.raw("<section aria-labelledby=\"runs\"><h2 id=\"runs\" tabindex=\"-1\">Runs</h2>\n");
    if review.runs.is_empty() {
        html.raw("<p>No candidate has been judged yet.</p></section>\n");
        return;
    }
    controls(html, review);
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"runs\"><table id=\"table\" class=\"runs\"><caption class=\"away\">One row a run; the button in the first column opens its details below it</caption><thead><tr>");
    let columns = columns(review);
    let headings = columns.iter().map(|column| (column.heading, column.class));
    for (heading, class) in [("run", "num"), ("verdict", "")]
        .into_iter()
        .chain(headings)
    {
        html.raw("<th scope=\"col\" class=\"")
            .raw(class)
            .raw("\">")
            .raw(heading)
            .raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for run in &review.runs {
        row(html, run, &columns);
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

fn row(html: &mut Html, run: &Run, columns: &[&Column]) {
    let row = &run.row;
    html.raw("<tr id=\"run-")
        .number(row.run)
        .raw("\" class=\"")
        .raw(row.status.as_str())
        .raw("\" data-session=\"")
        .number(u64::from(row.segment))
        .raw("\"><td class=\"num run\"><button type=\"button\" aria-expanded=\"false\">")
        .number(row.run)
        .raw("</button></td><td class=\"verdict\"><span aria-hidden=\"true\">")
        .raw(glyph(row.status))
        .raw("</span> ")
        .text(&reason::verdict(row.status, row.reason))
        .raw("</td>");
    for column in columns {
        cell(html, column.class, &(column.cell)(row));
    }
    html.raw("</tr>\n");
}

fn cell(html: &mut Html, class: &'static str, cell: &Cell) {
    html.raw("<td class=\"").raw(class).raw("\"");
    if let Some(value) = cell.value.filter(|value| value.is_finite()) {
        html.raw(" data-v=\"").text(&value.to_string()).raw("\"");
    }
    html.raw(">").text(&cell.text).raw("</td>");
}

fn gain(row: &Row) -> Cell {
    row.gain.map_or(Cell::default(), |gain| Cell {
        text: log::gain(row),
        value: Some(gain.percent),
    })
}

fn gate(outcome: Option<GateOutcome>) -> &'static str {
    match outcome {
        Some(GateOutcome::Pass) => "pass",
        Some(GateOutcome::Fail) => "fail",
        Some(GateOutcome::Flaky) => "flaky",
        Some(GateOutcome::NotRun) | None => "",
    }
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
