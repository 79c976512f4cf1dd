//! The open session: filled, then sealed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::reader::Lists;
use super::status::SessionRow;
use super::writer::{Core, Shared};
use super::{
    BY_ENTITLEMENT, BY_PRINCIPAL, DurableEvery, GRANTS, Grant, GrantCounts, GrantWriter, PutReport,
    SESSIONS, SealedSession,
};
use crate::durability::Durability;
use crate::engine::{Engine, EngineKind};
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::table::Family;
use crate::tuning::LOAD_SHARDS;

const FAMILIES: [Family; 4] = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, SESSIONS];

/// What a session is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// The engine that stores it.
    pub engine: EngineKind,
    /// When what it takes survives power loss.
    pub durable: DurableEvery,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            engine: EngineKind::default(),
            durable: DurableEvery::Session,
        }
    }
}

/// An open session: takes grants until it is sealed. After a crash before its end,
/// [`GrantSession::resume`] goes on. Dropping one closes it, to be resumed.
#[derive(Debug)]
pub struct GrantSession {
    writer: GrantWriter,
    dir: PathBuf,
}

impl GrantSession {
    /// Starts a session in a new or empty directory, durable at its end.
    ///
    /// # Errors
    /// When the directory holds a session already or cannot be written.
    pub fn start(dir: &Path, sync_id: &str) -> Result<Self> {
        Self::start_with(dir, sync_id, SessionOptions::default())
    }

