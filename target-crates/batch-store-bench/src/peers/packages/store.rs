//! This store.

use std::path::Path;
use std::time::Duration;

use batch_store::EngineKind;
use batch_store::packages::PackageRow;

use super::Peer;
use crate::Result;
use crate::workloads::packages::{check, fill, read_all};

const FILE: &str = "index";

pub(super) struct Store(pub(super) EngineKind);

impl Peer for Store {
    fn fill(&self, dir: &Path, shares: Vec<Vec<PackageRow>>) -> Result<Vec<Duration>> {
        Ok(fill(&dir.join(FILE), self.0, shares)?.1)
    }

    fn check(&self, dir: &Path, rows: &[PackageRow]) -> Result<()> {
        let path = dir.join(FILE);
        check(&path, rows, &read_all(&path, rows)?)
    }
}
