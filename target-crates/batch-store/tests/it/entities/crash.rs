//! A process that is killed before and after every commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use batch_store::engine::Row;
use batch_store::entities::{EntityStore, History, Options};
use batch_store::{Durability, Engine, Family, Range, Result, Seq, SqliteEngine, WriteBatch};

use super::model::{IDS, Model, Run};
use super::steps::Step;
use super::support::{Account, checkpoints, schema};

const OPTIONS: Options = Options {
    capacity: 20,
    durability: Durability::Checkpoint,
};

/// The same steps in parent and child: batches of both history modes, rollbacks
/// and prunes, some written while others are queued.
fn steps() -> Vec<Step> {
    let mut seed = 7_u64;
    let mut below = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % bound
    };
    let mut steps = Vec::new();
    for batch in 0..16_u8 {
        steps.push(Step::Begin);
        for _ in 0..below(8) {
            let (id, ahead) = (below(IDS as u64) as usize, below(2));
            steps.push(match below(4) {
                0 => Step::Delete { id, ahead },
                owner => Step::Set {
                    id,
                    owner: owner as u8 - 1,
                    balance: below(5) as i64,
                    ahead,
                },
            });
        }
        let on = batch != 8;
        steps.push(Step::Commit { on, partial: false });
        match batch {
            5 => steps.push(Step::Rollback(120)),
            7 | 11 => steps.push(Step::Prune(150)),
            13 => steps.push(Step::Rollback(200)),
            3 | 10 | 15 => steps.push(Step::Flush),
            _ => {}
        }
    }
    steps
}

/// Ends the process at one commit.
struct Mortal {
    inner: SqliteEngine,
    commits: u64,
    /// Counting from 1.
    dies_at: u64,
    dies_before: bool,
}

impl Engine for Mortal {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        self.commits += 1;
        if self.commits == self.dies_at && self.dies_before {
            std::process::abort();
        }
        let seq = self.inner.commit(batch, durability)?;
        if self.commits == self.dies_at {
            std::process::abort();
        }
        Ok(seq)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(family, key)
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        self.inner.scan(family, range, limit)
    }

    fn count(&self, family: Family) -> Result<u64> {
        self.inner.count(family)
    }

    fn sync(&mut self) -> Result<()> {
        self.inner.sync()
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.inner.checkpoint(dir)
    }

    fn close(&mut self) -> Result<()> {
        self.inner.close()
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).expect("run by its parent test")
}

#[test]
#[ignore = "a child of another test"]
fn child_that_dies_at_a_commit() {
    let dir = PathBuf::from(setting("BATCH_STORE_TEST_DIR"));
    let path = dir.join("e.db");
    let inner = SqliteEngine::open(&path, &schema().families(), OPTIONS.durability).unwrap();
    let engine = Mortal {
        inner,
        commits: 0,
        dies_at: setting("BATCH_STORE_TEST_COMMIT").parse().unwrap(),
        dies_before: setting("BATCH_STORE_TEST_WHEN") == "before",
    };
    let reader = SqliteEngine::open_read_only(&path).unwrap();
    let reader: Option<Box<dyn Engine>> = Some(Box::new(reader));
    let store = EntityStore::open(Box::new(engine), reader, schema(), OPTIONS).unwrap();
    let mut run = Run::over(store);
    for step in steps() {
        run.step(&step);
        let committed = run.store.frontiers().committed;
        std::fs::write(dir.join("acknowledged"), committed.to_string()).unwrap();
    }
    run.store.close().unwrap();
    std::fs::write(dir.join("finished"), "").unwrap();
}

fn child(dir: &Path, commit: u64, when: &str) {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "entities::crash::child_that_dies_at_a_commit"])
        .args(["--ignored", "--test-threads=1"])
        .env("BATCH_STORE_TEST_DIR", dir)
        .env("BATCH_STORE_TEST_COMMIT", commit.to_string())
        .env("BATCH_STORE_TEST_WHEN", when)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
}

/// Opens what the child left, and goes on with it.
fn check_what_is_left(path: &Path, model: &Model, acknowledged: u64) {
    let reader = SqliteEngine::open(path, &schema().families(), OPTIONS.durability).unwrap();
    let families = schema().families();
    let rows = families.iter().flat_map(|family| {
        let rows = crate::support::rows(&reader, *family).into_iter();
        rows.map(|(key, value)| ((family.name(), key), value))
    });
    let rows = rows.collect();
    let mut store = EntityStore::open_sqlite(path, schema(), OPTIONS).unwrap();
    let frontiers = store.frontiers();
    assert_eq!(frontiers.processed, frontiers.committed);
    assert!(frontiers.committed >= acknowledged);
    model.check_storage(&rows, frontiers.committed);

    let next = frontiers.committed + 1;
    store.set(next, &Account::new("a0", "later", 9)).unwrap();
    store
        .commit_batch(checkpoints([next]), History::On)
        .unwrap();
    store.rollback(frontiers.committed).unwrap();
    store.commit_batch(Vec::new(), History::On).unwrap();
    store.flush().unwrap();
    let expected = &model.batches[&frontiers.committed].rows;
    assert_eq!(store.count::<Account>().unwrap(), expected.len() as u64);
    let found: Option<Account> = store.get("a0").unwrap();
    assert_eq!(found.as_ref(), expected.get("a0"));
}

/// Also invariant 2 for this store.
#[test]
fn a_kill_at_any_commit_leaves_a_prefix_of_the_batches_and_both_frontiers_at_its_end() {
    let mut whole = Run::gated(OPTIONS.capacity);
    steps().iter().for_each(|step| whole.step(step));
    whole.flush();
    let mut left_unfinished = 0;
    for when in ["before", "after"] {
        for commit in 1.. {
            let dir = tempfile::tempdir().unwrap();
            child(dir.path(), commit, when);
            let acknowledged = std::fs::read_to_string(dir.path().join("acknowledged"));
            let acknowledged = acknowledged.map_or(0, |text| text.parse().unwrap_or(0));
            check_what_is_left(&dir.path().join("e.db"), &whole.model, acknowledged);
            if dir.path().join("finished").exists() {
                break;
            }
            left_unfinished += 1;
        }
    }
    assert!(left_unfinished >= 10, "{left_unfinished} kills");
}
