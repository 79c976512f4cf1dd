//! [`Writer`]: group commit for many producers over one engine.
//!
//! There is no hand-off per request. A caller stages its change itself, into the
//! open batch, under the writer's lock; whoever then needs a commit while nobody
//! commits becomes the *leader* and commits for all who wait. Meanwhile others
//! stage the next batch: their reads see open batch, then the batches waiting for
//! their commit, then the engine. One thread, the *keeper*, commits what nobody
//! waits for: batches that are too old or full, and requests acknowledged as
//! enqueued.

mod core;
mod keeper;
mod lead;
mod pending;
mod policy;
mod stage;
mod state;
mod ticket;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use core::Core;
use keeper::DeathGuard;
pub use pending::Change;
use pending::Work;
pub use policy::{Coalesce, FlushWhen, OnError, OnFull, Policy};
pub use stage::{Stage, View};
use state::Life;
pub use ticket::Ticket;

use crate::batch::Op;
use crate::durability::{Ack, Frontier};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::table::Record;

/// What a writer has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseReport {
    /// Batches committed.
    pub commits: u64,
    /// Operations in them.
    pub committed_ops: u64,
    /// Batches whose commit failed, repetitions not counted.
    pub failed_commits: u64,
    /// Requests that were accepted and are not stored.
    pub lost_requests: u64,
    /// Operations in those.
    pub lost_ops: u64,
    /// Requests of which nobody can tell whether they are stored.
    pub indeterminate_requests: u64,
    /// Operations in those.
    pub indeterminate_ops: u64,
    /// Requests that could not be staged (their tickets say why).
    pub refused: u64,
    /// Requests that a full queue rejected ([`OnFull::Reject`]).
    pub rejected: u64,
    /// Requests that a full queue dropped ([`OnFull::Shed`]).
    pub shed: u64,
}

impl CloseReport {
    fn lose(&mut self, requests: usize, ops: usize, why: &Error) {
        let (lost_requests, lost_ops) = match why {
            Error::Indeterminate { .. } => (
                &mut self.indeterminate_requests,
                &mut self.indeterminate_ops,
            ),
            _ => (&mut self.lost_requests, &mut self.lost_ops),
        };
        *lost_requests += requests as u64;
        *lost_ops += ops as u64;
    }
}

/// Group commit: many producers, one engine. Share it by reference or `Arc`.
#[derive(Debug)]
pub struct Writer {
    core: Arc<Core>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// Keeps a writer that is being closed open for requests: closing waits until
/// every one of these is dropped. For work that has begun and will still enqueue.
#[derive(Debug)]
#[must_use = "dropping it lets the writer close"]
pub struct Producer {
    core: Arc<Core>,
}

impl Drop for Producer {
    fn drop(&mut self) {
        let mut state = self.core.lock();
        state.producers -= 1;
        self.core.wake_keeper(&mut state);
    }
}

impl Writer {
    /// Starts the keeper's thread; the writer owns `engine` from here on, and
    /// nobody else may write to its store.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(engine: Box<dyn Engine>, policy: Policy) -> Result<Self> {
        let core = Arc::new(Core::new(engine, policy));
        let guard = DeathGuard(Arc::clone(&core));
        let thread = std::thread::Builder::new().name("batch-store-writer".to_owned());
        let thread = thread
            .spawn(move || guard.0.keep())
            .map_err(|error| Error::State {
                action: "start the writer",
                reason: error.to_string(),
            })?;
        let keeper = Mutex::new(Some(thread));
        Ok(Self { core, keeper })
    }

