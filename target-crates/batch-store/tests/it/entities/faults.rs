//! A write that fails.

use std::sync::mpsc;

use batch_store::Error;
use batch_store::entities::{EntityStore, Filter, History};

use super::support::{ACCOUNT_VERSIONS, Account, BY_OWNER, Event, Fault, Gate, Rows, checkpoints};

const FAULTS: [Fault; 3] = [Fault::Refused, Fault::Indeterminate, Fault::Panic];

fn account(number: i64) -> Account {
    Account::new("a", "o", number)
}

/// A store with one committed batch, and one in flight that will fail.
fn about_to_fail(fault: Fault, capacity: usize) -> (Rows, Gate, EntityStore) {
    let (rows, gate) = (Rows::default(), Gate::default());
    gate.open();
    let mut store = rows.open_gated(&gate, capacity);
    store.set(1, &account(1)).unwrap();
    store.commit_batch(checkpoints([1]), History::On).unwrap();
    store.flush().unwrap();
    gate.close();
    gate.fail_next(fault);
    store.set(2, &account(2)).unwrap();
    store.commit_batch(checkpoints([2]), History::On).unwrap();
    gate.await_in_flight();
    (rows, gate, store)
}

/// The write's own error, whichever call reports it.
fn check_cause<T: std::fmt::Debug>(fault: Fault, outcome: Result<T, Error>) {
    let error = outcome.unwrap_err();
    let is_cause = match fault {
        Fault::Refused => matches!(&error, Error::Commit { source, .. }
            if source.to_string().contains("a fault asked for by the test")),
        Fault::Indeterminate => matches!(error, Error::Indeterminate { .. }),
        Fault::Panic => error.to_string().contains("panicked"),
    };
    assert!(is_cause, "{fault:?}: {error:?}");
}

#[test]
fn invariant_39_a_failed_write_leaves_the_frontier_and_refuses_every_later_call() {
    for fault in FAULTS {
        let (rows, gate, mut store) = about_to_fail(fault, 100);
        let before = rows.map();
        gate.release();
        check_cause(fault, store.flush());
        let frontiers = store.frontiers();
        assert_eq!((frontiers.committed, frontiers.processed), (1, 2));
        check_cause(fault, store.get::<Account>("a"));
        check_cause(fault, store.find::<Account>(&Filter::equal(BY_OWNER, "o")));
        check_cause(fault, store.set(3, &account(3)));
        check_cause(fault, store.delete::<Account>(3, "a"));
        check_cause(fault, store.begin_batch());
        check_cause(fault, store.commit_batch(checkpoints([3]), History::On));
        check_cause(fault, store.rollback(1));
        check_cause(fault, store.prune(1));
        check_cause(fault, store.count::<Account>());
        check_cause(fault, store.watch().wait_committed(2));
        check_cause(fault, store.close());
        let stored = if matches!(fault, Fault::Indeterminate) {
            2
        } else {
            1
        };
        assert_eq!(rows.map() == before, stored == 1);
        let mut reopened = rows.open(100);
        assert_eq!(reopened.frontiers().processed, stored);
        let found: Option<Account> = reopened.get("a").unwrap();
        assert_eq!(found, Some(account(stored as i64)));
    }
}

#[test]
fn invariant_39_batches_behind_a_failed_write_are_not_written() {
    let (rows, gate, mut store) = about_to_fail(Fault::Refused, 100);
    store.set(3, &account(3)).unwrap();
    store.commit_batch(checkpoints([3]), History::Off).unwrap();
    let before = rows.map();
    gate.open();
    check_cause(Fault::Refused, store.flush());
    drop(store);
    assert_eq!(gate.commits().len(), 2);
    assert_eq!(rows.map(), before);
}

#[test]
fn invariant_41_a_failed_write_wakes_those_who_wait_for_room_and_for_the_frontier() {
    for fault in FAULTS {
        let (_rows, gate, mut store) = about_to_fail(fault, 0);
        let watch = store.watch();
        let (started, starting) = mpsc::channel();
        let others = [
            std::thread::spawn({
                let started = started.clone();
                move || {
                    started.send(()).unwrap();
                    store.begin_batch()
                }
            }),
            std::thread::spawn(move || {
                started.send(()).unwrap();
                watch.wait_committed(2).map(|_| ())
            }),
        ];
        starting.iter().take(2).for_each(drop);
        gate.release();
        for other in others {
            check_cause(fault, other.join().unwrap());
        }
    }
}

#[test]
fn invariant_45_a_rollback_whose_flush_fails_reads_and_changes_nothing() {
    let (rows, gate, mut store) = about_to_fail(Fault::Refused, 100);
    let before = rows.map();
    let other = std::thread::spawn(move || {
        let outcome = store.rollback(1);
        let again = store.commit_batch(Vec::new(), History::On);
        (outcome, again, store)
    });
    gate.release();
    let (outcome, again, store) = other.join().unwrap();
    check_cause(Fault::Refused, outcome);
    check_cause(Fault::Refused, again);
    drop(store);
    let read = Event::Read(ACCOUNT_VERSIONS.name());
    assert!(!gate.events().contains(&read));
    assert_eq!(gate.commits().len(), 2);
    assert_eq!(rows.map(), before);
}

#[test]
fn a_watch_of_a_closed_store_does_not_wait_for_ever() {
    let mut store = Rows::default().open(10);
    let watch = store.watch();
    store.close().unwrap();
    assert!(matches!(watch.wait_committed(1), Err(Error::WriterGone)));
}
