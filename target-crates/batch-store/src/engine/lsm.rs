//! The log-structured merge tree: [fjall](https://docs.rs/fjall) 3, behind the
//! cargo feature `lsm`.
//!
//! One keyspace holds every family, each key behind its family's name and a `00`:
//! fjall's bulk ingestion is atomic within one keyspace only, and a record's row
//! and its index entries must be loaded together.
//!
//! fjall's own recovery takes the first damaged entry of its journal for the end
//! of the journal, so this engine cannot promise that a flipped bit is detected.

use std::collections::HashMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::bulk::{BulkLoad, SortedRun};
use crate::disk::{Disk, RealDisk};
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::keys::prefix_end;
use crate::table::Family;

const KEYSPACE: &str = "rows";
/// Longest key with its family's name: fjall stores the length in 16 bits.
pub const MAX_KEY_BYTES: usize = 65_535;
/// Where [`Engine::checkpoint`] puts the copy.
pub const CHECKPOINT_DIR: &str = "store.lsm";
/// A row of no family, since a family's name has at least one letter.
const FLUSH_MARKER: &[u8] = b"\0flush";

/// An engine over one directory of fjall's.
pub struct LsmEngine {
    /// `None` once closed.
    open: Option<Open>,
    path: PathBuf,
    seq: u64,
}

struct Open {
    /// Dropped before the database, which waits for its threads.
    rows: Keyspace,
    database: Database,
    /// Whether a commit since the last flush is in the journal alone.
    is_unflushed: bool,
}

impl std::fmt::Debug for LsmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LsmEngine")
            .field("path", &self.path)
            .field("is_open", &self.open.is_some())
            .finish_non_exhaustive()
    }
}

fn prefix(family: Family) -> Vec<u8> {
    let mut prefix = family.name().as_bytes().to_vec();
    prefix.push(0);
    prefix
}

fn full_key(family: Family, key: &[u8]) -> Result<Vec<u8>> {
    let mut full = prefix(family);
    full.extend_from_slice(key);
    if full.len() <= MAX_KEY_BYTES {
        return Ok(full);
    }
    let reason = format!(
        "its key of {} bytes is longer than {MAX_KEY_BYTES} with the family's name",
        key.len()
    );
    Err(Error::Encode {
        record: format!("a row of {}", family.name()),
        reason,
    })
}

fn check_value(family: Family, value: &[u8]) -> Result<()> {
    if u32::try_from(value.len()).is_ok() {
        return Ok(());
    }
    Err(Error::Encode {
        record: format!("a row of {}", family.name()),
        reason: "its value is longer than 4 GiB".to_owned(),
    })
}

fn indeterminate(ops: usize, action: &'static str) -> impl FnOnce(fjall::Error) -> Error {
    move |error| Error::Indeterminate {
        ops,
        source: Box::new(Error::lsm(action)(error)),
    }
}

type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Bounds of the whole keys that a scan covers; `None` when it covers none.
fn bounds(family: Family, range: &Range) -> Option<KeyBounds> {
    let prefix = prefix(family);
    let whole = |key: &[u8]| [prefix.as_slice(), key].concat();
    let start = match &range.after {
        Some(after) if *after >= range.start => Bound::Excluded(whole(after)),
        _ => Bound::Included(whole(&range.start)),
    };
    let end = match &range.end {
        Some(end) => whole(end),
        None => prefix_end(&prefix)?,
    };
    let (Bound::Included(first) | Bound::Excluded(first)) = &start else {
        return None;
    };
    (*first < end).then_some((start, Bound::Excluded(end)))
}

impl Open {
    /// Loads rows (`None` deletes) in ascending order of their whole keys as one step,
    /// after flushing the rows in memory, on which every ingestion of fjall's begins.
    fn ingest(
        &mut self,
        rows: impl Iterator<Item = Result<(Vec<u8>, Option<Vec<u8>>)>>,
    ) -> Result<()> {
        let mut ingestion = self
            .rows
            .start_ingestion()
            .map_err(Error::lsm("start a bulk load"))?;
        let mut len = 0;
        for row in rows {
            let (key, value) = row?;
            match value {
                Some(value) => ingestion.write(key, value),
                None => ingestion.write_tombstone(key),
            }
            .map_err(Error::lsm("load a row"))?;
            len += 1;
        }
        ingestion
            .finish()
            .map_err(indeterminate(len, "finish a bulk load"))?;
        self.is_unflushed = false;
        Ok(())
    }

    /// Moves the rows in memory into tables, so that opening need not replay them.
    fn flush(&mut self) -> Result<()> {
        if !self.is_unflushed {
            return Ok(());
        }
        self.ingest(std::iter::once(Ok((
            FLUSH_MARKER.to_vec(),
            Some(Vec::new()),
        ))))
    }
}

