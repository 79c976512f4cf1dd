//! The snapshot engine: the whole map in memory; on disk one snapshot of it and
//! the deltas committed since.
//!
//! Every file is written under another name, synced, renamed and its directory
//! synced, so that none is ever torn and every bit of each is checked at opening.
//! A commit writes a delta, or a whole snapshot once the deltas have outgrown the
//! last one ([`tuning::SNAPSHOT_DELTA_PERCENT`]). For maps that fit in memory and
//! are written in batches, every few seconds rather than every few microseconds.

mod files;
mod format;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use files::Quarantine;
use files::{Files, Lock};
use format::{Change, Id};

use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::disk::{RealDisk, SharedDisk};
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::Family;
use crate::tuning;

/// Name of the file that [`Engine::checkpoint`] writes.
pub const CHECKPOINT_NAME: &str = "store.snap";

type Map = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;
/// The last change of each row of a batch.
type Changes<'a> = BTreeMap<&'a str, BTreeMap<&'a [u8], Option<&'a [u8]>>>;

/// What an engine has written since it was opened.
#[derive(Debug, Default)]
pub struct SnapshotCounts {
    /// Whole snapshots put in place.
    pub wholes: AtomicU64,
    /// Deltas put in place.
    pub deltas: AtomicU64,
    /// Bytes of both.
    pub bytes: AtomicU64,
}

/// An engine over one snapshot file and its deltas. Every commit is synced,
/// whatever durability it asks for.
pub struct SnapshotEngine {
    files: Files,
    /// Held while open.
    lock: Option<Lock>,
    rows: Map,
    /// The newest file in place; generation 0 is none.
    newest: Id,
    whole_bytes: u64,
    delta_bytes: u64,
    /// Whether the directory may not hold what `rows` does after power loss, so
    /// that only a whole snapshot makes it sure.
    is_dirty: bool,
    seq: u64,
    counts: Arc<SnapshotCounts>,
}

impl std::fmt::Debug for SnapshotEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotEngine")
            .field("path", &self.files.path())
            .field("newest", &self.newest)
            .field("is_dirty", &self.is_dirty)
            .finish_non_exhaustive()
    }
}

fn last_changes(batch: &WriteBatch) -> Changes<'_> {
    let mut changes = Changes::new();
    for op in batch.ops() {
        let rows = changes.entry(op.family.name()).or_default();
        rows.insert(&op.key, op.value.as_deref());
    }
    changes
}

fn apply<'a>(rows: &mut Map, (family, key, value): Change<'a>) {
    let Some(value) = value else {
        if let Some(rows) = rows.get_mut(family) {
            rows.remove(key);
        }
        return;
    };
    if !rows.contains_key(family) {
        rows.insert(family.to_owned(), BTreeMap::new());
    }
    if let Some(rows) = rows.get_mut(family) {
        rows.insert(key.to_vec(), value.to_vec());
    }
}

fn flat<'a>(changes: &'a Changes<'a>) -> impl Iterator<Item = Change<'a>> {
    changes
        .iter()
        .flat_map(|(family, rows)| rows.iter().map(|(key, value)| (*family, *key, *value)))
}

/// The rows as `changes` would leave them, in no particular order.
fn merged<'a>(rows: &'a Map, changes: &'a Changes<'a>) -> impl Iterator<Item = Change<'a>> {
    let kept = rows.iter().flat_map(|(family, rows)| {
        let changed = changes.get(family.as_str());
        rows.iter()
            .filter(move |(key, _)| changed.is_none_or(|rows| !rows.contains_key(key.as_slice())))
            .map(|(key, value)| (family.as_str(), key.as_slice(), Some(value.as_slice())))
    });
    kept.chain(flat(changes).filter(|(_, _, value)| value.is_some()))
}

