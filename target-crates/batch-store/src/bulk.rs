//! Rows for [`Engine::ingest`](crate::Engine::ingest): sorted, in few buffers per family.

use crate::batch::WriteBatch;
use crate::error::Error;
use crate::table::Family;

/// The value's length of a row that is to be deleted.
const DELETED: u32 = u32::MAX;

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

    fn value(self, arena: &[u8]) -> Option<&[u8]> {
        let start = self.start + self.key_len as usize;
        (self.value_len != DELETED).then(|| &arena[start..start + self.value_len as usize])
    }

    /// Length of the key and the value.
    pub(crate) fn len(self) -> usize {
        let value = if self.value_len == DELETED {
            0
        } else {
            self.value_len
        };
        self.key_len as usize + value as usize
    }

    pub(crate) fn bytes(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + self.len()]
    }
}

/// Changes of one family, a row each, in strictly ascending key order.
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

    /// Keys and their new values, in key order; `None` deletes.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&[u8], Option<&[u8]>)> {
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
    ) -> impl ExactSizeIterator<Item = (&[u8], Option<&[u8]>)> {
        rows.map(|at| self.row(at))
    }

    /// Row number `at`, from 0.
    pub(crate) fn row(&self, at: usize) -> (&[u8], Option<&[u8]>) {
        let slot = self.slots[at];
        let arena = &self.arenas[slot.arena as usize];
        (slot.key(arena), slot.value(arena))
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.len()).sum()
    }

    /// Adds deletes of rows that the run does not have.
    fn delete(&mut self, keys: &[Vec<u8>]) {
        let (mut arena, number) = (Vec::new(), self.arenas.len() as u32);
        for key in keys {
            self.slots.push(Slot {
                start: arena.len(),
                key_len: key.len() as u32,
                value_len: DELETED,
                arena: number,
                record: 0,
            });
            arena.extend_from_slice(key);
        }
        self.arenas.push(arena);
        let arenas = &self.arenas;
        let key = |slot: &Slot| slot.key(&arenas[slot.arena as usize]);
        // Stable, and fast because most of it is sorted already. A put goes before a
        // delete of its key, and is what stays.
        self.slots.sort_by(|a, b| key(a).cmp(key(b)));
        self.slots.dedup_by(|later, kept| key(later) == key(kept));
    }
}

/// Runs that are applied together or not at all, at most one per family. Only
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

    /// Adds deletes of one family's rows.
    pub(crate) fn delete(&mut self, family: Family, keys: &[Vec<u8>]) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.family == family) {
            run.delete(keys);
        }
    }

    /// The same changes, for an engine without a bulk path.
    #[must_use]
    pub fn to_batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for run in &self.runs {
            for (key, value) in run.rows() {
                match value {
                    Some(value) => batch.put(run.family, key.to_vec(), value.to_vec()),
                    None => batch.delete(run.family, key.to_vec()),
                }
            }
        }
        batch
    }
}

/// A load that fits what is stored: with deletes of the index entries that the
/// replaced records leave behind.
#[derive(Debug)]
pub struct StagedLoad {
    pub(crate) load: BulkLoad,
    pub(crate) replaced: usize,
}

impl StagedLoad {
    /// What [`Engine::ingest`](crate::Engine::ingest) takes.
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
}

pub(crate) fn too_long(record: usize) -> Error {
    Error::Encode {
        record: format!("number {record} of the call"),
        reason: "its key or its value is longer than 4 GiB".to_owned(),
    }
}
