//! What a loop is doing now, as it tells other processes.

use serde::{Deserialize, Serialize};

/// The state of a loop at work. It is published between steps and never read back by the loop.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Live {
    /// The loop's process id.
    pub pid: u32,
    /// When the loop began, milliseconds since 1970.
    pub started: u64,
    /// The iteration, from 1; 0 before the first and while nothing is being tried.
    pub iteration: u32,
    /// Most iterations; 0 when the command has none.
    pub iterations: u32,
    /// What is going on, such as `screening`.
    pub phase: String,
    /// When that began, milliseconds since 1970.
    pub phase_since: u64,
    /// Pairs done in it and the most it can take, where it measures pairs.
    pub pairs: Option<LivePairs>,
    /// Candidates kept in this run of the loop.
    pub kept: u32,
    /// Candidates judged in this run of the loop.
    pub tried: u32,
    /// The last verdict, one line.
    pub last: Option<String>,
}

/// Progress within a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePairs {
    /// Pairs done.
    pub done: usize,
    /// The most it can take.
    pub most: usize,
}

/// Whether a loop is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// None is.
    No,
    /// One is.
    Yes {
        /// Its process id, where the lock says so.
        pid: Option<u32>,
        /// What it has published.
        live: Option<Live>,
    },
}
