//! The artifact index: what a compiler cache knows about each artifact, by the
//! digest of its inputs.
//!
//! Every row is in memory and read from there. On disk is a snapshot with deltas
//! ([`SnapshotEngine`]), written every 5 seconds or 2,048 changes
//! ([`Policy::artifact_index`]). A row that is lost is a later cache miss.

mod record;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

pub use record::{ARTIFACTS, ArtifactIndex, ArtifactKey, ArtifactRow};

use crate::durability::Ack;
use crate::engine::snapshot::{Quarantine, SnapshotEngine};
use crate::engine::{Engine, Range};
use crate::error::{Error, Result};
use crate::table::Record;
use crate::writer::{CloseReport, OnError, Policy, Producer, Stage, Writer};

/// What a recovery must not bring back.
#[derive(Debug, Default)]
struct Gone {
    /// Whether anybody asks, so that the keys need to be kept.
    is_tracked: bool,
    keys: HashSet<ArtifactKey>,
    is_all: bool,
}

/// The index with its writer. Share it between producers by reference or `Arc`.
///
/// A change is visible to [`ArtifactStore::get`] when its call returns, and on
/// disk at the writer's next commit. All changes go through one queue, in the
/// order in which they became visible, so that what is on disk is always the
/// memory of some earlier moment.
#[derive(Debug)]
pub struct ArtifactStore {
    rows: RwLock<HashMap<ArtifactKey, ArtifactIndex>>,
    /// Held while a change is queued and made visible, which makes them one step.
    changing: Mutex<Gone>,
    writer: Writer,
}

impl ArtifactStore {
    /// Opens (or creates) the index whose snapshot is the file `path`.
    ///
    /// # Errors
    /// As [`SnapshotEngine::open`]; when a row is of an unknown version.
    pub fn open(path: &Path) -> Result<Self> {
        let engine = SnapshotEngine::open(path)?;
        Self::over(Box::new(engine), Policy::artifact_index())
    }

    /// Opens the index; a damaged one is set aside and an empty one opened in its
    /// place, to be filled from the surviving payloads ([`ArtifactStore::recover`]).
    ///
    /// # Errors
    /// As [`SnapshotEngine::open_or_quarantine`].
    pub fn open_or_quarantine(path: &Path) -> Result<(Self, Option<Quarantine>)> {
        let (engine, quarantine) = SnapshotEngine::open_or_quarantine(path)?;
        let store = Self::over(Box::new(engine), Policy::artifact_index())?;
        Ok((store, quarantine))
    }

    /// The index over any engine, and any policy that keeps the changes whose
    /// commit failed: what is in memory is to reach the disk.
    ///
    /// # Errors
    /// When the policy does not, a row cannot be read, or the system gives no thread.
    pub fn over(engine: Box<dyn Engine>, policy: Policy) -> Result<Self> {
        if !matches!(policy.on_error, OnError::Retry { keep: true, .. }) {
            return Err(Error::State {
                action: "open the artifact index",
                reason: "its policy would lose a batch whose commit failed".to_owned(),
            });
        }
        let mut rows = HashMap::new();
        for (key, value) in engine.scan(ARTIFACTS, &Range::all(), usize::MAX >> 1)? {
            let row = ArtifactRow::decode(&key, &value)?;
            rows.insert(row.key, row.index);
        }
        Ok(Self {
            rows: RwLock::new(rows),
            changing: Mutex::default(),
            writer: Writer::spawn(engine, policy)?,
        })
    }

