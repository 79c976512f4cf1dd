//! The leader: whoever commits the oldest batch, and what follows from it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::pending::{Pending, Request};
use super::policy::{Coalesce, OnError};
use super::state::{Guard, Keeper, Life, State};
use crate::batch::WriteBatch;
use crate::durability::Durability;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// Of the batch under way, what outlives the writer's lock.
struct Job {
    ops: Arc<WriteBatch>,
    items: usize,
    counted: usize,
    wants_sync: bool,
    durability: Durability,
}

/// A century.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A request that will not be stored: its number, its count, and why.
type Lost = (u64, usize, Error);

impl Core {
    /// Commits the oldest batch, completing the open one when there is no other.
    /// Only called while nobody leads; returns when nobody does.
    pub(super) fn lead<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        if state.sealed.is_empty() {
            self.stage_inbox(&mut state);
            if state.sealed.is_empty() {
                state.seal();
            }
        }
        let Some(front) = state.sealed.front() else {
            return state;
        };
        let durability = if front.wants_sync {
            Durability::EachCommit
        } else {
            self.policy.durability
        };
        let job = Job {
            ops: Arc::clone(&front.ops),
            items: front.requests.len(),
            counted: front.counted,
            wants_sync: front.wants_sync,
            durability,
        };
        state.is_led = true;
        drop(state);
        let outcome = self.attempts(&job);
        let (outcome, lost) = match outcome {
            Err(error) if self.policy.on_error == OnError::Bisect && error.is_data() => {
                let requests = self.take_requests();
                self.bisect(&job, requests, &error)
            }
            outcome => (outcome, Vec::new()),
        };
        let mut state = self.lock();
        state.is_led = false;
        self.settle(&mut state, &job, outcome, lost);
        self.wake_next(&mut state);
        state
    }

    /// The requests of the batch under way, whose commit failed.
    fn take_requests(&self) -> Vec<Request> {
        let mut state = self.lock();
        state.report.failed_commits += 1;
        state.frontier.failed += 1;
        let front = state.sealed.front_mut();
        front.map_or_else(Vec::new, |front| std::mem::take(&mut front.requests))
    }

    /// Commits the job, again and again where the policy says so. Once an attempt
    /// was indeterminate, a failure of the whole is, too.
    fn attempts(&self, job: &Job) -> Result<()> {
        let (mut left, mut pause) = match self.policy.on_error {
            OnError::Retry {
                attempts, backoff, ..
            } => (attempts, backoff),
            _ => (0, Duration::ZERO),
        };
        let mut is_doubtful = false;
        loop {
            let Err(error) = self.commit(&job.ops, job) else {
                return Ok(());
            };
            is_doubtful |= matches!(error, Error::Indeterminate { .. });
            if left == 0 || matches!(error, Error::WriterGone) {
                return Err(failed(job.counted, error, is_doubtful));
            }
            left -= 1;
            self.pause(pause);
            pause = pause.saturating_mul(2);
        }
    }

    /// One commit of `ops` with the job's durability. A panic of the engine is
    /// [`Error::WriterGone`].
    fn commit(&self, ops: &WriteBatch, job: &Job) -> Result<()> {
        let ops = match self.policy.coalesce {
            Coalesce::None => Cow::Borrowed(ops),
            Coalesce::ByKey => ops.coalesced(),
        };
        if ops.is_empty() {
            // An empty commit writes nothing, and so syncs nothing that came before it.
            return if job.wants_sync { self.sync() } else { Ok(()) };
        }
        let seq = self.with_engine(|engine| engine.commit(&ops, job.durability))?;
        let mut state = self.lock();
        state.report.commits += 1;
        state.frontier.committed = seq;
        if job.durability == Durability::EachCommit {
            state.frontier.synced = seq;
        }
        Ok(())
    }

    /// Makes every commit so far survive power loss.
    pub(super) fn sync(&self) -> Result<()> {
        let frontier = self.lock().frontier;
        if frontier.synced < frontier.committed {
            self.with_engine(|engine| engine.sync())?;
            let mut state = self.lock();
            state.frontier.synced = state.frontier.synced.max(frontier.committed);
        }
        Ok(())
    }

    pub(super) fn with_engine<T>(
        &self,
        call: impl FnOnce(&mut dyn Engine) -> Result<T>,
    ) -> Result<T> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        catch_unwind(AssertUnwindSafe(|| call(&mut **engine))).unwrap_or(Err(Error::WriterGone))
    }

    /// Waits, but not while the writer is being closed.
    fn pause(&self, pause: Duration) {
        let until = after(pause);
        let mut state = self.lock();
        while matches!(state.life, Life::Open) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.observe_for(state, left);
        }
    }

    /// Stores what of a failed batch can be: commits its halves, and theirs, until
    /// only single requests fail. A failure that is not the data's ends it.
    fn bisect(&self, job: &Job, requests: Vec<Request>, why: &Error) -> (Result<()>, Vec<Lost>) {
        let (mut lost, mut stop): (Vec<Lost>, Option<Error>) = (Vec::new(), None);
        let mut parts = Vec::new();
        halve(&mut parts, requests, &job.ops, why, &mut lost);
        let below = VecDeque::new();
        while let Some((requests, ops)) = parts.pop() {
            if let Some(error) = &stop {
                lose(&mut lost, &requests, error);
                continue;
            }
            let mut part = Pending::new();
            for request in requests {
                let outcome = part.restage(request, &ops, &self.engine, &below);
                lost.extend(outcome.err());
            }
            let Err(error) = self.commit(&part.ops, job) else {
                continue;
            };
            let (is_data, is_doubtful) = (error.is_data(), is_indeterminate(&error));
            let error = failed(part.counted, error, is_doubtful);
            if is_data {
                halve(&mut parts, part.requests, &part.ops, &error, &mut lost);
            } else {
                lose(&mut lost, &part.requests, &error);
                stop = Some(match error {
                    Error::Indeterminate { ops, source } => Error::Commit { ops, source },
                    error => error,
                });
            }
        }
        match stop {
            Some(Error::WriterGone) => (Err(Error::WriterGone), lost),
            _ => (Ok(()), lost),
        }
    }

    /// Draws the conclusions of a commit: the batch leaves the queue, or stays.
    fn settle(&self, state: &mut State, job: &Job, outcome: Result<()>, lost: Vec<Lost>) {
        let error = match outcome {
            Ok(()) => {
                let Some(mut front) = state.pop(job.items) else {
                    return;
                };
                state.kept = None;
                let is_whole = lost.is_empty();
                let missing: usize = lost.iter().map(|(_, counted, _)| counted).sum();
                state.report.committed_ops += job.counted.saturating_sub(missing) as u64;
                for (id, counted, error) in lost {
                    state.report.lose(1, counted, &error);
                    front.lost.insert(id, error);
                }
                front.resolve(Ok(()));
                if !is_whole {
                    self.restage(state);
                }
                return;
            }
            Err(error) => error,
        };
        state.report.failed_commits += 1;
        state.frontier.failed += 1;
        match self.policy.on_error {
            _ if matches!(error, Error::WriterGone) => state.die(&Error::WriterGone),
            OnError::Retry { keep: true, .. } => {
                state.keep(&error, after(self.policy.flush_when.age));
            }
            on_error => {
                if let Some(front) = state.pop(job.items) {
                    state.report.lose(job.items, job.counted, &error);
                    front.resolve(Err(error.clone()));
                }
                if on_error == OnError::Poison {
                    let source = Box::new(error);
                    state.die(&Error::Poisoned { source });
                } else {
                    self.restage(state);
                }
            }
        }
    }

    /// After a batch was lost: what read from it is staged anew on what is stored.
    fn restage(&self, state: &mut State) {
        let batches = std::mem::take(&mut state.sealed).into_iter();
        let open = state.open.take();
        let has_open = open.is_some();
        for mut batch in batches.chain(open) {
            if batch.has_read() {
                let ops = std::mem::take(&mut batch.ops);
                batch.counted = 0;
                for request in std::mem::take(&mut batch.requests) {
                    let outcome = batch.restage(request, &ops, &self.engine, &state.sealed);
                    if let Err((id, counted, error)) = outcome {
                        state.report.lose(1, counted, &error);
                        batch.lost.insert(id, error);
                    }
                }
            }
            state.sealed.push_back(batch);
        }
        if has_open {
            state.open = state.sealed.pop_back();
        }
        state.recount();
    }

    /// Whoever waits for a batch, for room or for a deadline has to look again.
    fn wake_next(&self, state: &mut State) {
        let mut batches = state.sealed.iter().chain(&state.open);
        if let Some(next) = batches.find(|batch| batch.cell.waiters.load(Relaxed) > 0) {
            next.cell.done.notify_one();
        } else if self.is_due(state) || (state.keeper == Keeper::Parked && state.items > 0) {
            self.wake_keeper(state);
        }
        if matches!(state.life, Life::Closing) {
            self.wake_keeper(state);
        }
        self.announce(state);
    }

    /// Whether the keeper has something to commit.
    pub(super) fn is_due(&self, state: &State) -> bool {
        let has_work = !state.sealed.is_empty() || !state.inbox.is_empty();
        let is_closing = matches!(state.life, Life::Closing);
        let is_wanted = has_work
            || state.open.as_ref().is_some_and(|open| {
                let when = self.policy.flush_when;
                (when.idle && open.is_unattended)
                    || open.counted >= when.ops
                    || open.ops.bytes() >= when.bytes
                    || state.blocked > 0
                    || is_closing
                    || open.oldest.elapsed() >= when.age
            });
        is_wanted && state.is_ripe()
    }
}

