//! Heartbeats: the merge rule against a model, whatever the batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use batch_store::events::{BUCKETS, EVENTS, Event, EventLog};
use batch_store::{
    Ack, Durability, Engine, Error, FaultEngine, Faults, MemoryEngine, Policy, SqliteEngine,
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
    fn invariant_10_heartbeats_merge_as_the_model_says_whatever_the_batches(
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
fn invariant_08_a_request_that_fails_midway_leaves_nothing_behind() {
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
fn invariant_07_after_a_failed_commit_the_next_heartbeat_starts_from_what_is_stored() {
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
fn invariant_06_an_applied_heartbeat_is_committed_by_the_timer_without_further_traffic() {
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

fn memory_log() -> (EventLog, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let engine = FaultEngine::new(Box::new(MemoryEngine::new()), Arc::clone(&faults));
    let log = EventLog::over(Box::new(engine), Policy::event_log()).unwrap();
    (log, faults)
}

fn events_of(log: &EventLog, bucket: &str) -> Vec<Event> {
    let page = log
        .read(|rows| EventLog::list(rows, bucket, None, 0))
        .unwrap();
    page.rows.into_iter().map(|stored| stored.event).collect()
}

#[test]
fn invariant_07_a_heartbeat_that_extended_a_lost_event_becomes_an_event_of_its_own() {
    let (log, faults) = memory_log();
    let beat = |at, data| {
        log.heartbeat("b", event(at, 1, data), 10, Ack::Applied)
            .unwrap()
    };
    beat(0, "x").wait().unwrap();
    log.force_commit().unwrap();
    faults.fail_commit.store(2, Ordering::SeqCst);
    faults.hold();
    beat(100, "y").wait().unwrap();
    log.writer().flush();
    faults.await_held();
    // Extends an event that will turn out not to be stored.
    beat(101, "y").wait().unwrap();
    let bucket = log
        .read(|rows| EventLog::bucket(rows, "b"))
        .unwrap()
        .unwrap();
    assert_eq!(bucket.covers_ns, Some((0, 102)));
    faults.release();
    // An error when the first batch, which is lost, was still under way.
    log.force_commit().ok();
    log.force_commit().unwrap();
    assert_eq!(events_of(&log, "b"), [event(0, 1, "x"), event(101, 1, "y")]);
    let report = log.close().unwrap();
    assert_eq!((report.lost_ops, report.committed_ops), (1, 2));
}

#[test]
fn clients_read_their_own_uncommitted_events() {
    let (log, faults) = memory_log();
    log.insert("b", vec![event(5, 5, "x"), event(1, 2, "y")], Ack::Applied)
        .unwrap();
    log.heartbeat("b", event(30, 0, "z"), 5, Ack::Applied)
        .unwrap();
    log.heartbeat("b", event(33, 1, "z"), 5, Ack::Applied)
        .unwrap();
    assert_eq!(
        events_of(&log, "b"),
        [event(1, 2, "y"), event(5, 5, "x"), event(30, 4, "z")]
    );
    let bucket = log
        .read(|rows| EventLog::bucket(rows, "b"))
        .unwrap()
        .unwrap();
    assert_eq!(bucket.covers_ns, Some((1, 34)));
    assert_eq!(faults.commits.load(Ordering::SeqCst), 0);
    assert_eq!(events_of(&log, "none"), []);
}

#[test]
fn bucket_changes_are_committed_when_they_return_and_keep_events_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let log = EventLog::open(&path).unwrap();
    log.create_bucket("a", r#"{"type":"window"}"#).unwrap();
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    let stored = EventLog::bucket(&reader, "a").unwrap().unwrap();
    assert_eq!(
        (stored.data.as_str(), stored.covers_ns),
        (r#"{"type":"window"}"#, None)
    );
    assert!(matches!(
        log.create_bucket("a", ""),
        Err(Error::State { .. })
    ));
    for bucket in ["a", "b", "c"] {
        log.insert(bucket, vec![event(1, 1, bucket)], Ack::Applied)
            .unwrap();
    }
    log.rename_bucket("b", "renamed").unwrap();
    assert!(log.rename_bucket("b", "x").is_err() && log.rename_bucket("a", "c").is_err());
    log.delete_bucket("a").unwrap();
    assert!(matches!(log.delete_bucket("a"), Err(Error::State { .. })));
    log.heartbeat("a", event(9, 0, "anew"), 1, Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(events_of(&log, "a"), [event(9, 0, "anew")]);
    assert_eq!(events_of(&log, "renamed"), [event(1, 1, "b")]);
    assert_eq!(events_of(&log, "b"), []);
    log.close().unwrap();
    let names = EventLog::buckets(&reader, None, 0)
        .unwrap()
        .rows
        .into_iter()
        .map(|it| it.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "c", "renamed"]);
    assert_eq!(reader.count(EVENTS).unwrap(), 3);
}

#[test]
fn a_bucket_that_could_not_be_committed_is_an_error_and_does_not_exist() {
    let (log, faults) = memory_log();
    faults.full_from.store(1, Ordering::SeqCst);
    assert!(matches!(
        log.create_bucket("a", ""),
        Err(Error::Commit { .. })
    ));
    assert!(
        log.read(|rows| EventLog::bucket(rows, "a"))
            .unwrap()
            .is_none()
    );
    faults.full_from.store(0, Ordering::SeqCst);
    log.create_bucket("a", "").unwrap();
}

#[test]
fn settings_are_stored_and_do_not_count_towards_a_commit() {
    let (log, faults) = memory_log();
    for i in 0..300 {
        log.set_value(&format!("k{}", i % 3), Some(&i.to_string()), Ack::Applied)
            .unwrap();
    }
    log.set_value("k0", None, Ack::Applied).unwrap();
    assert_eq!(faults.commits.load(Ordering::SeqCst), 0);
    log.force_commit().unwrap();
    assert_eq!(faults.synced_commits.load(Ordering::SeqCst), 1);
    let value = |key: &str| log.read(|rows| EventLog::value(rows, key)).unwrap();
    assert_eq!((value("k0"), value("k2")), (None, Some("299".to_owned())));
}
