//! Segments: immutable sorted files of several families.
//!
//! Magic `BSSEG1\0\0`; blocks, one after the other, family by family; the index, in
//! the form of a block; the footer. Index: varint count, for each family: text name,
//! varint rows, varint of them tombstones, bytes last key, varint count of blocks,
//! for each: varint offset, varint length, bytes first key. Footer, 40 bytes: number
//! of the file (8), offset (8) and length (8) of the index, CRC-32 of these (4),
//! zeros (4), magic; integers LE.

use std::cmp::Ordering;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{self, BlockBuilder, corrupt};
use super::cache::BlockCache;
use super::manifest::{SegmentFile, segment_name};
use crate::codec::{Decoder, Encoder};
use crate::disk::Disk;
use crate::error::{Error, Result};

pub(super) const MAGIC: &[u8; 8] = b"BSSEG1\0\0";
const FOOTER: usize = 40;
/// Bytes handed to the disk at a time.
const WRITE_BYTES: usize = 1 << 20;

/// Where a block is, and its first key.
#[derive(Debug)]
pub(super) struct BlockRef {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) first_key: Vec<u8>,
}

/// One family's part of a segment. Never without rows.
#[derive(Debug)]
pub(super) struct FamilyIndex {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) tombstones: u64,
    pub(super) last_key: Vec<u8>,
    pub(super) blocks: Vec<BlockRef>,
}

impl FamilyIndex {
    /// The block that would hold `key`: the last that starts at or before it.
    pub(super) fn block_of(&self, key: &[u8]) -> Option<usize> {
        let after = self
            .blocks
            .partition_point(|block| block.first_key.as_slice() <= key);
        after.checked_sub(1)
    }
}

/// A segment that is open for reading.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: SegmentFile,
    pub(super) path: PathBuf,
    handle: File,
    families: Vec<FamilyIndex>,
}

impl Segment {
    pub(super) fn open(dir: &Path, file: SegmentFile, disk: &dyn Disk) -> Result<Self> {
        let path = dir.join(file.name());
        let handle = disk.open(&path, false).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                corrupt(&path, "the manifest names it, and it is missing")
            }
            other => other,
        })?;
        let len = handle.metadata().map_err(Error::io("read", &path))?.len();
        if len != file.bytes || len < (MAGIC.len() + FOOTER) as u64 {
            let reason = format!("it has {len} bytes, the manifest says {}", file.bytes);
            return Err(corrupt(&path, reason));
        }
        let mut head = [0; MAGIC.len()];
        disk.read_at(&path, &handle, &mut head, 0)?;
        let mut footer = [0; FOOTER];
        disk.read_at(&path, &handle, &mut footer, len - FOOTER as u64)?;
        let (offset, index_len) = read_footer(&footer, file.number)
            .filter(|_| head == *MAGIC)
            .filter(|(offset, index)| offset.checked_add(*index) == Some(len - FOOTER as u64))
            .ok_or_else(|| corrupt(&path, "its magic, version or footer is unknown"))?;
        let mut stored = vec![0; index_len as usize];
        disk.read_at(&path, &handle, &mut stored, offset)?;
        let plain = block::open(&path, &stored)?;
        let families = read_index(&plain, offset)
            .map_err(|error| corrupt(&path, format!("its index: {error}")))?;
        Ok(Self {
            file,
            path,
            handle,
            families,
        })
    }

    pub(super) fn families(&self) -> &[FamilyIndex] {
        &self.families
    }

    pub(super) fn family(&self, name: &str) -> Option<&FamilyIndex> {
        self.families.iter().find(|family| family.name == name)
    }

    /// A block's plain bytes; `keep` leaves them in the cache.
    pub(super) fn block(
        &self,
        disk: &dyn Disk,
        cache: &BlockCache,
        block: &BlockRef,
        keep: bool,
    ) -> Result<Arc<Vec<u8>>> {
        let id = (self.file.number, block.offset);
        if let Some(plain) = cache.get(id) {
            return Ok(plain);
        }
        let mut stored = vec![0; block.len as usize];
        disk.read_at(&self.path, &self.handle, &mut stored, block.offset)?;
        let plain = Arc::new(block::open(&self.path, &stored)?);
        if keep {
            cache.insert(id, &plain);
        }
        Ok(plain)
    }

    /// What this segment says about a row: nothing, that it is deleted, or its value.
    pub(super) fn get(
        &self,
        disk: &dyn Disk,
        cache: &BlockCache,
        family: &str,
        key: &[u8],
    ) -> Result<Option<Option<Vec<u8>>>> {
        let Some(family) = self.family(family) else {
            return Ok(None);
        };
        if key > family.last_key.as_slice() {
            return Ok(None);
        }
        let Some(at) = family.block_of(key) else {
            return Ok(None);
        };
        let plain = self.block(disk, cache, &family.blocks[at], true)?;
        let mut cursor = block::BlockCursor::default();
        while cursor.advance(&self.path, &plain)? {
            match cursor.key.as_slice().cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => {
                    return Ok(Some(cursor.value.map(|range| plain[range].to_vec())));
                }
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }
}

