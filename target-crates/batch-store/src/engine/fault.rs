//! An engine that fails on purpose, around any other: for tests.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::Family;

/// Which calls fail, and what was asked for. Shared with the test. Commits are
/// counted from 1; a fault set to 0 is none.
#[derive(Debug, Default)]
pub struct Faults {
    /// The commit that fails and applies nothing.
    pub fail_commit: AtomicU64,
    /// The commit that panics.
    pub panic_commit: AtomicU64,
    /// The commit that applies the first half of its changes, then claims to have
    /// applied none: what no engine may do, for proving that a test would see it.
    pub tear_commit: AtomicU64,
    /// The commit that is applied and reported as [`Error::Indeterminate`].
    pub doubt_commit: AtomicU64,
    /// The commit that is not applied and reported as [`Error::Indeterminate`].
    pub doubt_lost_commit: AtomicU64,
    /// From this commit on the disk is full, until this is set to 0.
    pub full_from: AtomicU64,
    /// How many of the next syncs fail.
    pub fail_syncs: AtomicU64,
    /// How many of the next closes fail.
    pub fail_closes: AtomicU64,
    /// How many of the next reads fail.
    pub fail_reads: AtomicU64,
    /// How long each commit takes longer, in microseconds.
    pub delay_us: AtomicU64,
    /// A commit that puts any of these keys fails with an error of the data.
    pub poison_keys: Mutex<BTreeSet<Vec<u8>>>,
    /// Commits asked for.
    pub commits: AtomicU64,
    /// Commits asked for with [`Durability::EachCommit`].
    pub synced_commits: AtomicU64,
    /// Syncs asked for.
    pub syncs: AtomicU64,
    /// Changes that were handed to the engine, in all commits that it was to apply.
    pub ops: AtomicU64,
    gate: Mutex<Gate>,
    gate_changed: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    is_shut: bool,
    held: usize,
}

impl Faults {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds every commit at its beginning until [`Faults::release`].
    pub fn hold(&self) {
        self.gate().is_shut = true;
    }

    /// Waits until a commit is held.
    pub fn await_held(&self) {
        let mut gate = self.gate();
        while gate.held == 0 {
            gate = self
                .gate_changed
                .wait(gate)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets held commits go on.
    pub fn release(&self) {
        self.gate().is_shut = false;
        self.gate_changed.notify_all();
    }

    fn pass(&self) {
        let mut gate = self.gate();
        gate.held += 1;
        self.gate_changed.notify_all();
        while gate.is_shut {
            gate = self
                .gate_changed
                .wait(gate)
                .unwrap_or_else(PoisonError::into_inner);
        }
        gate.held -= 1;
    }

    fn is_poison(&self, batch: &WriteBatch) -> bool {
        let keys = self.poison_keys.lock();
        let keys = keys.unwrap_or_else(PoisonError::into_inner);
        !keys.is_empty() && batch.ops().iter().any(|op| keys.contains(&op.key))
    }
}

fn fault(action: &'static str) -> Error {
    Error::State {
        action,
        reason: "a fault asked for by the test".to_owned(),
    }
}

/// Takes one from a count of failures to come.
fn take(count: &AtomicU64) -> bool {
    let less = |count: u64| count.checked_sub(1);
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

/// The engine. A failed commit applies nothing, unless its fault says otherwise.
pub struct FaultEngine {
    inner: Box<dyn Engine>,
    faults: Arc<Faults>,
}

impl FaultEngine {
    /// Puts `faults` around `inner`.
    #[must_use]
    pub fn new(inner: Box<dyn Engine>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    /// The faults that a commit meets before anything is applied.
    fn before(&self, number: u64, batch: &WriteBatch) -> Result<()> {
        let is = |fault: &AtomicU64| fault.load(Ordering::SeqCst) == number;
        assert!(
            !is(&self.faults.panic_commit),
            "a panic asked for by the test"
        );
        if is(&self.faults.fail_commit) {
            return Err(fault("commit"));
        }
        if is(&self.faults.doubt_lost_commit) {
            return Err(doubt(batch));
        }
        let full = self.faults.full_from.load(Ordering::SeqCst);
        if full != 0 && number >= full {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::io("write to", Path::new("a full disk"))(source));
        }
        if self.faults.is_poison(batch) {
            return Err(Error::Encode {
                record: "a row".to_owned(),
                reason: "its key is poison to the test".to_owned(),
            });
        }
        Ok(())
    }

    fn read(&self) -> Result<&dyn Engine> {
        if take(&self.faults.fail_reads) {
            return Err(fault("read"));
        }
        Ok(&*self.inner)
    }
}

fn doubt(batch: &WriteBatch) -> Error {
    Error::Indeterminate {
        ops: batch.len(),
        source: Box::new(fault("commit")),
    }
}

impl Engine for FaultEngine {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        let number = self.faults.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if durability == Durability::EachCommit {
            self.faults.synced_commits.fetch_add(1, Ordering::SeqCst);
        }
        self.faults.pass();
        let delay = self.faults.delay_us.load(Ordering::SeqCst);
        if delay > 0 {
            std::thread::sleep(Duration::from_micros(delay));
        }
        self.before(number, batch)?;
        let is = |fault: &AtomicU64| fault.load(Ordering::SeqCst) == number;
        if is(&self.faults.tear_commit) {
            let mut half = batch.clone();
            half.truncate(batch.len() / 2);
            self.inner.commit(&half, durability)?;
            return Err(fault("commit"));
        }
        let ops = batch.len() as u64;
        self.faults.ops.fetch_add(ops, Ordering::SeqCst);
        let seq = self.inner.commit(batch, durability)?;
        if is(&self.faults.doubt_commit) {
            return Err(doubt(batch));
        }
        Ok(seq)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read()?.get(family, key)
    }

    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        self.read()?.get_many(family, keys)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.read()?.scan(family, range, limit)
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.read()?.count(family)
    }

    fn sync(&mut self) -> Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if take(&self.faults.fail_syncs) {
            return Err(fault("sync"));
        }
        self.inner.sync()
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.inner.checkpoint(dir)
    }

    fn close(&mut self) -> Result<()> {
        if take(&self.faults.fail_closes) {
            return Err(fault("close"));
        }
        self.inner.close()
    }
}
