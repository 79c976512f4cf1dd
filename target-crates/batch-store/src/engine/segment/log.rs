//! The write-ahead log: one checksummed frame per batch, in one file that is
//! written again from its start, with a new generation, after each flush.
//!
//! Frame: magic `BLF1`, length of the payload (4), generation (8), number of the
//! frame in its generation (8), bytes of the log known to be synced when it was
//! written (8), CRC-32 of all these and the payload (4), payload; integers LE.
//! Payload: varint count and the names of the families, varint count of operations,
//! for each: varint 2 * family's place + 1 for a put, bytes key, for a put bytes value.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::block::{MAX_ROW, corrupt};
use crate::batch::WriteBatch;
use crate::codec::{Decoder, Encoder};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::tuning::LOG_STEP_BYTES;

pub(super) const NAME: &str = "log";
const MAGIC: &[u8; 4] = b"BLF1";
const HEADER: usize = 36;
const CRC_AT: usize = 32;

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    generation: u64,
    frames: u64,
    /// Where the next frame goes.
    end: u64,
    /// Every byte before is known to survive power loss.
    synced: u64,
    /// Bytes that the file has.
    allocated: u64,
}

/// Why an append failed.
pub(super) struct AppendError {
    /// False when the log may hold the frame all the same.
    pub(super) is_undone: bool,
    pub(super) error: Error,
}

impl Log {
    /// A log over `file`, of which nothing counts before [`Log::restart`].
    pub(super) fn new(path: PathBuf, file: File, allocated: u64) -> Self {
        Self {
            file,
            path,
            generation: 0,
            frames: 0,
            end: 0,
            synced: 0,
            allocated,
        }
    }

    /// Forgets every frame; the manifest must name `generation` by now.
    pub(super) fn restart(&mut self, generation: u64) {
        self.generation = generation;
        self.frames = 0;
        self.end = 0;
        self.synced = 0;
    }

    pub(super) fn is_synced(&self) -> bool {
        self.synced == self.end
    }

    /// Adds a frame. A frame that could not be written is made invalid again.
    pub(super) fn append(
        &mut self,
        disk: &dyn Disk,
        batch: &WriteBatch,
        is_synced_next: bool,
    ) -> Result<(), AppendError> {
        let undone = |error| AppendError {
            is_undone: true,
            error,
        };
        let payload = encode(batch).map_err(undone)?;
        let frame = frame(self.generation, self.frames, self.synced, &payload);
        let end = self.end + frame.len() as u64;
        if is_synced_next {
            self.allocate(disk, end).map_err(undone)?;
        }
        if let Err(error) = disk.write_at(&self.path, &self.file, &frame, self.end) {
            let undo = disk.write_at(&self.path, &self.file, &[0; HEADER], self.end);
            return Err(AppendError {
                is_undone: undo.is_ok(),
                error,
            });
        }
        self.end = end;
        self.allocated = self.allocated.max(end);
        self.frames += 1;
        Ok(())
    }

    /// Makes room up to `end`, in growing steps.
    fn allocate(&mut self, disk: &dyn Disk, end: u64) -> Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let step = self.allocated.clamp(LOG_STEP_BYTES.0, LOG_STEP_BYTES.1);
        let target = end + step;
        let zeros = vec![0; (target - self.allocated) as usize];
        disk.write_at(&self.path, &self.file, &zeros, self.allocated)?;
        self.allocated = target;
        Ok(())
    }

    /// Makes every frame survive power loss.
    pub(super) fn sync(&mut self, disk: &dyn Disk) -> Result<()> {
        disk.sync_data(&self.path, &self.file)?;
        self.synced = self.end;
        Ok(())
    }
}

fn frame(generation: u64, number: u64, synced: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(MAGIC);
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    for field in [generation, number, synced] {
        frame.extend_from_slice(&field.to_le_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    let crc = checksum(&frame);
    frame[CRC_AT..HEADER].copy_from_slice(&crc.to_le_bytes());
    frame
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..CRC_AT]);
    hasher.update(&frame[HEADER..]);
    hasher.finalize()
}

