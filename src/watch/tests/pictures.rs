//! Whole pictures at several sizes, and what they may be made of.

use ratatui::style::{Color, Modifier};

use super::*;

/// Compares with the picture in `tests/NAME.txt`, trailing spaces apart.
#[track_caller]
fn assert_picture(name: &str, expected: &str, shown: &str) {
    assert!(expected == shown, "{name} is now:\n{shown}");
}

#[test]
fn on_a_large_terminal_everything_is_there_at_once() {
    let mut watch = Watch::with_runs((120, 40));
    watch.state.running(live(), NOW_MS);
    watch.keys("jj");
    let shown = watch.text();
    assert_picture("120x40", include_str!("120x40.txt"), &shown);
}

#[test]
fn on_a_common_terminal_the_chart_is_below_the_table() {
    let mut watch = Watch::with_runs((80, 24));
    let shown = watch.text();
    assert_picture("80x24", include_str!("80x24.txt"), &shown);
}

#[test]
fn on_a_small_terminal_each_pane_has_its_turn() {
    let mut watch = Watch::with_runs((60, 15));
    watch.state.running(live(), NOW_MS);
    let mut shown = watch.text();
    for _ in 0..2 {
        watch.keys("\t");
        shown.push_str(&watch.text());
    }
    assert_picture("60x15", include_str!("60x15.txt"), &shown);
}

#[test]
fn a_terminal_that_is_too_small_says_so_whatever_its_size() {
    let mut watch = Watch::with_runs((39, 20));
    assert!(watch.text().starts_with("needs 40x8, has 39x20\nq quits\n"));
    for width in 1..45 {
        for height in 1..12 {
            watch.state.resize((width, height));
            watch.keys("j?k");
            watch.picture(FULL);
        }
    }
    assert_eq!(watch.keys("q"), After::Quit);
}

#[test]
fn without_colour_no_cell_has_one_and_verdicts_are_told_apart() {
    let mut watch = Watch::with_runs((120, 40));
    let look = Look {
        color: false,
        unicode: true,
    };
    let buffer = watch.picture(look);
    let has_color =
        |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset);
    assert!(!buffer.content.iter().any(has_color));
    assert!(watch.picture(FULL).content.iter().any(has_color));
    let text = text(&buffer);
    for row in [
        " +    28 keep",
        " -    25 discard",
        " x    24 crash",
        " !    26 checks",
    ] {
        assert!(text.contains(row), "no {row:?} in\n{text}");
    }
    let selected = buffer
        .content
        .iter()
        .filter(|cell| cell.modifier.contains(Modifier::REVERSED));
    assert!(selected.count() >= 120);
}

#[test]
fn a_terminal_without_utf_8_gets_ascii_only() {
    let mut watch = Watch::with_runs((120, 40));
    watch.run(31);
    let mut line = samples::kept(32);
    line.description = "größer → kleiner 漢字".to_owned();
    watch.push(line);
    watch.state.running(live(), NOW_MS);
    let look = Look {
        color: true,
        unicode: false,
    };
    let buffer = watch.picture(look);
    assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
    assert!(text(&buffer).contains("gr??er"));
}
