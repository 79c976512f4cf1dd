//! The event log: heartbeats of a few watchers, each in a bucket of its own.
//!
//! Shapes as in the log of a window watcher: preloaded events of 10 s with some
//! 120 bytes of JSON; then a beat a second, pulse time 30 s, the data changing
//! after every, every second or every twentieth beat, so that 0, 50 or 95 % merge.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use batch_store::events::{EVENTS, Event, EventLog};
use batch_store::{Ack, Cursor, Engine, SqliteEngine, Ticket};

use super::{in_threads, timed};
use crate::counters::{Cost, costed};
use crate::latency::{micros, percentile};
use crate::metrics::Metric;
use crate::scale::Scale;
use crate::{Result, verify};

const SECOND_NS: i64 = 1_000_000_000;
const START_NS: i64 = 1_767_225_600 * SECOND_NS;
/// How long after an event's end a beat still extends it.
pub const PULSE_NS: i64 = 30 * SECOND_NS;
/// Heartbeats that may be unacknowledged.
const WINDOW: usize = 512;

/// What a heartbeat workload consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Clients, each with a bucket and a thread of its own.
    pub clients: usize,
    /// Events stored before the beats start, of all clients.
    pub preloaded: usize,
    /// Beats, of all clients.
    pub beats: usize,
    /// Beats with equal data in a row; all but the first merge.
    pub run_length: usize,
}

/// One client: what it sends, and what its bucket then holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its bucket.
    pub bucket: String,
    /// Events stored before.
    pub preloaded: Vec<Event>,
    /// Its heartbeats.
    pub beats: Vec<Event>,
    /// All events of the bucket afterwards, oldest first.
    pub expected: Vec<Event>,
}

impl Shape {
    /// The clients; the same ones each time.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        (0..self.clients)
            .map(|number| self.client(number))
            .collect()
    }

    fn client(&self, number: usize) -> Client {
        let preloaded = self.preloaded / self.clients;
        let window_of = |i: usize| Event {
            start_ns: START_NS + i as i64 * 10 * SECOND_NS,
            duration_ns: 10 * SECOND_NS,
            data: window(number, i),
        };
        let preloaded: Vec<Event> = (0..preloaded).map(window_of).collect();
        let start_ns = START_NS + preloaded.len() as i64 * 10 * SECOND_NS;
        let beat = |i: usize| Event {
            start_ns: start_ns + i as i64 * SECOND_NS,
            duration_ns: 0,
            data: window(number, i / self.run_length),
        };
        let beats: Vec<Event> = (0..self.beats / self.clients).map(beat).collect();
        let merged = beats.chunks(self.run_length).map(|run| Event {
            duration_ns: run[run.len() - 1].start_ns - run[0].start_ns,
            ..run[0].clone()
        });
        Client {
            bucket: format!("window-watcher_laptop-{number}"),
            expected: preloaded.iter().cloned().chain(merged).collect(),
            preloaded,
            beats,
        }
    }
}

fn window(client: usize, i: usize) -> String {
    format!(
        r#"{{"app":"editor-{}","title":"src/engine/{client}.rs - a project with a rather long name, window {:06}"}}"#,
        i % 7,
        i
    )
}

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong events.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let shape = Shape {
        clients: 1,
        preloaded: scale.preloaded_events,
        beats: scale.heartbeats,
        run_length: 2,
    };
    let mut metrics = windowed(&dir.join("windowed.db"), shape)?;
    let eight = Shape {
        clients: 8,
        ..shape
    };
    let blocking = [
        ("heartbeats_1_client", shape),
        ("heartbeats_8_clients", eight),
    ];
    for (name, shape) in blocking {
        let path = dir.join(format!("{name}.db"));
        metrics.extend(acknowledged(&path, name, shape, Ack::Applied)?);
    }
    let durable = Shape {
        preloaded: 0,
        beats: scale.durable_heartbeats,
        ..shape
    };
    metrics.extend(acknowledged(
        &dir.join("durable.db"),
        "heartbeats_durable",
        durable,
        Ack::Synced,
    )?);
    if scale.is_full() {
        for (percent, run_length) in [(0, 1), (95, 20)] {
            for shape in [shape, eight] {
                let shape = Shape {
                    run_length,
                    ..shape
                };
                let name = format!("heartbeats_merge{percent}_{}_clients", shape.clients);
                let path = dir.join(format!("{name}.db"));
                metrics.extend(acknowledged(&path, &name, shape, Ack::Applied)?);
            }
        }
    }
    Ok(metrics)
}

