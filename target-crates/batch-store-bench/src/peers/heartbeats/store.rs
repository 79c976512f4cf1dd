//! This store, called by each client directly.

use std::path::Path;

use batch_store::Ack;
use batch_store::events::{Event, EventLog};

use super::{Acknowledged, Client, Log, Peer};
use crate::Result;
use crate::workloads::heartbeats::{beat_and_wait, preloaded_log, read};

const FILE: &str = "events.db";

pub(super) struct Store;

struct Opened {
    log: EventLog,
    level: Ack,
}

impl Peer for Store {
    fn open(&self, dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Box<dyn Log>> {
        let level = match level {
            Acknowledged::Applied => Ack::Applied,
            Acknowledged::Synced => Ack::Synced,
        };
        let log = preloaded_log(&dir.join(FILE), clients)?;
        Ok(Box::new(Opened { log, level }))
    }

    fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
        read(&dir.join(FILE), clients)
    }
}

impl Log for Opened {
    fn beat(&self, _bucket: usize, name: &str, beat: Event) -> Result<()> {
        beat_and_wait(&self.log, name, beat, self.level)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.log.close()?;
        Ok(())
    }
}
