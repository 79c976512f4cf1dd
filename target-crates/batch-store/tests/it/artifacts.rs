//! The artifact index: its one queue, its commits, and recovering rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use batch_store::artifacts::{ArtifactIndex, ArtifactKey, ArtifactRow, ArtifactStore};
use batch_store::{
    Error, FaultEngine, Faults, FlushWhen, MemoryEngine, OnError, Policy, SnapshotEngine, Table,
};
use proptest::prelude::*;

use crate::support::{Shared, cases};

const NEVER: Duration = Duration::from_secs(3600);

pub fn key(number: u64) -> ArtifactKey {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    ArtifactKey::new(bytes)
}

pub fn index(number: u64) -> ArtifactIndex {
    ArtifactIndex {
        output_names: vec![format!("lib{number}.rlib"), "dep.d".to_owned()].into(),
        output_sizes: vec![number, 7].into(),
        stdout: Arc::default(),
        stderr: format!("warning {number}").into_bytes().into(),
        exit_code: -(number as i32),
        total_size: number + 7,
        stored_at_secs: 1_700_000_000,
    }
}

/// Commits at `ops` operations, at a barrier and at the end only.
pub fn policy(ops: usize) -> Policy {
    let policy = Policy::artifact_index();
    Policy {
        flush_when: FlushWhen {
            ops,
            age: NEVER,
            ..policy.flush_when
        },
        on_error: OnError::Retry {
            attempts: 0,
            backoff: Duration::ZERO,
            keep: true,
        },
        ..policy
    }
}

fn faulty(policy: Policy) -> (ArtifactStore, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let engine = FaultEngine::new(Box::new(MemoryEngine::new()), Arc::clone(&faults));
    (
        ArtifactStore::over(Box::new(engine), policy).unwrap(),
        faults,
    )
}

pub fn over(path: &Path, policy: Policy) -> ArtifactStore {
    let engine = SnapshotEngine::open(path).unwrap();
    ArtifactStore::over(Box::new(engine), policy).unwrap()
}

/// The rows 0 to 9 that there are.
pub fn visible(store: &ArtifactStore) -> BTreeMap<u64, ArtifactIndex> {
    let rows = (0..10).filter_map(|number| Some((number, store.get(&key(number))?)));
    rows.collect()
}

#[test]
fn a_row_that_cannot_be_encoded_changes_nothing() {
    let (store, _) = faulty(policy(100));
    let mut uneven = index(1);
    uneven.output_sizes = vec![1].into();
    let outcome = store.insert(key(1), uneven);
    assert!(matches!(outcome, Err(Error::Encode { .. })), "{outcome:?}");
    assert!(store.is_empty());
}

#[test]
fn a_policy_that_would_lose_a_failed_batch_is_refused() {
    let losing = Policy {
        on_error: OnError::DropBatch,
        ..policy(1)
    };
    let outcome = ArtifactStore::over(Box::new(MemoryEngine::new()), losing);
    assert!(matches!(outcome, Err(Error::State { .. })), "{outcome:?}");
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, u64),
    Touch(u64, u64),
    Remove(u64),
    Clear,
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..10_u64, 0..99_u64).prop_map(|(at, value)| Step::Insert(at, value)),
        2 => (0..10_u64, any::<u64>()).prop_map(|(at, secs)| Step::Touch(at, secs)),
        3 => (0..10_u64).prop_map(Step::Remove),
        1 => Just(Step::Clear),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

