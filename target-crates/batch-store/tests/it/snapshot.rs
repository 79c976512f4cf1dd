//! The snapshot engine: its files and what damage does to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use batch_store::{
    Durability, Engine, Error, MemoryEngine, Result, SnapshotEngine, Table, WriteBatch,
};
use proptest::prelude::*;

use crate::support::{RAW, Raw, cases, rows};

pub type Changes = Vec<(u8, Option<Vec<u8>>)>;

pub fn commit(engine: &mut dyn Engine, changes: &Changes) -> Result<()> {
    let table = Table::<Raw>::new();
    let mut batch = WriteBatch::new();
    for (key, value) in changes {
        let key = vec![*key];
        match value.clone() {
            Some(value) => table.stage_put(engine, &mut batch, &Raw { key, value })?,
            None => drop(table.stage_delete(engine, &mut batch, &key)?),
        }
    }
    engine.commit(&batch, Durability::EachCommit).map(|_| ())
}

/// Seven batches that write wholes and deltas, put, replace and delete.
pub fn batches() -> Vec<Changes> {
    let put = |key: u8, len: usize| (key, Some(vec![key; len]));
    vec![
        vec![put(1, 30), put(2, 30)],
        vec![put(3, 10)],
        vec![(1, None), put(2, 9)],
        vec![put(4, 200)],
        vec![put(4, 1), put(5, 20), (5, None)],
        vec![put(6, 60)],
        vec![(3, None)],
    ]
}

/// The rows after each number of batches.
pub fn states(batches: &[Changes]) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut model = MemoryEngine::new();
    let mut states = vec![rows(&model, RAW)];
    for changes in batches {
        commit(&mut model, changes).unwrap();
        states.push(rows(&model, RAW));
    }
    states
}

/// Every file of the directory but the lock, with its bytes.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_none_or(|name| name != "lock"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// A store with a whole snapshot and two deltas.
pub fn store_with_deltas(dir: &Path) -> PathBuf {
    let path = dir.join("map.snap");
    let mut engine = SnapshotEngine::open(&path).unwrap();
    for changes in &batches()[..3] {
        commit(&mut engine, changes).unwrap();
    }
    engine.close().unwrap();
    assert_eq!(contents(dir).len(), 3, "{:?}", contents(dir).keys());
    path
}

fn changes() -> impl Strategy<Value = Changes> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..40));
    proptest::collection::vec((0..20_u8, value), 0..8)
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn any_batches_with_any_reopenings_leave_what_the_model_has(
        steps in proptest::collection::vec((changes(), any::<bool>()), 0..30),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.snap");
        let mut model = MemoryEngine::new();
        let mut engine = SnapshotEngine::open(&path).unwrap();
        for (changes, reopen) in &steps {
            commit(&mut model, changes).unwrap();
            commit(&mut engine, changes).unwrap();
            if *reopen {
                drop(engine);
                engine = SnapshotEngine::open(&path).unwrap();
            }
            prop_assert_eq!(rows(&engine, RAW), rows(&model, RAW));
            prop_assert_eq!(engine.count(RAW).unwrap(), model.count(RAW).unwrap());
        }
    }
}

#[test]
fn a_whole_snapshot_follows_when_the_deltas_have_outgrown_the_last_and_removes_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let mut engine = SnapshotEngine::open(&path).unwrap();
    let counts = engine.counts();
    for i in 0..200_u8 {
        commit(&mut engine, &vec![(i % 50, Some(vec![i; 100]))]).unwrap();
        let sizes = contents(dir.path());
        let whole = sizes[&path].len() as u64;
        let deltas: usize = sizes.values().map(Vec::len).sum::<usize>() - whole as usize;
        assert!(deltas as u64 <= 2 * whole, "{deltas} beside {whole}");
        assert!(sizes.len() <= 65);
    }
    let (wholes, deltas) = (
        counts.wholes.load(Ordering::Relaxed),
        counts.deltas.load(Ordering::Relaxed),
    );
    assert_eq!(wholes + deltas, 200);
    assert!(wholes > 2 && deltas > 2 * wholes, "{wholes} and {deltas}");
}

#[test]
fn a_burst_of_2048_rows_over_12000_writes_at_most_two_bytes_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = SnapshotEngine::open(&dir.path().join("map.snap")).unwrap();
    let put = |engine: &mut SnapshotEngine, keys: std::ops::Range<u64>| {
        let mut batch = WriteBatch::new();
        for key in keys {
            let key = [[7; 24].as_slice(), &key.to_be_bytes()].concat();
            let value = vec![1; 770 - 32];
            Table::new()
                .stage_put(engine, &mut batch, &Raw { key, value })
                .unwrap();
        }
        engine.commit(&batch, Durability::EachCommit).unwrap();
    };
    put(&mut engine, 0..12_000);
    let counts = engine.counts();
    let before = counts.bytes.load(Ordering::Relaxed);
    for batch in 0..24_u64 {
        let start = batch * 500 % 9_000;
        put(&mut engine, start..start + 2_048);
    }
    assert_eq!(engine.count(RAW).unwrap(), 12_000);
    let written = counts.bytes.load(Ordering::Relaxed) - before;
    let logical = 24 * 2_048 * 770;
    assert!(written <= 2 * logical, "{written} for {logical}");
    assert!(counts.wholes.load(Ordering::Relaxed) >= 3);
}