fn read_footer(footer: &[u8; FOOTER], number: u64) -> Option<(u64, u64)> {
    let (fields, rest) = footer.split_first_chunk::<24>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let is_whole = crc32fast::hash(fields) == u32::from_le_bytes(*crc)
        && rest.strip_prefix(&[0; 4]) == Some(MAGIC);
    let field = |at: usize| fields[at..].first_chunk().map(|f| u64::from_le_bytes(*f));
    (is_whole && field(0)? == number).then_some((field(8)?, field(16)?))
}

fn read_index(plain: &[u8], end: u64) -> Result<Vec<FamilyIndex>> {
    let mut input = Decoder::new("a segment", plain);
    let mut families = Vec::new();
    for _ in 0..input.u64()? {
        let name = input.string()?;
        let (rows, tombstones) = (input.u64()?, input.u64()?);
        let last_key = input.bytes()?.to_vec();
        let mut blocks = Vec::new();
        for _ in 0..input.u64()? {
            let (offset, len) = (input.u64()?, input.u64()?);
            if offset.checked_add(len).is_none_or(|to| to > end) {
                return Err(Error::Decode {
                    table: "a segment",
                    reason: "a block is outside the file".to_owned(),
                });
            }
            blocks.push(BlockRef {
                offset,
                len,
                first_key: input.bytes()?.to_vec(),
            });
        }
        if blocks.is_empty() {
            return Err(Error::Decode {
                table: "a segment",
                reason: format!("the family {name} has no block"),
            });
        }
        families.push(FamilyIndex {
            name,
            rows,
            tombstones,
            last_key,
            blocks,
        });
    }
    input.finish()?;
    Ok(families)
}

/// Rows that are encoded, in whole blocks, one after the other.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// Offsets count from the start of `bytes`.
    pub(super) blocks: Vec<BlockRef>,
    pub(super) rows: u64,
    pub(super) tombstones: u64,
    pub(super) last_key: Vec<u8>,
}

/// Cuts rows into blocks and encodes them.
pub(super) struct BlockEncoder {
    block: BlockBuilder,
    compressor: zstd::bulk::Compressor<'static>,
    block_bytes: usize,
    plain_bytes: usize,
    pub(super) encoded: Encoded,
}

impl BlockEncoder {
    pub(super) fn new(block_bytes: usize, level: i32) -> std::io::Result<Self> {
        Ok(Self {
            block: BlockBuilder::default(),
            compressor: zstd::bulk::Compressor::new(level)?,
            block_bytes,
            plain_bytes: 0,
            encoded: Encoded::default(),
        })
    }

    /// Adds a row, whose key is above the last one's.
    pub(super) fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> std::io::Result<()> {
        self.block.add(key, value);
        self.plain_bytes += key.len() + value.map_or(0, <[u8]>::len);
        if self.plain_bytes < self.block_bytes {
            return Ok(());
        }
        self.encoded.last_key.clear();
        self.encoded.last_key.extend_from_slice(key);
        self.finish_block()
    }