fn apply(store: &ArtifactStore, model: &mut BTreeMap<u64, ArtifactIndex>, step: &Step) {
    match *step {
        Step::Insert(at, value) => {
            store.insert(key(at), index(value)).unwrap();
            model.insert(at, index(value));
        }
        Step::Touch(at, secs) => {
            let row = model.get_mut(&at);
            assert_eq!(store.touch(&key(at), secs).unwrap(), row.is_some());
            row.into_iter().for_each(|row| row.stored_at_secs = secs);
        }
        Step::Remove(at) => {
            let is_known = model.remove(&at).is_some();
            assert_eq!(store.remove(&key(at)).unwrap(), is_known);
        }
        Step::Clear => {
            store.clear().unwrap();
            model.clear();
        }
        Step::Flush => store.flush().unwrap(),
        Step::Reopen => {}
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn invariant_16_any_commands_leave_what_the_model_has_in_memory_and_on_disk(
        steps in proptest::collection::vec(step(), 0..60),
        ops in 1..9_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("artifacts.snap");
        let mut store = over(&path, policy(ops));
        let mut model = BTreeMap::new();
        for step in &steps {
            if matches!(step, Step::Reopen) {
                store.close().unwrap();
                store = over(&path, policy(ops));
            }
            apply(&store, &mut model, step);
            prop_assert_eq!(&visible(&store), &model);
            prop_assert_eq!(store.len(), model.len());
        }
        store.close().unwrap();
        prop_assert_eq!(&visible(&over(&path, policy(ops))), &model);
    }

    #[test]
    fn invariant_36_a_late_row_never_replaces_a_newer_one_nor_returns_a_removed_one(
        before in proptest::collection::vec(step(), 0..20),
        during in proptest::collection::vec((step(), 0..10_u64), 0..30),
    ) {
        let (store, _) = faulty(policy(5));
        let mut model = BTreeMap::new();
        before.iter().for_each(|step| apply(&store, &mut model, step));
        let recovery = store.recover().unwrap();
        prop_assert!(store.recover().is_err());
        let (mut removed, mut is_cleared) = (Vec::new(), false);
        for (step, late) in &during {
            apply(&store, &mut model, step);
            match step {
                Step::Remove(at) => removed.push(*at),
                Step::Clear => is_cleared = true,
                _ => {}
            }
            let is_wanted = !is_cleared && !removed.contains(late) && !model.contains_key(late);
            prop_assert_eq!(recovery.insert_absent(key(*late), index(1000)).unwrap(), is_wanted);
            if is_wanted {
                model.insert(*late, index(1000));
            }
            prop_assert_eq!(&visible(&store), &model);
        }
        drop(recovery);
        store.recover().unwrap();
    }
}

#[test]
fn invariant_16_producers_of_all_commands_leave_on_disk_what_was_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("artifacts.snap");
    let store = over(&path, policy(64));
    std::thread::scope(|scope| {
        for producer in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..200_u64 {
                    let at = (i * 7 + producer) % 10;
                    match (i + producer) % 5 {
                        0 => drop(store.remove(&key(at)).unwrap()),
                        1 => drop(store.touch(&key(at), i).unwrap()),
                        2 if i % 50 == 2 => store.clear().unwrap(),
                        _ => store.insert(key(at), index(producer * 1000 + i)).unwrap(),
                    }
                }
            });
        }
    });
    let expected = visible(&store);
    store.close().unwrap();
    assert_eq!(
        visible(&store),
        expected,
        "memory is readable after closing"
    );
    assert!(store.insert(key(1), index(1)).is_err());
    drop(store);
    assert_eq!(visible(&over(&path, policy(64))), expected);
}

