//! Closing: what it waits for, what it reports, and that it can be repeated.

use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use batch_store::{Ack, Error, OnError, Policy, Stage, Writer};

use crate::support::{Rig, counter, patient, policy, within};

fn put(writer: &Writer, key: &str, level: Ack) -> batch_store::Result<batch_store::Ticket> {
    writer.put(counter(key, 1), level)
}

#[test]
fn invariant_17_closing_commits_everything_submitted_before_and_reports_it() {
    let rig = Rig::new(patient());
    let mut tickets = Vec::new();
    for i in 0..30_u64 {
        let level = [Ack::Enqueued, Ack::Applied, Ack::Committed, Ack::Synced][i as usize % 4];
        let change =
            move |stage: &mut Stage<'_>| stage.put(&counter(&i.to_string(), i)).map(|()| 1);
        tickets.push(rig.writer.submit_with(Box::new(change), level).unwrap());
    }
    let report = rig.writer.close().unwrap();
    assert_eq!((report.committed_ops, report.lost_ops), (30, 0));
    assert!(
        tickets
            .iter()
            .all(|ticket| matches!(ticket.poll(), Some(Ok(()))))
    );
    assert_eq!(rig.counters().len(), 30);
    let frontier = rig.writer.frontier();
    assert_eq!(
        (frontier.applied, frontier.synced),
        (30, frontier.committed)
    );
}

#[test]
fn invariant_17_a_missed_deadline_is_an_error_that_says_what_was_not_committed() {
    within(|| {
        let mut policy = patient();
        policy.flush_when.ops = 3;
        let rig = Rig::new(policy);
        rig.faults.hold();
        // Committed by the keeper, which hangs in the engine.
        for key in ["a", "b"] {
            put(&rig.writer, key, Ack::Applied).unwrap();
        }
        rig.writer.flush();
        rig.faults.await_held();
        let behind = put(&rig.writer, "c", Ack::Committed).unwrap();
        let error = rig
            .writer
            .close_within(Duration::from_millis(1))
            .unwrap_err();
        let Error::CloseDeadline {
            requests,
            ops,
            producers,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((requests, ops, producers), (3, 3, 0));
        assert!(matches!(behind.wait(), Err(Error::WriterGone)));
        assert!(matches!(
            put(&rig.writer, "d", Ack::Enqueued),
            Err(Error::WriterGone)
        ));
        rig.faults.release();
        let report = rig.writer.close().unwrap();
        assert_eq!((report.committed_ops, report.lost_requests), (2, 1));
        assert_eq!(rig.counters().len(), 2);
    });
}

#[test]
fn invariant_18_closing_waits_for_registered_producers_and_takes_what_they_enqueue() {
    within(|| {
        let rig = Rig::new(policy());
        let producer = rig.writer.producer().unwrap();
        let (closing, is_closing) = channel();
        std::thread::scope(|scope| {
            let writer = &rig.writer;
            let closer = scope.spawn(move || {
                closing.send(()).unwrap();
                writer.close()
            });
            is_closing.recv().unwrap();
            // Once no further producer is admitted, closing has begun.
            while rig.writer.producer().is_ok() {
                std::thread::yield_now();
            }
            assert!(!closer.is_finished());
            for i in 0..10 {
                put(&rig.writer, &i.to_string(), Ack::Enqueued).unwrap();
            }
            drop(producer);
            assert_eq!(closer.join().unwrap().unwrap().committed_ops, 10);
        });
        assert!(matches!(
            put(&rig.writer, "late", Ack::Applied),
            Err(Error::WriterGone)
        ));
        assert_eq!(rig.counters().len(), 10);
    });
}

#[test]
fn invariant_18_a_producer_that_is_never_dropped_is_named_in_the_error() {
    let rig = Rig::new(policy());
    let producer = rig.writer.producer().unwrap();
    put(&rig.writer, "a", Ack::Applied).unwrap();
    let error = rig
        .writer
        .close_within(Duration::from_millis(20))
        .unwrap_err();
    assert!(
        matches!(error, Error::CloseDeadline { producers: 1, .. }),
        "{error:?}"
    );
    drop(producer);
    rig.writer.close().unwrap();
    assert_eq!(
        rig.counters().len() as u64,
        rig.writer.report().committed_ops
    );
}

#[test]
fn invariant_18_closing_works_twice_and_from_many_threads() {
    let rig = Rig::new(policy());
    put(&rig.writer, "a", Ack::Applied).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(rig.writer.close().unwrap().committed_ops, 1));
        }
    });
    assert_eq!(rig.writer.close().unwrap(), rig.writer.report());
    assert!(matches!(
        put(&rig.writer, "b", Ack::Enqueued),
        Err(Error::WriterGone)
    ));
    assert!(matches!(
        rig.writer.barrier(Ack::Synced),
        Err(Error::WriterGone)
    ));
}

