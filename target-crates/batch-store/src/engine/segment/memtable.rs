//! The rows that are in the log and in no segment yet.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use crate::engine::Range;

/// Rows of one family; `None` is a tombstone.
pub(super) type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The newest rows, per family.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    families: BTreeMap<String, Rows>,
    bytes: usize,
}

impl Memtable {
    pub(super) fn apply(&mut self, family: &str, key: &[u8], value: Option<&[u8]>) {
        if !self.families.contains_key(family) {
            self.families.insert(family.to_owned(), Rows::new());
        }
        if let Some(rows) = self.families.get_mut(family) {
            self.bytes += key.len() + value.map_or(0, <[u8]>::len);
            rows.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        }
    }

    /// What is known of a row: nothing, that it is deleted, or its value.
    pub(super) fn get(&self, family: &str, key: &[u8]) -> Option<Option<&[u8]>> {
        self.families.get(family)?.get(key).map(Option::as_deref)
    }

    pub(super) fn range(
        &self,
        family: &str,
        range: &Range,
    ) -> Option<btree_map::Range<'_, Vec<u8>, Option<Vec<u8>>>> {
        let rows = self.families.get(family)?;
        let lower = match &range.after {
            Some(after) if *after >= range.start => Bound::Excluded(after.as_slice()),
            _ => Bound::Included(range.start.as_slice()),
        };
        let upper = range
            .end
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let is_empty = match (lower, upper) {
            (Bound::Included(lower) | Bound::Excluded(lower), Bound::Excluded(upper)) => {
                lower >= upper
            }
            _ => false,
        };
        (!is_empty).then(|| rows.range::<[u8], _>((lower, upper)))
    }

    pub(super) fn families(&self) -> impl Iterator<Item = (&str, &Rows)> {
        self.families
            .iter()
            .map(|(name, rows)| (name.as_str(), rows))
    }

    /// Bytes of keys and values put in, those since replaced included: what a
    /// replay of the log has to read.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has(&self, family: &str) -> bool {
        self.families.contains_key(family)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
