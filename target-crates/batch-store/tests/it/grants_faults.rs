//! The session when the engine fails, and when several threads write.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use batch_store::grants::{
    DurableEvery, Grant, GrantCounts, GrantReader, GrantSession, SessionOptions,
};
use batch_store::{Durability, Engine, EngineKind, Error, MemoryEngine};

use crate::hooked::{Call, FAMILIES, Hooked, When, failing, fault, shared};
use crate::support::{all_pages, check_indexes, check_session, rows, some_grants};

const ROWS: fn(usize) -> DurableEvery = |n| DurableEvery::Rows(NonZeroUsize::new(n).unwrap());

fn memory() -> Arc<Mutex<dyn Engine>> {
    Arc::new(Mutex::new(MemoryEngine::new()))
}

/// A session in memory whose calls the test notes.
fn noted(durable: DurableEvery) -> (GrantSession, Arc<Mutex<Vec<Call>>>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let engine = Hooked::new(memory(), move |call, when| {
        if when == When::Before {
            seen.lock().unwrap().push(call);
        }
        Ok(())
    });
    let dir = std::path::Path::new("unused");
    let session = GrantSession::start_on(engine, dir, "s", durable).unwrap();
    calls.lock().unwrap().clear();
    (session, calls)
}

fn reads(calls: &Mutex<Vec<Call>>) -> usize {
    let mut calls = calls.lock().unwrap();
    let reads = calls.iter().filter(|call| **call == Call::Read).count();
    calls.clear();
    reads
}

fn check_counts(session: &GrantSession) {
    let counts = session.counts().unwrap();
    let [grants, by_entitlement, by_principal] = [0, 1, 2].map(|at| {
        let count = session.read(|engine| engine.count(FAMILIES[at]));
        count.unwrap()
    });
    let counted = GrantCounts {
        grants,
        by_entitlement,
        by_principal,
    };
    assert_eq!(counts, counted);
    check_session(session);
}

#[test]
fn invariant_23_the_skip_read_path_is_used_at_most_once_and_only_for_the_first_put() {
    let (mut session, calls) = noted(DurableEvery::Session);
    session.put_grants(&[]).unwrap();
    session.put_grants(&some_grants(100)).unwrap();
    assert_eq!(reads(&calls), 0, "the first put reads nothing");
    for grants in [100, 200, 0, 1] {
        session.put_grants(&some_grants(grants)).unwrap();
        assert_eq!(reads(&calls) > 0, grants > 0, "a later put of {grants}");
    }
    // The first call of a session is one part or several: only the first part is first.
    let (mut session, calls) = noted(ROWS(10));
    session.put_grants(&some_grants(30)).unwrap();
    assert_eq!(reads(&calls), 2);
}

#[test]
fn invariant_23_a_resumed_session_reads_before_it_writes() {
    for kind in EngineKind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let options = SessionOptions {
            engine: kind,
            ..SessionOptions::default()
        };
        drop(GrantSession::start_with(dir.path(), "s", options).unwrap());
        let reads = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&reads);
        let engine = Hooked::new(shared(kind, dir.path()), move |call, when| {
            seen.fetch_add(
                usize::from(call == Call::Read && when == When::Before),
                Ordering::SeqCst,
            );
            Ok(())
        });
        let mut session =
            GrantSession::resume_on(engine, dir.path(), DurableEvery::Session).unwrap();
        let before = reads.load(Ordering::SeqCst);
        session.put_grants(&some_grants(10)).unwrap();
        assert!(reads.load(Ordering::SeqCst) > before);
    }
}

#[test]
fn invariant_23_after_a_failed_or_partial_first_put_the_indexes_follow() {
    // Step 1 is the session's row, step 2 the first put.
    for when in [When::Before, When::After] {
        for durable in [DurableEvery::Session, DurableEvery::Call, ROWS(150)] {
            for number in 2..5 {
                let engine = Hooked::new(memory(), failing(number, when));
                let dir = std::path::Path::new("unused");
                let mut session = GrantSession::start_on(engine, dir, "s", durable).unwrap();
                let first = session.put_grants(&some_grants(400));
                let is_one_step = !matches!(durable, DurableEvery::Rows(_));
                assert_eq!(
                    first.is_err(),
                    number == 2 || !is_one_step,
                    "{number} {durable:?}"
                );
                check_counts(&session);
                let mut moved = some_grants(300);
                for grant in &mut moved {
                    grant.principal.resource.push_str("-moved");
                    grant.entitlement.entitlement.push_str("-moved");
                }
                // One of the next steps may be the one that fails.
                while session.put_grants(&moved).is_err() {}
                check_counts(&session);
                let (all, _) = all_pages(|cursor| session.list(cursor, 0));
                assert_eq!(all[..300], moved, "{number} {when:?} {durable:?}");
            }
        }
    }
}

