//! The bounded queue between producers and the writer's thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::policy::OnFull;
use crate::error::{Error, Result};

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// First in, first out, at most `limit` items.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    not_empty: Condvar,
    not_full: Condvar,
    limit: usize,
}

/// What the consumer got.
#[derive(Debug)]
pub(crate) enum Popped<T> {
    Item(T),
    /// Nothing before the deadline.
    TimedOut,
    /// Closed, and drained.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(limit: usize) -> Self {
        let state = Mutex::new(State {
            items: VecDeque::new(),
            closed: false,
        });
        Self {
            state,
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
            limit: limit.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, item: T, on_full: OnFull) -> Result<()> {
        let mut state = self.lock();
        while !state.closed && state.items.len() >= self.limit {
            match on_full {
                OnFull::Reject => return Err(Error::QueueFull { limit: self.limit }),
                OnFull::Block => {
                    state = self
                        .not_full
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
        if state.closed {
            return Err(Error::WriterGone);
        }
        state.items.push_back(item);
        self.not_empty.notify_one();
        Ok(())
    }

    /// The next item; waits for one until `deadline`, or for ever without one.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Popped<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                self.not_full.notify_one();
                return Popped::Item(item);
            }
            if state.closed {
                return Popped::Closed;
            }
            let Some(deadline) = deadline else {
                state = self
                    .not_empty
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Popped::TimedOut;
            }
            state = self
                .not_empty
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Refuses further items. What waits is still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }

    /// Refuses further items and gives back what waits.
    pub(crate) fn abandon(&self) -> Vec<T> {
        self.close();
        self.lock().items.drain(..).collect()
    }
}
