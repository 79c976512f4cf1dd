//! The package index: its format, and what one bad row costs.

use std::collections::BTreeMap;

use batch_store::packages::{
    FileInfo, PACKAGE_INDEX, PackageFiles, PackageIndex, PackageReader, PackageRow, SideEffects,
    git_key, integrity_key,
};
use batch_store::{Ack, EngineKind, Error, Policy, Record};
use proptest::prelude::*;

use crate::support::{cases, rows};

fn file() -> impl Strategy<Value = FileInfo> {
    let digest = prop_oneof![Just(String::new()), "[0-9a-f]{128}"];
    (digest, any::<u32>(), any::<u64>(), any::<Option<u64>>()).prop_map(
        |(digest, mode, size, checked_at_ms)| FileInfo {
            digest,
            mode,
            size,
            checked_at_ms,
        },
    )
}

fn files() -> impl Strategy<Value = BTreeMap<String, FileInfo>> {
    proptest::collection::btree_map(".{0,12}", file(), 0..5)
}

fn package() -> impl Strategy<Value = PackageRow> {
    let deleted = proptest::option::of(proptest::collection::vec(".{0,8}", 0..4));
    let effects = (proptest::option::of(files()), deleted)
        .prop_map(|(added, deleted)| SideEffects { added, deleted });
    let effects = proptest::option::of(proptest::collection::btree_map(".{0,8}", effects, 0..3));
    (
        ".{1,20}",
        proptest::option::of(".{0,30}"),
        any::<Option<bool>>(),
        files(),
        effects,
    )
        .prop_map(|(key, manifest, requires_build, files, side_effects)| {
            let algo = "sha512".to_owned();
            PackageRow {
                key,
                files: PackageFiles {
                    manifest,
                    requires_build,
                    algo,
                    files,
                    side_effects,
                },
            }
        })
}

