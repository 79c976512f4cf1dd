//! The package index: sixteen producers queue rows, and all are synced when the
//! timer stops. Rows that are lost to power loss before that are cache misses.

mod log;
mod pacquet;
mod rows;
mod sqlite;
mod store;

use std::path::Path;
use std::time::Duration;

use batch_store::EngineKind;
use batch_store::packages::PackageRow;

use super::{Measured, System, disk_bytes, measured};
use crate::counters::costed;
use crate::latency::{micros, percentile};
use crate::workloads::packages::{generate, logical_bytes, shares};
use crate::{Result, verify};

/// Rows of one commit, at most.
const BATCH_ROWS: usize = 256;

/// A package index.
trait Peer {
    /// Opens, takes the producers' rows, syncs and closes; returns the latency of
    /// handing over each row.
    fn fill(&self, dir: &Path, shares: Vec<Vec<PackageRow>>) -> Result<Vec<Duration>>;

    /// Checks that the rows, and no others, are stored.
    fn check(&self, dir: &Path, rows: &[PackageRow]) -> Result<()>;
}

/// All systems; the first is the bound.
pub const SYSTEMS: &[System] = &[
    System {
        name: "bound: append log, synced per batch",
        run: |dir, n| run(&log::AppendLog, dir, n),
    },
    System {
        name: "batch-store",
        run: |dir, n| run(&store::Store(EngineKind::Segment), dir, n),
    },
    System {
        name: "batch-store on SQLite",
        run: |dir, n| run(&store::Store(EngineKind::Sqlite), dir, n),
    },
    System {
        name: "SQLite, rowid table",
        run: |dir, n| run(&sqlite::RowidTable, dir, n),
    },
    System {
        name: "pacquet's writer (WITHOUT ROWID)",
        run: |dir, n| run(&pacquet::Pacquet, dir, n),
    },
];

fn run(peer: &dyn Peer, dir: &Path, n: usize) -> Result<Measured> {
    let rows = generate(n);
    let shares = shares(rows.clone());
    let (outcome, cost) = costed(|| peer.fill(dir, shares));
    let mut latencies = outcome?;
    verify("the rows handed over", &latencies.len(), &rows.len())?;
    let disk = disk_bytes(dir)?;
    peer.check(dir, &rows)?;
    let logical: usize = rows.iter().map(logical_bytes).sum();
    Ok(measured([
        ("ms", cost.elapsed.as_secs_f64() * 1e3),
        ("per_s", n as f64 / cost.elapsed.as_secs_f64()),
        ("p50_us", micros(percentile(&mut latencies, 50.0))),
        ("p99_us", micros(percentile(&mut latencies, 99.0))),
        ("disk_mb", disk as f64 / 1e6),
        (
            "written_per_byte",
            cost.written_bytes as f64 / logical as f64,
        ),
        ("syncs", cost.syncs as f64),
        ("allocations", cost.allocations as f64),
    ]))
}

/// Compares stored keys and values with the rows as encoded, by count and digest.
fn check_encoded(mut found: Vec<(String, Vec<u8>)>, rows: &[PackageRow]) -> Result<()> {
    let encoded = |row: &PackageRow| (row.key.clone(), rows::encode(row));
    let mut expected: Vec<_> = rows.iter().map(encoded).collect();
    found.sort_unstable();
    expected.sort_unstable();
    let digest = |rows: &[(String, Vec<u8>)]| {
        let mut hasher = crc32fast::Hasher::new();
        for (key, value) in rows {
            hasher.update(key.as_bytes());
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
        (rows.len(), hasher.finalize())
    };
    verify(
        "the digest of the packages",
        &digest(&found),
        &digest(&expected),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_stores_every_row() {
        for system in SYSTEMS {
            let dir = tempfile::tempdir().expect("a directory");
            let measured = (system.run)(dir.path(), 600);
            let measured = measured.unwrap_or_else(|error| panic!("{}: {error}", system.name));
            assert!(measured["per_s"] > 0.0 && measured["disk_mb"] > 0.0);
        }
    }

    #[test]
    fn a_missing_or_wrong_row_fails_the_verification() {
        let rows = generate(30);
        let peers: [&dyn Peer; 5] = [
            &log::AppendLog,
            &store::Store(EngineKind::Segment),
            &store::Store(EngineKind::Sqlite),
            &sqlite::RowidTable,
            &pacquet::Pacquet,
        ];
        for peer in peers {
            let dir = tempfile::tempdir().expect("a directory");
            peer.fill(dir.path(), shares(rows[..29].to_vec()))
                .expect("the peer works");
            peer.check(dir.path(), &rows[..29]).expect("the right rows");
            let mut wrong = rows[..29].to_vec();
            wrong[20].files.requires_build = None;
            for rows in [&rows, &rows[..28], &wrong] {
                let outcome = peer.check(dir.path(), rows);
                let is_found = matches!(outcome, Err(crate::BenchError::Verification { .. }));
                assert!(is_found, "{outcome:?}");
            }
        }
    }
}
