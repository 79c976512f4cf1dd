//! The keeper: the one thread of a writer. It commits what nobody waits for
//! (batches too old, requests that were only enqueued) and closes the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::CloseReport;
use super::core::Core;
use super::state::{Guard, Life, State};
use crate::error::{Error, Result};

impl Core {
    /// Runs until the writer is closed or dead.
    pub(super) fn keep(&self) {
        let mut state = self.lock();
        loop {
            match state.life {
                Life::Closed | Life::Dead(_) => return,
                Life::Closing if state.producers == 0 && !state.is_led => {
                    state = self.drain(state);
                    continue;
                }
                _ => {}
            }
            if !state.is_led {
                self.stage_inbox(&mut state);
                if self.is_due(&state) {
                    state = self.lead(state);
                    continue;
                }
            }
            let timeout = self.deadline(&state);
            state = self.keep_still(state, timeout);
        }
    }

    /// How long until a batch is too old; `None` when only somebody else can tell.
    fn deadline(&self, state: &State) -> Option<Duration> {
        if state.is_led {
            return None;
        }
        let open = state.open.as_ref();
        let age = open.and_then(|open| open.oldest.checked_add(self.policy.flush_when.age));
        let kept = state.sealed.front().and_then(|front| front.not_before);
        // Behind a kept batch, the open one waits, however old.
        let at = kept.or(age)?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// One step of closing: commits a batch, or closes the engine after the last.
    fn drain<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        if state.items > 0 || state.open.is_some() || !state.sealed.is_empty() {
            state = self.lead(state);
            if let (Life::Closing, Some(error)) = (&state.life, &state.kept) {
                state.life = Life::Unclosed(error.clone());
            }
            self.announce(&state);
            return state;
        }
        state.is_led = true;
        let committed = state.frontier.committed;
        drop(state);
        let outcome = self.with_engine(|engine| engine.close());
        let mut state = self.lock();
        state.is_led = false;
        match outcome {
            Ok(()) => {
                state.frontier.synced = committed;
                state.life = Life::Closed;
            }
            Err(Error::WriterGone) => state.die(&Error::WriterGone),
            Err(error) => state.life = Life::Unclosed(error),
        }
        self.announce(&state);
        state
    }

    /// Has the keeper drain and close, and waits for it until `deadline` is over.
    pub(super) fn close(&self, deadline: Duration) -> Result<CloseReport> {
        let until = Instant::now().checked_add(deadline);
        let mut state = self.lock();
        if matches!(state.life, Life::Open | Life::Unclosed(_)) {
            state.life = Life::Closing;
            self.announce(&state);
        }
        self.wake_keeper(&mut state);
        loop {
            match &state.life {
                Life::Closed => return Ok(state.report),
                Life::Unclosed(error) | Life::Dead(error) => return Err(error.clone()),
                Life::Open | Life::Closing => {}
            }
            let Some(until) = until else {
                state = self.observe(state);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.give_up(state, deadline));
            }
            state = self.observe_for(state, left);
        }
    }

    /// Closing took too long: nothing further is committed.
    fn give_up(&self, mut state: Guard<'_>, waited: Duration) -> Error {
        let batches = state.sealed.iter().chain(&state.open);
        let error = Error::CloseDeadline {
            waited,
            requests: state.items,
            ops: batches.map(|batch| batch.counted).sum(),
            producers: state.producers,
        };
        state.life = Life::Unclosed(error.clone());
        state.discard(&Error::WriterGone);
        self.announce(&state);
        error
    }

    /// Ends the thread of a writer that is dropped; false when it is under way
    /// and may never return.
    pub(super) fn abandon(&self) -> bool {
        let mut state = self.lock();
        if !matches!(state.life, Life::Closed | Life::Dead(_)) {
            state.die(&Error::WriterGone);
        }
        self.wake_keeper(&mut state);
        self.announce(&state);
        !state.is_led
    }
}

/// Marks the writer as dead when its thread unwinds.
pub(super) struct DeathGuard(pub(super) Arc<Core>);

impl Drop for DeathGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.lock();
            state.die(&Error::WriterGone);
            self.0.announce(&state);
        }
    }
}
