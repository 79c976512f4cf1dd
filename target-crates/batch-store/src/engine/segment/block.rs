//! Blocks: the unit that is compressed, checked and read.
//!
//! Stored: kind (1 byte: 0 plain, 1 zstd), length of the plain bytes (4, LE),
//! CRC-32 of both and of the payload (4, LE), payload. Plain: for each row varint
//! bytes shared with the key before, varint bytes that follow, varint 0 for a
//! tombstone or 1 + length of the value, those key bytes, the value.

use std::cell::RefCell;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes in front of a block's payload.
const HEADER: usize = 9;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// The most bytes a plain block can have; a longer one is damage.
const MAX_PLAIN: usize = 1 << 30;

/// The most bytes a key and its value can have together.
pub(super) const MAX_ROW: usize = MAX_PLAIN / 4;

pub(super) fn corrupt(path: &Path, reason: impl Into<String>) -> Error {
    Error::Corrupt {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Puts the header before `plain` and compresses it where that helps.
pub(super) fn seal(
    plain: &[u8],
    compressor: &mut zstd::bulk::Compressor<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let start = out.len();
    out.resize(
        start + HEADER + zstd::zstd_safe::compress_bound(plain.len()),
        0,
    );
    let len = compressor.compress_to_buffer(plain, &mut out[start + HEADER..])?;
    let kind = if len < plain.len() {
        out.truncate(start + HEADER + len);
        ZSTD
    } else {
        out.truncate(start + HEADER);
        out.extend_from_slice(plain);
        PLAIN
    };
    out[start] = kind;
    out[start + 1..start + 5].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    let crc = checksum(&out[start..]);
    out[start + 5..start + HEADER].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

fn checksum(block: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&block[..5]);
    hasher.update(&block[HEADER..]);
    hasher.finalize()
}

/// The plain bytes of a stored block.
pub(super) fn open(path: &Path, stored: &[u8]) -> Result<Vec<u8>> {
    let Some((header, payload)) = stored.split_first_chunk::<HEADER>() else {
        return Err(corrupt(path, "a block is cut short"));
    };
    let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    if checksum(stored) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(corrupt(path, "a block's checksum does not match"));
    }
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let plain = match kind {
        PLAIN => payload.to_vec(),
        ZSTD if len <= MAX_PLAIN => decompress(payload, len)
            .map_err(|error| corrupt(path, format!("a block does not decompress: {error}")))?,
        _ => return Err(corrupt(path, "a block's header is unknown")),
    };
    if plain.len() == len {
        Ok(plain)
    } else {
        Err(corrupt(path, "a block's length does not match"))
    }
}

thread_local! {
    /// Setting one up costs more than decompressing a block.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { RefCell::new(None) };
}

fn decompress(payload: &[u8], len: usize) -> std::io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(zstd::bulk::Decompressor::new()?),
        };
        decompressor.decompress(payload, len)
    })
}

/// Collects the rows of one block.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    pub(super) plain: Vec<u8>,
    pub(super) first_key: Vec<u8>,
    pub(super) rows: u64,
    pub(super) tombstones: u64,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    pub(super) fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        if self.rows == 0 {
            self.first_key.clear();
            self.first_key.extend_from_slice(key);
        }
        let shared = shared_prefix(&self.last_key, key);
        put_varint(&mut self.plain, shared);
        put_varint(&mut self.plain, key.len() - shared);
        put_varint(&mut self.plain, value.map_or(0, |value| value.len() + 1));
        self.plain.extend_from_slice(&key[shared..]);
        self.plain.extend_from_slice(value.unwrap_or_default());
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&key[shared..]);
        self.rows += 1;
        self.tombstones += u64::from(value.is_none());
    }

    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    pub(super) fn clear(&mut self) {
        self.plain.clear();
        self.last_key.clear();
        self.rows = 0;
        self.tombstones = 0;
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.chunks_exact(8).zip(b.chunks_exact(8));
    let whole = chunks.take_while(|(a, b)| a == b).count() * 8;
    let rest = a[whole..].iter().zip(&b[whole..]);
    whole + rest.take_while(|(a, b)| a == b).count()
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Walks the rows of a plain block.
#[derive(Debug, Default)]
pub(super) struct BlockCursor {
    pub(super) key: Vec<u8>,
    /// Where the current row's value lies in the block; `None` is a tombstone.
    pub(super) value: Option<std::ops::Range<usize>>,
    at: usize,
}

impl BlockCursor {
    pub(super) fn rewind(&mut self) {
        self.key.clear();
        self.at = 0;
    }

    /// Moves to the next row; false at the end.
    pub(super) fn advance(&mut self, path: &Path, block: &[u8]) -> Result<bool> {
        if self.at == block.len() {
            return Ok(false);
        }
        self.step(block)
            .ok_or_else(|| corrupt(path, "a block's rows are malformed"))?;
        Ok(true)
    }

    fn step(&mut self, block: &[u8]) -> Option<()> {
        let shared = take_varint(block, &mut self.at)?;
        let rest = take_varint(block, &mut self.at)?;
        let value = take_varint(block, &mut self.at)?;
        if shared > self.key.len() {
            return None;
        }
        let value_at = self.at.checked_add(rest)?;
        let end = value_at.checked_add(value.saturating_sub(1))?;
        if end > block.len() {
            return None;
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(&block[self.at..value_at]);
        self.value = (value > 0).then_some(value_at..end);
        self.at = end;
        Some(())
    }
}

fn take_varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
