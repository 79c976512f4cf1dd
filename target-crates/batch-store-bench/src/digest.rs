//! What the workloads found in the store, as one number a workload: the loop
//! compares it between the two sides of a pair (`DIGEST name=value` lines).

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sum of the checksums of what was found: the same in whatever order, and on
/// whatever threads, it is verified.
static FOUND: AtomicU64 = AtomicU64::new(0);

/// Counts in something that was found and is right.
pub(crate) fn add(what: &str, found: &impl Debug) {
    let checksum = crc32fast::hash(format!("{what}: {found:?}").as_bytes());
    FOUND.fetch_add(u64::from(checksum), Ordering::Relaxed);
}

/// The digest of everything verified since the last call.
pub fn take() -> u64 {
    FOUND.swap(0, Ordering::Relaxed)
}