/// The moment after `wait`; where the clock has none, one that never comes.
fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now + FAR)
}

fn is_indeterminate(error: &Error) -> bool {
    matches!(error, Error::Indeterminate { .. })
}

/// What a failed commit is to those who waited for it.
fn failed(ops: usize, error: Error, is_doubtful: bool) -> Error {
    let source = match error {
        Error::WriterGone => return Error::WriterGone,
        Error::Indeterminate { source, .. } => source,
        error => Box::new(error),
    };
    if is_doubtful {
        Error::Indeterminate { ops, source }
    } else {
        Error::Commit { ops, source }
    }
}

fn lose(lost: &mut Vec<Lost>, requests: &[Request], error: &Error) {
    lost.extend(requests.iter().map(|it| (it.id, it.counted, error.clone())));
}

/// Puts the halves of a part that failed onto the stack, the first on top; a
/// single request is lost.
fn halve(
    parts: &mut Vec<(Vec<Request>, Arc<WriteBatch>)>,
    mut requests: Vec<Request>,
    ops: &Arc<WriteBatch>,
    why: &Error,
    lost: &mut Vec<Lost>,
) {
    if requests.len() <= 1 {
        lose(lost, &requests, why);
        return;
    }
    let right = requests.split_off(requests.len() / 2);
    parts.push((right, Arc::clone(ops)));
    parts.push((requests, Arc::clone(ops)));
}
