//! The metric over the runs of the session: signs for what became of them, bars for intervals, a
//! line for the incumbent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use unicode_width::UnicodeWidthStr;

use super::state::{Pane, State};
use super::table;
use super::view::{put, put_right, title};
use crate::report::format;
use crate::report::progress::{Kind, Point, Scale};
use crate::report::row::Row;

/// Columns for the values beside the axis.
const LABEL: u16 = 9;

/// Draws title, axes and points.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(session) = state.session() else {
        title(state, Pane::Chart, area, "metric", buffer);
        return;
    };
    let segment = &session.segment;
    let better = match segment.direction {
        crate::flow::decision::Direction::Lower => "lower",
        crate::flow::decision::Direction::Higher => "higher",
    };
    let name = format::one_line(&segment.metric_name);
    let legend = [
        format!("{name}, {better} is better:  + kept  • not kept  │ interval"),
        format!("{name}, {better} is better:  + kept  • not"),
        name,
    ];
    let room = usize::from(area.width.saturating_sub(7));
    let legend = legend.iter().find(|text| text.width() <= room);
    let legend = legend.map_or("metric", String::as_str);
    title(state, Pane::Chart, area, legend, buffer);
    // The runs of a segment stand together.
    let first = state
        .rows
        .partition_point(|row| row.segment < segment.index);
    let end = state
        .rows
        .partition_point(|row| row.segment <= segment.index);
    let rows = &state.rows[first..end];
    let points: Vec<Point> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| Point::new(row, index as f64, segment.allows_zero()))
        .collect();
    let (Some(scale), true) = (
        Scale::fit(&points),
        area.height > 4 && area.width > LABEL + 8,
    ) else {
        let room = Rect {
            y: area.y + 1,
            ..area
        };
        put(buffer, room, room.y, "nothing measured yet", Style::new());
        return;
    };
    let plot = Plot {
        area: Rect {
            x: area.x + LABEL + 1,
            y: area.y + 1,
            width: area.width - LABEL - 2,
            height: area.height - 2,
        },
        scale,
        count: rows.len(),
    };
    axes(&plot, area, rows, buffer);
    incumbents(&plot, &points, buffer);
    intervals(&plot, &points, buffer);
    let selected = state.selected.and_then(|index| index.checked_sub(first));
    marks(&plot, rows, &points, selected, buffer);
}

/// From points to cells.
struct Plot {
    area: Rect,
    scale: Scale,
    count: usize,
}

impl Plot {
    fn x(&self, point: &Point) -> u16 {
        let last = (self.count.max(2) - 1) as f64;
        self.area.x + (point.x / last * f64::from(self.area.width - 1)).round() as u16
    }

    fn y(&self, value: f64) -> u16 {
        let along = 1.0 - self.scale.along(value);
        self.area.y + (along * f64::from(self.area.height - 1)).round() as u16
    }
}

fn axes(plot: &Plot, area: Rect, rows: &[Row], buffer: &mut Buffer) {
    let faint = Style::new().fg(Color::DarkGray);
    let left = Rect {
        width: LABEL,
        ..area
    };
    for y in plot.area.y..plot.area.bottom() {
        buffer.set_string(area.x + LABEL, y, "│", faint);
    }
    let mut last = None;
    for tick in plot.scale.ticks() {
        let y = plot.y(tick);
        // Two labels in one row or in neighbouring ones are hard to tell apart.
        if last.is_some_and(|last: u16| last.abs_diff(y) < 2) {
            continue;
        }
        last = Some(y);
        put_right(buffer, left, y, &format::value(tick), faint, LABEL);
        buffer.set_string(area.x + LABEL, y, "┤", faint);
    }
    let below = Rect {
        y: plot.area.bottom(),
        height: 1,
        ..plot.area
    };
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        put(buffer, below, below.y, &format!("run {}", first.run), faint);
        let text = format!("run {}", last.run);
        if rows.len() > 1 {
            put_right(buffer, below, below.y, &text, faint, below.width / 2);
        }
    }
}

/// What each candidate was measured against.
fn incumbents(plot: &Plot, points: &[Point], buffer: &mut Buffer) {
    let style = Style::new().fg(Color::DarkGray);
    let mut level = None;
    let mut from = plot.area.x;
    for point in points {
        let x = plot.x(point);
        if let Some(y) = level {
            for x in from..x {
                buffer.set_string(x, y, "─", style);
            }
        }
        from = x;
        level = point.incumbent.map(|value| plot.y(value)).or(level);
    }
}

/// Those of fresh pairs; others would hide them.
fn intervals(plot: &Plot, points: &[Point], buffer: &mut Buffer) {
    let confirmed = points.iter().filter(|point| point.is_confirmed);
    for point in confirmed {
        let Some((a, b)) = point.interval else {
            continue;
        };
        let (a, b) = (plot.y(a), plot.y(b));
        for y in a.min(b)..=a.max(b) {
            buffer.set_string(plot.x(point), y, "│", Style::new().fg(Color::Cyan));
        }
    }
}

/// As in the table, but for what would not be seen on the incumbents' line.
fn sign(row: &Row) -> char {
    match table::sign(row) {
        '-' => '•',
        other => other,
    }
}

/// Kept ones last, so that nothing hides them but the selected one.
fn marks(
    plot: &Plot,
    rows: &[Row],
    points: &[Point],
    selected: Option<usize>,
    buffer: &mut Buffer,
) {
    let floor = plot.area.bottom() - 1;
    let mut mark = |index: usize, modifier: Modifier| {
        let (Some(row), Some(point)) = (rows.get(index), points.get(index)) else {
            return;
        };
        let y = point.value.map_or(floor, |value| plot.y(value));
        let style = Style::new()
            .fg(table::color(row.status))
            .add_modifier(modifier);
        buffer.set_string(plot.x(point), y, sign(row).to_string(), style);
    };
    let is_kept = |index: &usize| points[*index].kind == Kind::Keep;
    for index in (0..points.len()).filter(|index| !is_kept(index)) {
        mark(index, Modifier::empty());
    }
    for index in (0..points.len()).filter(is_kept) {
        mark(index, Modifier::BOLD);
    }
    if let Some(index) = selected {
        mark(index, Modifier::REVERSED | Modifier::BOLD);
    }
}