    /// Starts a session with a choice of engine and durability.
    ///
    /// # Errors
    /// As [`GrantSession::start`].
    pub fn start_with(dir: &Path, sync_id: &str, options: SessionOptions) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        if let Some(found) = EngineKind::of(dir)?
            && found != options.engine
        {
            let reason = format!("{} holds a {} store", dir.display(), found.name());
            return Err(Error::State {
                action: "start a session",
                reason,
            });
        }
        let engine = options.engine.open(dir, &FAMILIES)?;
        Self::start_on(engine, dir, sync_id, options.durable)
    }

    /// Starts a session on an engine of the caller's, with the tables of [`GRANTS`],
    /// [`BY_ENTITLEMENT`], [`BY_PRINCIPAL`] and [`SESSIONS`]. `dir` is where
    /// [`SealedSession::pack`] puts its copy and [`SealedSession::into_reader`] looks.
    ///
    /// # Errors
    /// As [`GrantSession::start`].
    pub fn start_on(
        mut engine: Box<dyn Engine>,
        dir: &Path,
        sync_id: &str,
        durable: DurableEvery,
    ) -> Result<Self> {
        if let Some(row) = SessionRow::load(&*engine)? {
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
        // Power loss may take the row back, and with it all of the session: it is
        // started again then.
        row.store(&mut *engine, Durability::Checkpoint)?;
        let core = Core {
            engine,
            is_fresh: true,
            is_dirty: true,
            grants: Some(0),
        };
        Ok(Self::new(core, dir, row.sync_id, durable))
    }

    /// Goes on with a session that a crash left unfinished, on the engine that it
    /// was started with; each call is durable when it returns.
    ///
    /// # Errors
    /// When there is none, or it is finished.
    pub fn resume(dir: &Path) -> Result<Self> {
        Self::resume_with(dir, DurableEvery::Call)
    }

    /// [`GrantSession::resume`] with a choice of durability.
    ///
    /// # Errors
    /// As [`GrantSession::resume`].
    pub fn resume_with(dir: &Path, durable: DurableEvery) -> Result<Self> {
        match EngineKind::of(dir)? {
            None => Err(none_to_resume(dir)),
            Some(kind) => Self::resume_on(kind.open(dir, &FAMILIES)?, dir, durable),
        }
    }

    /// [`GrantSession::resume`] on an engine of the caller's.
    ///
    /// # Errors
    /// As [`GrantSession::resume`].
    pub fn resume_on(engine: Box<dyn Engine>, dir: &Path, durable: DurableEvery) -> Result<Self> {
        match SessionRow::load(&*engine)? {
            None => Err(none_to_resume(dir)),
            Some(row) if row.is_finished => Err(Error::State {
                action: "resume a session",
                reason: format!("session {:?} is finished", row.sync_id),
            }),
            Some(row) => {
                let core = Core {
                    engine,
                    is_fresh: false,
                    is_dirty: true,
                    grants: None,
                };
                Ok(Self::new(core, dir, row.sync_id, durable))
            }
        }
    }

    fn new(core: Core, dir: &Path, sync_id: String, durable: DurableEvery) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            sync_id,
            durable,
            threads: processors.min(LOAD_SHARDS),
            core: Mutex::new(Some(core)),
        };
        Self {
            writer: GrantWriter {
                shared: Arc::new(shared),
            },
            dir: dir.to_owned(),
        }
    }

    /// A further handle to put and delete with, for another thread.
    #[must_use]
    pub fn writer(&self) -> GrantWriter {
        self.writer.clone()
    }

    /// Stores the grants; see [`GrantWriter::put_grants`].
    ///
    /// # Errors
    /// As [`GrantWriter::put_grants`].
    pub fn put_grants(&mut self, grants: &[Grant]) -> Result<PutReport> {
        self.writer.put_grants(grants)
    }

    /// Stores the newer grants; see [`GrantWriter::put_if_newer`].
    ///
    /// # Errors
    /// As [`GrantWriter::put_grants`].
    pub fn put_if_newer(&mut self, grants: &[Grant]) -> Result<PutReport> {
        self.writer.put_if_newer(grants)
    }

    /// Removes the grants with these ids; see [`GrantWriter::delete_grants`].
    ///
    /// # Errors
    /// As [`GrantWriter::put_grants`].
    pub fn delete_grants(&mut self, ids: &[&str]) -> Result<usize> {
        self.writer.delete_grants(ids)
    }

    /// Rows stored so far; see [`GrantWriter::counts`].
    ///
    /// # Errors
    /// As [`GrantWriter::counts`].
    pub fn counts(&self) -> Result<GrantCounts> {
        self.writer.counts()
    }

    /// Reads what is stored so far; writers wait until `read` returns.
    ///
    /// # Errors
    /// Those of `read`, or when a writer panicked.
    pub fn read<T>(&self, read: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        self.writer.step(|core| read(&*core.engine))
    }

    /// One page of the grants stored so far, by id, at most `limit` (0: the largest
    /// page). What is put meanwhile appears where its id belongs, if that is still
    /// to come; nothing else moves.
    ///
    /// # Errors
    /// When the cursor is not this list's, or a row cannot be read.
    pub fn list(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Grant>> {
        self.read(|engine| self.lists(engine).list(cursor, limit))
    }

    /// One page of an entitlement's grants stored so far, by principal.
    ///
    /// # Errors
    /// As [`GrantSession::list`].
    pub fn list_by_entitlement(
        &self,
        entitlement: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        self.read(|engine| {
            self.lists(engine)
                .by_entitlement(entitlement, cursor, limit)
        })
    }

    fn lists<'a>(&'a self, engine: &'a dyn Engine) -> Lists<'a> {
        Lists {
            engine,
            sync_id: &self.writer.shared.sync_id,
        }
    }

    /// Ends the session: seals it, then makes it durable. When this returns, every
    /// grant survives power loss. After an error the session can be resumed; to
    /// repeat only the end, use [`GrantSession::seal`].
    ///
    /// # Errors
    /// As [`GrantSession::seal`] and [`SealedSession::finish`].
    pub fn end(self) -> Result<SealedSession> {
        let mut sealed = self.seal()?;
        sealed.finish()?;
        Ok(sealed)
    }

    /// Waits for the writers' steps under way and refuses every further one.
    ///
    /// # Errors
    /// When a writer panicked: resume the session then.
    pub fn seal(self) -> Result<SealedSession> {
        let core = self.writer.seal()?;
        let sync_id = self.writer.shared.sync_id.clone();
        Ok(SealedSession::new(core, self.dir.clone(), sync_id))
    }
}

impl Drop for GrantSession {
    fn drop(&mut self) {
        // Closes the engine, so that the session can be resumed at once. Sealed
        // sessions have let go of it already, and a panic leaves it to the last handle.
        let _ = self.writer.seal();
    }
}

fn none_to_resume(dir: &Path) -> Error {
    Error::State {
        action: "resume a session",
        reason: format!("{} holds none", dir.display()),
    }
}
