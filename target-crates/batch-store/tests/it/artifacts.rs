//! The artifact index: its rows, its one queue, and what a failure, a death or a
//! recovery makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use batch_store::artifacts::{ARTIFACTS, ArtifactIndex, ArtifactKey, ArtifactRow, ArtifactStore};
use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::{
    Engine, Error, FaultEngine, Faults, FlushWhen, MemoryEngine, OnError, Policy, Record,
    SnapshotEngine,
};
use proptest::prelude::*;

use crate::support::cases;

const NEVER: Duration = Duration::from_secs(3600);

fn key(number: u64) -> ArtifactKey {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    ArtifactKey::new(bytes)
}

fn index(number: u64) -> ArtifactIndex {
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
fn policy(ops: usize) -> Policy {
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

fn over(path: &Path, policy: Policy) -> ArtifactStore {
    let engine = SnapshotEngine::open(path).unwrap();
    ArtifactStore::over(Box::new(engine), policy).unwrap()
}

/// The rows 0 to 9 that there are.
fn visible(store: &ArtifactStore) -> BTreeMap<u64, ArtifactIndex> {
    let rows = (0..10).filter_map(|number| Some((number, store.get(&key(number))?)));
    rows.collect()
}

#[test]
fn a_key_is_64_lower_case_hexadecimal_digits_and_prints_as_it_was_read() {
    let text = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    assert_eq!(ArtifactKey::parse(text).unwrap().to_string(), text);
    for wrong in [
        "",
        &text[1..],
        &text.to_uppercase(),
        &"g".repeat(64),
        &"é".repeat(32),
    ] {
        assert!(ArtifactKey::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn invariant_36_a_row_is_read_back_whole_and_refused_cut_or_of_another_version() {
    let row = ArtifactRow {
        key: key(3),
        index: index(3),
    };
    let bytes = row.encode().unwrap();
    // Version 1, as it must be read for good.
    assert_eq!(
        bytes,
        b"\x01\x02\x09lib3.rlib\x03\x05dep.d\x07\x00\x09warning 3\x05\x0a\x80\xe2\xcf\xaa\x06"
    );
    let key = Record::key(&row);
    assert_eq!(ArtifactRow::decode(&key, &bytes).unwrap(), row);
    for len in 0..bytes.len() {
        assert!(ArtifactRow::decode(&key, &bytes[..len]).is_err(), "{len}");
    }
    let mut newer = bytes.clone();
    newer[0] = 2;
    let error = ArtifactRow::decode(&key, &newer).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    assert!(ArtifactRow::decode(&key[1..], &bytes).is_err());
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
fn invariant_34_a_damaged_index_is_set_aside_and_filled_from_the_payloads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("artifacts.snap");
    let store = over(&path, policy(usize::MAX));
    (0..5).for_each(|number| store.insert(key(number), index(number)).unwrap());
    store.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        ArtifactStore::open(&path),
        Err(Error::Corrupt { .. })
    ));
    let (store, quarantine) = ArtifactStore::open_or_quarantine(&path).unwrap();
    assert!(quarantine.unwrap().dir.join("artifacts.snap").exists());
    let recovery = store.recover().unwrap();
    store.insert(key(2), index(200)).unwrap();
    let found = (0..5).map(|number| (key(number), index(number)));
    assert_eq!(recovery.insert_all(found).unwrap(), 4);
    drop(recovery);
    store.close().unwrap();
    let store = ArtifactStore::open(&path).unwrap();
    assert_eq!((store.len(), store.get(&key(2))), (5, Some(index(200))));
}

#[test]
fn invariant_3_a_process_killed_at_any_disk_operation_keeps_every_flushed_row() {
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "artifacts::child_that_flushes", "--ignored"])
            .env("BATCH_STORE_TEST_DIR", dir.path())
            .env("BATCH_STORE_TEST_DEATH", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let is_done = child.status().unwrap().success();
        let flushed = std::fs::read_dir(dir.path().join("flushed")).unwrap();
        let flushed = flushed.count() as u64;
        let store = over(&dir.path().join("artifacts.snap"), policy(1));
        // Two rows a round, the first of which the next round removes.
        let rounds = [flushed, flushed + 1].map(after_rounds);
        assert!(
            rounds.contains(&visible(&store)),
            "{at}: {:?}",
            visible(&store)
        );
        if is_done {
            assert!(flushed == 4 && at > 15, "{flushed} rounds, {at} deaths");
            return;
        }
    }
}

fn after_rounds(rounds: u64) -> BTreeMap<u64, ArtifactIndex> {
    let kept = (0..rounds).map(|round| 2 * round + 1);
    let last = rounds.checked_sub(1).map(|round| 2 * round);
    kept.chain(last)
        .map(|number| (number, index(number)))
        .collect()
}

#[test]
#[ignore = "a child of another test"]
fn child_that_flushes() {
    let dir = PathBuf::from(std::env::var_os("BATCH_STORE_TEST_DIR").expect("a parent"));
    let at = std::env::var("BATCH_STORE_TEST_DEATH").unwrap().parse();
    std::fs::create_dir(dir.join("flushed")).unwrap();
    let disk = Arc::new(SimDisk::with_fault(at.unwrap(), Fault::Abort));
    let engine = SnapshotEngine::open_on(&dir.join("artifacts.snap"), disk).unwrap();
    let store = ArtifactStore::over(Box::new(engine), policy(usize::MAX)).unwrap();
    for round in 0..4 {
        store.insert(key(2 * round), index(2 * round)).unwrap();
        store
            .insert(key(2 * round + 1), index(2 * round + 1))
            .unwrap();
        if round > 0 {
            assert!(store.remove(&key(2 * (round - 1))).unwrap());
        }
        store.flush().unwrap();
        std::fs::write(dir.join("flushed").join(round.to_string()), "").unwrap();
    }
    assert_eq!(store.len(), 5);
    store.close().unwrap();
    assert_eq!(
        SnapshotEngine::open(&dir.join("artifacts.snap"))
            .unwrap()
            .count(ARTIFACTS)
            .unwrap(),
        5
    );
}
