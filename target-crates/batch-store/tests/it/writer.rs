//! The writer: tickets, triggers, bounds, and every way it can end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batch_store::grants::{Grant, StoredGrant};
use batch_store::{
    Ack, Durability, Error, FaultEngine, Faults, FlushWhen, MemoryEngine, OnFull, Policy, Writer,
};

fn policy() -> Policy {
    Policy {
        queue_items: 64,
        on_full: OnFull::Block,
        flush_when: FlushWhen {
            idle: true,
            ops: 1000,
            age: Duration::from_secs(3600),
        },
        max_batch: 1000,
        ack: Ack::Committed,
        durability: Durability::Checkpoint,
    }
}

fn writer(policy: Policy) -> (Writer, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let engine = FaultEngine::new(Box::new(MemoryEngine::new()), Arc::clone(&faults));
    (Writer::spawn(Box::new(engine), policy).unwrap(), faults)
}

fn record(i: usize) -> StoredGrant {
    StoredGrant {
        sync_id: "s".to_owned(),
        grant: Grant::new(&format!("g{i}"), "e", "u"),
    }
}

/// Holds the writer's thread inside a change until the sender is used or dropped.
fn hold(writer: &Writer) -> (Sender<()>, Receiver<()>) {
    let (release, released) = channel::<()>();
    let (entered, is_entered) = channel();
    let released = Mutex::new(released);
    writer
        .submit_with(
            Box::new(move |_| {
                let _ = entered.send(());
                let _ = released.lock().unwrap().recv();
                Ok(0)
            }),
            Ack::Enqueued,
        )
        .unwrap();
    (release, is_entered)
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
fn a_ticket_at_enqueued_resolves_at_once_and_others_do_not() {
    let (writer, faults) = writer(policy());
    let (release, entered) = hold(&writer);
    entered.recv().unwrap();
    let enqueued = writer.put(record(0), Ack::Enqueued).unwrap();
    let others: Vec<_> = [Ack::Applied, Ack::Committed, Ack::Synced]
        .into_iter()
        .map(|level| writer.put(record(1), level).unwrap())
        .collect();
    assert!(matches!(enqueued.poll(), Some(Ok(()))));
    assert!(others.iter().all(|ticket| ticket.poll().is_none()));
    assert_eq!(faults.commits.load(Ordering::SeqCst), 0);
    drop(release);
    others.iter().for_each(|ticket| ticket.wait().unwrap());
}

#[test]
fn a_commit_carries_every_request_that_waited_and_syncs_when_one_asks() {
    let (writer, faults) = writer(policy());
    let (release, entered) = hold(&writer);
    entered.recv().unwrap();
    let committed: Vec<_> = (0..20)
        .map(|i| writer.put(record(i), Ack::Committed).unwrap())
        .collect();
    drop(release);
    committed.iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(faults.commits.load(Ordering::SeqCst), 1);
    assert_eq!(faults.synced_commits.load(Ordering::SeqCst), 0);
    assert_eq!(writer.frontier().synced.0, 0);
    writer.put(record(1), Ack::Synced).unwrap().wait().unwrap();
    assert_eq!(faults.synced_commits.load(Ordering::SeqCst), 1);
    assert_eq!(writer.frontier().synced, writer.frontier().committed);
}

#[test]
fn a_barrier_with_nothing_to_commit_still_syncs_what_was_committed() {
    let (writer, faults) = writer(policy());
    writer
        .put(record(0), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 0);
    writer.barrier(Ack::Committed).unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 0);
    writer.barrier(Ack::Synced).unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 1);
    // A request without operations makes an empty batch, which must not count as a sync.
    writer
        .put(record(1), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    writer
        .submit_with(Box::new(|_| Ok(0)), Ack::Synced)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), 2);
}

#[test]
fn the_operation_and_request_limits_cut_batches() {
    for (ops, max_batch, commits) in [(10, 1000, 4), (1000, 8, 5), (1000, 1000, 1)] {
        let (writer, faults) = writer(Policy {
            flush_when: FlushWhen {
                idle: false,
                ops,
                age: Duration::from_secs(3600),
            },
            max_batch,
            ..policy()
        });
        for i in 0..40 {
            writer.put(record(i), Ack::Applied).unwrap();
        }
        writer.barrier(Ack::Committed).unwrap();
        assert_eq!(
            faults.commits.load(Ordering::SeqCst),
            commits,
            "{ops} {max_batch}"
        );
    }
}

