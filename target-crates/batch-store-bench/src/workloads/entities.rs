//! The entity store behind an indexer: batches of events over two entity types,
//! of which 60 % overwrite an entity of a hot set (zipf), 10 % delete one and 30 %
//! add one; a checkpoint per block, 200 blocks a batch. Every so many batches the
//! chain's head is reached: the last batch keeps its history, half of its blocks
//! are undone, and other blocks come in their place.
//!
//! Runs twice: flat out, where storage is the limit and the processor waits for it;
//! and as an indexer, whose handlers take 20 us an event and whose commits take 5 ms
//! more. There the processor should hardly wait. Events are generated before the
//! timer, together with the state that they must leave.

mod plan;
mod types;

use std::path::Path;
use std::time::{Duration, Instant};

use batch_store::engine::Row;
use batch_store::entities::{Checkpoint, EntityStore, History, Options};
use batch_store::{BulkLoad, Durability, Engine, Family, Range, Seq, SqliteEngine, WriteBatch};

use self::plan::{BLOCKS, Event, Plan, Work, is_account, name};
use self::types::{ACCOUNTS, ACCOUNTS_BY_OWNER, Account, TRANSFERS, Transfer, body, schema};
use super::timed;
use crate::metrics::Metric;
use crate::scale::Scale;
use crate::{Result, verify};

/// What a run adds to the store's own work.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// To each commit.
    commit: Duration,
    /// To each event.
    handler: Duration,
}

const FLAT_OUT: Pace = Pace {
    commit: Duration::ZERO,
    handler: Duration::ZERO,
};
const INDEXER: Pace = Pace {
    commit: Duration::from_millis(5),
    handler: Duration::from_micros(20),
};

/// What a run saw.
#[derive(Debug, Default)]
struct Observed {
    elapsed: Duration,
    stalled: Duration,
    peak_resident: usize,
}

/// The processor: does the work and counts the time in which it had to wait.
struct Processor {
    store: EntityStore,
    /// The checkpoint of each block of the chain.
    chain: Vec<u64>,
    observed: Observed,
    handler: Duration,
}

impl Processor {
    fn run(&mut self, work: &[Work]) -> Result<()> {
        for work in work {
            match work {
                Work::Batch { blocks, history } => self.batch(blocks, *history)?,
                Work::Reorganise(blocks) => {
                    self.stalled(|store| store.flush().map(|_frontiers| ()))?;
                    self.chain.truncate(self.chain.len() - blocks);
                    let target = self.chain.last().copied().unwrap_or_default();
                    self.store.rollback(target)?;
                    self.observe();
                }
            }
        }
        Ok(self.store.flush().map(|_frontiers| ())?)
    }

    fn stalled(
        &mut self,
        wait: impl FnOnce(&mut EntityStore) -> batch_store::Result<()>,
    ) -> Result<()> {
        let (outcome, elapsed) = timed(|| wait(&mut self.store));
        self.observed.stalled += elapsed;
        Ok(outcome?)
    }

    fn observe(&mut self) {
        let peak = &mut self.observed.peak_resident;
        *peak = (*peak).max(self.store.resident());
    }

    fn batch(&mut self, blocks: &[Vec<Event>], history: History) -> Result<()> {
        self.stalled(EntityStore::begin_batch)?;
        let first = self.store.lowest_checkpoint();
        let mut checkpoints = Vec::with_capacity(blocks.len());
        for (number, block) in (first..).zip(blocks) {
            for event in block {
                self.event(number, *event)?;
            }
            self.chain.push(number);
            let data = (self.chain.len() as u64).to_be_bytes().to_vec();
            checkpoints.push(Checkpoint { number, data });
        }
        self.store.commit_batch(checkpoints, history)?;
        self.observe();
        Ok(())
    }

    /// A handler: reads the entity, and then sets or deletes it.
    fn event(&mut self, checkpoint: u64, event: Event) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < self.handler {
            std::hint::spin_loop();
        }
        let id = name(event.id);
        let store = &mut self.store;
        match (is_account(event.id), event.value) {
            (true, Some(value)) => {
                store.get::<Account>(&id)?;
                store.set(checkpoint, &Account { id, value })?;
            }
            (true, None) => store.delete::<Account>(checkpoint, &id)?,
            (false, Some(value)) => {
                store.get::<Transfer>(&id)?;
                store.set(checkpoint, &Transfer { id, value })?;
            }
            (false, None) => store.delete::<Transfer>(checkpoint, &id)?,
        }
        Ok(())
    }
}