impl LsmEngine {
    /// Opens the directory, creating it where missing.
    ///
    /// # Errors
    /// When another process has it open, or it is not fjall's or of another version.
    pub fn open(dir: &Path) -> Result<Self> {
        let is_new = !dir.exists();
        let database = Database::builder(dir)
            .open()
            .map_err(Error::lsm("open the tree"))?;
        let rows = database
            .keyspace(KEYSPACE, KeyspaceCreateOptions::default)
            .map_err(Error::lsm("open the tree's keyspace"))?;
        if is_new && let Some(parent) = dir.parent() {
            RealDisk.sync_dir(parent)?;
        }
        Ok(Self {
            open: Some(Open {
                rows,
                database,
                // The journal may hold rows from before.
                is_unflushed: !is_new,
            }),
            path: dir.to_owned(),
            seq: 0,
        })
    }

    fn get_open(&self) -> Result<&Open> {
        self.open.as_ref().ok_or_else(|| self.closed())
    }

    fn get_open_mut(&mut self) -> Result<&mut Open> {
        let closed = self.closed();
        self.open.as_mut().ok_or(closed)
    }

    fn closed(&self) -> Error {
        Error::State {
            action: "use the tree",
            reason: format!("{} is closed", self.path.display()),
        }
    }

    fn next_seq(&mut self) -> Seq {
        self.seq += 1;
        Seq(self.seq)
    }
}

impl Engine for LsmEngine {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        let open = self.get_open_mut()?;
        // Every change of a fjall batch has one number, so that of two changes of
        // one key neither is the later.
        let mut last = HashMap::with_capacity(batch.len());
        for op in batch.ops() {
            check_value(op.family, op.value.as_deref().unwrap_or_default())?;
            last.insert(full_key(op.family, &op.key)?, op.value.as_deref());
        }
        let mode = match durability {
            Durability::Checkpoint => PersistMode::Buffer,
            Durability::EachCommit => PersistMode::SyncData,
        };
        let mut changes = open.database.batch().durability(Some(mode));
        for (key, value) in last {
            match value {
                Some(value) => changes.insert(&open.rows, key, value),
                None => changes.remove(&open.rows, key),
            }
        }
        if !changes.is_empty() {
            open.is_unflushed = true;
            changes
                .commit()
                .map_err(indeterminate(batch.len(), "commit a batch"))?;
        } else if durability == Durability::EachCommit {
            // An empty batch writes nothing, and so syncs nothing that came before it.
            self.sync()?;
        }
        Ok(self.next_seq())
    }

    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> Result<Seq> {
        if load.is_empty() {
            return self.commit(&WriteBatch::new(), durability);
        }
        let mut runs: Vec<&SortedRun> = load.runs().iter().collect();
        runs.sort_by_key(|run| prefix(run.family()));
        let rows = runs.into_iter().flat_map(|run| {
            run.rows().map(|(key, value)| {
                check_value(run.family(), value.unwrap_or_default())?;
                Ok((full_key(run.family(), key)?, value.map(<[u8]>::to_vec)))
            })
        });
        // The tables of an ingestion, and the rows before it, are synced always.
        self.get_open_mut()?.ingest(rows)?;
        Ok(self.next_seq())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let open = self.get_open()?;
        // A key that cannot be stored is not there.
        let Ok(key) = full_key(family, key) else {
            return Ok(None);
        };
        let value = open.rows.get(key).map_err(Error::lsm("read a row"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        let open = self.get_open()?;
        let Some(bounds) = bounds(family, range) else {
            return Ok(Vec::new());
        };
        let skip = prefix(family).len();
        let rows = open.rows.range(bounds).take(limit).map(|row| {
            let (key, value) = row.into_inner().map_err(Error::lsm("scan the tree"))?;
            Ok((key[skip..].to_vec(), value.to_vec()))
        });
        rows.collect()
    }

    fn count(&self, family: Family) -> Result<u64> {
        let rows = self.get_open()?.rows.prefix(prefix(family));
        rows.map(|row| row.key().map(|_| 1).map_err(Error::lsm("count rows")))
            .sum()
    }

    fn sync(&mut self) -> Result<()> {
        self.get_open()?
            .database
            .persist(PersistMode::SyncAll)
            .map_err(Error::lsm("sync the journal"))
    }

    /// fjall has no checkpoint, and its threads move files at any time, so the
    /// copy is a tree of its own in the directory [`CHECKPOINT_DIR`], loaded from
    /// one consistent snapshot.
    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.sync()?;
        let open = self.get_open()?;
        let target = dir.join(CHECKPOINT_DIR);
        // What an earlier try left would show through.
        if target.exists() {
            std::fs::remove_dir_all(&target).map_err(Error::io("remove", &target))?;
        }
        let mut copy = Self::open(&target)?;
        let rows = open.rows.iter().map(|row| {
            let (key, value) = row.into_inner().map_err(Error::lsm("scan the tree"))?;
            Ok((key.to_vec(), Some(value.to_vec())))
        });
        copy.get_open_mut()?.ingest(rows)?;
        copy.close()?;
        let mut names = Vec::new();
        list_files(&target, &format!("{CHECKPOINT_DIR}/"), &mut names)?;
        names.sort();
        Ok(names)
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.flush()?;
        self.sync()?;
        self.open = None;
        Ok(())
    }
}

/// The files under `dir`, as paths from there with `/` between the parts.
fn list_files(dir: &Path, prefix: &str, names: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            list_files(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}
