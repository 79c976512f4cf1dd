//! The writing side: a queue of processed batches and the one thread that writes
//! them, one transaction at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::history::{self, Tables};
use super::records::StoreState;
use super::transaction::{self, Processed};
use crate::batch::WriteBatch;
use crate::durability::Durability;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// How far an entity store is. Both only grow, and `committed <= processed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frontiers {
    /// The last checkpoint of the last batch handed over: memory has it.
    pub processed: u64,
    /// The last checkpoint in storage: a restart continues after it.
    pub committed: u64,
}

/// One thing to write.
#[derive(Debug)]
pub(super) enum Work {
    Batch(Processed),
    /// Drop what no rollback to this checkpoint or above needs.
    Prune(u64),
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Work>,
    writing: bool,
    frontiers: Frontiers,
    /// Checkpoints of batches that are not committed yet.
    checkpoints: usize,
    failed: Option<Error>,
    closing: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.writing
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, or until a write has failed.
    fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<Frontiers> {
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if done(&state) {
                return Ok(state.frontiers);
            }
            state = self.wait(state);
        }
    }
}

/// Follows an entity store's frontiers from any thread.
#[derive(Debug, Clone)]
pub struct FrontierWatch(Arc<Shared>);

impl FrontierWatch {
    /// How far the store is now.
    #[must_use]
    pub fn frontiers(&self) -> Frontiers {
        self.0.lock().frontiers
    }

    /// Waits until `checkpoint` is committed.
    ///
    /// # Errors
    /// The failed write's, when one fails; [`Error::WriterGone`] when the store is
    /// closed before.
    pub fn wait_committed(&self, checkpoint: u64) -> Result<Frontiers> {
        let frontiers = self.0.wait_until(|state| {
            state.frontiers.committed >= checkpoint || (state.closing && state.is_idle())
        })?;
        if frontiers.committed >= checkpoint {
            Ok(frontiers)
        } else {
            Err(Error::WriterGone)
        }
    }
}

/// The engine, shared with a store that has no reader of its own.
pub(super) type SharedEngine = Arc<Mutex<Box<dyn Engine>>>;

