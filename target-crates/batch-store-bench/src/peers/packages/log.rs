//! The bound: one checksummed append log behind a bounded channel, synced after
//! every batch of at most 256 rows.
//!
//! Record: key length, value length and CRC-32 of both (`u32`, little-endian),
//! key, value.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use batch_store::packages::PackageRow;

use super::{BATCH_ROWS, Peer, check_encoded, rows};
use crate::peers::failed;
use crate::workloads::packages::produce;
use crate::{BenchError, Result};

const FILE: &str = "index.log";
/// Rows that may wait in the channel.
const QUEUE_ROWS: usize = 1024;

pub(super) struct AppendLog;

fn io(source: std::io::Error) -> BenchError {
    BenchError::Io {
        action: "write",
        path: FILE.into(),
        source,
    }
}

fn append(buffer: &mut Vec<u8>, row: &PackageRow) {
    let value = rows::encode(row);
    let start = buffer.len();
    buffer.extend_from_slice(&(row.key.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&(value.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(row.key.as_bytes());
    buffer.extend_from_slice(&value);
    let crc = crc32fast::hash(&buffer[start + 12..]);
    buffer[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
}

fn write_all(mut file: File, queue: &Receiver<PackageRow>) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Ok(row) = queue.recv() {
        buffer.clear();
        append(&mut buffer, &row);
        for row in queue.try_iter().take(BATCH_ROWS - 1) {
            append(&mut buffer, &row);
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
    }
    file.sync_all()
}

impl Peer for AppendLog {
    fn fill(&self, dir: &Path, shares: Vec<Vec<PackageRow>>) -> Result<Vec<Duration>> {
        let file = File::create(dir.join(FILE)).map_err(io)?;
        let (sender, queue) = sync_channel(QUEUE_ROWS);
        let writer = std::thread::spawn(move || write_all(file, &queue));
        let latencies = produce(shares, |row| sender.send(row).map_err(failed));
        drop(sender);
        let written = writer.join().map_err(|_| failed("the writer panicked"))?;
        written.map_err(io)?;
        latencies
    }

    fn check(&self, dir: &Path, expected: &[PackageRow]) -> Result<()> {
        let bytes = std::fs::read(dir.join(FILE)).map_err(io)?;
        let short = || failed("the log ends early");
        let (mut found, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (header, tail) = rest.split_first_chunk::<12>().ok_or_else(short)?;
            let number = |at: usize| {
                u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
            };
            let (key, value) = (number(0) as usize, number(4) as usize);
            let (payload, tail) = tail.split_at_checked(key + value).ok_or_else(short)?;
            if crc32fast::hash(payload) != number(8) {
                return Err(failed("a record's checksum is wrong"));
            }
            let text = String::from_utf8(payload[..key].to_vec()).map_err(failed)?;
            found.push((text, payload[key..].to_vec()));
            rest = tail;
        }
        check_encoded(found, expected)
    }
}
