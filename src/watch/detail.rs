//! The selected run: what `show` says of it, in the width there is, and its change.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::state::{Pane, State};
use super::view::{put, title};
use crate::flow::entry::{Entry, Segment};
use crate::report::{format, show};

/// The heading of the change.
const CHANGE: &str = "the change:";

/// The lines for a run, each of at most so many columns; `diff` is its change, where that is known.
pub fn lines(entry: &Entry, segment: &Segment, diff: Option<&str>, columns: usize) -> Vec<String> {
    let text = show::text_within(entry, segment, columns);
    let mut lines: Vec<String> = text.lines().flat_map(|line| wrap(line, columns)).collect();
    if let Some(diff) = diff {
        lines.push(String::new());
        lines.push(CHANGE.to_owned());
        // Wrapped, a line of code is hard to read; what is beyond the edge is in `show --diff`.
        lines.extend(format::printable(diff).lines().map(str::to_owned));
    }
    lines
}

/// Breaks a line at its spaces; what follows stands below the text, not below its label.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    if line.width() <= columns {
        return vec![line.to_owned()];
    }
    let indent = " ".repeat(hanging(line).min(columns / 2));
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while rest.width() > columns {
        let cut = break_at(&rest, columns, indent.len());
        let after = rest[cut..].trim_start().to_owned();
        rest.truncate(cut);
        lines.push(rest.trim_end().to_owned());
        rest = format!("{indent}{after}");
    }
    lines.push(rest);
    lines
}

/// Where the text after a label begins: after the first two or more spaces in a row.
fn hanging(line: &str) -> usize {
    let begin = line.len() - line.trim_start().len();
    let gap = line[begin..].find("  ").map(|gap| begin + gap);
    gap.map_or(begin, |gap| {
        let after = &line[gap..];
        gap + after.len() - after.trim_start().len()
    })
}

/// The byte at which a line that is too long is cut, after the indent at least.
fn break_at(line: &str, columns: usize, indent: usize) -> usize {
    let mut width = 0;
    let mut space = None;
    for (index, letter) in line.char_indices() {
        width += letter.width().unwrap_or(0);
        if letter == ' ' && index > indent {
            space = Some(index);
        }
        if width > columns {
            // One letter at least, however narrow the room is.
            let first = line.chars().next().map_or(1, char::len_utf8);
            return space
                .unwrap_or(index)
                .max(first.max(indent + 1).min(index.max(first)));
        }
    }
    line.len()
}

/// Draws the lines that are in sight.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(index) = state.selected else {
        title(state, Pane::Detail, area, "run", buffer);
        return;
    };
    let run = state.rows[index].run;
    let detail = state.detail.as_ref().filter(|it| it.of.row == index);
    let lines = detail.map_or(&[][..], |it| &it.lines);
    let last = state.detail_top + usize::from(area.height.saturating_sub(1));
    let text = if last < lines.len() || state.detail_top > 0 {
        let last = last.min(lines.len());
        format!(
            "run {run}: lines {}-{last} of {}",
            state.detail_top + 1,
            lines.len()
        )
    } else {
        format!("run {run}")
    };
    title(state, Pane::Detail, area, &text, buffer);
    let change = lines.iter().position(|line| line == CHANGE);
    let room = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let visible = lines.iter().enumerate().skip(state.detail_top);
    for (y, (number, line)) in (room.y..room.bottom()).zip(visible) {
        let is_change = change.is_some_and(|change| number >= change);
        put(buffer, room, y, line, style(line, number, is_change));
    }
}

fn style(line: &str, number: usize, is_change: bool) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match line.as_bytes().first() {
        _ if number == 0 => bold,
        Some(b'+') if is_change => Style::new().fg(Color::Green),
        Some(b'-') if is_change => Style::new().fg(Color::Red),
        Some(b'@') if is_change => Style::new().fg(Color::Cyan),
        _ if line == CHANGE => bold,
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_line_is_broken_at_spaces_and_goes_on_below_its_text() {
        assert_eq!(
            wrap("verdict     keep it because it is better", 24),
            [
                "verdict     keep it",
                "            because it",
                "            is better"
            ]
        );
        assert_eq!(wrap("short", 24), ["short"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(line in "[a-z ]{0,80}", columns in 8_usize..40) {
            let wrapped = wrap(&line, columns);
            prop_assert!(wrapped.iter().all(|line| line.width() <= columns), "{wrapped:?}");
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&wrapped.concat()), letters(&line));
        }

        #[test]
        fn any_text_can_be_wrapped(line in "\\PC{0,60}", columns in 1_usize..20) {
            wrap(&line, columns);
        }
    }
}
