//! The commit loop: takes requests, stages them, commits, resolves tickets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::queue::{Popped, Queue};
use super::ticket::Completer;
use super::{CloseReport, Policy, Request, Stage, Work};
use crate::batch::WriteBatch;
use crate::durability::{Ack, Durability, Frontier};
use crate::engine::Engine;
use crate::error::{Error, Result};

pub(super) struct Worker {
    engine: Box<dyn Engine>,
    policy: Policy,
    queue: Arc<Queue<Request>>,
    frontier: Arc<Mutex<Frontier>>,
    batch: WriteBatch,
    waiting: Vec<Completer>,
    requests: usize,
    ops: usize,
    oldest: Option<Instant>,
    report: CloseReport,
}

/// Closes the queue and fails what waits in it, however the thread ends.
struct Abandon(Arc<Queue<Request>>);

impl Drop for Abandon {
    fn drop(&mut self) {
        drop(self.0.abandon());
    }
}

impl Worker {
    pub(super) fn new(
        engine: Box<dyn Engine>,
        policy: Policy,
        queue: Arc<Queue<Request>>,
        frontier: Arc<Mutex<Frontier>>,
    ) -> Self {
        Self {
            engine,
            policy,
            queue,
            frontier,
            batch: WriteBatch::new(),
            waiting: Vec::new(),
            requests: 0,
            ops: 0,
            oldest: None,
            report: CloseReport::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<CloseReport> {
        let _abandon = Abandon(Arc::clone(&self.queue));
        loop {
            let deadline = self.deadline();
            match self.queue.pop(deadline) {
                Popped::Item(request) => self.take(request),
                Popped::TimedOut => self.flush(),
                Popped::Closed => break,
            }
            if self.is_due() {
                self.flush();
            }
        }
        self.flush();
        self.engine.close()?;
        Ok(self.report)
    }

    /// How long to wait for a request before committing what is staged: not at
    /// all when that is the policy, or when somebody waits for the commit.
    fn deadline(&self) -> Option<Instant> {
        let is_awaited = !self.waiting.is_empty();
        let when = self.policy.flush_when;
        self.oldest.map(|oldest| {
            if when.idle || is_awaited {
                oldest
            } else {
                oldest + when.age
            }
        })
    }

    fn is_due(&self) -> bool {
        let when = self.policy.flush_when;
        self.ops >= when.ops
            || self.requests >= self.policy.max_batch
            || self
                .oldest
                .is_some_and(|oldest| oldest.elapsed() >= when.age)
    }

    fn take(&mut self, request: Request) {
        match request.work {
            Work::Change(change) => self.stage(change, request.completer),
            Work::Barrier => self.barrier(request.completer),
        }
    }

    /// Stages one change; when it fails midway, none of it stays in the batch.
    fn stage(&mut self, change: super::Change, completer: Completer) {
        let before = self.batch.len();
        let mut stage = Stage {
            engine: &*self.engine,
            batch: &mut self.batch,
        };
        let ops = match change(&mut stage) {
            Ok(ops) => ops,
            Err(error) => {
                self.batch.truncate(before);
                self.report.refused += 1;
                completer.resolve(Err(error));
                return;
            }
        };
        self.oldest.get_or_insert_with(Instant::now);
        self.requests += 1;
        self.ops += ops;
        self.frontier
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .applied += 1;
        if completer.level <= Ack::Applied {
            completer.resolve(Ok(()))
        } else {
            self.waiting.push(completer)
        }
    }

    /// Commits everything before it, and syncs even when nothing is staged.
    fn barrier(&mut self, completer: Completer) {
        let wants_sync = completer.level == Ack::Synced;
        if self.requests > 0 {
            self.waiting.push(completer);
            self.flush();
            return;
        }
        let outcome = if wants_sync { self.sync() } else { Ok(()) };
        completer.resolve(outcome);
    }

    fn sync(&mut self) -> Result<()> {
        let frontier = *self.frontier.lock().unwrap_or_else(PoisonError::into_inner);
        if frontier.synced < frontier.committed {
            self.engine.sync()?;
            self.frontier
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .synced = frontier.committed;
        }
        Ok(())
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let waiting = std::mem::take(&mut self.waiting);
        let ops = std::mem::take(&mut self.ops);
        let requests = std::mem::take(&mut self.requests);
        self.oldest = None;
        if requests == 0 {
            return;
        }
        let wants_sync = waiting
            .iter()
            .any(|completer| completer.level == Ack::Synced);
        let durability = if wants_sync {
            Durability::EachCommit
        } else {
            self.policy.durability
        };
        match self.commit(&batch, durability, wants_sync) {
            Ok(()) => {
                self.report.committed_ops += ops as u64;
                waiting
                    .into_iter()
                    .for_each(|completer| completer.resolve(Ok(())));
            }
            Err(error) => {
                self.report.failed_commits += 1;
                self.report.lost_ops += ops as u64;
                let error = Error::Commit {
                    ops,
                    source: Box::new(error),
                };
                waiting
                    .into_iter()
                    .for_each(|completer| completer.resolve(Err(error.clone())));
            }
        }
    }

    fn commit(
        &mut self,
        batch: &WriteBatch,
        durability: Durability,
        wants_sync: bool,
    ) -> Result<()> {
        // An empty commit writes nothing, and so syncs nothing that came before it.
        if batch.is_empty() {
            return if wants_sync { self.sync() } else { Ok(()) };
        }
        let seq = self.engine.commit(batch, durability)?;
        self.report.commits += 1;
        let mut frontier = self.frontier.lock().unwrap_or_else(PoisonError::into_inner);
        frontier.committed = seq;
        if durability == Durability::EachCommit {
            frontier.synced = seq;
        }
        Ok(())
    }
}
