//! The naive model: every change ever made, by entity and checkpoint, and what a
//! store must hold after each batch. [`Run`] drives a store beside it.

use std::collections::{BTreeMap, BTreeSet};

use batch_store::entities::{CHECKPOINTS, EntityStore, Filter, History};

use super::steps::{Step, owner_name};
use super::support::{
    ACCOUNT_VERSIONS, ACCOUNTS, Account, BY_BALANCE, BY_OWNER, Gate, Map, Pool, Rows, checkpoints,
    frontier_of, split_key,
};

pub const IDS: usize = 6;

pub fn id(number: usize) -> String {
    format!("a{number}")
}

pub type State = BTreeMap<String, Account>;
type Changes = BTreeMap<String, BTreeMap<u64, Option<Account>>>;

/// What storage must hold once a batch is committed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    pub rows: State,
    /// All changes up to the batch that a rollback has not undone.
    versions: BTreeSet<(String, u64)>,
    checkpoints: BTreeSet<u64>,
    /// Versions and checkpoints below this may be pruned, before the next batch.
    floor: u64,
}

#[derive(Debug, Default)]
pub struct Model {
    pub changes: Changes,
    pub processed: u64,
    pub current: u64,
    /// The lowest target of a rollback.
    pub floor: u64,
    pub pending: Option<u64>,
    checkpoints: BTreeSet<u64>,
    /// By the last checkpoint of each batch; 0 is the empty store.
    pub batches: BTreeMap<u64, Expected>,
}

impl Model {
    pub fn new() -> Self {
        let mut model = Self::default();
        model.batches.insert(0, Expected::default());
        model
    }

    pub fn at(&self, checkpoint: u64) -> State {
        let last = |changes: &BTreeMap<u64, Option<Account>>| {
            let (_, value) = changes.range(..=checkpoint).next_back()?;
            value.clone()
        };
        let rows = self.changes.iter();
        rows.filter_map(|(id, changes)| Some((id.clone(), last(changes)?)))
            .collect()
    }

    pub fn now(&self) -> State {
        self.at(u64::MAX)
    }

    fn lowest(&self) -> u64 {
        self.processed + 1 + u64::from(self.pending.is_some())
    }

    fn commit(&mut self, numbers: &[u64], upto: u64, history: History) {
        if let Some(target) = self.pending.take() {
            self.checkpoints.retain(|number| *number <= target);
        }
        self.checkpoints.extend(numbers);
        self.processed = upto;
        self.current = self.current.max(upto);
        if history == History::Off {
            self.floor = upto;
        }
        let changes = self.changes.iter().flat_map(|(id, changes)| {
            let numbers = changes.range(..=upto);
            numbers.map(|(number, _)| (id.clone(), *number))
        });
        let expected = Expected {
            rows: self.at(upto),
            versions: changes.collect(),
            checkpoints: self.checkpoints.clone(),
            floor: self.floor,
        };
        self.batches.insert(upto, expected);
    }

    pub fn rollback(&mut self, target: u64) {
        for changes in self.changes.values_mut() {
            changes.retain(|checkpoint, _| *checkpoint <= target);
        }
        self.pending = Some(target);
        self.current = self.processed + 1;
    }

    fn prune(&mut self, safe: u64) {
        let needed = self.pending.unwrap_or(safe);
        self.floor = self.floor.max(safe.min(needed));
        if let Some(last) = self.batches.get_mut(&self.processed) {
            last.floor = self.floor;
        }
    }

