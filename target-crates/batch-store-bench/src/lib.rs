//! The benchmark of `batch-store`: three workloads, each with its durability
//! boundary inside the timer and its verification outside.
//!
//! The binary prints one `METRIC name=value` line per measurement; a repeated
//! name is a further sample. One `DIGEST workload=value` line says what a
//! workload found in the store. A wrong count, index or digest is an error, and the
//! process exits 1 without the metric of that workload.

pub mod alloc;
#[cfg(feature = "compare")]
pub mod compare;
pub mod counters;
pub mod digest;
pub mod latency;
pub mod metrics;
#[cfg(feature = "compare")]
pub mod peers;
#[cfg(feature = "pprof")]
pub mod profile;
pub mod rng;
pub mod scale;
pub mod workloads;

use std::path::PathBuf;

/// The result of everything here.
pub type Result<T, E = BenchError> = std::result::Result<T, E>;

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The store failed.
    #[error("the store failed: {}", chain(.0))]
    Store(#[from] batch_store::Error),
    /// A file operation failed.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The store did not hold what was written into it.
    #[error("verification failed: {what} is {found}, expected {expected}")]
    Verification {
        /// What was compared.
        what: &'static str,
        /// As the store has it.
        found: String,
        /// As the generator has it.
        expected: String,
    },
    /// Another store, or a process that runs one, failed.
    #[error("a peer failed: {0}")]
    Peer(String),
    /// A thread of a workload panicked.
    #[error("a thread of the workload panicked")]
    Panicked,
    /// The profiler failed.
    #[error("failed to profile: {0}")]
    Profile(String),
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Compares what the store holds with what it was given, and counts it into the
/// workload's [`digest`].
///
/// # Errors
/// When they differ.
pub fn verify<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    found: &T,
    expected: &T,
) -> Result<()> {
    if found == expected {
        digest::add(what, found);
        return Ok(());
    }
    Err(BenchError::Verification {
        what,
        found: format!("{found:?}"),
        expected: format!("{expected:?}"),
    })
}
