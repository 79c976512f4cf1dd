//! The writer's timer, its bounds, and wake-ups.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use batch_store::{Ack, Error, OnFull, Policy, Stage};

use crate::support::{Rig, counter, patient, policy, within};

#[test]
fn invariant_06_an_applied_request_is_committed_by_the_timer_without_further_traffic() {
    let mut policy = patient();
    policy.flush_when.age = Duration::from_millis(2);
    let rig = Rig::new(policy);
    for round in 1..=5 {
        rig.writer
            .put(counter(&round.to_string(), round), Ack::Applied)
            .unwrap();
        while rig.writer.frontier().committed.0 < round {
            std::thread::yield_now();
        }
        assert_eq!(rig.counters().len() as u64, round);
    }
}

#[test]
fn invariant_06_the_timer_is_set_anew_for_what_was_staged_during_a_commit() {
    let mut policy = patient();
    policy.flush_when.age = Duration::from_millis(2);
    let rig = Rig::new(policy);
    rig.faults.hold();
    rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
    rig.faults.await_held();
    rig.writer.put(counter("b", 1), Ack::Applied).unwrap();
    rig.faults.release();
    while rig.writer.frontier().committed.0 < 2 {
        std::thread::yield_now();
    }
    assert_eq!(rig.counters().len(), 2);
}

#[test]
fn invariant_09_a_barrier_covers_what_was_enqueued_staged_and_under_way() {
    let rig = Rig::new(policy());
    rig.faults.hold();
    rig.writer
        .put(counter("under way", 1), Ack::Enqueued)
        .unwrap();
    rig.faults.await_held();
    let put =
        |key: &'static str| move |stage: &mut Stage<'_>| stage.put(&counter(key, 1)).map(|()| 1);
    rig.writer
        .submit_with(Box::new(put("enqueued")), Ack::Enqueued)
        .unwrap();
    rig.writer.put(counter("staged", 1), Ack::Enqueued).unwrap();
    rig.faults.release();
    rig.writer.barrier(Ack::Committed).unwrap();
    assert_eq!(rig.counters().len(), 3);
}

#[test]
fn invariant_14_a_full_queue_rejects_or_sheds_and_counts_exactly_what_it_loses() {
    for (on_full, items, bytes) in [
        (OnFull::Reject, 3, 1000),
        (OnFull::Shed, 3, 1000),
        (OnFull::Reject, 100, 27),
        (OnFull::Shed, 100, 27),
    ] {
        let limits = Policy {
            queue_items: items,
            queue_bytes: bytes,
            on_full,
            ..policy()
        };
        let rig = Rig::new(limits);
        rig.faults.hold();
        // Nine bytes each: three fit either way.
        let outcomes: Vec<_> = (0..8)
            .map(|i| rig.writer.put(counter(&i.to_string(), i), Ack::Enqueued))
            .collect();
        let (count, size) = rig.writer.queued();
        assert!(count <= items && size <= bytes, "{count} {size}");
        let is_full = |error: &Error| matches!(error, Error::QueueFull { .. });
        let rejected = outcomes
            .iter()
            .filter(|it| it.as_ref().is_err_and(is_full))
            .count();
        let shed = outcomes
            .iter()
            .flatten()
            .filter(|it| it.wait().is_err_and(|e| is_full(&e)));
        let shed = shed.count();
        rig.faults.release();
        let report = rig.writer.close().unwrap();
        assert_eq!(
            (report.rejected, report.shed),
            (rejected as u64, shed as u64)
        );
        assert_eq!(
            (rejected, shed),
            if on_full == OnFull::Shed {
                (0, 5)
            } else {
                (5, 0)
            }
        );
        assert_eq!((report.committed_ops, rig.counters().len()), (3, 3));
    }
}