    /// Compares storage, as a crash would leave it now, with what it must be.
    pub fn check_storage(&self, map: &Map, committed: u64) {
        let expected = &self.batches[&committed];
        let floor = expected.floor;
        let of = |family: batch_store::Family| {
            map.iter()
                .filter(move |((name, _), _)| *name == family.name())
                .map(|((_, key), value)| (key, value))
        };
        let stored: State = of(ACCOUNTS)
            .map(|(key, value)| {
                let (id, _) = split_key(key);
                let account = batch_store::entities::Entity::decode(&id, value).unwrap();
                (id, account)
            })
            .collect();
        assert_eq!(stored, expected.rows, "rows at {committed}");
        assert_eq!(of(BY_OWNER).count(), stored.len(), "index entries");
        assert_eq!(of(BY_BALANCE).count(), stored.len(), "index entries");
        let versions = of(ACCOUNT_VERSIONS).map(|(key, _)| {
            let (id, checkpoint) = split_key(key);
            (id, checkpoint.unwrap())
        });
        let (recent, old): (BTreeSet<_>, Vec<_>) = {
            let (recent, old): (Vec<_>, Vec<_>) = versions.partition(|(_, number)| *number > floor);
            (recent.into_iter().collect(), old)
        };
        let wanted = expected.versions.iter();
        let wanted: BTreeSet<_> = wanted
            .filter(|(_, number)| *number > floor)
            .cloned()
            .collect();
        assert_eq!(recent, wanted, "versions above {}", floor);
        let pool_versions = of(super::support::POOL_VERSIONS).count();
        assert_eq!(pool_versions, recent.len() + old.len(), "the second table");
        let numbers =
            of(CHECKPOINTS).map(|(key, _)| u64::from_be_bytes(key.as_slice().try_into().unwrap()));
        let numbers: BTreeSet<_> = numbers.filter(|number| *number >= floor).collect();
        let wanted = expected.checkpoints.iter().copied();
        let wanted: BTreeSet<_> = wanted.filter(|number| *number >= floor).collect();
        assert_eq!(numbers, wanted, "checkpoints");
    }
}

/// A store beside its model.
pub struct Run {
    pub store: EntityStore,
    pub model: Model,
    rows: Option<(Rows, Gate)>,
    /// An upper bound of what is not committed.
    unwritten: usize,
    capacity: usize,
}

impl Run {
    /// In memory, behind a closed gate.
    pub fn gated(capacity: usize) -> Self {
        let (rows, gate) = (Rows::default(), Gate::default());
        Self {
            store: rows.open_gated(&gate, capacity),
            model: Model::new(),
            rows: Some((rows, gate)),
            unwritten: 0,
            capacity,
        }
    }

    /// Over any store, whose storage is not looked at.
    pub fn over(store: EntityStore) -> Self {
        Self {
            store,
            model: Model::new(),
            rows: None,
            unwritten: 0,
            capacity: usize::MAX,
        }
    }

    pub fn rows(&self) -> &Rows {
        &self.rows.as_ref().unwrap().0
    }

    /// Does what may have to wait for writes, with the gate open.
    fn ungated<T>(&mut self, work: impl FnOnce(&mut EntityStore) -> T) -> T {
        if let Some((_, gate)) = &self.rows {
            gate.open();
        }
        let value = work(&mut self.store);
        self.store.flush().unwrap();
        if let Some((_, gate)) = &self.rows {
            gate.close();
        }
        value
    }

    pub fn flush(&mut self) {
        self.ungated(|_| ());
        self.check();
    }

    /// Checks the frontiers, and storage as a crash would leave it now.
    pub fn check(&self) {
        let frontiers = self.store.frontiers();
        assert_eq!(frontiers.processed, self.model.processed);
        assert!(frontiers.committed <= frontiers.processed);
        if let Some((rows, _)) = &self.rows {
            self.model.check_storage(&rows.map(), frontiers.committed);
        }
    }

    pub fn step(&mut self, step: &Step) {
        let before = self.store.frontiers();
        match step {
            Step::Set {
                id: number,
                owner,
                balance,
                ahead,
            } => {
                let account = Account::new(&id(*number), &owner_name(*owner), *balance);
                self.change(account.id.clone(), Some(account), *ahead);
            }
            Step::Delete { id: number, ahead } => self.change(id(*number), None, *ahead),
            Step::Commit { on, partial } => self.commit(*on, *partial),
            Step::Begin if self.unwritten > self.capacity => {
                self.ungated(|store| store.begin_batch().unwrap());
            }
            Step::Begin => self.store.begin_batch().unwrap(),
            Step::Rollback(part) => self.rollback(*part),
            Step::Prune(part) => {
                let safe = self.between_floor_and_processed(*part);
                self.store.prune(safe).unwrap();
                self.model.prune(safe);
            }
            Step::Get(number) => {
                let id = id(*number);
                let found: Option<Account> = self.store.get(&id).unwrap();
                assert_eq!(found.as_ref(), self.model.now().get(&id));
            }
            Step::Find(filter) => self.find(filter),
            Step::Release => self.release(),
            Step::Flush => self.flush(),
        }
        let after = self.store.frontiers();
        assert!(before.committed <= after.committed && before.processed <= after.processed);
    }

