//! An engine whose calls a test sees, fails, or dies at.

use std::path::Path;
use std::sync::{Arc, Mutex};

use batch_store::disk::RealDisk;
use batch_store::engine::segment::Options;
use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, SESSIONS};
use batch_store::{
    BulkLoad, Durability, Engine, EngineKind, Error, Family, Range, Result, SegmentEngine, Seq,
    WriteBatch,
};

/// The tables of a grants session.
pub const FAMILIES: [Family; 4] = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL, SESSIONS];

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Commit(Durability),
    Ingest(Durability),
    Read,
    Sync,
    Checkpoint,
    Close,
}

impl Call {
    /// Whether it may change what is stored or what is durable.
    pub fn is_step(self) -> bool {
        self != Self::Read
    }
}

/// Before the call is passed on, or after it succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

type Hook = Box<dyn FnMut(Call, When) -> Result<()> + Send>;

/// The engine: an error of the hook is the call's.
pub struct Hooked {
    inner: Arc<Mutex<dyn Engine>>,
    hook: Mutex<Hook>,
}

impl Hooked {
    pub fn new(
        inner: Arc<Mutex<dyn Engine>>,
        hook: impl FnMut(Call, When) -> Result<()> + Send + 'static,
    ) -> Box<Self> {
        let hook: Mutex<Hook> = Mutex::new(Box::new(hook));
        Box::new(Self { inner, hook })
    }

    fn call<T>(&self, call: Call, inner: impl FnOnce(&mut dyn Engine) -> Result<T>) -> Result<T> {
        let mut hook = self.hook.lock().unwrap();
        hook(call, When::Before)?;
        let value = inner(&mut *self.inner.lock().unwrap())?;
        hook(call, When::After)?;
        Ok(value)
    }
}

impl Engine for Hooked {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        self.call(Call::Commit(durability), |engine| {
            engine.commit(batch, durability)
        })
    }

    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> Result<Seq> {
        self.call(Call::Ingest(durability), |engine| {
            engine.ingest(load, durability)
        })
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.call(Call::Read, |engine| engine.get(family, key))
    }

    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        self.call(Call::Read, |engine| engine.get_many(family, keys))
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.call(Call::Read, |engine| engine.scan(family, range, limit))
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.call(Call::Read, |engine| engine.count(family))
    }

    fn sync(&mut self) -> Result<()> {
        self.call(Call::Sync, |engine| engine.sync())
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.call(Call::Checkpoint, |engine| engine.checkpoint(dir))
    }

    fn close(&mut self) -> Result<()> {
        self.call(Call::Close, |engine| engine.close())
    }
}

/// A segment engine that takes the loads of a test for large ones.
pub fn small_loads() -> Options {
    Options {
        ingest_min_bytes: 64 << 10,
        ..Options::default()
    }
}

/// A store of this kind that a test can look into while a session has it.
pub fn shared(kind: EngineKind, dir: &Path) -> Arc<Mutex<dyn Engine>> {
    std::fs::create_dir_all(dir).unwrap();
    match kind {
        EngineKind::Segment => Arc::new(Mutex::new(
            SegmentEngine::open_with(dir, small_loads(), Arc::new(RealDisk)).unwrap(),
        )),
        EngineKind::Sqlite => Arc::new(Mutex::new(
            batch_store::SqliteEngine::open(
                &dir.join("store.db"),
                &FAMILIES,
                Durability::Checkpoint,
            )
            .unwrap(),
        )),
    }
}

/// What a failed call reports: nothing of it was applied.
pub fn fault() -> Error {
    Error::State {
        action: "call the engine",
        reason: "a fault asked for by the test".to_owned(),
    }
}

/// What a call reports that succeeded without knowing it.
pub fn indeterminate() -> Error {
    Error::Indeterminate {
        ops: 0,
        source: Box::new(fault()),
    }
}

/// A hook that fails step number `number`, counting from 1: before it, or after it
/// as indeterminate.
pub fn failing(number: usize, when: When) -> impl FnMut(Call, When) -> Result<()> + Send {
    let mut steps = 0;
    move |call, now| {
        steps += usize::from(call.is_step() && now == When::Before);
        match (steps == number && now == when && call.is_step(), when) {
            (true, When::Before) => Err(fault()),
            (true, When::After) => Err(indeterminate()),
            (false, _) => Ok(()),
        }
    }
}
