//! Bisection: a row at fault costs that row, a disk at fault is no row's fault.

use std::sync::atomic::Ordering;

use batch_store::{Ack, Durability, Engine, Error, OnError, Policy, SqliteEngine, Writer};
use proptest::prelude::*;

use crate::support::{COUNTERS, Rig, cases, counter, patient};

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn invariant_13_with_bisect_k_rows_at_fault_cost_k_rows_and_few_commits(
        n in 1..65_usize, at_fault in proptest::collection::btree_set(0..65_usize, 0..6),
    ) {
        let rig = Rig::new(Policy { on_error: OnError::Bisect, ..patient() });
        let at_fault: Vec<usize> = at_fault.into_iter().filter(|i| *i < n).collect();
        let poison = at_fault.iter().map(|i| i.to_string().into_bytes());
        rig.faults.poison_keys.lock().unwrap().extend(poison);
        let tickets: Vec<_> = (0..n)
            .map(|i| rig.writer.put(counter(&i.to_string(), i as u64), Ack::Committed).unwrap())
            .collect();
        for (i, ticket) in tickets.iter().enumerate() {
            let outcome = ticket.wait();
            prop_assert_eq!(outcome.is_err(), at_fault.contains(&i), "{}: {:?}", i, outcome);
        }
        let log2 = n.next_power_of_two().ilog2() as usize;
        let attempts = rig.faults.commits.load(Ordering::SeqCst) as usize;
        prop_assert!(attempts <= 2 * at_fault.len() * log2 + 1, "{} attempts", attempts);
        prop_assert_eq!(rig.counters().len(), n - at_fault.len());
        let report = rig.writer.close().unwrap();
        prop_assert_eq!(report.lost_requests as usize, at_fault.len());
        prop_assert_eq!(report.committed_ops as usize, n - at_fault.len());
    }
}

#[test]
fn invariant_13_a_full_disk_does_not_start_a_bisection_and_ends_one() {
    let rig = Rig::new(Policy {
        on_error: OnError::Bisect,
        ..patient()
    });
    rig.faults.full_from.store(1, Ordering::SeqCst);
    for i in 0..20 {
        rig.writer
            .put(counter(&i.to_string(), i), Ack::Applied)
            .unwrap();
    }
    assert!(matches!(
        rig.writer.barrier(Ack::Committed),
        Err(Error::Commit { ops: 20, .. })
    ));
    assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 1);

    rig.faults
        .poison_keys
        .lock()
        .unwrap()
        .insert(b"19".to_vec());
    rig.faults.full_from.store(4, Ordering::SeqCst);
    let tickets: Vec<_> = (0..20)
        .map(|i| {
            rig.writer
                .put(counter(&i.to_string(), i), Ack::Committed)
                .unwrap()
        })
        .collect();
    // The whole (2) fails for its data, the first half (3) is stored, then the disk is full.
    let stored = tickets
        .iter()
        .filter(|ticket| ticket.wait().is_ok())
        .count();
    assert_eq!((stored, rig.counters().len()), (10, 10));
    assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 4);
}

#[test]
fn invariant_13_a_row_that_the_database_refuses_costs_that_row_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let table = "CREATE TABLE counters (key BLOB PRIMARY KEY, value BLOB CHECK (value != x'0000000000000007'))";
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(table)
        .unwrap();
    let engine = SqliteEngine::open(&path, &[COUNTERS], Durability::Checkpoint).unwrap();
    let writer = Writer::spawn(
        Box::new(engine),
        Policy {
            on_error: OnError::Bisect,
            ..patient()
        },
    );
    let writer = writer.unwrap();
    let tickets: Vec<_> = (0..30)
        .map(|i| {
            writer
                .put(counter(&i.to_string(), i), Ack::Committed)
                .unwrap()
        })
        .collect();
    for (i, ticket) in tickets.iter().enumerate() {
        assert_eq!(ticket.wait().is_err(), i == 7, "{i}");
    }
    writer.close().unwrap();
    assert_eq!(
        SqliteEngine::open_read_only(&path)
            .unwrap()
            .count(COUNTERS)
            .unwrap(),
        29
    );
}
