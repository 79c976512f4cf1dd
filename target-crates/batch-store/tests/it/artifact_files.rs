//! The artifact index: its bytes, and what damage and death make of its files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use batch_store::artifacts::{ARTIFACTS, ArtifactIndex, ArtifactKey, ArtifactRow, ArtifactStore};
use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::{Engine, Error, Record, SnapshotEngine};

use crate::artifacts::{index, key, over, policy, visible};

#[test]
fn a_key_is_64_lower_case_hexadecimal_digits_and_prints_as_it_was_read() {
    let text = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    assert_eq!(ArtifactKey::parse(text).unwrap().to_string(), text);
    for wrong in [
        "",
        &text[1..],
        &text.to_uppercase(),
        &"g".repeat(64),
        &"é".repeat(32),
    ] {
        assert!(ArtifactKey::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn invariant_36_a_row_is_read_back_whole_and_refused_cut_or_of_another_version() {
    let row = ArtifactRow {
        key: key(3),
        index: index(3),
    };
    let bytes = row.encode().unwrap();
    // Version 1, as it must be read for good.
    assert_eq!(
        bytes,
        b"\x01\x02\x09lib3.rlib\x03\x05dep.d\x07\x00\x09warning 3\x05\x0a\x80\xe2\xcf\xaa\x06"
    );
    let key = Record::key(&row);
    assert_eq!(ArtifactRow::decode(&key, &bytes).unwrap(), row);
    for len in 0..bytes.len() {
        assert!(ArtifactRow::decode(&key, &bytes[..len]).is_err(), "{len}");
    }
    let mut newer = bytes.clone();
    newer[0] = 2;
    let error = ArtifactRow::decode(&key, &newer).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    assert!(ArtifactRow::decode(&key[1..], &bytes).is_err());
}

#[test]
fn invariant_34_a_damaged_index_is_set_aside_and_filled_from_the_payloads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("artifacts.snap");
    let store = over(&path, policy(usize::MAX));
    (0..5).for_each(|number| store.insert(key(number), index(number)).unwrap());
    store.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        ArtifactStore::open(&path),
        Err(Error::Corrupt { .. })
    ));
    let (store, quarantine) = ArtifactStore::open_or_quarantine(&path).unwrap();
    assert!(quarantine.unwrap().dir.join("artifacts.snap").exists());
    let recovery = store.recover().unwrap();
    store.insert(key(2), index(200)).unwrap();
    let found = (0..5).map(|number| (key(number), index(number)));
    assert_eq!(recovery.insert_all(found).unwrap(), 4);
    drop(recovery);
    store.close().unwrap();
    let store = ArtifactStore::open(&path).unwrap();
    assert_eq!((store.len(), store.get(&key(2))), (5, Some(index(200))));
}

#[test]
fn invariant_3_a_process_killed_at_any_disk_operation_keeps_every_flushed_row() {
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "artifact_files::child_that_flushes", "--ignored"])
            .env("BATCH_STORE_TEST_DIR", dir.path())
            .env("BATCH_STORE_TEST_DEATH", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let is_done = child.status().unwrap().success();
        let flushed = std::fs::read_dir(dir.path().join("flushed")).unwrap();
        let flushed = flushed.count() as u64;
        let store = over(&dir.path().join("artifacts.snap"), policy(1));
        // Two rows a round, the first of which the next round removes.
        let rounds = [flushed, flushed + 1].map(after_rounds);
        assert!(
            rounds.contains(&visible(&store)),
            "{at}: {:?}",
            visible(&store)
        );
        if is_done {
            assert!(flushed == 4 && at > 15, "{flushed} rounds, {at} deaths");
            return;
        }
    }
}

fn after_rounds(rounds: u64) -> BTreeMap<u64, ArtifactIndex> {
    let kept = (0..rounds).map(|round| 2 * round + 1);
    let last = rounds.checked_sub(1).map(|round| 2 * round);
    kept.chain(last)
        .map(|number| (number, index(number)))
        .collect()
}

#[test]
#[ignore = "a child of another test"]
fn child_that_flushes() {
    let dir = PathBuf::from(std::env::var_os("BATCH_STORE_TEST_DIR").expect("a parent"));
    let at = std::env::var("BATCH_STORE_TEST_DEATH").unwrap().parse();
    std::fs::create_dir(dir.join("flushed")).unwrap();
    let disk = Arc::new(SimDisk::with_fault(at.unwrap(), Fault::Abort));
    let engine = SnapshotEngine::open_on(&dir.join("artifacts.snap"), disk).unwrap();
    let store = ArtifactStore::over(Box::new(engine), policy(usize::MAX)).unwrap();
    for round in 0..4 {
        store.insert(key(2 * round), index(2 * round)).unwrap();
        store
            .insert(key(2 * round + 1), index(2 * round + 1))
            .unwrap();
        if round > 0 {
            assert!(store.remove(&key(2 * (round - 1))).unwrap());
        }
        store.flush().unwrap();
        std::fs::write(dir.join("flushed").join(round.to_string()), "").unwrap();
    }
    assert_eq!(store.len(), 5);
    store.close().unwrap();
    assert_eq!(
        SnapshotEngine::open(&dir.join("artifacts.snap"))
            .unwrap()
            .count(ARTIFACTS)
            .unwrap(),
        5
    );
}
