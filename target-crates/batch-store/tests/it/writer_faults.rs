//! The writer when commits fail: who is told, what is lost, what goes on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Counter, Rig, counter, patient, policy, within};
use batch_store::{Ack, Error, OnError, Policy};

fn retry(attempts: u32, keep: bool) -> Policy {
    let backoff = Duration::from_micros(1);
    let on_error = OnError::Retry {
        attempts,
        backoff,
        keep,
    };
    Policy {
        on_error,
        ..patient()
    }
}

fn add(n: u64) -> impl FnMut(Counter) -> batch_store::Result<Option<Counter>> + Send + 'static {
    move |row| Ok(Some(counter(&row.key, row.value + n)))
}

#[test]
fn invariant_04_a_failed_commit_resolves_every_ticket_of_its_batch_with_an_error_and_no_other() {
    let Rig { writer, faults, .. } = Rig::new(policy());
    faults.fail_commit.store(1, Ordering::SeqCst);
    let lost: Vec<_> = (0..9)
        .map(|i| {
            writer
                .put(counter(&i.to_string(), i), Ack::Committed)
                .unwrap()
        })
        .collect();
    for ticket in &lost {
        let first = ticket.wait();
        assert!(
            matches!(first, Err(Error::Commit { ops: 9, .. })),
            "{first:?}"
        );
        assert_eq!(format!("{first:?}"), format!("{:?}", ticket.wait()));
    }
    writer
        .put(counter("10", 10), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    let report = writer.close().unwrap();
    assert_eq!((report.commits, report.committed_ops), (1, 1));
    assert_eq!(
        (report.failed_commits, report.lost_ops, report.lost_requests),
        (1, 9, 9)
    );
}

#[test]
fn invariant_05_an_indeterminate_commit_is_reported_as_such_whether_it_is_stored_or_not() {
    for is_stored in [true, false] {
        let rig = Rig::new(patient());
        let fault = if is_stored {
            &rig.faults.doubt_commit
        } else {
            &rig.faults.doubt_lost_commit
        };
        fault.store(1, Ordering::SeqCst);
        let doubtful = rig.writer.put(counter("a", 1), Ack::Committed).unwrap();
        let outcome = doubtful.wait();
        assert!(
            matches!(outcome, Err(Error::Indeterminate { ops: 1, .. })),
            "{outcome:?}"
        );
        assert!(
            rig.writer
                .put(counter("b", 1), Ack::Committed)
                .unwrap()
                .wait()
                .is_ok()
        );
        assert_eq!(rig.counters().contains_key("a"), is_stored);
        let report = rig.writer.close().unwrap();
        assert_eq!((report.indeterminate_ops, report.lost_ops), (1, 0));
    }
}

#[test]
fn invariant_05_repeating_an_indeterminate_commit_applies_it_once() {
    for is_stored in [true, false] {
        let rig = Rig::new(retry(1, false));
        rig.writer
            .put(counter("a", 1), Ack::Committed)
            .unwrap()
            .wait()
            .unwrap();
        let fault = if is_stored {
            &rig.faults.doubt_commit
        } else {
            &rig.faults.doubt_lost_commit
        };
        fault.store(2, Ordering::SeqCst);
        rig.writer
            .merge(b"a".to_vec(), add(10), Ack::Applied)
            .unwrap();
        rig.writer
            .merge(b"a".to_vec(), add(100), Ack::Committed)
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(rig.counters(), [("a".to_owned(), 111)].into());
        assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 3);
    }
}

#[test]
fn invariant_05_a_doubt_is_not_forgotten_when_the_repetition_fails_for_certain() {
    let rig = Rig::new(retry(2, false));
    rig.faults.doubt_commit.store(1, Ordering::SeqCst);
    rig.faults.full_from.store(2, Ordering::SeqCst);
    let ticket = rig.writer.put(counter("a", 1), Ack::Committed).unwrap();
    assert!(matches!(ticket.wait(), Err(Error::Indeterminate { .. })));
    assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 3);
}

