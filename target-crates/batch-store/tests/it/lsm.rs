//! The log-structured merge tree: what it adds to the suite that every engine passes.

use std::process::Command;

use batch_store::events::EVENTS;
use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use batch_store::{Durability, Engine, Error, LsmEngine, Record, Table, WriteBatch};

use crate::support::{check_indexes, rows, some_grants};

fn put(engine: &mut LsmEngine, grants: &[Grant], durability: Durability) -> Result<(), Error> {
    let mut batch = WriteBatch::new();
    for grant in grants {
        let record = StoredGrant {
            sync_id: "s".to_owned(),
            grant: grant.clone(),
        };
        Table::new().stage_put(engine, &mut batch, &record)?;
    }
    engine.commit(&batch, durability).map(|_| ())
}

#[test]
fn the_later_of_two_changes_of_one_key_in_a_batch_wins() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = LsmEngine::open(&dir.path().join("t")).unwrap();
    let mut grants = some_grants(40);
    let mut moved = grants.clone();
    for grant in &mut moved {
        *grant = Grant::new(&grant.id, "elsewhere", "nobody");
    }
    // Put, moved and moved back: each index entry is written and deleted in one batch.
    grants.extend(moved);
    grants.extend(some_grants(20));
    put(&mut engine, &grants, Durability::EachCommit).unwrap();
    check_indexes(&engine);
    assert_eq!(engine.count(BY_PRINCIPAL).unwrap(), 40);
    assert_eq!(rows(&engine, BY_ENTITLEMENT).len(), 40);
}

#[test]
fn what_was_committed_without_a_sync_is_there_after_dropping_the_engine_and_after_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let mut engine = LsmEngine::open(&path).unwrap();
    put(&mut engine, &some_grants(300), Durability::Checkpoint).unwrap();
    drop(engine);
    let mut engine = LsmEngine::open(&path).unwrap();
    assert_eq!(engine.count(GRANTS).unwrap(), 300);
    put(&mut engine, &some_grants(301), Durability::Checkpoint).unwrap();
    engine.close().unwrap();
    engine.close().unwrap();
    assert!(matches!(engine.count(GRANTS), Err(Error::State { .. })));
    let engine = LsmEngine::open(&path).unwrap();
    assert_eq!(engine.count(GRANTS).unwrap(), 301);
    check_indexes(&engine);
}

#[test]
fn a_checkpoint_holds_the_rows_of_its_moment_also_over_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = LsmEngine::open(&dir.path().join("t")).unwrap();
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    put(&mut engine, &some_grants(50), Durability::Checkpoint).unwrap();
    engine.checkpoint(&copy).unwrap();
    let mut batch = WriteBatch::new();
    let gone = StoredGrant {
        sync_id: "s".to_owned(),
        grant: some_grants(1)[0].clone(),
    };
    Table::<StoredGrant>::new()
        .stage_delete(&engine, &mut batch, &gone.key())
        .unwrap();
    engine.commit(&batch, Durability::Checkpoint).unwrap();
    let names = engine.checkpoint(&copy).unwrap();
    assert!(
        names.iter().all(|name| copy.join(name).is_file()),
        "{names:?}"
    );
    put(&mut engine, &some_grants(60), Durability::Checkpoint).unwrap();

    let copied = LsmEngine::open(&copy.join(batch_store::engine::lsm::CHECKPOINT_DIR)).unwrap();
    assert_eq!(copied.count(GRANTS).unwrap(), 49);
    check_indexes(&copied);
}

#[test]
fn a_key_too_long_for_the_tree_is_refused_with_nothing_of_its_batch_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = LsmEngine::open(&dir.path().join("t")).unwrap();
    let long = Grant::new(&"x".repeat(70_000), "e", "u");
    let outcome = put(
        &mut engine,
        &[some_grants(1)[0].clone(), long],
        Durability::Checkpoint,
    );
    assert!(matches!(outcome, Err(Error::Encode { .. })), "{outcome:?}");
    assert_eq!(engine.count(GRANTS).unwrap(), 0);
    assert_eq!(engine.get(GRANTS, &[b'x'; 70_000]).unwrap(), None);
}

#[test]
fn a_second_engine_over_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let _first = LsmEngine::open(&path).unwrap();
    assert!(matches!(LsmEngine::open(&path), Err(Error::Lsm { .. })));
}

#[test]
fn invariant_3_a_killed_process_keeps_its_commits_and_loads_without_a_sync_or_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "lsm::child_that_commits_and_aborts", "--ignored"])
        .env("BATCH_STORE_TEST_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    assert!(!child.status().unwrap().success());
    let engine = LsmEngine::open(&dir.path().join("t")).unwrap();
    assert_eq!(engine.count(GRANTS).unwrap(), 600);
    check_indexes(&engine);
    let moved = rows(&engine, BY_PRINCIPAL);
    assert_eq!(moved.len(), 600);
}

#[test]
#[ignore = "a child of another test"]
fn child_that_commits_and_aborts() {
    let dir = std::path::PathBuf::from(std::env::var_os("BATCH_STORE_TEST_DIR").expect("a parent"));
    let mut engine = LsmEngine::open(&dir.join("t")).unwrap();
    put(&mut engine, &some_grants(200), Durability::Checkpoint).unwrap();
    let grants: Vec<_> = some_grants(500)[200..]
        .iter()
        .map(|grant| StoredGrant {
            sync_id: "s".to_owned(),
            grant: grant.clone(),
        })
        .collect();
    let load = Table::new().load(&grants).unwrap();
    engine.ingest(&load, Durability::Checkpoint).unwrap();
    // Rows of before and of the load, and new ones.
    put(
        &mut engine,
        &some_grants(600)[100..],
        Durability::Checkpoint,
    )
    .unwrap();
    std::process::abort();
}

#[test]
fn families_whose_names_start_alike_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = LsmEngine::open(&dir.path().join("t")).unwrap();
    put(&mut engine, &some_grants(5), Durability::Checkpoint).unwrap();
    assert_eq!(rows(&engine, GRANTS).len(), 5);
    assert_eq!(rows(&engine, EVENTS).len(), 0);
}
