//! The writer: acknowledgements, who commits, and what cuts a batch.

use std::sync::atomic::Ordering;
use std::time::Duration;

use batch_store::events::EventLog;
use batch_store::grants::{Grant, StoredGrant};
use batch_store::{Ack, Coalesce, Engine, Error, OnFull, Policy, Record, Table};

use crate::support::{COUNTERS, Counter, Rig, check_indexes, counter, patient, policy};

fn record(i: usize) -> StoredGrant {
    StoredGrant {
        sync_id: "s".to_owned(),
        grant: Grant::new(&format!("g{i}"), "e", "u"),
    }
}

#[test]
fn the_levels_are_ordered() {
    assert!(
        Ack::Enqueued < Ack::Applied
            && Ack::Applied < Ack::Committed
            && Ack::Committed < Ack::Synced
    );
}

#[test]
fn invariant_04_no_ticket_above_applied_resolves_before_its_commit_returned() {
    let rig = Rig::new(policy());
    rig.faults.hold();
    let early: Vec<_> = [Ack::Enqueued, Ack::Applied]
        .into_iter()
        .map(|level| rig.writer.put(counter("a", 0), level).unwrap())
        .collect();
    rig.faults.await_held();
    let late: Vec<_> = [Ack::Committed, Ack::Synced]
        .into_iter()
        .map(|level| rig.writer.put(counter("b", 1), level).unwrap())
        .collect();
    assert!(
        early
            .iter()
            .all(|ticket| matches!(ticket.poll(), Some(Ok(()))))
    );
    assert!(late.iter().all(|ticket| ticket.poll().is_none()));
    assert_eq!(rig.engine.count(COUNTERS).unwrap(), 0);
    rig.faults.release();
    late.iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(rig.engine.count(COUNTERS).unwrap(), 2);
}

#[test]
fn a_commit_carries_every_request_that_waited_and_syncs_when_one_asks() {
    let Rig { writer, faults, .. } = Rig::new(policy());
    let committed: Vec<_> = (0..20)
        .map(|i| writer.put(record(i), Ack::Committed).unwrap())
        .collect();
    committed.iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(faults.commits.load(Ordering::SeqCst), 1);
    assert_eq!(faults.synced_commits.load(Ordering::SeqCst), 0);
    assert_eq!(writer.frontier().synced.0, 0);
    writer.put(record(1), Ack::Synced).unwrap().wait().unwrap();
    assert_eq!(faults.synced_commits.load(Ordering::SeqCst), 1);
    assert_eq!(writer.frontier().synced, writer.frontier().committed);
}

#[test]
fn what_is_staged_during_a_commit_is_one_batch_for_one_leader() {
    let Rig { writer, faults, .. } = Rig::new(policy());
    faults.hold();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writer
                .put(counter("0", 0), Ack::Committed)
                .unwrap()
                .wait()
                .unwrap()
        });
        faults.await_held();
        let clients: Vec<_> = (1..9)
            .map(|i| {
                let writer = &writer;
                scope.spawn(move || {
                    writer
                        .put(counter(&i.to_string(), i), Ack::Committed)
                        .unwrap()
                        .wait()
                        .unwrap()
                })
            })
            .collect();
        while writer.queued().0 < 9 {
            std::thread::yield_now();
        }
        faults.release();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
    });
    assert_eq!(faults.commits.load(Ordering::SeqCst), 2);
}

#[test]
fn a_barrier_with_nothing_to_commit_still_syncs_what_was_committed() {
    let Rig { writer, faults, .. } = Rig::new(policy());
    writer
        .put(record(0), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 0);
    writer.barrier(Ack::Committed).unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 0);
    faults.fail_syncs.store(1, Ordering::SeqCst);
    assert!(writer.barrier(Ack::Synced).is_err());
    writer.barrier(Ack::Synced).unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 2);
    // A request without operations makes an empty batch, which must not count as a sync.
    writer
        .put(record(1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    let nothing = writer.submit_with(Box::new(|_| Ok(0)), Ack::Synced);
    nothing.unwrap().wait().unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 3);
}

