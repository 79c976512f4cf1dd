//! [`Writer`]: one thread that owns an engine and commits for everybody.

mod policy;
mod queue;
mod ticket;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use policy::{FlushWhen, OnFull, Policy};
use queue::Queue;
use ticket::Completer;
pub use ticket::Ticket;
use worker::Worker;

use crate::batch::WriteBatch;
use crate::durability::{Ack, Frontier};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::table::{Record, Table};

/// A change: stages its operations and returns how many to count against
/// [`FlushWhen::ops`]. Runs on the writer's thread, so that reading before
/// writing needs no lock.
pub type Change = Box<dyn FnOnce(&mut Stage<'_>) -> Result<usize> + Send>;

/// What a change sees: the committed rows with the open batch on top.
pub struct Stage<'a> {
    engine: &'a dyn Engine,
    batch: &'a mut WriteBatch,
}

impl Stage<'_> {
    /// Stages a put of the record and its index entries.
    ///
    /// # Errors
    /// As [`Table::stage_put`].
    pub fn put<R: Record>(&mut self, record: &R) -> Result<()> {
        Table::<R>::new().stage_put(self.engine, self.batch, record)
    }

    /// Stages a delete of the record and its index entries; false when it is missing.
    ///
    /// # Errors
    /// As [`Table::stage_delete`].
    pub fn delete<R: Record>(&mut self, key: &[u8]) -> Result<bool> {
        Table::<R>::new().stage_delete(self.engine, self.batch, key)
    }

    /// The record as earlier changes left it, committed or not.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>> {
        Table::<R>::new().get_staged(self.engine, self.batch, key)
    }
}

enum Work {
    Change(Change),
    Barrier,
}

struct Request {
    work: Work,
    completer: Completer,
}

/// What a writer did in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseReport {
    /// Batches committed.
    pub commits: u64,
    /// Operations in them.
    pub committed_ops: u64,
    /// Batches whose commit failed.
    pub failed_commits: u64,
    /// Operations in those; they are not stored.
    pub lost_ops: u64,
    /// Requests that could not be staged (their tickets say why).
    pub refused: u64,
}

/// Group commit: many producers, one writer thread, one engine.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue<Request>>,
    policy: Policy,
    frontier: Arc<Mutex<Frontier>>,
    thread: Mutex<Thread>,
}

#[derive(Debug)]
enum Thread {
    Running(JoinHandle<Result<CloseReport>>),
    Ended(Result<CloseReport>),
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("level", &self.completer.level)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread, which owns `engine` from here on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(engine: Box<dyn Engine>, policy: Policy) -> Result<Self> {
        let queue = Arc::new(Queue::new(policy.queue_items));
        let frontier = Arc::new(Mutex::new(Frontier::default()));
        let worker = Worker::new(engine, policy, Arc::clone(&queue), Arc::clone(&frontier));
        let thread = std::thread::Builder::new().name("batch-store-writer".to_owned());
        let thread = thread
            .spawn(move || worker.run())
            .map_err(|error| Error::State {
                action: "start the writer",
                reason: error.to_string(),
            })?;
        Ok(Self {
            queue,
            policy,
            frontier,
            thread: Mutex::new(Thread::Running(thread)),
        })
    }

    /// Queues a change with the policy's acknowledgement level.
    ///
    /// # Errors
    /// When the queue is full (and the policy rejects) or the writer has stopped.
    pub fn submit(&self, change: Change) -> Result<Ticket> {
        self.submit_with(change, self.policy.ack)
    }

    /// Queues a change whose ticket resolves at `level`.
    ///
    /// # Errors
    /// As [`Writer::submit`].
    pub fn submit_with(&self, change: Change, level: Ack) -> Result<Ticket> {
        let (completer, ticket) = Completer::new(level);
        if level > Ack::Enqueued {
            self.queue.push(
                Request {
                    work: Work::Change(change),
                    completer,
                },
                self.policy.on_full,
            )?;
            return Ok(ticket);
        }
        let (silent, _) = Completer::new(level);
        self.queue.push(
            Request {
                work: Work::Change(change),
                completer: silent,
            },
            self.policy.on_full,
        )?;
        completer.resolve(Ok(()));
        Ok(ticket)
    }

    /// Queues a put of one record.
    ///
    /// # Errors
    /// As [`Writer::submit`].
    pub fn put<R: Record + Send + 'static>(&self, record: R, level: Ack) -> Result<Ticket> {
        self.submit_with(Box::new(move |stage| stage.put(&record).map(|()| 1)), level)
    }

    /// Commits everything queued before this call and waits until it is
    /// committed, or synced when `level` says so. A reader that starts after it
    /// returned sees all of that.
    ///
    /// # Errors
    /// When the commit or the sync failed, or the writer has stopped.
    pub fn barrier(&self, level: Ack) -> Result<()> {
        let (completer, ticket) = Completer::new(level.max(Ack::Committed));
        self.queue.push(
            Request {
                work: Work::Barrier,
                completer,
            },
            OnFull::Block,
        )?;
        ticket.wait()
    }

    /// How far the writer has got.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        *self.frontier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses further requests, commits those that wait, syncs, and reports.
    /// Calling it again gives the same report.
    ///
    /// # Errors
    /// When the thread panicked, or the engine could not be closed.
    pub fn close(&self) -> Result<CloseReport> {
        self.queue.close();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::replace(&mut *thread, Thread::Ended(Err(Error::WriterGone)));
        let outcome = match ended {
            Thread::Running(handle) => handle.join().unwrap_or(Err(Error::WriterGone)),
            Thread::Ended(outcome) => outcome,
        };
        *thread = Thread::Ended(outcome.clone());
        outcome
    }
}

impl Drop for Writer {
    /// Drains like [`Writer::close`], whose report it drops.
    fn drop(&mut self) {
        let _ = self.close();
    }
}
