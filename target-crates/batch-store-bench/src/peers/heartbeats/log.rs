//! The bound: a checksummed log in a file that is written beforehand, so that a
//! sync has no block to allocate. Written and synced per hundred beats.
//!
//! Record: payload length and CRC-32 (`u32`), then bucket (`u32`), start and
//! duration (`i64`) and the data, which is empty when the record extends the
//! bucket's last event. All little-endian; a length of 0 ends the log.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use batch_store::events::Event;

use super::{Acknowledged, COMMIT_EVERY, Client, Log, Peer, extend, extends};
use crate::peers::failed;
use crate::{BenchError, Result};

const FILE: &str = "events.log";
/// More than any record of these clients.
const RECORD_BYTES: usize = 256;

pub(super) struct AppendLog;

struct Opened {
    file: File,
    offset: u64,
    buffer: Vec<u8>,
    last: Vec<Option<Event>>,
    uncommitted: usize,
    commit_every: usize,
}

fn io(source: std::io::Error) -> BenchError {
    BenchError::Io {
        action: "write",
        path: FILE.into(),
        source,
    }
}

impl Opened {
    fn append(&mut self, bucket: usize, event: &Event, data: &str) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 8]);
        self.buffer
            .extend_from_slice(&(bucket as u32).to_le_bytes());
        self.buffer.extend_from_slice(&event.start_ns.to_le_bytes());
        self.buffer
            .extend_from_slice(&event.duration_ns.to_le_bytes());
        self.buffer.extend_from_slice(data.as_bytes());
        let payload = &self.buffer[start + 8..];
        let (length, crc) = (payload.len() as u32, crc32fast::hash(payload));
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    fn sync(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.buffer, self.offset)
            .map_err(io)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        self.uncommitted = 0;
        self.file.sync_data().map_err(io)
    }

    fn beat(&mut self, bucket: usize, beat: Event) -> Result<()> {
        match self.last[bucket].take() {
            Some(mut last) if extends(&last, &beat) => {
                extend(&mut last, &beat);
                self.append(bucket, &last, "");
                self.last[bucket] = Some(last);
            }
            _ => {
                self.append(bucket, &beat, &beat.data);
                self.last[bucket] = Some(beat);
            }
        }
        self.uncommitted += 1;
        if self.uncommitted == self.commit_every {
            self.sync()?;
        }
        Ok(())
    }
}

impl Peer for AppendLog {
    fn open(&self, dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Box<dyn Log>> {
        let file = File::create(dir.join(FILE)).map_err(io)?;
        let records = |client: &Client| client.preloaded.len() + client.beats.len();
        let bytes = RECORD_BYTES * (1 + clients.iter().map(records).sum::<usize>());
        file.write_all_at(&vec![0; bytes], 0).map_err(io)?;
        let mut opened = Opened {
            file,
            offset: 0,
            buffer: Vec::new(),
            last: vec![None; clients.len()],
            uncommitted: 0,
            commit_every: match level {
                Acknowledged::Applied => COMMIT_EVERY,
                Acknowledged::Synced => 1,
            },
        };
        for (bucket, client) in clients.iter().enumerate() {
            for event in &client.preloaded {
                opened.append(bucket, event, &event.data);
            }
        }
        opened.sync()?;
        opened.file.sync_all().map_err(io)?;
        Ok(Box::new(Mutex::new(opened)))
    }

    fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
        let bytes = std::fs::read(dir.join(FILE)).map_err(io)?;
        let mut buckets = vec![Vec::<Event>::new(); clients.len()];
        let mut rest = bytes.as_slice();
        while let Some((header, tail)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, crc @ ..] = *header;
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            if length == 0 {
                break;
            }
            let (payload, tail) = tail
                .split_at_checked(length)
                .ok_or_else(|| failed("a torn record"))?;
            if crc32fast::hash(payload) != u32::from_le_bytes(crc) {
                return Err(failed("a record's checksum is wrong"));
            }
            replay(&mut buckets, payload)?;
            rest = tail;
        }
        Ok(buckets)
    }
}

fn replay(buckets: &mut [Vec<Event>], payload: &[u8]) -> Result<()> {
    let short = || failed("a short record");
    let (bucket, rest) = payload.split_first_chunk().ok_or_else(short)?;
    let (start, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (duration, data) = rest.split_first_chunk().ok_or_else(short)?;
    let bucket = u32::from_le_bytes(*bucket) as usize;
    let events = buckets
        .get_mut(bucket)
        .ok_or_else(|| failed("an unknown bucket"))?;
    let duration_ns = i64::from_le_bytes(*duration);
    match events.last_mut() {
        Some(last) if data.is_empty() => last.duration_ns = duration_ns,
        _ => events.push(Event {
            start_ns: i64::from_le_bytes(*start),
            duration_ns,
            data: String::from_utf8(data.to_vec()).map_err(failed)?,
        }),
    }
    Ok(())
}

impl Log for Mutex<Opened> {
    fn beat(&self, bucket: usize, _name: &str, beat: Event) -> Result<()> {
        let mut opened = self.lock().unwrap_or_else(PoisonError::into_inner);
        opened.beat(bucket, beat)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .sync()
    }
}