#[test]
fn invariant_14_a_full_queue_blocks_without_ever_exceeding_its_bounds() {
    for level in [Ack::Enqueued, Ack::Applied, Ack::Committed] {
        within(move || {
            let limits = Policy {
                queue_items: 3,
                queue_bytes: 40,
                ..policy()
            };
            let rig = Rig::new(limits);
            rig.faults.hold();
            let queued = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for producer in 0..3_u64 {
                    let (rig, queued) = (&rig, &queued);
                    scope.spawn(move || {
                        for i in 0..20_u64 {
                            let key = format!("{producer}{i:02}");
                            // Closures and plain puts by turns.
                            let ticket = if i % 2 == 0 {
                                rig.writer.put(counter(&key, i), level)
                            } else {
                                let put = move |stage: &mut Stage<'_>| {
                                    stage.put(&counter(&key, i)).map(|()| 1)
                                };
                                rig.writer.submit_with(Box::new(put), level)
                            };
                            ticket.unwrap().wait().unwrap();
                            queued.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
                rig.faults.await_held();
                rig.faults.release();
                while queued.load(Ordering::SeqCst) < 60 {
                    let (items, bytes) = rig.writer.queued();
                    assert!(items <= 3 && bytes <= 40, "{items} {bytes}");
                }
            });
            assert_eq!(rig.writer.close().unwrap().committed_ops, 60);
            assert_eq!(rig.counters().len(), 60);
        });
    }
}

#[test]
fn a_request_larger_than_the_whole_queue_is_refused_and_does_not_wait_for_ever() {
    within(|| {
        let rig = Rig::new(Policy {
            queue_bytes: 30,
            ..policy()
        });
        rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
        let key = "k".repeat(40);
        let plain = rig.writer.put(counter(&key, 1), Ack::Applied);
        assert!(matches!(plain, Err(Error::State { .. })));
        for level in [Ack::Applied, Ack::Enqueued] {
            let key = key.clone();
            let put = move |stage: &mut Stage<'_>| stage.put(&counter(&key, 1)).map(|()| 1);
            let closure = rig.writer.submit_with(Box::new(put), level);
            assert_eq!(closure.is_err(), level == Ack::Applied);
        }
        let report = rig.writer.close().unwrap();
        assert_eq!((report.committed_ops, report.refused), (1, 3));
    });
}

#[test]
fn invariant_19_no_wake_up_is_lost_between_a_look_and_a_wait() {
    within(|| {
        let mut tight = policy();
        tight.flush_when.ops = 3;
        for policy in [
            policy(),
            patient(),
            tight,
            Policy {
                queue_items: 2,
                ..policy()
            },
        ] {
            let is_idle = policy.flush_when.idle;
            let rig = Rig::new(policy);
            let next = AtomicU64::new(0);
            std::thread::scope(|scope| {
                for client in 0..4 {
                    let (rig, next) = (&rig, &next);
                    scope.spawn(move || {
                        for _ in 0..250 {
                            let i = next.fetch_add(1, Ordering::SeqCst);
                            let level = [Ack::Enqueued, Ack::Applied, Ack::Committed, Ack::Synced];
                            let level = level[(i as usize + client) % 4];
                            let ticket = rig.writer.put(counter(&i.to_string(), i), level);
                            ticket.unwrap().wait().unwrap();
                        }
                    });
                }
            });
            if is_idle {
                // Nothing but the writer's own wake-ups commits the last ones.
                while rig.writer.queued().0 > 0 {
                    std::thread::yield_now();
                }
            }
            assert_eq!(rig.writer.close().unwrap().committed_ops, 1000);
            assert_eq!(rig.counters().len(), 1000);
        }
    });
}

#[test]
fn invariant_14_a_blocked_producer_goes_on_when_what_filled_the_queue_is_refused() {
    within(|| {
        let mut policy = patient();
        policy.queue_items = 1;
        let rig = Rig::new(policy);
        for _ in 0..2000 {
            let fail = |stage: &mut Stage<'_>| stage.put(&counter("bad", u64::MAX)).map(|()| 1);
            let ticket = rig.writer.submit_with(Box::new(fail), Ack::Enqueued);
            ticket.unwrap();
        }
        assert_eq!(rig.writer.close().unwrap().refused, 2000);
    });
}
