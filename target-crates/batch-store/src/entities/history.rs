//! What the versions say: the difference a rollback makes, and the versions that
//! no rollback needs any more.

use std::sync::Arc;

use super::records::{Checkpoint, StoreState, Value};
use super::table::{EntityTable, StoredVersion, scan_all};
use crate::batch::WriteBatch;
use crate::engine::Engine;
use crate::error::Result;
use crate::keys::KeyBuilder;
use crate::table::{Record, Table};

/// The tables of a store.
pub(super) type Tables = [Box<dyn EntityTable>];

/// What a rollback changes in one table: for every entity that changed above
/// `target`, its value at `target`.
pub(super) fn difference(
    table: &dyn EntityTable,
    engine: &dyn Engine,
    target: u64,
) -> Result<Vec<(Arc<str>, Value)>> {
    let mut changes = Vec::new();
    table.for_each_history(engine, &mut |id, versions| {
        let kept = versions.partition_point(|version| version.checkpoint <= target);
        if kept == versions.len() {
            return Ok(());
        }
        // Without a version up to the target, the first one created the entity:
        // had it existed before, that version would have put an anchor.
        let bytes = kept
            .checked_sub(1)
            .and_then(|last| versions[last].bytes.as_deref());
        let value = bytes.map(|bytes| table.value(&id, bytes)).transpose()?;
        changes.push((id, value));
        Ok(())
    })?;
    Ok(changes)
}

/// Stages the removal of every version and checkpoint above `target`.
pub(super) fn stage_rollback(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    target: u64,
) -> Result<()> {
    stage_version_deletes(tables, engine, batch, |versions| {
        let kept = versions.partition_point(|version| version.checkpoint <= target);
        (kept, versions.len())
    })?;
    stage_checkpoint_deletes(engine, batch, target.saturating_add(1), None)
}

/// Stages the removal of what no rollback to `safe` or above needs: of each
/// entity all versions up to `safe` but the last, and that one too when none
/// follows it, since the row itself is then the state at `safe`.
pub(super) fn stage_prune(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    state: StoreState,
    safe: u64,
) -> Result<StoreState> {
    stage_version_deletes(tables, engine, batch, |versions| {
        let old = versions.partition_point(|version| version.checkpoint <= safe);
        let needed = usize::from(old < versions.len());
        (0, old.saturating_sub(needed))
    })?;
    stage_checkpoint_deletes(engine, batch, 0, Some(safe))?;
    let state = StoreState {
        floor: state.floor.max(safe),
        ..state
    };
    Table::new().stage_put(engine, batch, &state)?;
    Ok(state)
}

/// Stages the removal of every version: what follows is written without any.
pub(super) fn stage_clear(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
) -> Result<()> {
    stage_version_deletes(tables, engine, batch, |versions| (0, versions.len()))
}

/// Stages the removal of the versions that `choose` names by their first and
/// past-the-last place.
fn stage_version_deletes(
    tables: &Tables,
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    choose: impl Fn(&[StoredVersion]) -> (usize, usize),
) -> Result<()> {
    for table in tables {
        table.for_each_history(engine, &mut |id, versions| {
            let (from, to) = choose(versions);
            versions[from..to].iter().try_for_each(|version| {
                table.delete_version(engine, batch, &id, version.checkpoint)
            })
        })?;
    }
    Ok(())
}

/// Stages the removal of the checkpoints from `from` and below `below`.
fn stage_checkpoint_deletes(
    engine: &dyn Engine,
    batch: &mut WriteBatch,
    from: u64,
    below: Option<u64>,
) -> Result<()> {
    let key = |number| KeyBuilder::new().u64(number).finish();
    let mut found = Vec::new();
    let family = Checkpoint::PRIMARY;
    scan_all(engine, family, key(from), below.map(key), &mut |key, _| {
        found.push(key.to_vec());
        Ok(())
    })?;
    for key in found {
        Table::<Checkpoint>::new().stage_delete(engine, batch, &key)?;
    }
    Ok(())
}
