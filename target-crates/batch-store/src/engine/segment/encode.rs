//! Sorted rows into a segment's blocks, on several threads.

use std::ops::Range;
use std::sync::mpsc::sync_channel;

use super::Options;
use super::file::{BlockEncoder, Encoded, SegmentWriter};
use crate::bulk::SortedRun;
use crate::error::{Error, Result};
use crate::tuning::SEGMENT_LEVEL;

/// Blocks that a thread encodes before it hands them over.
const GROUP_BLOCKS: usize = 32;
/// Groups that may wait for the thread that writes, per encoder.
const WAITING: usize = 2;

/// Rows of one family in strictly ascending key order.
pub(super) trait SortedRows: Sync {
    fn family(&self) -> &str;
    fn len(&self) -> usize;
    fn row(&self, at: usize) -> (&[u8], Option<&[u8]>);
}

impl SortedRows for SortedRun {
    fn family(&self) -> &str {
        self.family().name()
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn row(&self, at: usize) -> (&[u8], Option<&[u8]>) {
        self.row(at)
    }
}

/// Rows that lie elsewhere.
pub(super) struct BorrowedRows<'a> {
    pub(super) family: &'a str,
    pub(super) rows: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl SortedRows for BorrowedRows<'_> {
    fn family(&self) -> &str {
        self.family
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, at: usize) -> (&[u8], Option<&[u8]>) {
        self.rows[at]
    }
}

/// Rows that are encoded by one thread at a stretch. Ends where a block ends, so
/// that the file does not depend on the number of threads.
struct Group<'a, R> {
    run: &'a R,
    rows: Range<usize>,
}

fn groups<R: SortedRows>(runs: &[R], block_bytes: usize) -> Vec<Group<'_, R>> {
    let mut groups = Vec::new();
    for run in runs {
        let (mut start, mut blocks, mut bytes) = (0, 0, 0);
        for at in 0..run.len() {
            let (key, value) = run.row(at);
            bytes += key.len() + value.map_or(0, <[u8]>::len);
            if bytes >= block_bytes {
                blocks += 1;
                bytes = 0;
            }
            if blocks == GROUP_BLOCKS || at + 1 == run.len() {
                let rows = start..at + 1;
                groups.push(Group { run, rows });
                (start, blocks, bytes) = (at + 1, 0, 0);
            }
        }
    }
    groups
}

impl<R: SortedRows> Group<'_, R> {
    fn encode(&self, encoder: &mut BlockEncoder) -> std::io::Result<Encoded> {
        for at in self.rows.clone() {
            let (key, value) = self.run.row(at);
            encoder.add(key, value)?;
        }
        encoder.take(true)
    }
}

/// Writes the runs, each of another family, into the segment.
pub(super) fn write_runs<R: SortedRows>(
    runs: &[R],
    options: &Options,
    writer: &mut SegmentWriter<'_>,
) -> Result<()> {
    let groups = groups(runs, options.block_bytes);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(options.encoders).min(groups.len());
    let path = writer.path().to_owned();
    let new = || BlockEncoder::new(options.block_bytes, SEGMENT_LEVEL);
    let failed = || Error::io("compress a block of", &path);
    if threads <= 1 {
        let mut encoder = new().map_err(failed())?;
        for group in &groups {
            let rows = group.encode(&mut encoder).map_err(failed())?;
            writer.push(group.run.family(), rows)?;
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let mut receivers = Vec::new();
        for first in 0..threads {
            let (sender, receiver) = sync_channel(WAITING);
            receivers.push(receiver);
            let own = groups.iter().skip(first).step_by(threads);
            scope.spawn(move || {
                let mut encoder = new();
                for group in own {
                    let rows = match &mut encoder {
                        Ok(encoder) => group.encode(encoder),
                        Err(error) => Err(std::io::Error::from(error.kind())),
                    };
                    // Nobody receives once a write has failed.
                    if sender.send(rows).is_err() {
                        return;
                    }
                }
            });
        }
        for (at, group) in groups.iter().enumerate() {
            let rows = receivers[at % threads]
                .recv()
                .unwrap_or_else(|_| Err(std::io::Error::other("an encoder has stopped")));
            writer.push(group.run.family(), rows.map_err(failed())?)?;
        }
        Ok(())
    })
}
