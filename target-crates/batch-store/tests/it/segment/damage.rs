//! Damaged files: detected, or harmless; never a panic, never wrong rows, and the
//! file is left as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use batch_store::disk::sim::SimDisk;
use batch_store::engine::segment::Options;
use batch_store::{Durability, Engine, Error, Result, SegmentEngine};

use super::script::{STEPS, State, Step, apply, batch, state, states, tiny};

/// A store that was dropped unclosed: a manifest, segments, and a log with two
/// batches, the last of them synced. Returns the states that may be read.
fn unclosed(dir: &Path) -> Vec<State> {
    let mut engine = open(dir).unwrap();
    for step in 0..6 {
        apply(&mut engine, step).unwrap();
    }
    let mut states = vec![state(&engine).unwrap()];
    for at in [6, 7] {
        let batch = batch(&engine, at).unwrap();
        engine.commit(&batch, Durability::EachCommit).unwrap();
        states.push(state(&engine).unwrap());
    }
    states
}

fn open(dir: &Path) -> Result<SegmentEngine> {
    SegmentEngine::open_with(dir, tiny(), Arc::new(SimDisk::new()))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap() != "LOCK");
    paths.sort();
    paths
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in files(from) {
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Every row, read with and without the right to write; an error leaves the file.
fn read(dir: &Path, path: &Path) -> Result<State> {
    let damaged = std::fs::read(path).unwrap();
    let disk = Arc::new(SimDisk::new());
    let reader = SegmentEngine::open_read_only_with(dir, tiny(), disk);
    let read = reader.and_then(|reader| state(&reader));
    let written = open(dir).and_then(|mut engine| {
        let found = state(&engine)?;
        engine.close()?;
        Ok(found)
    });
    match (&read, &written) {
        (Ok(read), Ok(written)) => assert_eq!(read, written),
        (Err(_), Err(_)) => assert_eq!(std::fs::read(path).unwrap(), damaged),
        other => panic!("a reader and a writer disagree: {other:?}"),
    }
    read
}

/// Damages every file in every way that `damage` lists, and checks what is read:
/// an error, or a state that `is_allowed` for that file and position.
fn check(
    store: &Path,
    damages: impl Fn(&[u8]) -> Vec<(usize, Vec<u8>)>,
    is_allowed: impl Fn(&str, usize, &State) -> bool,
) {
    let scratch = tempfile::tempdir().unwrap();
    let mut detected = 0;
    for path in files(store) {
        let name = path.file_name().unwrap().to_str().unwrap();
        for (at, bytes) in damages(&std::fs::read(&path).unwrap()) {
            let dir = scratch.path().join("store");
            copy(store, &dir);
            let target = dir.join(name);
            std::fs::write(&target, bytes).unwrap();
            match read(&dir, &target) {
                Err(Error::Corrupt { path, .. }) => {
                    assert!(path.exists() && path.starts_with(&dir), "{path:?}");
                    detected += 1;
                }
                Err(other) => panic!("{name} at {at}: {other:?}"),
                Ok(found) => assert!(is_allowed(name, at, &found), "{name} at {at}"),
            }
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
    assert!(detected > 100, "{detected}");
}

/// The bytes up to a few into the zeros that a log may end in.
fn used(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    bytes.len().min(last + 8)
}

fn flips(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let positions = 0..used(bytes);
    let flip = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 8);
        (at, bytes)
    };
    positions.map(flip).collect()
}

fn cuts(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let lengths = 0..used(bytes);
    lengths.map(|len| (len, bytes[..len].to_vec())).collect()
}

#[test]
fn a_flipped_bit_anywhere_is_detected_or_costs_the_last_batch_of_the_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let states = unclosed(dir.path());
    let log = std::fs::read(dir.path().join("log")).unwrap();
    let frames: Vec<usize> = (0..log.len() - 4)
        .filter(|at| &log[*at..at + 4] == b"BLF1")
        .collect();
    let last_frame = *frames.last().unwrap();
    check(dir.path(), flips, |name, at, found| match name {
        "log" if at >= last_frame => *found == states[1] || *found == states[2],
        // Frames of an earlier generation may lie beyond; here, the file is new.
        _ => *found == states[2],
    });
}

#[test]
fn a_file_cut_at_any_length_is_detected_or_a_log_cut_to_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let states = unclosed(dir.path());
    check(dir.path(), cuts, |name, _, found| {
        name == "log" && states.contains(found)
    });
}

#[test]
fn a_closed_store_detects_every_flipped_bit_and_every_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path()).unwrap();
    for (step, kind) in STEPS.iter().enumerate() {
        if *kind != Step::Reopen {
            apply(&mut engine, step).unwrap();
        }
    }
    engine.close().unwrap();
    let whole = states().pop().unwrap();
    assert_eq!(state(&open(dir.path()).unwrap()).unwrap(), whole);
    check(dir.path(), flips, |_, _, _| false);
    check(dir.path(), cuts, |_, _, _| false);
}

#[test]
fn a_missing_file_is_damage_and_not_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    unclosed(dir.path());
    for path in files(dir.path()) {
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path());
        std::fs::remove_file(copied.path().join(path.file_name().unwrap())).unwrap();
        let left = files(copied.path());
        let outcome = open(copied.path());
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{path:?}");
        assert_eq!(files(copied.path()), left, "{path:?}");
    }
}

#[test]
fn a_torn_batch_is_cut_off_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let states = unclosed(dir.path());
    let path = dir.path().join("log");
    let mut log = std::fs::read(&path).unwrap();
    let engine = SegmentEngine::open_read_only(dir.path()).unwrap();
    assert_eq!(
        (engine.recovery().batches, engine.recovery().torn_at),
        (2, None)
    );
    let frames: Vec<usize> = (0..log.len() - 4)
        .filter(|at| &log[*at..at + 4] == b"BLF1")
        .collect();
    assert_eq!(frames.len(), 2);
    log[frames[1] + 60..].fill(0);
    std::fs::write(&path, &log).unwrap();
    let engine = open(dir.path()).unwrap();
    assert_eq!(state(&engine).unwrap(), states[1]);
    let recovery = engine.recovery();
    assert_eq!(
        (recovery.batches, recovery.torn_at),
        (1, Some(frames[1] as u64))
    );
}

#[test]
fn unsynced_batches_after_a_lost_one_are_cut_off_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        memtable_bytes: 10_000,
        ..tiny()
    };
    let disk = Arc::new(SimDisk::new());
    let mut engine = SegmentEngine::open_with(dir.path(), options, disk).unwrap();
    let mut states = vec![];
    for at in 0..3 {
        let batch = batch(&engine, at).unwrap();
        engine.commit(&batch, Durability::Checkpoint).unwrap();
        states.push(state(&engine).unwrap());
    }
    drop(engine);
    let path = dir.path().join("log");
    let mut log = std::fs::read(&path).unwrap();
    let frames: Vec<usize> = (0..log.len() - 4)
        .filter(|at| &log[*at..at + 4] == b"BLF1")
        .collect();
    assert_eq!(frames.len(), 3);
    // The second of three never reached the disk.
    log[frames[1]..frames[2]].fill(0);
    std::fs::write(&path, &log).unwrap();
    let mut engine = open(dir.path()).unwrap();
    assert_eq!(state(&engine).unwrap(), states[0]);
    // The third does not come back when another takes the second's place.
    let batch = batch(&engine, 1).unwrap();
    engine.commit(&batch, Durability::Checkpoint).unwrap();
    drop(engine);
    assert_eq!(state(&open(dir.path()).unwrap()).unwrap(), states[1]);
}