    /// Ends the block; `last_key` of what is encoded must be set by the caller.
    fn finish_block(&mut self) -> std::io::Result<()> {
        let offset = self.encoded.bytes.len();
        block::seal(
            &self.block.plain,
            &mut self.compressor,
            &mut self.encoded.bytes,
        )?;
        self.encoded.blocks.push(BlockRef {
            offset: offset as u64,
            len: (self.encoded.bytes.len() - offset) as u64,
            first_key: self.block.first_key.clone(),
        });
        self.encoded.rows += self.block.rows;
        self.encoded.tombstones += self.block.tombstones;
        self.block.clear();
        self.plain_bytes = 0;
        Ok(())
    }

    /// The blocks so far, of which the last may be short.
    pub(super) fn take(&mut self, is_last: bool) -> std::io::Result<Encoded> {
        if is_last && self.block.rows > 0 {
            self.encoded.last_key = self.block.last_key().to_vec();
            self.finish_block()?;
        }
        Ok(std::mem::take(&mut self.encoded))
    }
}

/// Writes a new segment from its start to its end.
pub(super) struct SegmentWriter<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    file: File,
    number: u64,
    /// Bytes handed to the disk.
    written: u64,
    buffer: Vec<u8>,
    families: Vec<FamilyIndex>,
}

impl<'a> SegmentWriter<'a> {
    pub(super) fn create(dir: &Path, number: u64, disk: &'a dyn Disk) -> Result<Self> {
        let path = dir.join(segment_name(number));
        let file = disk.create(&path)?;
        Ok(Self {
            disk,
            path,
            file,
            number,
            written: 0,
            buffer: MAGIC.to_vec(),
            families: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds rows of the family: above all that it has, and of no earlier family.
    pub(super) fn push(&mut self, family: &str, rows: Encoded) -> Result<()> {
        if rows.rows == 0 {
            return Ok(());
        }
        let base = self.written + self.buffer.len() as u64;
        self.buffer.extend_from_slice(&rows.bytes);
        let blocks = rows.blocks.into_iter().map(|block| BlockRef {
            offset: base + block.offset,
            ..block
        });
        match self.families.last_mut().filter(|last| last.name == family) {
            Some(last) => {
                last.rows += rows.rows;
                last.tombstones += rows.tombstones;
                last.last_key = rows.last_key;
                last.blocks.extend(blocks);
            }
            None => self.families.push(FamilyIndex {
                name: family.to_owned(),
                rows: rows.rows,
                tombstones: rows.tombstones,
                last_key: rows.last_key,
                blocks: blocks.collect(),
            }),
        }
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.disk
            .write_at(&self.path, &self.file, &self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the index and syncs. Without rows, there is no segment.
    pub(super) fn finish(mut self, level: i32) -> Result<Option<SegmentFile>> {
        if self.families.is_empty() {
            return Ok(None);
        }
        let offset = self.written + self.buffer.len() as u64;
        let index = encode_index(&self.families);
        zstd::bulk::Compressor::new(level)
            .and_then(|mut compressor| block::seal(&index, &mut compressor, &mut self.buffer))
            .map_err(Error::io("compress the index of", &self.path))?;
        let len = self.written + self.buffer.len() as u64 - offset;
        let mut fields = Vec::new();
        for field in [self.number, offset, len] {
            fields.extend_from_slice(&field.to_le_bytes());
        }
        self.buffer.extend_from_slice(&fields);
        let crc = crc32fast::hash(&fields);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(MAGIC);
        self.flush()?;
        self.disk.sync_file(&self.path, &self.file)?;
        Ok(Some(SegmentFile {
            number: self.number,
            bytes: self.written,
        }))
    }
}

fn encode_index(families: &[FamilyIndex]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u64(families.len() as u64);
    for family in families {
        out.str(&family.name)
            .u64(family.rows)
            .u64(family.tombstones)
            .bytes(&family.last_key)
            .u64(family.blocks.len() as u64);
        for block in &family.blocks {
            out.u64(block.offset).u64(block.len).bytes(&block.first_key);
        }
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_35_an_index_with_a_family_without_blocks_is_refused() {
        let family = FamilyIndex {
            name: "rows".to_owned(),
            rows: 1,
            tombstones: 0,
            last_key: b"k".to_vec(),
            blocks: Vec::new(),
        };
        let outcome = read_index(&encode_index(&[family]), 0);
        assert!(matches!(outcome, Err(Error::Decode { .. })), "{outcome:?}");
    }
}
