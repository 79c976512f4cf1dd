//! Plain SQLite in `aw-server-rust`'s schema: WAL, every commit synced, a commit
//! per hundred beats, the last event of each bucket kept in memory.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use batch_store::events::Event;
use rusqlite::{Connection, params};

use super::{Acknowledged, COMMIT_EVERY, Client, Log, Peer, extend, extends};
use crate::Result;
use crate::peers::failed;

const FILE: &str = "events.db";
const SCHEMA: &str = "
    CREATE TABLE events(id INTEGER PRIMARY KEY, bucketrow INTEGER NOT NULL,
        starttime INTEGER NOT NULL, endtime INTEGER NOT NULL, data TEXT NOT NULL);
    CREATE INDEX events_by_time ON events(bucketrow, starttime DESC, endtime);";
const INSERT: &str = "INSERT INTO events(bucketrow, starttime, endtime, data) VALUES (?, ?, ?, ?)";
const UPDATE: &str = "UPDATE events SET endtime = ? WHERE id = ?";

/// The database, its open transaction, and the events that beats may extend.
pub(super) struct Events {
    connection: Connection,
    last: Vec<Option<(i64, Event)>>,
    uncommitted: usize,
    commit_every: usize,
}

impl Events {
    pub(super) fn create(dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Self> {
        let connection = Connection::open(dir.join(FILE))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut events = Self {
            connection,
            last: vec![None; clients.len()],
            uncommitted: 0,
            commit_every: match level {
                Acknowledged::Applied => COMMIT_EVERY,
                Acknowledged::Synced => 1,
            },
        };
        for (bucket, client) in clients.iter().enumerate() {
            for event in &client.preloaded {
                events.insert(bucket, event)?;
            }
        }
        events.commit()?;
        Ok(events)
    }

    fn insert(&self, bucket: usize, event: &Event) -> Result<i64> {
        let end_ns = event.start_ns + event.duration_ns;
        let row = params![bucket as i64, event.start_ns, end_ns, event.data];
        self.connection.prepare_cached(INSERT)?.execute(row)?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn beat(&mut self, bucket: usize, beat: Event) -> Result<()> {
        let last = self.last[bucket].as_mut();
        let merged = last.filter(|(_, last)| extends(last, &beat));
        if let Some((id, last)) = merged {
            extend(last, &beat);
            let end_ns = last.start_ns + last.duration_ns;
            let mut update = self.connection.prepare_cached(UPDATE)?;
            update.execute(params![end_ns, *id])?;
        } else {
            let id = self.insert(bucket, &beat)?;
            self.last[bucket] = Some((id, beat));
        }
        self.uncommitted += 1;
        if self.uncommitted == self.commit_every {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.uncommitted = 0;
        Ok(self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.connection.execute_batch("COMMIT")?;
        self.connection.close().map_err(|(_, error)| failed(error))
    }

    pub(super) fn read(dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
        let connection = Connection::open(dir.join(FILE))?;
        let query = "SELECT starttime, endtime - starttime, data FROM events
            WHERE bucketrow = ? ORDER BY starttime, id";
        let mut statement = connection.prepare(query)?;
        let event = |row: &rusqlite::Row<'_>| {
            Ok(Event {
                start_ns: row.get(0)?,
                duration_ns: row.get(1)?,
                data: row.get(2)?,
            })
        };
        let mut bucket = |bucket| -> Result<Vec<Event>> {
            let found = statement.query_map([bucket as i64], event)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        };
        (0..clients.len()).map(&mut bucket).collect()
    }
}

/// Called on the clients' own threads, one at a time.
pub(super) struct Direct;

impl Peer for Direct {
    fn open(&self, dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Box<dyn Log>> {
        Ok(Box::new(Mutex::new(Events::create(dir, clients, level)?)))
    }

    fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
        Events::read(dir, clients)
    }
}

impl Log for Mutex<Events> {
    fn beat(&self, bucket: usize, _name: &str, beat: Event) -> Result<()> {
        let mut events = self.lock().unwrap_or_else(PoisonError::into_inner);
        events.beat(bucket, beat)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()
    }
}
