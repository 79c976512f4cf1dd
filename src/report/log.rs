//! `log`: one line a run, in the width there is.

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};

use super::format;
use super::reason::{short_verdict, verdict};
use super::row::Row;
use super::rows::{Rows, Sort};
use crate::flow::record::{GateOutcome, GuardOutcome, Status};

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; lines are no longer where that is possible. [`u16::MAX`] cuts nothing.
    pub width: u16,
    /// Whether to use colour. Nothing is said by colour alone.
    pub color: bool,
}

/// Columns kept for the description, when it has so many.
const DESCRIPTION_MIN: usize = 24;
/// With less than this it says nothing and goes.
const DESCRIPTION_LEAST: usize = 6;
/// Between two columns.
const GAP: usize = 2;

/// What a cell of a row says.
type CellOf = fn(&Row) -> String;

/// One column; those that are not required go first when the width is short, the last of them
/// before the others.
struct Column {
    header: &'static str,
    is_required: bool,
    alignment: CellAlignment,
    cells: Vec<String>,
}

impl Column {
    fn new(
        header: &'static str,
        is_required: bool,
        alignment: CellAlignment,
        rows: &Rows,
        cell: impl Fn(&Row) -> String,
    ) -> Self {
        Self {
            header,
            is_required,
            alignment,
            cells: rows.iter().map(cell).collect(),
        }
    }

    fn width(&self) -> usize {
        let longest = self.cells.iter().map(|cell| cell.chars().count()).max();
        longest.unwrap_or(0).max(self.header.len())
    }

    fn says_something(&self) -> bool {
        self.cells.iter().any(|cell| cell != NOTHING)
    }
}

/// A cell for what the log does not say.
const NOTHING: &str = "-";

