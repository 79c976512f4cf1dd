//! [`EntityStore`] itself: reading, setting, batches and capacity. Rollbacks are
//! in `rollback`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::{Change, VersionCache};
use super::entity::{Entity, Filter, Schema};
use super::history::Tables;
use super::pipeline::{FrontierWatch, Frontiers, Pipeline, SharedEngine, Work};
use super::records::{Checkpoint, StoreState, Stored, Value, decode};
use super::transaction::{History, PendingRollback, Processed};
use crate::durability::Durability;
use crate::engine::Engine;
use crate::engine::sqlite::SqliteEngine;
use crate::error::{Error, Result};
use crate::table::Table;
use crate::tuning;

/// How an entity store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Changes to keep in memory. A batch starts at or below it where that is
    /// possible: what was set or read since the last commit cannot be dropped
    /// when there is no commit to wait for.
    pub capacity: usize,
    /// How far each commit is pushed.
    pub durability: Durability,
}

impl Default for Options {
    /// 100,000 changes; each commit synced.
    fn default() -> Self {
        Self {
            capacity: tuning::ENTITY_CAPACITY,
            durability: Durability::EachCommit,
        }
    }
}

/// A store of versioned entities. One thread uses it; see the
/// [module](crate::entities) for what it is.
pub struct EntityStore {
    pub(super) tables: Arc<Tables>,
    pub(super) caches: Vec<VersionCache>,
    engine: SharedEngine,
    /// Reads while the engine is busy writing.
    reader: Option<Box<dyn Engine>>,
    pub(super) pipeline: Pipeline,
    options: Options,
    /// The last checkpoint handed over.
    pub(super) processed: u64,
    /// The highest checkpoint anything was set at, or `processed`.
    pub(super) current: u64,
    pub(super) rollback: Option<PendingRollback>,
}

impl std::fmt::Debug for EntityStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityStore")
            .field("frontiers", &self.frontiers())
            .field("resident", &self.resident())
            .finish_non_exhaustive()
    }
}

impl EntityStore {
    /// Opens a store over `SQLite`, with a second connection that reads while the
    /// first writes.
    ///
    /// # Errors
    /// When the file cannot be opened, or as [`EntityStore::open`].
    pub fn open_sqlite(path: &Path, schema: Schema, options: Options) -> Result<Self> {
        let engine = SqliteEngine::open(path, &schema.families(), options.durability)?;
        let reader = SqliteEngine::open_read_only(path)?;
        Self::open(Box::new(engine), Some(Box::new(reader)), schema, options)
    }

    /// Opens a store over any engine that has the schema's families. `reader` sees
    /// the same committed rows and is used for every read; without one, a read
    /// waits for the write in flight.
    ///
    /// # Errors
    /// When the schema uses a family twice, the store's state cannot be read, or
    /// the system gives no thread.
    pub fn open(
        engine: Box<dyn Engine>,
        reader: Option<Box<dyn Engine>>,
        schema: Schema,
        options: Options,
    ) -> Result<Self> {
        schema.check()?;
        let stored = Table::<StoreState>::new().get(&*engine, &StoreState::the_key())?;
        let stored = stored.unwrap_or_default();
        let tables: Arc<Tables> = schema.tables.into();
        let engine = Arc::new(Mutex::new(engine));
        let pipeline = Pipeline::spawn(
            Arc::clone(&tables),
            Arc::clone(&engine),
            options.durability,
            stored,
        )?;
        let caches = tables
            .iter()
            .map(|table| VersionCache::new(table.indexes()));
        Ok(Self {
            caches: caches.collect(),
            tables,
            engine,
            reader,
            pipeline,
            options,
            processed: stored.committed,
            current: stored.committed,
            rollback: None,
        })
    }

    /// How far the store is.
    #[must_use]
    pub fn frontiers(&self) -> Frontiers {
        self.watch().frontiers()
    }

    /// A handle that follows the frontiers from other threads.
    #[must_use]
    pub fn watch(&self) -> FrontierWatch {
        self.pipeline.watch()
    }