/// A log that holds the clients' preloaded events, synced.
///
/// # Errors
/// When the store fails.
pub fn preloaded_log(path: &Path, clients: &[Client]) -> Result<EventLog> {
    let log = EventLog::open(path)?;
    for client in clients {
        log.insert(&client.bucket, client.preloaded.clone(), Ack::Synced)?
            .wait()?;
    }
    Ok(log)
}

/// One client that has at most a window of beats unacknowledged. Waiting for
/// every single answer measures how a sleeping thread is woken, on a writer that
/// needs one.
fn windowed(path: &Path, shape: Shape) -> Result<Vec<Metric>> {
    let clients = shape.clients();
    let log = preloaded_log(path, &clients)?;
    let (outcome, cost) = costed(|| -> Result<()> {
        let mut unacknowledged = VecDeque::with_capacity(WINDOW);
        for client in &clients {
            for beat in &client.beats {
                if unacknowledged.len() == WINDOW {
                    unacknowledged
                        .drain(..WINDOW / 2)
                        .try_for_each(|ticket: Ticket| ticket.wait())?;
                }
                let ticket = log.heartbeat(&client.bucket, beat.clone(), PULSE_NS, Ack::Applied)?;
                unacknowledged.push_back(ticket);
            }
        }
        unacknowledged
            .drain(..)
            .try_for_each(|ticket| ticket.wait())?;
        Ok(log.writer().barrier(Ack::Synced)?)
    });
    outcome?;
    log.close()?;
    check(path, &clients)?;
    Ok(vec![
        Metric::new("heartbeats_per_s", per_second(shape, &cost)),
        Metric::count("heartbeats_allocations", cost.allocations),
        Metric::count("heartbeats_syncs", cost.syncs),
        Metric::new(
            "heartbeats_written_per_byte",
            cost.written_bytes as f64 / logical_bytes(&clients) as f64,
        ),
    ])
}

fn per_second(shape: Shape, cost: &Cost) -> f64 {
    (shape.beats / shape.clients * shape.clients) as f64 / cost.elapsed.as_secs_f64()
}

/// Bucket, start, duration and data of each beat, merging or not.
pub(crate) fn logical_bytes(clients: &[Client]) -> usize {
    let of = |client: &Client| -> usize {
        let beats = client.beats.iter();
        beats
            .map(|beat| client.bucket.len() + 16 + beat.data.len())
            .sum()
    };
    clients.iter().map(of).sum()
}

/// Clients that wait for each beat; at the end, all beats are synced.
fn acknowledged(path: &Path, name: &str, shape: Shape, level: Ack) -> Result<Vec<Metric>> {
    let clients = shape.clients();
    let log = preloaded_log(path, &clients)?;
    let (outcome, cost) = costed(|| -> Result<_> {
        let latencies = send(&clients, |number, beat| {
            beat_and_wait(&log, &clients[number].bucket, beat, level)
        })?;
        Ok((latencies, timed(|| log.writer().barrier(Ack::Synced))))
    });
    let (mut latencies, (barrier, barrier_elapsed)) = outcome?;
    barrier?;
    log.close()?;
    check(path, &clients)?;
    let mut metrics = vec![
        Metric::new(format!("{name}_per_s"), per_second(shape, &cost)),
        Metric::new(
            format!("{name}_ack_p50_us"),
            micros(percentile(&mut latencies, 50.0)),
        ),
        Metric::new(
            format!("{name}_ack_p99_us"),
            micros(percentile(&mut latencies, 99.0)),
        ),
    ];
    if level < Ack::Synced {
        metrics.push(Metric::ms(format!("{name}_barrier_ms"), barrier_elapsed));
    }
    Ok(metrics)
}

