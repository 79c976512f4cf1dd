//! The `SQLite` engine: one file, a write-ahead log, one table per family.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params,
    params_from_iter,
};

use super::{Engine, Range, Row};
use crate::batch::{Op, WriteBatch};
use crate::bulk::BulkLoad;
use crate::disk::{Disk, RealDisk};
use crate::durability::{Durability, Seq};
use crate::error::{Error, Result};
use crate::table::{Family, Layout};
use crate::tuning;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An engine over one `SQLite` database file.
#[derive(Debug)]
pub struct SqliteEngine {
    /// `None` once closed.
    connection: Option<Connection>,
    path: PathBuf,
    durability: Durability,
    read_only: bool,
    seq: u64,
}

impl SqliteEngine {
    /// Opens the file, creating it and the families' tables where missing.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or refuses a WAL.
    pub fn open(path: &Path, families: &[Family], durability: Durability) -> Result<Self> {
        let is_new = !path.exists();
        let connection = Connection::open(path).map_err(Error::sqlite("open the database"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(Error::sqlite("set the busy timeout"))?;
        configure(&connection)?;
        let mut engine = Self {
            connection: Some(connection),
            path: path.to_owned(),
            durability,
            read_only: false,
            seq: 0,
        };
        engine.set_durability(durability)?;
        for family in families {
            let sql = create_table(*family);
            engine
                .connection()?
                .execute_batch(&sql)
                .map_err(Error::sqlite("create a table"))?;
        }
        if is_new && let Some(dir) = path.parent() {
            RealDisk.sync_dir(dir)?;
        }
        Ok(engine)
    }

    /// Opens an existing file for reading; creates nothing beside it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(Error::sqlite("open the database"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(Error::sqlite("set the busy timeout"))?;
        connection.set_prepared_statement_cache_capacity(tuning::STATEMENT_CACHE);
        let durability = Durability::Checkpoint;
        Ok(Self {
            connection: Some(connection),
            path: path.to_owned(),
            durability,
            read_only: true,
            seq: 0,
        })
    }

    /// The database's own setting of a pragma, as text: what tests check
    /// promises against.
    ///
    /// # Errors
    /// When there is no such pragma.
    pub fn pragma(&self, name: &str) -> Result<String> {
        let value: Value = self
            .connection()?
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(Error::sqlite("read a pragma"))?;
        Ok(match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    }

    fn set_durability(&mut self, durability: Durability) -> Result<()> {
        let level = match durability {
            Durability::Checkpoint => "NORMAL",
            Durability::EachCommit => "FULL",
        };
        self.connection()?
            .pragma_update(None, "synchronous", level)
            .map_err(Error::sqlite("set synchronous"))?;
        self.durability = durability;
        Ok(())
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::State {
            action: "use the database",
            reason: format!("{} is closed", self.path.display()),
        })
    }

    fn transact(
        &mut self,
        ops: usize,
        durability: Durability,
        write: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Seq> {
        if durability != self.durability {
            self.set_durability(durability)?;
        }
        self.connection()?;
        if let Some(connection) = &mut self.connection {
            Self::apply(connection, ops, write)?;
        }
        self.seq += 1;
        Ok(Seq(self.seq))
    }

    /// Whether the error leaves open what is stored is only asked of the commit
    /// itself: before it, nothing is.
    fn apply(
        connection: &mut Connection,
        ops: usize,
        write: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let fail = |error| Error::sqlite("commit a transaction")(error);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                write(&transaction)?;
                Ok(transaction)
            })
            .map_err(fail)?;
        let Err(error) = transaction.commit() else {
            return Ok(());
        };
        // The log may hold the whole commit although syncing it failed.
        let is_doubtful = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        let error = fail(error);
        if !is_doubtful {
            return Err(error);
        }
        Err(Error::Indeterminate {
            ops,
            source: Box::new(error),
        })
    }

    fn wal_checkpoint(&self, mode: &str) -> Result<()> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let busy: i64 = self
            .connection()?
            .query_row(&sql, [], |row| row.get(0))
            .map_err(Error::sqlite("checkpoint the write-ahead log"))?;
        if busy == 0 {
            return Ok(());
        }
        let reason = "a reader holds the write-ahead log".to_owned();
        Err(Error::State {
            action: "checkpoint the write-ahead log",
            reason,
        })
    }
}

fn configure(connection: &Connection) -> Result<()> {
    let set = |name: &str, value: i64| {
        connection
            .pragma_update(None, name, value)
            .map_err(Error::sqlite("configure the database"))
    };
    set("page_size", i64::from(tuning::PAGE_BYTES))?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(Error::sqlite("switch to a write-ahead log"))?;
    if mode != "wal" {
        let reason = format!("the database stays in journal mode {mode}");
        return Err(Error::State {
            action: "switch to a write-ahead log",
            reason,
        });
    }
    set("cache_size", -i64::from(tuning::CACHE_KIB))?;
    connection
        .pragma_update_and_check(None, "mmap_size", tuning::MMAP_BYTES as i64, |_| Ok(()))
        .map_err(Error::sqlite("configure the database"))?;
    connection
        .pragma_update_and_check(
            None,
            "wal_autocheckpoint",
            tuning::WAL_AUTOCHECKPOINT_PAGES,
            |_| Ok(()),
        )
        .map_err(Error::sqlite("configure the database"))?;
    connection.set_prepared_statement_cache_capacity(tuning::STATEMENT_CACHE);
    Ok(())
}

fn create_table(family: Family) -> String {
    let suffix = match family.layout() {
        Layout::Rowid => "",
        Layout::Clustered => " WITHOUT ROWID",
    };
    let name = family.name();
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL){suffix}"
    )
}

