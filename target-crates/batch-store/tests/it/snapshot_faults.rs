//! The snapshot engine: what a failure, or a death, at any disk operation leaves.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use batch_store::disk::RealDisk;
use batch_store::{Engine, Error, SnapshotEngine};

use crate::faulty_disk::{Fault, FaultyDisk};
use crate::snapshot::{PAIRS, batches, commit, contents, states, store_with_deltas};
use crate::support::rows;

#[test]
fn invariant_33_a_failed_directory_sync_is_retried_without_a_new_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let disk = FaultyDisk::new(Fault::Full, 0);
    let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
    let (all, states) = (batches(), states(&batches()));
    commit(&mut engine, &all[0]).unwrap();
    disk.fail_next(5); // create, write, sync, rename, and then the directory's sync
    let outcome = commit(&mut engine, &all[1]);
    assert!(
        matches!(outcome, Err(Error::Indeterminate { ops: 1, .. })),
        "{outcome:?}"
    );
    assert_eq!(rows(&engine, PAIRS), states[2]);
    disk.fail_all(true);
    assert!(engine.sync().is_err() && engine.sync().is_err() && engine.close().is_err());
    disk.fail_all(false);
    let before = disk.operations();
    engine.sync().unwrap();
    assert!(disk.operations() >= before + 5, "nothing was written");
    let before = disk.operations();
    engine.sync().unwrap();
    assert_eq!(disk.operations(), before, "clean, and yet written");
    engine.close().unwrap();
    let engine = SnapshotEngine::open(&path).unwrap();
    assert_eq!(rows(&engine, PAIRS), states[2]);
}

#[test]
fn invariant_20_a_full_disk_at_any_operation_loses_nothing_and_the_retry_succeeds() {
    let (all, states) = (batches(), states(&batches()));
    let mut at = 0;
    loop {
        at += 1;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.snap");
        let disk = FaultyDisk::new(Fault::Full, at);
        let mut engine = SnapshotEngine::open_on(&path, disk.clone()).unwrap();
        for (number, changes) in all.iter().enumerate() {
            let Err(error) = commit(&mut engine, changes) else {
                continue;
            };
            let is_open = matches!(error, Error::Indeterminate { .. });
            let state = &states[number + usize::from(is_open)];
            assert_eq!(&rows(&engine, PAIRS), state, "operation {at}: {error}");
            commit(&mut engine, changes).unwrap();
        }
        assert_eq!(rows(&engine, PAIRS), states[all.len()]);
        engine.close().unwrap();
        let engine = SnapshotEngine::open(&path).unwrap();
        assert_eq!(rows(&engine, PAIRS), states[all.len()], "operation {at}");
        if disk.operations() < at {
            break;
        }
    }
    assert!(at > 5 * all.len(), "only {at} operations were failed");
}

#[test]
fn invariant_2_and_32_a_process_killed_at_any_disk_operation_leaves_a_prefix_of_its_commits() {
    let (all, states) = (batches(), states(&batches()));
    let mut at = 0;
    loop {
        at += 1;
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
        let found = rows(&engine, PAIRS);
        assert!(
            states[promised..]
                .iter()
                .take(2)
                .any(|state| *state == found),
            "operation {at}, {promised} commits promised: {found:?}"
        );
        if is_done {
            assert_eq!(promised, all.len());
            break;
        }
    }
    assert!(at > 5 * all.len(), "only {at} deaths");
}

#[test]
#[ignore = "a child of another test"]
fn child_that_commits() {
    let dir = PathBuf::from(std::env::var_os("BATCH_STORE_TEST_DIR").expect("a parent"));
    let at = std::env::var("BATCH_STORE_TEST_DEATH").unwrap().parse();
    std::fs::create_dir(dir.join("promised")).unwrap();
    let disk = FaultyDisk::new(Fault::Death, at.unwrap());
    let mut engine = SnapshotEngine::open_on(&dir.join("map.snap"), disk).unwrap();
    for (number, changes) in batches().iter().enumerate() {
        commit(&mut engine, changes).unwrap();
        std::fs::write(dir.join("promised").join(number.to_string()), "").unwrap();
    }
    engine.close().unwrap();
}

#[test]
fn a_failure_while_setting_aside_leaves_a_store_that_is_still_called_damaged() {
    let mut at = 0;
    loop {
        at += 1;
        let dir = tempfile::tempdir().unwrap();
        let path = store_with_deltas(dir.path());
        std::fs::write(dir.path().join("map.snap.1.2"), "").unwrap();
        let disk = FaultyDisk::new(Fault::Full, at);
        if SnapshotEngine::open_or_quarantine_on(&path, disk).is_ok() {
            break;
        }
        let (_, quarantine) =
            SnapshotEngine::open_or_quarantine_on(&path, Arc::new(RealDisk)).unwrap();
        assert!(quarantine.is_some() || at > 3, "operation {at}");
        assert_eq!(contents(dir.path()).len(), 0);
    }
    assert!(at > 5, "{at}");
}
