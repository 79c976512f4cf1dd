//! The keys: the most needed in the last row, all behind `?`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Block, Clear, Widget};

use unicode_width::UnicodeWidthStr;

use super::state::{Pane, State};
use super::view::put;

const HELP: &[&str] = &[
    "j k, arrows    next, previous run",
    "PgDn PgUp      a page on, back",
    "g G            newest, oldest run",
    "enter          the run with all the room",
    "tab            runs, chart, detail",
    "/              only runs that match",
    "f              only keep, discard, ...",
    "s              all sessions, or the last",
    "n p            (in detail) other runs",
    "esc q ctrl-c   back; quit",
    "",
    "+ kept   - not kept   x not measured",
    "! failed its checks   o placebo",
    "~ seen while screening, no claim",
    "in the chart: • not kept, │ interval",
];

/// The last row: the keys that matter now, as many as fit.
pub(super) fn keys(state: &State, area: Rect, buffer: &mut Buffer) {
    if state.is_typing() {
        let text = format!("/{}█", state.filter.text);
        put(buffer, area, area.y, &text, Style::new());
        return;
    }
    let all: &[(&str, &str)] = match (state.is_whole, state.focus) {
        (true, Pane::Detail) => &[
            ("esc", "back"),
            ("j/k", "scroll"),
            ("n/p", "other run"),
            ("?", "help"),
            ("q", "quit"),
        ],
        (_, Pane::Detail) => &[
            ("q", "quit"),
            ("?", "help"),
            ("j/k", "scroll"),
            ("n/p", "other run"),
            ("enter", "open"),
            ("tab", "pane"),
        ],
        (_, Pane::Runs | Pane::Chart) => &[
            ("q", "quit"),
            ("?", "help"),
            ("j/k", "move"),
            ("enter", "open"),
            ("/", "filter"),
            ("f", "verdict"),
            ("tab", "pane"),
            ("s", "sessions"),
        ],
    };
    let mut room = area;
    for (key, what) in all {
        let width = u16::try_from(key.len() + what.len() + 3).unwrap_or(u16::MAX);
        if width > room.width {
            return;
        }
        let key_style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
        put(buffer, room, room.y, key, key_style);
        let beside = Rect {
            x: room.x + u16::try_from(key.len()).unwrap_or(0) + 1,
            ..room
        };
        put(buffer, beside, room.y, what, Style::new());
        room.x += width;
        room.width -= width;
    }
}

/// All keys and signs, over the middle of the screen.
pub(super) fn draw(screen: Rect, buffer: &mut Buffer) {
    let longest = HELP.iter().map(|line| line.width()).max().unwrap_or(0);
    let width = u16::try_from(longest + 4)
        .unwrap_or(u16::MAX)
        .min(screen.width);
    let height = u16::try_from(HELP.len() + 2)
        .unwrap_or(u16::MAX)
        .min(screen.height);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    };
    Clear.render(area, buffer);
    Block::bordered()
        .title(" keys and signs ")
        .render(area, buffer);
    let inner = Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    };
    for (y, line) in (inner.y..inner.bottom()).zip(HELP) {
        put(buffer, inner, y, line, Style::new());
    }
}
