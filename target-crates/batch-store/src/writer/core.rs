//! The state that producers, the leader and the keeper share, and how a request
//! gets into it.
//!
//! Locks, in the order they are taken: the writer's ([`Core::lock`]), then the
//! engine's. The leader holds the engine's alone while it commits, so that
//! others go on staging; a read that no waiting batch answers waits for it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::View;
use super::pending::{Pending, Refusal, Work};
use super::policy::{OnFull, Policy};
use super::state::{Guard, Keeper, State};
use super::ticket::{Cell, Outcome, Ticket};
use crate::durability::Ack;
use crate::engine::Engine;
use crate::error::{Error, Result};

pub(super) struct Core {
    pub(super) policy: Policy,
    pub(super) engine: Mutex<Box<dyn Engine>>,
    state: Mutex<State>,
    /// A batch was settled, a producer dropped, the engine closed, or closing began.
    pub(super) changed: Condvar,
    /// There is something for the keeper to do.
    wake_keeper: Condvar,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(engine: Box<dyn Engine>, policy: Policy) -> Self {
        Self {
            policy,
            engine: Mutex::new(engine),
            state: Mutex::default(),
            changed: Condvar::new(),
            wake_keeper: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `changed`.
    pub(super) fn observe<'a>(&self, mut state: Guard<'a>) -> Guard<'a> {
        state.observers += 1;
        state = self
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        state.observers -= 1;
        state
    }

