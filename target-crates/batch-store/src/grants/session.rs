//! The bulk session: open, filled, sealed, packed.

use std::path::{Path, PathBuf};

use super::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, GrantReader, SESSIONS, StoredGrant};
use crate::archive::{self, ArchiveInfo};
use crate::batch::WriteBatch;
use crate::codec::{Decoder, Encoder};
use crate::disk::{Disk, RealDisk};
use crate::durability::Durability;
use crate::engine::Engine;
use crate::engine::sqlite::SqliteEngine;
use crate::error::{Error, Result};
use crate::table::{Family, Record, Table};
use crate::tuning::BATCH_ROWS;

/// Name of the database in a session's directory, and in an archive.
pub(super) const DATABASE: &str = "store.db";

/// The one row that says which session this is and whether it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRow {
    pub(super) sync_id: String,
    pub(super) is_finished: bool,
}

impl SessionRow {
    const KEY: &'static [u8] = b"session";

    pub(super) fn load(engine: &dyn Engine) -> Result<Option<Self>> {
        Table::<Self>::new().get(engine, Self::KEY)
    }
}

impl Record for SessionRow {
    const PRIMARY: Family = SESSIONS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        Self::KEY.to_vec()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::new();
        out.str(&self.sync_id).bool(self.is_finished);
        Ok(out.finish())
    }

    fn decode(_key: &[u8], value: &[u8]) -> Result<Self> {
        let mut input = Decoder::new(SESSIONS.name(), value);
        let row = Self {
            sync_id: input.string()?,
            is_finished: input.bool()?,
        };
        input.finish()?;
        Ok(row)
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

/// What a [`GrantSession::put_grants`] call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutReport {
    /// Grants taken, duplicates included.
    pub grants: usize,
    /// Transactions they were committed in.
    pub commits: usize,
}

/// An open session: takes grants, and is not durable as a whole until
/// [`GrantSession::end`] returned. After a crash, [`GrantSession::resume`] goes on.
#[derive(Debug)]
pub struct GrantSession {
    engine: SqliteEngine,
    dir: PathBuf,
    sync_id: String,
}

impl GrantSession {
    /// Starts a session in a new or empty directory.
    ///
    /// # Errors
    /// When the directory holds a session already or cannot be written.
    pub fn start(dir: &Path, sync_id: &str) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let mut engine = open(dir)?;
        if let Some(row) = SessionRow::load(&engine)? {
            let reason = format!("{} holds session {:?} already", dir.display(), row.sync_id);
            return Err(Error::State {
                action: "start a session",
                reason,
            });
        }
        let row = SessionRow {
            sync_id: sync_id.to_owned(),
            is_finished: false,
        };
        write_row(&mut engine, &row)?;
        Ok(Self {
            engine,
            dir: dir.to_owned(),
            sync_id: sync_id.to_owned(),
        })
    }

    /// Goes on with a session that a crash left unfinished.
    ///
    /// # Errors
    /// When there is none, or it is finished.
    pub fn resume(dir: &Path) -> Result<Self> {
        let action = "resume a session";
        if !dir.join(DATABASE).exists() {
            return Err(Error::State {
                action,
                reason: format!("{} holds none", dir.display()),
            });
        }
        let engine = open(dir)?;
        match SessionRow::load(&engine)? {
            None => Err(Error::State {
                action,
                reason: format!("{} holds none", dir.display()),
            }),
            Some(row) if row.is_finished => Err(Error::State {
                action,
                reason: format!("session {:?} is finished", row.sync_id),
            }),
            Some(row) => Ok(Self {
                engine,
                dir: dir.to_owned(),
                sync_id: row.sync_id,
            }),
        }
    }

    /// Stores the grants, in order; of equal ids the last wins, within a call and
    /// across calls. Returned grants survive a kill; power loss may lose the
    /// session as a whole until [`GrantSession::end`].
    ///
    /// # Errors
    /// When a grant cannot be encoded or a commit fails. Earlier transactions of
    /// the call stay, each with its indexes; repeat the call or drop the session.
    pub fn put_grants(&mut self, grants: &[Grant]) -> Result<PutReport> {
        let table = Table::<StoredGrant>::new();
        let mut report = PutReport {
            grants: grants.len(),
            commits: 0,
        };
        for chunk in grants.chunks(BATCH_ROWS) {
            let mut batch = WriteBatch::new();
            for grant in chunk {
                let record = StoredGrant {
                    sync_id: self.sync_id.clone(),
                    grant: grant.clone(),
                };
                table.stage_put(&self.engine, &mut batch, &record)?;
            }
            self.engine.commit(&batch, Durability::EachCommit)?;
            report.commits += 1;
        }
        Ok(report)
    }

    /// Removes the grants with these ids and their index entries; missing ones
    /// are passed over. Returns how many there were.
    ///
    /// # Errors
    /// As [`GrantSession::put_grants`].
    pub fn delete_grants(&mut self, ids: &[&str]) -> Result<usize> {
        let table = Table::<StoredGrant>::new();
        let mut deleted = 0;
        for chunk in ids.chunks(BATCH_ROWS) {
            let mut batch = WriteBatch::new();
            for id in chunk {
                let key = crate::keys::KeyBuilder::new()
                    .str(&self.sync_id)
                    .str(id)
                    .finish();
                deleted += usize::from(table.stage_delete(&self.engine, &mut batch, &key)?);
            }
            self.engine.commit(&batch, Durability::EachCommit)?;
        }
        Ok(deleted)
    }

    /// Seals the session: when this returns, every grant survives power loss, in
    /// the database file alone. On an error, the session can be resumed.
    ///
    /// # Errors
    /// When the last commit or the sync fails.
    pub fn end(mut self) -> Result<SealedSession> {
        self.engine.sync()?;
        let row = SessionRow {
            sync_id: self.sync_id.clone(),
            is_finished: true,
        };
        write_row(&mut self.engine, &row)?;
        self.engine.sync()?;
        Ok(SealedSession {
            engine: self.engine,
            dir: self.dir,
        })
    }

    /// The engine, for reading what is committed so far.
    #[must_use]
    pub fn engine(&self) -> &SqliteEngine {
        &self.engine
    }
}

