//! The bound: not a store, but the least that a store must do. Sort in memory,
//! write one checksummed sequential file with both indexes, sync it and its
//! directory.
//!
//! File: the rows by id, each a `u16` length and the value; the offset of each
//! row, `u64`; the row numbers by entitlement and by principal, `u32` each; then
//! the number of rows and the rows' length, `u64`, and the CRC-32 of the four
//! sections. All little-endian.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use batch_store::grants::Grant;

use super::{Order, Peer, View, order, rows};
use crate::peers::failed;
use crate::{BenchError, Result};

const FILE: &str = "bound";
/// `n`, rows' length, four checksums.
const FOOTER_BYTES: usize = 8 + 8 + 4 * 4;

pub(super) struct Bound {
    pub(super) threads: usize,
}

/// The two index orders as row numbers.
fn index_orders(grants: &[Grant], ids: &[u32]) -> [Vec<u8>; 2] {
    let mut number_of = vec![0_u32; grants.len()];
    for (number, &at) in (0..).zip(ids) {
        number_of[at as usize] = number;
    }
    let orders = [
        order::entitlement_order(grants, ids),
        order::principal_order(grants, ids),
    ];
    orders.map(|order| {
        let numbers = order
            .iter()
            .flat_map(|&at| number_of[at as usize].to_le_bytes());
        numbers.collect()
    })
}

/// Writes the rows; returns their offsets and checksum.
fn write_rows(
    out: &mut impl Write,
    grants: &[Grant],
    ids: &[u32],
) -> std::io::Result<(Vec<u8>, u64, u32)> {
    let mut offsets = Vec::with_capacity(ids.len() * 8);
    let (mut value, mut chunk) = (Vec::new(), Vec::with_capacity(1 << 20));
    let (mut hasher, mut offset) = (crc32fast::Hasher::new(), 0_u64);
    for &at in ids {
        rows::encode(&mut value, &grants[at as usize]);
        offsets.extend_from_slice(&offset.to_le_bytes());
        chunk.extend_from_slice(&(value.len() as u16).to_le_bytes());
        chunk.extend_from_slice(&value);
        offset += value.len() as u64 + 2;
        if chunk.len() > (1 << 20) - 1024 {
            hasher.update(&chunk);
            out.write_all(&chunk)?;
            chunk.clear();
        }
    }
    hasher.update(&chunk);
    out.write_all(&chunk)?;
    Ok((offsets, offset, hasher.finalize()))
}

impl Peer for Bound {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let path = dir.join(FILE);
        let io = |source| BenchError::Io {
            action: "write",
            path: path.clone(),
            source,
        };
        let ids = order::by_id(grants);
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(io)?);
        let (written, indexes) = if self.threads > 1 {
            std::thread::scope(|scope| {
                let indexes = scope.spawn(|| index_orders(grants, &ids));
                let written = write_rows(&mut file, grants, &ids);
                (written, indexes.join())
            })
        } else {
            let written = write_rows(&mut file, grants, &ids);
            (written, Ok(index_orders(grants, &ids)))
        };
        let (offsets, length, rows_crc) = written.map_err(io)?;
        let [entitlements, principals] = indexes.map_err(|_| failed("sorting panicked"))?;
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        footer.extend_from_slice(&(ids.len() as u64).to_le_bytes());
        footer.extend_from_slice(&length.to_le_bytes());
        footer.extend_from_slice(&rows_crc.to_le_bytes());
        for section in [&offsets, &entitlements, &principals] {
            footer.extend_from_slice(&crc32fast::hash(section).to_le_bytes());
            file.write_all(section).map_err(io)?;
        }
        file.write_all(&footer).map_err(io)?;
        let file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        let path = dir.join(FILE);
        let bytes = std::fs::read(&path).map_err(|source| BenchError::Io {
            action: "read",
            path,
            source,
        })?;
        Opened::new(bytes).map(|view| Box::new(view) as Box<dyn View>)
    }
}

struct Opened {
    bytes: Vec<u8>,
    n: usize,
    length: usize,
}

impl Opened {
    fn new(bytes: Vec<u8>) -> Result<Self> {
        let at = bytes
            .len()
            .checked_sub(FOOTER_BYTES)
            .ok_or_else(|| failed("no footer"))?;
        let number = |at| u64_at(&bytes, at).map(|number| number as usize);
        let (n, length) = (number(at)?, number(at + 8)?);
        if length + n * 16 != at {
            return Err(failed("the sections do not fill the file"));
        }
        let opened = Self { bytes, n, length };
        let sections = [
            (0, length),
            (length, n * 8),
            (length + n * 8, n * 4),
            (length + n * 12, n * 4),
        ];
        for (i, (start, length)) in sections.into_iter().enumerate() {
            let crc = crc32fast::hash(&opened.bytes[start..start + length]);
            if u32_at(&opened.bytes, at + 16 + 4 * i)? != crc {
                return Err(failed(format!("the checksum of section {i} is wrong")));
            }
        }
        Ok(opened)
    }

    fn row(&self, number: usize) -> Result<Grant> {
        let at = u64_at(&self.bytes, self.length + number * 8)? as usize;
        let length = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]) as usize;
        rows::decode(&self.bytes[at + 2..at + 2 + length])
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    let found = bytes
        .get(at..at + 8)
        .and_then(|found| found.try_into().ok());
    found
        .map(u64::from_le_bytes)
        .ok_or_else(|| failed("the file ends early"))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let found = bytes
        .get(at..at + 4)
        .and_then(|found| found.try_into().ok());
    found
        .map(u32::from_le_bytes)
        .ok_or_else(|| failed("the file ends early"))
}

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        // The footer's count, which the sections' lengths were checked against.
        Ok([self.n as u64; 3])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let start = match order {
            Order::Id => {
                return (0..self.n).try_for_each(|number| self.row(number).map(&mut *visit));
            }
            Order::Entitlement(_) => self.length + self.n * 8,
            Order::Principal(_) => self.length + self.n * 12,
        };
        (0..self.n).try_for_each(|i| {
            let number = u32_at(&self.bytes, start + i * 4)?;
            self.row(number as usize).map(&mut *visit)
        })
    }
}
