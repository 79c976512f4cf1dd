//! redb: three tables, filled in key order in one transaction, whose commit syncs.

use std::path::Path;

use batch_store::grants::Grant;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::{Order, Peer, View, order, rows};
use crate::Result;
use crate::peers::failed;

const FILE: &str = "redb";
const GRANTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("grants");
const ENTITLEMENTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("by_entitlement");
const PRINCIPALS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("by_principal");

pub(super) struct Redb;

impl Peer for Redb {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let database = Database::create(dir.join(FILE))?;
        let txn = database.begin_write()?;
        let ids = order::by_id(grants);
        let (mut key, mut value) = (Vec::new(), Vec::new());
        {
            let mut table = txn.open_table(GRANTS)?;
            for &at in &ids {
                let grant = &grants[at as usize];
                rows::primary_key(&mut key, &grant.id);
                rows::encode(&mut value, grant);
                table.insert(key.as_slice(), value.as_slice())?;
            }
            let mut table = txn.open_table(ENTITLEMENTS)?;
            for at in order::entitlement_order(grants, &ids) {
                rows::entitlement_key(&mut key, &grants[at as usize]);
                table.insert(key.as_slice(), ())?;
            }
            let mut table = txn.open_table(PRINCIPALS)?;
            for at in order::principal_order(grants, &ids) {
                rows::principal_key(&mut key, &grants[at as usize]);
                table.insert(key.as_slice(), ())?;
            }
        }
        Ok(txn.commit()?)
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        Ok(Box::new(Opened(Database::open(dir.join(FILE))?)))
    }
}

struct Opened(Database);

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        let txn = self.0.begin_read()?;
        Ok([
            txn.open_table(GRANTS)?.len()?,
            txn.open_table(ENTITLEMENTS)?.len()?,
            txn.open_table(PRINCIPALS)?.len()?,
        ])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let txn = self.0.begin_read()?;
        let primary = txn.open_table(GRANTS)?;
        let index = match order {
            Order::Id => {
                for entry in primary.iter()? {
                    visit(rows::decode(entry?.1.value())?);
                }
                return Ok(());
            }
            Order::Entitlement(_) => ENTITLEMENTS,
            Order::Principal(_) => PRINCIPALS,
        };
        let mut key = Vec::new();
        for entry in txn.open_table(index)?.iter()? {
            rows::primary_key(&mut key, rows::id_of(entry?.0.value())?);
            let value = primary.get(key.as_slice())?;
            let value = value.ok_or_else(|| failed("an index entry has no row"))?;
            visit(rows::decode(value.value())?);
        }
        Ok(())
    }
}
