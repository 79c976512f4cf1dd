//! Flushing, merging and bulk loading: what makes a new segment and a new manifest.

use super::encode::{BorrowedRows, write_runs};
use super::file::{BlockEncoder, Segment, SegmentWriter};
use super::log::{self, Log};
use super::manifest::{self, Manifest, SegmentFile, segment_name};
use super::merge::Merge;
use super::{Options, SegmentEngine};
use crate::bulk::SortedRun;
use crate::engine::Range;
use crate::error::{Error, Result};
use crate::tuning::SEGMENT_LEVEL;

/// Bytes of encoded blocks handed to the writer at a time while merging.
const MERGE_BYTES: usize = 256 << 10;

/// How many of the newest segments to merge into the one that is about to be
/// written, so that at most `max` remain. `sizes` are the segments' bytes, oldest
/// first. A segment joins when it has to, or when it is no larger than those
/// merged already, so that a row is rewritten about once per doubling.
pub(super) fn plan(sizes: &[u64], has_new: bool, max: usize) -> usize {
    if sizes.len() + usize::from(has_new) <= max {
        return 0;
    }
    let needed = sizes.len() + 1 - max;
    let (mut merged, mut bytes) = (0, 0);
    for size in sizes.iter().rev() {
        if merged >= needed && *size > bytes {
            break;
        }
        merged += 1;
        bytes += size;
    }
    merged
}

impl SegmentEngine {
    /// Moves the memtable, merged with as many segments as [`plan`] says, into a
    /// segment, and starts the log anew, or ends it. Changes no row, so a failure
    /// leaves the state as it was.
    pub(super) fn flush(&mut self, keep_log: bool, max: usize) -> Result<()> {
        let sizes: Vec<u64> = self.segments.iter().map(|s| s.file.bytes).collect();
        let merged = plan(&sizes, !self.memtable.is_empty(), max);
        let has_rows = merged > 0 || !self.memtable.is_empty();
        let is_log_kept = keep_log == (self.manifest.log != 0);
        if !has_rows && is_log_kept && !self.must_flush {
            return Ok(());
        }
        let number = self.take_number();
        let new = if has_rows {
            self.write_merged(number, merged)?
        } else {
            None
        };
        let kept = self.segments.len() - merged;
        let generation = if keep_log { self.take_number() } else { 0 };
        self.install(kept, new, generation)?;
        self.memtable.clear();
        Ok(())
    }

    /// A number that no file and no generation has had.
    pub(super) fn take_number(&mut self) -> u64 {
        self.manifest.next += 1;
        self.manifest.next - 1
    }

    /// Loads the runs as a segment above all others. The memtable must be empty.
    pub(super) fn write_load(&mut self, runs: &[SortedRun]) -> Result<()> {
        let number = self.take_number();
        let new =
            self.write_segment(number, |options, writer| write_runs(runs, options, writer))?;
        self.install(self.segments.len(), new, self.manifest.log)
    }