#[test]
fn invariant_18_the_callers_error_path_drains_as_well() {
    fn caller(rig: Rig) -> Result<(), Error> {
        for i in 0..30 {
            put(&rig.writer, &i.to_string(), Ack::Applied)?;
        }
        rig.writer
            .put(counter("bad", u64::MAX), Ack::Committed)?
            .wait()
    }
    for policy in [policy(), patient()] {
        let rig = Rig::new(policy);
        let engine = rig.engine.clone();
        assert!(matches!(caller(rig), Err(Error::Encode { .. })));
        assert_eq!(
            crate::support::rows(&engine, crate::support::COUNTERS).len(),
            30
        );
    }
}

#[test]
fn invariant_20_an_engine_that_could_not_be_closed_is_closed_by_the_next_try() {
    let rig = Rig::new(policy());
    put(&rig.writer, "a", Ack::Applied).unwrap();
    rig.faults.fail_closes.store(2, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(matches!(
            rig.writer.close(),
            Err(Error::State {
                action: "close",
                ..
            })
        ));
        assert!(matches!(
            put(&rig.writer, "b", Ack::Applied),
            Err(Error::WriterGone)
        ));
    }
    assert_eq!(rig.writer.close().unwrap().committed_ops, 1);
}

#[test]
fn invariant_20_what_a_full_disk_kept_from_being_closed_is_stored_by_the_next_try() {
    let backoff = Duration::from_secs(3600);
    let on_error = OnError::Retry {
        attempts: 1,
        backoff,
        keep: true,
    };
    let rig = Rig::new(Policy {
        on_error,
        ..patient()
    });
    rig.faults.full_from.store(1, Ordering::SeqCst);
    for key in ["a", "b"] {
        put(&rig.writer, key, Ack::Applied).unwrap();
    }
    // Closing does not wait for the back-off.
    for _ in 0..2 {
        assert!(matches!(rig.writer.close(), Err(Error::Commit { .. })));
    }
    rig.faults.full_from.store(0, Ordering::SeqCst);
    let report = rig.writer.close().unwrap();
    assert_eq!((report.committed_ops, report.lost_ops), (2, 0));
    assert_eq!(rig.counters().len(), 2);
}

#[test]
fn a_kept_batch_is_not_retried_without_pause_while_closing_waits_for_a_producer() {
    within(|| {
        for age in [Duration::from_secs(3600), Duration::MAX] {
            let mut policy = patient();
            policy.flush_when.age = age;
            policy.on_error = OnError::Retry {
                attempts: 0,
                backoff: Duration::ZERO,
                keep: true,
            };
            let rig = Rig::new(policy);
            let producer = rig.writer.producer().unwrap();
            rig.faults.full_from.store(1, Ordering::SeqCst);
            put(&rig.writer, "a", Ack::Applied).unwrap();
            let error = rig.writer.close_within(Duration::from_millis(100));
            assert!(
                matches!(error, Err(Error::CloseDeadline { producers: 1, .. })),
                "{error:?}"
            );
            // The pause is the age.
            assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 1, "{age:?}");
            drop(producer);
        }
    });
}