impl SnapshotEngine {
    /// Opens the store whose whole snapshot is the file `path`; where there is
    /// none, an empty one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when any of its files is not as it was written or is
    /// missing, [`Error::UnknownVersion`] when one is of another version, both with
    /// every file left as it was; when another engine has the store open.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_on(path, Arc::new(RealDisk))
    }

    /// [`SnapshotEngine::open`] with file operations of the caller's.
    ///
    /// # Errors
    /// As [`SnapshotEngine::open`].
    pub fn open_on(path: &Path, disk: SharedDisk) -> Result<Self> {
        let files = Files::new(path, disk);
        let lock = files.lock()?;
        Ok(Self::load(files)?.locked(lock))
    }

    /// Opens the store; a damaged one is moved into a directory
    /// `PATH.damaged-N` beside it, and an empty one opened in its place. For a
    /// cache, which can be filled again.
    ///
    /// # Errors
    /// As [`SnapshotEngine::open`], but for damage; when the damaged files cannot
    /// be moved.
    pub fn open_or_quarantine(path: &Path) -> Result<(Self, Option<Quarantine>)> {
        Self::open_or_quarantine_on(path, Arc::new(RealDisk))
    }

    /// [`SnapshotEngine::open_or_quarantine`] with file operations of the caller's.
    ///
    /// # Errors
    /// As [`SnapshotEngine::open_or_quarantine`].
    pub fn open_or_quarantine_on(
        path: &Path,
        disk: SharedDisk,
    ) -> Result<(Self, Option<Quarantine>)> {
        let files = Files::new(path, disk);
        let lock = files.lock()?;
        match Self::load(files.clone()) {
            Err(damage @ Error::Corrupt { .. }) => {
                let dir = files.set_aside()?;
                let engine = Self::load(files)?.locked(lock);
                Ok((engine, Some(Quarantine { dir, damage })))
            }
            loaded => Ok((loaded?.locked(lock), None)),
        }
    }

    fn locked(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    fn load(files: Files) -> Result<Self> {
        let mut engine = Self {
            files,
            lock: None,
            rows: Map::new(),
            newest: Id::default(),
            whole_bytes: 0,
            delta_bytes: 0,
            is_dirty: false,
            seq: 0,
            counts: Arc::default(),
        };
        let path = engine.files.path().to_owned();
        if path.try_exists().map_err(Error::io("look for", &path))? {
            engine.whole_bytes = engine.load_file(&path, None)?;
        }
        let (stale, deltas): (Vec<Id>, Vec<Id>) = engine
            .files
            .deltas()?
            .into_iter()
            .partition(|id| id.generation < engine.newest.generation);
        for id in deltas {
            let next = Id {
                number: engine.newest.number + 1,
                ..engine.newest
            };
            // One of a later generation, too: its whole snapshot is missing.
            if id != next {
                return Err(Error::Corrupt {
                    path: engine.files.name(id),
                    reason: "the file before it is missing".to_owned(),
                });
            }
            engine.delta_bytes += engine.load_file(&engine.files.name(id), Some(id))?;
        }
        engine.files.discard_temporary();
        stale.into_iter().for_each(|id| engine.files.discard(id));
        Ok(engine)
    }

    /// Applies one file, a delta when its id is given, and returns its size.
    fn load_file(&mut self, path: &Path, expected: Option<Id>) -> Result<u64> {
        let bytes = self.files.read(path)?;
        let (id, payload) = format::check(path, &bytes)?;
        let is_expected = match expected {
            Some(expected) => id == expected,
            None => id.number == 0 && id.generation > 0,
        };
        if !is_expected {
            return Err(Error::Corrupt {
                path: path.to_owned(),
                reason: format!(
                    "it is number {} of generation {}, under another's name",
                    id.number, id.generation
                ),
            });
        }
        format::decode(path, payload, |change| apply(&mut self.rows, change))?;
        self.newest = id;
        Ok(bytes.len() as u64)
    }

    /// What is written from here on; still counted when the engine is elsewhere.
    #[must_use]
    pub fn counts(&self) -> Arc<SnapshotCounts> {
        Arc::clone(&self.counts)
    }

    fn check_open(&self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        Err(Error::State {
            action: "use the snapshot",
            reason: format!("{} is closed", self.files.path().display()),
        })
    }

    /// The next delta, unless a whole snapshot is due.
    fn delta(&self, changes: &Changes<'_>) -> Option<(Id, Vec<u8>)> {
        let id = Id {
            number: self.newest.number + 1,
            ..self.newest
        };
        if self.is_dirty || id.generation == 0 || id.number > tuning::SNAPSHOT_MAX_DELTAS {
            return None;
        }
        let bytes = format::encode(id, flat(changes));
        let total = self.delta_bytes + bytes.len() as u64;
        (total <= self.whole_bytes * tuning::SNAPSHOT_DELTA_PERCENT / 100).then_some((id, bytes))
    }

    fn whole(&self, changes: &Changes<'_>) -> (Id, Vec<u8>) {
        let id = Id {
            generation: self.newest.generation + 1,
            number: 0,
        };
        (id, format::encode(id, merged(&self.rows, changes)))
    }

    /// Writes the changes, in memory once their file is in place.
    ///
    /// # Errors
    /// With [`Engine::commit`]'s meaning.
    fn save(&mut self, changes: &Changes<'_>) -> Result<()> {
        let unclear = |error| Error::Indeterminate {
            ops: changes.values().map(BTreeMap::len).sum(),
            source: Box::new(error),
        };
        let (id, bytes) = self.delta(changes).unwrap_or_else(|| self.whole(changes));
        self.files.write(&bytes)?;
        // A rename that fails may have happened. Until the next whole snapshot only
        // a restart would tell.
        self.is_dirty = true;
        self.files.place(id).map_err(unclear)?;
        flat(changes).for_each(|change| apply(&mut self.rows, change));
        let before = std::mem::replace(&mut self.newest, id);
        let len = bytes.len() as u64;
        self.counts.bytes.fetch_add(len, Ordering::Relaxed);
        if id.number == 0 {
            (self.whole_bytes, self.delta_bytes) = (len, 0);
            self.counts.wholes.fetch_add(1, Ordering::Relaxed);
        } else {
            self.delta_bytes += len;
            self.counts.deltas.fetch_add(1, Ordering::Relaxed);
        }
        self.files.sync_dir().map_err(unclear)?;
        self.is_dirty = false;
        if id.number == 0 {
            let old = (1..=before.number).map(|number| Id { number, ..before });
            old.for_each(|id| self.files.discard(id));
        }
        Ok(())
    }
}

