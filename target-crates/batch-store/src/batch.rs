//! [`WriteBatch`]: an ordered list of changes that an engine applies whole or not at all.

use std::collections::HashMap;

use crate::table::Family;

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The family (physical table) of the row.
    pub family: Family,
    /// The row's key.
    pub key: Vec<u8>,
    /// The new value; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// Changes that belong together. Only [`Table`](crate::Table) adds to one, so
/// that a record without its index entries cannot be expressed.
#[derive(Debug, Default)]
pub struct WriteBatch {
    ops: Vec<Op>,
    latest: HashMap<(Family, Vec<u8>), usize>,
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The changes, in the order they take effect.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    pub(crate) fn put(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>) {
        self.push(Op {
            family,
            key,
            value: Some(value),
        });
    }

    pub(crate) fn delete(&mut self, family: Family, key: Vec<u8>) {
        self.push(Op {
            family,
            key,
            value: None,
        });
    }

    fn push(&mut self, op: Op) {
        self.latest
            .insert((op.family, op.key.clone()), self.ops.len());
        self.ops.push(op);
    }

    /// What this batch says about a row: nothing, that it is deleted, or its value.
    pub(crate) fn pending(&self, family: Family, key: &[u8]) -> Option<Option<&[u8]>> {
        let at = *self.latest.get(&(family, key.to_vec()))?;
        Some(self.ops[at].value.as_deref())
    }

    /// Takes back every change after the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.ops.len() {
            return;
        }
        self.ops.truncate(len);
        self.latest.clear();
        for (at, op) in self.ops.iter().enumerate() {
            self.latest.insert((op.family, op.key.clone()), at);
        }
    }
}
