//! Going back to a checkpoint, and giving up the way back below one.

use super::cache::Change;
use super::history;
use super::pipeline::Work;
use super::records::StoreState;
use super::store::EntityStore;
use super::transaction::PendingRollback;
use crate::error::{Error, Result};
use crate::table::Table;

/// What a rollback changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The entities are as they were here.
    pub target: u64,
    /// The undoing changes are at this checkpoint; the next batch's are above it.
    pub checkpoint: u64,
    /// The tables in which something changed.
    pub tables: Vec<TableRollback>,
}

/// What a rollback changed in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRollback {
    /// The name of the table's row family.
    pub table: &'static str,
    /// Entities that did not exist at the target, by id.
    pub removed: Vec<String>,
    /// Entities that have their value of then again, by id.
    pub restored: Vec<String>,
}

impl EntityStore {
    /// Undoes every change above `target`: waits until everything handed over is
    /// committed, drops what was set since, and sets every entity that changed
    /// above `target` to what it was there. The next batch, which may be empty,
    /// carries this to storage. Entities without history stay as they are.
    ///
    /// # Errors
    /// When a write failed (nothing is then read or changed), the target is not
    /// processed yet or below what the history reaches, or storage cannot be read;
    /// nothing is changed.
    pub fn rollback(&mut self, target: u64) -> Result<Rollback> {
        self.pipeline.check()?;
        let committed = self.flush()?.committed;
        // Above an unwritten rollback's target there is nothing but what it undoes.
        let target = self
            .rollback
            .map_or(target, |rollback| rollback.target.min(target));
        self.check_target(target, committed)?;
        let differences = self.read(|engine| {
            let tables = self.tables.iter();
            let differences = tables.map(|table| history::difference(&**table, engine, target));
            differences.collect::<Result<Vec<_>>>()
        })?;
        let checkpoint = self.processed + 1;
        let mut tables = Vec::new();
        for (number, difference) in differences.into_iter().enumerate() {
            let table = &self.tables[number];
            if table.history().is_none() {
                continue;
            }
            let cache = &mut self.caches[number];
            cache.settle(committed);
            cache.discard_after(committed);
            let mut report = TableRollback {
                table: table.rows().name(),
                removed: Vec::new(),
                restored: Vec::new(),
            };
            for (id, value) in difference {
                let ids = match value {
                    None => &mut report.removed,
                    Some(_) => &mut report.restored,
                };
                ids.push(id.to_string());
                cache.set(&id, Change { checkpoint, value }, committed);
            }
            if !(report.removed.is_empty() && report.restored.is_empty()) {
                tables.push(report);
            }
        }
        self.current = checkpoint;
        self.rollback = Some(PendingRollback { target, checkpoint });
        Ok(Rollback {
            target,
            checkpoint,
            tables,
        })
    }

    fn check_target(&self, target: u64, committed: u64) -> Result<()> {
        let key = StoreState::the_key();
        let stored = self.read(|engine| Table::<StoreState>::new().get(engine, &key))?;
        let floor = stored.unwrap_or_default().floor;
        if (floor..=committed).contains(&target) {
            return Ok(());
        }
        Err(Error::State {
            action: "roll back",
            reason: format!("checkpoint {target} is not from {floor} to {committed}"),
        })
    }

    /// Drops, behind the batches handed over, the versions and checkpoints that no
    /// rollback to `safe` or above needs; returns at once.
    ///
    /// # Errors
    /// When `safe` is not processed yet, or an earlier write failed.
    pub fn prune(&mut self, safe: u64) -> Result<()> {
        if safe > self.processed {
            return Err(Error::State {
                action: "prune the history",
                reason: format!("checkpoint {safe} is above {}", self.processed),
            });
        }
        // What an unwritten rollback restores is still needed.
        let safe = self
            .rollback
            .map_or(safe, |rollback| rollback.target.min(safe));
        self.pipeline.push(Work::Prune(safe))
    }

    /// Number of versions in storage, anchors included.
    ///
    /// # Errors
    /// When storage cannot be read, or an earlier write failed.
    pub fn count_versions(&self) -> Result<u64> {
        self.pipeline.check()?;
        let families = self.tables.iter().filter_map(|table| table.history());
        families
            .map(|family| self.read(|engine| engine.count(family)))
            .sum()
    }
}