#[test]
fn invariant_34_any_flipped_byte_or_missing_part_is_found_and_every_file_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = store_with_deltas(dir.path());
    let whole = contents(dir.path());
    let check = |file: &Path, what: String| {
        let before = contents(dir.path());
        let outcome = SnapshotEngine::open(&path);
        assert!(
            matches!(outcome, Err(Error::Corrupt { .. })),
            "{} {what}: {outcome:?}",
            file.display()
        );
        assert_eq!(contents(dir.path()), before);
    };
    for (file, bytes) in &whole {
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            std::fs::write(file, bytes).unwrap();
            check(file, format!("with byte {at} flipped"));
        }
        for len in 0..bytes.len() {
            std::fs::write(file, &bytes[..len]).unwrap();
            check(file, format!("cut at {len}"));
        }
        std::fs::write(file, [bytes.as_slice(), b"x"].concat()).unwrap();
        check(file, "with a byte more".to_owned());
        std::fs::write(file, bytes).unwrap();
    }
    // The last delta missing is the state before it; any other leaves a gap.
    for file in [path.clone(), dir.path().join("map.snap.1.1")] {
        std::fs::remove_file(&file).unwrap();
        check(&file, "missing".to_owned());
        std::fs::write(&file, &whole[&file]).unwrap();
    }
    std::fs::copy(dir.path().join("map.snap.1.1"), &path).unwrap();
    check(&path, "replaced by a delta".to_owned());
}

#[test]
fn invariant_34_a_cache_may_start_empty_with_the_damaged_files_set_aside_and_named() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        let path = store_with_deltas(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let before = contents(dir.path());
        let (mut engine, quarantine) = SnapshotEngine::open_or_quarantine(&path).unwrap();
        let quarantine = quarantine.unwrap();
        let name = format!("map.snap.damaged-{number}");
        assert_eq!(quarantine.dir, dir.path().join(name));
        assert!(matches!(quarantine.damage, Error::Corrupt { .. }));
        assert_eq!(engine.count(RAW).unwrap(), 0);
        let moved: Vec<_> = contents(&quarantine.dir).into_values().collect();
        assert_eq!(moved, before.into_values().collect::<Vec<_>>());
        assert!(SnapshotEngine::open_or_quarantine(&path).is_err(), "locked");
        commit(&mut engine, &batches()[0]).unwrap();
        engine.close().unwrap();
        let (mut engine, quarantine) = SnapshotEngine::open_or_quarantine(&path).unwrap();
        assert!(quarantine.is_none());
        assert_eq!(engine.count(RAW).unwrap(), 2);
        engine.close().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn invariant_36_a_file_of_another_version_is_refused_and_not_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    // Version 2, with the CRC-32 that goes with it, and unknown contents.
    std::fs::write(&path, b"BSSN\x00\x02\xc1\x53\xde\x75whatever").unwrap();
    let before = contents(dir.path());
    for outcome in [
        SnapshotEngine::open(&path).map(drop),
        SnapshotEngine::open_or_quarantine(&path).map(drop),
    ] {
        let found = matches!(outcome, Err(Error::UnknownVersion { found: 2, .. }));
        assert!(found, "{outcome:?}");
        assert_eq!(contents(dir.path()), before);
    }
}

#[test]
fn invariant_32_a_stale_temporary_file_and_stale_deltas_are_ignored_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = store_with_deltas(dir.path());
    let stale = std::fs::read(dir.path().join("map.snap.1.2")).unwrap();
    let mut engine = SnapshotEngine::open(&path).unwrap();
    commit(&mut engine, &vec![(9, Some(vec![9; 900]))]).unwrap();
    let state = rows(&engine, RAW);
    engine.close().unwrap();
    std::fs::write(dir.path().join("map.snap.1.2"), stale).unwrap();
    std::fs::write(dir.path().join("map.snap.tmp"), "half a snap").unwrap();
    std::fs::write(dir.path().join("map.snap.other"), "not ours").unwrap();
    let engine = SnapshotEngine::open(&path).unwrap();
    assert_eq!(rows(&engine, RAW), state);
    let names: Vec<_> = contents(dir.path()).into_keys().collect();
    assert_eq!(names, [path.clone(), dir.path().join("map.snap.other")]);
}

#[test]
fn a_closed_engine_refuses_everything_but_closing_and_an_open_one_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.snap");
    let mut engine = SnapshotEngine::open(&path).unwrap();
    assert!(matches!(
        SnapshotEngine::open(&path),
        Err(Error::State { .. })
    ));
    engine.close().unwrap();
    engine.close().unwrap();
    let second = SnapshotEngine::open(&path).unwrap();
    assert!(engine.count(RAW).is_err() && engine.get(RAW, b"").is_err());
    assert!(commit(&mut engine, &batches()[0]).is_err());
    assert!(engine.sync().is_err() && engine.checkpoint(dir.path()).is_err());
    assert_eq!(second.count(RAW).unwrap(), 0);
}

#[test]
fn a_checkpoint_opens_on_its_own_and_is_not_touched_by_later_commits() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let all = batches();
    let states = states(&all);
    let mut engine = SnapshotEngine::open(&dir.path().join("map.snap")).unwrap();
    for (number, changes) in all.iter().enumerate() {
        commit(&mut engine, changes).unwrap();
        assert_eq!(engine.checkpoint(&copy).unwrap(), ["store.snap"]);
        let mut copied = SnapshotEngine::open(&copy.join("store.snap")).unwrap();
        assert_eq!(rows(&copied, RAW), states[number + 1]);
        // Deltas of the copy's own must not outlive the next checkpoint.
        commit(&mut copied, &vec![(77, Some(vec![1]))]).unwrap();
    }
}
