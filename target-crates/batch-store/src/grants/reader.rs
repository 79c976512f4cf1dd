//! Reading a finished session, from its directory or from an archive.

use std::path::Path;

use super::session::{DATABASE, SessionRow};
use super::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use crate::archive;
use crate::engine::Engine;
use crate::engine::sqlite::SqliteEngine;
use crate::error::{Error, Result};
use crate::keys::KeyBuilder;
use crate::page::{Cursor, Page};
use crate::table::Table;

/// Rows in each of a session's tables, as counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantCounts {
    /// Grants.
    pub grants: u64,
    /// Entries by entitlement.
    pub by_entitlement: u64,
    /// Entries by principal.
    pub by_principal: u64,
}

/// A reader of a finished session.
#[derive(Debug)]
pub struct GrantReader {
    engine: SqliteEngine,
    sync_id: String,
}

impl GrantReader {
    /// Opens a finished session's directory.
    ///
    /// # Errors
    /// When there is none, or it was never finished.
    pub fn open(dir: &Path) -> Result<Self> {
        let engine = SqliteEngine::open_read_only(&dir.join(DATABASE))?;
        match SessionRow::load(&engine)? {
            Some(row) if row.is_finished => Ok(Self {
                engine,
                sync_id: row.sync_id,
            }),
            _ => {
                let reason = format!("{} holds no finished session", dir.display());
                Err(Error::State {
                    action: "read grants",
                    reason,
                })
            }
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

    /// One page of all grants, by id, at most `limit` (0: the largest page).
    ///
    /// # Errors
    /// When the cursor is not this list's, or a row cannot be read.
    pub fn list(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Grant>> {
        let prefix = KeyBuilder::new().str(&self.sync_id).finish();
        Ok(grants(Table::new().list(
            &self.engine,
            &prefix,
            cursor,
            limit,
        )?))
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
        let prefix = KeyBuilder::new()
            .str(&self.sync_id)
            .str(entitlement)
            .finish();
        Ok(grants(Table::new().list_by(
            &self.engine,
            0,
            &prefix,
            cursor,
            limit,
        )?))
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
        let prefix = KeyBuilder::new()
            .str(&self.sync_id)
            .str(resource_type)
            .str(resource)
            .finish();
        Ok(grants(Table::new().list_by(
            &self.engine,
            1,
            &prefix,
            cursor,
            limit,
        )?))
    }

    /// Rows of each table, counted now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self) -> Result<GrantCounts> {
        Ok(GrantCounts {
            grants: self.engine.count(GRANTS)?,
            by_entitlement: self.engine.count(BY_ENTITLEMENT)?,
            by_principal: self.engine.count(BY_PRINCIPAL)?,
        })
    }

    /// The engine, for what has no method here.
    #[must_use]
    pub fn engine(&self) -> &SqliteEngine {
        &self.engine
    }
}

fn grants(page: Page<StoredGrant>) -> Page<Grant> {
    Page {
        rows: page.rows.into_iter().map(|stored| stored.grant).collect(),
        next: page.next,
    }
}