#[test]
fn a_failed_commit_resolves_every_ticket_of_its_batch_with_an_error_and_no_other() {
    let (writer, faults) = writer(policy());
    faults.fail_commit.store(1, Ordering::SeqCst);
    let (release, entered) = hold(&writer);
    entered.recv().unwrap();
    let lost: Vec<_> = (0..9)
        .map(|i| writer.put(record(i), Ack::Committed).unwrap())
        .collect();
    drop(release);
    for ticket in &lost {
        let first = ticket.wait();
        assert!(
            matches!(first, Err(Error::Commit { ops: 9, .. })),
            "{first:?}"
        );
        assert_eq!(format!("{first:?}"), format!("{:?}", ticket.wait()));
    }
    writer
        .put(record(10), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    let report = writer.close().unwrap();
    assert_eq!((report.commits, report.committed_ops), (1, 1));
    assert_eq!((report.failed_commits, report.lost_ops), (1, 9));
}

#[test]
fn a_dead_writer_is_an_error_for_those_who_wait_and_those_who_come() {
    let (writer, faults) = writer(policy());
    faults.panic_commit.store(1, Ordering::SeqCst);
    let (release, entered) = hold(&writer);
    entered.recv().unwrap();
    let tickets: Vec<_> = (0..5)
        .map(|i| writer.put(record(i), Ack::Committed).unwrap())
        .collect();
    drop(release);
    tickets
        .iter()
        .for_each(|ticket| assert!(matches!(ticket.wait(), Err(Error::WriterGone))));
    let late = writer
        .put(record(9), Ack::Committed)
        .and_then(|ticket| ticket.wait());
    assert!(matches!(late, Err(Error::WriterGone)));
    assert!(matches!(
        writer.barrier(Ack::Synced),
        Err(Error::WriterGone)
    ));
    assert!(matches!(writer.close(), Err(Error::WriterGone)));
}

#[test]
fn a_full_queue_rejects_or_blocks_as_the_policy_says() {
    let (rejecting, _) = writer(Policy {
        queue_items: 3,
        on_full: OnFull::Reject,
        ..policy()
    });
    let (release, entered) = hold(&rejecting);
    entered.recv().unwrap();
    let outcomes: Vec<_> = (0..5)
        .map(|i| rejecting.put(record(i), Ack::Enqueued))
        .collect();
    let rejected = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(Error::QueueFull { limit: 3 })))
        .count();
    assert_eq!(rejected, 2);
    drop(release);
    assert_eq!(rejecting.close().unwrap().committed_ops, 3);

    let (blocking, _) = writer(Policy {
        queue_items: 3,
        ..policy()
    });
    let (release, entered) = hold(&blocking);
    entered.recv().unwrap();
    let queued = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..10 {
                blocking.put(record(i), Ack::Enqueued).unwrap();
                queued.fetch_add(1, Ordering::SeqCst);
            }
        });
        while queued.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        assert!(queued.load(Ordering::SeqCst) <= 3);
        drop(release);
    });
    assert_eq!(blocking.close().unwrap().committed_ops, 10);
}

#[test]
fn closing_drains_reports_and_may_be_repeated() {
    let (writer, _) = writer(policy());
    let (release, entered) = hold(&writer);
    entered.recv().unwrap();
    let tickets: Vec<_> = (0..30)
        .map(|i| writer.put(record(i), Ack::Committed).unwrap())
        .collect();
    drop(release);
    let report = writer.close().unwrap();
    assert_eq!((report.committed_ops, report.lost_ops), (30, 0));
    assert!(
        tickets
            .iter()
            .all(|ticket| matches!(ticket.poll(), Some(Ok(()))))
    );
    assert_eq!(writer.close().unwrap(), report);
    assert!(matches!(
        writer.put(record(1), Ack::Enqueued),
        Err(Error::WriterGone)
    ));
}

#[test]
fn dropping_the_writer_drains_as_well() {
    let (writer, faults) = writer(policy());
    let tickets: Vec<_> = (0..30)
        .map(|i| writer.put(record(i), Ack::Synced).unwrap())
        .collect();
    drop(writer);
    tickets
        .iter()
        .for_each(|ticket| ticket.poll().unwrap().unwrap());
    assert!(faults.commits.load(Ordering::SeqCst) >= 1);
}
