//! `log`: one line a run, in the width there is.

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};

use super::format;
use super::reason::verdict;
use super::row::Row;
use super::rows::{Rows, Sort};
use crate::flow::record::{GateOutcome, GuardOutcome, Status};

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; lines are no longer where that is possible.
    pub width: u16,
    /// Whether to use colour. Nothing is said by colour alone.
    pub color: bool,
}

/// Columns kept for the description, when it has so many.
const DESCRIPTION_MIN: usize = 24;
/// Between two columns.
const GAP: usize = 2;

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
    let columns = fit(columns(rows), usize::from(layout.width));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(layout.width)
        .set_header(
            columns
                .iter()
                .map(|column| Cell::new(column.header).set_alignment(column.alignment)),
        );
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
        let mut line = comfy_table::Row::from(cells.collect::<Vec<_>>());
        line.max_height(1);
        table.add_row(line);
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

const VERDICT: &str = "verdict";
const DESCRIPTION: &str = "description";

/// Every column that has anything to say, in the order shown.
fn columns(rows: &Rows) -> Vec<Column> {
    use CellAlignment::{Left, Right};
    let optional = |header, alignment, cell: fn(&Row) -> String| {
        Column::new(header, false, alignment, rows, cell)
    };
    let required = |header, alignment, cell: fn(&Row) -> String| {
        Column::new(header, true, alignment, rows, cell)
    };
    let mut columns = vec![
        required("run", Right, |row| row.run.to_string()),
        required(VERDICT, Left, |row| verdict(row.status, row.reason)),
        required("gain", Left, gain),
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

/// Takes optional columns away until the description has room.
fn fit(mut columns: Vec<Column>, width: usize) -> Vec<Column> {
    loop {
        let needed: usize = columns
            .iter()
            .map(|column| match column.header {
                DESCRIPTION => column.width().min(DESCRIPTION_MIN),
                _ => column.width() + GAP,
            })
            .sum();
        let last_optional = columns.iter().rposition(|column| !column.is_required);
        match last_optional {
            Some(index) if needed > width => drop(columns.remove(index)),
            Some(_) | None => return columns,
        }
    }
}

pub(crate) fn gain(row: &Row) -> String {
    let Some(gain) = row.gain else {
        return NOTHING.to_owned();
    };
    let mark = if gain.confirmed { "" } else { "~" };
    let estimate = format::signed_percent(gain.percent);
    match (gain.percent_lo, gain.percent_hi) {
        (Some(lo), Some(hi)) => format!("{mark}{estimate} {}", format::bracket(lo, hi)),
        (_, None) | (None, _) => format!("{mark}{estimate}"),
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
