//! Plain SQLite: a rowid table behind a bounded channel, batches of at most 256
//! rows; WAL+NORMAL, synced by the checkpoint of closing.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use batch_store::packages::PackageRow;
use rusqlite::{Connection, params};

use super::{BATCH_ROWS, Peer, check_encoded, rows};
use crate::Result;
use crate::peers::failed;
use crate::workloads::packages::produce;

pub(super) const FILE: &str = "index.db";
const TABLE: &str = "CREATE TABLE package_index(key TEXT NOT NULL UNIQUE, data BLOB NOT NULL)";
const INSERT: &str = "INSERT OR REPLACE INTO package_index VALUES (?, ?)";
/// Rows that may wait in the channel.
const QUEUE_ROWS: usize = 1024;

pub(super) struct RowidTable;

/// One transaction of these rows, encoded before it begins.
pub(super) fn set_many(connection: &mut Connection, batch: &[PackageRow]) -> Result<()> {
    let encoded: Vec<Vec<u8>> = batch.iter().map(rows::encode).collect();
    let immediate = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(immediate)?;
    let mut insert = transaction.prepare_cached(INSERT)?;
    for (row, value) in batch.iter().zip(encoded) {
        insert.execute(params![row.key, value])?;
    }
    drop(insert);
    Ok(transaction.commit()?)
}

/// Writes what arrives, as much at a time as waits, until the producers are gone.
pub(super) fn write_all(mut connection: Connection, queue: &Receiver<PackageRow>) -> Result<()> {
    while let Ok(row) = queue.recv() {
        let mut batch = vec![row];
        batch.extend(queue.try_iter().take(BATCH_ROWS - 1));
        set_many(&mut connection, &batch)?;
    }
    connection.close().map_err(|(_, error)| failed(error))
}

pub(super) fn check(dir: &Path, expected: &[PackageRow]) -> Result<()> {
    let connection = Connection::open(dir.join(FILE))?;
    let mut statement = connection.prepare("SELECT key, data FROM package_index")?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    check_encoded(found.collect::<rusqlite::Result<_>>()?, expected)
}

impl Peer for RowidTable {
    fn fill(&self, dir: &Path, shares: Vec<Vec<PackageRow>>) -> Result<Vec<Duration>> {
        let connection = Connection::open(dir.join(FILE))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(TABLE)?;
        let (sender, queue) = sync_channel(QUEUE_ROWS);
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
