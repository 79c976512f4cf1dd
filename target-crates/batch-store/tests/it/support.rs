//! What several subjects need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, GrantSession, StoredGrant};
use batch_store::{Cursor, Engine, Layout, Page, Range, Record, Result};
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