    /// Submits a change with the policy's acknowledgement level.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn submit(&self, change: Change) -> Result<Ticket> {
        self.submit_with(change, self.core.policy.ack)
    }

    /// Submits a change whose ticket resolves at `level`. At [`Ack::Enqueued`] it
    /// is staged by somebody else, later, and this call waits for nothing but
    /// room; at any other level it is staged now, which waits for a commit under
    /// way when the change reads rows that no waiting batch has.
    ///
    /// A change runs while the writer's lock is held: it must not use the writer,
    /// and what it takes, everybody waits for.
    ///
    /// # Errors
    /// When the queue is full (and the policy rejects), the request alone is
    /// larger than the queue, or the writer has stopped. A change that fails is
    /// an error of its ticket.
    pub fn submit_with(&self, change: Change, level: Ack) -> Result<Ticket> {
        self.core.submit(Work::Change(change), level)
    }

    /// Submits a put of one record. A record without indexes is encoded before
    /// any lock is taken and never waits for the engine.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn put<R: Record + Send + 'static>(&self, record: R, level: Ack) -> Result<Ticket> {
        if !R::INDEXES.is_empty() {
            return self.submit_with(Box::new(move |stage| stage.put(&record).map(|()| 1)), level);
        }
        match record.encode() {
            Ok(value) => {
                let (family, key) = (R::PRIMARY, record.key());
                let value = Some(value);
                self.core
                    .submit(Work::Put(Op { family, key, value }), level)
            }
            Err(error) => {
                self.core.lock().report.refused += 1;
                Ok(Ticket::resolved(level, Err(error)))
            }
        }
    }

    /// Submits a delete of the record under `key`; of a missing one, nothing.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn delete<R: Record + 'static>(&self, key: Vec<u8>, level: Ack) -> Result<Ticket> {
        self.submit_with(
            Box::new(move |stage| stage.delete::<R>(&key).map(usize::from)),
            level,
        )
    }

    /// Submits a change of the record under `key`, as [`Stage::merge`]: changes
    /// compose in the order they were submitted, and of a missing record nothing
    /// is made.
    ///
    /// # Errors
    /// As [`Writer::submit_with`].
    pub fn merge<R: Record + 'static>(
        &self,
        key: Vec<u8>,
        mut change: impl FnMut(R) -> Result<Option<R>> + Send + 'static,
        level: Ack,
    ) -> Result<Ticket> {
        self.submit_with(
            Box::new(move |stage| stage.merge::<R>(&key, &mut change).map(usize::from)),
            level,
        )
    }

    /// Reads committed rows with everything submitted before this call on top.
    /// Producers wait meanwhile: take bytes out and decode them afterwards, or
    /// read committed rows from an engine of your own.
    ///
    /// # Errors
    /// What `read` returns, or when the writer has stopped.
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        self.core.read(read)
    }

    /// Commits everything submitted before this call and waits until it is
    /// committed, or synced when `level` says so. A reader that starts after it
    /// returned sees all of that.
    ///
    /// # Errors
    /// When any of it could not be committed, the sync failed, or the writer has
    /// stopped.
    pub fn barrier(&self, level: Ack) -> Result<()> {
        self.core.barrier(level)
    }

    /// Has everything submitted before this call committed, without waiting.
    pub fn flush(&self) {
        self.core.flush();
    }

    /// How far the writer has got.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        self.core.lock().frontier
    }

    /// What it has done so far.
    #[must_use]
    pub fn report(&self) -> CloseReport {
        self.core.lock().report
    }

    /// Requests accepted and not committed, and their bytes as far as they are known.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        let state = self.core.lock();
        (state.items, state.bytes)
    }

    /// Registers a producer, for which closing waits.
    ///
    /// # Errors
    /// When the writer is being closed, or has stopped.
    pub fn producer(&self) -> Result<Producer> {
        let mut state = self.core.lock();
        match &state.life {
            Life::Open => state.producers += 1,
            Life::Dead(error) => return Err(error.clone()),
            _ => return Err(Error::WriterGone),
        }
        let core = Arc::clone(&self.core);
        Ok(Producer { core })
    }

    /// [`Writer::close_within`] the policy's deadline.
    ///
    /// # Errors
    /// As [`Writer::close_within`].
    pub fn close(&self) -> Result<CloseReport> {
        self.close_within(self.core.policy.close_deadline)
    }

    /// Waits for the registered producers, refuses further requests, commits
    /// those that wait, syncs, closes the engine, and reports. Once it succeeded,
    /// calling it again gives the same report.
    ///
    /// # Errors
    /// [`Error::CloseDeadline`] when it took longer: what was not under way is
    /// then lost. The engine's error when it could not be closed, or a commit's
    /// whose batch is kept: call again when the cause is gone, nothing is lost.
    /// [`Error::WriterGone`] or [`Error::Poisoned`] when the writer is dead.
    pub fn close_within(&self, deadline: Duration) -> Result<CloseReport> {
        self.core.close(deadline)
    }
}

impl Drop for Writer {
    /// Drains like [`Writer::close`], whose report it drops.
    fn drop(&mut self) {
        let _ = self.close();
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if self.core.abandon()
            && let Some(keeper) = keeper.take()
        {
            let _ = keeper.join();
        }
    }
}
