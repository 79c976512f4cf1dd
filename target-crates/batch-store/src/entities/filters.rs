//! [`Filters`]: which ids match which filter, kept right as entities change.
//!
//! Every id in a filter is in the cache beside it, so a change knows the fields
//! it replaces; whatever drops entities drops the filters with them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::entity::{Comparison, FieldValue, Filter};
use crate::table::Family;

type Ids = BTreeSet<Arc<str>>;

#[derive(Debug)]
pub(super) struct Filters {
    /// The table's indexes, in the order of its fields.
    indexes: &'static [Family],
    /// `=` filters by field and value: a change touches two of them.
    equal: HashMap<(usize, FieldValue), Ids>,
    /// `<` and `>` filters with their field: a change looks at each.
    ranges: HashMap<Filter, (usize, Ids)>,
    /// Ids in all of them.
    ids: usize,
}

impl Filters {
    pub(super) fn new(indexes: &'static [Family]) -> Self {
        Self {
            indexes,
            equal: HashMap::new(),
            ranges: HashMap::new(),
            ids: 0,
        }
    }

    /// Which field the filter is on; `None` when the table has no such index.
    pub(super) fn field(&self, filter: &Filter) -> Option<usize> {
        self.indexes.iter().position(|index| *index == filter.index)
    }

    pub(super) fn get(&self, filter: &Filter) -> Option<&Ids> {
        match filter.comparison {
            Comparison::Equal => {
                let field = self.field(filter)?;
                self.equal.get(&(field, filter.value.clone()))
            }
            Comparison::Less | Comparison::Greater => self.ranges.get(filter).map(|(_, ids)| ids),
        }
    }

    pub(super) fn insert(&mut self, filter: Filter, field: usize, ids: Ids) {
        self.ids += ids.len();
        match filter.comparison {
            Comparison::Equal => {
                self.equal.insert((field, filter.value), ids);
            }
            Comparison::Less | Comparison::Greater => {
                self.ranges.insert(filter, (field, ids));
            }
        }
    }

    /// The entity's fields changed; `None` is an absent entity.
    pub(super) fn update(
        &mut self,
        id: &Arc<str>,
        old: Option<&[FieldValue]>,
        new: Option<&[FieldValue]>,
    ) {
        if self.weight() == 0 || old == new {
            return;
        }
        let mut ids = self.ids as isize;
        for (field, value) in old.into_iter().flatten().enumerate() {
            if let Some(found) = self.equal.get_mut(&(field, value.clone())) {
                ids -= isize::from(found.remove(id));
            }
        }
        for (field, value) in new.into_iter().flatten().enumerate() {
            if let Some(found) = self.equal.get_mut(&(field, value.clone())) {
                ids += isize::from(found.insert(Arc::clone(id)));
            }
        }
        for (filter, (field, found)) in &mut self.ranges {
            ids -= isize::from(found.remove(id));
            if new.is_some_and(|new| filter.matches(&new[*field])) {
                ids += isize::from(found.insert(Arc::clone(id)));
            }
        }
        self.ids = ids.unsigned_abs();
    }

    /// Filters, and ids in them.
    pub(super) fn weight(&self) -> usize {
        self.equal.len() + self.ranges.len() + self.ids
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.indexes);
    }
}
