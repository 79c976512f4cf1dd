//! Reading a finished session, from its directory or from an archive.

use std::path::Path;

use super::record::decode_grant;
use super::status::SessionRow;
use super::{Grant, GrantCounts, StoredGrant};
use crate::archive;
use crate::engine::{Engine, EngineKind};
use crate::error::{Error, Result};
use crate::keys::KeyBuilder;
use crate::page::{Cursor, Page};
use crate::table::Table;

/// The lists of a session's grants.
pub(super) struct Lists<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) sync_id: &'a str,
}

impl Lists<'_> {
    fn prefix(&self) -> KeyBuilder {
        KeyBuilder::new().str(self.sync_id)
    }

    pub(super) fn list(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Grant>> {
        let prefix = self.prefix().finish();
        let table = Table::<StoredGrant>::new();
        table.list_as(self.engine, &prefix, cursor, limit, decode_grant)
    }

    pub(super) fn by_entitlement(
        &self,
        entitlement: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        self.by(0, self.prefix().str(entitlement), cursor, limit)
    }

    pub(super) fn by_principal(
        &self,
        resource_type: &str,
        resource: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        let prefix = self.prefix().str(resource_type).str(resource);
        self.by(1, prefix, cursor, limit)
    }

    fn by(
        &self,
        index: usize,
        prefix: KeyBuilder,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        let prefix = prefix.finish();
        let table = Table::<StoredGrant>::new();
        table.list_by_as(self.engine, index, &prefix, cursor, limit, decode_grant)
    }
}

/// A reader of a finished session.
pub struct GrantReader {
    engine: Box<dyn Engine>,
    sync_id: String,
}

impl std::fmt::Debug for GrantReader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("GrantReader")
            .field("sync_id", &self.sync_id)
            .finish_non_exhaustive()
    }
}

impl GrantReader {
    /// Opens a finished session's directory, whichever engine stored it.
    ///
    /// # Errors
    /// When there is none, or it was never finished.
    pub fn open(dir: &Path) -> Result<Self> {
        let unfinished = || Error::State {
            action: "read grants",
            reason: format!("{} holds no finished session", dir.display()),
        };
        let kind = EngineKind::of(dir)?.ok_or_else(unfinished)?;
        let engine = kind.open_read_only(dir)?;
        match SessionRow::load(&*engine)? {
            Some(row) if row.is_finished => Ok(Self {
                engine,
                sync_id: row.sync_id,
            }),
            _ => Err(unfinished()),
        }
    }

    /// Unpacks an archive into `dir`, which must be new or empty, and opens it.
    ///
    /// # Errors
    /// When the archive is refused, or holds no finished session.
    pub fn unpack(archive: &Path, dir: &Path) -> Result<Self> {
        archive::unpack(archive, dir)?;
        Self::open(dir)
    }

    /// The sync that the grants belong to.
    #[must_use]
    pub fn sync_id(&self) -> &str {
        &self.sync_id
    }

    fn lists(&self) -> Lists<'_> {
        Lists {
            engine: &*self.engine,
            sync_id: &self.sync_id,
        }
    }

    /// One page of all grants, by id, at most `limit` (0: the largest page).
    ///
    /// # Errors
    /// When the cursor is not this list's, or a row cannot be read.
    pub fn list(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Grant>> {
        self.lists().list(cursor, limit)
    }

    /// One page of the grants of an entitlement, by principal.
    ///
    /// # Errors
    /// As [`GrantReader::list`].
    pub fn list_by_entitlement(
        &self,
        entitlement: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        self.lists().by_entitlement(entitlement, cursor, limit)
    }

    /// One page of the grants of a principal, by id.
    ///
    /// # Errors
    /// As [`GrantReader::list`].
    pub fn list_by_principal(
        &self,
        resource_type: &str,
        resource: &str,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Grant>> {
        self.lists()
            .by_principal(resource_type, resource, cursor, limit)
    }

    /// Rows of each table, counted now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&self) -> Result<GrantCounts> {
        GrantCounts::recount(&*self.engine)
    }

    /// The engine, for what has no method here.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }
}
