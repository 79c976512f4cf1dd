//! The segment engine: a write-ahead log, rows in memory, and immutable sorted
//! segments, in one directory.
//!
//! A batch goes into the log and into the memtable; when that is full, into a
//! segment. A bulk load becomes a segment at once. Reads merge the memtable and
//! the few segments, newest first. The manifest names the files that count and is
//! replaced atomically; everything else in the directory is left over.

mod block;
mod cache;
mod encode;
mod file;
mod log;
mod manifest;
mod memtable;
mod merge;
mod open;
mod rewrite;

use std::path::{Path, PathBuf};

use self::cache::BlockCache;
use self::file::Segment;
use self::log::Log;
use self::manifest::{Manifest, SegmentFile};
use self::memtable::Memtable;
use self::open::DirLock;
use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::bulk::{BulkLoad, SortedRun};
use crate::disk::SharedDisk;
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::Family;
use crate::tuning;

/// Sizes that tests change; the defaults are those of [`tuning`].
#[derive(Debug, Clone)]
pub struct Options {
    /// [`tuning::SEGMENT_MEMTABLE_BYTES`].
    pub memtable_bytes: usize,
    /// [`tuning::SEGMENT_BLOCK_BYTES`].
    pub block_bytes: usize,
    /// [`tuning::SEGMENT_MAX`]; at least 2.
    pub max_segments: usize,
    /// [`tuning::SEGMENT_CACHE_BYTES`].
    pub cache_bytes: usize,
    /// [`tuning::SEGMENT_INGEST_MIN_BYTES`].
    pub ingest_min_bytes: usize,
    /// [`tuning::SEGMENT_ENCODERS`].
    pub encoders: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memtable_bytes: tuning::SEGMENT_MEMTABLE_BYTES,
            block_bytes: tuning::SEGMENT_BLOCK_BYTES,
            max_segments: tuning::SEGMENT_MAX,
            cache_bytes: tuning::SEGMENT_CACHE_BYTES,
            ingest_min_bytes: tuning::SEGMENT_INGEST_MIN_BYTES,
            encoders: tuning::SEGMENT_ENCODERS,
        }
    }
}

/// What opening found in the log of a store that was not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Batches read back.
    pub batches: u64,
    /// Where in the log, in bytes, a batch was cut off that was never whole;
    /// `None` when the log ended cleanly.
    pub torn_at: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Writing,
    ReadOnly,
    Closed,
}

/// An engine over one directory of files.
pub struct SegmentEngine {
    dir: PathBuf,
    disk: SharedDisk,
    options: Options,
    mode: Mode,
    /// Held while writing, so that nobody else writes.
    lock: Option<DirLock>,
    manifest: Manifest,
    /// As in the manifest: oldest first.
    segments: Vec<Segment>,
    memtable: Memtable,
    log: Option<Log>,
    cache: BlockCache,
    /// The log or the manifest on the disk may say more than this engine does, or
    /// stems from an earlier process: nothing is written before a flush has
    /// replaced both.
    must_flush: bool,
    recovery: Recovery,
    seq: u64,
}

