//! [`Engine`]: what applies a [`WriteBatch`] whole or not at all.

pub mod fault;
mod kind;
#[cfg(feature = "lsm")]
pub mod lsm;
pub mod memory;
pub mod segment;
pub mod snapshot;
pub mod sqlite;

pub use kind::EngineKind;

use std::path::Path;

use crate::batch::WriteBatch;
use crate::bulk::BulkLoad;
use crate::durability::{Durability, Seq};
use crate::error::Result;
use crate::keys::prefix_end;
use crate::table::Family;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Which keys a scan covers: from `start` on or after `after`, below `end`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// The first key, included.
    pub start: Vec<u8>,
    /// The bound, excluded; `None` is the end of the family.
    pub end: Option<Vec<u8>>,
    /// When set, only keys strictly above it.
    pub after: Option<Vec<u8>>,
}

impl Range {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The keys that start with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        Self {
            start: prefix.to_vec(),
            end: prefix_end(prefix),
            after: None,
        }
    }

    /// Whether a scan of this range covers `key`.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_slice()
            && self.end.as_ref().is_none_or(|end| key < end.as_slice())
            && self
                .after
                .as_ref()
                .is_none_or(|after| key > after.as_slice())
    }
}

/// An ordered key-value store with atomic batches. One thread writes.
pub trait Engine: Send {
    /// Applies the batch, whole or not at all, and returns its number. With
    /// [`Durability::EachCommit`] this batch and every earlier one survive power
    /// loss once the call returns.
    ///
    /// # Errors
    /// [`Error::Indeterminate`](crate::Error::Indeterminate) when the batch may be
    /// stored or not, whole either way; any other error when nothing of it was applied.
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq>;

    /// Applies changes that are sorted already, as one atomic step; a row replaces
    /// what its key holds, or deletes it. Same promises as [`Engine::commit`], less work.
    ///
    /// # Errors
    /// As [`Engine::commit`].
    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> Result<Seq> {
        self.commit(&load.to_batch(), durability)
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// The values under `keys`, in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| self.get(family, key)).collect()
    }

    /// At most `limit` rows of `range`, in key order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>>;

    /// Number of rows in the family.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn count(&self, family: Family) -> Result<u64>;

    /// Makes every commit so far survive power loss.
    ///
    /// # Errors
    /// When it cannot be promised.
    fn sync(&mut self) -> Result<()>;

    /// Writes a self-contained copy of the committed state into the directory
    /// and returns the names of its files. Syncs before it copies.
    ///
    /// # Errors
    /// When the copy is not whole.
    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>>;

    /// Syncs and releases the store; every later call but this one fails.
    /// Dropping an engine without it loses no commit to a kill, but reports no
    /// error either.
    ///
    /// # Errors
    /// When the last sync fails; the store is then still open, and closing it
    /// can be tried again.
    fn close(&mut self) -> Result<()>;
}