/// One heartbeat, acknowledged when this returns.
///
/// # Errors
/// When the store fails.
pub fn beat_and_wait(log: &EventLog, bucket: &str, beat: Event, level: Ack) -> Result<()> {
    Ok(log.heartbeat(bucket, beat, PULSE_NS, level)?.wait()?)
}

/// Runs the clients, a thread each, and returns the latency of every beat.
/// `beat` gets the client's number.
pub(crate) fn send(
    clients: &[Client],
    beat: impl Fn(usize, Event) -> Result<()> + Sync,
) -> Result<Vec<Duration>> {
    let run = |number: usize| -> Result<Vec<Duration>> {
        let send_one = |event: &Event| {
            let start = Instant::now();
            beat(number, event.clone()).map(|()| start.elapsed())
        };
        clients[number].beats.iter().map(send_one).collect()
    };
    let run = &run;
    in_threads((0..clients.len()).map(|number| move || run(number)))
}

/// The events of every bucket, as a reader finds them.
pub(crate) fn read(path: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
    let reader = SqliteEngine::open_read_only(path)?;
    let all: u64 = clients
        .iter()
        .map(|client| client.expected.len() as u64)
        .sum();
    verify("the number of events", &reader.count(EVENTS)?, &all)?;
    let bucket = |client: &Client| -> Result<Vec<Event>> {
        let mut found: Vec<Event> = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = EventLog::list(&reader, &client.bucket, cursor.as_ref(), 0)?;
            found.extend(page.rows.into_iter().map(|stored| stored.event));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
    };
    clients.iter().map(bucket).collect()
}

fn check(path: &Path, clients: &[Client]) -> Result<()> {
    compare(&read(path, clients)?, clients)
}

/// Checks what each bucket holds, by count and digest.
pub(crate) fn compare(found: &[Vec<Event>], clients: &[Client]) -> Result<()> {
    let digest = |events: &[Event]| {
        let mut hasher = crc32fast::Hasher::new();
        events
            .iter()
            .for_each(|event| hasher.update(format!("{event:?}\n").as_bytes()));
        (events.len(), hasher.finalize())
    };
    verify("the number of buckets", &found.len(), &clients.len())?;
    clients.iter().zip(found).try_for_each(|(client, found)| {
        verify(
            "the digest of the events",
            &digest(found),
            &digest(&client.expected),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BenchError;

    #[test]
    fn invariant_48_a_missing_a_wrong_and_an_extra_event_fail_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("events.db");
        let shape = Shape {
            clients: 2,
            preloaded: 6,
            beats: 40,
            run_length: 3,
        };
        windowed(&path, shape).expect("the workload runs");
        let right = shape.clients();
        check(&path, &right).expect("the right events");
        let spoil = |spoil: &dyn Fn(&mut Vec<Event>)| {
            let mut wrong = right.clone();
            spoil(&mut wrong[1].expected);
            let outcome = check(&path, &wrong);
            assert!(
                matches!(outcome, Err(BenchError::Verification { .. })),
                "{outcome:?}"
            );
        };
        spoil(&|events| events.truncate(5));
        spoil(&|events| events[7].duration_ns += 1);
        spoil(&|events| events.push(events[0].clone()));
        spoil(&|events| events.swap(3, 4));
    }

    #[test]
    fn beats_merge_as_often_as_the_shape_says() {
        for (run_length, events) in [(1, 200), (2, 100), (20, 10)] {
            let shape = Shape {
                clients: 1,
                preloaded: 0,
                beats: 200,
                run_length,
            };
            assert_eq!(shape.clients()[0].expected.len(), events);
        }
    }
}
