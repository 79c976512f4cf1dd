//! The sealed session: finished, packed, closed.

use std::path::{Path, PathBuf};

use super::GrantReader;
use super::status::SessionRow;
use super::writer::Core;
use crate::archive::{self, ArchiveInfo};
use crate::disk::{Disk, RealDisk};
use crate::durability::Durability;
use crate::engine::{Engine, EngineKind};
use crate::error::{Error, Result};

/// A session that takes no more grants. [`SealedSession::finish`] makes it whole and
/// durable; only then is it read or packed.
pub struct SealedSession {
    engine: Box<dyn Engine>,
    dir: PathBuf,
    sync_id: String,
    is_dirty: bool,
    is_finished: bool,
}

impl std::fmt::Debug for SealedSession {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SealedSession")
            .field("dir", &self.dir)
            .field("sync_id", &self.sync_id)
            .field("is_finished", &self.is_finished)
            .finish_non_exhaustive()
    }
}

impl SealedSession {
    pub(super) fn new(core: Core, dir: PathBuf, sync_id: String) -> Self {
        Self {
            engine: core.engine,
            dir,
            sync_id,
            is_dirty: core.is_dirty,
            is_finished: false,
        }
    }

    /// Makes every grant survive power loss, then marks the session as finished.
    /// Once is enough; after an error, call it again, or resume the session.
    ///
    /// # Errors
    /// When a sync or the commit of the mark fails.
    pub fn finish(&mut self) -> Result<()> {
        if self.is_finished {
            return Ok(());
        }
        // First the grants, then the mark: it must never be durable without them.
        if self.is_dirty {
            self.engine.sync()?;
        }
        let row = SessionRow {
            sync_id: self.sync_id.clone(),
            is_finished: true,
        };
        self.is_dirty = true;
        row.store(&mut *self.engine, Durability::Checkpoint)?;
        self.engine.sync()?;
        self.is_finished = true;
        Ok(())
    }

    /// Packs the session into one archive at `path`, replacing what is there,
    /// having finished it where that is still to do. The file is old or new at
    /// every moment, and durable when this returns. After an error the session is
    /// as before; call it again.
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
        self.finish()?;
        let copy = self.dir.join("checkpoint");
        remove_if_there(&copy)?;
        std::fs::create_dir(&copy).map_err(Error::io("create", &copy))?;
        let packed = self.pack_copy(&copy, path, disk);
        let removed = remove_if_there(&copy);
        let info = packed?;
        removed?;
        Ok(info)
    }

    fn pack_copy(&mut self, copy: &Path, path: &Path, disk: &dyn Disk) -> Result<ArchiveInfo> {
        let files = self.engine.checkpoint(copy)?;
        let kind = EngineKind::of(copy)?.ok_or_else(|| Error::State {
            action: "pack the session",
            reason: "its engine's copy is of no known kind".to_owned(),
        })?;
        archive::pack(copy, kind, &files, path, disk)
    }

    /// Whether [`SealedSession::finish`] has succeeded.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The engine, for reading.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Finishes and closes the session, and opens a reader on its directory.
    ///
    /// # Errors
    /// As [`SealedSession::finish`], [`SealedSession::close`] and [`GrantReader::open`].
    pub fn into_reader(mut self) -> Result<GrantReader> {
        self.finish()?;
        self.close()?;
        GrantReader::open(&self.dir)
    }

    /// Releases the store.
    ///
    /// # Errors
    /// When its last sync fails; call it again then.
    pub fn close(&mut self) -> Result<()> {
        self.engine.close()
    }
}

fn remove_if_there(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir)(error))
        }
        _ => Ok(()),
    }
}