fn open(dir: &Path) -> Result<SqliteEngine> {
    let families = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, SESSIONS];
    SqliteEngine::open(&dir.join(DATABASE), &families, Durability::EachCommit)
}

fn write_row(engine: &mut SqliteEngine, row: &SessionRow) -> Result<()> {
    let mut batch = WriteBatch::new();
    Table::new().stage_put(&*engine, &mut batch, row)?;
    engine.commit(&batch, Durability::EachCommit)?;
    Ok(())
}

/// A finished session: read it, pack it, close it.
#[derive(Debug)]
pub struct SealedSession {
    engine: SqliteEngine,
    dir: PathBuf,
}

impl SealedSession {
    /// Packs the session into one archive at `path`, replacing what is there.
    /// The file is old or new at every moment, and durable when this returns.
    /// After an error the session is as before; call it again.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn pack(&mut self, path: &Path) -> Result<ArchiveInfo> {
        self.pack_with(path, &RealDisk)
    }

    /// [`SealedSession::pack`] through a disk of the caller's choice.
    ///
    /// # Errors
    /// As [`SealedSession::pack`].
    pub fn pack_with(&mut self, path: &Path, disk: &dyn Disk) -> Result<ArchiveInfo> {
        let copy = self.dir.join("checkpoint");
        if copy.exists() {
            std::fs::remove_dir_all(&copy).map_err(Error::io("remove", &copy))?;
        }
        std::fs::create_dir(&copy).map_err(Error::io("create", &copy))?;
        let files = self.engine.checkpoint(&copy)?;
        let info = archive::pack(&copy, &files, path, disk)?;
        std::fs::remove_dir_all(&copy).map_err(Error::io("remove", &copy))?;
        Ok(info)
    }

    /// The engine, for reading.
    #[must_use]
    pub fn engine(&self) -> &SqliteEngine {
        &self.engine
    }

    /// Closes the session and opens a reader on its directory.
    ///
    /// # Errors
    /// As [`SealedSession::close`] and [`GrantReader::open`].
    pub fn into_reader(self) -> Result<GrantReader> {
        let dir = self.dir.clone();
        self.close()?;
        GrantReader::open(&dir)
    }

    /// Releases the database.
    ///
    /// # Errors
    /// When its last sync fails.
    pub fn close(mut self) -> Result<()> {
        self.engine.close()
    }
}
