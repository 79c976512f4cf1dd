//! The runs, newest first. The cells are those of `log`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::state::{Pane, State};
use super::view::{put, title};
use crate::flow::record::{PLACEBO, Status};
use crate::report::row::Row;
use crate::report::{format, log, reason};

/// Rows above the first run.
pub(super) const ABOVE: u16 = 2;

/// One column; those that need more columns than there are go.
struct Column {
    header: &'static str,
    width: u16,
    /// Columns of the pane from which on it is shown.
    from: u16,
    is_right: bool,
    cell: fn(&Row) -> String,
}

/// The sign of a verdict.
pub(super) fn sign(row: &Row) -> char {
    match row.status {
        _ if row.proposer.as_deref() == Some(PLACEBO) => 'o',
        Status::Keep => '+',
        Status::Discard => '-',
        Status::Crash => 'x',
        Status::ChecksFailed => '!',
    }
}

/// The colour of a verdict.
pub(super) fn color(status: Status) -> Color {
    match status {
        Status::Keep => Color::Green,
        Status::Discard => Color::Reset,
        Status::Crash => Color::Red,
        Status::ChecksFailed => Color::Yellow,
    }
}

const fn column(header: &'static str, width: u16, from: u16, cell: fn(&Row) -> String) -> Column {
    Column {
        header,
        width,
        from,
        is_right: false,
        cell,
    }
}

/// In the order shown. The description has what is left.
const COLUMNS: &[Column] = &[
    Column {
        is_right: true,
        ..column("run", 6, 0, |row| row.run.to_string())
    },
    column("verdict", 24, 90, verdict),
    column("verdict", 14, 0, short_verdict),
    column("gain, 95 % interval", 23, 0, log::gain),
    column("metric", 22, 110, log::metric),
    Column {
        is_right: true,
        ..column("time", 6, 128, |row| {
            row.seconds.map_or(String::new(), format::duration)
        })
    },
    column("guards that moved", 26, 170, |row| {
        log::guards(row).unwrap_or_default()
    }),
    column("by", 16, 145, log::by),
];

fn verdict(row: &Row) -> String {
    reason::verdict(row.status, row.reason)
}

/// Without the status, which its sign says.
fn short_verdict(row: &Row) -> String {
    reason::short_verdict(row.status, row.reason)
}

fn columns(width: u16) -> Vec<&'static Column> {
    let mut columns: Vec<&Column> = COLUMNS.iter().filter(|it| it.from <= width).collect();
    // Of two with one header the wider comes first.
    columns.dedup_by_key(|it| it.header);
    columns
}

/// Draws the title, the headers and the visible runs.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    title(state, Pane::Runs, area, &caption(state), buffer);
    if state.shown.is_empty() {
        let room = Rect {
            y: area.y + 1,
            ..area
        };
        put(buffer, room, room.y, empty(state), Style::new());
        return;
    }
    let columns = columns(area.width);
    let faint = Style::new().fg(Color::DarkGray);
    let cells = columns.iter().map(|column| column.header.to_owned());
    line(
        &columns,
        cells,
        "description",
        area,
        area.y + 1,
        faint,
        buffer,
    );
    let rows = (area.y + ABOVE)..area.bottom();
    for (y, position) in rows.zip(state.top..) {
        let Some(index) = state.at(position) else {
            break;
        };
        let row = &state.rows[index];
        let mut style = Style::new().fg(color(row.status));
        let is_selected = state.selected == Some(index);
        if is_selected {
            style = style.add_modifier(Modifier::REVERSED);
            buffer.set_style(
                Rect {
                    y,
                    height: 1,
                    ..area
                },
                style,
            );
        }
        let cursor = if is_selected { '>' } else { ' ' };
        put(buffer, area, y, &format!("{cursor}{}", sign(row)), style);
        let cells = columns.iter().map(|column| (column.cell)(row));
        let text = format::one_line(&row.description);
        line(&columns, cells, &text, area, y, style, buffer);
    }
}

/// The cells of one row after the sign, and the description.
fn line(
    columns: &[&Column],
    cells: impl Iterator<Item = String>,
    description: &str,
    area: Rect,
    y: u16,
    style: Style,
    buffer: &mut Buffer,
) {
    let mut x = area.x + 2;
    for (column, cell) in columns.iter().zip(cells) {
        let width = column.width.min(area.right().saturating_sub(x));
        let room = Rect { x, width, ..area };
        if column.is_right {
            super::view::put_right(buffer, room, y, &cell, style, width);
        } else {
            put(buffer, room, y, &cell, style);
        }
        x += column.width + 1;
    }
    let width = area.right().saturating_sub(x);
    put(buffer, Rect { x, width, ..area }, y, description, style);
}

/// `runs 3-20 of 200 · last session · only keep · /cache`.
fn caption(state: &State) -> String {
    let count = state.shown.len();
    let last = (state.top + state.page()).min(count);
    let mut text = match count {
        0 => "runs".to_owned(),
        count => format!("runs: {}-{last} of {count}", state.top + 1),
    };
    let filter = &state.filter;
    if state.summary.sessions.len() > 1 {
        let which = if filter.all_sessions {
            "all sessions"
        } else {
            "last session"
        };
        text.push_str(&format!(" · {which}"));
    }
    if let Some(status) = filter.status {
        text.push_str(&format!(" · only {}", reason::verdict(status, None)));
    }
    if !filter.text.is_empty() {
        text.push_str(&format!(" · /{}", filter.text));
    }
    text
}

fn empty(state: &State) -> &'static str {
    if state.rows.is_empty() {
        "no runs yet"
    } else if state.filter.status.is_none() && state.filter.text.is_empty() {
        "no runs in the last session yet; s shows all sessions"
    } else {
        "no run matches; f and / change the filter"
    }
}
