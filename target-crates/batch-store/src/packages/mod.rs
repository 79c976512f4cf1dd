//! The package index: which files a package consists of, by integrity and id.
//!
//! A cache: a lost row is a later miss, so writes are acknowledged when queued
//! and synced at checkpoints ([`Policy::package_index`]).
//!
//! It lies in a directory, by default in the segment engine, which appends a batch
//! to its log where a database would change pages. One process at a time can then
//! write; with [`EngineKind::Sqlite`] several take turns.

mod records;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub use records::{
    FileInfo, PACKAGE_INDEX, PackageFiles, PackageRow, SideEffects, git_key, integrity_key,
};

use crate::durability::Ack;
use crate::engine::{Engine, EngineKind, Range};
use crate::error::{Error, Result};
use crate::table::{Record, Table};
use crate::writer::{CloseReport, Policy, Ticket, View, Writer};

/// The rows found under several keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Those that there are, by key.
    pub rows: BTreeMap<String, PackageFiles>,
    /// How many more there are whose bytes are no package's. They count as
    /// missing: writing them anew mends them.
    pub undecodable: usize,
}

impl Found {
    /// Decodes what [`PackageIndex::get_many_raw`] returned.
    #[must_use]
    pub fn decode(raw: Vec<(String, Vec<u8>)>) -> Self {
        let mut found = Self::default();
        for (key, value) in raw {
            match PackageRow::decode(key.as_bytes(), &value) {
                Ok(row) => drop(found.rows.insert(key, row.files)),
                Err(_) => found.undecodable += 1,
            }
        }
        found
    }
}

/// The index with its writer. Share it between producers by reference or `Arc`.
///
/// The functions that take a reader read committed rows from an engine of the
/// caller's, and with everything submitted on top from the view that
/// [`PackageIndex::read`] lends.
#[derive(Debug)]
pub struct PackageIndex {
    writer: Writer,
}

impl PackageIndex {
    /// Opens the index in the directory `dir`, or creates one on the default engine.
    ///
    /// # Errors
    /// When the store or the thread cannot be had.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with(dir, EngineKind::default())
    }

    /// As [`PackageIndex::open`], with the engine of a new index.
    ///
    /// # Errors
    /// As [`PackageIndex::open`].
    pub fn open_with(dir: &Path, new: EngineKind) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let kind = EngineKind::of(dir)?.unwrap_or(new);
        Self::over(kind.open(dir, &[PACKAGE_INDEX])?, Policy::package_index())
    }

    /// The index over any engine and policy.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn over(engine: Box<dyn Engine>, policy: Policy) -> Result<Self> {
        Ok(Self {
            writer: Writer::spawn(engine, policy)?,
        })
    }

    /// Queues one row. It is encoded before this call returns, outside any lock.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub fn set(&self, row: PackageRow, level: Ack) -> Result<Ticket> {
        self.writer.put(row, level)
    }

    /// Queues many rows, each with a ticket of its own, in order: a row that
    /// cannot be encoded costs that row only, and the last of equal keys wins.
    ///
    /// # Errors
    /// As [`Writer::put`]; the rows before the refused one are queued.
    pub fn set_many(
        &self,
        rows: impl IntoIterator<Item = PackageRow>,
        level: Ack,
    ) -> Result<Vec<Ticket>> {
        rows.into_iter().map(|row| self.set(row, level)).collect()
    }

    /// Queues what a build on `platform` changed, to be added to the row under
    /// `key` as earlier requests leave it. A missing row stays missing, and one
    /// whose digests are of another algorithm than `algo` stays as it is.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn set_side_effects(
        &self,
        key: &str,
        algo: &str,
        platform: &str,
        effects: SideEffects,
        level: Ack,
    ) -> Result<Ticket> {
        let (algo, platform) = (algo.to_owned(), platform.to_owned());
        let change = move |mut row: PackageRow| {
            if row.files.algo == algo {
                let all = row.files.side_effects.get_or_insert_with(BTreeMap::new);
                all.insert(platform.clone(), effects.clone());
            }
            Ok(Some(row))
        };
        self.writer
            .merge::<PackageRow>(key.as_bytes().to_vec(), change, level)
    }

    /// Queues the removal of a row.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn remove(&self, key: &str, level: Ack) -> Result<Ticket> {
        self.writer
            .delete::<PackageRow>(key.as_bytes().to_vec(), level)
    }

    /// Reads with everything submitted before this call on top. Producers wait
    /// meanwhile, so read raw bytes and decode them afterwards.
    ///
    /// # Errors
    /// As [`Writer::read`].
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        self.writer.read(read)
    }

    /// The writer, for barriers, producers and the frontier.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Drains, syncs and reports. May be called twice.
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&self) -> Result<CloseReport> {
        self.writer.close()
    }

    /// The row under `key`.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get(reader: &dyn Engine, key: &str) -> Result<Option<PackageRow>> {
        Table::<PackageRow>::new().get(reader, key.as_bytes())
    }

    /// Whether there is a row under `key`, decodable or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn contains(reader: &dyn Engine, key: &str) -> Result<bool> {
        Ok(reader.get(PACKAGE_INDEX, key.as_bytes())?.is_some())
    }

    /// The undecoded rows under those of `keys` that there are, in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get_many_raw(reader: &dyn Engine, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let raw: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        let values = reader.get_many(PACKAGE_INDEX, &raw)?;
        let pairs = keys.iter().zip(values);
        Ok(pairs
            .filter_map(|(key, value)| Some(((*key).to_owned(), value?)))
            .collect())
    }

    /// The rows under those of `keys` that there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get_many(reader: &dyn Engine, keys: &[&str]) -> Result<Found> {
        Self::get_many_raw(reader, keys).map(Found::decode)
    }

    /// Every key, in order; one that is no text is left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys(reader: &dyn Engine) -> Result<Vec<String>> {
        let rows = reader.scan(PACKAGE_INDEX, &Range::all(), usize::MAX >> 1)?;
        let keys = rows.into_iter();
        Ok(keys
            .filter_map(|(key, _)| String::from_utf8(key).ok())
            .collect())
    }
}

/// The rows of an index that were committed when it was opened (and, on `SQLite`,
/// later ones too), for any number of threads: the lock is held while bytes are
/// fetched, not while they are decoded. Creates nothing on disk.
pub struct PackageReader {
    engine: Mutex<Box<dyn Engine>>,
}

impl std::fmt::Debug for PackageReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackageReader").finish_non_exhaustive()
    }
}

impl PackageReader {
    /// Opens the index in the directory `dir`; `None` when there is none, which is
    /// an index without rows.
    ///
    /// # Errors
    /// When its files cannot be opened.
    pub fn open(dir: &Path) -> Result<Option<Self>> {
        let Some(kind) = EngineKind::of(dir)? else {
            return Ok(None);
        };
        let engine = Mutex::new(kind.open_read_only(dir)?);
        Ok(Some(Self { engine }))
    }

    fn locked<T>(&self, read: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        read(&**self.engine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As [`PackageIndex::get_many`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get_many(&self, keys: &[&str]) -> Result<Found> {
        self.locked(|engine| PackageIndex::get_many_raw(engine, keys))
            .map(Found::decode)
    }

    /// As [`PackageIndex::contains`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn contains(&self, key: &str) -> Result<bool> {
        self.locked(|engine| PackageIndex::contains(engine, key))
    }

    /// As [`PackageIndex::keys`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys(&self) -> Result<Vec<String>> {
        self.locked(PackageIndex::keys)
    }
}
