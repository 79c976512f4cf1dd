//! The engine's files: who may write them, what is left over, copies, bulk loads.

use std::path::Path;
use std::sync::Arc;

use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::disk::{RealDisk, SharedDisk};
use batch_store::engine::segment::Options;
use batch_store::grants::{BY_ENTITLEMENT, GRANTS, StoredGrant};
use batch_store::{Durability, Engine, Error, Range, Record, SegmentEngine, Table, WriteBatch};

use super::script::{STEPS, Step, apply, batch, load, state, stored, tiny};
use crate::support::{RAW, check_indexes};

fn open(dir: &Path) -> SegmentEngine {
    SegmentEngine::open_with(dir, tiny(), Arc::new(RealDisk)).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs every step but the reopening.
fn filled(dir: &Path) -> SegmentEngine {
    let mut engine = open(dir);
    for (step, kind) in STEPS.iter().enumerate() {
        if *kind != Step::Reopen {
            apply(&mut engine, step).unwrap();
        }
    }
    engine
}

#[test]
fn one_engine_writes_a_directory_and_others_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = filled(dir.path());
    let refused = SegmentEngine::open(dir.path());
    assert!(matches!(refused, Err(Error::State { .. })), "{refused:?}");
    let before = names(dir.path());
    let mut reader = SegmentEngine::open_read_only(dir.path()).unwrap();
    let expected = state(&engine).unwrap();
    assert_eq!(state(&reader).unwrap(), expected);
    assert_eq!(names(dir.path()), before);
    // Its files stay for it when the writer replaces them.
    for at in 20..40 {
        let batch = batch(&engine, at).unwrap();
        engine.commit(&batch, Durability::Checkpoint).unwrap();
    }
    assert_eq!(state(&reader).unwrap(), expected);
    let batch = batch(&engine, 40).unwrap();
    assert!(reader.commit(&batch, Durability::Checkpoint).is_err());
    assert!(reader.sync().is_err());
    reader.close().unwrap();
    engine.close().unwrap();
    open(dir.path()).close().unwrap();
}

#[test]
fn a_reader_creates_nothing_and_needs_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    assert!(SegmentEngine::open_read_only(&missing).is_err());
    assert!(SegmentEngine::open_read_only(dir.path()).is_err());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_closed_store_is_a_manifest_and_segments_and_strays_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = filled(dir.path());
    let expected = state(&engine).unwrap();
    engine.close().unwrap();
    let clean = names(dir.path());
    assert!(!clean.contains(&"log".to_owned()) && clean.len() <= 2 + tiny().max_segments);
    for stray in ["99999999.seg", "MANIFEST.tmp", "log"] {
        std::fs::write(dir.path().join(stray), "left over").unwrap();
    }
    std::fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    let mut engine = open(dir.path());
    assert_eq!(state(&engine).unwrap(), expected);
    engine.close().unwrap();
    let mut left = names(dir.path());
    left.retain(|name| name != "notes.txt");
    assert_eq!(left, clean);
}

#[test]
fn a_copy_is_self_contained_also_where_files_cannot_be_linked() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(&dir.path().join("store"));
    let mut expected = state(&engine).unwrap();
    drop(engine);
    for is_linked in [true, false] {
        let disk = Arc::new(SimDisk::new());
        let shared: SharedDisk = disk.clone();
        let mut engine =
            SegmentEngine::open_with(&dir.path().join("store"), tiny(), shared).unwrap();
        engine.checkpoint(&fresh(dir.path(), "first")).unwrap();
        if !is_linked {
            // With nothing left to flush, the first operation is a link.
            let fault = Fault::Fail(std::io::ErrorKind::CrossesDevices);
            disk.set_fault(Some((disk.operations(), fault)));
        }
        let copy = fresh(dir.path(), "copy");
        let mut files = engine.checkpoint(&copy).unwrap();
        files.sort();
        assert_eq!(names(&copy), files);
        // The store goes on; the copy does not.
        let batch = batch(&engine, 77).unwrap();
        engine.commit(&batch, Durability::EachCommit).unwrap();
        let reader = SegmentEngine::open_read_only(&copy).unwrap();
        assert_eq!(state(&reader).unwrap(), expected);
        check_indexes(&reader);
        expected = state(&engine).unwrap();
        // Onto itself, or onto another copy.
        for target in [&copy, &dir.path().join("first")] {
            let refused = open(&copy).checkpoint(target);
            assert!(matches!(refused, Err(Error::State { .. })), "{refused:?}");
        }
        assert_eq!(state(&engine).unwrap(), expected);
        check_indexes(&open(&copy));
        engine.close().unwrap();
    }
}