    /// The same, at most for `timeout`.
    pub(super) fn observe_for<'a>(&self, mut state: Guard<'a>, timeout: Duration) -> Guard<'a> {
        state.observers += 1;
        let (mut state, _) = self
            .changed
            .wait_timeout(state, timeout)
            .unwrap_or_else(PoisonError::into_inner);
        state.observers -= 1;
        state
    }

    pub(super) fn announce(&self, state: &State) {
        if state.observers > 0 {
            self.changed.notify_all();
        }
    }

    /// Has the keeper look at what there is to do.
    pub(super) fn wake_keeper(&self, state: &mut State) {
        if std::mem::take(&mut state.keeper) != Keeper::Awake {
            self.wake_keeper.notify_one();
        }
    }

    /// Waits as the keeper, until woken or, when there is one, for `timeout`.
    pub(super) fn keep_still<'a>(
        &self,
        mut state: Guard<'a>,
        timeout: Option<Duration>,
    ) -> Guard<'a> {
        let Some(timeout) = timeout else {
            state.keeper = Keeper::Parked;
            state = self
                .wake_keeper
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.keeper = Keeper::Awake;
            return state;
        };
        state.keeper = Keeper::Timed;
        let (mut state, _) = self
            .wake_keeper
            .wait_timeout(state, timeout)
            .unwrap_or_else(PoisonError::into_inner);
        state.keeper = Keeper::Awake;
        state
    }

    pub(super) fn submit(self: &Arc<Self>, mut work: Work, level: Ack) -> Result<Ticket> {
        let mut state = self.lock();
        let mut bytes = work.bytes();
        loop {
            state.accepts()?;
            if bytes > self.policy.queue_bytes {
                return Err(self.too_large(&mut state, bytes));
            }
            let may_read = matches!(work, Work::Change(_));
            let is_queued = level == Ack::Enqueued && (may_read || !state.inbox.is_empty());
            if !self.has_room(&state, bytes) || !(is_queued || self.stage_inbox(&mut state)) {
                match self.policy.on_full {
                    OnFull::Block => {
                        state = self.wait_for_room(state, level)?;
                        continue;
                    }
                    OnFull::Reject => {
                        state.report.rejected += 1;
                        return Err(self.full());
                    }
                    OnFull::Shed => {
                        state.report.shed += 1;
                        return Ok(Ticket::resolved(level, Err(self.full())));
                    }
                }
            }
            if is_queued {
                state.items += 1;
                state.bytes += work.bytes();
                state.inbox.push_back(work);
                self.wake_keeper(&mut state);
                return Ok(Ticket::resolved(level, Ok(())));
            }
            match self.stage(&mut state, work, level) {
                Ok((cell, request)) => return Ok(self.staged(state, level, cell, request)),
                Err(Refusal::Failed(error)) => return Ok(Ticket::resolved(level, Err(error))),
                Err(Refusal::NoRoom(back, needed)) => (work, bytes) = (back, needed),
            }
        }
    }

    /// The ticket of a request just staged. A batch that is due without anybody
    /// to wait for it is the keeper's.
    fn staged(
        self: &Arc<Self>,
        mut state: Guard<'_>,
        level: Ack,
        cell: Arc<Cell>,
        request: u64,
    ) -> Ticket {
        // While parked it does not know yet when this batch is too old.
        if state.keeper == Keeper::Parked || (!state.is_led && self.is_due(&state)) {
            self.wake_keeper(&mut state);
        }
        if level > Ack::Applied {
            return Ticket::staged(level, self, cell, request);
        }
        Ticket::resolved(level, Ok(()))
    }

    fn has_room(&self, state: &State, bytes: usize) -> bool {
        state.items < self.policy.queue_items.max(1)
            && state.bytes.saturating_add(bytes) <= self.policy.queue_bytes
    }

    fn full(&self) -> Error {
        Error::QueueFull {
            limit: self.policy.queue_items,
        }
    }

    fn too_large(&self, state: &mut State, bytes: usize) -> Error {
        state.report.refused += 1;
        let limit = self.policy.queue_bytes;
        Error::State {
            action: "enqueue a request",
            reason: format!("it has {bytes} bytes, and the queue holds at most {limit}"),
        }
    }

    /// Waits until a commit has made room, or makes it when the caller may wait
    /// for the engine and nobody else does.
    fn wait_for_room<'a>(&'a self, mut state: Guard<'a>, level: Ack) -> Result<Guard<'a>> {
        if level > Ack::Enqueued && !state.is_led && state.is_ripe() {
            state = self.lead(state);
        } else if let Some(error) = &state.kept {
            return Err(error.clone());
        } else {
            state.blocked += 1;
            self.wake_keeper(&mut state);
            state = self.observe(state);
            state.blocked -= 1;
        }
        match &state.kept {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    /// Stages what was enqueued before; false when there is no room to.
    pub(super) fn stage_inbox(&self, state: &mut State) -> bool {
        while let Some(work) = state.inbox.pop_front() {
            let bytes = work.bytes();
            state.items -= 1;
            state.bytes -= bytes;
            match self.stage(state, work, Ack::Enqueued) {
                Ok(_) => {}
                // Made room without a commit, which is what the blocked wait for.
                Err(Refusal::Failed(_)) => self.announce(state),
                Err(Refusal::NoRoom(_, needed)) if needed > self.policy.queue_bytes => {
                    drop(self.too_large(state, needed));
                    self.announce(state);
                }
                Err(Refusal::NoRoom(work, _)) => {
                    state.items += 1;
                    state.bytes += bytes;
                    state.inbox.push_front(work);
                    return false;
                }
            }
        }
        true
    }

    /// Puts `work` into the open batch, and completes the batch when that is due.
    fn stage(
        &self,
        state: &mut State,
        work: Work,
        level: Ack,
    ) -> Result<(Arc<Cell>, u64), Refusal> {
        let room = self.policy.queue_bytes - state.bytes.min(self.policy.queue_bytes);
        let id = state.next_request;
        let mut open = state.open.take().unwrap_or_else(Pending::new);
        let before = open.ops.bytes();
        let outcome = open.stage(id, work, room, &self.engine, &state.sealed);
        if matches!(outcome, Err(Refusal::Failed(_))) {
            state.report.refused += 1;
        }
        if outcome.is_ok() {
            state.next_request += 1;
            state.items += 1;
            state.bytes += open.ops.bytes() - before;
            state.frontier.applied += 1;
            open.wants_sync |= level == Ack::Synced;
            open.is_unattended |= level <= Ack::Applied;
        }
        let cell = Arc::clone(&open.cell);
        if open.requests.len() >= self.policy.max_batch {
            state.sealed.push_back(open);
        } else if !open.requests.is_empty() {
            state.open = Some(open);
        }
        outcome.map(|()| (cell, id))
    }

    /// Completes the open batch and has the keeper commit it.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        if !state.is_led {
            self.stage_inbox(&mut state);
        }
        state.seal();
        self.wake_keeper(&mut state);
    }

    /// Waits until the batch is settled, committing what comes before it, and it,
    /// whenever nobody else does.
    pub(super) fn await_cell<'c>(&self, cell: &'c Cell) -> &'c Outcome {
        use std::sync::atomic::Ordering::Relaxed;
        if let Some(outcome) = cell.outcome.get() {
            return outcome;
        }
        let mut state = self.lock();
        while cell.outcome.get().is_none() {
            if state.is_led {
                cell.waiters.fetch_add(1, Relaxed);
                state = cell
                    .done
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                cell.waiters.fetch_sub(1, Relaxed);
            } else if state.sealed.is_empty() && state.open.is_none() {
                break;
            } else {
                state = self.lead(state);
            }
        }
        drop(state);
        cell.outcome.get_or_init(|| Outcome {
            all: Err(Error::WriterGone),
            lost: Default::default(),
        })
    }

    /// Commits everything accepted before this call, and waits for it.
    pub(super) fn barrier(&self, level: Ack) -> Result<()> {
        let mut state = self.lock();
        loop {
            state.serves()?;
            if self.stage_inbox(&mut state) {
                break;
            }
            state = self.wait_for_room(state, Ack::Committed)?;
        }
        if let Some(open) = &mut state.open {
            open.wants_sync |= level == Ack::Synced;
        }
        state.seal();
        let cells: Vec<Arc<Cell>> = state
            .sealed
            .iter()
            .map(|batch| Arc::clone(&batch.cell))
            .collect();
        drop(state);
        let outcomes: Vec<Result<()>> = cells
            .iter()
            .map(|cell| self.await_cell(cell).first())
            .collect();
        outcomes.into_iter().collect::<Result<()>>()?;
        if level == Ack::Synced {
            self.sync()
        } else {
            Ok(())
        }
    }

    /// Reads committed rows with everything accepted before on top.
    pub(super) fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        loop {
            state.serves()?;
            if self.stage_inbox(&mut state) {
                break;
            }
            state = self.wait_for_room(state, Ack::Committed)?;
        }
        let open = state.open.as_ref().map(|open| &*open.ops);
        read(&View::new(&self.engine, &state.sealed, open))
    }
}