    fn changing(&self) -> MutexGuard<'_, Gone> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_rows<T>(
        &self,
        change: impl FnOnce(&mut HashMap<ArtifactKey, ArtifactIndex>) -> T,
    ) -> T {
        change(&mut self.rows.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known about the artifact. Never waits for the disk.
    #[must_use]
    pub fn get(&self, key: &ArtifactKey) -> Option<ArtifactIndex> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(key).cloned()
    }

    /// Number of artifacts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Inserts or replaces an artifact, whose payload files must be stored already.
    ///
    /// # Errors
    /// When it cannot be encoded, or as [`Writer::submit`]; nothing has changed then.
    pub fn insert(&self, key: ArtifactKey, index: ArtifactIndex) -> Result<()> {
        let _changing = self.changing();
        self.put(key, index)
    }

    /// Queues the row and makes it visible; `changing` is held.
    fn put(&self, key: ArtifactKey, index: ArtifactIndex) -> Result<()> {
        let row = ArtifactRow {
            key,
            index: index.clone(),
        };
        // Resolved already, with an error when the row cannot be encoded.
        self.writer.put(row, Ack::Enqueued)?.wait()?;
        self.with_rows(|rows| rows.insert(key, index));
        Ok(())
    }

    /// Sets when the artifact was last used; false when there is none.
    ///
    /// # Errors
    /// As [`ArtifactStore::insert`].
    pub fn touch(&self, key: &ArtifactKey, at_secs: u64) -> Result<bool> {
        let _changing = self.changing();
        let Some(mut index) = self.get(key) else {
            return Ok(false);
        };
        index.stored_at_secs = at_secs;
        self.put(*key, index)?;
        Ok(true)
    }

    /// Removes the artifact; false when there is none.
    ///
    /// # Errors
    /// As [`Writer::submit`]; nothing has changed then.
    pub fn remove(&self, key: &ArtifactKey) -> Result<bool> {
        let mut gone = self.changing();
        let is_known = self.get(key).is_some();
        if is_known {
            let bytes = key.as_bytes().to_vec();
            let ticket = self.writer.delete::<ArtifactRow>(bytes, Ack::Enqueued)?;
            ticket.wait()?;
            self.with_rows(|rows| rows.remove(key));
        }
        if gone.is_tracked {
            gone.keys.insert(*key);
        }
        Ok(is_known)
    }

    /// Removes every artifact. Waits for a write under way.
    ///
    /// # Errors
    /// When their keys are more bytes than the queue holds, or as
    /// [`Writer::submit`]; nothing has changed then.
    pub fn clear(&self) -> Result<()> {
        let mut gone = self.changing();
        let change = |stage: &mut Stage<'_>| stage.clear::<ArtifactRow>(&[]);
        // Staged here and now: enqueued, nobody would hear that it could not be.
        let ticket = self.writer.submit_with(Box::new(change), Ack::Applied)?;
        ticket.wait()?;
        gone.is_all = gone.is_tracked;
        self.with_rows(HashMap::clear);
        Ok(())
    }

    /// Writes everything changed before this call, and waits until it survives
    /// power loss.
    ///
    /// # Errors
    /// When that failed; the changes are kept and tried again.
    pub fn flush(&self) -> Result<()> {
        self.writer.barrier(Ack::Synced)
    }

    /// Starts a recovery: rows found elsewhere, such as beside the artifacts' own
    /// files, that are inserted where the index has none. From here until it is
    /// dropped the keys that others remove are remembered, so that a row read
    /// before its removal is not brought back after it.
    ///
    /// # Errors
    /// When one is under way.
    pub fn recover(&self) -> Result<Recovery<'_>> {
        let mut gone = self.changing();
        if std::mem::replace(&mut gone.is_tracked, true) {
            return Err(Error::State {
                action: "start a recovery",
                reason: "one is under way".to_owned(),
            });
        }
        Ok(Recovery { store: self })
    }

    /// Registers a producer, for which [`ArtifactStore::close`] waits: a task that
    /// will insert once its files are stored.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn producer(&self) -> Result<Producer> {
        self.writer.producer()
    }

    /// The writer, for its frontier.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Waits for the producers, writes what is queued, and reports. What is in
    /// memory can still be read. After an error it can be called again.
    ///
    /// # Errors
    /// As [`Writer::close`], among them a deadline that passed.
    pub fn close(&self) -> Result<CloseReport> {
        self.writer.close()
    }
}

/// A recovery under way.
#[derive(Debug)]
pub struct Recovery<'a> {
    store: &'a ArtifactStore,
}

impl Recovery<'_> {
    /// Inserts the row unless the index has one under its key, or has lost it to
    /// a removal since the recovery began; says whether it did.
    ///
    /// # Errors
    /// As [`ArtifactStore::insert`].
    pub fn insert_absent(&self, key: ArtifactKey, index: ArtifactIndex) -> Result<bool> {
        let gone = self.store.changing();
        if gone.is_all || gone.keys.contains(&key) || self.store.get(&key).is_some() {
            return Ok(false);
        }
        self.store.put(key, index)?;
        Ok(true)
    }

    /// [`Recovery::insert_absent`] for each row; returns how many were inserted.
    ///
    /// # Errors
    /// As [`Recovery::insert_absent`]; the rows before the refused one are inserted.
    pub fn insert_all(
        &self,
        rows: impl IntoIterator<Item = (ArtifactKey, ArtifactIndex)>,
    ) -> Result<usize> {
        let mut inserted = 0;
        for (key, index) in rows {
            inserted += usize::from(self.insert_absent(key, index)?);
        }
        Ok(inserted)
    }
}

impl Drop for Recovery<'_> {
    fn drop(&mut self) {
        *self.store.changing() = Gone::default();
    }
}
