//! LMDB through `heed`: three databases, each appended in key order in one
//! transaction, whose commit syncs.

use std::path::Path;

use batch_store::grants::Grant;
use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions, PutFlags, RwTxn};

use super::{Order, Peer, View, order, rows};
use crate::peers::failed;
use crate::{BenchError, Result};

/// Address space for the map; the file grows as far as it is written.
const MAP_BYTES: usize = 16 << 30;
const NAMES: [&str; 3] = ["grants", "by_entitlement", "by_principal"];

type Table = Database<Bytes, Bytes>;

pub(super) struct Lmdb;

fn open(dir: &Path) -> Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES).max_dbs(NAMES.len() as u32);
    #[expect(
        unsafe_code,
        reason = "heed leaves it to the caller that nobody else changes the mapped file"
    )]
    // SAFETY: the directory is this process's own temporary one.
    Ok(unsafe { options.open(dir) }?)
}

fn append<'a>(
    (table, txn): (Table, &mut RwTxn<'_>),
    grants: &'a [Grant],
    order: &[u32],
    key_and_value: impl Fn(&mut Vec<u8>, &mut Vec<u8>, &'a Grant),
) -> Result<()> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for &at in order {
        key_and_value(&mut key, &mut value, &grants[at as usize]);
        table.put_with_flags(txn, PutFlags::APPEND, &key, &value)?;
    }
    Ok(())
}

impl Peer for Lmdb {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let env = open(dir)?;
        let mut txn = env.write_txn()?;
        let mut create = |name| env.create_database::<Bytes, Bytes>(&mut txn, Some(name));
        let [primary, entitlement, principal] =
            [create(NAMES[0])?, create(NAMES[1])?, create(NAMES[2])?];
        let ids = order::by_id(grants);
        append((primary, &mut txn), grants, &ids, |key, value, grant| {
            rows::primary_key(key, &grant.id);
            rows::encode(value, grant);
        })?;
        let order = order::entitlement_order(grants, &ids);
        append((entitlement, &mut txn), grants, &order, |key, _, grant| {
            rows::entitlement_key(key, grant)
        })?;
        let order = order::principal_order(grants, &ids);
        append((principal, &mut txn), grants, &order, |key, _, grant| {
            rows::principal_key(key, grant)
        })?;
        txn.commit()?;
        env.prepare_for_closing().wait();
        Ok(())
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        let env = open(dir)?;
        let txn = env.read_txn()?;
        let table = |name| -> Result<Table> {
            let found = env.open_database(&txn, Some(name))?;
            found.ok_or_else(|| failed(format!("there is no database {name}")))
        };
        let tables = [table(NAMES[0])?, table(NAMES[1])?, table(NAMES[2])?];
        txn.commit()?;
        Ok(Box::new(Opened { env, tables }))
    }
}

struct Opened {
    env: Env,
    tables: [Table; 3],
}

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        let txn = self.env.read_txn()?;
        let [a, b, c] = self.tables.map(|table| table.len(&txn));
        Ok([a?, b?, c?])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let txn = self.env.read_txn()?;
        let index = match order {
            Order::Id => {
                for entry in self.tables[0].iter(&txn)? {
                    visit(rows::decode(entry?.1)?);
                }
                return Ok(());
            }
            Order::Entitlement(_) => self.tables[1],
            Order::Principal(_) => self.tables[2],
        };
        let mut key = Vec::new();
        for entry in index.iter(&txn)? {
            rows::primary_key(&mut key, rows::id_of(entry?.0)?);
            let value = self.tables[0].get(&txn, &key)?;
            let value =
                value.ok_or_else(|| BenchError::Peer("an index entry has no row".to_owned()))?;
            visit(rows::decode(value)?);
        }
        Ok(())
    }
}
