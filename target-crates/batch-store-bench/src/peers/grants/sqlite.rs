//! Plain SQLite: one table clustered by id and two indexes; WAL, every commit synced.

use std::path::Path;

use batch_store::grants::Grant;
use rusqlite::{Connection, OpenFlags, Statement, params};

use super::{Order, Peer, View, rows};
use crate::Result;
use crate::peers::failed;

const FILE: &str = "grants.db";
const TABLE: &str = "CREATE TABLE grants(id TEXT PRIMARY KEY, entitlement TEXT NOT NULL,
    principal_type TEXT NOT NULL, principal TEXT NOT NULL, value BLOB NOT NULL) WITHOUT ROWID";
const INDEXES: &str = "
    CREATE INDEX by_entitlement ON grants(entitlement, principal_type, principal, id);
    CREATE INDEX by_principal ON grants(principal_type, principal, id);";
const INSERT: &str = "INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?)";

pub(super) enum Sqlite {
    /// One transaction; the indexes are created in it after the rows.
    IndexesAfter,
    /// One transaction, with the indexes there from the start.
    OneTransaction,
    /// Transactions of this many rows.
    Batches(usize),
}

fn insert(statement: &mut Statement<'_>, value: &mut Vec<u8>, grants: &[Grant]) -> Result<()> {
    for grant in grants {
        rows::encode(value, grant);
        let (entitlement, principal) = (&grant.entitlement.entitlement, &grant.principal);
        statement.execute(params![
            grant.id,
            entitlement,
            principal.resource_type,
            principal.resource,
            *value
        ])?;
    }
    Ok(())
}

impl Peer for Sqlite {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let mut connection = Connection::open(dir.join(FILE))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -32_000)?;
        connection.execute_batch(TABLE)?;
        let builds_after = matches!(self, Self::IndexesAfter);
        if !builds_after {
            connection.execute_batch(INDEXES)?;
        }
        let size = match self {
            Self::Batches(size) => *size,
            Self::IndexesAfter | Self::OneTransaction => grants.len(),
        };
        let mut value = Vec::new();
        for chunk in grants.chunks(size.max(1)) {
            let transaction = connection.transaction()?;
            insert(&mut transaction.prepare(INSERT)?, &mut value, chunk)?;
            if builds_after {
                transaction.execute_batch(INDEXES)?;
            }
            transaction.commit()?;
        }
        // Moves the log into the database and syncs that.
        connection.close().map_err(|(_, error)| failed(error))
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(dir.join(FILE), flags)?;
        Ok(Box::new(Opened(connection)))
    }
}

struct Opened(Connection);

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        let count = |index: &str| {
            let query = format!("SELECT count(*) FROM grants {index}");
            self.0.query_row(&query, [], |row| row.get::<_, i64>(0))
        };
        Ok([
            count("NOT INDEXED")? as u64,
            count("INDEXED BY by_entitlement")? as u64,
            count("INDEXED BY by_principal")? as u64,
        ])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let (index, columns) = match order {
            Order::Id => ("NOT INDEXED", "id"),
            Order::Entitlement(_) => (
                "INDEXED BY by_entitlement",
                "entitlement, principal_type, principal, id",
            ),
            Order::Principal(_) => ("INDEXED BY by_principal", "principal_type, principal, id"),
        };
        let query = format!("SELECT value FROM grants {index} ORDER BY {columns}");
        let mut statement = self.0.prepare(&query)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            visit(rows::decode(row.get_ref(0)?.as_blob().map_err(failed)?)?);
        }
        Ok(())
    }
}