fn plain(key: &str, digest: &str) -> PackageRow {
    let info = FileInfo {
        digest: digest.to_owned(),
        mode: 0o644,
        size: 10,
        checked_at_ms: None,
    };
    let files = BTreeMap::from([("index.js".to_owned(), info)]);
    let (manifest, requires_build, side_effects) = (None, Some(false), None);
    let algo = "sha512".to_owned();
    PackageRow {
        key: key.to_owned(),
        files: PackageFiles {
            manifest,
            requires_build,
            algo,
            files,
            side_effects,
        },
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_package_row_reads_back(row in package()) {
        let value = row.encode().unwrap();
        prop_assert_eq!(PackageRow::decode(&row.key(), &value).unwrap(), row);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_a_row_but_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = PackageRow::decode(b"key", &bytes);
    }
}

#[test]
fn the_keys_have_the_documented_shapes() {
    assert_eq!(
        integrity_key("sha512-abc", "left-pad@1.3.0"),
        "sha512-abc\tleft-pad@1.3.0"
    );
    assert_eq!(git_key("left-pad@1.3.0", true), "left-pad@1.3.0\tbuilt");
    assert_eq!(
        git_key("left-pad@1.3.0", false),
        "left-pad@1.3.0\tnot-built"
    );
}

#[test]
fn invariant_12_one_row_that_cannot_be_encoded_costs_that_row_only() {
    EngineKind::ALL.into_iter().for_each(costs_that_row_only);
}

fn costs_that_row_only(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = PackageIndex::open_with(&path, kind).unwrap();
    let batch: Vec<PackageRow> = (0..600)
        .map(|i| {
            plain(
                &format!("key-{i:03}"),
                if i == 137 { "not hexadecimal" } else { "00ff" },
            )
        })
        .collect();
    let tickets = index.set_many(batch, Ack::Committed).unwrap();
    for (i, ticket) in tickets.iter().enumerate() {
        let outcome = ticket.wait();
        assert_eq!(outcome.is_err(), i == 137, "row {i}: {outcome:?}");
        assert!(i != 137 || matches!(outcome, Err(Error::Encode { .. })));
    }
    let report = index.close().unwrap();
    assert_eq!(
        (report.committed_ops, report.refused, report.lost_ops),
        (599, 1, 0)
    );
    let reader = kind.open_read_only(&path).unwrap();
    assert_eq!(reader.count(PACKAGE_INDEX).unwrap(), 599);
    assert_eq!(PackageIndex::get(&*reader, "key-137").unwrap(), None);
}

#[test]
fn invariant_16_of_equal_keys_the_last_wins_and_every_producer_keeps_its_order() {
    EngineKind::ALL.into_iter().for_each(the_last_wins);
}

fn the_last_wins(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = PackageIndex::open_with(&path, kind).unwrap();
    std::thread::scope(|scope| {
        for producer in 0..4 {
            let index = &index;
            scope.spawn(move || {
                for round in 0..300 {
                    let mut row = plain(&format!("p{producer}-k{}", round % 5), "ab");
                    row.files.manifest = Some(round.to_string());
                    index.set(row, Ack::Enqueued).unwrap().wait().unwrap();
                }
            });
        }
    });
    assert_eq!(index.close().unwrap().committed_ops, 1200);
    let reader = kind.open_read_only(&path).unwrap();
    assert_eq!(rows(&*reader, PACKAGE_INDEX).len(), 20);
    for producer in 0..4 {
        for key in 0..5 {
            let row = PackageIndex::get(&*reader, &format!("p{producer}-k{key}"))
                .unwrap()
                .unwrap();
            assert_eq!(row.files.manifest, Some((295 + key).to_string()));
        }
    }
}

#[test]
fn invariant_09_a_reader_sees_everything_before_a_barrier_through_a_new_connection() {
    EngineKind::ALL.into_iter().for_each(a_new_reader_sees_it);
}

fn a_new_reader_sees_it(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = PackageIndex::open_with(&path, kind).unwrap();
    for round in 1..=20 {
        index
            .set(plain(&format!("key-{round}"), "ab"), Ack::Enqueued)
            .unwrap();
        index.writer().barrier(Ack::Committed).unwrap();
        let reader = kind.open_read_only(&path).unwrap();
        assert_eq!(reader.count(PACKAGE_INDEX).unwrap(), round);
    }
}

fn effects(deleted: &str) -> SideEffects {
    SideEffects {
        added: None,
        deleted: Some(vec![deleted.to_owned()]),
    }
}

#[test]
fn side_effects_of_concurrent_builds_are_all_kept() {
    EngineKind::ALL.into_iter().for_each(all_effects_are_kept);
}

fn all_effects_are_kept(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = PackageIndex::open_with(&path, kind).unwrap();
    index
        .set(plain("stored", "ab"), Ack::Committed)
        .unwrap()
        .wait()
        .unwrap();
    index.set(plain("queued", "ab"), Ack::Enqueued).unwrap();
    std::thread::scope(|scope| {
        for builder in 0..4 {
            let index = &index;
            scope.spawn(move || {
                for i in 0..10 {
                    for key in ["stored", "queued", "missing"] {
                        let (platform, effects) = (format!("{builder}-{i}"), effects(key));
                        let ticket = index.set_side_effects(
                            key,
                            "sha512",
                            &platform,
                            effects,
                            Ack::Enqueued,
                        );
                        ticket.unwrap();
                    }
                }
            });
        }
    });
    let other = effects("another algorithm");
    index
        .set_side_effects("stored", "sha1", "x", other, Ack::Applied)
        .unwrap()
        .wait()
        .unwrap();
    let report = index.close().unwrap();
    assert_eq!((report.refused, report.lost_requests), (0, 0));
    let reader = PackageReader::open(&path).unwrap().unwrap();
    let found = reader.get_many(&["stored", "queued", "missing"]).unwrap();
    assert_eq!(found.rows.len(), 2);
    for files in found.rows.values() {
        assert_eq!(files.side_effects.as_ref().unwrap().len(), 40);
    }
}

#[test]
fn many_keys_are_read_at_once_hits_misses_and_damaged_rows_alike() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    assert!(
        PackageReader::open(&path).unwrap().is_none(),
        "no store, no rows"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let index = PackageIndex::open_with(&path, EngineKind::Sqlite).unwrap();
    let rows: Vec<PackageRow> = (0..2500)
        .map(|i| plain(&format!("key-{i:04}"), "ab"))
        .collect();
    index.set_many(rows, Ack::Enqueued).unwrap();
    index.close().unwrap();
    let damaged = "UPDATE package_index SET value = x'05' WHERE key IN (CAST('key-0007' AS BLOB), CAST('key-2001' AS BLOB))";
    rusqlite::Connection::open(path.join("store.db"))
        .unwrap()
        .execute_batch(damaged)
        .unwrap();

    let reader = PackageReader::open(&path).unwrap().unwrap();
    let keys: Vec<String> = (0..3000).map(|i| format!("key-{i:04}")).collect();
    let keys: Vec<&str> = keys
        .iter()
        .map(String::as_str)
        .chain(["key-0001"])
        .collect();
    let found = reader.get_many(&keys).unwrap();
    assert_eq!((found.rows.len(), found.undecodable), (2498, 2));
    assert!(found.rows.contains_key("key-0999") && !found.rows.contains_key("key-2500"));
    assert!(reader.contains("key-0007").unwrap() && !reader.contains("key-2999").unwrap());
    assert_eq!(reader.keys().unwrap().len(), 2500);
    assert!(reader.get_many(&[]).unwrap().rows.is_empty());
}

#[test]
fn the_index_reads_its_own_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    std::fs::create_dir(&path).unwrap();
    let engine = EngineKind::Sqlite.open(&path, &[PACKAGE_INDEX]).unwrap();
    let mut policy = Policy::package_index();
    policy.flush_when.idle = false;
    let index = PackageIndex::over(engine, policy).unwrap();
    for i in 0..50 {
        index
            .set(plain(&format!("key-{i}"), "ab"), Ack::Enqueued)
            .unwrap();
    }
    index.remove("key-3", Ack::Enqueued).unwrap();
    let raw = index.read(|rows| PackageIndex::get_many_raw(rows, &["key-3", "key-4", "none"]));
    let found = batch_store::packages::Found::decode(raw.unwrap());
    assert_eq!(found.rows.keys().collect::<Vec<_>>(), ["key-4"]);
    assert_eq!(
        index.read(|rows| PackageIndex::keys(rows)).unwrap().len(),
        49
    );
    let reader = PackageReader::open(&path).unwrap().unwrap();
    assert_eq!(reader.keys().unwrap().len(), 0, "nothing is committed yet");
    index.writer().barrier(Ack::Committed).unwrap();
    assert_eq!(reader.keys().unwrap().len(), 49);
}
