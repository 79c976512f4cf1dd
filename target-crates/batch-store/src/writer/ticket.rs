//! [`Ticket`]: the promise a request was given, resolved exactly once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, OnceLock};

use super::core::Core;
use crate::durability::Ack;
use crate::error::{Error, Result};

/// What became of a batch: of all its requests, and of single ones.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) all: Result<()>,
    pub(super) lost: BTreeMap<u64, Error>,
}

impl Outcome {
    fn of(&self, request: u64) -> Result<()> {
        match self.lost.get(&request) {
            Some(error) => Err(error.clone()),
            None => self.all.clone(),
        }
    }

    /// The first loss in the batch.
    pub(super) fn first(&self) -> Result<()> {
        self.all.clone()?;
        self.lost
            .values()
            .next()
            .map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// Where the requests of one batch learn what became of it.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) outcome: OnceLock<Outcome>,
    /// Used with the writer's lock.
    pub(super) done: Condvar,
    pub(super) waiters: AtomicUsize,
}

impl Cell {
    /// Once; later calls change nothing.
    pub(super) fn resolve(&self, outcome: Outcome) {
        if self.outcome.set(outcome).is_ok() && self.waiters.load(Ordering::Relaxed) > 0 {
            self.done.notify_all();
        }
    }
}

#[derive(Debug)]
enum State {
    Resolved(Result<()>),
    Staged {
        core: Arc<Core>,
        cell: Arc<Cell>,
        request: u64,
    },
}

/// Waits for one request to reach its acknowledgement level.
///
/// Whoever waits first, while no commit is under way, commits for all who wait.
#[derive(Debug)]
pub struct Ticket {
    level: Ack,
    state: State,
}

impl Ticket {
    pub(super) fn resolved(level: Ack, outcome: Result<()>) -> Self {
        Self {
            level,
            state: State::Resolved(outcome),
        }
    }

    pub(super) fn staged(level: Ack, core: &Arc<Core>, cell: Arc<Cell>, request: u64) -> Self {
        let core = Arc::clone(core);
        Self {
            level,
            state: State::Staged {
                core,
                cell,
                request,
            },
        }
    }

    /// The level this ticket waits for.
    #[must_use]
    pub fn level(&self) -> Ack {
        self.level
    }

    /// Blocks until the request has reached its level or failed.
    ///
    /// # Errors
    /// When it failed: its own encoding, its batch's commit, or the writer's end.
    pub fn wait(&self) -> Result<()> {
        match &self.state {
            State::Resolved(outcome) => outcome.clone(),
            State::Staged {
                core,
                cell,
                request,
            } => core.await_cell(cell).of(*request),
        }
    }

    /// The outcome so far, without waiting. Asks for the commit to be made.
    #[must_use]
    pub fn poll(&self) -> Option<Result<()>> {
        match &self.state {
            State::Resolved(outcome) => Some(outcome.clone()),
            State::Staged {
                core,
                cell,
                request,
            } => {
                let outcome = cell.outcome.get().map(|outcome| outcome.of(*request));
                if outcome.is_none() {
                    core.flush();
                }
                outcome
            }
        }
    }
}

impl Drop for Ticket {
    /// Where a commit is made as soon as nothing else is under way, it need not
    /// wait for a caller who will not come.
    fn drop(&mut self) {
        if let State::Staged { core, cell, .. } = &self.state
            && core.policy.flush_when.idle
            && cell.outcome.get().is_none()
        {
            core.flush();
        }
    }
}
