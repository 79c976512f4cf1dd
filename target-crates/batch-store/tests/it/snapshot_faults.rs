//! The snapshot engine: what a failure, a death or power loss at any disk operation
//! leaves.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::{Engine, Error, SnapshotEngine};

use crate::snapshot::{batches, commit, contents, states, store_with_deltas};
use crate::support::{RAW, rows};

const FULL: ErrorKind = ErrorKind::StorageFull;

#[test]
fn invariant_33_a_failed_directory_sync_is_retried_without_a_new_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let disk = Arc::new(SimDisk::new());
    let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
    let (all, states) = (batches(), states(&batches()));
    commit(&mut engine, &all[0]).unwrap();
    // After create, write, sync and rename comes the directory's sync.
    disk.set_fault(Some((disk.operations() + 4, Fault::Fail(FULL))));
    let outcome = commit(&mut engine, &all[1]);
    assert!(
        matches!(outcome, Err(Error::Indeterminate { ops: 1, .. })),
        "{outcome:?}"
    );
    assert_eq!(rows(&engine, RAW), states[2]);
    disk.set_fault(Some((disk.operations(), Fault::PowerOff)));
    assert!(engine.sync().is_err() && engine.sync().is_err() && engine.close().is_err());
    disk.set_fault(None);
    let before = disk.operations();
    engine.sync().unwrap();
    assert!(disk.operations() >= before + 5, "nothing was written");
    let before = disk.operations();
    engine.sync().unwrap();
    assert_eq!(disk.operations(), before, "clean, and yet written");
    engine.close().unwrap();
    let engine = SnapshotEngine::open(&path).unwrap();
    assert_eq!(rows(&engine, RAW), states[2]);
}

/// A run whose operation number `at` meets the fault; false when there is none.
fn commits_with_a_fault_lose_nothing(at: u64, fault: Fault) -> bool {
    let (all, states) = (batches(), states(&batches()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let disk = Arc::new(SimDisk::with_fault(at, fault));
    let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
    for (number, changes) in all.iter().enumerate() {
        let Err(error) = commit(&mut engine, changes) else {
            continue;
        };
        let found = rows(&engine, RAW);
        let is_after = matches!(error, Error::Indeterminate { .. }) && found == states[number + 1];
        assert!(is_after || found == states[number], "{at}: {error}");
        drop(engine);
        let stored = rows(&SnapshotEngine::open(&path).unwrap(), RAW);
        let is_after = matches!(error, Error::Indeterminate { .. }) && stored == states[number + 1];
        assert!(is_after || stored == states[number], "{at}: {error}");
        engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
        commit(&mut engine, changes).unwrap();
    }
    assert_eq!(rows(&engine, RAW), states[all.len()]);
    engine.close().unwrap();
    let engine = SnapshotEngine::open(&path).unwrap();
    assert_eq!(rows(&engine, RAW), states[all.len()], "operation {at}");
    disk.operations() > at
}

/// The same without opening again in between: the engine that failed goes on.
fn a_failed_engine_goes_on(at: u64, fault: Fault) -> bool {
    let (all, states) = (batches(), states(&batches()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let disk = Arc::new(SimDisk::with_fault(at, fault));
    let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
    for changes in &all {
        if commit(&mut engine, changes).is_err() {
            commit(&mut engine, changes).unwrap();
        }
    }
    assert_eq!(rows(&engine, RAW), states[all.len()]);
    drop(engine);
    let engine = SnapshotEngine::open(&path).unwrap();
    assert_eq!(rows(&engine, RAW), states[all.len()], "operation {at}");
    disk.operations() > at
}

#[test]
fn invariant_5_and_20_a_full_disk_at_any_operation_loses_nothing_and_the_retry_succeeds() {
    for fault in [Fault::Fail(FULL), Fault::FailAfter(FULL)] {
        for run in [commits_with_a_fault_lose_nothing, a_failed_engine_goes_on] {
            let runs = (0..).take_while(|at| run(*at, fault)).count();
            assert!(runs > 5 * batches().len(), "only {runs} operations failed");
        }
    }
}

#[test]
fn invariant_3_power_loss_at_any_operation_keeps_every_commit_that_returned() {
    let (all, states) = (batches(), states(&batches()));
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::with_fault(at, Fault::PowerOff));
        let path = dir.path().join("map.snap");
        let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
        let promised = all
            .iter()
            .take_while(|changes| commit(&mut engine, changes).is_ok())
            .count();
        for seed in [None, Some(1), Some(2), Some(3)] {
            let left = tempfile::tempdir().unwrap();
            disk.lose_power(dir.path(), left.path(), seed).unwrap();
            let engine = SnapshotEngine::open(&left.path().join("map.snap")).unwrap();
            let found = rows(&engine, RAW);
            assert!(
                states[promised..]
                    .iter()
                    .take(2)
                    .any(|state| *state == found),
                "operation {at}, {promised} promised, seed {seed:?}: {found:?}"
            );
        }
        if promised == all.len() {
            assert!(at > 5 * all.len() as u64);
            return;
        }
    }
}

#[test]
fn invariant_2_and_32_a_process_killed_at_any_disk_operation_leaves_a_prefix_of_its_commits() {
    let (all, states) = (batches(), states(&batches()));
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "snapshot_faults::child_that_commits",
                "--ignored",
            ])
            .env("BATCH_STORE_TEST_DIR", dir.path())
            .env("BATCH_STORE_TEST_DEATH", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let is_done = child.status().unwrap().success();
        let promised = std::fs::read_dir(dir.path().join("promised"))
            .unwrap()
            .count();
        let engine = SnapshotEngine::open(&dir.path().join("map.snap")).unwrap();
        let found = rows(&engine, RAW);
        assert!(
            states[promised..]
                .iter()
                .take(2)
                .any(|state| *state == found),
            "operation {at}, {promised} commits promised: {found:?}"
        );
        if is_done {
            assert_eq!(promised, all.len());
            assert!(at > 5 * all.len(), "only {at} deaths");
            return;
        }
    }
}

