//! Rows for [`Engine::ingest`](crate::Engine::ingest): sorted, in one buffer per family.

use crate::batch::WriteBatch;
use crate::error::{Error, Result};
use crate::table::Family;

#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    key_len: usize,
    value_len: usize,
}

/// Rows of one family in strictly ascending key order.
#[derive(Debug, Clone)]
pub struct SortedRun {
    family: Family,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl SortedRun {
    /// An empty run with room for `rows` rows of `bytes` bytes of keys and values together.
    #[must_use]
    pub fn with_capacity(family: Family, rows: usize, bytes: usize) -> Self {
        Self {
            family,
            bytes: Vec::with_capacity(bytes),
            slots: Vec::with_capacity(rows),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When its key is not above the last one's.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.slots.last().is_some_and(|last| self.key(last) >= key) {
            return Err(Error::State {
                action: "add a row to a sorted run",
                reason: format!("the keys of {} are out of order", self.family.name()),
            });
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.slots.push(Slot {
            start,
            key_len: key.len(),
            value_len: value.len(),
        });
        Ok(())
    }

    fn key(&self, slot: &Slot) -> &[u8] {
        &self.bytes[slot.start..slot.start + slot.key_len]
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

    /// Row number `at`, from 0.
    pub(crate) fn row(&self, at: usize) -> (&[u8], &[u8]) {
        let slot = &self.slots[at];
        let value = slot.start + slot.key_len;
        (self.key(slot), &self.bytes[value..value + slot.value_len])
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The rows, in key order.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.len()).map(|at| self.row(at))
    }
}

/// Runs that are loaded together or not at all, at most one per family. Only
/// this crate fills one, so that a record without its index cannot be loaded.
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
