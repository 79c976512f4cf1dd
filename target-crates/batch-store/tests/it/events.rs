//! Heartbeats: the merge rule against a model, whatever the batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use batch_store::events::{BUCKETS, EVENTS, Event, EventLog};
use batch_store::{
    Ack, Durability, Error, FaultEngine, Faults, MemoryEngine, Policy, SqliteEngine,
};
use proptest::prelude::*;

use crate::support::{all_pages, cases};

fn event(start_ns: i64, duration_ns: i64, data: &str) -> Event {
    Event {
        start_ns,
        duration_ns,
        data: data.to_owned(),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Beat(Event, i64),
    Insert(Vec<Event>),
    Barrier,
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..200_i64, 0..20_i64, 0..3_u8)
        .prop_map(|(start, duration, data)| event(start, duration, &data.to_string()))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any_event(), 0..40_i64).prop_map(|(beat, pulse)| Step::Beat(beat, pulse)),
        1 => proptest::collection::vec(any_event(), 0..4).prop_map(Step::Insert),
        1 => Just(Step::Barrier),
    ]
}

/// The events as they ought to be, in order of start, then of arrival.
fn model(steps: &[Step]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut last: Option<usize> = None;
    for step in steps {
        match step {
            Step::Beat(beat, pulse) => {
                let merged = last.filter(|at| {
                    let last = &events[*at];
                    let end = last.start_ns + last.duration_ns;
                    last.data == beat.data && (last.start_ns..=end + pulse).contains(&beat.start_ns)
                });
                match merged {
                    Some(at) => {
                        let end = beat.start_ns + beat.duration_ns;
                        events[at].duration_ns =
                            events[at].duration_ns.max(end - events[at].start_ns);
                    }
                    None => {
                        events.push(beat.clone());
                        last = Some(events.len() - 1);
                    }
                }
            }
            Step::Insert(more) => {
                events.extend(more.iter().cloned());
                last = None;
            }
            Step::Barrier => {}
        }
    }
    events.sort_by_key(|event| event.start_ns);
    events
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn heartbeats_merge_as_the_model_says_whatever_the_batches(
        steps in proptest::collection::vec(step(), 0..120), ops in 1..40_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.db");
        let engine = SqliteEngine::open(&path, &[EVENTS, BUCKETS], Durability::EachCommit).unwrap();
        let mut policy = Policy::event_log();
        policy.flush_when.ops = ops;
        policy.durability = Durability::Checkpoint;
        let log = EventLog::over(Box::new(engine), policy).unwrap();
        for step in &steps {
            match step {
                Step::Beat(beat, pulse) => drop(log.heartbeat("b", beat.clone(), *pulse, Ack::Applied).unwrap()),
                Step::Insert(events) => drop(log.insert("b", events.clone(), Ack::Applied).unwrap()),
                Step::Barrier => log.writer().barrier(Ack::Committed).unwrap(),
            }
        }
        log.close().unwrap();
        let reader = SqliteEngine::open_read_only(&path).unwrap();
        let (found, _) = all_pages(|cursor| EventLog::list(&reader, "b", cursor, 9));
        let found: Vec<Event> = found.into_iter().map(|stored| stored.event).collect();
        prop_assert_eq!(found, model(&steps));
    }
}

#[test]
fn buckets_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let log = EventLog::open(&path).unwrap();
    for i in 0..50 {
        for bucket in ["a", "a\0", "ab"] {
            log.heartbeat(bucket, event(i, 0, bucket), 10, Ack::Applied)
                .unwrap();
        }
    }
    log.close().unwrap();
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    for bucket in ["a", "a\0", "ab"] {
        let page = EventLog::list(&reader, bucket, None, 0).unwrap();
        assert_eq!(page.rows.len(), 1, "{bucket:?}");
        assert_eq!(page.rows[0].event, event(0, 49, bucket));
    }
}

#[test]
fn a_request_that_fails_midway_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let log = EventLog::open(&path).unwrap();
    log.heartbeat("b", event(0, 5, "x"), 10, Ack::Applied)
        .unwrap()
        .wait()
        .unwrap();
    let bad = vec![event(1, 1, "y"), event(2, -1, "y"), event(3, 1, "y")];
    assert!(matches!(
        log.insert("b", bad, Ack::Applied).unwrap().wait(),
        Err(Error::Encode { .. })
    ));
    log.heartbeat("b", event(9, 1, "x"), 10, Ack::Applied)
        .unwrap()
        .wait()
        .unwrap();
    log.close().unwrap();
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    let events: Vec<Event> = EventLog::list(&reader, "b", None, 0)
        .unwrap()
        .rows
        .into_iter()
        .map(|stored| stored.event)
        .collect();
    assert_eq!(events, [event(0, 10, "x")]);
}

#[test]
fn after_a_failed_commit_the_next_heartbeat_starts_from_what_is_stored() {
    let faults = Arc::new(Faults::default());
    faults.fail_commit.store(2, Ordering::SeqCst);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let engine = SqliteEngine::open(&path, &[EVENTS, BUCKETS], Durability::EachCommit).unwrap();
    let engine = FaultEngine::new(Box::new(engine), Arc::clone(&faults));
    let log = EventLog::over(Box::new(engine), Policy::event_log()).unwrap();
    log.heartbeat("b", event(0, 1, "x"), 10, Ack::Synced)
        .unwrap()
        .wait()
        .unwrap();
    let lost = log
        .heartbeat("b", event(100, 1, "y"), 10, Ack::Synced)
        .unwrap()
        .wait();
    assert!(matches!(lost, Err(Error::Commit { .. })));
    log.heartbeat("b", event(101, 1, "y"), 10, Ack::Synced)
        .unwrap()
        .wait()
        .unwrap();
    let report = log.close().unwrap();
    assert_eq!(
        (report.failed_commits, report.lost_ops, report.committed_ops),
        (1, 1, 2)
    );
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    let found: Vec<Event> = EventLog::list(&reader, "b", None, 0)
        .unwrap()
        .rows
        .into_iter()
        .map(|stored| stored.event)
        .collect();
    assert_eq!(found, [event(0, 1, "x"), event(101, 1, "y")]);
}

#[test]
fn an_applied_heartbeat_is_committed_by_the_timer_without_further_traffic() {
    let mut policy = Policy::event_log();
    policy.flush_when.age = Duration::from_millis(3);
    let faults = Arc::new(Faults::default());
    let engine = FaultEngine::new(Box::new(MemoryEngine::new()), Arc::clone(&faults));
    let log = EventLog::over(Box::new(engine), policy).unwrap();
    log.heartbeat("b", event(0, 1, "x"), 10, Ack::Applied)
        .unwrap()
        .wait()
        .unwrap();
    while log.writer().frontier().committed.0 == 0 {
        std::thread::yield_now();
    }
    assert_eq!(faults.commits.load(Ordering::SeqCst), 1);
}
