//! Faults on demand, for tests: a named step kills the process or fails as on a full disk.
//!
//! `AUTORESEARCH_FAULT=kill:run-recorded:2` sends SIGKILL to this process when it comes to that step
//! for the second time; `full:ledger-append` fails the first such write with "no space left". Every
//! step whose interruption could lose something has a name here, so that a test can go through all.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that asks for a fault.
pub const FAULT_VARIABLE: &str = "AUTORESEARCH_FAULT";

/// Steps after which the process can be killed, in the order of an iteration.
pub const KILL_POINTS: &[&str] = &[
    "baseline-checked",
    "config-recorded",
    "calibration-recorded",
    "slot-checked-out",
    "candidate-committed",
    "candidate-named",
    "sides-built",
    "pair-measured",
    "slots-swapped",
    "gate-run",
    "kept-commit-written",
    "ledger-half-written",
    "run-recorded",
    "branch-moved",
    "move-complete",
    "tick-half-written",
    "ticked",
    "claim-measured",
    "claim-recorded",
    "slots-removed",
];

/// Steps of `finalize` after which the process can be killed.
pub const FINALIZE_KILL_POINTS: &[&str] = &["group-made"];

/// Steps of `repair` after which the process can be killed.
pub const REPAIR_KILL_POINTS: &[&str] = &["original-kept", "repair-half-written"];

/// Writes of `repair` that can fail for want of space.
pub const REPAIR_WRITE_POINTS: &[&str] = &["original-copy", "repair-write"];

/// Writes that can fail for want of space.
pub const WRITE_POINTS: &[&str] = &[
    "slot-mark",
    "slot-create",
    "slot-check-out",
    "private-create",
    "log-create",
    "tree-write",
    "object-write",
    "reword-write",
    "ledger-append",
    "ref-write",
    "branch-move",
    "tick-write",
    "live-write",
];

/// The same, where only some projects or commands come by.
pub const RARE_WRITE_POINTS: &[&str] = &[
    "torn-write",
    "script-write",
    "brief-write",
    "hook-input",
    "file-write",
];

/// Steps after which the process can panic.
pub const PANIC_POINTS: &[&str] = &["watch-drawn"];

static SEEN: AtomicU32 = AtomicU32::new(0);

/// A step is reached: the process dies here when that was asked for.
pub fn reached(step: &str) {
    if is_asked_for("kill", step) {
        // As a real kill -9: no destructor runs, no buffer is flushed.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .ok();
    }
}

/// A write is about to happen.
///
/// # Errors
/// `ENOSPC`, when that was asked for.
pub fn space_for(step: &str) -> io::Result<()> {
    if is_asked_for("full", step) {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    Ok(())
}

/// A step is reached: the process panics here when that was asked for (`panic:watch-drawn`).
///
/// # Panics
/// When that was asked for.
pub fn may_panic(step: &str) {
    assert!(!is_asked_for("panic", step), "asked for at {step}");
}

/// `space_for` in the terms of libgit2.
///
/// # Errors
/// As [`space_for`].
pub fn git_space_for(step: &str) -> Result<(), git2::Error> {
    space_for(step).map_err(|error| git2::Error::from_str(&error.to_string()))
}

fn is_asked_for(kind: &str, step: &str) -> bool {
    debug_assert!(
        [
            KILL_POINTS,
            FINALIZE_KILL_POINTS,
            REPAIR_KILL_POINTS,
            WRITE_POINTS,
            RARE_WRITE_POINTS,
            REPAIR_WRITE_POINTS,
            PANIC_POINTS,
        ]
        .iter()
        .any(|points| points.contains(&step)),
        "{step} is not listed"
    );
    let Ok(asked) = std::env::var(FAULT_VARIABLE) else {
        return false;
    };
    let mut parts = asked.split(':');
    let is_it = parts.next() == Some(kind) && parts.next() == Some(step);
    let which: u32 = parts.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    is_it && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == which
}
