//! Operations at random, and what must be the same after them.

use batch_store::engine::segment::Options;
use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use batch_store::keys::KeyBuilder;
use batch_store::{Durability, Engine, Family, Range, Table, WriteBatch};
use proptest::prelude::*;

use crate::support::{RAW, Raw, check_indexes, rows};

pub const FAMILIES: [Family; 4] = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, RAW];

/// Sizes at which a few rows make blocks, segments and merges.
pub fn tiny() -> Options {
    Options {
        memtable_bytes: 300,
        block_bytes: 40,
        max_segments: 3,
        cache_bytes: 200,
        ingest_min_bytes: 0,
        encoders: 2,
    }
}

#[derive(Debug, Clone)]
pub enum Step {
    Put(Raw),
    Delete(Vec<u8>),
    PutGrant(Grant),
    DeleteGrant(String),
    Commit(Durability),
    Ingest(Vec<Raw>),
    Sync,
    Reopen,
}

/// Few keys, so that they meet, of the bytes that encodings get wrong.
pub fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(vec![0_u8, 1, 2, 0x61, 0xfe, 0xff]);
    prop::collection::vec(byte, 0..4)
}

pub fn raw() -> impl Strategy<Value = Raw> {
    let value = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..6),
        1 => (any::<u8>(), 50..120_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    (key(), value).prop_map(|(key, value)| Raw { key, value })
}

pub fn grant() -> impl Strategy<Value = Grant> {
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

pub fn durability() -> impl Strategy<Value = Durability> {
    prop_oneof![Just(Durability::Checkpoint), Just(Durability::EachCommit)]
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => raw().prop_map(Step::Put),
        3 => key().prop_map(Step::Delete),
        5 => grant().prop_map(Step::PutGrant),
        2 => (0..12_u8).prop_map(|id| Step::DeleteGrant(format!("g{id}"))),
        4 => durability().prop_map(Step::Commit),
        2 => prop::collection::vec(raw(), 0..12).prop_map(Step::Ingest),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

pub fn range() -> impl Strategy<Value = Range> {
    let bound = || prop::option::of(key());
    (key(), bound(), bound()).prop_map(|(start, end, after)| Range { start, end, after })
}

pub fn stored(grant: &Grant) -> StoredGrant {
    StoredGrant {
        sync_id: "s".to_owned(),
        grant: grant.clone(),
    }
}

pub fn grant_key(id: &str) -> Vec<u8> {
    KeyBuilder::new().str("s").str(id).finish()
}

/// Adds the step's changes, or does what it says with the engine.
pub fn apply(engine: &mut Box<dyn Engine>, batch: &mut WriteBatch, step: &Step) {
    let (raws, grants) = (Table::<Raw>::new(), Table::<StoredGrant>::new());
    match step {
        Step::Put(raw) => raws.stage_put(&**engine, batch, raw).unwrap(),
        Step::Delete(key) => {
            raws.stage_delete(&**engine, batch, key).unwrap();
        }
        Step::PutGrant(grant) => grants.stage_put(&**engine, batch, &stored(grant)).unwrap(),
        Step::DeleteGrant(id) => {
            let key = grant_key(id);
            grants.stage_delete(&**engine, batch, &key).unwrap();
        }
        Step::Commit(durability) => {
            engine.commit(&std::mem::take(batch), *durability).unwrap();
        }
        Step::Ingest(raws) => {
            engine
                .commit(&std::mem::take(batch), Durability::Checkpoint)
                .unwrap();
            let load = Table::new().load(raws).unwrap();
            engine.ingest(&load, Durability::EachCommit).unwrap();
        }
        Step::Sync => engine.sync().unwrap(),
        Step::Reopen => {}
    }
}

pub fn check_same(engine: &dyn Engine, model: &dyn Engine, ranges: &[(Range, usize)]) {
    for family in FAMILIES {
        let expected = rows(model, family);
        assert_eq!(rows(engine, family), expected, "{}", family.name());
        assert_eq!(engine.count(family).unwrap(), expected.len() as u64);
    }
    for (range, limit) in ranges {
        let found = engine.scan(RAW, range, *limit).unwrap();
        assert_eq!(found, model.scan(RAW, range, *limit).unwrap(), "{range:?}");
        let probe = &range.start;
        assert_eq!(
            engine.get(RAW, probe).unwrap(),
            model.get(RAW, probe).unwrap()
        );
    }
    let keys: Vec<&[u8]> = ranges
        .iter()
        .map(|(range, _)| range.start.as_slice())
        .collect();
    assert_eq!(
        engine.get_many(RAW, &keys).unwrap(),
        model.get_many(RAW, &keys).unwrap()
    );
    check_indexes(engine);
}
