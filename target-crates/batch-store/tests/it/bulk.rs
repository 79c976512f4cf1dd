//! The bulk load: parallel as serial, sorted as compared, last wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use batch_store::disk::RealDisk;
use batch_store::engine::segment::Options;
use batch_store::grants::{Grant, StoredGrant};
use batch_store::{
    Durability, Engine, Family, MemoryEngine, Record, Result, SegmentEngine, SqliteEngine,
    StagedLoad, Table, WriteBatch,
};
use proptest::prelude::*;

use crate::hooked::FAMILIES;
use crate::support::{RAW, Raw, cases, check_indexes, rows};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Every family's rows of a load, in the order that an engine gets them.
fn contents(load: &StagedLoad) -> Vec<(Family, Rows)> {
    let owned = |(key, value): (&[u8], Option<&[u8]>)| (key.to_vec(), value.unwrap().to_vec());
    let runs = load.load().runs().iter();
    runs.map(|run| (run.family(), run.rows().map(owned).collect()))
        .collect()
}

fn encoded(records: &[StoredGrant], threads: usize) -> StagedLoad {
    let table = Table::<StoredGrant>::new();
    table
        .encode(records, threads, |record| record)
        .unwrap()
        .over_nothing()
}

fn record(id: usize, entitlement: usize, user: usize) -> StoredGrant {
    StoredGrant {
        sync_id: "s".to_owned(),
        grant: Grant::new(
            &format!("g-{id:05}"),
            &format!("e-{entitlement}"),
            &format!("u-{user}"),
        ),
    }
}

/// What putting the records one by one leaves.
fn one_by_one(engine: &mut dyn Engine, records: &[StoredGrant]) {
    for record in records {
        let mut batch = WriteBatch::new();
        Table::new().stage_put(engine, &mut batch, record).unwrap();
        engine.commit(&batch, Durability::Checkpoint).unwrap();
    }
}

#[test]
fn invariant_24_a_load_is_the_same_on_any_number_of_threads_and_as_one_by_one() {
    for n in [
        0, 1, 2, 255, 256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 9001,
    ] {
        let sorted: Vec<_> = (0..n).map(|i| record(i, i % 7, i % 11)).collect();
        let shuffled: Vec<_> = (0..n)
            .map(|i| record(i * 7919 % n.max(1), i % 7, i % 11))
            .collect();
        let repeated: Vec<_> = (0..n)
            .map(|i| record(i * 7919 % (n / 3 + 1), i % 7, i % 11))
            .collect();
        for records in [sorted, shuffled, repeated] {
            let mut model = MemoryEngine::new();
            one_by_one(&mut model, &records);
            let serial = contents(&encoded(&records, 1));
            for (family, found) in &serial {
                assert!(*found == rows(&model, *family), "{n} in {}", family.name());
            }
            for threads in [2, 3, 4, 16] {
                assert!(
                    contents(&encoded(&records, threads)) == serial,
                    "{n} on {threads}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn invariant_21_a_load_over_others_leaves_the_indexes_of_the_rows_on_every_engine(
        calls in proptest::collection::vec(
            proptest::collection::vec((0..40_usize, 0..4_usize, 0..4_usize), 0..80), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        // So small that every load becomes a segment and segments are merged.
        let options = Options { ingest_min_bytes: 1, block_bytes: 300, max_segments: 3, ..Options::default() };
        let segments = SegmentEngine::open_with(&dir.path().join("segments"), options, Arc::new(RealDisk));
        let sqlite = SqliteEngine::open(&dir.path().join("store.db"), &FAMILIES, Durability::Checkpoint);
        let mut engines: Vec<Box<dyn Engine>> = vec![
            Box::new(MemoryEngine::new()), Box::new(segments.unwrap()), Box::new(sqlite.unwrap()),
        ];
        let mut model = MemoryEngine::new();
        for call in calls {
            let records: Vec<_> = call.into_iter().map(|(id, e, u)| record(id, e, u)).collect();
            one_by_one(&mut model, &records);
            for loaded in &mut engines {
                let before = loaded.count(FAMILIES[0]).unwrap();
                let table = Table::<StoredGrant>::new();
                let encoded = table.encode(&records, 4, |record| record).unwrap();
                let staged = encoded.over(&**loaded).unwrap();
                loaded.ingest(staged.load(), Durability::Checkpoint).unwrap();
                for family in FAMILIES {
                    prop_assert_eq!(rows(&**loaded, family), rows(&model, family));
                    prop_assert_eq!(loaded.count(family).unwrap(), model.count(family).unwrap());
                }
                check_indexes(&**loaded);
                let inserted = (staged.records() - staged.replaced()) as u64;
                prop_assert_eq!(loaded.count(FAMILIES[0]).unwrap(), before + inserted);
            }
        }
    }
}

/// Keys that share long prefixes, end within each other, and repeat.
fn raw_key() -> impl Strategy<Value = Vec<u8>> {
    let tail = proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..20);
    let shared = prop_oneof![Just(0_usize), Just(7), Just(8), Just(9), Just(300)];
    (shared, tail).prop_map(|(shared, tail)| {
        let mut key = vec![b'x'; shared];
        key.extend(tail);
        key
    })
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn keys_of_any_bytes_are_sorted_as_a_map_sorts_them(
        keys in proptest::collection::vec(raw_key(), 0..400), repeat in 1..12_usize,
    ) {
        let keys = keys.iter().cycle().take(keys.len() * repeat);
        let records: Vec<Raw> = keys.zip(0_u32..).map(|(key, i)| Raw { key: key.clone(), value: i.to_le_bytes().to_vec() }).collect();
        let model: BTreeMap<_, _> =
            records.iter().map(|raw| (raw.key.clone(), raw.value.clone())).collect();
        let expected: Rows = model.into_iter().collect();
        for threads in [1, 3] {
            let staged = Table::<Raw>::new().encode(&records, threads, |raw| raw).unwrap();
            prop_assert_eq!(&contents(&staged.over_nothing())[0].1, &expected);
        }
    }
}

#[test]
fn a_record_that_cannot_be_encoded_fails_the_whole_load() {
    #[derive(Debug)]
    struct Bad(u32);
    impl Record for Bad {
        const PRIMARY: Family = RAW;
        const INDEXES: &'static [Family] = &[];
        fn key(&self) -> Vec<u8> {
            self.0.to_be_bytes().to_vec()
        }
        fn index_keys(&self) -> Vec<Vec<u8>> {
            Vec::new()
        }
        fn encode(&self) -> Result<Vec<u8>> {
            match self.0 {
                4000 => Err(batch_store::Error::Encode {
                    record: "4000".to_owned(),
                    reason: "asked for by the test".to_owned(),
                }),
                _ => Ok(Vec::new()),
            }
        }
        fn decode(_key: &[u8], _value: &[u8]) -> Result<Self> {
            Ok(Self(0))
        }
        fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
            Ok(index_key.to_vec())
        }
    }
    let records: Vec<Bad> = (0..5000).map(Bad).collect();
    for threads in [1, 4] {
        let outcome = Table::<Bad>::new().encode(&records, threads, |bad| bad);
        assert!(matches!(outcome, Err(batch_store::Error::Encode { .. })));
    }
}

#[test]
fn a_first_record_that_is_large_does_not_make_a_load_reserve_as_much_for_each() {
    let mut records: Vec<StoredGrant> = (0..4096).map(|id| record(id, 1, 1)).collect();
    // 256 GiB, if all were like it.
    records[0].grant.entitlement.resource = "x".repeat(64 << 20);
    let load = encoded(&records, 1);
    assert_eq!(contents(&load)[0].1.len(), records.len());
}
