//! What several subjects need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use batch_store::engine::Row;
use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, GrantSession, StoredGrant};
use batch_store::{
    Ack, Coalesce, Cursor, Durability, Engine, Error, Family, FaultEngine, Faults, FlushWhen,
    Layout, MemoryEngine, OnError, OnFull, Page, Policy, Range, Record, Result, Seq, WriteBatch,
    Writer,
};
use proptest::test_runner::Config;

/// Every row of the family.
pub fn rows(engine: &dyn Engine, family: batch_store::Family) -> Vec<(Vec<u8>, Vec<u8>)> {
    engine.scan(family, &Range::all(), usize::MAX >> 1).unwrap()
}

/// Fails unless the index entries are exactly those of the stored grants.
pub fn check_indexes(engine: &dyn Engine) {
    let mut expected = [BTreeSet::new(), BTreeSet::new()];
    for (key, value) in rows(engine, GRANTS) {
        let stored = StoredGrant::decode(&key, &value).unwrap();
        assert_eq!(stored.key(), key);
        for (index, index_key) in stored.index_keys().into_iter().enumerate() {
            assert_eq!(StoredGrant::primary_of(index, &index_key).unwrap(), key);
            assert!(expected[index].insert(index_key));
        }
    }
    for (family, expected) in [BY_ENTITLEMENT, BY_PRINCIPAL].into_iter().zip(expected) {
        let found: BTreeSet<_> = rows(engine, family)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(found, expected, "{}", family.name());
    }
}

/// [`check_indexes`] of an open session.
pub fn check_session(session: &GrantSession) {
    let checked = session.read(|engine| {
        check_indexes(engine);
        Ok(())
    });
    checked.unwrap();
}

/// Every row of a list, page by page, and the number of pages.
pub fn all_pages<T>(read: impl Fn(Option<&Cursor>) -> Result<Page<T>>) -> (Vec<T>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = read(cursor.as_ref()).unwrap();
        rows.extend(page.rows);
        pages += 1;
        match page.next {
            Some(next) => cursor = Some(Cursor::parse(next.as_str())),
            None => return (rows, pages),
        }
    }
}

/// Grants `0..n`, over a few entitlements and users.
pub fn some_grants(n: usize) -> Vec<Grant> {
    (0..n)
        .map(|i| {
            Grant::new(
                &format!("g-{i:05}"),
                &format!("e-{}", i % 7),
                &format!("u-{}", i % 11),
            )
        })
        .collect()
}

/// This test binary again, running one ignored test that does the work of a child
/// in `dir`. The name is the test's path: `module::test`.
pub fn child(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--test-threads=1"]);
    command
        .env("BATCH_STORE_TEST_DIR", dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The directory that [`child`] was given.
pub fn child_dir() -> PathBuf {
    std::env::var_os("BATCH_STORE_TEST_DIR")
        .expect("run by its parent test")
        .into()
}

/// Property tests run a fixed number of cases and leave no files behind.
pub fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

/// An engine in memory that the test can read while a writer owns it.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<MemoryEngine>>);

impl Shared {
    fn engine(&self) -> MutexGuard<'_, MemoryEngine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Shared {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        self.engine().commit(batch, durability)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine().get(family, key)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.engine().scan(family, range, limit)
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.engine().count(family)
    }

    fn sync(&mut self) -> Result<()> {
        self.engine().sync()
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.engine().checkpoint(dir)
    }

    fn close(&mut self) -> Result<()> {
        self.engine().close()
    }
}

/// A writer over memory whose faults and rows the test can get at.
pub struct Rig {
    pub writer: Writer,
    pub faults: Arc<Faults>,
    pub engine: Shared,
}

impl Rig {
    pub fn new(policy: Policy) -> Self {
        let (faults, engine) = (Arc::new(Faults::default()), Shared::default());
        let faulty = FaultEngine::new(Box::new(engine.clone()), Arc::clone(&faults));
        let writer = Writer::spawn(Box::new(faulty), policy).unwrap();
        Self {
            writer,
            faults,
            engine,
        }
    }

    /// The counters as they are stored.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let decode = |(key, value): Row| {
            let counter = Counter::decode(&key, &value).unwrap();
            (counter.key, counter.value)
        };
        rows(&self.engine, COUNTERS)
            .into_iter()
            .map(decode)
            .collect()
    }
}

/// Commits when somebody waits or nobody will; else nothing happens by itself.
pub fn policy() -> Policy {
    Policy {
        queue_items: 64,
        queue_bytes: 1 << 20,
        on_full: OnFull::Block,
        flush_when: FlushWhen {
            idle: true,
            ops: 1000,
            bytes: 1 << 20,
            age: Duration::from_secs(3600),
        },
        max_batch: 1000,
        coalesce: Coalesce::ByKey,
        ack: Ack::Committed,
        durability: Durability::Checkpoint,
        on_error: OnError::DropBatch,
        close_deadline: Duration::from_secs(600),
    }
}

/// The same, but commits only when asked to.
pub fn patient() -> Policy {
    let mut policy = policy();
    policy.flush_when.idle = false;
    policy
}

pub const COUNTERS: Family = Family::new("counters", Layout::Clustered);

/// A record without indexes. `u64::MAX` cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    pub key: String,
    pub value: u64,
}

pub fn counter(key: &str, value: u64) -> Counter {
    let key = key.to_owned();
    Counter { key, value }
}

impl Record for Counter {
    const PRIMARY: Family = COUNTERS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        self.key.clone().into_bytes()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        if self.value == u64::MAX {
            let (record, reason) = (self.key.clone(), "it is too large".to_owned());
            return Err(Error::Encode { record, reason });
        }
        Ok(self.value.to_be_bytes().to_vec())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let key = String::from_utf8(key.to_vec()).unwrap();
        let value = u64::from_be_bytes(value.try_into().unwrap());
        Ok(Self { key, value })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

/// Runs a test that hangs when it fails, and fails it then.
pub fn within(test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let outcome = is_done.recv_timeout(Duration::from_secs(120));
    if outcome == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    thread.join().unwrap();
}
/// A family of rows whose keys and values are any bytes.
pub const RAW: batch_store::Family = batch_store::Family::new("raw", Layout::Clustered);

/// A row of [`RAW`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl Record for Raw {
    const PRIMARY: batch_store::Family = RAW;
    const INDEXES: &'static [batch_store::Family] = &[];

    fn key(&self) -> Vec<u8> {
        self.key.clone()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.value.clone())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        Ok(Self {
            key: key.to_vec(),
            value: value.to_vec(),
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
