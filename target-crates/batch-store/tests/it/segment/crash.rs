//! Real processes that end at every file operation.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use batch_store::disk::SharedDisk;
use batch_store::disk::sim::{Fault, SimDisk};

use super::script::{STEPS, check_recovered, run, states};

const DIR: &str = "BATCH_STORE_TEST_DIR";
const ABORT_AT: &str = "BATCH_STORE_TEST_ABORT_AT";

#[test]
#[ignore = "a child of another test"]
fn child_that_runs_the_script() {
    let dir = std::path::PathBuf::from(std::env::var_os(DIR).expect("run by its parent test"));
    let at: u64 = std::env::var(ABORT_AT).unwrap().parse().unwrap();
    let disk: SharedDisk = Arc::new(SimDisk::with_fault(at, Fault::Abort));
    let mut told = std::fs::File::create(dir.join("progress")).unwrap();
    let progress = run(&dir.join("store"), &disk, &mut |step, is_done| {
        let word = if is_done { "done" } else { "tried" };
        writeln!(told, "{word} {}", step + 1).unwrap();
    });
    assert_eq!(progress.committed, STEPS.len());
}

fn child(dir: &Path, at: u64) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "segment::crash::child_that_runs_the_script";
    command.args(["--exact", name, "--ignored", "--test-threads=1"]);
    command.env(DIR, dir).env(ABORT_AT, at.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap()
}

/// invariants 2, 3 and 22: every batch is there whole or not at all, with its index
/// entries, and every acknowledged one is there.
#[test]
fn invariants_2_3_and_22_a_process_killed_at_any_operation_leaves_whole_batches() {
    let states = states();
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let is_whole = child(dir.path(), at).success();
        let told = std::fs::read_to_string(dir.path().join("progress")).unwrap();
        let last = |word: &str| {
            let mut lines = told.lines().filter_map(|line| line.strip_prefix(word));
            lines
                .next_back()
                .map_or(0, |step| step.trim().parse().unwrap())
        };
        let bounds = (last("done"), last("tried"));
        let disk: SharedDisk = Arc::new(SimDisk::new());
        let store = dir.path().join("store");
        check_recovered(&store, &disk, &states, bounds, &(at, bounds));
        if is_whole {
            assert_eq!(bounds.0, STEPS.len());
            assert!(at > 100, "only {at} operations");
            return;
        }
    }
}
