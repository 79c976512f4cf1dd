//! fjall: three keyspaces, fed in batches or by sorted ingestion, then synced.

use std::path::Path;

use batch_store::grants::Grant;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Order, Peer, View, order, rows};
use crate::Result;
use crate::peers::failed;

const NAMES: [&str; 3] = ["grants", "by_entitlement", "by_principal"];

pub(super) enum Fjall {
    /// Sorted rows straight into tables.
    Ingest,
    /// Atomic batches of this many rows in their order of arrival, synced each or
    /// at the end. Nothing is read first: the ids are known to be new.
    Batches { rows: usize, are_synced: bool },
}

fn open(dir: &Path) -> Result<(Database, [Keyspace; 3])> {
    let database = Database::builder(dir).open()?;
    let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
    let keyspaces = [
        keyspace(NAMES[0])?,
        keyspace(NAMES[1])?,
        keyspace(NAMES[2])?,
    ];
    Ok((database, keyspaces))
}

fn ingest(keyspaces: &[Keyspace; 3], grants: &[Grant]) -> Result<()> {
    let ids = order::by_id(grants);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut ingestion = keyspaces[0].start_ingestion()?;
    for &at in &ids {
        rows::primary_key(&mut key, &grants[at as usize].id);
        rows::encode(&mut value, &grants[at as usize]);
        ingestion.write(key.as_slice(), value.as_slice())?;
    }
    ingestion.finish()?;
    let mut ingestion = keyspaces[1].start_ingestion()?;
    for at in order::entitlement_order(grants, &ids) {
        rows::entitlement_key(&mut key, &grants[at as usize]);
        ingestion.write(key.as_slice(), [])?;
    }
    ingestion.finish()?;
    let mut ingestion = keyspaces[2].start_ingestion()?;
    for at in order::principal_order(grants, &ids) {
        rows::principal_key(&mut key, &grants[at as usize]);
        ingestion.write(key.as_slice(), [])?;
    }
    Ok(ingestion.finish()?)
}

fn batches(
    database: &Database,
    keyspaces: &[Keyspace; 3],
    grants: &[Grant],
    (size, durability): (usize, Option<PersistMode>),
) -> Result<()> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for chunk in grants.chunks(size) {
        let mut batch = database.batch();
        for grant in chunk {
            rows::primary_key(&mut key, &grant.id);
            rows::encode(&mut value, grant);
            batch.insert(&keyspaces[0], key.as_slice(), value.as_slice());
            rows::entitlement_key(&mut key, grant);
            batch.insert(&keyspaces[1], key.as_slice(), []);
            rows::principal_key(&mut key, grant);
            batch.insert(&keyspaces[2], key.as_slice(), []);
        }
        batch.durability(durability).commit()?;
    }
    Ok(())
}

impl Peer for Fjall {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let (database, keyspaces) = open(dir)?;
        match self {
            Self::Ingest => ingest(&keyspaces, grants)?,
            Self::Batches { rows, are_synced } => {
                let durability = are_synced.then_some(PersistMode::SyncAll);
                batches(&database, &keyspaces, grants, (*rows, durability))?;
            }
        }
        Ok(database.persist(PersistMode::SyncAll)?)
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        let (database, keyspaces) = open(dir)?;
        Ok(Box::new(Opened {
            keyspaces,
            _database: database,
        }))
    }
}

struct Opened {
    keyspaces: [Keyspace; 3],
    _database: Database,
}

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        let [a, b, c] = self.keyspaces.each_ref().map(Keyspace::len);
        Ok([a? as u64, b? as u64, c? as u64])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let [primary, by_entitlement, by_principal] = &self.keyspaces;
        let index = match order {
            Order::Id => {
                for entry in primary.iter() {
                    visit(rows::decode(&entry.value()?)?);
                }
                return Ok(());
            }
            Order::Entitlement(_) => by_entitlement,
            Order::Principal(_) => by_principal,
        };
        let mut key = Vec::new();
        for entry in index.iter() {
            rows::primary_key(&mut key, rows::id_of(&entry.key()?)?);
            let value = primary.get(&key)?;
            visit(rows::decode(
                &value.ok_or_else(|| failed("an index entry has no row"))?,
            )?);
        }
        Ok(())
    }
}
