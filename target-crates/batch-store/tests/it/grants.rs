//! The bulk session: last wins, indexes follow, and only a finished one is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use batch_store::grants::{
    DurableEvery, Grant, GrantReader, GrantSession, PutReport, SessionOptions,
};
use batch_store::{Cursor, EngineKind, Error, MemoryEngine};
use proptest::prelude::*;

use crate::hooked::FAMILIES;
use crate::support::{all_pages, cases, check_indexes, check_session, rows, some_grants};

fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let grant = (0..300_u16, 0..5_u8, 0..9_u8);
    let grant = grant.prop_map(|(id, entitlement, user)| {
        Grant::new(
            &format!("g{id:03}"),
            &format!("e{entitlement}"),
            &format!("u{user}"),
        )
    });
    proptest::collection::vec(grant, 0..600)
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn of_equal_ids_the_last_wins_within_a_call_and_across_calls(
        first in grants(), second in grants(), deleted in proptest::collection::vec(0..300_u16, 0..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut session = GrantSession::start(&dir.path().join("work"), "s").unwrap();
        let mut model = BTreeMap::new();
        session.put_grants(&first).unwrap();
        model.extend(first.iter().map(|grant| (grant.id.clone(), grant.clone())));
        let ids: Vec<String> = deleted.iter().map(|id| format!("g{id:03}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let existing = ids.iter().filter(|id| model.remove(**id).is_some()).count();
        prop_assert_eq!(session.delete_grants(&ids).unwrap(), existing);
        session.put_grants(&second).unwrap();
        model.extend(second.iter().map(|grant| (grant.id.clone(), grant.clone())));
        check_session(&session);

        let mut sealed = session.end().unwrap();
        let archive = dir.path().join("out.bsa");
        sealed.pack(&archive).unwrap();
        sealed.close().unwrap();
        let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
        check_indexes(reader.engine());
        let expected: Vec<Grant> = model.into_values().collect();
        prop_assert_eq!(&all_pages(|cursor| reader.list(cursor, 37)).0, &expected);
        for entitlement in 0..5 {
            let name = format!("e{entitlement}");
            let (found, _) = all_pages(|cursor| reader.list_by_entitlement(&name, cursor, 10));
            let wanted = expected.iter().filter(|grant| grant.entitlement.entitlement == name).count();
            prop_assert!(found.iter().all(|grant| grant.entitlement.entitlement == name));
            prop_assert_eq!(found.len(), wanted);
        }
        for user in 0..9 {
            let name = format!("u{user}");
            let (found, _) = all_pages(|cursor| reader.list_by_principal("user", &name, cursor, 10));
            let wanted: Vec<Grant> =
                expected.iter().filter(|grant| grant.principal.resource == name).cloned().collect();
            prop_assert_eq!(found, wanted);
        }
    }
}

#[test]
fn how_the_grants_are_cut_into_calls_does_not_change_the_archive_contents() {
    let grants = some_grants(1025);
    let mut states = Vec::new();
    for size in [1, 255, 256, 257, 1025] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = GrantSession::start(dir.path(), "s").unwrap();
        grants.chunks(size).for_each(|chunk| {
            session.put_grants(chunk).unwrap();
        });
        let reader = session.end().unwrap().into_reader().unwrap();
        check_indexes(reader.engine());
        states.push(all_pages(|cursor| reader.list(cursor, 0)).0);
    }
    assert!(states.iter().all(|state| *state == grants));
}

#[test]
fn an_unfinished_session_is_not_read_but_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = GrantSession::start(dir.path(), "s").unwrap();
    session.put_grants(&some_grants(300)).unwrap();
    drop(session);
    assert!(matches!(
        GrantReader::open(dir.path()),
        Err(Error::State { .. })
    ));
    assert!(matches!(
        GrantSession::start(dir.path(), "t"),
        Err(Error::State { .. })
    ));
    let mut session = GrantSession::resume(dir.path()).unwrap();
    session.put_grants(&some_grants(400)).unwrap();
    let reader = session.end().unwrap().into_reader().unwrap();
    assert_eq!(reader.sync_id(), "s");
    assert_eq!(reader.counts().unwrap().by_principal, 400);
    assert!(matches!(
        GrantSession::resume(dir.path()),
        Err(Error::State { .. })
    ));
}

