//! Decoded blocks, up to a number of bytes; the oldest go first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A segment's number and the block's offset in it.
type Id = (u64, u64);

#[derive(Debug, Default)]
struct State {
    blocks: HashMap<Id, Arc<Vec<u8>>>,
    order: VecDeque<Id>,
    bytes: usize,
}

/// The cache.
#[derive(Debug)]
pub(super) struct BlockCache {
    limit: usize,
    state: Mutex<State>,
}

impl BlockCache {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: Id) -> Option<Arc<Vec<u8>>> {
        self.state().blocks.get(&id).cloned()
    }

    pub(super) fn insert(&self, id: Id, block: &Arc<Vec<u8>>) {
        let mut state = self.state();
        if block.len() > self.limit || state.blocks.insert(id, Arc::clone(block)).is_some() {
            return;
        }
        state.order.push_back(id);
        state.bytes += block.len();
        while state.bytes > self.limit {
            let Some(oldest) = state.order.pop_front() else {
                return;
            };
            let freed = state.blocks.remove(&oldest).map_or(0, |old| old.len());
            state.bytes -= freed;
        }
    }
}
