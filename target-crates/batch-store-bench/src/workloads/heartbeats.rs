//! The event log: one client sends heartbeats, has at most a window of them
//! unacknowledged, and waits at the end for all to be synced. Every second one
//! extends its predecessor.
//!
//! A window, because a client that waits for every single answer measures the
//! wake-up of a sleeping thread: 10 or 80 us here, from run to run.

use std::collections::VecDeque;
use std::path::Path;

use batch_store::events::{EVENTS, Event, EventLog};
use batch_store::{Ack, Cursor, Engine, SqliteEngine, Ticket};

use super::timed;
use crate::metrics::Metric;
use crate::scale::Scale;
use crate::{Result, verify};

const SECOND_NS: i64 = 1_000_000_000;
const START_NS: i64 = 1_767_225_600 * SECOND_NS;
const PULSE_NS: i64 = 30 * SECOND_NS;
/// Heartbeats that may be unacknowledged.
const WINDOW: usize = 512;
const BUCKET: &str = "window-watcher_laptop";

fn preloaded(n: usize) -> Vec<Event> {
    let event = |i: usize| Event {
        start_ns: START_NS + i as i64 * 10 * SECOND_NS,
        duration_ns: 10 * SECOND_NS,
        data: window(i),
    };
    (0..n).map(event).collect()
}

fn window(i: usize) -> String {
    format!(
        r#"{{"app":"editor-{}","title":"src/engine/sqlite.rs - a project with a rather long name, window {:06}"}}"#,
        i % 7,
        i
    )
}

/// The beats after the preloaded events, and the events they leave.
fn beats(preloaded: usize, n: usize) -> (Vec<Event>, Vec<Event>) {
    let start_ns = START_NS + preloaded as i64 * 10 * SECOND_NS;
    let beat = |i: usize| Event {
        start_ns: start_ns + i as i64 * SECOND_NS,
        duration_ns: 0,
        data: window(i / 2),
    };
    let beats: Vec<Event> = (0..n).map(beat).collect();
    let merged = beats.chunks(2).map(|pair| Event {
        duration_ns: pair[pair.len() - 1].start_ns - pair[0].start_ns,
        ..pair[0].clone()
    });
    let merged = merged.collect();
    (beats, merged)
}

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong events.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let path = dir.join("events.db");
    let log = EventLog::open(&path)?;
    let mut expected = preloaded(scale.preloaded_events);
    log.insert(BUCKET, expected.clone(), Ack::Synced)?.wait()?;

    let (beats, merged) = beats(scale.preloaded_events, scale.heartbeats);
    let (outcome, elapsed) = timed(|| -> Result<()> {
        let mut unacknowledged = VecDeque::with_capacity(WINDOW);
        for beat in beats {
            if unacknowledged.len() == WINDOW {
                unacknowledged
                    .drain(..WINDOW / 2)
                    .try_for_each(|ticket: Ticket| ticket.wait())?;
            }
            unacknowledged.push_back(log.heartbeat(BUCKET, beat, PULSE_NS, Ack::Applied)?);
        }
        unacknowledged
            .drain(..)
            .try_for_each(|ticket| ticket.wait())?;
        Ok(log.writer().barrier(Ack::Synced)?)
    });
    outcome?;
    log.close()?;

    expected.extend(merged);
    check(&path, &expected)?;
    let per_second = scale.heartbeats as f64 / elapsed.as_secs_f64();
    Ok(vec![Metric {
        name: "heartbeats_per_s",
        value: per_second,
    }])
}

fn check(path: &Path, expected: &[Event]) -> Result<()> {
    let reader = SqliteEngine::open_read_only(path)?;
    verify(
        "the number of events",
        &reader.count(EVENTS)?,
        &(expected.len() as u64),
    )?;
    let mut found: Vec<Event> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = EventLog::list(&reader, BUCKET, cursor.as_ref(), 0)?;
        found.extend(page.rows.into_iter().map(|stored| stored.event));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let digest = |events: &[Event]| {
        let mut hasher = crc32fast::Hasher::new();
        events
            .iter()
            .for_each(|event| hasher.update(format!("{event:?}\n").as_bytes()));
        hasher.finalize()
    };
    verify(
        "the digest of the events",
        &digest(&found),
        &digest(expected),
    )
}