fn measure(path: &Path, scale: Scale, plan: &Plan, pace: Pace) -> Result<Observed> {
    let options = Options {
        capacity: scale.entity_capacity,
        ..Options::default()
    };
    let inner = SqliteEngine::open(path, &schema().families(), options.durability)?;
    let engine = Box::new(Slow {
        inner,
        latency: pace.commit,
    });
    let reader = Box::new(SqliteEngine::open_read_only(path)?);
    let mut processor = Processor {
        store: EntityStore::open(engine, Some(reader), schema(), options)?,
        chain: Vec::new(),
        observed: Observed::default(),
        handler: pace.handler,
    };
    let start = Instant::now();
    processor.run(&plan.work)?;
    processor.observed.elapsed = start.elapsed();
    let history = processor.store.count_versions()?;
    processor.store.close()?;
    verify("the number of versions", &history, &plan.history_rows())?;
    verify(
        "the number of checkpoints",
        &SqliteEngine::open_read_only(path)?.count(batch_store::entities::CHECKPOINTS)?,
        &(plan.undo.len() as u64),
    )?;
    check_rows(path, plan)?;
    let bound = scale.entity_capacity + scale.entity_batch_events + BLOCKS;
    let peak = processor.observed.peak_resident;
    // Not the peak itself, which depends on when the writer had its turn: what is verified is the same in
    // every run.
    verify(
        "entities resident beyond a batch above the capacity",
        &peak.saturating_sub(bound),
        &0,
    )?;
    Ok(processor.observed)
}

fn check_rows(path: &Path, plan: &Plan) -> Result<()> {
    let reader = SqliteEngine::open_read_only(path)?;
    let accounts = plan.rows.keys().filter(|id| is_account(**id)).count() as u64;
    verify(
        "the number of accounts",
        &reader.count(ACCOUNTS)?,
        &accounts,
    )?;
    let by_owner = reader.count(ACCOUNTS_BY_OWNER)?;
    verify("the number of index entries", &by_owner, &accounts)?;
    let transfers = plan.rows.len() as u64 - accounts;
    verify(
        "the number of transfers",
        &reader.count(TRANSFERS)?,
        &transfers,
    )?;
    for (family, of_accounts) in [(ACCOUNTS, true), (TRANSFERS, false)] {
        let mut found = crc32fast::Hasher::new();
        for (key, value) in reader.scan(family, &Range::all(), usize::MAX >> 1)? {
            found.update(&key[..key.len() - 1]);
            found.update(&value);
        }
        let mut expected = crc32fast::Hasher::new();
        for (id, value) in &plan.rows {
            if is_account(*id) == of_accounts {
                expected.update(name(*id).as_bytes());
                expected.update(&body(*value));
            }
        }
        verify(
            "the digest of the rows",
            &found.finalize(),
            &expected.finalize(),
        )?;
    }
    Ok(())
}

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong entities.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let plan = Plan::new(scale.entity_batches, scale.entity_batch_events);
    let flat_out = measure(&dir.join("flat-out.db"), scale, &plan, FLAT_OUT)?;
    let indexer = measure(&dir.join("indexer.db"), scale, &plan, INDEXER)?;
    let percent = |observed: &Observed| {
        100.0 * observed.stalled.as_secs_f64() / observed.elapsed.as_secs_f64()
    };
    let peak = flat_out.peak_resident.max(indexer.peak_resident) as u64;
    Ok(vec![
        Metric::ms("entities_ms", flat_out.elapsed),
        Metric::new(
            "entities_per_s",
            plan.events as f64 / flat_out.elapsed.as_secs_f64(),
        ),
        Metric::new("entities_stall_percent", percent(&flat_out)),
        Metric::ms("entities_indexer_ms", indexer.elapsed),
        Metric::new("entities_indexer_stall_percent", percent(&indexer)),
        Metric::count("entities_peak_resident", peak),
        Metric::count("entities_history_rows", plan.history_rows()),
    ])
}

/// An engine whose commits take longer.
struct Slow {
    inner: SqliteEngine,
    latency: Duration,
}

impl Engine for Slow {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> batch_store::Result<Seq> {
        std::thread::sleep(self.latency);
        self.inner.commit(batch, durability)
    }

    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> batch_store::Result<Seq> {
        std::thread::sleep(self.latency);
        self.inner.ingest(load, durability)
    }

    fn get(&self, family: Family, key: &[u8]) -> batch_store::Result<Option<Vec<u8>>> {
        self.inner.get(family, key)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> batch_store::Result<Vec<Row>> {
        self.inner.scan(family, range, limit)
    }

    fn count(&self, family: Family) -> batch_store::Result<u64> {
        self.inner.count(family)
    }

    fn sync(&mut self) -> batch_store::Result<()> {
        self.inner.sync()
    }

    fn checkpoint(&mut self, dir: &Path) -> batch_store::Result<Vec<String>> {
        self.inner.checkpoint(dir)
    }

    fn close(&mut self) -> batch_store::Result<()> {
        self.inner.close()
    }
}
