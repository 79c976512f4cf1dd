//! [`WriteBatch`]: an ordered list of changes that an engine applies whole or not at all.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::engine::Range;
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

impl Op {
    /// Bytes of the key and the value.
    pub(crate) fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Changes that belong together. Only [`Table`](crate::Table) and the writer's
/// [`Stage`](crate::Stage) add to one, so that a record without its index
/// entries cannot be expressed.
#[derive(Debug, Default, Clone)]
pub struct WriteBatch {
    ops: Vec<Op>,
    /// For each change, the earlier one of the same row that it supersedes.
    superseded: Vec<Option<usize>>,
    /// The last change of each row, found by the row's hash.
    latest: HashTable<usize>,
    hasher: DefaultHashBuilder,
    bytes: usize,
    repeats: usize,
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

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
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

    pub(crate) fn push(&mut self, op: Op) {
        let (at, ops, hasher) = (self.ops.len(), &self.ops, &self.hasher);
        let hash = hasher.hash_one((op.family.name(), &op.key));
        let same = |other: &usize| ops[*other].family == op.family && ops[*other].key == op.key;
        let earlier = match self.latest.find_mut(hash, same) {
            Some(slot) => Some(std::mem::replace(slot, at)),
            None => {
                let rehash = |at: &usize| hasher.hash_one((ops[*at].family.name(), &ops[*at].key));
                self.latest.insert_unique(hash, at, rehash);
                None
            }
        };
        self.repeats += usize::from(earlier.is_some());
        self.superseded.push(earlier);
        self.bytes += op.bytes();
        self.ops.push(op);
    }

    /// What this batch says about a row: nothing, that it is deleted, or its value.
    pub(crate) fn pending(&self, family: Family, key: &[u8]) -> Option<Option<&[u8]>> {
        let hash = self.hasher.hash_one((family.name(), key));
        let same = |at: &usize| self.ops[*at].family == family && self.ops[*at].key == key;
        let at = *self.latest.find(hash, same)?;
        Some(self.ops[at].value.as_deref())
    }

    /// The rows of `range` that this batch changes, in no order.
    pub(crate) fn pending_in<'a>(
        &'a self,
        family: Family,
        range: &'a Range,
    ) -> impl Iterator<Item = &'a Op> {
        let ops = self.latest.iter().map(|at| &self.ops[*at]);
        ops.filter(move |op| op.family == family && range.contains(&op.key))
    }

    /// Takes back every change after the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        while self.ops.len() > len {
            let (Some(op), Some(earlier)) = (self.ops.pop(), self.superseded.pop()) else {
                return;
            };
            self.bytes -= op.bytes();
            let at = self.ops.len();
            let hash = self.hasher.hash_one((op.family.name(), &op.key));
            if let Ok(mut entry) = self.latest.find_entry(hash, |other| *other == at) {
                match earlier {
                    Some(earlier) => {
                        *entry.get_mut() = earlier;
                        self.repeats -= 1;
                    }
                    None => drop(entry.remove()),
                }
            }
        }
    }

    /// The same final state with one change a row: its last.
    pub(crate) fn coalesced(&self) -> Cow<'_, Self> {
        if self.repeats == 0 {
            return Cow::Borrowed(self);
        }
        let mut is_last = vec![true; self.ops.len()];
        for earlier in self.superseded.iter().flatten() {
            is_last[*earlier] = false;
        }
        let mut batch = Self::new();
        for (op, _) in self.ops.iter().zip(is_last).filter(|(_, last)| *last) {
            batch.push(op.clone());
        }
        Cow::Owned(batch)
    }
}