fn encode(batch: &WriteBatch) -> Result<Vec<u8>> {
    let mut names: Vec<&str> = Vec::new();
    let mut ops = Encoder::new();
    for op in batch.ops() {
        let name = op.family.name();
        let place = names.iter().position(|other| *other == name);
        let place = place.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        ops.u64(2 * place as u64 + u64::from(op.value.is_some()));
        ops.bytes(&op.key);
        if let Some(value) = &op.value {
            ops.bytes(value);
        }
    }
    let mut out = Encoder::new();
    out.u64(names.len() as u64);
    for name in names {
        out.str(name);
    }
    out.u64(batch.len() as u64);
    let mut payload = out.finish();
    payload.extend_from_slice(&ops.finish());
    if u32::try_from(payload.len()).is_err() {
        let reason = format!("its {} operations are over 4 GiB", batch.len());
        return Err(Error::State {
            action: "commit a batch",
            reason,
        });
    }
    Ok(payload)
}

/// Refuses a row that no block could hold.
pub(super) fn check_row(key: &[u8], value: &[u8]) -> Result<()> {
    if key.len() + value.len() <= MAX_ROW {
        return Ok(());
    }
    let start: String = key.iter().take(32).map(|b| format!("{b:02x}")).collect();
    Err(Error::Encode {
        record: format!("the row whose key starts with {start}"),
        reason: format!("key and value are over {MAX_ROW} bytes"),
    })
}

/// What a replay found.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) frames: u64,
    /// Where the last frame began that was not whole.
    pub(super) torn_at: Option<u64>,
}

struct Frame<'a> {
    number: u64,
    synced: u64,
    payload: &'a [u8],
}

/// The frame at `at`, if a whole one of this generation starts there.
fn frame_at(bytes: &[u8], at: usize, generation: u64) -> Option<Frame<'_>> {
    let rest = bytes.get(at..)?;
    let header = rest.get(..HEADER)?;
    if !starts_frame(rest, generation) {
        return None;
    }
    let len = u32::from_le_bytes(*header[4..].first_chunk()?) as usize;
    let frame = rest.get(..HEADER.checked_add(len)?)?;
    let crc = u32::from_le_bytes(*header[CRC_AT..].first_chunk()?);
    (checksum(frame) == crc).then_some(Frame {
        number: u64_at(frame, 16),
        synced: u64_at(frame, 24),
        payload: &frame[HEADER..],
    })
}

fn starts_frame(bytes: &[u8], generation: u64) -> bool {
    bytes.starts_with(MAGIC) && bytes.get(8..16) == Some(&generation.to_le_bytes()[..])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |field| u64::from_le_bytes(*field))
}

/// Hands every operation of the generation's frames to `apply`, in order.
///
/// # Errors
/// [`Error::Corrupt`] when a frame is damaged that a later frame says was synced.
pub(super) fn replay(
    path: &Path,
    bytes: &[u8],
    generation: u64,
    mut apply: impl FnMut(&str, &[u8], Option<&[u8]>),
) -> Result<Replay> {
    let (mut at, mut found) = (0, Replay::default());
    while let Some(frame) = frame_at(bytes, at, generation) {
        if frame.number != found.frames {
            return Err(corrupt(
                path,
                format!("a frame is missing before byte {at}"),
            ));
        }
        decode(frame.payload, &mut apply)
            .map_err(|error| corrupt(path, format!("the frame at byte {at}: {error}")))?;
        at += HEADER + frame.payload.len();
        found.frames += 1;
    }
    let later = (at..bytes.len()).filter(|at| bytes[*at] == MAGIC[0]);
    for later in later.filter_map(|at| frame_at(bytes, at, generation)) {
        if later.synced > at as u64 {
            return Err(corrupt(
                path,
                format!("the frame at byte {at} is damaged, and frames follow it"),
            ));
        }
    }
    let rest = &bytes[at.min(bytes.len())..];
    found.torn_at = starts_frame(rest, generation).then_some(at as u64);
    Ok(found)
}

fn decode(payload: &[u8], apply: &mut impl FnMut(&str, &[u8], Option<&[u8]>)) -> Result<()> {
    let malformed = |reason: &str| Error::Decode {
        table: "the log",
        reason: reason.to_owned(),
    };
    let mut input = Decoder::new("the log", payload);
    let mut names = Vec::new();
    for _ in 0..input.u64()? {
        names.push(input.str()?);
    }
    for _ in 0..input.u64()? {
        let tag = input.u64()?;
        let name = usize::try_from(tag / 2)
            .ok()
            .and_then(|place| names.get(place));
        let name = name.ok_or_else(|| malformed("a family has no name"))?;
        let key = input.bytes()?;
        let value = (tag % 2 == 1).then(|| input.bytes()).transpose()?;
        apply(name, key, value);
    }
    input.finish()
}
