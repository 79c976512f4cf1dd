//! Writing to an open session, from any number of threads.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use super::record::{GrantRow, SyncPrefix};
use super::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use crate::batch::WriteBatch;
use crate::durability::{Durability, Seq};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::keys::KeyBuilder;
use crate::load::EncodedLoad;
use crate::table::Table;
use crate::tuning::{DELETE_ROWS, LOAD_LOOKUP_ROWS};

/// When what a session takes survives power loss. A kill loses no call that
/// returned, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DurableEvery {
    /// When the session ends: one sync for all of it. What a fresh session does,
    /// because its source can be asked again.
    Session,
    /// Before each call returns. What a resumed session does.
    Call,
    /// Each so many grants: a call is cut into parts of this size, each stored as
    /// a whole and synced before the next.
    Rows(NonZeroUsize),
}

/// What a call that puts grants did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutReport {
    /// Grants given, duplicates included.
    pub grants: usize,
    /// Of those, stored under a new id.
    pub inserted: usize,
    /// Of those, stored in the place of a grant with the same id.
    pub replaced: usize,
    /// Atomic steps they were stored in.
    pub commits: usize,
}

/// Rows in each of a session's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantCounts {
    /// Grants.
    pub grants: u64,
    /// Entries by entitlement.
    pub by_entitlement: u64,
    /// Entries by principal.
    pub by_principal: u64,
}

impl GrantCounts {
    /// Counts the rows of each table.
    pub(super) fn recount(engine: &dyn Engine) -> Result<Self> {
        Ok(Self {
            grants: engine.count(GRANTS)?,
            by_entitlement: engine.count(BY_ENTITLEMENT)?,
            by_principal: engine.count(BY_PRINCIPAL)?,
        })
    }
}

/// What the handles of an open session share.
pub(super) struct Core {
    pub(super) engine: Box<dyn Engine>,
    /// Nothing was ever put: the next put need not read what it replaces.
    pub(super) is_fresh: bool,
    /// Something may have changed since the last sync.
    pub(super) is_dirty: bool,
    /// Grants stored; `None` when a failure left that open.
    pub(super) grants: Option<u64>,
}

impl Core {
    fn put(
        &mut self,
        encoded: EncodedLoad<StoredGrant>,
        durability: Durability,
        report: &mut PutReport,
    ) -> Result<()> {
        // Taken before the attempt, because one that fails may have stored its rows.
        let staged = if std::mem::take(&mut self.is_fresh) {
            encoded.over_nothing()
        } else {
            encoded.over(&*self.engine)?
        };
        let inserted = staged.records() - staged.replaced();
        self.commit(durability, inserted as i64, |engine| {
            engine.ingest(staged.load(), durability)
        })?;
        report.inserted += inserted;
        report.replaced += staged.replaced();
        report.commits += 1;
        Ok(())
    }

    fn delete(&mut self, keys: &[Vec<u8>], durability: Durability) -> Result<usize> {
        let mut batch = WriteBatch::new();
        let table = Table::<StoredGrant>::new();
        let found = table.stage_delete_many(&*self.engine, &mut batch, keys)?;
        if found > 0 {
            self.commit(durability, -(found as i64), |engine| {
                engine.commit(&batch, durability)
            })?;
        }
        Ok(found)
    }

    fn counts(&mut self) -> Result<GrantCounts> {
        let grants = match self.grants {
            Some(grants) => grants,
            None => self.engine.count(GRANTS)?,
        };
        self.grants = Some(grants);
        Ok(GrantCounts {
            grants,
            by_entitlement: grants,
            by_principal: grants,
        })
    }

    fn commit(
        &mut self,
        durability: Durability,
        more: i64,
        commit: impl FnOnce(&mut dyn Engine) -> Result<Seq>,
    ) -> Result<()> {
        let grants = self.grants.take();
        self.is_dirty = true;
        commit(&mut *self.engine)?;
        self.grants = grants.and_then(|grants| grants.checked_add_signed(more));
        self.is_dirty = durability == Durability::Checkpoint;
        Ok(())
    }
}

pub(super) struct Shared {
    pub(super) sync_id: String,
    pub(super) durable: DurableEvery,
    /// Threads that encode one call.
    pub(super) threads: usize,
    /// `None` once the session is sealed.
    pub(super) core: Mutex<Option<Core>>,
}

/// A handle that puts and deletes grants while the session is open. Any number of
/// them work at once: they encode side by side and store one after the other. A
/// call that returned `Ok` is in the sealed session, whole; once the session is
/// sealed, or dropped, every call is refused.
#[derive(Clone)]
pub struct GrantWriter {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for GrantWriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("GrantWriter")
            .field("sync_id", &self.shared.sync_id)
            .field("durable", &self.shared.durable)
            .finish_non_exhaustive()
    }
}

impl GrantWriter {
    /// Stores the grants; of equal ids the last wins, within a call and across
    /// calls. One atomic step, or one for each part with [`DurableEvery::Rows`].
    ///
    /// # Errors
    /// When the session is sealed or a step fails. The parts before it stay, each
    /// with its indexes. After [`Error::Indeterminate`] the part may be stored or
    /// not; repeating the call is safe.
    pub fn put_grants(&self, grants: &[Grant]) -> Result<PutReport> {
        let mut report = PutReport {
            grants: grants.len(),
            ..PutReport::default()
        };
        for part in grants.chunks(self.part_rows(grants.len())) {
            let encoded = self.encode(part)?;
            self.step(|core| core.put(encoded, self.durability(), &mut report))?;
        }
        Ok(report)
    }

