//! The event log: timestamped events in buckets, and heartbeats that extend the
//! last event instead of adding one.
//!
//! Every commit is synced ([`Policy::event_log`]); an event acknowledged at
//! [`Ack::Synced`] survives power loss. Nothing is remembered beside the stored
//! rows and the batches that wait for their commit, so a failed commit leaves
//! nothing behind that is not stored.

mod records;

use std::path::Path;

pub use records::{BUCKETS, Bucket, EVENTS, Event, FAMILIES, KEY_VALUES, StoredEvent};
use records::{KeyValue, check_event};

use crate::durability::{Ack, Durability};
use crate::engine::sqlite::SqliteEngine;
use crate::engine::{Engine, Range};
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::table::{Record, Table};
use crate::writer::{CloseReport, Policy, Stage, Ticket, View, Writer};

fn refuse<T>(action: &'static str, name: &str, reason: &str) -> Result<T> {
    Err(Error::State {
        action,
        reason: format!("{name:?} {reason}"),
    })
}

fn find_bucket(stage: &Stage<'_>, name: &str) -> Result<Option<Bucket>> {
    stage.get::<Bucket>(&Bucket::key_of(name))
}

fn new_bucket(stage: &Stage<'_>, name: &str, data: &str) -> Result<Bucket> {
    let mut highest = 0;
    for (key, value) in stage.scan::<Bucket>(&Range::all(), usize::MAX >> 1)? {
        highest = highest.max(Bucket::decode(&key, &value)?.id);
    }
    Ok(Bucket::new(name, highest + 1, data))
}

fn bucket_for(stage: &Stage<'_>, name: &str) -> Result<Bucket> {
    match find_bucket(stage, name)? {
        Some(bucket) => Ok(bucket),
        None => new_bucket(stage, name, ""),
    }
}

/// Extends the last event when the data are equal and the beat falls into
/// `[last.start, last.end + pulse]`; otherwise adds an event.
fn stage_heartbeat(
    stage: &mut Stage<'_>,
    name: &str,
    beat: &Event,
    pulse_ns: i64,
) -> Result<usize> {
    check_event(beat)?;
    let mut bucket = bucket_for(stage, name)?;
    let merges = bucket.last.as_ref().is_some_and(|(_, last)| {
        last.data == beat.data
            && beat.start_ns >= last.start_ns
            && beat.start_ns <= last.end_ns().saturating_add(pulse_ns)
    });
    let (number, event) = match bucket.last.take() {
        Some((number, last)) if merges => {
            let end_ns = last.end_ns().max(beat.end_ns());
            let duration_ns = end_ns.saturating_sub(last.start_ns);
            (
                number,
                Event {
                    duration_ns,
                    ..last
                },
            )
        }
        _ => {
            bucket.next_number += 1;
            (bucket.next_number - 1, beat.clone())
        }
    };
    let stored = StoredEvent {
        bucket: bucket.id,
        number,
        event,
    };
    stage.put(&stored)?;
    bucket.cover(&stored.event);
    bucket.last = Some((number, stored.event));
    stage.put(&bucket)?;
    Ok(1)
}

