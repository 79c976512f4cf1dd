//! [`Ticket`]: the promise a request was given, resolved exactly once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::durability::Ack;
use crate::error::{Error, Result};

#[derive(Debug, Default)]
struct Shared {
    outcome: Mutex<Option<Result<()>>>,
    resolved: Condvar,
}

/// Waits for one request to reach its acknowledgement level.
#[derive(Debug)]
pub struct Ticket {
    shared: Arc<Shared>,
    level: Ack,
}

impl Ticket {
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
        let mut outcome = self
            .shared
            .outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = outcome.as_ref() {
                return outcome.clone();
            }
            outcome = self
                .shared
                .resolved
                .wait(outcome)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The outcome so far, without waiting.
    #[must_use]
    pub fn poll(&self) -> Option<Result<()>> {
        self.shared
            .outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The other end of a ticket. Resolving consumes it; dropping it resolves with
/// [`Error::WriterGone`], so that a dead writer is an error and not a hang.
#[derive(Debug)]
pub(crate) struct Completer {
    shared: Option<Arc<Shared>>,
    pub(crate) level: Ack,
}

impl Completer {
    pub(crate) fn new(level: Ack) -> (Self, Ticket) {
        let shared = Arc::new(Shared::default());
        (
            Self {
                shared: Some(Arc::clone(&shared)),
                level,
            },
            Ticket { shared, level },
        )
    }

    pub(crate) fn resolve(mut self, outcome: Result<()>) {
        self.set(outcome);
    }

    fn set(&mut self, outcome: Result<()>) {
        if let Some(shared) = self.shared.take() {
            *shared
                .outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            shared.resolved.notify_all();
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.set(Err(Error::WriterGone));
    }
}
