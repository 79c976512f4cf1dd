//! The event log's records and their formats.

use crate::codec::{Decoder, Encoder};
use crate::error::{Error, Result};
use crate::keys::{KeyBuilder, KeyReader};
use crate::table::{Family, Layout, Record};

/// The events, by bucket, start and number.
pub const EVENTS: Family = Family::new("events", Layout::Clustered);
/// One row a bucket: what it covers, its next event number and its last heartbeat.
pub const BUCKETS: Family = Family::new("buckets", Layout::Clustered);
/// Settings of the log's clients, by name.
pub const KEY_VALUES: Family = Family::new("key_values", Layout::Clustered);
/// All of them.
pub const FAMILIES: [Family; 3] = [EVENTS, BUCKETS, KEY_VALUES];

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
    pub(super) fn end_ns(&self) -> i64 {
        self.start_ns.saturating_add(self.duration_ns)
    }
}

/// An event in its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The bucket's number ([`Bucket::id`]).
    pub bucket: u64,
    /// Number in the bucket, in order of arrival.
    pub number: u64,
    /// The event.
    pub event: Event,
}

/// A bucket: a named list of events, with what a heartbeat reads before it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name, unique in the log.
    pub name: String,
    /// Its number, which renaming does not change.
    pub id: u64,
    /// What its creator said about it, as JSON text.
    pub data: String,
    /// From the earliest start to the latest end of its events, in nanoseconds
    /// since 1970; `None` while it has none.
    pub covers_ns: Option<(i64, i64)>,
    pub(super) next_number: u64,
    pub(super) last: Option<(u64, Event)>,
}

impl Bucket {
    pub(super) fn new(name: &str, id: u64, data: &str) -> Self {
        Self {
            name: name.to_owned(),
            id,
            data: data.to_owned(),
            covers_ns: None,
            next_number: 1,
            last: None,
        }
    }

    pub(super) fn key_of(name: &str) -> Vec<u8> {
        KeyBuilder::new().str(name).finish()
    }

    /// What every key of its events begins with.
    pub(super) fn prefix(&self) -> Vec<u8> {
        KeyBuilder::new().u64(self.id).finish()
    }

    pub(super) fn cover(&mut self, event: &Event) {
        let (start, end) = (event.start_ns, event.end_ns());
        let (from, to) = self.covers_ns.unwrap_or((start, end));
        self.covers_ns = Some((from.min(start), to.max(end)));
    }
}

/// A setting of the log's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyValue {
    pub(super) key: String,
    pub(super) value: String,
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

pub(super) fn check_event(event: &Event) -> Result<()> {
    if event.duration_ns >= 0 {
        return Ok(());
    }
    let record = format!("an event that starts at {}", event.start_ns);
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
            .u64(self.bucket)
            .i64(self.event.start_ns)
            .u64(self.number)
            .finish()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        check_event(&self.event)?;
        let mut out = Encoder::new();
        write_event(&mut out, &self.event);
        Ok(out.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut reader = KeyReader::new(EVENTS.name(), key);
        let bucket = reader.u64()?;
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
        Self::key_of(&self.name)
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::new();
        out.u64(self.id).str(&self.data);
        out.option(self.covers_ns, |out, (from, to)| {
            out.i64(from).i64(to);
        });
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
        let (id, data) = (input.u64()?, input.string()?);
        let covers_ns = input.option(|input| Ok((input.i64()?, input.i64()?)))?;
        let next_number = input.u64()?;
        let last = input.option(|input| Ok((input.u64()?, read_event(input)?)))?;
        input.finish()?;
        Ok(Self {
            name,
            id,
            data,
            covers_ns,
            next_number,
            last,
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

impl Record for KeyValue {
    const PRIMARY: Family = KEY_VALUES;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        self.key.clone().into_bytes()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.value.clone().into_bytes())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).map_err(|_| Error::Decode {
                table: KEY_VALUES.name(),
                reason: "a text is not UTF-8".to_owned(),
            })
        };
        Ok(Self {
            key: text(key)?,
            value: text(value)?,
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