    /// Stores those grants that are seen later (by
    /// [`discovered_at_ns`](Grant::discovered_at_ns)) than what is stored under
    /// their id, and those with a new id; the others are passed over. So is, of
    /// equal ids and times in a call, all but the first.
    ///
    /// # Errors
    /// As [`GrantWriter::put_grants`].
    pub fn put_if_newer(&self, grants: &[Grant]) -> Result<PutReport> {
        let mut newest: BTreeMap<&str, &Grant> = BTreeMap::new();
        for grant in grants {
            let best = newest.entry(&grant.id).or_insert(grant);
            if grant.discovered_at_ns > best.discovered_at_ns {
                *best = grant;
            }
        }
        let newest: Vec<&Grant> = newest.into_values().collect();
        let mut report = PutReport {
            grants: grants.len(),
            ..PutReport::default()
        };
        for part in newest.chunks(self.part_rows(newest.len())) {
            self.step(|core| {
                let part = self.newer_than_stored(&*core.engine, part)?;
                if part.is_empty() {
                    return Ok(());
                }
                core.put(self.encode(&part)?, self.durability(), &mut report)
            })?;
        }
        Ok(report)
    }

    fn newer_than_stored<'a>(
        &self,
        engine: &dyn Engine,
        grants: &[&'a Grant],
    ) -> Result<Vec<&'a Grant>> {
        let mut newer = Vec::new();
        for part in grants.chunks(LOAD_LOOKUP_ROWS) {
            let keys: Vec<Vec<u8>> = part.iter().map(|grant| self.key(&grant.id)).collect();
            let stored = Table::<StoredGrant>::new().get_many(engine, &keys)?;
            let is_newer = |grant: &Grant, stored: Option<StoredGrant>| {
                stored.is_none_or(|old| grant.discovered_at_ns > old.grant.discovered_at_ns)
            };
            let pairs = part.iter().zip(stored);
            newer.extend(pairs.filter_map(|(grant, old)| is_newer(grant, old).then_some(*grant)));
        }
        Ok(newer)
    }

    /// Removes the grants with these ids and their index entries; missing ones are
    /// passed over. Returns how many there were. An atomic step for each
    /// [`DELETE_ROWS`] ids.
    ///
    /// # Errors
    /// As [`GrantWriter::put_grants`].
    pub fn delete_grants(&self, ids: &[&str]) -> Result<usize> {
        let durability = self.durability();
        let mut deleted = 0;
        for part in ids.chunks(self.part_rows(DELETE_ROWS).min(DELETE_ROWS)) {
            let keys: Vec<Vec<u8>> = part.iter().map(|id| self.key(id)).collect();
            deleted += self.step(|core| core.delete(&keys, durability))?;
        }
        Ok(deleted)
    }

    /// Rows stored so far: kept up to date, not counted, unless a failure left
    /// them open.
    ///
    /// # Errors
    /// When the session is sealed, or the rows must be counted and cannot be.
    pub fn counts(&self) -> Result<GrantCounts> {
        self.step(Core::counts)
    }

    /// Whether something may have changed since the last sync.
    ///
    /// # Errors
    /// When the session is sealed.
    pub fn is_dirty(&self) -> Result<bool> {
        self.step(|core| Ok(core.is_dirty))
    }

    fn key(&self, id: &str) -> Vec<u8> {
        KeyBuilder::new().str(&self.shared.sync_id).str(id).finish()
    }

    fn encode<T: Borrow<Grant> + Sync>(&self, grants: &[T]) -> Result<EncodedLoad<StoredGrant>> {
        let sync = &SyncPrefix::new(&self.shared.sync_id);
        Table::new().encode(grants, self.shared.threads, |grant| GrantRow {
            sync,
            grant: grant.borrow(),
        })
    }

    fn durability(&self) -> Durability {
        match self.shared.durable {
            DurableEvery::Session => Durability::Checkpoint,
            DurableEvery::Call | DurableEvery::Rows(_) => Durability::EachCommit,
        }
    }

    /// Rows in each part of a call, where `otherwise` is what an uncut one has.
    fn part_rows(&self, otherwise: usize) -> usize {
        match self.shared.durable {
            DurableEvery::Rows(rows) => rows.get(),
            DurableEvery::Session | DurableEvery::Call => otherwise.max(1),
        }
    }

    /// Takes one step on the open session. Whether it is sealed is asked under the
    /// lock that the step runs under, so a seal waits for a step or the step is refused.
    pub(super) fn step<T>(&self, step: impl FnOnce(&mut Core) -> Result<T>) -> Result<T> {
        match self.lock()?.as_mut() {
            Some(core) => step(core),
            None => Err(self.refused("it is sealed")),
        }
    }

    /// Waits for the step under way and refuses every further one.
    pub(super) fn seal(&self) -> Result<Core> {
        let core = self.lock()?.take();
        core.ok_or_else(|| self.refused("it is sealed"))
    }

    fn lock(&self) -> Result<MutexGuard<'_, Option<Core>>> {
        let core = self.shared.core.lock();
        core.map_err(|_| self.refused("a writer panicked; it can be resumed"))
    }

    fn refused(&self, reason: &str) -> Error {
        Error::State {
            action: "use the session",
            reason: format!("{:?}: {reason}", self.shared.sync_id),
        }
    }
}