#[test]
fn there_is_no_session_to_resume_in_an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        GrantSession::resume(dir.path()),
        Err(Error::State { .. })
    ));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_call_and_an_empty_session_are_fine() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = GrantSession::start(dir.path(), "s").unwrap();
    assert_eq!(session.put_grants(&[]).unwrap().grants, 0);
    let sealed = session.end().unwrap();
    assert_eq!(
        sealed.engine().count(batch_store::grants::GRANTS).unwrap(),
        0
    );
    assert_eq!(
        sealed.into_reader().unwrap().list(None, 0).unwrap().rows,
        []
    );
}

#[test]
fn names_with_separators_and_zero_bytes_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = GrantSession::start(dir.path(), "s").unwrap();
    let names = ["", "\0", "\u{1}", "a", "a\0", "a\0b", "a\u{1}", "é", "zz"];
    let grants: Vec<Grant> = names
        .iter()
        .flat_map(|id| {
            names
                .iter()
                .map(move |other| Grant::new(&format!("{id}|{other}"), id, other))
        })
        .collect();
    session.put_grants(&grants).unwrap();
    let reader = session.end().unwrap().into_reader().unwrap();
    check_indexes(reader.engine());
    for name in names {
        assert_eq!(
            reader
                .list_by_entitlement(name, None, 0)
                .unwrap()
                .rows
                .len(),
            names.len(),
            "{name:?}"
        );
        assert_eq!(
            reader
                .list_by_principal("user", name, None, 0)
                .unwrap()
                .rows
                .len(),
            names.len(),
            "{name:?}"
        );
    }
}

/// Sessions on every engine that take the same calls.
fn everywhere(dir: &Path) -> Vec<GrantSession> {
    let mut sessions: Vec<GrantSession> = EngineKind::ALL
        .into_iter()
        .map(|engine| {
            let options = SessionOptions {
                engine,
                ..SessionOptions::default()
            };
            GrantSession::start_with(&dir.join(engine.name()), "s", options).unwrap()
        })
        .collect();
    let engine = Box::new(MemoryEngine::new());
    let durable = DurableEvery::Session;
    sessions.push(GrantSession::start_on(engine, &dir.join("memory"), "s", durable).unwrap());
    sessions
}

#[derive(Debug, Clone)]
enum Call {
    Put(Vec<Grant>),
    PutIfNewer(Vec<Grant>),
    Delete(Vec<String>),
}

fn timed_grant() -> impl Strategy<Value = Grant> {
    (0..60_u8, 0..4_u8, 0..4_u8, -3..4_i64).prop_map(|(id, entitlement, user, at)| {
        let mut grant = Grant::new(
            &format!("g{id:02}"),
            &format!("e{entitlement}"),
            &format!("u{user}"),
        );
        grant.discovered_at_ns = at;
        grant
    })
}

fn call() -> impl Strategy<Value = Call> {
    let grants = || proptest::collection::vec(timed_grant(), 0..90);
    let ids = proptest::collection::vec((0..60_u8).prop_map(|id| format!("g{id:02}")), 0..40);
    prop_oneof![
        2 => grants().prop_map(Call::Put),
        2 => grants().prop_map(Call::PutIfNewer),
        1 => ids.prop_map(Call::Delete),
    ]
}

