//! [`VersionCache`]: the entities of one table that are in memory, with every
//! change that storage does not have yet.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::entity::{FieldValue, Filter};
use super::filters::Filters;
use super::records::Value;
use crate::table::Family;

/// What an entity became at a checkpoint. At checkpoint 0: what storage had when
/// it was loaded, which is never written back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub checkpoint: u64,
    pub value: Value,
}

/// A change on its way to storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    pub id: Arc<str>,
    pub change: Change,
}

#[derive(Debug)]
struct Entry {
    latest: Change,
    /// Older changes that storage may not have, oldest first.
    previous: Vec<Change>,
}

/// See the module. Checkpoints are given in growing order, as the store sees to.
#[derive(Debug)]
pub(super) struct VersionCache {
    entries: HashMap<Arc<str>, Entry>,
    previous: usize,
    /// Ids by the checkpoints above the settled frontier at which they changed.
    journal: BTreeMap<u64, Vec<Arc<str>>>,
    filters: Filters,
}

impl VersionCache {
    /// Empty, for a table with these indexes.
    pub(super) fn new(indexes: &'static [Family]) -> Self {
        Self {
            entries: HashMap::new(),
            previous: 0,
            journal: BTreeMap::new(),
            filters: Filters::new(indexes),
        }
    }

    /// The latest value, when it is known: `Some(None)` is known to be absent.
    pub(super) fn get(&self, id: &str) -> Option<&Value> {
        self.entries.get(id).map(|entry| &entry.latest.value)
    }

    /// Remembers what storage has. An id that is known already stays as it is.
    pub(super) fn load(&mut self, id: Arc<str>, value: Value) {
        self.entries.entry(id).or_insert(Entry {
            latest: Change {
                checkpoint: 0,
                value,
            },
            previous: Vec::new(),
        });
    }

    /// Adds a change. Of two at one checkpoint the last counts; an older one is
    /// kept while it is above the `committed` frontier.
    pub(super) fn set(&mut self, id: &Arc<str>, change: Change, committed: u64) {
        let checkpoint = change.checkpoint;
        let Some(entry) = self.entries.get_mut(id) else {
            self.filters.update(id, None, fields(&change.value));
            let (latest, previous) = (change, Vec::new());
            self.entries
                .insert(Arc::clone(id), Entry { latest, previous });
            self.journal
                .entry(checkpoint)
                .or_default()
                .push(Arc::clone(id));
            return;
        };
        self.filters
            .update(id, fields(&entry.latest.value), fields(&change.value));
        let displaced = std::mem::replace(&mut entry.latest, change);
        if displaced.checkpoint == checkpoint {
            return;
        }
        if displaced.checkpoint > committed {
            entry.previous.push(displaced);
            self.previous += 1;
        }
        self.journal
            .entry(checkpoint)
            .or_default()
            .push(Arc::clone(id));
    }

    /// The changes above `from`, up to and including `upto` (`from <= upto`), in
    /// checkpoint order.
    /// Those of (a, b], then those of (b, c], are those of (a, c].
    pub(super) fn snapshot(&self, from: u64, upto: u64) -> Vec<Recorded> {
        let mut changes = Vec::new();
        let interval = (Bound::Excluded(from), Bound::Included(upto));
        for (&checkpoint, ids) in self.journal.range(interval) {
            for id in ids {
                if let Some(change) = self.change_at(id, checkpoint) {
                    changes.push(Recorded {
                        id: Arc::clone(id),
                        change: change.clone(),
                    });
                }
            }
        }
        changes
    }

    fn change_at(&self, id: &str, checkpoint: u64) -> Option<&Change> {
        let entry = self.entries.get(id)?;
        if entry.latest.checkpoint == checkpoint {
            return Some(&entry.latest);
        }
        let at = entry
            .previous
            .binary_search_by_key(&checkpoint, |change| change.checkpoint);
        Some(&entry.previous[at.ok()?])
    }

    /// Drops the displaced changes that storage has by now.
    pub(super) fn settle(&mut self, committed: u64) {
        let unsettled = self.journal.split_off(&(committed + 1));
        let settled = std::mem::replace(&mut self.journal, unsettled);
        for id in settled.into_values().flatten() {
            if let Some(entry) = self.entries.get_mut(&id) {
                let before = entry.previous.len();
                entry
                    .previous
                    .retain(|change| change.checkpoint > committed);
                self.previous -= before - entry.previous.len();
            }
        }
    }

    /// Changes, ids in filters and filters in memory.
    pub(super) fn resident(&self) -> usize {
        self.entries.len() + self.previous + self.filters.weight()
    }

    /// Drops every filter, and the entities that storage has because they were
    /// written there. A settled cache only.
    pub(super) fn evict_written(&mut self, committed: u64) {
        self.filters.clear();
        self.entries
            .retain(|_, entry| entry.latest.checkpoint == 0 || entry.latest.checkpoint > committed);
    }

    /// After [`VersionCache::evict_written`], which dropped the filters: drops the
    /// entities that were only read.
    pub(super) fn evict_loaded(&mut self) {
        self.entries.retain(|_, entry| entry.latest.checkpoint != 0);
    }

    /// Forgets every change above `frontier`, below which all is settled.
    pub(super) fn discard_after(&mut self, frontier: u64) {
        self.filters.clear();
        for id in self
            .journal
            .split_off(&(frontier + 1))
            .into_values()
            .flatten()
        {
            if let Some(entry) = self.entries.remove(&id) {
                self.previous -= entry.previous.len();
            }
        }
    }

    /// Whether the filter's answer is in memory, and so complete.
    pub(super) fn has_filter(&self, filter: &Filter) -> bool {
        self.filters.get(filter).is_some()
    }

    /// Completes a filter: `stored` are the ids that match in storage, all of them
    /// loaded. What changed since they were committed is taken from here.
    pub(super) fn add_filter(&mut self, filter: &Filter, stored: Vec<Arc<str>>) {
        let Some(field) = self.filters.field(filter) else {
            return;
        };
        let changed = self.journal.values().flatten().cloned();
        let matching = stored.into_iter().chain(changed).filter(|id| {
            let fields = self.get(id).and_then(|value| fields(value));
            fields.is_some_and(|fields| filter.matches(&fields[field]))
        });
        let ids = matching.collect();
        self.filters.insert(filter.clone(), field, ids);
    }

    /// The ids that a complete filter matches, in order, with their bytes.
    pub(super) fn filtered(&self, filter: &Filter) -> Vec<(Arc<str>, Value)> {
        let ids = self.filters.get(filter).into_iter().flatten();
        ids.map(|id| (Arc::clone(id), self.get(id).cloned().flatten()))
            .collect()
    }
}

fn fields(value: &Value) -> Option<&[FieldValue]> {
    value.as_ref().map(|stored| stored.fields.as_slice())
}
