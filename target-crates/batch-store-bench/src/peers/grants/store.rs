//! This store.

use std::path::{Path, PathBuf};

use batch_store::grants::{DurableEvery, Grant, GrantReader, GrantSession, SessionOptions};
use batch_store::{Cursor, EngineKind, Page};

use super::{Order, Peer, View};
use crate::Result;
use crate::workloads::grants::SYNC_ID;

const ARCHIVE: &str = "grants.bsa";
const WORK: &str = "work";

pub(super) struct Store {
    pub(super) engine: EngineKind,
    /// Rows of a call, each durable when it returns; in one call when there are none.
    pub(super) durable_every: Option<usize>,
    /// Packed into an archive and read from it, or sealed in its directory.
    pub(super) is_packed: bool,
}

/// In one call, durable at the end, sealed in its directory.
pub(super) const SEALED: Store = Store {
    engine: EngineKind::Segment,
    durable_every: None,
    is_packed: false,
};

impl Peer for Store {
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()> {
        let options = SessionOptions {
            engine: self.engine,
            durable: match self.durable_every {
                None => DurableEvery::Session,
                Some(_) => DurableEvery::Call,
            },
        };
        let mut session = GrantSession::start_with(&dir.join(WORK), SYNC_ID, options)?;
        for call in grants.chunks(self.durable_every.unwrap_or(grants.len()).max(1)) {
            session.put_grants(call)?;
        }
        let mut sealed = session.end()?;
        if !self.is_packed {
            return Ok(sealed.close()?);
        }
        sealed.pack(&dir.join(ARCHIVE))?;
        Ok(sealed.close()?)
    }

    fn stored(&self, dir: &Path) -> PathBuf {
        dir.join(if self.is_packed { ARCHIVE } else { WORK })
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn View>> {
        Ok(Box::new(Opened(if self.is_packed {
            GrantReader::unpack(&dir.join(ARCHIVE), &dir.join("read"))?
        } else {
            GrantReader::open(&dir.join(WORK))?
        })))
    }
}

struct Opened(GrantReader);

fn pages(
    visit: &mut dyn FnMut(Grant),
    read: impl Fn(Option<&Cursor>) -> batch_store::Result<Page<Grant>>,
) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = read(cursor.as_ref())?;
        page.rows.into_iter().for_each(&mut *visit);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

impl View for Opened {
    fn counts(&self) -> Result<[u64; 3]> {
        let counts = self.0.counts()?;
        Ok([counts.grants, counts.by_entitlement, counts.by_principal])
    }

    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
        let reader = &self.0;
        match order {
            Order::Id => pages(visit, |cursor| reader.list(cursor, 0)),
            Order::Entitlement(all) => all.iter().try_for_each(|entitlement| {
                pages(visit, |cursor| {
                    reader.list_by_entitlement(entitlement, cursor, 0)
                })
            }),
            Order::Principal(all) => all.iter().try_for_each(|(kind, id)| {
                pages(visit, |cursor| {
                    reader.list_by_principal(kind, id, cursor, 0)
                })
            }),
        }
    }
}