#[test]
fn a_batch_has_at_most_as_many_requests_as_the_policy_says() {
    for (max_batch, commits) in [(8, 5), (usize::MAX, 1)] {
        let policy = Policy {
            max_batch,
            ..patient()
        };
        let Rig { writer, faults, .. } = Rig::new(policy);
        for i in 0..40 {
            writer
                .put(counter(&i.to_string(), 1), Ack::Applied)
                .unwrap();
        }
        writer.barrier(Ack::Committed).unwrap();
        assert_eq!(
            faults.commits.load(Ordering::SeqCst),
            commits,
            "{max_batch}"
        );
    }
}

#[test]
fn a_batch_of_enough_operations_or_bytes_is_committed_without_anybody_waiting() {
    for (ops, bytes) in [(10, usize::MAX), (usize::MAX, 100)] {
        let mut policy = patient();
        (policy.flush_when.ops, policy.flush_when.bytes) = (ops, bytes);
        let rig = Rig::new(policy);
        for round in 1..=3 {
            rig.faults.hold();
            // Ten bytes each.
            let put = |i: u64| rig.writer.put(counter(&format!("{i:02}"), 1), Ack::Applied);
            (1..10).for_each(|i| drop(put(round * 10 + i).unwrap()));
            assert_eq!(rig.faults.commits.load(Ordering::SeqCst), round - 1);
            put(round * 10).unwrap();
            rig.faults.await_held();
            rig.faults.release();
            while rig.writer.frontier().committed.0 < round {
                std::thread::yield_now();
            }
            assert_eq!(rig.counters().len() as u64, round * 10);
        }
    }
}

#[test]
fn a_dropped_or_polled_ticket_does_not_leave_its_request_behind() {
    for policy in [policy(), patient()] {
        let is_idle = policy.flush_when.idle;
        let rig = Rig::new(policy);
        let ticket = rig.writer.put(counter("a", 1), Ack::Committed).unwrap();
        if is_idle {
            drop(ticket);
        } else {
            while ticket.poll().is_none() {
                std::thread::yield_now();
            }
        }
        while rig.writer.frontier().committed.0 == 0 {
            std::thread::yield_now();
        }
        assert_eq!(rig.counters().len(), 1);
    }
}

#[test]
fn a_flush_commits_without_anybody_waiting() {
    let rig = Rig::new(patient());
    rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
    rig.writer.flush();
    while rig.writer.frontier().committed.0 == 0 {
        std::thread::yield_now();
    }
    assert_eq!(rig.counters().len(), 1);
}