impl Engine for SnapshotEngine {
    fn commit(&mut self, batch: &WriteBatch, _durability: Durability) -> Result<Seq> {
        self.check_open()?;
        let changes = last_changes(batch);
        if self.is_dirty || !changes.is_empty() {
            self.save(&changes)?;
        }
        self.seq += 1;
        Ok(Seq(self.seq))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.check_open()?;
        let rows = self.rows.get(family.name());
        Ok(rows.and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.check_open()?;
        let Some(rows) = self.rows.get(family.name()) else {
            return Ok(Vec::new());
        };
        let start = range
            .after
            .as_ref()
            .map_or(&range.start, |after| after.max(&range.start));
        let rows = rows
            .range::<Vec<u8>, _>(start..)
            .take_while(|(key, _)| range.end.as_ref().is_none_or(|end| *key < end))
            .filter(|(key, _)| range.after.as_ref() != Some(*key));
        Ok(rows
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.check_open()?;
        Ok(self.rows.get(family.name()).map_or(0, BTreeMap::len) as u64)
    }

    /// Every commit is synced already, unless the directory's sync failed: then
    /// the whole map is written again, and only that makes it sure.
    fn sync(&mut self) -> Result<()> {
        self.check_open()?;
        if self.is_dirty {
            self.save(&Changes::new())?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.sync()?;
        let copy = Files::new(&dir.join(CHECKPOINT_NAME), self.files.disk());
        // Deltas of a store that was here before would be taken for the copy's.
        copy.deltas()?
            .into_iter()
            .try_for_each(|id| copy.remove(id))?;
        let id = Id {
            generation: 1,
            number: 0,
        };
        copy.write(&format::encode(id, merged(&self.rows, &Changes::new())))?;
        copy.place(id)?;
        copy.sync_dir()?;
        Ok(vec![CHECKPOINT_NAME.to_owned()])
    }

    fn close(&mut self) -> Result<()> {
        if self.lock.is_some() {
            self.sync()?;
            self.lock = None;
        }
        Ok(())
    }
}