#[test]
fn a_retried_commit_that_succeeds_is_no_failure_and_one_that_does_not_is_lost() {
    let rig = Rig::new(retry(2, false));
    rig.faults.fail_commit.store(1, Ordering::SeqCst);
    rig.writer
        .put(counter("a", 1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    rig.faults.full_from.store(3, Ordering::SeqCst);
    let lost = rig.writer.put(counter("b", 1), Ack::Committed).unwrap();
    assert!(matches!(lost.wait(), Err(Error::Commit { .. })));
    assert_eq!(rig.faults.commits.load(Ordering::SeqCst), 5);
    rig.faults.full_from.store(0, Ordering::SeqCst);
    let report = rig.writer.close().unwrap();
    assert_eq!(
        (report.commits, report.failed_commits, report.lost_requests),
        (1, 1, 1)
    );
    assert_eq!(rig.counters().len(), 1);
}

#[test]
fn a_kept_batch_is_reported_as_not_stored_and_stored_when_the_disk_has_room() {
    let rig = Rig::new(retry(1, true));
    rig.faults.full_from.store(1, Ordering::SeqCst);
    rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
    assert!(matches!(
        rig.writer.barrier(Ack::Synced),
        Err(Error::Commit { .. })
    ));
    let next = rig
        .writer
        .merge(b"a".to_vec(), add(1), Ack::Committed)
        .unwrap();
    assert!(matches!(next.wait(), Err(Error::Commit { .. })));
    rig.faults.full_from.store(0, Ordering::SeqCst);
    rig.writer.barrier(Ack::Committed).unwrap();
    assert_eq!(rig.counters(), [("a".to_owned(), 2)].into());
    assert_eq!(rig.writer.report().lost_requests, 0);
}

#[test]
fn a_kept_batch_is_tried_again_by_the_timer_without_further_traffic() {
    let mut policy = retry(0, true);
    policy.flush_when.age = Duration::from_millis(2);
    let rig = Rig::new(policy);
    rig.faults.full_from.store(1, Ordering::SeqCst);
    rig.writer.put(counter("a", 1), Ack::Applied).unwrap();
    while rig.faults.commits.load(Ordering::SeqCst) < 3 {
        std::thread::yield_now();
    }
    rig.faults.full_from.store(0, Ordering::SeqCst);
    while rig.writer.frontier().committed.0 == 0 {
        std::thread::yield_now();
    }
    assert_eq!(rig.counters().len(), 1);
}

#[test]
fn a_full_queue_that_cannot_be_emptied_is_an_error_and_not_a_wait() {
    let rig = Rig::new(Policy {
        queue_items: 2,
        ..retry(0, true)
    });
    rig.faults.full_from.store(1, Ordering::SeqCst);
    for level in [Ack::Applied, Ack::Enqueued] {
        let mut outcomes = (0..9).map(|i| rig.writer.put(counter(&i.to_string(), i), level));
        let error = outcomes.find_map(Result::err);
        assert!(matches!(error, Some(Error::Commit { .. })), "{error:?}");
    }
    assert_eq!(rig.writer.queued().0, 2);
}

#[test]
fn a_poisoned_writer_stores_nothing_after_the_commit_that_failed_and_says_why() {
    let rig = Rig::new(Policy {
        on_error: OnError::Poison,
        ..patient()
    });
    rig.writer
        .put(counter("a", 1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    rig.faults.fail_commit.store(2, Ordering::SeqCst);
    rig.faults.hold();
    let failed = rig.writer.put(counter("b", 1), Ack::Committed).unwrap();
    rig.writer.flush();
    rig.faults.await_held();
    let after = rig.writer.put(counter("c", 1), Ack::Committed).unwrap();
    rig.faults.release();
    assert!(matches!(failed.wait(), Err(Error::Commit { .. })));
    for error in [
        after.wait().err(),
        rig.writer.put(counter("d", 1), Ack::Enqueued).err(),
        rig.writer.barrier(Ack::Committed).err(),
        rig.writer.producer().err(),
        rig.writer.close().err(),
    ] {
        assert!(matches!(error, Some(Error::Poisoned { .. })), "{error:?}");
    }
    assert_eq!(rig.counters().len(), 1);
    assert_eq!(rig.writer.report().lost_requests, 2);
}

#[test]
fn invariant_12_one_row_that_cannot_be_encoded_costs_exactly_that_row() {
    let rig = Rig::new(policy());
    let tickets: Vec<_> = (0..50)
        .map(|i| {
            let value = if i == 17 { u64::MAX } else { i };
            rig.writer
                .put(counter(&i.to_string(), value), Ack::Committed)
                .unwrap()
        })
        .collect();
    for (i, ticket) in tickets.iter().enumerate() {
        let outcome = ticket.wait();
        assert_eq!(matches!(outcome, Err(Error::Encode { .. })), i == 17, "{i}");
        assert_eq!(outcome.is_err(), i == 17, "{i}");
    }
    let report = rig.writer.close().unwrap();
    assert_eq!((report.committed_ops, report.refused), (49, 1));
    assert_eq!(rig.counters().len(), 49);
}

#[test]
fn a_torn_commit_is_something_these_tests_would_see() {
    let rig = Rig::new(patient());
    rig.faults.tear_commit.store(1, Ordering::SeqCst);
    let pair = rig.writer.submit(Box::new(|stage| {
        stage.put(&counter("a", 1))?;
        stage.put(&counter("b", 1)).map(|()| 2)
    }));
    assert!(pair.unwrap().wait().is_err());
    assert_eq!(
        rig.counters().len(),
        1,
        "half of the batch, which no engine may store"
    );
}

#[test]
fn invariant_15_a_dead_writer_is_an_error_for_those_who_wait_and_those_who_come() {
    for is_led_by_keeper in [false, true] {
        within(move || {
            let Rig { writer, faults, .. } = Rig::new(policy());
            faults.panic_commit.store(1, Ordering::SeqCst);
            faults.hold();
            if is_led_by_keeper {
                writer.put(counter("a", 1), Ack::Enqueued).unwrap();
                faults.await_held();
            }
            let tickets: Vec<_> = (0..5)
                .map(|i| {
                    writer
                        .put(counter(&i.to_string(), i), Ack::Committed)
                        .unwrap()
                })
                .collect();
            faults.release();
            for ticket in &tickets {
                assert!(matches!(ticket.wait(), Err(Error::WriterGone)));
            }
            for level in [Ack::Enqueued, Ack::Applied, Ack::Synced] {
                let late = writer.put(counter("b", 9), level);
                assert!(matches!(late, Err(Error::WriterGone)));
            }
            assert!(matches!(
                writer.barrier(Ack::Synced),
                Err(Error::WriterGone)
            ));
            assert!(matches!(writer.close(), Err(Error::WriterGone)));
            let lost = 5 + u64::from(is_led_by_keeper);
            assert_eq!(writer.report().lost_requests, lost);
        });
    }
}

#[test]
fn a_read_that_fails_costs_the_request_that_read() {
    let rig = Rig::new(policy());
    rig.faults.fail_reads.store(1, Ordering::SeqCst);
    let bad = rig
        .writer
        .merge(b"a".to_vec(), add(1), Ack::Committed)
        .unwrap();
    assert!(matches!(bad.wait(), Err(Error::State { .. })));
    rig.writer
        .put(counter("a", 1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(rig.writer.report().refused, 1);
}
