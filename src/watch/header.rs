//! The first rows: what is run, what the loop is doing, how far it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use unicode_width::UnicodeWidthStr;

use super::state::State;
use super::view::{put, put_right};
use crate::flow::live::{Live, Running};
use crate::report::{closing, format, status};

/// Columns of the bar between its brackets.
const BAR: u16 = 24;

/// Draws it into two rows, or four.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let what = state.session().map_or(state.ledger.clone(), |session| {
        let segment = &session.segment;
        let unit = match segment.metric_unit.as_str() {
            "" => String::new(),
            unit => format!(" ({})", format::one_line(unit)),
        };
        let metric = format::one_line(&segment.metric_name);
        format!("{} · {metric}{unit}", status::title(session))
    });
    let place = match problem_or_progress(state) {
        (text, style) if !text.is_empty() => (text, style),
        _ => (state.ledger.clone(), dim()),
    };
    let y = area.y;
    let is_news = place.0 != state.ledger;
    let has_room = what.width() + place.0.width() < usize::from(area.width);
    let right = if is_news || has_room { &place.0 } else { "" };
    let left = put_right(buffer, area, y, right, place.1, area.width / 2);
    let room = Rect {
        width: left.saturating_sub(area.x + 1),
        ..area
    };
    put(buffer, room, y, &what, bold);
    if area.height < 4 {
        put(buffer, area, y + 1, &now_short(state), Style::new());
        return;
    }
    put(buffer, area, y + 1, &now(state), Style::new());
    progress_bar(state, area, y + 2, buffer);
    put(buffer, area, y + 3, &last(state), dim());
}

fn dim() -> Style {
    Style::new().fg(Color::DarkGray)
}

fn problem_or_progress(state: &State) -> (String, Style) {
    if let Some(problem) = &state.problem {
        let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        return (format!("! {}", format::one_line(problem)), style);
    }
    let (read, length) = state.progress;
    // A line that is being written is no backlog.
    if length > read + (4 << 20) {
        let percent = read.saturating_mul(100) / length;
        return (format!("reading: {percent} %"), Style::new());
    }
    (String::new(), Style::new())
}

/// `running: iteration 3 of 50: screening, 12 of at most 60 pairs, for 31s`.
fn now(state: &State) -> String {
    match &state.running {
        Running::No => "no loop is running".to_owned(),
        Running::Yes { live: None, .. } => "a loop is running".to_owned(),
        Running::Yes {
            live: Some(live), ..
        } => {
            let since = state.now_ms.saturating_sub(live.phase_since) / 1000;
            let doing = status::doing(live);
            format!("running: {doing}, for {}", whole_seconds(since))
        }
    }
}

/// The same with the tally, for one row.
fn now_short(state: &State) -> String {
    match &state.running {
        Running::Yes {
            live: Some(live), ..
        } => {
            let pairs = live.pairs.map_or(String::new(), |pairs| {
                format!(" {}/{} pairs", pairs.done, pairs.most)
            });
            let left = time_left(live, state.now_ms).replace("about ", "");
            let phase = format::one_line(&live.phase);
            format!(
                "[{}/{}] {phase}{pairs} · kept {}/{}{left}",
                live.iteration, live.iterations, live.kept, live.tried
            )
        }
        Running::Yes { live: None, .. } | Running::No => {
            let tally = state.session().map(closing::tally);
            let tally = tally.map_or(String::new(), |tally| format!(" · {tally}"));
            format!("{}{tally}", now(state))
        }
    }
}

/// The loop's progress while it runs, else how the session's runs ended.
fn progress_bar(state: &State, area: Rect, y: u16, buffer: &mut Buffer) {
    let Running::Yes {
        live: Some(live), ..
    } = &state.running
    else {
        let tally = state.session().map(closing::tally).unwrap_or_default();
        put(buffer, area, y, &tally, Style::new());
        return;
    };
    let mut text = format!("{} kept of {} tried", live.kept, live.tried);
    text.push_str(&time_left(live, state.now_ms));
    let mut room = area;
    if live.iterations > 0 {
        let done = u64::from(BAR) * u64::from(live.tried.min(live.iterations));
        let done = usize::try_from(done / u64::from(live.iterations)).unwrap_or(0);
        let bar = "█".repeat(done) + &"░".repeat(usize::from(BAR) - done);
        put(buffer, room, y, &bar, Style::new().fg(Color::Green));
        room.x += BAR + 1;
        room.width = room.width.saturating_sub(BAR + 1);
        text = format!("{}/{} · {text}", live.tried, live.iterations);
    }
    put(buffer, room, y, &text, Style::new());
}

fn time_left(live: &Live, now_ms: u64) -> String {
    let left = live.seconds_left(now_ms);
    left.map_or(String::new(), |seconds| {
        format!(" · about {} left", whole_seconds(seconds as u64))
    })
}

/// The last verdict while a loop runs, else what may be claimed.
fn last(state: &State) -> String {
    if let Running::Yes {
        live: Some(live), ..
    } = &state.running
    {
        let last = live.last.as_deref().map(format::one_line);
        return last.map_or(String::new(), |last| format!("last: {last}"));
    }
    let claim = state.session().map(closing::claim).unwrap_or_default();
    claim.replace('\n', "; ")
}

/// `42s`, and from a minute on as [`format::duration`].
fn whole_seconds(seconds: u64) -> String {
    if seconds < 60 {
        format!("{seconds}s")
    } else {
        format::duration(seconds as f64)
    }
}
