//! A fixed sequence of batches that reaches every part of the engine, and the
//! state after each of them.

use std::collections::BTreeMap;
use std::path::Path;

use batch_store::disk::SharedDisk;
use batch_store::engine::segment::Options;
use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use batch_store::{
    BulkLoad, Durability, Engine, Error, Family, MemoryEngine, Range, Record, Result,
    SegmentEngine, Table, WriteBatch,
};

use crate::support::{RAW, Raw, check_indexes};

pub const FAMILIES: [Family; 4] = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, RAW];

/// Every row of every family.
pub type State = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// Sizes at which a few rows make blocks, segments and merges.
pub fn tiny() -> Options {
    Options {
        memtable_bytes: 400,
        block_bytes: 64,
        max_segments: 2,
        cache_bytes: 1000,
        ingest_min_bytes: 0,
        encoders: 1,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch of puts and deletes.
    Commit(Durability),
    /// A bulk load.
    Ingest,
    Sync,
    /// Closes the engine and opens it again.
    Reopen,
}

pub const STEPS: &[Step] = &[
    Step::Commit(Durability::EachCommit),
    Step::Commit(Durability::Checkpoint),
    Step::Commit(Durability::Checkpoint),
    Step::Sync,
    Step::Commit(Durability::Checkpoint),
    Step::Ingest,
    Step::Commit(Durability::EachCommit),
    Step::Reopen,
    Step::Ingest,
    Step::Commit(Durability::EachCommit),
    Step::Commit(Durability::EachCommit),
    Step::Ingest,
    Step::Commit(Durability::Checkpoint),
    Step::Commit(Durability::EachCommit),
];

pub fn stored(id: usize, version: usize) -> StoredGrant {
    let mut grant = Grant::new(
        &format!("g-{id:03}"),
        &format!("e-{}", version % 3),
        &format!("u-{}", version % 5),
    );
    grant.discovered_at_ns = version as i64;
    StoredGrant {
        sync_id: "s".to_owned(),
        grant,
    }
}

fn raw(key: String, version: usize) -> Raw {
    Raw {
        key: key.into_bytes(),
        value: format!("{version}").repeat(1 + version % 7).into_bytes(),
    }
}

/// Batch number `at`: new rows, overwritten ones and deletes.
pub fn batch(engine: &dyn Engine, at: usize) -> Result<WriteBatch> {
    let (grants, raws) = (Table::<StoredGrant>::new(), Table::<Raw>::new());
    let mut batch = WriteBatch::new();
    for id in [at % 5, at, at + 1] {
        grants.stage_put(engine, &mut batch, &stored(id, at))?;
    }
    for key in [format!("hot-{}", at % 2), format!("raw-{at}")] {
        raws.stage_put(engine, &mut batch, &raw(key, at))?;
    }
    let gone = stored((at + 3) % 6, 0).key();
    grants.stage_delete(engine, &mut batch, &gone)?;
    let gone = format!("raw-{}", at.saturating_sub(4)).into_bytes();
    raws.stage_delete(engine, &mut batch, &gone)?;
    Ok(batch)
}

/// Bulk load number `at`: replaces rows and adds some.
pub fn load(at: usize) -> BulkLoad {
    let raws: Vec<Raw> = (0..6)
        .map(|i| raw(format!("load-{}", i + at % 3), at))
        .chain([raw(format!("hot-{}", at % 2), at)])
        .collect();
    Table::new().load(&raws).unwrap()
}

/// Does the step on any engine that needs no reopening.
pub fn apply(engine: &mut dyn Engine, at: usize) -> Result<()> {
    match STEPS[at] {
        Step::Commit(durability) => {
            let batch = batch(engine, at)?;
            engine.commit(&batch, durability).map(drop)
        }
        Step::Ingest => engine.ingest(&load(at), Durability::EachCommit).map(drop),
        Step::Sync => engine.sync(),
        Step::Reopen => engine.close(),
    }
}

pub fn state(engine: &dyn Engine) -> Result<State> {
    let mut state = State::new();
    for family in FAMILIES {
        let found = engine.scan(family, &Range::all(), usize::MAX)?;
        assert_eq!(engine.count(family)?, found.len() as u64);
        state.extend(
            found
                .into_iter()
                .map(|(key, value)| ((family.name(), key), value)),
        );
    }
    Ok(state)
}

/// The state after each number of steps, from 0.
pub fn states() -> Vec<State> {
    let mut model = MemoryEngine::new();
    let mut states = vec![state(&model).unwrap()];
    for at in 0..STEPS.len() {
        apply(&mut model, at).unwrap();
        states.push(state(&model).unwrap());
    }
    states
}

/// How far a run came, in steps that are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// These survive power loss.
    pub synced: usize,
    /// These survive the process.
    pub committed: usize,
    /// No more than these can be there.
    pub tried: usize,
}

/// Runs the steps until one fails, telling of each before it is tried (false) and
/// when it is done (true).
pub fn run(dir: &Path, disk: &SharedDisk, tell: &mut dyn FnMut(usize, bool)) -> Progress {
    let mut progress = Progress::default();
    let open = || SegmentEngine::open_with(dir, tiny(), disk.clone());
    let Ok(mut engine) = open() else {
        return progress;
    };
    for (at, step) in STEPS.iter().enumerate() {
        tell(at, false);
        let outcome = apply(&mut engine, at);
        if let Err(error) = outcome {
            // Any error but this one promises that nothing was stored.
            if matches!(error, Error::Indeterminate { .. }) {
                progress.tried = at + 1;
            }
            return progress;
        }
        progress.committed = at + 1;
        progress.tried = at + 1;
        if *step != Step::Commit(Durability::Checkpoint) {
            progress.synced = at + 1;
        }
        tell(at, true);
        if *step == Step::Reopen {
            drop(engine);
            let Ok(again) = open() else {
                return progress;
            };
            engine = again;
        }
    }
    progress
}

/// Fails unless the store in `dir` has one of the states `least` to `most`, and
/// goes on from there as if nothing had happened.
pub fn check_recovered(
    dir: &Path,
    disk: &SharedDisk,
    states: &[State],
    (least, most): (usize, usize),
    what: &dyn std::fmt::Debug,
) {
    let open = || SegmentEngine::open_with(dir, tiny(), disk.clone());
    let mut engine = open().unwrap_or_else(|error| panic!("{what:?}: {error:?}"));
    let found = state(&engine).unwrap();
    let at = (least..=most).find(|at| states[*at] == found);
    assert!(
        at.is_some(),
        "{what:?}: not the state after {least} to {most} steps but after {:?}",
        states.iter().position(|state| *state == found)
    );
    check_indexes(&engine);
    engine
        .commit(&batch(&engine, 99).unwrap(), Durability::EachCommit)
        .unwrap();
    let found = state(&engine).unwrap();
    drop(engine);
    assert_eq!(state(&open().unwrap()).unwrap(), found, "{what:?}");
}
