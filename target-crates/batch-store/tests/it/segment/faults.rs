//! Every file operation fails once, and the power goes at every one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use batch_store::disk::SharedDisk;
use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::engine::segment::Options;
use batch_store::{Durability, Engine, Error, SegmentEngine, Table, WriteBatch};

use super::script::{STEPS, State, Step, apply, check_recovered, run, state, states, tiny};
use crate::support::{RAW, Raw};

/// Operations of an undisturbed run.
fn operations() -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(SimDisk::new());
    let shared: SharedDisk = disk.clone();
    let progress = run(&dir.path().join("store"), &shared, &mut |_, _| {});
    assert_eq!(progress.synced, STEPS.len());
    disk.operations()
}

/// invariants 2 and 3: what was synced is there, the rest is a prefix.
#[test]
fn invariants_2_and_3_power_loss_at_any_operation_leaves_a_prefix_with_all_that_was_synced() {
    let states = states();
    for at in 0..operations() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let disk = Arc::new(SimDisk::with_fault(at, Fault::PowerOff));
        let shared: SharedDisk = disk.clone();
        let progress = run(&store, &shared, &mut |_, _| {});
        for seed in [None, Some(at), Some(at + 1000)] {
            let left = dir.path().join(format!("left-{seed:?}"));
            std::fs::create_dir(&left).unwrap();
            disk.lose_power(&store, &left, seed).unwrap();
            let fresh: SharedDisk = Arc::new(SimDisk::new());
            let what = (at, seed, progress);
            check_recovered(
                &left,
                &fresh,
                &states,
                (progress.synced, progress.tried),
                &what,
            );
        }
    }
}

/// Opens, and opens again when the fault hit that.
fn open(dir: &Path, disk: &SharedDisk) -> SegmentEngine {
    let open = || SegmentEngine::open_with(dir, tiny(), disk.clone());
    open().or_else(|_| open()).unwrap()
}

/// invariants 4, 5 and 20: a failed call leaves the state as it was, an uncertain one
/// says so, and each can be repeated.
#[test]
fn invariants_5_and_20_any_operation_can_fail_once_and_the_call_be_repeated() {
    let states = states();
    let faults = [
        Fault::Fail(ErrorKind::StorageFull),
        Fault::FailAfter(ErrorKind::Other),
    ];
    let (mut failed, mut indeterminate) = (0, 0);
    for (at, fault) in (0..operations()).flat_map(|at| faults.map(|fault| (at, fault))) {
        let dir = tempfile::tempdir().unwrap();
        let disk: SharedDisk = Arc::new(SimDisk::with_fault(at, fault));
        let mut engine = open(dir.path(), &disk);
        for step in 0..STEPS.len() {
            let mut outcome = apply(&mut engine, step);
            if let Err(error) = &outcome {
                failed += 1;
                indeterminate += usize::from(matches!(error, Error::Indeterminate { .. }));
                assert_eq!(read(&engine), states[step], "{at} {fault:?} {error:?}");
                outcome = apply(&mut engine, step);
            }
            outcome.unwrap_or_else(|error| panic!("{at} {fault:?}: twice: {error:?}"));
            if STEPS[step] == Step::Reopen {
                drop(engine);
                engine = open(dir.path(), &disk);
            }
            assert_eq!(read(&engine), states[step + 1], "{at} {fault:?} {step}");
        }
        if engine.close().is_err() {
            engine.close().unwrap();
        }
        assert_eq!(read(&open(dir.path(), &disk)), states[STEPS.len()]);
    }
    assert!(failed > 50 && indeterminate > 5, "{failed} {indeterminate}");
}

/// The state, read again when the fault hit the first reading.
fn read(engine: &SegmentEngine) -> State {
    state(engine).or_else(|_| state(engine)).unwrap()
}

/// invariants 2 and 5: the same, but the process ends at the first failure.
#[test]
fn invariants_2_and_5_after_a_failed_call_and_a_kill_the_state_is_what_the_error_said() {
    let states = states();
    for at in 0..operations() {
        for fault in [
            Fault::Fail(ErrorKind::StorageFull),
            Fault::FailAfter(ErrorKind::Other),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let disk: SharedDisk = Arc::new(SimDisk::with_fault(at, fault));
            let progress = run(dir.path(), &disk, &mut |_, _| {});
            let bounds = (progress.committed, progress.tried);
            let disk: SharedDisk = Arc::new(SimDisk::new());
            check_recovered(dir.path(), &disk, &states, bounds, &(at, fault, progress));
        }
    }
}

/// invariant 2: of a batch that ends in zeros, over space that is zeros already, the
/// half that was written is the whole; it must not come back.
#[test]
fn invariant_2_a_half_written_batch_that_would_read_as_whole_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(SimDisk::new());
    let shared: SharedDisk = disk.clone();
    let mut engine = SegmentEngine::open_with(dir.path(), Options::default(), shared).unwrap();
    let table = Table::<Raw>::new();
    let zeros = |engine: &mut SegmentEngine, key: u8| {
        let (key, value) = (vec![key], vec![0; 500]);
        let mut batch = WriteBatch::new();
        table
            .stage_put(engine, &mut batch, &Raw { key, value })
            .unwrap();
        engine.commit(&batch, Durability::EachCommit)
    };
    zeros(&mut engine, 1).unwrap();
    // The next operation is the write of the frame.
    let fault = Fault::Fail(ErrorKind::StorageFull);
    disk.set_fault(Some((disk.operations(), fault)));
    let refused = zeros(&mut engine, 2);
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    drop(engine);
    let engine = SegmentEngine::open(dir.path()).unwrap();
    assert_eq!(engine.count(RAW).unwrap(), 1);
    assert_eq!(engine.recovery().torn_at, None);
}
