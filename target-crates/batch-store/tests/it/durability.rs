//! Durability: what is promised as synced is really synced.
//!
//! Three kinds of evidence: the database's own settings; what the database file
//! holds alone, without its log; and the system calls of a child process, where
//! the machine can trace them.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use batch_store::events::{BUCKETS, EVENTS, Event, EventLog};
use batch_store::grants::{DurableEvery, GrantReader, GrantSession, SessionOptions};
use batch_store::packages::PACKAGE_INDEX;
use batch_store::{Ack, Durability, Engine, EngineKind, SqliteEngine, WriteBatch};

use crate::hooked::{FAMILIES, Hooked};
use crate::support::{check_session, child, child_dir, some_grants};

const NORMAL: &str = "1";
const FULL: &str = "2";

fn on_sqlite(dir: &Path) -> GrantSession {
    let options = SessionOptions {
        engine: EngineKind::Sqlite,
        ..SessionOptions::default()
    };
    GrantSession::start_with(dir, "s", options).unwrap()
}

#[test]
fn an_engine_opened_for_each_commit_runs_with_synchronous_full() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, durability| {
        SqliteEngine::open(&dir.path().join(name), &[EVENTS], durability).unwrap()
    };
    let engine = open("full.db", Durability::EachCommit);
    assert_eq!(engine.pragma("synchronous").unwrap(), FULL);
    assert_eq!(engine.pragma("journal_mode").unwrap(), "wal");
    let engine = open("normal.db", Durability::Checkpoint);
    assert_eq!(engine.pragma("synchronous").unwrap(), NORMAL);
}

#[test]
fn a_commit_that_asks_for_a_sync_runs_with_synchronous_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = SqliteEngine::open(
        &dir.path().join("a.db"),
        &[PACKAGE_INDEX],
        Durability::Checkpoint,
    )
    .unwrap();
    engine
        .commit(&WriteBatch::new(), Durability::EachCommit)
        .unwrap();
    assert_eq!(engine.pragma("synchronous").unwrap(), FULL);
    engine
        .commit(&WriteBatch::new(), Durability::Checkpoint)
        .unwrap();
    assert_eq!(engine.pragma("synchronous").unwrap(), NORMAL);
}

#[test]
fn a_session_never_runs_below_synchronous_normal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let engine = SqliteEngine::open(&path, &FAMILIES, Durability::Checkpoint).unwrap();
    let engine = Arc::new(Mutex::new(engine));
    let observed = engine.clone();
    let check = move || {
        let engine = observed.lock().unwrap();
        let level = engine.pragma("synchronous").unwrap();
        assert!(level == NORMAL || level == FULL, "synchronous is {level}");
        assert_eq!(engine.pragma("journal_mode").unwrap(), "wal");
    };
    let hooked = Hooked::new(engine, |_, _| Ok(()));
    let mut session =
        GrantSession::start_on(hooked, dir.path(), "s", DurableEvery::Session).unwrap();
    check();
    session.put_grants(&some_grants(600)).unwrap();
    check();
    let sealed = session.end().unwrap();
    check();
    drop(sealed);
}

#[test]
fn after_the_end_of_a_session_the_database_file_alone_holds_every_grant() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = on_sqlite(&dir.path().join("work"));
    session.put_grants(&some_grants(1500)).unwrap();
    let sealed = session.end().unwrap();
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(dir.path().join("work/store.db"), copy.join("store.db")).unwrap();
    let reader = GrantReader::open(&copy).unwrap();
    let counts = reader.counts().unwrap();
    assert_eq!(
        (counts.grants, counts.by_entitlement, counts.by_principal),
        (1500, 1500, 1500)
    );
    drop(sealed);
}

#[test]
fn grants_put_survive_a_process_that_never_closes_the_session() {
    let dir = tempfile::tempdir().unwrap();
    child("durability::child_that_puts_and_aborts", dir.path())
        .status()
        .unwrap();
    let mut session = GrantSession::resume(&dir.path().join("work")).unwrap();
    assert_eq!(session.counts().unwrap().grants, 700);
    check_session(&session);
    session.put_grants(&some_grants(701)).unwrap();
    assert_eq!(
        session
            .end()
            .unwrap()
            .into_reader()
            .unwrap()
            .counts()
            .unwrap()
            .by_principal,
        701
    );
}