#[test]
fn invariant_31_the_counters_equal_a_recount_after_every_success_failure_and_reopen() {
    for kind in EngineKind::ALL {
        for when in [When::Before, When::After] {
            for number in 2..8 {
                let dir = tempfile::tempdir().unwrap();
                let engine = Hooked::new(shared(kind, dir.path()), failing(number, when));
                let mut session =
                    GrantSession::start_on(engine, dir.path(), "s", DurableEvery::Session).unwrap();
                let grants = some_grants(120);
                let ids: Vec<&str> = grants
                    .iter()
                    .step_by(3)
                    .map(|grant| grant.id.as_str())
                    .collect();
                let mut failures = 0;
                for _ in 0..2 {
                    failures += usize::from(session.put_grants(&grants[..80]).is_err());
                    check_counts(&session);
                    failures += usize::from(session.delete_grants(&ids).is_err());
                    check_counts(&session);
                    failures += usize::from(session.put_grants(&grants[40..]).is_err());
                    check_counts(&session);
                    failures += usize::from(session.put_if_newer(&grants).is_err());
                    check_counts(&session);
                }
                assert_eq!(failures, 1, "{kind:?} {when:?} {number}");
                drop(session);
                check_counts(&GrantSession::resume(dir.path()).unwrap());
            }
        }
    }
}

#[test]
fn invariant_28_a_call_in_parts_is_dirty_although_a_later_part_fails() {
    for when in [When::Before, When::After] {
        let syncs = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&syncs);
        let mut fail = failing(4, when);
        let engine = Hooked::new(memory(), move |call, now| {
            seen.fetch_add(
                usize::from(call == Call::Sync && now == When::After),
                Ordering::SeqCst,
            );
            fail(call, now)
        });
        let dir = std::path::Path::new("unused");
        let mut session = GrantSession::start_on(engine, dir, "s", ROWS(10)).unwrap();
        session.put_grants(&some_grants(10)).unwrap();
        assert!(!session.writer().is_dirty().unwrap(), "each part is synced");
        let ids: Vec<String> = some_grants(10).into_iter().map(|grant| grant.id).collect();
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let missing: Vec<String> = (0..10).map(|i| format!("missing-{i}")).collect();
        ids.extend(missing.iter().map(String::as_str));
        // Parts: two deletes (steps 3 and 4) with one of missing ids between.
        let mut parts = ids[..5].to_vec();
        parts.extend(&ids[10..]);
        parts.extend(&ids[5..10]);
        assert!(session.delete_grants(&parts).is_err());
        assert!(session.writer().is_dirty().unwrap());
        check_counts(&session);
        let stored = session.counts().unwrap().grants;
        assert_eq!(stored, if when == When::Before { 5 } else { 0 });
        drop(session.end().unwrap());
        assert_eq!(syncs.load(Ordering::SeqCst), 2, "the parts, then the mark");
    }
}

#[test]
fn invariant_28_the_seal_is_asked_about_before_every_part() {
    // The first part of a call waits at the engine while the session is sealed.
    let (at_engine, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (reached, resumed) = (Arc::clone(&at_engine), Arc::clone(&go_on));
    let mut ingests = 0;
    let engine = Hooked::new(memory(), move |call, when| {
        ingests += usize::from(matches!(call, Call::Ingest(_)) && when == When::Before);
        if matches!(call, Call::Ingest(_)) && when == When::Before && ingests == 1 {
            reached.wait();
            resumed.wait();
        }
        Ok(())
    });
    let dir = std::path::Path::new("unused");
    let session = GrantSession::start_on(engine, dir, "s", ROWS(100)).unwrap();
    let writer = session.writer();
    let put = std::thread::spawn(move || writer.put_grants(&some_grants(300)));
    at_engine.wait();
    let seal = std::thread::spawn(move || session.end());
    go_on.wait();
    let sealed = seal.join().unwrap().unwrap();
    let outcome = put.join().unwrap();
    // However many parts came before the seal, each is whole; the rest is refused.
    let stored = sealed.engine().count(FAMILIES[0]).unwrap();
    assert!(stored % 100 == 0 && stored >= 100, "{stored}");
    assert_eq!(outcome.is_ok(), stored == 300, "{outcome:?}");
    check_indexes(sealed.engine());
}

#[test]
fn invariant_29_a_write_is_in_the_sealed_archive_with_its_indexes_or_refused() {
    for kind in EngineKind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let options = SessionOptions {
            engine: kind,
            ..SessionOptions::default()
        };
        let work = dir.path().join("work");
        let session = GrantSession::start_with(&work, "s", options).unwrap();
        let accepted = AtomicUsize::new(0);
        let (stored, sealed) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (writer, accepted) = (session.writer(), &accepted);
                    scope.spawn(move || {
                        let mut stored: Vec<String> = Vec::new();
                        for call in 0.. {
                            let grant = |i| Grant::new(&format!("{thread}-{call}-{i}"), "e", "u");
                            let grants: Vec<Grant> = (0..3).map(grant).collect();
                            match writer.put_grants(&grants) {
                                Ok(_) => {
                                    stored.extend(grants.into_iter().map(|grant| grant.id));
                                    accepted.fetch_add(1, Ordering::SeqCst);
                                }
                                Err(Error::State { .. }) => break,
                                Err(other) => panic!("{other}"),
                            }
                        }
                        assert!(writer.delete_grants(&["0-0-0"]).is_err());
                        assert!(writer.counts().is_err());
                        stored
                    })
                })
                .collect();
            while accepted.load(Ordering::SeqCst) < 20 {
                std::thread::yield_now();
            }
            let sealed = session.end().unwrap();
            let stored = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap());
            let mut stored: Vec<String> = stored.collect();
            stored.sort();
            (stored, sealed)
        });
        let mut sealed = sealed;
        let archive = dir.path().join("out.bsa");
        sealed.pack(&archive).unwrap();
        let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
        let (found, _) = all_pages(|cursor| reader.list(cursor, 0));
        let found: Vec<String> = found.into_iter().map(|grant| grant.id).collect();
        assert_eq!(found, stored, "{kind:?}");
        check_indexes(reader.engine());
    }
}

