//! Two entity types, and an engine whose commits wait for the test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use batch_store::entities::{Checkpoint, Entity, EntityStore, FieldValue, Options, Schema};
use batch_store::{Durability, Engine, Error, Family, Layout, Op, Range, Result, Seq, WriteBatch};

pub const ACCOUNTS: Family = Family::new("accounts", Layout::Clustered);
pub const ACCOUNT_VERSIONS: Family = Family::new("account_versions", Layout::Clustered);
pub const BY_OWNER: Family = Family::new("accounts_by_owner", Layout::Clustered);
pub const BY_BALANCE: Family = Family::new("accounts_by_balance", Layout::Clustered);
pub const POOLS: Family = Family::new("pools", Layout::Rowid);
pub const POOL_VERSIONS: Family = Family::new("pool_versions", Layout::Clustered);
pub const STATE: &str = "entity_state";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub owner: String,
    pub balance: i64,
}

impl Account {
    pub fn new(id: &str, owner: &str, balance: i64) -> Self {
        Self {
            id: id.to_owned(),
            owner: owner.to_owned(),
            balance,
        }
    }
}

impl Entity for Account {
    const ROWS: Family = ACCOUNTS;
    const HISTORY: Option<Family> = Some(ACCOUNT_VERSIONS);
    const INDEXES: &'static [Family] = &[BY_OWNER, BY_BALANCE];

    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<FieldValue> {
        vec![self.owner.as_str().into(), self.balance.into()]
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        if self.owner == "unencodable" {
            return Err("the owner cannot be encoded".to_owned());
        }
        let mut bytes = self.balance.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.owner.as_bytes());
        Ok(bytes)
    }

    fn decode(id: &str, bytes: &[u8]) -> Result<Self, String> {
        let (balance, owner) = bytes
            .split_first_chunk()
            .ok_or("the balance is cut short")?;
        let owner = std::str::from_utf8(owner).map_err(|error| error.to_string())?;
        Ok(Self::new(id, owner, i64::from_be_bytes(*balance)))
    }
}

/// Without indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool(pub String, pub u8);

impl Entity for Pool {
    const ROWS: Family = POOLS;
    const HISTORY: Option<Family> = Some(POOL_VERSIONS);
    const INDEXES: &'static [Family] = &[];

    fn id(&self) -> &str {
        &self.0
    }

    fn fields(&self) -> Vec<FieldValue> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        Ok(vec![self.1])
    }

    fn decode(id: &str, bytes: &[u8]) -> Result<Self, String> {
        Ok(Self(id.to_owned(), bytes[0]))
    }
}

pub fn schema() -> Schema {
    Schema::new()
        .with::<Account>()
        .with::<Pool>()
        .with_effects()
}

pub fn checkpoints(numbers: impl IntoIterator<Item = u64>) -> Vec<Checkpoint> {
    let checkpoint = |number: u64| Checkpoint {
        number,
        data: format!("block {number}").into_bytes(),
    };
    numbers.into_iter().map(checkpoint).collect()
}

pub type Map = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// Rows in memory that can be shared and copied.
#[derive(Debug, Clone, Default)]
pub struct Rows(Arc<Mutex<Map>>);

impl Rows {
    /// A copy of the rows as they are now, as a machine would find them after a crash.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.map())))
    }

    pub fn map(&self) -> Map {
        self.0.lock().unwrap().clone()
    }

    /// Cuts every value of the family short.
    pub fn damage(&self, family: Family) {
        let mut rows = self.0.lock().unwrap();
        let of = rows
            .iter_mut()
            .filter(|((name, _), _)| *name == family.name());
        of.for_each(|(_, value)| value.truncate(1));
    }

    fn apply(&self, batch: &WriteBatch) {
        let mut rows = self.0.lock().unwrap();
        for op in batch.ops() {
            let key = (op.family.name(), op.key.clone());
            match &op.value {
                Some(value) => rows.insert(key, value.clone()),
                None => rows.remove(&key),
            };
        }
    }

    pub fn open(&self, capacity: usize) -> EntityStore {
        let gate = Gate::default();
        gate.open();
        self.open_gated(&gate, capacity)
    }

    /// A store that writes through the gate and reads past it.
    pub fn open_gated(&self, gate: &Gate, capacity: usize) -> EntityStore {
        let engine = |is_writer| {
            Box::new(Gated {
                rows: self.clone(),
                gate: gate.clone(),
                is_writer,
            })
        };
        let options = Options {
            capacity,
            ..Options::default()
        };
        EntityStore::open(engine(true), Some(engine(false)), schema(), options).unwrap()
    }
}

/// What the engines were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    CommitStarted,
    CommitEnded,
    /// The reader scanned this family.
    Read(&'static str),
}

