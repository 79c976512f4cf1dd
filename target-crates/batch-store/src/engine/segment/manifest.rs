//! The manifest: which files make up the store. Replaced as a whole.
//!
//! Magic `BSMAN1`, varint generation of the log (0: there is none), varint next
//! number, varint count, for each segment, oldest first: varint number, varint
//! length; CRC-32 of all before (4, LE).

use std::path::{Path, PathBuf};

use super::block::corrupt;
use crate::codec::{Decoder, Encoder};
use crate::disk::Disk;
use crate::error::Result;

const MAGIC: &[u8; 6] = b"BSMAN1";
pub(super) const NAME: &str = "MANIFEST";
pub(super) const TEMPORARY: &str = "MANIFEST.tmp";

/// A segment's file: its number, which names it, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentFile {
    pub(super) number: u64,
    pub(super) bytes: u64,
}

impl SegmentFile {
    pub(super) fn name(self) -> String {
        segment_name(self.number)
    }
}

pub(super) fn segment_name(number: u64) -> String {
    format!("{number:08}.seg")
}

/// The store's files, and the next number for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Generation of the frames of the log that count; 0 when there is no log.
    pub(super) log: u64,
    /// The next number of a segment or generation; none is used twice.
    pub(super) next: u64,
    /// Oldest first: of equal keys, the last counts.
    pub(super) segments: Vec<SegmentFile>,
}

impl Manifest {
    pub(super) fn new() -> Self {
        Self {
            log: 0,
            next: 1,
            segments: Vec::new(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.u64(self.log).u64(self.next);
        out.u64(self.segments.len() as u64);
        for file in &self.segments {
            out.u64(file.number).u64(file.bytes);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&out.finish());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else {
            return Err(corrupt(path, "it is cut short"));
        };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(corrupt(path, "its checksum does not match"));
        }
        let Some(body) = body.strip_prefix(MAGIC) else {
            return Err(corrupt(path, "its magic or version is unknown"));
        };
        Self::decode_body(body).map_err(|error| corrupt(path, error.to_string()))
    }

    fn decode_body(body: &[u8]) -> Result<Self> {
        let mut input = Decoder::new("the manifest", body);
        let (log, next) = (input.u64()?, input.u64()?);
        let mut segments = Vec::new();
        for _ in 0..input.u64()? {
            segments.push(SegmentFile {
                number: input.u64()?,
                bytes: input.u64()?,
            });
        }
        input.finish()?;
        Ok(Self {
            log,
            next,
            segments,
        })
    }

    /// Writes the manifest beside its place and syncs it: the step before
    /// [`publish`], at whose failure nothing has changed.
    pub(super) fn stage(&self, dir: &Path, disk: &dyn Disk) -> Result<()> {
        let path = dir.join(TEMPORARY);
        let file = disk.create(&path)?;
        disk.write_at(&path, &file, &self.encode(), 0)?;
        disk.sync_file(&path, &file)
    }
}

/// Puts the staged manifest, and every file that it names, in place for good. When
/// this fails, the old manifest may hold or the new one.
pub(super) fn publish(dir: &Path, disk: &dyn Disk) -> Result<()> {
    let target: PathBuf = dir.join(NAME);
    disk.rename(&dir.join(TEMPORARY), &target)?;
    disk.sync_dir(dir)
}
