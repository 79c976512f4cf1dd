//! An engine that fails on purpose, around any other: for tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Engine, Range, Row};
use crate::batch::WriteBatch;
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::Family;

/// Which calls fail, and what was asked for. Shared with the test.
#[derive(Debug, Default)]
pub struct Faults {
    /// The commit that fails, counting from 1; 0 is none.
    pub fail_commit: AtomicU64,
    /// The commit that panics, counting from 1; 0 is none.
    pub panic_commit: AtomicU64,
    /// Commits asked for.
    pub commits: AtomicU64,
    /// Commits asked for with [`Durability::EachCommit`].
    pub synced_commits: AtomicU64,
    /// Syncs asked for.
    pub syncs: AtomicU64,
}

/// The engine. A failed commit applies nothing.
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
}

impl Engine for FaultEngine {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        let number = self.faults.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if durability == Durability::EachCommit {
            self.faults.synced_commits.fetch_add(1, Ordering::SeqCst);
        }
        assert_ne!(
            number,
            self.faults.panic_commit.load(Ordering::SeqCst),
            "a panic asked for by the test"
        );
        if number == self.faults.fail_commit.load(Ordering::SeqCst) {
            return Err(Error::State {
                action: "commit",
                reason: "a fault asked for by the test".to_owned(),
            });
        }
        self.inner.commit(batch, durability)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(family, key)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.inner.scan(family, range, limit)
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.inner.count(family)
    }

    fn sync(&mut self) -> Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync()
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.inner.checkpoint(dir)
    }

    fn close(&mut self) -> Result<()> {
        self.inner.close()
    }
}
