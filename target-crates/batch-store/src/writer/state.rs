//! What the writer's lock guards.

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::time::Instant;

use super::CloseReport;
use super::pending::{Pending, Work};
use super::ticket::Outcome;
use crate::durability::Frontier;
use crate::error::{Error, Result};

pub(super) type Guard<'a> = MutexGuard<'a, State>;

#[derive(Default)]
pub(super) struct State {
    /// Accepted at [`Ack::Enqueued`], not staged: staging might have to wait.
    pub(super) inbox: VecDeque<Work>,
    /// Complete batches, the oldest first; the leader is at the first one.
    pub(super) sealed: VecDeque<Pending>,
    pub(super) open: Option<Pending>,
    /// Requests in all of these.
    pub(super) items: usize,
    /// Bytes in all of these, as far as they are known.
    pub(super) bytes: usize,
    pub(super) next_request: u64,
    /// Whether somebody commits. At most one does.
    pub(super) is_led: bool,
    /// Producers that wait for room.
    pub(super) blocked: usize,
    /// How many wait for `changed`, the blocked included.
    pub(super) observers: usize,
    pub(super) keeper: Keeper,
    pub(super) producers: usize,
    pub(super) life: Life,
    /// Why the last commit failed, while its batch is kept.
    pub(super) kept: Option<Error>,
    pub(super) frontier: Frontier,
    pub(super) report: CloseReport,
}

/// What the keeper's thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Keeper {
    /// Nothing: it runs.
    #[default]
    Awake,
    /// A deadline, or to be woken.
    Timed,
    /// To be woken.
    Parked,
}

/// From the first request to the last.
#[derive(Debug, Clone, Default)]
pub(super) enum Life {
    #[default]
    Open,
    /// Asked to close. Accepts while producers are registered.
    Closing,
    /// Closing failed, and can be asked for again. Accepts nothing.
    Unclosed(Error),
    /// Drained, the engine closed.
    Closed,
    /// The engine panicked, or a failed commit poisoned the writer.
    Dead(Error),
}

impl State {
    /// Whether new requests are taken.
    pub(super) fn accepts(&self) -> Result<()> {
        match &self.life {
            Life::Open => Ok(()),
            Life::Closing if self.producers > 0 => Ok(()),
            Life::Dead(error) => Err(error.clone()),
            _ => Err(Error::WriterGone),
        }
    }

    /// Whether there is a store to read and to commit to.
    pub(super) fn serves(&self) -> Result<()> {
        match &self.life {
            Life::Open | Life::Closing | Life::Unclosed(_) => Ok(()),
            Life::Dead(error) => Err(error.clone()),
            Life::Closed => Err(Error::WriterGone),
        }
    }

    /// Completes the open batch.
    pub(super) fn seal(&mut self) {
        self.sealed.extend(self.open.take());
    }

    /// Whether the oldest batch may be tried now.
    pub(super) fn is_ripe(&self) -> bool {
        let kept = self.sealed.front().and_then(|batch| batch.not_before);
        kept.is_none_or(|at| at <= Instant::now())
    }

    /// Takes the oldest batch, of `items` requests, out of the queue.
    pub(super) fn pop(&mut self, items: usize) -> Option<Pending> {
        let front = self.sealed.pop_front()?;
        self.items = self.items.saturating_sub(items);
        self.bytes = self.bytes.saturating_sub(front.ops.bytes());
        Some(front)
    }

    /// Counts anew what is queued.
    pub(super) fn recount(&mut self) {
        let (mut items, mut bytes) = (self.inbox.len(), 0);
        bytes += self.inbox.iter().map(Work::bytes).sum::<usize>();
        for batch in self.sealed.iter().chain(&self.open) {
            items += batch.requests.len();
            bytes += batch.ops.bytes();
        }
        (self.items, self.bytes) = (items, bytes);
    }

    /// Tells everybody who waits that a commit failed, and keeps all batches: the
    /// first is to be tried at `again`, or sooner when somebody waits for it.
    pub(super) fn keep(&mut self, error: &Error, again: Instant) {
        self.kept = Some(error.clone());
        for batch in self.sealed.iter_mut().chain(&mut self.open) {
            let told = std::mem::take(&mut batch.cell);
            told.resolve(Outcome {
                all: Err(error.clone()),
                lost: std::mem::take(&mut batch.lost),
            });
        }
        if let Some(front) = self.sealed.front_mut() {
            front.not_before = Some(again);
        }
    }

    /// Gives up what is queued, but for a batch whose commit is under way.
    pub(super) fn discard(&mut self, error: &Error) {
        let under_way = self.is_led.then(|| self.sealed.pop_front()).flatten();
        let batches = std::mem::take(&mut self.sealed).into_iter();
        for batch in batches.chain(self.open.take()) {
            self.report.lose(batch.requests.len(), batch.counted, error);
            batch.resolve(Err(error.clone()));
        }
        self.report.lose(self.inbox.len(), 0, error);
        self.inbox.clear();
        self.sealed.extend(under_way);
        self.recount();
    }

    /// Nothing is accepted or committed any more.
    pub(super) fn die(&mut self, error: &Error) {
        self.life = Life::Dead(error.clone());
        self.discard(error);
    }
}
