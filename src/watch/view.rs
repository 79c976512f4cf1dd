//! The picture of a [`State`].

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::layout::LEAST;
use super::look::Look;
use super::state::{Pane, State};
use super::{chart, detail, header, help, table};

/// Draws the whole picture.
pub fn draw(state: &State, look: Look, buffer: &mut Buffer) {
    let screen = buffer.area;
    match state.areas() {
        None => too_small(state, buffer),
        Some(areas) => {
            header::draw(state, areas.header, buffer);
            if let Some(area) = areas.runs {
                table::draw(state, area, buffer);
            }
            if let Some(area) = areas.chart {
                chart::draw(state, area, buffer);
            }
            if let Some(area) = areas.detail {
                detail::draw(state, area, buffer);
            }
            help::keys(state, areas.keys, buffer);
            if state.has_help {
                help::draw(screen, buffer);
            }
        }
    }
    look.apply(buffer);
}

fn too_small(state: &State, buffer: &mut Buffer) {
    let area = buffer.area;
    let (columns, rows) = state.size;
    let text = [
        format!("needs {}x{}, has {columns}x{rows}", LEAST.0, LEAST.1),
        "q quits".to_owned(),
    ];
    for (y, line) in (area.y..area.bottom()).zip(text) {
        put(buffer, area, y, &line, Style::new());
    }
}

/// Writes a text into row `y` from the left of an area, and cuts it where that ends.
pub(super) fn put(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    if y < area.bottom() && area.width > 0 {
        buffer.set_stringn(area.x, y, cut(text, area.width), area.width.into(), style);
    }
}

/// Writes a text that ends at the right of an area; says where it begins.
pub(super) fn put_right(
    buffer: &mut Buffer,
    area: Rect,
    y: u16,
    text: &str,
    style: Style,
    at_most: u16,
) -> u16 {
    let text = cut(text, at_most);
    let width = u16::try_from(text.width()).unwrap_or(at_most);
    let x = area.right().saturating_sub(width);
    buffer.set_stringn(x, y, &text, width.into(), style);
    x
}

/// A text of at most so many columns; one that is longer ends in `…`.
pub(super) fn cut(text: &str, columns: u16) -> String {
    let columns = usize::from(columns);
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut width = 0;
    for letter in text.chars() {
        width += letter.width().unwrap_or(0);
        if width + 1 > columns {
            break;
        }
        cut.push(letter);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// The row above a pane: its name, what else is to be said, and a rule.
pub(super) fn title(state: &State, pane: Pane, area: Rect, text: &str, buffer: &mut Buffer) {
    let style = if state.focus == pane {
        Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD)
    } else {
        Style::new().fg(Color::DarkGray)
    };
    put(buffer, area, area.y, &"─".repeat(area.width.into()), style);
    let mark = if state.focus == pane { ">" } else { "" };
    let room = Rect {
        x: area.x + 2,
        width: area.width.saturating_sub(3),
        ..area
    };
    put(buffer, room, area.y, &format!(" {mark}{text} "), style);
}