#[derive(Debug, Default)]
struct GateState {
    is_open: bool,
    permits: usize,
    waiting: bool,
    fail: Option<Fault>,
    commits: Vec<Vec<Op>>,
    events: Vec<Event>,
}

/// How the next commit fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Refused,
    /// Stored, and then reported as unknown.
    Indeterminate,
    Panic,
}

/// Closed at first: commits wait for permits.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

impl Gate {
    fn with<T>(&self, work: impl FnOnce(&mut GateState) -> T) -> T {
        let (state, changed) = &*self.0;
        let value = work(&mut state.lock().unwrap());
        changed.notify_all();
        value
    }

    fn wait(&self, done: impl Fn(&GateState) -> bool) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        while !done(&state) {
            state = changed.wait(state).unwrap();
        }
    }

    pub fn open(&self) {
        self.with(|state| state.is_open = true);
    }

    pub fn close(&self) {
        self.with(|state| state.is_open = false);
    }

    pub fn fail_next(&self, fault: Fault) {
        self.with(|state| state.fail = Some(fault));
    }

    /// Waits until a commit waits.
    pub fn await_in_flight(&self) {
        self.wait(|state| state.waiting);
    }

    /// Lets the commit that waits pass, and returns its operations.
    pub fn release(&self) -> Vec<Op> {
        self.await_in_flight();
        let number = self.with(|state| {
            state.waiting = false;
            state.permits += 1;
            state.commits.len()
        });
        self.wait(|state| state.commits.len() > number);
        self.commits().remove(number)
    }

    /// The operations of every commit that passed.
    pub fn commits(&self) -> Vec<Vec<Op>> {
        self.with(|state| state.commits.clone())
    }

    pub fn events(&self) -> Vec<Event> {
        self.with(|state| state.events.clone())
    }

    fn pass(&self, batch: &WriteBatch) -> Option<Fault> {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.events.push(Event::CommitStarted);
        state.waiting = !state.is_open && state.permits == 0;
        changed.notify_all();
        while !state.is_open && state.permits == 0 {
            state = changed.wait(state).unwrap();
        }
        state.waiting = false;
        state.permits = state.permits.saturating_sub(1);
        state.commits.push(batch.ops().to_vec());
        changed.notify_all();
        state.fail.take()
    }
}

struct Gated {
    rows: Rows,
    gate: Gate,
    is_writer: bool,
}

impl Engine for Gated {
    fn commit(&mut self, batch: &WriteBatch, _durability: Durability) -> Result<Seq> {
        let refused = || Error::State {
            action: "commit",
            reason: "a fault asked for by the test".to_owned(),
        };
        match self.gate.pass(batch) {
            None => self.rows.apply(batch),
            Some(Fault::Refused) => return Err(refused()),
            Some(Fault::Panic) => panic!("a panic asked for by the test"),
            Some(Fault::Indeterminate) => {
                self.rows.apply(batch);
                return Err(Error::Indeterminate {
                    ops: batch.len(),
                    source: Box::new(refused()),
                });
            }
        }
        self.gate
            .with(|state| state.events.push(Event::CommitEnded));
        Ok(Seq(1))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let rows = self.rows.0.lock().unwrap();
        Ok(rows.get(&(family.name(), key.to_vec())).cloned())
    }

    fn scan(
        &self,
        family: Family,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<batch_store::engine::Row>> {
        if !self.is_writer {
            let event = Event::Read(family.name());
            self.gate.with(|state| state.events.push(event));
        }
        let rows = self.rows.0.lock().unwrap();
        let rows = rows
            .range((family.name(), range.start.clone())..)
            .take_while(|((name, key), _)| {
                *name == family.name() && range.end.as_ref().is_none_or(|end| key < end)
            })
            .filter(|((_, key), _)| range.after.as_ref().is_none_or(|after| key > after))
            .take(limit);
        Ok(rows
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn count(&self, family: Family) -> Result<u64> {
        let rows = self.rows.0.lock().unwrap();
        Ok(rows
            .keys()
            .filter(|(name, _)| *name == family.name())
            .count() as u64)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, _dir: &Path) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The committed frontier that a commit's operations store.
pub fn frontier_of(ops: &[Op]) -> u64 {
    let state = ops.iter().rfind(|op| op.family.name() == STATE).unwrap();
    let bytes = state.value.as_ref().unwrap().iter();
    let mut number = 0;
    for (shift, byte) in bytes.enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// A row or version key, read with code of its own: the id, and the checkpoint of
/// a version.
pub fn split_key(key: &[u8]) -> (String, Option<u64>) {
    let end = key.iter().position(|byte| *byte == 0).unwrap();
    let id = String::from_utf8(key[..end].to_vec()).unwrap();
    let checkpoint = key[end + 1..].try_into().ok().map(u64::from_be_bytes);
    (id, checkpoint)
}