#[test]
fn a_dropped_session_lets_go_of_its_store_and_refuses_its_writers() {
    let dir = tempfile::tempdir().unwrap();
    let session = GrantSession::start(dir.path(), "s").unwrap();
    let writer = session.writer();
    drop(session);
    assert!(matches!(
        writer.put_grants(&some_grants(1)),
        Err(Error::State { .. })
    ));
    GrantSession::resume(dir.path()).unwrap();
}

#[test]
fn invariant_20_a_finish_that_failed_is_repeated() {
    // Steps: the row, the put, then sync, mark, sync.
    for number in 3..6 {
        for when in [When::Before, When::After] {
            let dir = tempfile::tempdir().unwrap();
            let kind = EngineKind::default();
            let engine = Hooked::new(shared(kind, dir.path()), failing(number, when));
            let mut session =
                GrantSession::start_on(engine, dir.path(), "s", DurableEvery::Session).unwrap();
            session.put_grants(&some_grants(50)).unwrap();
            let mut sealed = session.seal().unwrap();
            assert!(sealed.finish().is_err(), "{number} {when:?}");
            assert!(!sealed.is_finished());
            sealed.finish().unwrap();
            let reader = sealed.into_reader().unwrap();
            assert_eq!(
                all_pages(|cursor| reader.list(cursor, 0)).0,
                some_grants(50)
            );
        }
    }
}

#[test]
fn a_fresh_session_syncs_at_its_end_and_a_resumed_one_with_every_call() {
    let (mut session, calls) = noted(DurableEvery::Session);
    session.put_grants(&some_grants(3000)).unwrap();
    session.put_grants(&some_grants(10)).unwrap();
    let before: Vec<Call> = std::mem::take(&mut *calls.lock().unwrap());
    assert!(
        before.contains(&Call::Ingest(Durability::Checkpoint)),
        "{before:?}"
    );
    let is_synced = |call: &Call| match call {
        Call::Commit(durability) | Call::Ingest(durability) => {
            *durability == Durability::EachCommit
        }
        other => *other == Call::Sync,
    };
    assert!(!before.iter().any(is_synced), "{before:?}");
    session.end().unwrap();
    let end = calls.lock().unwrap().clone();
    let first = end.iter().position(|call| *call == Call::Sync);
    let mark = end.iter().position(|call| matches!(call, Call::Commit(_)));
    assert!(first < mark && end.last() == Some(&Call::Sync), "{end:?}");

    let (mut session, calls) = noted(DurableEvery::Call);
    session.put_grants(&some_grants(10)).unwrap();
    assert_eq!(
        *calls.lock().unwrap(),
        [Call::Ingest(Durability::EachCommit)]
    );

    let (mut session, calls) = noted(ROWS(256));
    session.put_grants(&some_grants(1000)).unwrap();
    let calls = calls.lock().unwrap();
    let synced = calls.iter().filter(|call| is_synced(call)).count();
    assert_eq!(synced, 4, "{calls:?}");
}

#[test]
fn an_engine_that_fails_to_read_fails_the_put_and_changes_nothing() {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = Arc::clone(&fails);
    let engine = Hooked::new(memory(), move |call, _| {
        if call == Call::Read && now.load(Ordering::SeqCst) {
            Err(fault())
        } else {
            Ok(())
        }
    });
    let dir = std::path::Path::new("unused");
    let mut session = GrantSession::start_on(engine, dir, "s", DurableEvery::Session).unwrap();
    session.put_grants(&some_grants(10)).unwrap();
    fails.store(true, Ordering::SeqCst);
    assert!(session.put_grants(&some_grants(20)).is_err());
    assert!(session.put_if_newer(&some_grants(20)).is_err());
    assert!(session.delete_grants(&["g-00001"]).is_err());
    fails.store(false, Ordering::SeqCst);
    let stored = session.read(|engine| Ok(rows(engine, FAMILIES[0]).len()));
    assert_eq!(stored.unwrap(), 10);
    check_counts(&session);
}
