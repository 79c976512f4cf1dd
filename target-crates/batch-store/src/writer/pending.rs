//! [`Pending`]: a batch on its way to its commit, and the requests it is made of.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::stage::{Stage, View};
use super::ticket::{Cell, Outcome};
use crate::batch::{Op, WriteBatch};
use crate::engine::Engine;
use crate::error::{Error, Result};

/// A change: stages its operations and returns how many to count against
/// [`FlushWhen::ops`](crate::FlushWhen::ops). It runs again, on what is then
/// stored, when a batch that it read from was not.
pub type Change = Box<dyn FnMut(&mut Stage<'_>) -> Result<usize> + Send>;

/// What a request asks for.
pub(super) enum Work {
    /// A put that depends on nothing; encoded by the caller, outside any lock.
    Put(Op),
    Change(Change),
}

impl Work {
    /// Bytes that are known before it is staged.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put(op) => op.bytes(),
            Self::Change(_) => 0,
        }
    }
}

/// Why work was not staged.
pub(super) enum Refusal {
    Failed(Error),
    /// It takes this many bytes.
    NoRoom(Work, usize),
}

/// One request of a batch.
pub(super) struct Request {
    pub(super) id: u64,
    /// What it counts against the policy's limit of operations.
    pub(super) counted: usize,
    /// Its changes within the batch.
    ops: std::ops::Range<usize>,
    /// Set when its operations depend on what was stored before them. Behind a
    /// lock that nobody contends for: it makes a closure that is only `Send`
    /// part of something readers share.
    replay: Option<Mutex<Change>>,
}

/// A batch that is not committed yet.
pub(super) struct Pending {
    /// Shared with the leader while it commits; only the open batch is changed.
    pub(super) ops: Arc<WriteBatch>,
    pub(super) requests: Vec<Request>,
    pub(super) cell: Arc<Cell>,
    /// Sum of the requests' counts.
    pub(super) counted: usize,
    pub(super) wants_sync: bool,
    /// Whether it has requests that nobody will wait for.
    pub(super) is_unattended: bool,
    pub(super) oldest: Instant,
    /// Requests that were in this batch and will not be stored.
    pub(super) lost: BTreeMap<u64, Error>,
    /// When a commit failed and the batch was kept: not to be tried before.
    pub(super) not_before: Option<Instant>,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            ops: Arc::default(),
            requests: Vec::new(),
            cell: Arc::default(),
            counted: 0,
            wants_sync: false,
            is_unattended: false,
            oldest: Instant::now(),
            lost: BTreeMap::new(),
            not_before: None,
        }
    }

    /// Stages `work` as request `id` in at most `room` bytes, or leaves the batch
    /// as it was.
    pub(super) fn stage(
        &mut self,
        id: u64,
        work: Work,
        room: usize,
        engine: &Mutex<Box<dyn Engine>>,
        below: &VecDeque<Self>,
    ) -> Result<(), Refusal> {
        let (from, bytes) = (self.ops.len(), self.ops.bytes());
        let batch = Arc::make_mut(&mut self.ops);
        let (counted, replay) = match work {
            Work::Put(op) => {
                batch.push(op);
                (1, None)
            }
            Work::Change(mut change) => {
                let mut stage = Stage::new(View::new(engine, below, None), batch);
                let outcome = run(&mut change, &mut stage);
                let has_read = stage.has_read();
                let added = batch.bytes() - bytes;
                if outcome.is_err() || added > room {
                    batch.truncate(from);
                }
                let counted = outcome.map_err(Refusal::Failed)?;
                if added > room {
                    return Err(Refusal::NoRoom(Work::Change(change), added));
                }
                (counted, has_read.then(|| Mutex::new(change)))
            }
        };
        let ops = from..self.ops.len();
        self.counted += counted;
        self.requests.push(Request {
            id,
            counted,
            ops,
            replay,
        });
        Ok(())
    }

    /// Adds a request of another batch whose operations were `ops`: as they are
    /// when they depend on nothing, else by running the change again.
    ///
    /// # Errors
    /// When the change fails now; the request is then lost.
    pub(super) fn restage(
        &mut self,
        mut request: Request,
        ops: &WriteBatch,
        engine: &Mutex<Box<dyn Engine>>,
        below: &VecDeque<Self>,
    ) -> Result<(), (u64, usize, Error)> {
        let from = self.ops.len();
        let batch = Arc::make_mut(&mut self.ops);
        match &mut request.replay {
            None => {
                let ops = &ops.ops()[request.ops.clone()];
                ops.iter().cloned().for_each(|op| batch.push(op));
            }
            Some(change) => {
                let change = change.get_mut().unwrap_or_else(PoisonError::into_inner);
                let mut stage = Stage::new(View::new(engine, below, None), batch);
                let before = request.counted;
                match run(change, &mut stage) {
                    Ok(counted) => request.counted = counted,
                    Err(error) => {
                        batch.truncate(from);
                        return Err((request.id, before, error));
                    }
                }
            }
        }
        request.ops = from..self.ops.len();
        self.counted += request.counted;
        self.requests.push(request);
        Ok(())
    }

    /// Tells those who wait for it what became of it.
    pub(super) fn resolve(self, all: Result<()>) {
        let lost = self.lost;
        self.cell.resolve(Outcome { all, lost });
    }

    /// Whether any of its requests has read what was there before.
    pub(super) fn has_read(&self) -> bool {
        self.requests.iter().any(|request| request.replay.is_some())
    }
}

/// Runs a change; a panic in it is an error of that request, not of the writer.
fn run(change: &mut Change, stage: &mut Stage<'_>) -> Result<usize> {
    catch_unwind(AssertUnwindSafe(|| change(stage))).unwrap_or_else(|_| {
        Err(Error::State {
            action: "stage a change",
            reason: "it panicked".to_owned(),
        })
    })
}