#[test]
fn coalescing_hands_the_engine_the_last_change_of_each_row() {
    for (coalesce, ops) in [(Coalesce::ByKey, 3), (Coalesce::None, 21)] {
        let rig = Rig::new(Policy {
            coalesce,
            ..patient()
        });
        for i in 0..20 {
            let key = if i % 2 == 0 { "even" } else { "odd" };
            rig.writer.put(counter(key, i), Ack::Applied).unwrap();
        }
        let gone = rig.writer.delete::<Counter>(b"odd".to_vec(), Ack::Applied);
        gone.unwrap();
        rig.writer.put(counter("odd too", 1), Ack::Applied).unwrap();
        rig.writer.barrier(Ack::Committed).unwrap();
        let found = rig.counters();
        assert_eq!(
            found,
            [("even".to_owned(), 18), ("odd too".to_owned(), 1)].into()
        );
        let expected = if coalesce == Coalesce::None {
            ops + 1
        } else {
            ops
        };
        assert_eq!(rig.faults.ops.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn a_view_reads_open_batch_then_batch_under_way_then_engine() {
    let rig = Rig::new(patient());
    for key in ["a", "b", "c", "d"] {
        rig.writer.put(counter(key, 1), Ack::Applied).unwrap();
    }
    rig.writer.barrier(Ack::Committed).unwrap();
    rig.faults.hold();
    rig.writer.put(counter("b", 2), Ack::Applied).unwrap();
    rig.writer.put(counter("x", 2), Ack::Applied).unwrap();
    rig.writer
        .delete::<Counter>(b"a".to_vec(), Ack::Applied)
        .unwrap();
    rig.writer.flush();
    rig.faults.await_held();
    // Both keys are in the batch under way: these do not wait for the engine,
    // which is busy until the gate opens.
    let add = |mut it: Counter| {
        it.value += 10;
        Ok(Some(it))
    };
    rig.writer.merge(b"b".to_vec(), add, Ack::Applied).unwrap();
    rig.writer.merge(b"a".to_vec(), add, Ack::Applied).unwrap();
    rig.writer.put(counter("c", 3), Ack::Applied).unwrap();
    rig.faults.release();
    let read = |limit| {
        let rows = rig
            .writer
            .read(|view| view.scan(COUNTERS, &batch_store::Range::all(), limit));
        let decode = |(key, value): batch_store::engine::Row| {
            let it = Counter::decode(&key, &value).unwrap();
            (it.key, it.value)
        };
        rows.unwrap().into_iter().map(decode).collect::<Vec<_>>()
    };
    let expected = [("b", 12), ("c", 3), ("d", 1), ("x", 2)].map(|(k, v)| (k.to_owned(), v));
    for limit in 1..6 {
        assert_eq!(read(limit), expected[..limit.min(4)]);
    }
    let keys: [&[u8]; 4] = [b"a", b"b", b"d", b"none"];
    let found = rig
        .writer
        .read(|view| view.get_many(COUNTERS, &keys))
        .unwrap();
    let found: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(found, [false, true, true, false]);
    assert_eq!(rig.writer.read(|view| view.count(COUNTERS)).unwrap(), 4);
    assert!(
        rig.writer
            .read(|view| Table::<Counter>::new().get(view, b"a"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn indexes_follow_from_records_that_were_replaced_while_their_batch_was_under_way() {
    let rig = Rig::new(patient());
    let put = |entitlement: &str, level| {
        let grant = Grant::new("g", entitlement, "u");
        let sync_id = "s".to_owned();
        rig.writer
            .put(StoredGrant { sync_id, grant }, level)
            .unwrap()
    };
    put("first", Ack::Committed).wait().unwrap();
    rig.faults.hold();
    put("second", Ack::Applied);
    rig.writer.flush();
    rig.faults.await_held();
    put("third", Ack::Applied);
    // The second is not stored after all, so the third replaces the first.
    rig.faults.fail_commit.store(2, Ordering::SeqCst);
    rig.faults.release();
    rig.writer.barrier(Ack::Committed).ok();
    rig.writer.barrier(Ack::Committed).unwrap();
    check_indexes(&rig.engine);
    assert_eq!(rig.engine.count(batch_store::grants::GRANTS).unwrap(), 1);
}

#[test]
fn a_preset_serves_what_it_is_named_after() {
    let levels = [
        (Policy::package_index(), Ack::Enqueued),
        (Policy::event_log(), Ack::Applied),
        (Policy::grants_bulk(), Ack::Committed),
        (Policy::artifact_index(), Ack::Enqueued),
        (Policy::entity_store(), Ack::Committed),
    ];
    for (preset, ack) in levels {
        assert_eq!((preset.ack, preset.on_full), (ack, OnFull::Block));
        let rig = Rig::new(preset);
        let tickets: Vec<_> = (0..300)
            .map(|i| rig.writer.put(counter(&i.to_string(), i), ack).unwrap())
            .collect();
        tickets.iter().for_each(|ticket| ticket.wait().unwrap());
        assert_eq!(rig.writer.close().unwrap().committed_ops, 300);
        assert_eq!(rig.counters().len(), 300);
    }
    assert_eq!(Policy::event_log().flush_when.age, Duration::from_secs(15));
    assert_eq!(
        Policy::artifact_index().flush_when.age,
        Duration::from_secs(5)
    );
}

#[test]
fn a_change_that_panics_costs_that_request_only() {
    let rig = Rig::new(policy());
    rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
    let bad = rig.writer.submit(Box::new(|stage| {
        stage.put(&counter("b", 1))?;
        panic!("asked for by the test")
    }));
    assert!(matches!(bad.unwrap().wait(), Err(Error::State { .. })));
    rig.writer
        .put(counter("c", 1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(rig.counters().keys().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn an_event_log_can_be_had_over_any_engine() {
    let rig = Rig::new(policy());
    drop(rig.writer);
    let log = EventLog::over(Box::new(rig.engine.clone()), Policy::event_log()).unwrap();
    log.create_bucket("b", "{}").unwrap();
    assert_eq!(rig.engine.count(batch_store::events::BUCKETS).unwrap(), 1);
}