#[test]
#[ignore = "a child of another test"]
fn child_that_puts_and_aborts() {
    let mut session = GrantSession::start(&child_dir().join("work"), "s").unwrap();
    session.put_grants(&some_grants(700)).unwrap();
    std::process::abort();
}

#[test]
#[ignore = "a child of another test"]
fn child_that_packs() {
    let dir = child_dir();
    put_seal_and_pack(on_sqlite(&dir.join("work")), &dir);
}

#[test]
#[ignore = "a child of another test"]
fn child_that_packs_segments() {
    let dir = child_dir();
    put_seal_and_pack(GrantSession::start(&dir.join("work"), "s").unwrap(), &dir);
}

fn put_seal_and_pack(mut session: GrantSession, dir: &Path) {
    // Enough for a segment of their own.
    session.put_grants(&some_grants(20_000)).unwrap();
    let mut sealed = session.end().unwrap();
    std::fs::write(dir.join("sealed"), "").unwrap();
    sealed.pack(&dir.join("out.bsa")).unwrap();
    sealed.close().unwrap();
}

#[test]
#[ignore = "a child of another test"]
fn child_that_acknowledges() {
    let dir = child_dir();
    let log = EventLog::open(&dir.join("events.db")).unwrap();
    for i in 0..5 {
        let beat = Event {
            start_ns: i * 1000,
            duration_ns: 0,
            data: i.to_string(),
        };
        log.heartbeat("b", beat, 1, Ack::Synced)
            .unwrap()
            .wait()
            .unwrap();
        std::fs::write(dir.join(format!("acknowledged-{i}")), "").unwrap();
    }
    log.close().unwrap();
}

#[test]
#[ignore = "a child of another test"]
fn child_that_commits_until_it_is_killed() {
    let dir = child_dir();
    let log = EventLog::open(&dir.join("events.db")).unwrap();
    let mut acknowledged = std::fs::File::create(dir.join("acknowledged")).unwrap();
    for i in 0.. {
        let level = if i % 3 == 2 {
            Ack::Committed
        } else {
            Ack::Applied
        };
        let event = |part: i64| Event {
            start_ns: 2 * i + part,
            duration_ns: 0,
            data: i.to_string(),
        };
        let pair = log.insert("b", vec![event(0), event(1)], level).unwrap();
        pair.wait().unwrap();
        if level == Ack::Committed {
            std::io::Write::write_all(&mut acknowledged, b".").unwrap();
        }
    }
}

#[test]
fn invariant_02_03_after_a_kill_a_prefix_of_whole_requests_with_every_committed_one_is_stored() {
    for enough in [1, 7, 40] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = child(
            "durability::child_that_commits_until_it_is_killed",
            dir.path(),
        )
        .spawn()
        .unwrap();
        let acknowledged =
            || std::fs::metadata(dir.path().join("acknowledged")).map_or(0, |it| it.len());
        while acknowledged() < enough {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the child ended by itself"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let reader = SqliteEngine::open(
            &dir.path().join("events.db"),
            &[EVENTS, BUCKETS],
            Durability::EachCommit,
        );
        let reader = reader.unwrap();
        let (found, _) =
            crate::support::all_pages(|cursor| EventLog::list(&reader, "b", cursor, 0));
        for (at, stored) in found.iter().enumerate() {
            assert_eq!(stored.event.start_ns, at as i64);
        }
        assert_eq!(found.len() % 2, 0, "half of a request");
        assert!(
            found.len() as u64 >= acknowledged() * 6,
            "{} {}",
            found.len(),
            acknowledged()
        );
    }
}

/// The child's syncs, renames and file creations in order, each as the call and
/// the last component of its path; `None` where the machine cannot trace.
fn traced(name: &str) -> Option<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("trace");
    let traced = child(&format!("durability::{name}"), dir.path());
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=openat,fsync,fdatasync,rename,renameat,renameat2",
        "-o",
    ]);
    strace
        .arg(&log)
        .arg(traced.get_program())
        .args(traced.get_args())
        .env("BATCH_STORE_TEST_DIR", dir.path());
    strace
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let status = strace.status().ok()?;
    let text = std::fs::read_to_string(&log)
        .ok()
        .filter(|text| text.contains("openat"))?;
    assert!(status.success(), "the child failed");
    let path = |line: &str, open: char, close: char| -> Option<String> {
        let path = line.rsplit_once(open)?.1.split_once(close)?.0;
        Some(path.rsplit('/').next()?.to_owned())
    };
    let mut calls = Vec::new();
    for line in text
        .lines()
        .filter(|line| line.contains(" = 0") || line.contains("O_CREAT"))
    {
        let line = line.rsplit_once(" = ")?.0;
        if line.contains("sync(") {
            calls.push(format!("sync {}", path(line, '<', '>')?));
        } else if line.contains("rename") {
            let target = line.rsplit_once('"')?.0;
            calls.push(format!("rename {}", target.rsplit(['"', '/']).next()?));
        } else if line.contains("O_CREAT") {
            let quoted = line.split('"').nth(1)?;
            calls.push(format!("create {}", quoted.rsplit('/').next()?));
        }
    }
    let base = dir.path().file_name()?.to_string_lossy().into_owned();
    calls
        .iter_mut()
        .for_each(|call| *call = call.replace(&base, "DIR"));
    Some(calls)
}