fn fresh(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
fn segments_stay_few_and_deleted_rows_leave_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    for at in 0..200 {
        let batch = batch(&engine, at).unwrap();
        engine.commit(&batch, Durability::Checkpoint).unwrap();
        if at % 7 == 0 {
            engine.ingest(&load(at), Durability::Checkpoint).unwrap();
        }
        assert!(engine.segments() <= tiny().max_segments);
    }
    let table = Table::<StoredGrant>::new();
    let mut deletes = WriteBatch::new();
    for (key, _) in engine.scan(GRANTS, &Range::all(), 1000).unwrap() {
        table.stage_delete(&engine, &mut deletes, &key).unwrap();
    }
    let raws = Table::<crate::support::Raw>::new();
    for (key, _) in engine.scan(RAW, &Range::all(), 1000).unwrap() {
        raws.stage_delete(&engine, &mut deletes, &key).unwrap();
    }
    engine.commit(&deletes, Durability::Checkpoint).unwrap();
    assert!(state(&engine).unwrap().is_empty());
    // With every row gone, merging everything leaves no segment.
    let one = Options {
        max_segments: 1,
        ..tiny()
    };
    drop(engine);
    let mut engine = SegmentEngine::open_with(dir.path(), one, Arc::new(RealDisk)).unwrap();
    engine.sync().unwrap();
    assert_eq!(engine.segments(), 0);
    assert!(state(&engine).unwrap().is_empty());
}

/// invariant 24: a bulk load's file does not depend on the number of threads.
#[test]
fn invariant_24_a_load_encoded_on_many_threads_is_the_file_of_one() {
    for n in [0, 1, 255, 256, 1023, 1024, 1025, 4095, 4096, 4097] {
        let records: Vec<_> = (0..n).map(|id| stored(id, id)).collect();
        let load = Table::new().load(&records).unwrap();
        let mut files = Vec::new();
        for encoders in [1, 2, 3] {
            let dir = tempfile::tempdir().unwrap();
            let options = Options {
                encoders,
                block_bytes: 256,
                ingest_min_bytes: 1,
                ..Options::default()
            };
            let mut engine =
                SegmentEngine::open_with(dir.path(), options, Arc::new(RealDisk)).unwrap();
            engine.ingest(&load, Durability::EachCommit).unwrap();
            assert_eq!(engine.count(BY_ENTITLEMENT).unwrap(), n as u64);
            engine.close().unwrap();
            let segments = names(dir.path())
                .into_iter()
                .filter(|name| name.ends_with(".seg"));
            files.push(
                segments
                    .map(|name| std::fs::read(dir.path().join(name)).unwrap())
                    .collect::<Vec<_>>(),
            );
        }
        assert!(files.iter().all(|file| *file == files[0]), "{n}");
    }
}

/// invariant 1, at the default sizes: several flushes, merges and a load above them.
#[test]
fn many_rows_at_the_default_sizes_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = SegmentEngine::open(dir.path()).unwrap();
    let table = Table::<StoredGrant>::new();
    let records: Vec<_> = (0..20_000).map(|id| stored(id, id)).collect();
    let load = table.load(&records).unwrap();
    engine.ingest(&load, Durability::EachCommit).unwrap();
    assert_eq!(
        (engine.segments(), engine.count(GRANTS).unwrap()),
        (1, 20_000)
    );
    for id in (0..20_000).step_by(50) {
        let mut batch = WriteBatch::new();
        table
            .stage_put(&engine, &mut batch, &stored(id, id + 1))
            .unwrap();
        engine.commit(&batch, Durability::Checkpoint).unwrap();
    }
    check_indexes(&engine);
    engine.close().unwrap();
    let engine = SegmentEngine::open(dir.path()).unwrap();
    let keys: Vec<_> = records.iter().map(Record::key).collect();
    let borrowed: Vec<&[u8]> = keys.iter().rev().map(Vec::as_slice).collect();
    let found = engine.get_many(GRANTS, &borrowed).unwrap();
    for (id, value) in (0..20_000).rev().zip(found) {
        let version = if id % 50 == 0 { id + 1 } else { id };
        let found = StoredGrant::decode(&[], &value.unwrap()).unwrap();
        assert_eq!(found, stored(id, version));
    }
    check_indexes(&engine);
}
