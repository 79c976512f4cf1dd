//! `watch`: brings keys, the ledger's new lines and the loop's live state to the dashboard.

use std::path::Path;
use std::time::Duration;

use crate::edge::clock;
use crate::edge::fault;
use crate::edge::interrupt::{Interrupts, Urgency};
use crate::edge::ledger_tail::{Change, LedgerTail, Place};
use crate::edge::terminal::{Input, Screen};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::entry::{Entry, Read};
use crate::flow::ledger::{Decoded, decode_line};
use crate::flow::live::Running;
use crate::flow::record::Line;
use crate::watch::{After, Look, State, Wanted, detail, draw};

/// How often it is looked whether there is anything new.
const POLL: Duration = Duration::from_millis(300);
/// How long a long ledger is read before keys are looked at again.
const SLICE: Duration = Duration::from_millis(50);

/// Where the dashboard gets what it shows, beside the ledger.
pub struct Sources<'a> {
    /// The ledger.
    pub ledger: &'a Path,
    /// What a loop is doing that writes to it.
    pub running: &'a dyn Fn() -> Running,
    /// The change between a parent and a candidate, where both are here.
    pub change: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// A run's line: ours are long and are read again when they are wanted.
enum Source {
    At(Place),
    Held(Box<Entry>),
}

/// Shows the dashboard until the user quits; a signal ends it with [`Exit::Interrupted`].
///
/// # Errors
/// There is no terminal, or it went away.
pub fn watch(sources: &Sources<'_>, look: Look) -> Result<Exit> {
    let interrupts = Interrupts::install(true)?;
    let mut screen = Screen::open()?;
    let name = sources.ledger.file_name().unwrap_or_default();
    let mut state = State::new(name.to_string_lossy().into_owned(), screen.size()?);
    let mut tail = LedgerTail::new(sources.ledger);
    let mut lines: Vec<Source> = Vec::new();
    loop {
        take_new_lines(&mut tail, &mut state, &mut lines);
        state.running((sources.running)(), clock::now_ms());
        if let Some(wanted) = state.wanted() {
            state.bring(wanted, text(&tail, &state, &lines, wanted, sources));
        }
        if state.take_stale() {
            screen.draw(|buffer| draw(&state, look, buffer))?;
            fault::may_panic("watch-drawn");
        }
        let mut wait = if tail.has_more() {
            Duration::ZERO
        } else {
            POLL
        };
        while let Some(input) = next(&mut screen, &interrupts, wait)? {
            wait = Duration::ZERO;
            match input {
                Input::Resize(columns, rows) => state.resize((columns, rows)),
                Input::Key(key) => match state.key(key) {
                    After::Continue => {}
                    After::Quit => return Ok(Exit::Ok),
                },
            }
        }
        if interrupts.urgency() != Urgency::None {
            return Ok(Exit::Interrupted);
        }
    }
}

/// The next input; a terminal that went away with a signal is that signal's matter.
fn next(screen: &mut Screen, interrupts: &Interrupts, wait: Duration) -> Result<Option<Input>> {
    match screen.next(wait) {
        Err(_) if interrupts.urgency() != Urgency::None => Ok(None),
        other => other,
    }
}

fn take_new_lines(tail: &mut LedgerTail, state: &mut State, lines: &mut Vec<Source>) -> Change {
    let change = tail.read(SLICE, |new| match new {
        None => {
            state.restart();
            lines.clear();
        }
        Some((read, segments, place)) => {
            state.read(&read, segments);
            if let Read::Run(entry) = read {
                lines.push(match entry.line() {
                    Some(_) => Source::At(place),
                    None => Source::Held(entry),
                });
            }
        }
    });
    state.reading(tail.progress(), tail.problem());
    change
}

/// The lines of one run, or why there are none.
fn text(
    tail: &LedgerTail,
    state: &State,
    lines: &[Source],
    wanted: Wanted,
    sources: &Sources<'_>,
) -> Vec<String> {
    let entry = match &lines[wanted.row] {
        Source::Held(entry) => Ok(Entry::clone(entry)),
        Source::At(place) => entry_at(tail, *place),
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return vec![error.explained()],
    };
    let diff = entry.line().and_then(|line| {
        (sources.change)(&line.parent, line.candidate.as_deref()?).filter(|diff| !diff.is_empty())
    });
    match state.segment(&entry) {
        Some(segment) => detail::lines(&entry, segment, diff.as_deref(), wanted.columns),
        None => Vec::new(),
    }
}

fn entry_at(tail: &LedgerTail, place: Place) -> Result<Entry> {
    let text = tail.line(place)?;
    match decode_line(&text, place.number, "ledger")? {
        Decoded::Line(Line::Run(line)) => Ok(Entry::from(line)),
        Decoded::Line(_) | Decoded::Newer { .. } | Decoded::Foreign(_) => Err(Error::usage(
            format!("line {} is no run any more", place.number),
        )),
    }
}