/// Adds events as they are; the next heartbeat starts an event of its own.
fn stage_events(stage: &mut Stage<'_>, name: &str, events: &[Event]) -> Result<usize> {
    let mut bucket = bucket_for(stage, name)?;
    bucket.last = None;
    for event in events {
        bucket.cover(event);
        stage.put(&StoredEvent {
            bucket: bucket.id,
            number: bucket.next_number,
            event: event.clone(),
        })?;
        bucket.next_number += 1;
    }
    stage.put(&bucket)?;
    Ok(events.len())
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
        let engine = SqliteEngine::open(path, &FAMILIES, Durability::EachCommit)?;
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

    /// Creates a bucket with what there is to say about it, as JSON text;
    /// committed when it returns.
    ///
    /// # Errors
    /// When it exists, or the commit failed.
    pub fn create_bucket(&self, name: &str, data: &str) -> Result<()> {
        let (name, data) = (name.to_owned(), data.to_owned());
        self.commit(move |stage| {
            if find_bucket(stage, &name)?.is_some() {
                return refuse("create the bucket", &name, "exists already");
            }
            let bucket = new_bucket(stage, &name, &data)?;
            stage.put(&bucket).map(|()| 1)
        })
    }

    /// Deletes a bucket and its events; committed when it returns.
    ///
    /// # Errors
    /// When it is missing, or the commit failed.
    pub fn delete_bucket(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.commit(move |stage| {
            let Some(bucket) = find_bucket(stage, &name)? else {
                return refuse("delete the bucket", &name, "does not exist");
            };
            stage.clear::<StoredEvent>(&bucket.prefix())?;
            stage.delete::<Bucket>(&bucket.key()).map(usize::from)
        })
    }

    /// Renames a bucket, which keeps its events; committed when it returns.
    ///
    /// # Errors
    /// When it is missing, the new name is taken, or the commit failed.
    pub fn rename_bucket(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.commit(move |stage| {
            if find_bucket(stage, &to)?.is_some() {
                return refuse("rename a bucket", &to, "exists already");
            }
            let Some(mut bucket) = find_bucket(stage, &from)? else {
                return refuse("rename the bucket", &from, "does not exist");
            };
            stage.delete::<Bucket>(&bucket.key())?;
            bucket.name.clone_from(&to);
            stage.put(&bucket).map(|()| 1)
        })
    }

    fn commit(
        &self,
        change: impl FnMut(&mut Stage<'_>) -> Result<usize> + Send + 'static,
    ) -> Result<()> {
        self.writer
            .submit_with(Box::new(change), Ack::Committed)?
            .wait()
    }

    /// Submits a heartbeat; `pulse_ns` is how long after the last event's end it
    /// still belongs to it. A missing bucket is created.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn heartbeat(
        &self,
        bucket: &str,
        beat: Event,
        pulse_ns: i64,
        level: Ack,
    ) -> Result<Ticket> {
        let bucket = bucket.to_owned();
        self.writer.submit_with(
            Box::new(move |stage| stage_heartbeat(stage, &bucket, &beat, pulse_ns)),
            level,
        )
    }

    /// Submits events, all or none of which are stored. A missing bucket is created.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn insert(&self, bucket: &str, events: Vec<Event>, level: Ack) -> Result<Ticket> {
        let bucket = bucket.to_owned();
        self.writer.submit_with(
            Box::new(move |stage| stage_events(stage, &bucket, &events)),
            level,
        )
    }

    /// Submits a client's setting, or its removal at `None`. Does not count
    /// towards the operations after which the log commits.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn set_value(&self, key: &str, value: Option<&str>, level: Ack) -> Result<Ticket> {
        let key = key.to_owned();
        let value = value.map(str::to_owned);
        let change = move |stage: &mut Stage<'_>| {
            let key = key.clone();
            match value.clone() {
                Some(value) => stage.put(&KeyValue { key, value })?,
                None => drop(stage.delete::<KeyValue>(key.as_bytes())?),
            }
            Ok(0)
        };
        self.writer.submit_with(Box::new(change), level)
    }

    /// Commits and syncs everything submitted before this call.
    ///
    /// # Errors
    /// As [`Writer::barrier`].
    pub fn force_commit(&self) -> Result<()> {
        self.writer.barrier(Ack::Synced)
    }

    /// Reads with everything submitted before this call on top: hand the view to
    /// [`EventLog::list`] and its neighbours. Clients that write wait meanwhile;
    /// for long reads open a reader's engine, which sees what is committed.
    ///
    /// # Errors
    /// As [`Writer::read`].
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        self.writer.read(read)
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

    /// One page of a bucket's events, oldest first; none when it is missing.
    ///
    /// # Errors
    /// As [`Table::list`].
    pub fn list(
        reader: &dyn Engine,
        bucket: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<StoredEvent>> {
        match Self::bucket(reader, bucket)? {
            Some(bucket) => Table::new().list(reader, &bucket.prefix(), cursor, limit),
            None => Ok(Page {
                rows: Vec::new(),
                next: None,
            }),
        }
    }

    /// The bucket of that name.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn bucket(reader: &dyn Engine, name: &str) -> Result<Option<Bucket>> {
        Table::new().get(reader, &Bucket::key_of(name))
    }

    /// One page of the buckets, by name.
    ///
    /// # Errors
    /// As [`Table::list`].
    pub fn buckets(
        reader: &dyn Engine,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Bucket>> {
        Table::new().list(reader, &[], cursor, limit)
    }

    /// A client's setting.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn value(reader: &dyn Engine, key: &str) -> Result<Option<String>> {
        let found = Table::<KeyValue>::new().get(reader, key.as_bytes())?;
        Ok(found.map(|found| found.value))
    }
}
