//! The event log: timestamped events in buckets, and heartbeats that extend the
//! last event instead of adding one.
//!
//! Every commit is synced ([`Policy::event_log`]); an event acknowledged at
//! [`Ack::Synced`] survives power loss.

use std::path::Path;

use crate::codec::{Decoder, Encoder};
use crate::durability::{Ack, Durability};
use crate::engine::Engine;
use crate::engine::sqlite::SqliteEngine;
use crate::error::{Error, Result};
use crate::keys::{KeyBuilder, KeyReader};
use crate::page::{Cursor, Page};
use crate::table::{Family, Layout, Record, Table};
use crate::writer::{CloseReport, Policy, Stage, Ticket, Writer};

/// The events, by bucket, start and number.
pub const EVENTS: Family = Family::new("events", Layout::Clustered);
/// One row a bucket: its next event number and its last heartbeat.
pub const BUCKETS: Family = Family::new("buckets", Layout::Clustered);

/// Something that lasted from `start_ns` for `duration_ns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Start, in nanoseconds since 1970.
    pub start_ns: i64,
    /// Duration in nanoseconds, not negative.
    pub duration_ns: i64,
    /// What happened, as JSON text; compared byte by byte.
    pub data: String,
}

impl Event {
    fn end_ns(&self) -> i64 {
        self.start_ns.saturating_add(self.duration_ns)
    }
}

/// An event in its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The bucket.
    pub bucket: String,
    /// Number in the bucket, in order of arrival.
    pub number: u64,
    /// The event.
    pub event: Event,
}

/// The row that a heartbeat reads before it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bucket {
    name: String,
    next_number: u64,
    last: Option<(u64, Event)>,
}

fn write_event(out: &mut Encoder, event: &Event) {
    out.i64(event.start_ns)
        .i64(event.duration_ns)
        .str(&event.data);
}

fn read_event(input: &mut Decoder<'_>) -> Result<Event> {
    Ok(Event {
        start_ns: input.i64()?,
        duration_ns: input.i64()?,
        data: input.string()?,
    })
}

fn check_event(bucket: &str, event: &Event) -> Result<()> {
    if event.duration_ns >= 0 {
        return Ok(());
    }
    let record = format!("an event of {bucket:?}");
    Err(Error::Encode {
        record,
        reason: "its duration is negative".to_owned(),
    })
}

