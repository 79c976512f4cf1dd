//! What a change sees and does: [`View`] reads committed rows with everything
//! staged on top, [`Stage`] adds to the open batch.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pending::Pending;
use crate::batch::{Op, WriteBatch};
use crate::durability::{Durability, Seq};
use crate::engine::{Engine, Range, Row};
use crate::error::{Error, Result};
use crate::table::{Family, Record, Table};

/// Committed rows under the batches that wait for their commit, the youngest on
/// top: read-only, and an [`Engine`] so that tables can be read through it.
///
/// A read that a waiting batch answers does not touch the engine. Any other one
/// takes the engine's lock, and so waits for a commit under way.
pub struct View<'a> {
    engine: &'a Mutex<Box<dyn Engine>>,
    sealed: &'a VecDeque<Pending>,
    open: Option<&'a WriteBatch>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        engine: &'a Mutex<Box<dyn Engine>>,
        sealed: &'a VecDeque<Pending>,
        open: Option<&'a WriteBatch>,
    ) -> Self {
        Self {
            engine,
            sealed,
            open,
        }
    }

    fn engine(&self) -> MutexGuard<'a, Box<dyn Engine>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The waiting batches, the youngest first.
    fn batches(&self) -> impl DoubleEndedIterator<Item = &'a WriteBatch> {
        let sealed = self.sealed.iter().map(|pending| &*pending.ops);
        sealed.chain(self.open).rev()
    }

    fn staged(&self, family: Family, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let found = self
            .batches()
            .find_map(|batch| batch.pending(family, key))?;
        Some(found.map(<[u8]>::to_vec))
    }

    fn refuse<T>() -> Result<T> {
        Err(Error::State {
            action: "write through a view",
            reason: "it only reads".to_owned(),
        })
    }
}

impl Engine for View<'_> {
    fn commit(&mut self, _batch: &WriteBatch, _durability: Durability) -> Result<Seq> {
        Self::refuse()
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.staged(family, key) {
            Some(value) => Ok(value),
            None => self.engine().get(family, key),
        }
    }

    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values: Vec<Option<Option<Vec<u8>>>> =
            keys.iter().map(|key| self.staged(family, key)).collect();
        let missed: Vec<&[u8]> = keys
            .iter()
            .zip(&values)
            .filter(|(_, value)| value.is_none())
            .map(|(key, _)| *key)
            .collect();
        if !missed.is_empty() {
            let found = self.engine().get_many(family, &missed)?;
            let slots = values.iter_mut().filter(|value| value.is_none());
            slots
                .zip(found)
                .for_each(|(slot, value)| *slot = Some(value));
        }
        Ok(values.into_iter().map(Option::flatten).collect())
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        let mut staged: BTreeMap<&[u8], &Op> = BTreeMap::new();
        for batch in self.batches().rev() {
            staged.extend(
                batch
                    .pending_in(family, range)
                    .map(|op| (op.key.as_slice(), op)),
            );
        }
        // Each staged row hides at most one of the engine's.
        let rows = self
            .engine()
            .scan(family, range, limit.saturating_add(staged.len()))?;
        if staged.is_empty() {
            return Ok(rows);
        }
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = rows.into_iter().collect();
        for (key, op) in staged {
            match &op.value {
                Some(value) => rows.insert(key.to_vec(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(limit).collect())
    }

    fn count(&self, family: Family) -> Result<u64> {
        Ok(self.scan(family, &Range::all(), usize::MAX >> 1)?.len() as u64)
    }

    fn sync(&mut self) -> Result<()> {
        Self::refuse()
    }

    fn checkpoint(&mut self, _dir: &Path) -> Result<Vec<String>> {
        Self::refuse()
    }

    fn close(&mut self) -> Result<()> {
        Self::refuse()
    }
}

/// The open batch as a change sees it. When the change returns an error, nothing
/// of it stays in the batch.
pub struct Stage<'a> {
    view: View<'a>,
    batch: &'a mut WriteBatch,
    has_read: Cell<bool>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(view: View<'a>, batch: &'a mut WriteBatch) -> Self {
        Self {
            view,
            batch,
            has_read: Cell::new(false),
        }
    }

    /// Whether what was staged depends on what was there before.
    pub(super) fn has_read(&self) -> bool {
        self.has_read.get()
    }

    /// Stages a put of the record and its index entries.
    ///
    /// # Errors
    /// As [`Table::stage_put`].
    pub fn put<R: Record>(&mut self, record: &R) -> Result<()> {
        if !R::INDEXES.is_empty() {
            self.has_read.set(true);
        }
        Table::<R>::new().stage_put(&self.view, self.batch, record)
    }

    /// Stages a delete of the record and its index entries; false when it is missing.
    ///
    /// # Errors
    /// As [`Table::stage_delete`].
    pub fn delete<R: Record>(&mut self, key: &[u8]) -> Result<bool> {
        self.has_read.set(true);
        Table::<R>::new().stage_delete(&self.view, self.batch, key)
    }

    /// Stages deletes of every record whose key starts with `prefix`, and of
    /// their index entries; an empty prefix clears the table. Returns how many.
    ///
    /// # Errors
    /// When the rows cannot be read, or one with index entries not decoded.
    pub fn clear<R: Record>(&mut self, prefix: &[u8]) -> Result<usize> {
        let rows = self.scan::<R>(&Range::prefix(prefix), usize::MAX >> 1)?;
        let count = rows.len();
        for (key, _) in rows {
            if R::INDEXES.is_empty() {
                self.batch.delete(R::PRIMARY, key);
            } else {
                self.delete::<R>(&key)?;
            }
        }
        Ok(count)
    }

    /// The record as earlier changes left it, committed or not.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>> {
        self.has_read.set(true);
        Table::<R>::new().get_staged(&self.view, self.batch, key)
    }

    /// At most `limit` undecoded rows of the records' family, as earlier changes
    /// left them, in key order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scan<R: Record>(&self, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.has_read.set(true);
        let view = View {
            open: Some(self.batch),
            ..self.view
        };
        view.scan(R::PRIMARY, range, limit)
    }

    /// Replaces the record under `key` by what `change` makes of it, deleting it
    /// at `None`. A missing record stays missing: `change` is not called, and
    /// false returned.
    ///
    /// # Errors
    /// As [`Stage::get`] and [`Stage::put`], and what `change` returns.
    pub fn merge<R: Record>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(R) -> Result<Option<R>>,
    ) -> Result<bool> {
        let Some(record) = self.get::<R>(key)? else {
            return Ok(false);
        };
        match change(record)? {
            Some(record) => self.put(&record)?,
            None => drop(self.delete::<R>(key)?),
        }
        Ok(true)
    }
}