    fn change(&mut self, id: String, account: Option<Account>, ahead: u64) {
        let checkpoint = self.model.current.max(self.model.lowest()) + ahead;
        match &account {
            Some(account) => {
                self.store.set(checkpoint, account).unwrap();
                let pool = Pool(id.clone(), account.balance as u8);
                self.store.set(checkpoint, &pool).unwrap();
            }
            None => {
                self.store.delete::<Account>(checkpoint, &id).unwrap();
                self.store.delete::<Pool>(checkpoint, &id).unwrap();
            }
        }
        self.unwritten += 2;
        self.model.current = checkpoint;
        let changes = self.model.changes.entry(id).or_default();
        changes.insert(checkpoint, account);
    }

    fn commit(&mut self, on: bool, partial: bool) {
        let lowest = self.model.lowest();
        let last = self.model.current.max(lowest);
        let last = if partial && last > lowest {
            last - 1
        } else {
            last
        };
        let numbers: Vec<u64> = (lowest..=last).collect();
        self.unwritten += numbers.len();
        let history = if on { History::On } else { History::Off };
        self.store
            .commit_batch(checkpoints(numbers.iter().copied()), history)
            .unwrap();
        self.model.commit(&numbers, last, history);
    }

    fn between_floor_and_processed(&self, part: u8) -> u64 {
        let (floor, to) = (self.model.floor, self.model.processed);
        floor + (to - floor) * u64::from(part) / 255
    }

    fn rollback(&mut self, part: u8) {
        let target = self.between_floor_and_processed(part);
        let expected = self
            .model
            .pending
            .map_or(target, |pending| pending.min(target));
        let report = self.ungated(|store| store.rollback(target).unwrap());
        assert_eq!(report.target, expected);
        self.model.rollback(expected);
        self.unwritten = 2 * IDS;
        self.check_reads();
    }

    fn find(&mut self, filter: &Filter) {
        let found: Vec<Account> = self.store.find(filter).unwrap();
        let now = self.model.now();
        let matching = now.values().filter(|account| matches(filter, account));
        assert_eq!(found, matching.cloned().collect::<Vec<_>>(), "{filter:?}");
        assert!(self.store.has_filter::<Account>(filter));
    }

    fn release(&mut self) {
        let frontiers = self.store.frontiers();
        let Some((_, gate)) = &self.rows else {
            return;
        };
        if frontiers.committed == frontiers.processed {
            return;
        }
        let committed = frontier_of(&gate.release());
        self.store.watch().wait_committed(committed).unwrap();
    }

    /// Reads everything, with and without filters.
    pub fn check_reads(&mut self) {
        for number in 0..IDS {
            self.step(&Step::Get(number));
        }
        for owner in 0..3 {
            self.step(&Step::Find(Filter::equal(
                BY_OWNER,
                owner_name(owner).as_str(),
            )));
        }
        self.step(&Step::Find(Filter::greater(BY_BALANCE, 1)));
        self.step(&Step::Find(Filter::less(BY_BALANCE, 2)));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some((_, gate)) = &self.rows {
            gate.open();
        }
    }
}

/// The filter, evaluated with code of its own.
fn matches(filter: &Filter, account: &Account) -> bool {
    use batch_store::entities::Comparison::{Equal, Greater, Less};
    use batch_store::entities::FieldValue::{Int, Text};
    match (&filter.value, filter.comparison) {
        (Text(owner), Equal) => account.owner == *owner,
        (Int(balance), Equal) => account.balance == *balance,
        (Int(balance), Less) => account.balance < *balance,
        (Int(balance), Greater) => account.balance > *balance,
        (Text(owner), Less) => account.owner < *owner,
        (Text(owner), Greater) => account.owner > *owner,
    }
}
