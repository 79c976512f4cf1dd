//! What a piece of work cost: time, allocations, bytes handed to `write`, syncs.

use std::time::{Duration, Instant};

use crate::alloc::allocations;

/// The cost of a piece of work, of the whole process while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Wall-clock time.
    pub elapsed: Duration,
    /// Allocations and reallocations of Rust code; C code is not seen.
    pub allocations: u64,
    /// Bytes handed to `write(2)` and its relatives (`wchar` of `/proc/self/io`).
    /// Not `write_bytes`, which large folios inflate. 0 where there is no such file.
    pub written_bytes: u64,
    /// Calls of `fsync` and `fdatasync`, from Rust and C alike; 0 off Linux.
    /// Writes through a descriptor opened with `O_DSYNC` are not among them.
    pub syncs: u64,
}

/// Does the work and counts.
pub fn costed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (written, synced, allocated) = (written_bytes(), syncs(), allocations());
    let start = Instant::now();
    let value = work();
    let elapsed = start.elapsed();
    let cost = Cost {
        elapsed,
        allocations: allocations() - allocated,
        syncs: syncs() - synced,
        written_bytes: written_bytes().saturating_sub(written),
    };
    (value, cost)
}

/// The number on the line of `file` that starts with `name`.
fn line_of(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn written_bytes() -> u64 {
    line_of("/proc/self/io", "wchar:").unwrap_or(0)
}

/// Resident memory of this process in KiB; `None` where it cannot be read.
#[must_use]
pub fn rss_kib() -> Option<u64> {
    line_of("/proc/self/status", "VmRSS:")
}

/// Peak resident memory of this process in KiB; `None` where it cannot be read.
#[must_use]
pub fn peak_rss_kib() -> Option<u64> {
    line_of("/proc/self/status", "VmHWM:")
}

/// Calls of `fsync` and `fdatasync` since the process began; 0 off Linux.
#[must_use]
pub fn syncs() -> u64 {
    #[cfg(target_os = "linux")]
    return linux::SYNCS.load(std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// `fsync` and `fdatasync` of the C library, replaced by ones that count. The
/// linker prefers a program's own definition, so SQLite and LMDB call these too.
#[cfg(target_os = "linux")]
mod linux {
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) static SYNCS: AtomicU64 = AtomicU64::new(0);

    #[expect(
        unsafe_code,
        reason = "the symbol must keep its name to be found in the C library's place"
    )]
    // SAFETY: same signature and meaning as the function it stands for.
    #[unsafe(no_mangle)]
    extern "C" fn fsync(descriptor: libc::c_int) -> libc::c_int {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the system call takes any number and sets errno as the C library's function does.
        unsafe { libc::syscall(libc::SYS_fsync, descriptor) as libc::c_int }
    }

    #[expect(
        unsafe_code,
        reason = "the symbol must keep its name to be found in the C library's place"
    )]
    // SAFETY: same signature and meaning as the function it stands for.
    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(descriptor: libc::c_int) -> libc::c_int {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as in `fsync`.
        unsafe { libc::syscall(libc::SYS_fdatasync, descriptor) as libc::c_int }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn writes_and_syncs_of_a_file_are_counted() {
        let mut file = tempfile::tempfile().expect("a file");
        let ((), cost) = costed(|| {
            file.write_all(&[7; 5000]).expect("a write");
            file.sync_all().expect("a sync");
            file.sync_data().expect("a sync");
        });
        if cfg!(target_os = "linux") {
            assert!(cost.syncs >= 2, "{cost:?}");
            assert!(cost.written_bytes >= 5000, "{cost:?}");
        }
    }

    #[test]
    fn syncs_that_sqlite_makes_in_c_are_counted() {
        use batch_store::{Durability, Engine, Family, Layout, SqliteEngine};
        let dir = tempfile::tempdir().expect("a directory");
        let family = Family::new("rows", Layout::Rowid);
        let (outcome, cost) = costed(|| {
            SqliteEngine::open(&dir.path().join("a.db"), &[family], Durability::EachCommit)?.close()
        });
        outcome.expect("the store works");
        assert!(cost.syncs > 0 || cfg!(not(target_os = "linux")), "{cost:?}");
    }
}