/// What a call does to a map, and how many grants it stored or removed.
fn model_call(model: &mut BTreeMap<String, Grant>, call: &Call) -> usize {
    match call {
        Call::Put(grants) => {
            let ids: BTreeSet<&str> = grants.iter().map(|grant| grant.id.as_str()).collect();
            model.extend(grants.iter().map(|grant| (grant.id.clone(), grant.clone())));
            ids.len()
        }
        Call::PutIfNewer(grants) => {
            let mut changed = BTreeSet::new();
            for grant in grants {
                let is_newer = |old: &Grant| grant.discovered_at_ns > old.discovered_at_ns;
                if model.get(&grant.id).is_none_or(is_newer) {
                    model.insert(grant.id.clone(), grant.clone());
                    changed.insert(&grant.id);
                }
            }
            changed.len()
        }
        Call::Delete(ids) => ids.iter().filter(|id| model.remove(*id).is_some()).count(),
    }
}

fn session_call(session: &mut GrantSession, call: &Call) -> usize {
    let changed = |report: PutReport| report.inserted + report.replaced;
    match call {
        Call::Put(grants) => changed(session.put_grants(grants).unwrap()),
        Call::PutIfNewer(grants) => changed(session.put_if_newer(grants).unwrap()),
        Call::Delete(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            session.delete_grants(&ids).unwrap()
        }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn invariants_21_27_and_31_sessions_on_every_engine_are_the_same_packed_and_unpacked(
        calls in proptest::collection::vec(call(), 0..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut model = BTreeMap::new();
        let mut sessions = everywhere(dir.path());
        for call in &calls {
            let changed = model_call(&mut model, call);
            for session in &mut sessions {
                prop_assert_eq!(session_call(session, call), changed);
                prop_assert_eq!(session.counts().unwrap().grants, model.len() as u64);
            }
        }
        let expected: Vec<Grant> = model.into_values().collect();
        for session in &sessions {
            check_session(session);
            prop_assert_eq!(&all_pages(|cursor| session.list(cursor, 7)).0, &expected);
        }
        let memory = sessions.pop().unwrap();
        let mut of_memory = Vec::new();
        memory.read(|engine| { of_memory = FAMILIES.map(|family| rows(engine, family)).to_vec(); Ok(()) }).unwrap();
        for (session, kind) in sessions.into_iter().zip(EngineKind::ALL) {
            let archive = dir.path().join(format!("{}.bsa", kind.name()));
            session.end().unwrap().pack(&archive).unwrap();
            let reader = GrantReader::unpack(&archive, &dir.path().join(format!("{}-read", kind.name()))).unwrap();
            for (family, expected) in FAMILIES.iter().zip(&of_memory).take(3) {
                prop_assert_eq!(&rows(reader.engine(), *family), expected);
            }
            prop_assert_eq!(reader.counts().unwrap().by_entitlement, expected.len() as u64);
        }
    }

    #[test]
    fn invariant_26_pages_have_every_grant_once_while_others_are_only_added(
        first in proptest::collection::btree_set(0..500_u16, 0..150),
        added in proptest::collection::vec(proptest::collection::vec(0..500_u16, 0..30), 0..30),
        limit in 1..40_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let grant = |id: u16| Grant::new(&format!("g{id:03}"), "e", &format!("u{}", id % 5));
        for mut session in everywhere(dir.path()) {
            session.put_grants(&first.iter().map(|id| grant(*id)).collect::<Vec<_>>()).unwrap();
            let mut additions = added.iter();
            let (mut by_id, mut by_entitlement) = (Vec::new(), Vec::new());
            let (mut cursors, mut done) = ((None, None), (false, false));
            while done != (true, true) {
                if !done.0 {
                    let page = session.list(cursors.0.as_ref(), limit).unwrap();
                    by_id.extend(page.rows);
                    done.0 = page.next.is_none();
                    cursors.0 = page.next;
                }
                if !done.1 {
                    let page = session.list_by_entitlement("e", cursors.1.as_ref(), limit).unwrap();
                    by_entitlement.extend(page.rows);
                    done.1 = page.next.is_none();
                    cursors.1 = page.next;
                }
                if let Some(ids) = additions.next() {
                    session.put_grants(&ids.iter().map(|id| grant(*id)).collect::<Vec<_>>()).unwrap();
                }
            }
            prop_assert!(by_id.is_sorted_by(|a, b| a.id < b.id));
            let place = |grant: &Grant| (grant.principal.resource.clone(), grant.id.clone());
            prop_assert!(by_entitlement.is_sorted_by(|a, b| place(a) < place(b)));
            for found in [by_id, by_entitlement] {
                let found: BTreeSet<String> = found.into_iter().map(|grant| grant.id).collect();
                prop_assert!(first.iter().all(|id| found.contains(&grant(*id).id)));
            }
        }
    }
}

#[test]
fn invariant_26_a_cursor_of_another_list_or_session_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mut session in everywhere(dir.path()) {
        session.put_grants(&some_grants(50)).unwrap();
        let cursor = session.list(None, 5).unwrap().next.unwrap();
        let other = session
            .list_by_entitlement("e-1", None, 2)
            .unwrap()
            .next
            .unwrap();
        let outcomes = [
            session.list(Some(&other), 5),
            session.list_by_entitlement("e-1", Some(&cursor), 5),
            session.list_by_entitlement("e-2", Some(&other), 5),
            session.list(Some(&Cursor::parse("grants.5")), 5),
            session.list(Some(&Cursor::parse("grants.00")), 5),
        ];
        for outcome in outcomes {
            assert!(
                matches!(outcome, Err(Error::InvalidCursor(_))),
                "{outcome:?}"
            );
        }
    }
}

#[test]
fn invariant_27_put_if_newer_neither_lowers_a_time_nor_writes_an_equal_one() {
    let dir = tempfile::tempdir().unwrap();
    let at = |ns: i64, user: &str| {
        let mut grant = Grant::new("g", "e", user);
        grant.discovered_at_ns = ns;
        grant
    };
    for mut session in everywhere(dir.path()) {
        let mut put = |grants: &[Grant], expected: &Grant| {
            let report = session.put_if_newer(grants).unwrap();
            let stored = session.list(None, 0).unwrap().rows;
            assert_eq!(stored, std::slice::from_ref(expected));
            report.commits
        };
        assert_eq!(
            put(
                &[at(5, "a"), at(7, "b"), at(7, "c"), at(6, "d")],
                &at(7, "b")
            ),
            1
        );
        assert_eq!(put(&[at(7, "x"), at(-9, "y")], &at(7, "b")), 0);
        assert_eq!(put(&[], &at(7, "b")), 0);
        assert_eq!(put(&[at(8, "z")], &at(8, "z")), 1);
    }
}

#[test]
fn a_directory_is_opened_with_the_engine_that_it_was_written_with() {
    let dir = tempfile::tempdir().unwrap();
    for (session, kind) in everywhere(dir.path()).into_iter().zip(EngineKind::ALL) {
        drop(session);
        let dir = dir.path().join(kind.name());
        assert_eq!(EngineKind::of(&dir).unwrap(), Some(kind));
        for engine in EngineKind::ALL {
            let options = SessionOptions {
                engine,
                ..SessionOptions::default()
            };
            let outcome = GrantSession::start_with(&dir, "t", options);
            assert!(matches!(outcome, Err(Error::State { .. })), "{outcome:?}");
        }
        let mut session = GrantSession::resume(&dir).unwrap();
        session.put_grants(&some_grants(3)).unwrap();
        assert_eq!(session.end().unwrap().into_reader().unwrap().sync_id(), "s");
    }
    let both = dir.path().join("both");
    std::fs::create_dir(&both).unwrap();
    for name in ["MANIFEST", "store.db"] {
        std::fs::write(both.join(name), "").unwrap();
    }
    assert!(matches!(GrantReader::open(&both), Err(Error::State { .. })));
    assert!(matches!(
        GrantSession::resume(&both),
        Err(Error::State { .. })
    ));
}