/// The table, with a newline at the end.
pub fn table(rows: &Rows, layout: Layout) -> String {
    if rows.is_empty() {
        return "no runs\n".to_owned();
    }
    let columns = fit(columns(rows), rows, usize::from(layout.width));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(layout.width)
        .set_header(one_high(columns.iter().map(|column| {
            Cell::new(column.header).set_alignment(column.alignment)
        })));
    if layout.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for (index, row) in rows.iter().enumerate() {
        let cells = columns.iter().map(|column| {
            let cell = Cell::new(&column.cells[index]).set_alignment(column.alignment);
            match color(row.status) {
                Some(color) if layout.color && column.header == VERDICT => cell.fg(color),
                Some(_) | None => cell,
            }
        });
        table.add_row(one_high(cells));
    }
    for (column, shown) in table.column_iter_mut().zip(&columns) {
        let gap = if shown.header == DESCRIPTION { 0 } else { GAP };
        column.set_padding((0, u16::try_from(gap).expect("the gap is small")));
        if shown.header != DESCRIPTION {
            let width = u16::try_from(shown.width() + gap).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
    }
    format!("{}\n{}", table.trim_fmt(), footer(rows))
}

/// A row whose cells are cut, not wrapped.
fn one_high(cells: impl Iterator<Item = Cell>) -> comfy_table::Row {
    let mut row = comfy_table::Row::from(cells.collect::<Vec<_>>());
    row.max_height(1);
    row
}

const VERDICT: &str = "verdict";
const GAIN: &str = "gain";
const DESCRIPTION: &str = "description";

/// Every column that has anything to say, in the order shown.
fn columns(rows: &Rows) -> Vec<Column> {
    use CellAlignment::{Left, Right};
    let optional =
        |header, alignment, cell: CellOf| Column::new(header, false, alignment, rows, cell);
    let required =
        |header, alignment, cell: CellOf| Column::new(header, true, alignment, rows, cell);
    let mut columns = vec![
        required("run", Right, |row| row.run.to_string()),
        required(VERDICT, Left, |row| verdict(row.status, row.reason)),
        required(GAIN, Left, gain),
        optional("metric", Left, metric),
        optional("guards", Left, |row| {
            guards(row).unwrap_or(NOTHING.to_owned())
        }),
        optional("gate", Left, |row| gate(row.gate).to_owned()),
        optional("time", Right, |row| {
            row.seconds.map_or(NOTHING.to_owned(), format::duration)
        }),
        optional("pairs", Right, |row| {
            row.pairs
                .map_or(NOTHING.to_owned(), |pairs| pairs.to_string())
        }),
        optional("by", Left, by),
        required(DESCRIPTION, Left, |row| format::one_line(&row.description)),
    ];
    let first = rows.iter().next().map(|row| row.segment);
    if rows.iter().any(|row| Some(row.segment) != first) {
        columns.insert(0, required("segment", Right, |row| row.segment.to_string()));
    }
    columns.retain(|column| column.header == DESCRIPTION || column.says_something());
    columns
}

/// Takes optional columns away until the description has room, then the intervals, then the status
/// from verdicts that have a reason, and at last the description.
fn fit(mut columns: Vec<Column>, rows: &Rows, width: usize) -> Vec<Column> {
    let needed = |columns: &[Column], description: usize| -> usize {
        let widths = columns.iter().map(|column| match column.header {
            DESCRIPTION => column.width().min(description),
            _ => column.width() + GAP,
        });
        widths.sum()
    };
    let shorter: [(&str, CellOf); 2] = [
        (GAIN, gain_without_interval),
        (VERDICT, |row| short_verdict(row.status, row.reason)),
    ];
    let mut shorter = shorter.into_iter();
    while needed(&columns, DESCRIPTION_MIN) > width {
        if let Some(index) = columns.iter().rposition(|column| !column.is_required) {
            columns.remove(index);
            continue;
        }
        let Some((header, cell)) = shorter.next() else {
            break;
        };
        for column in columns.iter_mut().filter(|column| column.header == header) {
            column.cells = rows.iter().map(cell).collect();
        }
    }
    if needed(&columns, DESCRIPTION_LEAST) > width {
        columns.retain(|column| column.header != DESCRIPTION);
    }
    columns
}

pub(crate) fn gain(row: &Row) -> String {
    let Some(gain) = row.gain else {
        return NOTHING.to_owned();
    };
    let estimate = gain_without_interval(row);
    match (gain.percent_lo, gain.percent_hi) {
        (Some(lo), Some(hi)) => format!("{estimate} {}", format::bracket(lo, hi)),
        (_, None) | (None, _) => estimate,
    }
}

pub(crate) fn metric(row: &Row) -> String {
    match (row.incumbent, row.metric) {
        (Some(before), Some(after)) => format!(
            "{} → {}",
            format::value(before),
            format::value_with_unit(after, &row.unit)
        ),
        (None, Some(value)) => format::value_with_unit(value, &row.unit),
        (_, None) => NOTHING.to_owned(),
    }
}

fn gain_without_interval(row: &Row) -> String {
    row.gain.map_or(NOTHING.to_owned(), |gain| {
        format::gain_percent(gain.percent, gain.confirmed)
    })
}

/// `rss_kib -12.0 % fail, p99_us +3.1 %`: the guards that moved; `None` when none did.
pub(crate) fn guards(row: &Row) -> Option<String> {
    let moved: Vec<String> = row
        .guards_moved
        .iter()
        .map(|guard| {
            let outcome = match guard.outcome {
                GuardOutcome::Fail => " fail",
                GuardOutcome::Pass | GuardOutcome::Undecided => "",
            };
            let gain = format::signed_percent(guard.median_percent);
            format!("{} {gain}{outcome}", format::one_line(&guard.name))
        })
        .collect();
    (!moved.is_empty()).then(|| moved.join(", "))
}

fn gate(outcome: Option<GateOutcome>) -> &'static str {
    match outcome {
        Some(GateOutcome::Pass) => "pass",
        Some(GateOutcome::Fail) => "fail",
        Some(GateOutcome::Flaky) => "flaky",
        Some(GateOutcome::NotRun) | None => NOTHING,
    }
}

pub(crate) fn by(row: &Row) -> String {
    match (&row.proposer, &row.idea) {
        (Some(proposer), Some(idea)) => format::one_line(&format!("{proposer}/{idea}")),
        (Some(proposer), None) => format::one_line(proposer),
        (None, _) => NOTHING.to_owned(),
    }
}

fn color(status: Status) -> Option<Color> {
    match status {
        Status::Keep => Some(Color::Green),
        Status::Discard => None,
        Status::Crash => Some(Color::Red),
        Status::ChecksFailed => Some(Color::Yellow),
    }
}

fn footer(rows: &Rows) -> String {
    let mut text = String::new();
    if rows
        .iter()
        .any(|row| row.gain.is_some_and(|gain| !gain.confirmed))
    {
        text.push_str("~ seen while screening: a description, not a claim\n");
    }
    let which = match rows.sort() {
        Sort::Run => "earlier",
        Sort::Gain | Sort::Time | Sort::Metric => "more",
    };
    match rows.dropped() {
        0 => {}
        1 => text.push_str(&format!("1 {which} run is not shown\n")),
        count => text.push_str(&format!("{count} {which} runs are not shown\n")),
    }
    text
}

#[cfg(test)]
mod tests;
