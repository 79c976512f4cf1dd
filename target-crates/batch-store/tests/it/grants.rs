//! The bulk session: last wins, indexes follow, and only a finished one is read.

use std::collections::BTreeMap;

use batch_store::Error;
use batch_store::grants::{Grant, GrantReader, GrantSession};
use proptest::prelude::*;

use crate::support::{all_pages, cases, check_indexes, some_grants};

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
        session.read(|engine| { check_indexes(engine); Ok(()) }).unwrap();

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
