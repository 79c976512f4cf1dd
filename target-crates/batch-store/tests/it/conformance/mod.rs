//! What every engine must do alike: the same operations leave the same rows,
//! pages, counts and indexes as the reference model. A new engine is one line in
//! `conformance!` below.

mod steps;

use std::path::Path;
use std::sync::Arc;

use batch_store::disk::RealDisk;
use batch_store::grants::{GRANTS, Grant, StoredGrant};
use batch_store::keys::KeyBuilder;
use batch_store::{
    Cursor, Durability, Engine, Error, MemoryEngine, Range, Record, SegmentEngine, SnapshotEngine,
    SqliteEngine, Table, WriteBatch,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::steps::{
    FAMILIES, Step, apply, check_same, durability, grant, key, range, raw, step, stored, tiny,
};
use crate::support::{RAW, Raw, all_pages, cases, check_indexes, rows, some_grants};

/// Opens the engine's store in a directory, a new one or the one that is there.
type Open = fn(&Path) -> Box<dyn Engine>;

macro_rules! conformance {
    ($($name:ident: $is_kept:literal, $open:expr;)*) => {$(
        mod $name {
            #[test]
            fn invariant_1_any_steps_leave_what_the_model_has() {
                super::any_steps_leave_what_the_model_has($open, $is_kept);
            }
            #[test]
            fn a_closed_engine_refuses_every_call() {
                super::a_closed_engine_refuses_every_call($open);
            }
            #[test]
            fn invariant_10_where_batches_are_cut_changes_nothing() {
                super::where_batches_are_cut_changes_nothing($open);
            }
            #[test]
            fn invariant_21_the_index_entries_are_those_of_the_rows() {
                super::the_index_entries_are_those_of_the_rows($open);
            }
            #[test]
            fn invariant_25_keys_come_back_as_they_were_in_the_order_of_their_bytes() {
                super::keys_come_back_as_they_were_in_the_order_of_their_bytes($open);
            }
            #[test]
            fn invariant_26_pages_concatenate_to_the_full_scan_while_rows_are_added() {
                super::pages_concatenate_to_the_full_scan_while_rows_are_added($open);
            }
            #[test]
            fn invariant_26_a_cursor_of_another_list_or_of_nobody_is_refused() {
                super::a_cursor_of_another_list_or_of_nobody_is_refused($open);
            }
        }
    )*};
}

conformance! {
    memory: false, |_| Box::new(super::MemoryEngine::new());
    sqlite: true, |dir| {
        let path = dir.join("store.db");
        Box::new(super::SqliteEngine::open(&path, &super::FAMILIES, super::Durability::EachCommit).unwrap())
    };
    segment: true, |dir| Box::new(super::SegmentEngine::open(&dir.join("store")).unwrap());
    segment_of_tiny_files: true, |dir| {
        let disk = super::Arc::new(super::RealDisk);
        Box::new(super::SegmentEngine::open_with(&dir.join("store"), super::tiny(), disk).unwrap())
    };
    snapshot: true, |dir| Box::new(super::SnapshotEngine::open(&dir.join("store.snap")).unwrap());
}

#[cfg(feature = "lsm")]
conformance! {
    lsm: true, |dir| Box::new(batch_store::LsmEngine::open(&dir.join("store")).unwrap());
}

// invariant 1: the state equals the model's after any operations.
// invariant 31: counts equal a recount, also after opening again.
fn any_steps_leave_what_the_model_has(open: Open, is_kept: bool) {
    let steps = prop::collection::vec(step(), 0..80);
    let ranges = prop::collection::vec((range(), 0..9_usize), 12);
    let mut runner = TestRunner::new(cases(64));
    let outcome = runner.run(&(steps, ranges), |(steps, ranges)| {
        let dir = tempfile::tempdir().unwrap();
        let mut model: Box<dyn Engine> = Box::new(MemoryEngine::new());
        let mut engine = open(dir.path());
        let (mut batch, mut of_model) = (WriteBatch::new(), WriteBatch::new());
        for step in &steps {
            if matches!(step, Step::Reopen) && is_kept {
                apply(
                    &mut engine,
                    &mut batch,
                    &Step::Commit(Durability::Checkpoint),
                );
                apply(
                    &mut model,
                    &mut of_model,
                    &Step::Commit(Durability::Checkpoint),
                );
                engine.close().unwrap();
                engine = open(dir.path());
                check_same(&*engine, &*model, &ranges);
            }
            apply(&mut engine, &mut batch, step);
            apply(&mut model, &mut of_model, step);
        }
        apply(
            &mut engine,
            &mut batch,
            &Step::Commit(Durability::EachCommit),
        );
        apply(
            &mut model,
            &mut of_model,
            &Step::Commit(Durability::EachCommit),
        );
        check_same(&*engine, &*model, &ranges);
        if is_kept {
            // Dropped without being closed: every commit is there all the same.
            drop(engine);
            check_same(&*open(dir.path()), &*model, &ranges);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn a_closed_engine_refuses_every_call(open: Open) {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    let mut batch = WriteBatch::new();
    for grant in some_grants(3) {
        apply(&mut engine, &mut batch, &Step::PutGrant(grant));
    }
    engine.commit(&batch, Durability::Checkpoint).unwrap();
    engine.close().unwrap();
    engine.close().unwrap();
    let mut batch = WriteBatch::new();
    let raw = Raw {
        key: b"k".to_vec(),
        value: b"v".to_vec(),
    };
    let mut other: Box<dyn Engine> = Box::new(MemoryEngine::new());
    apply(&mut other, &mut batch, &Step::Put(raw));
    if engine.commit(&batch, Durability::EachCommit).is_err() {
        assert!(engine.get(RAW, b"k").is_err());
        assert!(engine.scan(RAW, &Range::all(), 1).is_err());
        assert!(engine.count(RAW).is_err());
        assert!(engine.sync().is_err());
        let engine = open(dir.path());
        assert_eq!(engine.get(RAW, b"k").unwrap(), None);
        assert_eq!(engine.count(GRANTS).unwrap(), 3);
    }
}

// invariant 10: batch boundaries never change the final state.
fn where_batches_are_cut_changes_nothing(open: Open) {
    let changes = prop_oneof![
        4 => raw().prop_map(Step::Put),
        2 => key().prop_map(Step::Delete),
        3 => grant().prop_map(Step::PutGrant),
        1 => (0..12_u8).prop_map(|id| Step::DeleteGrant(format!("g{id}"))),
    ];
    let steps = prop::collection::vec(changes, 0..60);
    let mut runner = TestRunner::new(cases(32));
    let outcome = runner.run(&(steps, 1..40_usize), |(steps, size)| {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = open(dir.path());
        let mut whole: Box<dyn Engine> = Box::new(MemoryEngine::new());
        for chunk in steps.chunks(size) {
            let mut batch = WriteBatch::new();
            for step in chunk {
                apply(&mut engine, &mut batch, step);
            }
            engine.commit(&batch, Durability::Checkpoint).unwrap();
        }
        let mut batch = WriteBatch::new();
        for step in &steps {
            apply(&mut whole, &mut batch, step);
        }
        whole.commit(&batch, Durability::Checkpoint).unwrap();
        check_same(&*engine, &*whole, &[]);
        Ok(())
    });
    outcome.unwrap();
}

// invariant 21: the index entries equal those derived from the rows.
fn the_index_entries_are_those_of_the_rows(open: Open) {
    let steps = prop_oneof![
        6 => grant().prop_map(Step::PutGrant),
        2 => (0..12_u8).prop_map(|id| Step::DeleteGrant(format!("g{id}"))),
        2 => durability().prop_map(Step::Commit),
    ];
    let steps = (any::<bool>(), prop::collection::vec(steps, 0..80));
    let mut runner = TestRunner::new(cases(32));
    let outcome = runner.run(&steps, |(is_loaded, steps)| {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = open(dir.path());
        if is_loaded {
            let grants: Vec<_> = some_grants(40).iter().map(stored).collect();
            let load = Table::new().load(&grants).unwrap();
            engine.ingest(&load, Durability::Checkpoint).unwrap();
        }
        let mut batch = WriteBatch::new();
        for step in &steps {
            apply(&mut engine, &mut batch, step);
        }
        engine.commit(&batch, Durability::Checkpoint).unwrap();
        check_indexes(&*engine);
        Ok(())
    });
    outcome.unwrap();
}

// invariant 25: keys are kept as they are and sort by their bytes; the bound
// above a prefix of 0xff bytes is no bound.
fn keys_come_back_as_they_were_in_the_order_of_their_bytes(open: Open) {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    let mut keys = vec![vec![]];
    for byte in [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff] {
        for len in 1..4 {
            keys.push(vec![byte; len]);
            keys.push([vec![byte; len], vec![0xff, 0, 1]].concat());
        }
    }
    keys.sort();
    keys.dedup();
    let raws: Vec<Raw> = (keys.iter().rev())
        .map(|key| Raw {
            key: key.clone(),
            value: key.clone(),
        })
        .collect();
    let mut batch = WriteBatch::new();
    for raw in raws {
        apply(&mut engine, &mut batch, &Step::Put(raw));
    }
    engine.commit(&batch, Durability::Checkpoint).unwrap();
    let found = rows(&*engine, RAW);
    assert!(found.iter().all(|(key, value)| key == value));
    assert_eq!(
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
        keys
    );
    for prefix in [vec![], vec![0], vec![1, 0xff], vec![0xff], vec![0xff, 0xff]] {
        let found = engine.scan(RAW, &Range::prefix(&prefix), 1000).unwrap();
        let expected = keys.iter().filter(|key| key.starts_with(&prefix));
        assert!(found.iter().map(|(key, _)| key).eq(expected), "{prefix:?}");
    }
}

// invariant 26: pages concatenate to the full scan, without gaps or repeats, for
// every page size, while rows are added.
fn pages_concatenate_to_the_full_scan_while_rows_are_added(open: Open) {
    let table = Table::<StoredGrant>::new();
    let prefix = KeyBuilder::new().str("s").finish();
    for (n, limit) in [
        (0, 1),
        (1, 1),
        (23, 1),
        (23, 7),
        (23, 23),
        (90, 13),
        (90, 91),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = open(dir.path());
        let grants: Vec<_> = some_grants(n).iter().map(stored).collect();
        let load = table.load(&grants).unwrap();
        engine.ingest(&load, Durability::Checkpoint).unwrap();
        let (full, _) = all_pages(|cursor| table.list(&*engine, &prefix, cursor, 0));
        assert_eq!(full, grants);
        for index in 0..2 {
            let (mut found, pages) =
                all_pages(|cursor| table.list_by(&*engine, index, &prefix, cursor, limit));
            found.sort_by(|a, b| a.grant.cmp(&b.grant));
            assert_eq!((found.len(), pages), (n, n / limit + 1));
        }
        let engine = std::cell::RefCell::new(engine);
        let added = std::cell::Cell::new(0);
        let (found, _) = all_pages(|cursor| {
            let page = table.list(&**engine.borrow(), &prefix, cursor, limit);
            // Between two pages, rows come before, between and after those seen.
            let number = added.replace(added.get() + 1);
            let grants = ["a", "g-00010x", "z"]
                .map(|id| stored(&Grant::new(&format!("{id}{number}"), "e-0", "u-0")));
            let mut batch = WriteBatch::new();
            for grant in &grants[..usize::from(number < 3) * 3] {
                table
                    .stage_put(&**engine.borrow(), &mut batch, grant)
                    .unwrap();
            }
            engine
                .borrow_mut()
                .commit(&batch, Durability::Checkpoint)
                .unwrap();
            page
        });
        let of_start: Vec<_> = found
            .iter()
            .filter(|grant| grants.contains(grant))
            .cloned()
            .collect();
        assert_eq!(of_start, grants, "a gap or a repeat at pages of {limit}");
        assert!(found.windows(2).all(|pair| pair[0].key() < pair[1].key()));
    }
}

fn a_cursor_of_another_list_or_of_nobody_is_refused(open: Open) {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    let table = Table::<StoredGrant>::new();
    let grants: Vec<_> = some_grants(9).iter().map(stored).collect();
    let load = table.load(&grants).unwrap();
    engine.ingest(&load, Durability::Checkpoint).unwrap();
    let (prefix, other) = (
        KeyBuilder::new().str("s").finish(),
        KeyBuilder::new().str("t").finish(),
    );
    let cursor = table
        .list(&*engine, &prefix, None, 3)
        .unwrap()
        .next
        .unwrap();
    let refused = |outcome: batch_store::Result<batch_store::Page<StoredGrant>>| {
        assert!(
            matches!(outcome, Err(Error::InvalidCursor(_))),
            "{outcome:?}"
        );
    };
    refused(table.list_by(&*engine, 0, &prefix, Some(&cursor), 3));
    refused(table.list(&*engine, &other, Some(&cursor), 3));
    for text in [
        "",
        "grants",
        "grants.zz",
        "grants.0",
        "other.00",
        "grants.\u{e9}",
    ] {
        refused(table.list(&*engine, &prefix, Some(&Cursor::parse(text)), 3));
    }
}