#[test]
#[ignore = "a child of another test"]
fn child_that_commits() {
    let dir = PathBuf::from(std::env::var_os("BATCH_STORE_TEST_DIR").expect("a parent"));
    let at = std::env::var("BATCH_STORE_TEST_DEATH").unwrap().parse();
    std::fs::create_dir(dir.join("promised")).unwrap();
    let disk = Arc::new(SimDisk::with_fault(at.unwrap(), Fault::Abort));
    let mut engine = SnapshotEngine::open_on(&dir.join("map.snap"), disk).unwrap();
    for (number, changes) in batches().iter().enumerate() {
        commit(&mut engine, changes).unwrap();
        std::fs::write(dir.join("promised").join(number.to_string()), "").unwrap();
    }
    engine.close().unwrap();
}

#[test]
fn a_failure_while_setting_aside_never_makes_a_store_of_what_is_left() {
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let path = store_with_deltas(dir.path());
        std::fs::write(dir.path().join("map.snap.1.2"), "").unwrap();
        let before: usize = contents(dir.path()).len();
        let disk = Arc::new(SimDisk::with_fault(at, Fault::Fail(FULL)));
        if let Ok((_, Some(_))) = SnapshotEngine::open_or_quarantine_on(&path, disk) {
            assert!(at > 6, "only {at} operations");
            return;
        }
        let (engine, _) = SnapshotEngine::open_or_quarantine(&path).unwrap();
        assert_eq!(engine.count(RAW).unwrap(), 0);
        let aside = ["map.snap.damaged-1", "map.snap.damaged-2"].map(|name| dir.path().join(name));
        let kept: usize = (aside.iter().filter(|dir| dir.exists()))
            .map(|dir| contents(dir).len())
            .sum();
        assert_eq!(kept, before, "operation {at}");
    }
}