impl Record for StoredEvent {
    const PRIMARY: Family = EVENTS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        KeyBuilder::new()
            .str(&self.bucket)
            .i64(self.event.start_ns)
            .u64(self.number)
            .finish()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        check_event(&self.bucket, &self.event)?;
        let mut out = Encoder::new();
        write_event(&mut out, &self.event);
        Ok(out.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut reader = KeyReader::new(EVENTS.name(), key);
        let bucket = reader.str()?;
        reader.i64()?;
        let number = reader.u64()?;
        reader.finish()?;
        let mut input = Decoder::new(EVENTS.name(), value);
        let event = read_event(&mut input)?;
        input.finish()?;
        Ok(Self {
            bucket,
            number,
            event,
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

impl Record for Bucket {
    const PRIMARY: Family = BUCKETS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        KeyBuilder::new().str(&self.name).finish()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::new();
        out.u64(self.next_number);
        out.option(self.last.as_ref(), |out, (number, event)| {
            out.u64(*number);
            write_event(out, event);
        });
        Ok(out.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut reader = KeyReader::new(BUCKETS.name(), key);
        let name = reader.str()?;
        reader.finish()?;
        let mut input = Decoder::new(BUCKETS.name(), value);
        let next_number = input.u64()?;
        let last = input.option(|input| Ok((input.u64()?, read_event(input)?)))?;
        input.finish()?;
        Ok(Self {
            name,
            next_number,
            last,
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

fn load_bucket(stage: &Stage<'_>, name: &str) -> Result<Bucket> {
    let found = stage.get::<Bucket>(&KeyBuilder::new().str(name).finish())?;
    Ok(found.unwrap_or_else(|| Bucket {
        name: name.to_owned(),
        next_number: 1,
        last: None,
    }))
}

/// Extends the last event when the data are equal and the beat falls into
/// `[last.start, last.end + pulse]`; otherwise adds an event.
fn stage_heartbeat(stage: &mut Stage<'_>, name: &str, beat: Event, pulse_ns: i64) -> Result<usize> {
    check_event(name, &beat)?;
    let mut bucket = load_bucket(stage, name)?;
    let merges = bucket.last.as_ref().is_some_and(|(_, last)| {
        last.data == beat.data
            && beat.start_ns >= last.start_ns
            && beat.start_ns <= last.end_ns().saturating_add(pulse_ns)
    });
    let (number, event) = match bucket.last.take() {
        Some((number, last)) if merges => {
            let end_ns = last.end_ns().max(beat.end_ns());
            (
                number,
                Event {
                    duration_ns: end_ns.saturating_sub(last.start_ns),
                    ..last
                },
            )
        }
        _ => {
            bucket.next_number += 1;
            (bucket.next_number - 1, beat)
        }
    };
    bucket.last = Some((number, event.clone()));
    stage.put(&StoredEvent {
        bucket: name.to_owned(),
        number,
        event,
    })?;
    stage.put(&bucket)?;
    Ok(1)
}

/// Adds events as they are; the next heartbeat starts an event of its own.
fn stage_events(stage: &mut Stage<'_>, name: &str, events: Vec<Event>) -> Result<usize> {
    let mut bucket = load_bucket(stage, name)?;
    bucket.last = None;
    let count = events.len();
    for event in events {
        stage.put(&StoredEvent {
            bucket: name.to_owned(),
            number: bucket.next_number,
            event,
        })?;
        bucket.next_number += 1;
    }
    stage.put(&bucket)?;
    Ok(count)
}

/// The log with its writer. Share it between clients by reference or `Arc`.
#[derive(Debug)]
pub struct EventLog {
    writer: Writer,
}

impl EventLog {
    /// Opens (or creates) the log in the file `path`.
    ///
    /// # Errors
    /// When the database or the thread cannot be had.
    pub fn open(path: &Path) -> Result<Self> {
        let engine = SqliteEngine::open(path, &[EVENTS, BUCKETS], Durability::EachCommit)?;
        Self::over(Box::new(engine), Policy::event_log())
    }

    /// The log over any engine and policy.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn over(engine: Box<dyn Engine>, policy: Policy) -> Result<Self> {
        Ok(Self {
            writer: Writer::spawn(engine, policy)?,
        })
    }

    /// Queues a heartbeat; `pulse_ns` is how long after the last event's end it
    /// still belongs to it.
    ///
    /// # Errors
    /// As [`Writer::submit`].
    pub fn heartbeat(
        &self,
        bucket: &str,
        beat: Event,
        pulse_ns: i64,
        level: Ack,
    ) -> Result<Ticket> {
        let bucket = bucket.to_owned();
        self.writer.submit_with(
            Box::new(move |stage| stage_heartbeat(stage, &bucket, beat, pulse_ns)),
            level,
        )
    }

    /// Queues events, all or none of which are stored.
    ///
    /// # Errors
    /// As [`Writer::submit`].
    pub fn insert(&self, bucket: &str, events: Vec<Event>, level: Ack) -> Result<Ticket> {
        let bucket = bucket.to_owned();
        self.writer.submit_with(
            Box::new(move |stage| stage_events(stage, &bucket, events)),
            level,
        )
    }

    /// The writer, for barriers and the frontier.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Drains, syncs and reports. May be called twice.
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&self) -> Result<CloseReport> {
        self.writer.close()
    }

    /// One page of a bucket's committed events, oldest first, from a reader's engine.
    ///
    /// # Errors
    /// As [`Table::list`].
    pub fn list(
        reader: &dyn Engine,
        bucket: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<StoredEvent>> {
        Table::new().list(
            reader,
            &KeyBuilder::new().str(bucket).finish(),
            cursor,
            limit,
        )
    }
}