#[test]
fn invariant_16_the_row_that_stays_visible_is_the_one_that_is_stored() {
    let engine = Shared::default();
    let store = ArtifactStore::over(Box::new(engine.clone()), policy(usize::MAX)).unwrap();
    let turn = std::sync::Barrier::new(4);
    // Counted, since a thread that panics would leave the others at the barrier.
    let mismatches = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for producer in 0..4 {
            let (store, engine, turn, mismatches) = (&store, &engine, &turn, &mismatches);
            scope.spawn(move || {
                for round in 0..5000 {
                    turn.wait();
                    store.insert(key(0), index(round * 4 + producer)).unwrap();
                    if turn.wait().is_leader() {
                        store.flush().unwrap();
                        let stored = Table::<ArtifactRow>::new().get(engine, key(0).as_bytes());
                        let stored = stored.unwrap().map(|row| row.index);
                        let differs = store.get(&key(0)) != stored;
                        mismatches.fetch_add(usize::from(differs), Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(mismatches.into_inner(), 0);
}

#[test]
fn a_commit_starts_at_2048_commands_and_not_at_2047() {
    let preset = Policy::artifact_index().flush_when;
    assert_eq!((preset.ops, preset.age), (2048, Duration::from_secs(5)));
    let (store, faults) = faulty(policy(preset.ops));
    faults.hold();
    for number in 0..2047 {
        store.insert(key(number), index(number)).unwrap();
    }
    assert_eq!(faults.commits.load(Ordering::SeqCst), 0);
    store.insert(key(2047), index(2047)).unwrap();
    faults.await_held();
    // While it is held, everybody else goes on.
    store.insert(key(9999), index(1)).unwrap();
    assert_eq!(store.get(&key(9999)), Some(index(1)));
    faults.release();
    store.flush().unwrap();
    assert_eq!(faults.commits.load(Ordering::SeqCst), 2);
}

#[test]
fn invariant_6_without_traffic_a_row_is_committed_at_its_age() {
    let mut quick = policy(usize::MAX);
    quick.flush_when.age = Duration::from_millis(1);
    let (store, faults) = faulty(quick);
    faults.hold();
    store.insert(key(1), index(1)).unwrap();
    faults.await_held();
    faults.release();
}

#[test]
fn invariant_33_rows_whose_write_failed_are_kept_and_written_without_new_ones() {
    let mut quick = policy(usize::MAX);
    quick.flush_when.age = Duration::from_millis(1);
    let (store, faults) = faulty(quick);
    faults.full_from.store(1, Ordering::SeqCst);
    store.insert(key(1), index(1)).unwrap();
    let outcome = store.flush();
    assert!(matches!(outcome, Err(Error::Commit { .. })), "{outcome:?}");
    assert_eq!(store.get(&key(1)), Some(index(1)));
    // Nothing is inserted any more, and yet the timer tries again.
    faults.hold();
    faults.await_held();
    faults.full_from.store(0, Ordering::SeqCst);
    faults.release();
    store.flush().unwrap();
    let report = store.close().unwrap();
    assert_eq!((report.committed_ops, report.lost_ops), (1, 0));
}

#[test]
fn invariant_18_closing_waits_for_a_producer_that_will_still_insert() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("artifacts.snap");
    let store = over(&path, policy(usize::MAX));
    let producer = store.producer().unwrap();
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| store.close());
        while store.producer().is_ok() {
            std::thread::yield_now();
        }
        store.insert(key(1), index(1)).unwrap();
        drop(producer);
        assert_eq!(closing.join().unwrap().unwrap().committed_ops, 1);
    });
    assert_eq!(over(&path, policy(1)).get(&key(1)), Some(index(1)));
}

#[test]
fn invariant_17_closing_past_its_deadline_is_an_error() {
    let mut impatient = policy(usize::MAX);
    impatient.close_deadline = Duration::from_millis(1);
    let (store, _) = faulty(impatient);
    let _producer = store.producer().unwrap();
    store.insert(key(1), index(1)).unwrap();
    let outcome = store.close();
    assert!(
        matches!(outcome, Err(Error::CloseDeadline { producers: 1, .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_clearing_that_the_queue_cannot_hold_is_an_error_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let policy = Policy {
        // Holds any of the rows, and nine of the keys of 32 bytes.
        queue_bytes: 300,
        ..policy(100)
    };
    let store = over(&path, policy);
    for number in 0..10 {
        store.insert(key(number), index(number)).unwrap();
        store.flush().unwrap();
    }
    let outcome = store.clear();
    let left = visible(&store);
    store.close().unwrap();
    drop(store);
    assert_eq!(visible(&over(&path, policy)), left, "{outcome:?}");
    assert!(outcome.is_err());
}
