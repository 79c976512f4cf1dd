//! `pacquet`'s `StoreIndexWriter`: a table WITHOUT ROWID and its pragmas, an
//! unbounded channel and one blocking writer that takes what waits, at most 256
//! rows, encodes them and commits. WAL+NORMAL, synced by the checkpoint of closing.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use batch_store::packages::PackageRow;
use rusqlite::Connection;

use super::Peer;
use super::sqlite::{FILE, check, write_all};
use crate::Result;
use crate::peers::failed;
use crate::workloads::packages::produce;

const SETUP: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA mmap_size = 536870912;
    PRAGMA cache_size = -32000;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 10000;
    CREATE TABLE package_index(key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;";

pub(super) struct Pacquet;

impl Peer for Pacquet {
    fn fill(&self, dir: &Path, shares: Vec<Vec<PackageRow>>) -> Result<Vec<Duration>> {
        let connection = Connection::open(dir.join(FILE))?;
        connection.execute_batch(SETUP)?;
        let (sender, queue) = channel();
        let writer = std::thread::spawn(move || write_all(connection, &queue));
        let latencies = produce(shares, |row| sender.send(row).map_err(failed));
        drop(sender);
        writer.join().map_err(|_| failed("the writer panicked"))??;
        latencies
    }

    fn check(&self, dir: &Path, rows: &[PackageRow]) -> Result<()> {
        check(dir, rows)
    }
}
