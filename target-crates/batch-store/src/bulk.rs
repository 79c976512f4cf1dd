//! Rows for [`Engine::ingest`](crate::Engine::ingest): sorted, in few buffers per family.

use crate::batch::WriteBatch;
use crate::durability::{Durability, Seq};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::table::Family;

/// Where a row's bytes are: its key, then its value, in one of the run's arenas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) start: usize,
    pub(crate) key_len: u32,
    pub(crate) value_len: u32,
    pub(crate) arena: u32,
    /// Number of the record among those given: of equal keys, the highest is kept.
    pub(crate) record: u32,
}

impl Slot {
    pub(crate) fn key(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + self.key_len as usize]
    }

    pub(crate) fn value(self, arena: &[u8]) -> &[u8] {
        let start = self.start + self.key_len as usize;
        &arena[start..start + self.value_len as usize]
    }

    pub(crate) fn bytes(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + (self.key_len + self.value_len) as usize]
    }
}

/// Rows of one family in strictly ascending key order.
#[derive(Debug, Clone)]
pub struct SortedRun {
    family: Family,
    arenas: Vec<Vec<u8>>,
    slots: Vec<Slot>,
}

impl SortedRun {
    /// A run of `slots`, which are in strictly ascending key order.
    pub(crate) fn new(family: Family, arenas: Vec<Vec<u8>>, slots: Vec<Slot>) -> Self {
        let run = Self {
            family,
            arenas,
            slots,
        };
        debug_assert!(
            (1..run.len()).all(|at| run.row(at - 1).0 < run.row(at).0),
            "the keys of {} are out of order",
            family.name()
        );
        run
    }

    /// The family.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The rows, in key order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.rows_in(0..self.len())
    }

    /// Rows number `rows.start` to `rows.end` of [`SortedRun::rows`], found at
    /// once: for a reader that takes the run apart.
    ///
    /// # Panics
    /// When the run has fewer rows.
    pub fn rows_in(
        &self,
        rows: std::ops::Range<usize>,
    ) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        rows.map(|at| self.row(at))
    }

    /// Row number `at`, from 0.
    pub(crate) fn row(&self, at: usize) -> (&[u8], &[u8]) {
        let slot = self.slots[at];
        let arena = &self.arenas[slot.arena as usize];
        (slot.key(arena), slot.value(arena))
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let len = |slot: &Slot| (slot.key_len + slot.value_len) as usize;
        self.slots.iter().map(len).sum()
    }
}

/// Runs that are loaded together or not at all, at most one per family. Only
/// [`Table`](crate::Table) fills one, so that a record without its index entries
/// cannot be loaded.
#[derive(Debug, Clone, Default)]
pub struct BulkLoad {
    runs: Vec<SortedRun>,
}

impl BulkLoad {
    pub(crate) fn new(runs: Vec<SortedRun>) -> Self {
        Self { runs }
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[SortedRun] {
        &self.runs
    }

    /// Number of rows in all runs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(SortedRun::len).sum()
    }

    /// Whether there is nothing to load.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same rows as puts, for an engine without a bulk path.
    #[must_use]
    pub fn to_batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for run in &self.runs {
            for (key, value) in run.rows() {
                batch.put(run.family, key.to_vec(), value.to_vec());
            }
        }
        batch
    }
}

/// A load, with the index entries that its records leave behind in the store.
#[derive(Debug)]
pub struct StagedLoad {
    pub(crate) load: BulkLoad,
    pub(crate) stale: Vec<(Family, Vec<u8>)>,
    pub(crate) replaced: usize,
}

impl StagedLoad {
    /// The rows to be stored.
    #[must_use]
    pub fn load(&self) -> &BulkLoad {
        &self.load
    }

    /// Records in the load.
    #[must_use]
    pub fn records(&self) -> usize {
        self.load.runs.first().map_or(0, SortedRun::len)
    }

    /// Records that replace a stored one.
    #[must_use]
    pub fn replaced(&self) -> usize {
        self.replaced
    }

    /// Stores it, whole or not at all.
    ///
    /// # Errors
    /// As [`Engine::commit`].
    pub fn commit(&self, engine: &mut dyn Engine, durability: Durability) -> Result<Seq> {
        if self.stale.is_empty() {
            return engine.ingest(&self.load, durability);
        }
        let mut batch = self.load.to_batch();
        for (family, key) in &self.stale {
            batch.delete(*family, key.clone());
        }
        engine.commit(&batch, durability)
    }
}

pub(crate) fn too_long(record: usize) -> Error {
    Error::Encode {
        record: format!("number {record} of the call"),
        reason: "its key or its value is longer than 4 GiB".to_owned(),
    }
}