    /// Changes, filters' entries and unwritten checkpoints in memory now: what
    /// [`Options::capacity`] bounds.
    #[must_use]
    pub fn resident(&self) -> usize {
        let caches: usize = self.caches.iter().map(VersionCache::resident).sum();
        caches + self.pipeline.checkpoints()
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        match &self.reader {
            Some(reader) => read(&**reader),
            None => read(&**self.engine.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn table<E: Entity>(&self) -> Result<usize> {
        let found = self.tables.iter().position(|table| table.rows() == E::ROWS);
        found.ok_or_else(|| Error::State {
            action: "use an entity table",
            reason: format!("{} is not in the store's schema", E::ROWS.name()),
        })
    }

    /// Reads into memory those of `ids` that are not there yet, in one go.
    ///
    /// # Errors
    /// When storage cannot be read, or an earlier write failed.
    pub fn preload<E: Entity>(&mut self, ids: &[&str]) -> Result<()> {
        self.pipeline.check()?;
        let table = self.table::<E>()?;
        self.load(table, ids)
    }

    fn load(&mut self, table: usize, ids: &[&str]) -> Result<()> {
        let cache = &self.caches[table];
        let missing = ids.iter().copied().filter(|id| cache.get(id).is_none());
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let values = self.read(|engine| self.tables[table].load(engine, &missing))?;
        for (id, value) in missing.into_iter().zip(values) {
            self.caches[table].load(id.into(), value);
        }
        Ok(())
    }

    /// The entity as last set, or as storage has it.
    ///
    /// # Errors
    /// When storage cannot be read, the bytes not decoded, or an earlier write failed.
    pub fn get<E: Entity>(&mut self, id: &str) -> Result<Option<E>> {
        self.preload::<E>(&[id])?;
        let value = self.caches[self.table::<E>()?].get(id);
        let stored = value.and_then(Option::as_ref);
        stored.map(|stored| decode(id, &stored.bytes)).transpose()
    }

    /// The entities that the filter matches, as last set, in the order of their ids.
    ///
    /// # Errors
    /// When the filter is on no index of `E`, or as [`EntityStore::get`].
    pub fn find<E: Entity>(&mut self, filter: &Filter) -> Result<Vec<E>> {
        self.pipeline.check()?;
        let table = self.table::<E>()?;
        if !self.caches[table].has_filter(filter) {
            let ids = self.read(|engine| self.tables[table].find(engine, filter))?;
            self.load(table, &ids.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
            self.caches[table].add_filter(filter, ids);
        }
        let found = self.caches[table].filtered(filter).into_iter();
        found
            .filter_map(|(id, value)| value.map(|stored| decode(&id, &stored.bytes)))
            .collect()
    }

    /// Whether the filter's whole answer is in memory.
    #[must_use]
    pub fn has_filter<E: Entity>(&self, filter: &Filter) -> bool {
        self.table::<E>()
            .is_ok_and(|table| self.caches[table].has_filter(filter))
    }

    /// Sets an entity as of `checkpoint`. Of two changes at one checkpoint the
    /// last counts. An entity without history is written with the next batch,
    /// whatever the checkpoint.
    ///
    /// # Errors
    /// When the entity cannot be encoded, the checkpoint is processed already or
    /// below an earlier change's, or an earlier write failed; nothing is changed.
    pub fn set<E: Entity>(&mut self, checkpoint: u64, entity: &E) -> Result<()> {
        let stored = Stored::of(entity)?;
        self.change::<E>(checkpoint, entity.id(), Some(stored))
    }

    /// Deletes an entity as of `checkpoint`, whether or not there is one.
    ///
    /// # Errors
    /// As [`EntityStore::set`].
    pub fn delete<E: Entity>(&mut self, checkpoint: u64, id: &str) -> Result<()> {
        self.change::<E>(checkpoint, id, None)
    }

    fn change<E: Entity>(&mut self, checkpoint: u64, id: &str, value: Value) -> Result<()> {
        let committed = self.pipeline.check()?.committed;
        let table = self.table::<E>()?;
        let lowest = self.lowest_checkpoint().max(self.current);
        let checkpoint = if E::HISTORY.is_none() {
            self.processed + 1
        } else if checkpoint < lowest {
            return Err(Error::State {
                action: "change an entity",
                reason: format!("checkpoint {checkpoint} is below {lowest}, the lowest possible"),
            });
        } else {
            self.current = checkpoint;
            checkpoint
        };
        let change = Change { checkpoint, value };
        let cache = &mut self.caches[table];
        cache.set(&id.into(), change, committed);
        Ok(())
    }

    /// The lowest number that the next batch's checkpoints can have.
    #[must_use]
    pub fn lowest_checkpoint(&self) -> u64 {
        let undone = self.rollback.map(|rollback| rollback.checkpoint);
        undone.unwrap_or(self.processed) + 1
    }

    /// Makes room: call it where a batch starts. Above the capacity it drops what
    /// was written, then what was only read, and then waits for commits while
    /// batches are being written.
    ///
    /// # Errors
    /// When an earlier write failed, or one fails while waiting.
    pub fn begin_batch(&mut self) -> Result<()> {
        let mut frontiers = self.pipeline.check()?;
        loop {
            for cache in &mut self.caches {
                cache.settle(frontiers.committed);
            }
            if self.make_room(frontiers.committed) {
                return Ok(());
            }
            let committed = frontiers.committed;
            frontiers = self.pipeline.wait_for_commit(committed)?;
            if frontiers.committed == committed {
                return Ok(());
            }
        }
    }

    /// Whether there is room, after dropping what may be dropped.
    fn make_room(&mut self, committed: u64) -> bool {
        if self.has_room() {
            return true;
        }
        for cache in &mut self.caches {
            cache.evict_written(committed);
        }
        if self.has_room() {
            return true;
        }
        for cache in &mut self.caches {
            cache.evict_loaded();
        }
        self.has_room()
    }

    fn has_room(&self) -> bool {
        self.resident() <= self.options.capacity
    }

    /// Hands over what was set, up to the last of `checkpoints`, and returns at
    /// once. A batch that only carries a rollback may have none. What was set
    /// above the last one stays for the next batch.
    ///
    /// # Errors
    /// When the checkpoints are not above all processed ones and growing, there is
    /// none, or an earlier write failed; nothing is handed over.
    pub fn commit_batch(&mut self, checkpoints: Vec<Checkpoint>, history: History) -> Result<()> {
        self.pipeline.check()?;
        let upto = self.check_checkpoints(&checkpoints)?;
        let caches = self.caches.iter();
        let changes = caches.map(|cache| cache.snapshot(self.processed, upto));
        self.pipeline.push(Work::Batch(Processed {
            upto,
            history,
            rollback: self.rollback,
            checkpoints,
            changes: changes.collect(),
        }))?;
        self.rollback = None;
        self.processed = upto;
        self.current = self.current.max(upto);
        Ok(())
    }

    fn check_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<u64> {
        let refused = |reason: String| Error::State {
            action: "commit a batch",
            reason,
        };
        let mut lowest = self.lowest_checkpoint();
        for checkpoint in checkpoints {
            if checkpoint.number < lowest {
                let number = checkpoint.number;
                return Err(refused(format!(
                    "checkpoint {number} is below {lowest}, the lowest possible"
                )));
            }
            lowest = checkpoint.number.checked_add(1).ok_or_else(|| {
                refused(format!("no checkpoint could follow {}", checkpoint.number))
            })?;
        }
        match (checkpoints.last(), self.rollback) {
            (Some(last), _) => Ok(last.number),
            (None, Some(rollback)) => Ok(rollback.checkpoint),
            (None, None) => Err(refused("it covers no checkpoint".to_owned())),
        }
    }

    /// Waits until every batch handed over is committed.
    ///
    /// # Errors
    /// When a write failed.
    pub fn flush(&self) -> Result<Frontiers> {
        self.pipeline.flush()
    }

    /// Number of committed rows of `E`, counted in storage.
    ///
    /// # Errors
    /// When storage cannot be read, or an earlier write failed.
    pub fn count<E: Entity>(&self) -> Result<u64> {
        self.pipeline.check()?;
        self.read(|engine| engine.count(E::ROWS))
    }

    /// The committed checkpoint of this number.
    ///
    /// # Errors
    /// When storage cannot be read, or an earlier write failed.
    pub fn checkpoint(&self, number: u64) -> Result<Option<Checkpoint>> {
        self.pipeline.check()?;
        let key = crate::keys::KeyBuilder::new().u64(number).finish();
        self.read(|engine| Table::new().get(engine, &key))
    }

    /// Writes what was handed over, stops the thread, and syncs and closes the
    /// engine. What was set since the last batch is dropped: it is above the
    /// frontier that a restart continues from. Can be repeated when it fails.
    ///
    /// # Errors
    /// When a write failed, or the engine cannot be closed.
    pub fn close(&mut self) -> Result<Frontiers> {
        let frontiers = self.pipeline.flush()?;
        self.pipeline.stop();
        if let Some(reader) = &mut self.reader {
            reader.close()?;
        }
        self.engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close()?;
        Ok(frontiers)
    }
}
