//! What the entity workload does, and the state that it must leave.

use std::collections::{BTreeMap, HashMap, HashSet};

use batch_store::entities::History;

use crate::rng::Rng;

/// Blocks in a batch.
pub const BLOCKS: usize = 200;
const UNDONE_BLOCKS: usize = 100;
/// Batches from one reorganisation to the next.
const CYCLE: usize = 50;

/// One event: what becomes of an entity. Two of three ids are accounts.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub id: u64,
    /// `None` deletes.
    pub value: Option<u64>,
}

pub fn is_account(id: u64) -> bool {
    !id.is_multiple_of(3)
}

pub fn name(id: u64) -> String {
    format!("0x{id:016x}")
}

#[derive(Debug)]
pub enum Work {
    Batch {
        blocks: Vec<Vec<Event>>,
        history: History,
    },
    /// Undoes so many blocks.
    Reorganise(usize),
}

/// The versions an entity must have: whether an anchor, and at which blocks.
#[derive(Debug, Default)]
struct Versions {
    anchor: bool,
    blocks: HashSet<u64>,
}

/// Generates the work, and applies it to the simplest thing that can be right.
#[derive(Debug)]
pub struct Plan {
    pub work: Vec<Work>,
    pub events: usize,
    pub rows: BTreeMap<u64, u64>,
    versions: HashMap<u64, Versions>,
    /// What each block replaced.
    pub undo: Vec<Vec<(u64, Option<u64>)>>,
    rng: Rng,
    next_id: u64,
}

impl Plan {
    pub fn new(batches: usize, batch_events: usize) -> Self {
        let mut plan = Self {
            work: Vec::new(),
            events: 0,
            rows: BTreeMap::new(),
            versions: HashMap::new(),
            undo: Vec::new(),
            rng: Rng::new(11),
            next_id: 0,
        };
        let cycle = CYCLE.min(batches);
        let block_events = batch_events / BLOCKS;
        for number in 1..=batches {
            if number % cycle != 0 {
                plan.batch(BLOCKS, block_events, History::Off);
                continue;
            }
            plan.batch(BLOCKS, block_events, History::On);
            plan.reorganise(UNDONE_BLOCKS);
            plan.batch(UNDONE_BLOCKS, block_events, History::On);
        }
        plan
    }

    fn batch(&mut self, blocks: usize, block_events: usize, history: History) {
        if history == History::Off {
            self.versions.clear();
        }
        let mut block = || {
            self.undo.push(Vec::new());
            (0..block_events).map(|_| self.event(history)).collect()
        };
        let blocks = (0..blocks).map(|_| block()).collect();
        self.work.push(Work::Batch { blocks, history });
    }

    fn event(&mut self, history: History) -> Event {
        self.events += 1;
        let kind = self.rng.below(10);
        let value = Some(self.rng.next_u64());
        let event = match kind {
            0..6 => Event {
                id: self.hot(),
                value,
            },
            6 => Event {
                id: self.rng.below(self.next_id.max(1)),
                value: None,
            },
            _ => {
                self.next_id += 1;
                Event {
                    id: self.next_id,
                    value,
                }
            }
        };
        self.apply(event, history);
        event
    }

    /// An id of the hot set, whose lowest is the most frequent (zipf, exponent 1).
    fn hot(&mut self) -> u64 {
        let set = (self.next_id / 4).max(1) as f64;
        set.powf(self.rng.unit()) as u64
    }

    fn apply(&mut self, event: Event, history: History) {
        let before = match event.value {
            Some(value) => self.rows.insert(event.id, value),
            None => self.rows.remove(&event.id),
        };
        let block = self.undo.len() as u64;
        if let Some(undo) = self.undo.last_mut() {
            undo.push((event.id, before));
        }
        if history == History::On {
            let versions = self.versions.entry(event.id).or_insert_with(|| Versions {
                anchor: before.is_some(),
                blocks: HashSet::new(),
            });
            versions.blocks.insert(block);
        }
    }

    fn reorganise(&mut self, blocks: usize) {
        let kept = self.undo.len() - blocks;
        for (id, before) in self.undo.split_off(kept).into_iter().flatten().rev() {
            match before {
                Some(value) => self.rows.insert(id, value),
                None => self.rows.remove(&id),
            };
        }
        self.versions.retain(|_, versions| {
            versions.blocks.retain(|block| *block <= kept as u64);
            versions.anchor || !versions.blocks.is_empty()
        });
        self.work.push(Work::Reorganise(blocks));
    }

    pub fn history_rows(&self) -> u64 {
        let rows = self.versions.values();
        rows.map(|versions| u64::from(versions.anchor) + versions.blocks.len() as u64)
            .sum()
    }
}