/// Keys in one `SELECT` of [`Engine::get_many`]: what every build of `SQLite` takes.
const KEYS_PER_SELECT: usize = 999;

fn put_sql(family: Family) -> String {
    format!(
        "INSERT INTO {} (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        family.name()
    )
}

fn delete_sql(family: Family) -> String {
    format!("DELETE FROM {} WHERE key = ?1", family.name())
}

fn write_ops(connection: &Connection, ops: &[Op]) -> rusqlite::Result<()> {
    // One statement for each run of changes of one kind.
    for run in ops.chunk_by(|a, b| a.family == b.family && a.value.is_some() == b.value.is_some()) {
        let Some(first) = run.first() else { continue };
        let sql = if first.value.is_some() {
            put_sql(first.family)
        } else {
            delete_sql(first.family)
        };
        let mut statement = connection.prepare_cached(&sql)?;
        for op in run {
            match &op.value {
                Some(value) => statement.execute(params![op.key, value])?,
                None => statement.execute(params![op.key])?,
            };
        }
    }
    Ok(())
}

fn write_load(connection: &Connection, load: &BulkLoad) -> rusqlite::Result<()> {
    for run in load.runs() {
        let mut put = connection.prepare_cached(&put_sql(run.family()))?;
        let mut delete = connection.prepare_cached(&delete_sql(run.family()))?;
        for (key, value) in run.rows() {
            match value {
                Some(value) => put.execute(params![key, value])?,
                None => delete.execute(params![key])?,
            };
        }
    }
    Ok(())
}

fn read_chunk(
    connection: &Connection,
    family: Family,
    keys: &[&[u8]],
    found: &mut HashMap<Vec<u8>, Vec<u8>>,
) -> rusqlite::Result<()> {
    let marks = vec!["?"; keys.len()].join(",");
    let sql = format!(
        "SELECT key, value FROM {} WHERE key IN ({marks})",
        family.name()
    );
    // Chunks of other sizes than the full one would crowd the cache out.
    if keys.len() == KEYS_PER_SELECT {
        let mut statement = connection.prepare_cached(&sql)?;
        return collect_rows(statement.query(params_from_iter(keys))?, found);
    }
    let mut statement = connection.prepare(&sql)?;
    collect_rows(statement.query(params_from_iter(keys))?, found)
}

fn collect_rows(
    mut rows: rusqlite::Rows<'_>,
    found: &mut HashMap<Vec<u8>, Vec<u8>>,
) -> rusqlite::Result<()> {
    while let Some(row) = rows.next()? {
        found.insert(row.get(0)?, row.get(1)?);
    }
    Ok(())
}

impl Engine for SqliteEngine {
    fn commit(&mut self, batch: &WriteBatch, durability: Durability) -> Result<Seq> {
        self.transact(batch.len(), durability, |connection| {
            write_ops(connection, batch.ops())
        })
    }

    fn ingest(&mut self, load: &BulkLoad, durability: Durability) -> Result<Seq> {
        self.transact(load.len(), durability, |connection| {
            write_load(connection, load)
        })
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let sql = format!("SELECT value FROM {} WHERE key = ?1", family.name());
        let mut statement = self
            .connection()?
            .prepare_cached(&sql)
            .map_err(Error::sqlite("read a row"))?;
        statement
            .query_row(params![key], |row| row.get(0))
            .optional()
            .map_err(Error::sqlite("read a row"))
    }

    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut found = HashMap::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_SELECT) {
            read_chunk(self.connection()?, family, chunk, &mut found)
                .map_err(Error::sqlite("read rows"))?;
        }
        Ok(keys.iter().map(|key| found.get(*key).cloned()).collect())
    }

    fn scan(&self, family: Family, range: &Range, limit: usize) -> Result<Vec<Row>> {
        // A bound inside an OR is not one that the search stops at.
        let below = range.end.as_ref().map_or("", |_| "AND key < ?2");
        let above = range.after.as_ref().map_or("", |_| "AND key > ?3");
        let sql = format!(
            "SELECT key, value FROM {} WHERE key >= ?1 {below} {above} ORDER BY key LIMIT ?4",
            family.name()
        );
        let start = range
            .after
            .as_ref()
            .map_or(&range.start, |after| after.max(&range.start));
        let mut statement = self
            .connection()?
            .prepare_cached(&sql)
            .map_err(Error::sqlite("scan a table"))?;
        let rows = statement
            .query_map(
                params![start, range.end, range.after, limit as i64],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(Error::sqlite("scan a table"))?;
        rows.collect::<rusqlite::Result<_>>()
            .map_err(Error::sqlite("scan a table"))
    }

    fn count(&self, family: Family) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", family.name());
        let count: i64 = self
            .connection()?
            .query_row(&sql, [], |row| row.get(0))
            .map_err(Error::sqlite("count rows"))?;
        Ok(count.unsigned_abs())
    }

    fn sync(&mut self) -> Result<()> {
        self.wal_checkpoint("TRUNCATE")
    }

    fn checkpoint(&mut self, dir: &Path) -> Result<Vec<String>> {
        self.sync()?;
        let name = "store.db".to_owned();
        let target = dir.join(&name);
        std::fs::copy(&self.path, &target).map_err(Error::io("copy the database to", &target))?;
        Ok(vec![name])
    }

    fn close(&mut self) -> Result<()> {
        if self.connection.is_some() && !self.read_only {
            self.sync()?;
        }
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        connection.close().map_err(|(connection, error)| {
            self.connection = Some(connection);
            Error::sqlite("close the database")(error)
        })
    }
}