fn position(calls: &[String], call: &str) -> usize {
    let found = calls.iter().position(|other| other == call);
    found.unwrap_or_else(|| panic!("the child never did {call:?}: {calls:#?}"))
}

#[test]
fn the_system_calls_of_a_pack_sync_before_they_promise() {
    let Some(calls) = traced("child_that_packs") else {
        eprintln!("not checked: this machine cannot trace system calls");
        return;
    };
    let sealed = position(&calls, "create sealed");
    assert!(
        calls[..sealed].contains(&"sync store.db-wal".to_owned()),
        "{calls:#?}"
    );
    let database = calls[..sealed]
        .iter()
        .rposition(|call| call == "sync store.db");
    assert!(
        database.is_some(),
        "sealed without a sync of the database: {calls:#?}"
    );
    let synced = position(&calls, "sync out.bsa.tmp");
    let renamed = position(&calls, "rename out.bsa");
    assert!(sealed < synced && synced < renamed, "{calls:#?}");
    assert!(
        calls[renamed..].contains(&"sync DIR".to_owned()),
        "{calls:#?}"
    );
}

#[test]
fn the_system_calls_of_a_pack_of_segments_sync_before_they_promise() {
    let Some(calls) = traced("child_that_packs_segments") else {
        eprintln!("not checked: this machine cannot trace system calls");
        return;
    };
    let sealed = position(&calls, "create sealed");
    let last = |call: &str| {
        calls[..sealed]
            .iter()
            .rposition(|other| other.as_str() == call)
    };
    let is_segment = |call: &&String| call.starts_with("sync ") && call.ends_with(".seg");
    assert!(
        calls[..sealed].iter().any(|call| is_segment(&call)),
        "{calls:#?}"
    );
    // The manifest that names the segment, then the log that has the mark.
    let manifest = last("sync MANIFEST.tmp").expect("a synced manifest");
    let named = last("rename MANIFEST").expect("a manifest in place");
    let entry = last("sync work").expect("a synced directory");
    let log = last("sync log").expect("a synced log");
    assert!(
        manifest < named && named < entry && entry < log,
        "{calls:#?}"
    );
    let synced = position(&calls, "sync out.bsa.tmp");
    let renamed = position(&calls, "rename out.bsa");
    assert!(sealed < synced && synced < renamed, "{calls:#?}");
    assert!(
        calls[renamed..].contains(&"sync DIR".to_owned()),
        "{calls:#?}"
    );
}

#[test]
fn invariant_03_the_system_calls_of_a_synced_heartbeat_sync_before_the_acknowledgement() {
    let Some(calls) = traced("child_that_acknowledges") else {
        eprintln!("not checked: this machine cannot trace system calls");
        return;
    };
    let mut from = 0;
    for i in 0..5 {
        let acknowledged = position(&calls, &format!("create acknowledged-{i}"));
        let syncs = &calls[from..acknowledged];
        assert!(
            syncs.contains(&"sync events.db-wal".to_owned()),
            "number {i} was not synced: {calls:#?}"
        );
        from = acknowledged;
    }
}

#[test]
fn an_unclosed_event_log_keeps_what_it_acknowledged_as_committed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let log = EventLog::open(&path).unwrap();
    let beat = Event {
        start_ns: 1,
        duration_ns: 0,
        data: "x".to_owned(),
    };
    log.heartbeat("b", beat, 1, Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    assert_eq!(
        (
            reader.count(EVENTS).unwrap(),
            reader.count(BUCKETS).unwrap()
        ),
        (1, 1)
    );
}
