//! The reference model: a `BTreeMap` per family. Nothing survives it.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::Family;

/// An engine that keeps its rows in memory.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    rows: BTreeMap<(&'static str, Vec<u8>), Vec<u8>>,
    seq: u64,
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine for MemoryEngine {
    fn commit(&mut self, batch: &WriteBatch, _durability: Durability) -> Result<Seq> {
        for op in batch.ops() {
            let key = (op.family.name(), op.key.clone());
            match &op.value {
                Some(value) => self.rows.insert(key, value.clone()),
                None => self.rows.remove(&key),
            };
        }
        self.seq += 1;
        Ok(Seq(self.seq))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.get(&(family.name(), key.to_vec())).cloned())
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        let rows = self.rows.range((family.name(), range.start.clone())..);
        let rows = rows
            .take_while(|((name, key), _)| {
                *name == family.name() && range.end.as_ref().is_none_or(|end| key < end)
            })
            .filter(|((_, key), _)| range.after.as_ref().is_none_or(|after| key > after));
        Ok(rows
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn count(&self, family: Family) -> Result<u64> {
        Ok(self
            .rows
            .keys()
            .filter(|(name, _)| *name == family.name())
            .count() as u64)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, _dir: &Path) -> Result<Vec<String>> {
        let reason = "the memory engine has no files".to_owned();
        Err(Error::State {
            action: "copy the store",
            reason,
        })
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