/// The queue and its thread, as the store holds them.
#[derive(Debug)]
pub(super) struct Pipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pipeline {
    pub(super) fn spawn(
        tables: Arc<Tables>,
        engine: SharedEngine,
        durability: Durability,
        stored: StoreState,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().frontiers = Frontiers {
            processed: stored.committed,
            committed: stored.committed,
        };
        let writer = BackgroundWriter {
            shared: Arc::clone(&shared),
            tables,
            engine,
            durability,
            stored,
        };
        let thread = std::thread::Builder::new().name("batch-store-entities".to_owned());
        let thread = thread
            .spawn(move || writer.run())
            .map_err(|error| Error::State {
                action: "start the entity store's writer",
                reason: error.to_string(),
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn watch(&self) -> FrontierWatch {
        FrontierWatch(Arc::clone(&self.shared))
    }

    /// Refuses to go on after a failed write, with its error, or once closed.
    pub(super) fn check(&self) -> Result<Frontiers> {
        let state = self.shared.lock();
        match &state.failed {
            Some(error) => Err(error.clone()),
            None if state.closing => Err(Error::WriterGone),
            None => Ok(state.frontiers),
        }
    }

    /// Checkpoints in memory.
    pub(super) fn checkpoints(&self) -> usize {
        self.shared.lock().checkpoints
    }

    pub(super) fn push(&self, work: Work) -> Result<()> {
        self.check()?;
        let mut state = self.shared.lock();
        if let Work::Batch(processed) = &work {
            state.frontiers.processed = processed.upto;
            state.checkpoints += processed.checkpoints.len();
        }
        state.queue.push_back(work);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until more than `than` is committed, or nothing is left to commit.
    pub(super) fn wait_for_commit(&self, than: u64) -> Result<Frontiers> {
        self.shared
            .wait_until(|state| state.frontiers.committed > than || state.is_idle())
    }

    /// Waits until everything queued is written.
    pub(super) fn flush(&self) -> Result<Frontiers> {
        self.shared.wait_until(State::is_idle)
    }

    /// Takes no more work and ends the thread once the queue is written.
    pub(super) fn stop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic is in `failed` already: see `Poison`.
            let _ = thread.join();
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread.
struct BackgroundWriter {
    shared: Arc<Shared>,
    tables: Arc<Tables>,
    engine: SharedEngine,
    durability: Durability,
    stored: StoreState,
}

/// Wakes everybody who waits, with an error, when the thread dies in a panic.
struct Poison(Arc<Shared>);

impl Drop for Poison {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.lock();
            state.writing = false;
            state.failed = Some(Error::State {
                action: "write entities",
                reason: "the writing thread panicked".to_owned(),
            });
            self.0.changed.notify_all();
        }
    }
}

impl BackgroundWriter {
    fn run(mut self) {
        let _poison = Poison(Arc::clone(&self.shared));
        while let Some(run) = self.next_run() {
            let outcome = self.write(&run);
            let mut state = self.shared.lock();
            state.writing = false;
            match outcome {
                Ok(stored) => {
                    self.stored = stored;
                    state.frontiers.committed = stored.committed;
                    state.checkpoints -= run.checkpoints();
                }
                Err(error) => {
                    state.failed = Some(error);
                    run.put_back(&mut state.queue);
                }
            }
            self.shared.changed.notify_all();
        }
    }

    /// Waits for work; `None` when there will be none.
    fn next_run(&self) -> Option<Run> {
        let mut state = self.shared.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(run) = Run::take(&mut state.queue) {
                state.writing = true;
                return Some(run);
            }
            if state.closing {
                return None;
            }
            state = self.shared.wait(state);
        }
    }

    fn write(&self, run: &Run) -> Result<StoreState> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = WriteBatch::new();
        let state = match run {
            Run::Batches(run) => {
                transaction::stage(&self.tables, &**engine, &mut batch, self.stored, run)?
            }
            Run::Prune(safe) => {
                history::stage_prune(&self.tables, &**engine, &mut batch, self.stored, *safe)?
            }
        };
        engine
            .commit(&batch, self.durability)
            .map_err(|error| match error {
                error @ (Error::Commit { .. } | Error::Indeterminate { .. }) => error,
                error => Error::Commit {
                    ops: batch.len(),
                    source: Box::new(error),
                },
            })?;
        Ok(state)
    }
}

/// What goes into one transaction.
#[derive(Debug)]
enum Run {
    Batches(Vec<Processed>),
    Prune(u64),
}

impl Run {
    /// The longest run from the front of the queue: batches of one history mode,
    /// only the first of which may carry a rollback; or one prune.
    fn take(queue: &mut VecDeque<Work>) -> Option<Self> {
        let first = match queue.pop_front()? {
            Work::Prune(safe) => return Some(Self::Prune(safe)),
            Work::Batch(first) => first,
        };
        let mode = first.history;
        let mut run = vec![first];
        while let Some(Work::Batch(next)) = queue.front() {
            if next.history != mode || next.rollback.is_some() {
                break;
            }
            if let Some(Work::Batch(next)) = queue.pop_front() {
                run.push(next);
            }
        }
        Some(Self::Batches(run))
    }

    fn checkpoints(&self) -> usize {
        match self {
            Self::Batches(run) => run.iter().map(|batch| batch.checkpoints.len()).sum(),
            Self::Prune(_) => 0,
        }
    }

    fn put_back(self, queue: &mut VecDeque<Work>) {
        match self {
            Self::Batches(run) => {
                for processed in run.into_iter().rev() {
                    queue.push_front(Work::Batch(processed));
                }
            }
            Self::Prune(safe) => queue.push_front(Work::Prune(safe)),
        }
    }
}
