//! The writing side, with the write in flight held by a gate.

use std::collections::BTreeMap;

use batch_store::Op;
use batch_store::entities::{CHECKPOINTS, History};

use super::support::{
    ACCOUNT_VERSIONS, ACCOUNTS, Account, Event, Gate, Rows, checkpoints, frontier_of, split_key,
};

fn account(number: i64) -> Account {
    Account::new("a", "o", number)
}

fn keys(ops: &[Op], family: batch_store::Family, puts: bool) -> Vec<Vec<u8>> {
    let of = |op: &&Op| op.family == family && op.value.is_some() == puts;
    ops.iter().filter(of).map(|op| op.key.clone()).collect()
}

fn versions(ops: &[Op], puts: bool) -> Vec<(String, u64)> {
    let keys = keys(ops, ACCOUNT_VERSIONS, puts);
    let split = keys.iter().map(|key| split_key(key));
    split.map(|(id, number)| (id, number.unwrap())).collect()
}

#[test]
fn invariant_39_the_committed_frontier_moves_only_after_the_commit() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 100);
    store.set(1, &account(1)).unwrap();
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    gate.await_in_flight();
    let frontiers = store.frontiers();
    assert_eq!((frontiers.processed, frontiers.committed), (1, 0));
    assert!(rows.map().is_empty());
    gate.release();
    let frontiers = store.watch().wait_committed(1).unwrap();
    assert_eq!((frontiers.processed, frontiers.committed), (1, 1));
    assert!(!rows.map().is_empty());
    gate.open();
}

#[test]
fn invariant_42_batches_queued_during_a_write_all_reach_storage_once() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 100);
    for number in 1..=4 {
        store.set(number, &account(number as i64)).unwrap();
        store
            .commit_batch(checkpoints([number]), History::On)
            .unwrap();
        if number == 1 {
            gate.await_in_flight();
        }
    }
    gate.open();
    store.flush().unwrap();
    let commits = gate.commits();
    assert_eq!(
        commits.len(),
        2,
        "the one in flight, and the rest as one run"
    );
    let mut written = BTreeMap::new();
    for key in commits.iter().flat_map(|ops| keys(ops, CHECKPOINTS, true)) {
        *written.entry(key).or_insert(0) += 1;
    }
    let numbers = written.keys();
    let numbers: Vec<_> = numbers
        .map(|key| u64::from_be_bytes(key[..].try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(written.values().all(|times| *times == 1));
    assert_eq!(
        versions(&commits[1], true).len(),
        3,
        "no version is lost in the run"
    );
    assert_eq!(
        keys(&commits[1], ACCOUNTS, true).len(),
        1,
        "the row is written once"
    );
}

#[test]
fn invariant_47_a_write_never_mixes_history_modes() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 100);
    let modes = [
        History::Off,
        History::Off,
        History::Off,
        History::On,
        History::On,
        History::Off,
    ];
    for (number, mode) in (1..).zip(modes) {
        store.set(number, &account(number as i64)).unwrap();
        store.commit_batch(checkpoints([number]), mode).unwrap();
        if number == 1 {
            gate.await_in_flight();
        }
    }
    gate.open();
    store.flush().unwrap();
    let commits = gate.commits();
    let frontiers: Vec<_> = commits.iter().map(|ops| frontier_of(ops)).collect();
    assert_eq!(frontiers, [1, 3, 5, 6]);
    let versions: Vec<_> = commits
        .iter()
        .map(|ops| versions(ops, true).len())
        .collect();
    assert_eq!(versions, [0, 0, 3, 0], "an anchor and two versions");
}

#[test]
fn invariant_44_a_rollback_is_written_by_exactly_one_batch_and_is_not_history() {
    let (rows, gate) = (Rows::default(), Gate::default());
    gate.open();
    let mut store = rows.open_gated(&gate, 100);
    for number in 1..=3 {
        store.set(number, &account(number as i64)).unwrap();
        store
            .set(number, &Account::new(&format!("b{number}"), "o", 0))
            .unwrap();
        store
            .commit_batch(checkpoints([number]), History::On)
            .unwrap();
        store.flush().unwrap();
    }
    let before = gate.commits().len();
    let report = store.rollback(1).unwrap();
    assert_eq!(
        gate.commits().len(),
        before,
        "nothing is written by the rollback itself"
    );
    assert_eq!(report.tables[0].removed, ["b2", "b3"]);
    assert_eq!(report.tables[0].restored, ["a"]);
    gate.close();
    let lowest = store.lowest_checkpoint();
    for number in lowest..lowest + 3 {
        store.set(number, &account(number as i64)).unwrap();
        store
            .commit_batch(checkpoints([number]), History::On)
            .unwrap();
        gate.release();
    }
    gate.open();
    store.flush().unwrap();
    let commits = gate.commits().split_off(before);
    let undone = [("a", 2), ("a", 3), ("b2", 2), ("b3", 3)].map(|(id, n)| (id.to_owned(), n));
    assert_eq!(versions(&commits[0], false), undone);
    assert_eq!(keys(&commits[0], CHECKPOINTS, false).len(), 2);
    for later in &commits[1..] {
        assert_eq!(versions(later, false), []);
        assert_eq!(keys(later, CHECKPOINTS, false), Vec::<Vec<u8>>::new());
    }
    let stored = rows.map().into_keys();
    let stored = stored.filter(|(name, _)| *name == ACCOUNT_VERSIONS.name());
    let stored: Vec<_> = stored.map(|(_, key)| split_key(&key).1.unwrap()).collect();
    assert!(!stored.contains(&report.checkpoint), "{stored:?}");
}