impl std::fmt::Debug for SegmentEngine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SegmentEngine")
            .field("dir", &self.dir)
            .field("mode", &self.mode)
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl SegmentEngine {
    /// What opening found in the log.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// Number of segments.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    fn check_open(&self, action: &'static str) -> Result<()> {
        self.refuse(action, self.mode == Mode::Closed, "is closed")
    }

    fn check_writing(&self, action: &'static str) -> Result<()> {
        self.check_open(action)?;
        self.refuse(action, self.mode == Mode::ReadOnly, "is open for reading")
    }

    fn refuse(&self, action: &'static str, is_refused: bool, why: &str) -> Result<()> {
        if !is_refused {
            return Ok(());
        }
        let reason = format!("{} {why}", self.dir.display());
        Err(Error::State { action, reason })
    }

    fn has_log(&self) -> bool {
        self.manifest.log != 0
    }

    /// Adds the batch to the log and, as asked, syncs it.
    fn log_batch(&mut self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let max = self.options.max_segments;
        let is_full = self.memtable.bytes() >= self.options.memtable_bytes;
        if self.must_flush || is_full || !self.has_log() {
            self.flush(true, max)?;
        }
        let Some(log) = &mut self.log else {
            return self.refuse("commit a batch", true, "has no log");
        };
        let indeterminate = |error| Error::Indeterminate {
            ops: batch.len(),
            source: Box::new(error),
        };
        let is_each = durability == Durability::EachCommit;
        if let Err(failed) = log.append(&*self.disk, batch, is_each) {
            if failed.is_undone {
                return Err(failed.error);
            }
            self.must_flush = true;
            return Err(indeterminate(failed.error));
        }
        if is_each && let Err(error) = log.sync(&*self.disk) {
            self.must_flush = true;
            return Err(indeterminate(error));
        }
        Ok(())
    }

    /// The number of rows where it can be told from the segments' indexes alone:
    /// no tombstone, and no key that could be in two places.
    fn count_of_indexes(&self, family: Family) -> Option<u64> {
        if self.memtable.has(family.name()) {
            return None;
        }
        let indexes = self.segments.iter().filter_map(|s| s.family(family.name()));
        let mut indexes: Vec<_> = indexes.collect();
        indexes.sort_by(|a, b| a.last_key.cmp(&b.last_key));
        let is_disjoint = indexes
            .windows(2)
            .all(|pair| pair[0].last_key < pair[1].blocks[0].first_key);
        let has_tombstone = indexes.iter().any(|index| index.tombstones > 0);
        (is_disjoint && !has_tombstone).then(|| indexes.iter().map(|index| index.rows).sum())
    }

    fn get_row(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(found) = self.memtable.get(family, key) {
            return Ok(found.map(<[u8]>::to_vec));
        }
        for segment in self.segments.iter().rev() {
            if let Some(found) = segment.get(&*self.disk, &self.cache, family, key)? {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Engine for SegmentEngine {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        self.check_writing("commit a batch")?;
        for op in batch.ops() {
            log::check_row(&op.key, op.value.as_deref().unwrap_or_default())?;
        }
        if !batch.is_empty() {
            self.log_batch(batch, durability)?;
        } else if durability == Durability::EachCommit {
            self.sync()?;
        }
        for op in batch.ops() {
            self.memtable
                .apply(op.family.name(), &op.key, op.value.as_deref());
        }
        self.seq += 1;
        Ok(Seq(self.seq))
    }

    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> Result<Seq> {
        self.check_writing("load rows")?;
        let bytes: usize = load.runs().iter().map(SortedRun::bytes).sum();
        if bytes < self.options.ingest_min_bytes {
            return self.commit(&load.to_batch(), durability);
        }
        for (key, value) in load.runs().iter().flat_map(SortedRun::rows) {
            log::check_row(key, value.unwrap_or_default())?;
        }
        // The log is read back above the segments, so its rows must be below this
        // load's before it comes; and the load needs a place among the segments.
        let is_above = !self.memtable.is_empty();
        if is_above || self.must_flush || self.segments.len() >= self.options.max_segments {
            self.flush(self.has_log(), self.options.max_segments - 1)?;
        }
        if let Err(error) = self.write_load(load.runs()) {
            if !self.must_flush {
                return Err(error);
            }
            return Err(Error::Indeterminate {
                ops: load.len(),
                source: Box::new(error),
            });
        }
        self.seq += 1;
        Ok(Seq(self.seq))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.check_open("read a row")?;
        self.get_row(family.name(), key)
    }

    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        self.check_open("read rows")?;
        // In key order, each block is decoded once.
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_unstable_by_key(|at| keys[*at]);
        let mut values = vec![None; keys.len()];
        for at in order {
            values[at] = self.get_row(family.name(), keys[at])?;
        }
        Ok(values)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.check_open("scan rows")?;
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        let mut merge = self.merge(family.name(), range, &self.segments)?;
        while merge.find() {
            if let Some(value) = merge.value() {
                rows.push((merge.key().to_vec(), value.to_vec()));
                if rows.len() == limit {
                    break;
                }
            }
            merge.advance()?;
        }
        Ok(rows)
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.check_open("count rows")?;
        if let Some(rows) = self.count_of_indexes(family) {
            return Ok(rows);
        }
        let mut merge = self.merge(family.name(), &Range::all(), &self.segments)?;
        let mut rows = 0;
        while merge.find() {
            rows += u64::from(merge.value().is_some());
            merge.advance()?;
        }
        Ok(rows)
    }

    fn sync(&mut self) -> Result<()> {
        self.check_writing("sync")?;
        if self.must_flush {
            return self.flush(self.has_log(), self.options.max_segments);
        }
        let Some(log) = self.log.as_mut().filter(|log| !log.is_synced()) else {
            return Ok(());
        };
        log.sync(&*self.disk).inspect_err(|_| {
            // What the kernel failed to write once it may report as written next time.
            self.must_flush = true;
        })
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.check_open("copy the store")?;
        if self.mode == Mode::Writing {
            self.flush(self.has_log(), self.options.max_segments)?;
        } else if !self.memtable.is_empty() {
            self.refuse("copy the store", true, "is open for reading, with a log")?;
        }
        let copy = Manifest {
            log: 0,
            ..self.manifest.clone()
        };
        let mut names: Vec<String> = copy.segments.iter().map(|file| file.name()).collect();
        names.push(manifest::NAME.to_owned());
        if let Some(name) = names.iter().find(|name| dir.join(name).exists()) {
            return Err(Error::State {
                action: "copy the store",
                reason: format!("{} has a {name} already", dir.display()),
            });
        }
        for (segment, name) in self.segments.iter().zip(&names) {
            let target = dir.join(name);
            if self.disk.hard_link(&segment.path, &target).is_err() {
                self.copy_file(&segment.path, segment.file, &target)?;
            }
        }
        copy.stage(dir, &*self.disk)?;
        manifest::publish(dir, &*self.disk)?;
        Ok(names)
    }

    fn close(&mut self) -> Result<()> {
        if self.mode == Mode::Writing {
            self.flush(false, self.options.max_segments)?;
        }
        self.mode = Mode::Closed;
        self.lock = None;
        self.log = None;
        self.segments.clear();
        Ok(())
    }
}

impl SegmentEngine {
    fn copy_file(&self, from: &Path, file: SegmentFile, to: &Path) -> Result<()> {
        let source = self.disk.open(from, false)?;
        let target = self.disk.create(to)?;
        let mut buffer = vec![0; tuning::COPY_BUFFER_BYTES];
        let mut at = 0;
        while at < file.bytes {
            let len =
                usize::try_from(file.bytes - at).map_or(buffer.len(), |n| n.min(buffer.len()));
            self.disk.read_at(from, &source, &mut buffer[..len], at)?;
            self.disk.write_at(to, &target, &buffer[..len], at)?;
            at += len as u64;
        }
        self.disk.sync_file(to, &target)
    }
}
