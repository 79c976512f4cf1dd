//! The `SQLite` engine against the reference model: the same operations give
//! the same state, pages and errors.

use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, SESSIONS, StoredGrant};
use batch_store::keys::KeyBuilder;
use batch_store::{
    Cursor, Durability, Engine, Error, MemoryEngine, Record, SqliteEngine, Table, WriteBatch,
};
use proptest::prelude::*;

use crate::support::{all_pages, cases, check_indexes, rows, some_grants};

#[derive(Debug, Clone)]
enum Step {
    Put(Grant),
    Delete(String),
    Commit,
}

fn grant() -> impl Strategy<Value = Grant> {
    (0..12_u8, 0..4_u8, 0..4_u8, any::<i64>(), any::<bool>()).prop_map(
        |(id, entitlement, user, at, expands)| {
            let mut grant = Grant::new(
                &format!("g{id}"),
                &format!("e{entitlement}"),
                &format!("u{user}"),
            );
            grant.discovered_at_ns = at;
            grant.needs_expansion = expands;
            grant
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => grant().prop_map(Step::Put),
        2 => (0..12_u8).prop_map(|id| Step::Delete(format!("g{id}"))),
        1 => Just(Step::Commit),
    ]
}

fn apply(engine: &mut dyn Engine, steps: &[Step], commit_each: bool) {
    let table = Table::<StoredGrant>::new();
    let mut batch = WriteBatch::new();
    for step in steps {
        match step {
            Step::Put(grant) => {
                let record = StoredGrant {
                    sync_id: "s".to_owned(),
                    grant: grant.clone(),
                };
                table.stage_put(engine, &mut batch, &record).unwrap();
            }
            Step::Delete(id) => {
                let key = KeyBuilder::new().str("s").str(id).finish();
                table.stage_delete(engine, &mut batch, &key).unwrap();
            }
            Step::Commit => {}
        }
        if commit_each || matches!(step, Step::Commit) {
            engine
                .commit(&std::mem::take(&mut batch), Durability::Checkpoint)
                .unwrap();
        }
    }
    engine.commit(&batch, Durability::EachCommit).unwrap();
}

fn sqlite(dir: &std::path::Path) -> SqliteEngine {
    let families = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, SESSIONS];
    SqliteEngine::open(&dir.join("store.db"), &families, Durability::EachCommit).unwrap()
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn any_steps_leave_what_the_model_has_and_the_indexes_of_the_rows(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut model, mut singly, mut sqlite) = (MemoryEngine::new(), MemoryEngine::new(), sqlite(dir.path()));
        apply(&mut model, &steps, false);
        apply(&mut singly, &steps, true);
        apply(&mut sqlite, &steps, false);
        for family in [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL] {
            let expected = rows(&model, family);
            prop_assert_eq!(&rows(&sqlite, family), &expected);
            prop_assert_eq!(&rows(&singly, family), &expected);
            prop_assert_eq!(sqlite.count(family).unwrap(), expected.len() as u64);
        }
        check_indexes(&sqlite);
    }

    #[test]
    fn pages_of_any_size_concatenate_to_the_full_scan(n in 0..90_usize, limit in 1..40_usize) {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = sqlite(dir.path());
        let steps: Vec<Step> = some_grants(n).into_iter().map(Step::Put).collect();
        apply(&mut engine, &steps, false);
        let prefix = KeyBuilder::new().str("s").finish();
        let table = Table::<StoredGrant>::new();
        let (full, _) = all_pages(|cursor| table.list(&engine, &prefix, cursor, 0));
        let (found, pages) = all_pages(|cursor| table.list(&engine, &prefix, cursor, limit));
        prop_assert_eq!(full.len(), n);
        prop_assert_eq!(found, full);
        prop_assert_eq!(pages, n / limit + 1);
        for index in 0..2 {
            let (mut found, _) = all_pages(|cursor| table.list_by(&engine, index, &prefix, cursor, limit));
            found.sort_by(|a, b| a.grant.cmp(&b.grant));
            prop_assert_eq!(found.len(), n);
        }
    }
}

#[test]
fn the_state_survives_closing_and_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = sqlite(dir.path());
    apply(
        &mut engine,
        &some_grants(50)
            .into_iter()
            .map(Step::Put)
            .collect::<Vec<_>>(),
        false,
    );
    let before = rows(&engine, BY_PRINCIPAL);
    engine.close().unwrap();
    let engine = sqlite(dir.path());
    assert_eq!(rows(&engine, BY_PRINCIPAL), before);
    check_indexes(&engine);
}

#[test]
fn a_cursor_of_another_list_or_of_nobody_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = sqlite(dir.path());
    apply(
        &mut engine,
        &some_grants(9)
            .into_iter()
            .map(Step::Put)
            .collect::<Vec<_>>(),
        false,
    );
    let table = Table::<StoredGrant>::new();
    let prefix = KeyBuilder::new().str("s").finish();
    let cursor = table.list(&engine, &prefix, None, 3).unwrap().next.unwrap();
    let check = |outcome: batch_store::Result<batch_store::Page<StoredGrant>>| {
        assert!(
            matches!(outcome, Err(Error::InvalidCursor(_))),
            "{outcome:?}"
        );
    };
    check(table.list_by(&engine, 0, &prefix, Some(&cursor), 3));
    check(table.list(
        &engine,
        &KeyBuilder::new().str("t").finish(),
        Some(&cursor),
        3,
    ));
    for text in [
        "",
        "grants",
        "grants.zz",
        "grants.0",
        "other.00",
        "grants.\u{e9}",
    ] {
        check(table.list(&engine, &prefix, Some(&Cursor::parse(text)), 3));
    }
}

#[test]
fn a_reader_creates_nothing_and_needs_a_database() {
    let dir = tempfile::tempdir().unwrap();
    assert!(SqliteEngine::open_read_only(&dir.path().join("none.db")).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_stored_record_that_is_no_record_is_an_error_and_not_a_row() {
    assert!(matches!(
        StoredGrant::decode(b"", b"\x05ab"),
        Err(Error::Decode { .. })
    ));
    let whole = StoredGrant {
        sync_id: "s".to_owned(),
        grant: Grant::new("g", "e", "u"),
    }
    .encode()
    .unwrap();
    for len in 0..whole.len() {
        assert!(StoredGrant::decode(b"", &whole[..len]).is_err(), "{len}");
    }
}
