//! [`EntityTable`]: one entity type's storage, without the type.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::batch::WriteBatch;
use crate::engine::{Engine, Range};
use crate::entities::entity::{Comparison, Entity, Filter};
use crate::entities::records::{Row, Stored, Value, Version, row_key, version_key};
use crate::error::{Error, Result};
use crate::keys::{KeyBuilder, KeyReader, prefix_end};
use crate::table::{Family, Record, Table};

/// Rows read at a time when a whole table is read.
const SCAN_ROWS: usize = 4096;

/// One version of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredVersion {
    pub checkpoint: u64,
    pub bytes: Option<Vec<u8>>,
}

/// Called with an entity's id and all its versions, oldest first.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Arc<str>, &[StoredVersion]) -> Result<()>;

/// What the store does with a table whose entity type it does not know.
pub(super) trait EntityTable: Send + Sync {
    fn rows(&self) -> Family;
    fn history(&self) -> Option<Family>;
    fn indexes(&self) -> &'static [Family];

    /// The value from an entity's bytes.
    fn value(&self, id: &str, bytes: &[u8]) -> Result<Arc<Stored>>;

    /// The committed rows of `ids`, in their order.
    fn load(&self, engine: &dyn Engine, ids: &[&str]) -> Result<Vec<Value>>;

    /// The ids of the committed rows that the filter matches.
    fn find(&self, engine: &dyn Engine, filter: &Filter) -> Result<Vec<Arc<str>>>;

    /// The row as `batch`, then the engine, has it.
    fn staged(&self, engine: &dyn Engine, batch: &WriteBatch, id: &str) -> Result<Value>;

    /// Puts or deletes the row.
    fn stage(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &Arc<str>,
        value: &Value,
    ) -> Result<()>;

    /// Whether the engine has a version of the entity.
    fn has_versions(&self, engine: &dyn Engine, id: &str) -> Result<bool>;

    fn put_version(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &Arc<str>,
        version: StoredVersion,
    ) -> Result<()>;

    fn delete_version(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &str,
        checkpoint: u64,
    ) -> Result<()>;

    /// Visits every entity that has versions.
    fn for_each_history(&self, engine: &dyn Engine, visit: Visit<'_>) -> Result<()>;
}

/// The table of `E`.
pub(super) struct Typed<E>(PhantomData<fn() -> E>);

impl<E> Typed<E> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E: Entity> EntityTable for Typed<E> {
    fn rows(&self) -> Family {
        E::ROWS
    }

    fn history(&self) -> Option<Family> {
        E::HISTORY
    }

    fn indexes(&self) -> &'static [Family] {
        E::INDEXES
    }

    fn value(&self, id: &str, bytes: &[u8]) -> Result<Arc<Stored>> {
        Stored::read::<E>(id, bytes)
    }

    fn load(&self, engine: &dyn Engine, ids: &[&str]) -> Result<Vec<Value>> {
        let keys: Vec<_> = ids.iter().map(|id| row_key(id)).collect();
        let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        let rows = engine.get_many(E::ROWS, &keys)?;
        let values = ids
            .iter()
            .zip(rows)
            .map(|(id, bytes)| bytes.map(|bytes| Stored::read::<E>(id, &bytes)).transpose());
        values.collect()
    }

    fn find(&self, engine: &dyn Engine, filter: &Filter) -> Result<Vec<Arc<str>>> {
        let index = E::INDEXES.iter().position(|index| *index == filter.index);
        let index = index.ok_or_else(|| Error::State {
            action: "find entities",
            reason: format!("{} is no index of {}", filter.index.name(), E::ROWS.name()),
        })?;
        let value = filter.value.key();
        let kind = KeyBuilder::new().str(filter.value.tag()).finish();
        let (start, end) = match filter.comparison {
            Comparison::Equal => (value.clone(), prefix_end(&value)),
            Comparison::Less => (kind, Some(value)),
            Comparison::Greater => (prefix_end(&value).unwrap_or(value), prefix_end(&kind)),
        };
        let mut ids = Vec::new();
        scan_all(engine, filter.index, start, end, &mut |key, _| {
            let row = Row::<E>::primary_of(index, key)?;
            ids.push(KeyReader::new(E::ROWS.name(), &row).str()?.into());
            Ok(())
        })?;
        Ok(ids)
    }

    fn staged(&self, engine: &dyn Engine, batch: &WriteBatch, id: &str) -> Result<Value> {
        let row = Table::<Row<E>>::new().get_staged(engine, batch, &row_key(id))?;
        Ok(row.map(|row| row.stored))
    }

    fn stage(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &Arc<str>,
        value: &Value,
    ) -> Result<()> {
        let table = Table::<Row<E>>::new();
        match value {
            Some(stored) => {
                let row = Row::new(Arc::clone(id), Arc::clone(stored));
                table.stage_put(engine, batch, &row)
            }
            None => table
                .stage_delete(engine, batch, &row_key(id))
                .map(|_was_there| ()),
        }
    }

    fn has_versions(&self, engine: &dyn Engine, id: &str) -> Result<bool> {
        let Some(history) = E::HISTORY else {
            return Ok(false);
        };
        let first = engine.scan(history, &Range::prefix(&row_key(id)), 1)?;
        Ok(!first.is_empty())
    }

    fn put_version(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &Arc<str>,
        version: StoredVersion,
    ) -> Result<()> {
        let version = Version::<E> {
            id: Arc::clone(id),
            checkpoint: version.checkpoint,
            bytes: version.bytes,
            entity: PhantomData,
        };
        Table::new().stage_put(engine, batch, &version)
    }

    fn delete_version(
        &self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        id: &str,
        checkpoint: u64,
    ) -> Result<()> {
        Table::<Version<E>>::new()
            .stage_delete(engine, batch, &version_key(id, checkpoint))
            .map(|_was_there| ())
    }

    fn for_each_history(&self, engine: &dyn Engine, visit: Visit<'_>) -> Result<()> {
        let Some(history) = E::HISTORY else {
            return Ok(());
        };
        let mut current: Option<Arc<str>> = None;
        let mut versions = Vec::new();
        scan_all(engine, history, Vec::new(), None, &mut |key, value| {
            let version = Version::<E>::decode(key, value)?;
            if current.as_ref() != Some(&version.id) {
                if let Some(id) = current.replace(Arc::clone(&version.id)) {
                    visit(id, &versions)?;
                }
                versions.clear();
            }
            versions.push(StoredVersion {
                checkpoint: version.checkpoint,
                bytes: version.bytes,
            });
            Ok(())
        })?;
        current.map_or(Ok(()), |id| visit(id, &versions))
    }
}

/// Reads the keys from `start` and below `end`, a chunk at a time.
pub(super) fn scan_all(
    engine: &dyn Engine,
    family: Family,
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    visit: &mut impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut range = Range {
        start,
        end,
        after: None,
    };
    loop {
        let rows = engine.scan(family, &range, SCAN_ROWS)?;
        for (key, value) in &rows {
            visit(key, value)?;
        }
        match rows.into_iter().nth(SCAN_ROWS - 1) {
            None => return Ok(()),
            Some((last, _)) => {
                range.start.clone_from(&last);
                range.after = Some(last);
            }
        }
    }
}
