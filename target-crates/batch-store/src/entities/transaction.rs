//! One transaction: a run of processed batches as one [`WriteBatch`].

use std::collections::{BTreeMap, HashSet};

use super::cache::Recorded;
use super::history::{self, Tables};
use super::records::{Checkpoint, StoreState, Value};
use super::table::StoredVersion;
use crate::batch::WriteBatch;
use crate::engine::Engine;
use crate::error::Result;
use crate::table::Table;

/// Whether a batch's changes are kept as versions, for rollbacks below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum History {
    /// Not kept: no rollback will reach below this batch, as when catching up far
    /// from the head. Earlier versions are dropped with it.
    Off,
    /// Kept until pruned.
    On,
}

/// A rollback that storage does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingRollback {
    /// Everything above it is undone.
    pub target: u64,
    /// Where the undoing changes are.
    pub checkpoint: u64,
}

/// A processed batch, waiting to be written.
#[derive(Debug)]
pub(super) struct Processed {
    /// The last checkpoint it covers.
    pub upto: u64,
    pub history: History,
    pub rollback: Option<PendingRollback>,
    pub checkpoints: Vec<Checkpoint>,
    /// Changes of each table, in checkpoint order.
    pub changes: Vec<Vec<Recorded>>,
}

/// Stages a run of batches of one history mode, of which only the first may
/// carry a rollback, and returns the state they leave.
pub(super) fn stage(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    state: StoreState,
    run: &[Processed],
) -> Result<StoreState> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Ok(state);
    };
    if let Some(rollback) = first.rollback {
        history::stage_rollback(tables, engine, batch, rollback.target)?;
        // Before the anchors, which are taken from the rows.
        stage_rows(tables, engine, batch, run, |change| {
            change == rollback.checkpoint
        })?;
    }
    let undone = first.rollback.map_or(0, |rollback| rollback.checkpoint);
    let state = match first.history {
        History::On => {
            stage_versions(tables, engine, batch, run, undone)?;
            StoreState {
                committed: last.upto,
                has_history: true,
                ..state
            }
        }
        History::Off => {
            if state.has_history {
                history::stage_clear(tables, engine, batch)?;
            }
            StoreState {
                committed: last.upto,
                floor: last.upto,
                has_history: false,
            }
        }
    };
    stage_rows(tables, engine, batch, run, |change| change != undone)?;
    for checkpoint in run.iter().flat_map(|processed| &processed.checkpoints) {
        Table::new().stage_put(engine, batch, checkpoint)?;
    }
    Table::new().stage_put(engine, batch, &state)?;
    Ok(state)
}

fn changes(run: &[Processed], table: usize) -> impl Iterator<Item = &Recorded> {
    run.iter()
        .flat_map(move |processed| &processed.changes[table])
}

/// Stages each entity's last change among those whose checkpoint is `wanted`, in
/// the order of their ids, so that neighbours are written together.
fn stage_rows(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    run: &[Processed],
    wanted: impl Fn(u64) -> bool,
) -> Result<()> {
    for (number, table) in tables.iter().enumerate() {
        let mut last: BTreeMap<_, &Value> = BTreeMap::new();
        for recorded in changes(run, number) {
            if wanted(recorded.change.checkpoint) {
                last.insert(&recorded.id, &recorded.change.value);
            }
        }
        for (id, value) in last {
            table.stage(engine, batch, id, value)?;
        }
    }
    Ok(())
}

/// Stages the changes as versions, except those of a rollback at `undone`; before
/// the first version of an entity that exists, its row as an anchor at checkpoint 0.
fn stage_versions(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    run: &[Processed],
    undone: u64,
) -> Result<()> {
    for (number, table) in tables.iter().enumerate() {
        if table.history().is_none() {
            continue;
        }
        let mut seen = HashSet::new();
        for Recorded { id, change } in changes(run, number) {
            if change.checkpoint == undone {
                continue;
            }
            if seen.insert(id)
                && !table.has_versions(engine, id)?
                && let Some(row) = table.staged(engine, batch, id)?
            {
                let anchor = StoredVersion {
                    checkpoint: 0,
                    bytes: Some(row.bytes.clone()),
                };
                table.put_version(engine, batch, id, anchor)?;
            }
            let bytes = change.value.as_ref().map(|stored| stored.bytes.clone());
            let version = StoredVersion {
                checkpoint: change.checkpoint,
                bytes,
            };
            table.put_version(engine, batch, id, version)?;
        }
    }
    Ok(())
}