    /// Writes a segment, or removes what there is of it.
    fn write_segment(
        &self,
        number: u64,
        fill: impl FnOnce(&Options, &mut SegmentWriter<'_>) -> Result<()>,
    ) -> Result<Option<SegmentFile>> {
        let write = || {
            let mut writer = SegmentWriter::create(&self.dir, number, &*self.disk)?;
            fill(&self.options, &mut writer)?;
            writer.finish(SEGMENT_LEVEL)
        };
        let written = write();
        if !matches!(written, Ok(Some(_))) {
            // Left over, it costs space only until the next open.
            let _ = self.disk.remove(&self.dir.join(segment_name(number)));
        }
        written
    }

    fn write_merged(&self, number: u64, merged: usize) -> Result<Option<SegmentFile>> {
        let oldest = self.segments.len() - merged;
        if merged == 0 {
            let runs: Vec<BorrowedRows<'_>> = (self.memtable.families())
                .map(|(family, rows)| BorrowedRows {
                    family,
                    rows: (rows.iter())
                        // At the bottom, there is nothing for a tombstone to hide.
                        .filter(|(_, value)| oldest > 0 || value.is_some())
                        .map(|(key, value)| (key.as_slice(), value.as_deref()))
                        .collect(),
                })
                .collect();
            return self
                .write_segment(number, |options, writer| write_runs(&runs, options, writer));
        }
        let sources = &self.segments[oldest..];
        let mut names: Vec<&str> = self.memtable.families().map(|(name, _)| name).collect();
        for segment in sources {
            names.extend(segment.families().iter().map(|family| family.name.as_str()));
        }
        names.sort_unstable();
        names.dedup();
        self.write_segment(number, |options, writer| {
            let mut encoder = BlockEncoder::new(options.block_bytes, SEGMENT_LEVEL)
                .map_err(Error::io("compress a block of", writer.path()))?;
            for name in names {
                let mut merge = self.merge(name, &Range::all(), sources)?;
                while merge.find() {
                    if oldest > 0 || merge.value().is_some() {
                        encoder
                            .add(merge.key(), merge.value())
                            .map_err(Error::io("compress a block of", writer.path()))?;
                    }
                    if encoder.encoded.bytes.len() >= MERGE_BYTES {
                        let rows = encoder.take(false);
                        let rows = rows.map_err(Error::io("compress a block of", writer.path()))?;
                        writer.push(name, rows)?;
                    }
                    merge.advance()?;
                }
                let rows = encoder.take(true);
                let rows = rows.map_err(Error::io("compress a block of", writer.path()))?;
                writer.push(name, rows)?;
            }
            Ok(())
        })
    }

    /// Rows of a family in the memtable and in `segments`.
    pub(super) fn merge<'a>(
        &'a self,
        family: &str,
        range: &Range,
        segments: &'a [Segment],
    ) -> Result<Merge<'a>> {
        let mut merge = Merge::new(range.end.clone());
        if let Some(rows) = self.memtable.range(family, range) {
            merge.add_memtable(rows);
        }
        for segment in segments.iter().rev() {
            if let Some(index) = segment.family(family) {
                merge.add_segment(segment, index, &*self.disk, &self.cache, range)?;
            }
        }
        Ok(merge)
    }

    /// Replaces every segment after the first `kept` by `new`, for good, and begins
    /// that generation of the log (0: ends it). After a failure the state is as before; when the
    /// new manifest may hold all the same, `must_flush` is set.
    pub(super) fn install(
        &mut self,
        kept: usize,
        new: Option<SegmentFile>,
        generation: u64,
    ) -> Result<()> {
        let staged = self.stage(kept, new, generation).inspect_err(|_| {
            // What is left over costs space only until the next open.
            if let Some(file) = new {
                let _ = self.disk.remove(&self.dir.join(file.name()));
            }
        });
        let (next, opened) = staged?;
        if let Err(error) = manifest::publish(&self.dir, &*self.disk) {
            self.must_flush = true;
            return Err(error);
        }
        if generation != self.manifest.log
            && let Some(open) = &mut self.log
        {
            open.restart(generation);
        }
        self.manifest = next;
        let replaced = self.segments.split_off(kept);
        self.segments.extend(opened);
        self.must_flush = false;
        if generation == 0 {
            self.log = None;
            let _ = self.disk.remove(&self.dir.join(log::NAME));
        }
        for segment in replaced {
            // A file that stays is removed at the next open.
            let _ = self.disk.remove(&segment.path);
        }
        Ok(())
    }

    /// Prepares everything for [`SegmentEngine::install`] but the rename.
    fn stage(
        &mut self,
        kept: usize,
        new: Option<SegmentFile>,
        generation: u64,
    ) -> Result<(Manifest, Option<Segment>)> {
        let opened = new.map(|file| Segment::open(&self.dir, file, &*self.disk));
        let opened = opened.transpose()?;
        if generation != 0 && self.log.is_none() {
            let path = self.dir.join(log::NAME);
            let file = self.disk.create(&path)?;
            self.log = Some(Log::new(path, file, 0));
        }
        let mut segments: Vec<SegmentFile> = self.manifest.segments[..kept].to_vec();
        segments.extend(new);
        let next = Manifest {
            log: generation,
            next: self.manifest.next,
            segments,
        };
        next.stage(&self.dir, &*self.disk)?;
        Ok((next, opened))
    }
}