#[test]
fn invariant_45_a_rollback_reads_only_after_the_write_in_flight_finished() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 100);
    store.set(1, &account(1)).unwrap();
    store.set(2, &account(2)).unwrap();
    store
        .commit_batch(checkpoints([1, 2]), History::On)
        .unwrap();
    gate.await_in_flight();
    let other = std::thread::spawn(move || {
        store.rollback(1).unwrap();
        let found: Option<Account> = store.get("a").unwrap();
        assert_eq!(found, Some(account(1)));
    });
    gate.release();
    other.join().unwrap();
    let events = gate.events();
    let place = |event: &Event| events.iter().position(|other| other == event).unwrap();
    let read = place(&Event::Read(ACCOUNT_VERSIONS.name()));
    assert!(place(&Event::CommitEnded) < read, "{events:?}");
}

#[test]
fn invariant_41_memory_stays_within_the_capacity_and_one_batch() {
    const CAPACITY: usize = 200;
    const BATCH: u64 = 50;
    let (rows, gate) = (Rows::default(), Gate::default());
    gate.open();
    let mut store = rows.open_gated(&gate, CAPACITY);
    for batch in 0..100 {
        store.begin_batch().unwrap();
        assert!(
            store.resident() <= CAPACITY,
            "{} at the start",
            store.resident()
        );
        for change in 0..BATCH {
            let id = format!("{}", (batch * 37 + change * 11) % 1000);
            store.set(batch + 1, &Account::new(&id, "o", 1)).unwrap();
        }
        // A checkpoint more than the changes.
        assert!(store.resident() <= CAPACITY + BATCH as usize);
        store
            .commit_batch(checkpoints([batch + 1]), History::On)
            .unwrap();
        assert!(store.resident() <= CAPACITY + BATCH as usize + 1);
    }
}

#[test]
fn invariant_41_waiting_for_room_ends_when_the_write_in_flight_does() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 1);
    let changes = |store: &mut batch_store::entities::EntityStore, number: u64| {
        for id in ["a", "b", "c"] {
            store.set(number, &Account::new(id, "o", 1)).unwrap();
        }
        store
            .commit_batch(checkpoints([number]), History::Off)
            .unwrap();
    };
    changes(&mut store, 1);
    gate.await_in_flight();
    changes(&mut store, 2);
    let waiting = std::thread::spawn(move || {
        store.begin_batch().unwrap();
        (store.frontiers().committed, store.resident())
    });
    gate.release();
    gate.release();
    assert_eq!(
        waiting.join().unwrap(),
        (2, 0),
        "room only once both were written"
    );
}

#[test]
fn invariant_41_a_huge_rollback_without_a_batch_does_not_wait_for_ever() {
    let rows = Rows::default();
    let mut store = rows.open(10);
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    for id in 0..500 {
        store
            .set(2, &Account::new(&id.to_string(), "o", 1))
            .unwrap();
    }
    store.commit_batch(checkpoints([2]), History::On).unwrap();
    store.rollback(1).unwrap();
    assert!(store.resident() >= 500);
    store.begin_batch().unwrap();
    assert!(
        store.resident() >= 500,
        "what only memory has is not evicted"
    );
    assert_eq!(store.get::<Account>("7").unwrap(), None);
    store.commit_batch(Vec::new(), History::On).unwrap();
    store.begin_batch().unwrap();
    assert!(store.resident() <= 10);
    assert_eq!(store.get::<Account>("7").unwrap(), None);
}

#[test]
fn invariant_46_a_prune_between_batches_of_one_entity_keeps_its_anchor() {
    let (rows, gate) = (Rows::default(), Gate::default());
    let mut store = rows.open_gated(&gate, 100);
    store.set(1, &account(1)).unwrap();
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    gate.await_in_flight();
    store.set(2, &account(2)).unwrap();
    store.commit_batch(checkpoints([2]), History::On).unwrap();
    store.prune(2).unwrap();
    store.set(3, &account(3)).unwrap();
    store.commit_batch(checkpoints([3]), History::On).unwrap();
    gate.open();
    store.flush().unwrap();
    store.rollback(2).unwrap();
    assert_eq!(store.get::<Account>("a").unwrap(), Some(account(2)));
}
