//! The workloads, by name.

pub mod artifacts;
pub mod entities;
pub mod grants;
pub mod heartbeats;
pub mod packages;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::metrics::Metric;
use crate::scale::Scale;
use crate::{BenchError, Result};

/// A workload: runs in an empty directory and returns what it measured, having
/// verified what it stored.
pub struct Workload {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&Path, Scale) -> Result<Vec<Metric>>,
}

/// All of them, in the order they run.
pub const ALL: &[Workload] = &[
    Workload {
        name: "grants",
        about: "write, seal and pack grants, then unpack and read them page by page",
        run: grants::run,
    },
    Workload {
        name: "grants_mixed",
        about: "shuffled grants with repeated ids and skewed principals",
        run: grants::run_mixed,
    },
    Workload {
        name: "packages",
        about: "drain of a package index fed by sixteen producers",
        run: packages::run,
    },
    Workload {
        name: "heartbeats",
        about: "heartbeats acknowledged: in a window, to clients that wait, and once synced",
        run: heartbeats::run,
    },
    Workload {
        name: "artifacts",
        about: "a burst of insertions into a warm artifact index, until synced",
        run: artifacts::run,
    },
    Workload {
        name: "entities",
        about: "batches of events over a write-behind entity store, with reorganisations",
        run: entities::run,
    },
];

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

/// Does each piece of work on a thread of its own, all at once, and joins what
/// they return.
pub(crate) fn in_threads<T: Send>(
    works: impl Iterator<Item = impl FnOnce() -> Result<Vec<T>> + Send>,
) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = works.map(|work| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| BenchError::Panicked)??);
        }
        Ok(all)
    })
}
