//! Grants: every peer writes all rows with both indexes, durably, and closes.

mod bound;
mod fjall;
mod lmdb;
mod order;
mod redb;
mod rows;
mod sqlite;
mod store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use batch_store::EngineKind;
use batch_store::grants::Grant;

use store::{SEALED, Store};

use super::{Measured, System, disk_bytes, measured};
use crate::counters::{costed, peak_rss_kib, rss_kib};
use crate::workloads::grants::{digest, generate};
use crate::workloads::timed;
use crate::{Result, verify};

/// In which order rows are read. By an index, of each of these in turn: they are
/// sorted, and all there are, so that a peer may as well walk the whole index.
#[derive(Debug, Clone, Copy)]
enum Order<'a> {
    Id,
    Entitlement(&'a [&'a str]),
    Principal(&'a [(&'a str, &'a str)]),
}

fn entitlements(grants: &[Grant]) -> Vec<&str> {
    let all: BTreeSet<&str> = grants.iter().map(|grant| by_entitlement(grant).0).collect();
    all.into_iter().collect()
}

fn principals(grants: &[Grant]) -> Vec<(&str, &str)> {
    let all = grants.iter().map(by_principal);
    let all: BTreeSet<_> = all.map(|(kind, id, _)| (kind, id)).collect();
    all.into_iter().collect()
}

/// A store of grants.
trait Peer {
    /// From an empty directory to durable and closed.
    fn load(&self, dir: &Path, grants: &[Grant]) -> Result<()>;

    /// The file or directory that holds what `load` stored.
    fn stored(&self, dir: &Path) -> PathBuf {
        dir.to_owned()
    }

    /// Opens what `load` left.
    fn open(&self, dir: &Path) -> Result<Box<dyn View>>;
}

/// An open store of grants.
trait View {
    /// Rows, and entries of the two indexes.
    fn counts(&self) -> Result<[u64; 3]>;

    /// Hands over every grant, decoded, found through the order's index.
    fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()>;
}

/// All systems; the first is the bound.
pub const SYSTEMS: &[System] = &[
    System {
        name: "bound, 2 threads",
        run: |dir, n| run(&bound::Bound { threads: 2 }, dir, n),
    },
    System {
        name: "bound, 1 thread",
        run: |dir, n| run(&bound::Bound { threads: 1 }, dir, n),
    },
    System {
        name: "batch-store, sealed",
        run: |dir, n| run(&SEALED, dir, n),
    },
    System {
        name: "batch-store, sealed and packed",
        run: |dir, n| {
            let is_packed = true;
            run(
                &Store {
                    is_packed,
                    ..SEALED
                },
                dir,
                n,
            )
        },
    },
    System {
        name: "batch-store, durable every 256 rows",
        run: |dir, n| {
            let durable_every = Some(256);
            run(
                &Store {
                    durable_every,
                    ..SEALED
                },
                dir,
                n,
            )
        },
    },
    System {
        name: "batch-store on SQLite, sealed",
        run: |dir, n| {
            let engine = EngineKind::Sqlite;
            run(&Store { engine, ..SEALED }, dir, n)
        },
    },
    System {
        name: "LMDB, sorted append",
        run: |dir, n| run(&lmdb::Lmdb, dir, n),
    },
    System {
        name: "fjall, sorted ingest",
        run: |dir, n| run(&fjall::Fjall::Ingest, dir, n),
    },
    System {
        name: "redb, sorted, one transaction",
        run: |dir, n| run(&redb::Redb, dir, n),
    },
    System {
        name: "SQLite, one transaction, indexes after",
        run: |dir, n| run(&sqlite::Sqlite::IndexesAfter, dir, n),
    },
    System {
        name: "SQLite, one transaction",
        run: |dir, n| run(&sqlite::Sqlite::OneTransaction, dir, n),
    },
    System {
        name: "fjall, 256-row batches",
        run: |dir, n| run(&batches(256, false), dir, n),
    },
    System {
        name: "fjall, 256-row batches, each synced",
        run: |dir, n| run(&batches(256, true), dir, n),
    },
    System {
        name: "SQLite, 256-row transactions, each synced",
        run: |dir, n| run(&sqlite::Sqlite::Batches(256), dir, n),
    },
];

const fn batches(rows: usize, are_synced: bool) -> fjall::Fjall {
    fjall::Fjall::Batches { rows, are_synced }
}

fn run(peer: &dyn Peer, dir: &Path, n: usize) -> Result<Measured> {
    let grants = generate(n);
    let before_kib = rss_kib().unwrap_or(0);
    let (outcome, cost) = costed(|| peer.load(dir, &grants));
    outcome?;
    let extra_kib = peak_rss_kib().unwrap_or(0).saturating_sub(before_kib);
    let disk = disk_bytes(&peer.stored(dir))?;

    let mut seen = 0;
    let (view, read) = timed(|| {
        let view = peer.open(dir)?;
        view.scan(Order::Id, &mut |_| seen += 1)?;
        Ok::<_, crate::BenchError>(view)
    });
    let view = view?;
    let entitlements = Order::Entitlement(&entitlements(&grants));
    let (outcome, scan) = timed(|| view.scan(entitlements, &mut |_| seen += 1));
    outcome?;
    verify("the grants read", &seen, &(2 * n))?;
    check(view.as_ref(), &grants)?;
    let logical = (n * rows::LOGICAL_BYTES) as f64;
    Ok(measured([
        ("write_ms", cost.elapsed.as_secs_f64() * 1e3),
        ("read_ms", read.as_secs_f64() * 1e3),
        ("scan_ms", scan.as_secs_f64() * 1e3),
        ("disk_mb", disk as f64 / 1e6),
        ("written_per_byte", cost.written_bytes as f64 / logical),
        ("syncs", cost.syncs as f64),
        ("extra_rss_mib", extra_kib as f64 / 1024.0),
        ("peak_rss_mib", (before_kib + extra_kib) as f64 / 1024.0),
        ("allocations", cost.allocations as f64),
    ]))
}

/// Row count, both index counts, and the digest of all rows in three orders.
fn check(view: &dyn View, grants: &[Grant]) -> Result<()> {
    let n = grants.len() as u64;
    verify("the rows of each table", &view.counts()?, &[n, n, n])?;
    let mut expected: Vec<&Grant> = grants.iter().collect();
    expected.sort_unstable_by_key(|grant| &grant.id);
    let check_order = |order: Order<'_>, expected: &[&Grant]| {
        let mut found = Vec::with_capacity(expected.len());
        view.scan(order, &mut |grant| found.push(grant))?;
        let what = "the digest of the grants in an index's order";
        verify(what, &digest(&found), &digest(expected.iter().copied()))
    };
    check_order(Order::Id, &expected)?;
    expected.sort_unstable_by_key(|grant| by_entitlement(grant));
    let entitlements = entitlements(grants);
    check_order(Order::Entitlement(&entitlements), &expected)?;
    expected.sort_unstable_by_key(|grant| by_principal(grant));
    let principals = principals(grants);
    check_order(Order::Principal(&principals), &expected)
}

fn by_principal(grant: &Grant) -> (&str, &str, &str) {
    let principal = &grant.principal;
    (&principal.resource_type, &principal.resource, &grant.id)
}

fn by_entitlement(grant: &Grant) -> (&str, (&str, &str, &str)) {
    (&grant.entitlement.entitlement, by_principal(grant))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::BenchError;

    /// A view that leaves out some of what it counts, or spoils one row of one scan.
    struct Spoilt<'a> {
        view: &'a dyn View,
        uncounted: [u64; 3],
        scan: Option<u32>,
        scans: Cell<u32>,
    }

    impl View for Spoilt<'_> {
        fn counts(&self) -> Result<[u64; 3]> {
            let counts = self.view.counts()?;
            Ok(std::array::from_fn(|i| counts[i] - self.uncounted[i]))
        }

        fn scan(&self, order: Order<'_>, visit: &mut dyn FnMut(Grant)) -> Result<()> {
            let spoils = self.scan == Some(self.scans.replace(self.scans.get() + 1));
            self.view.scan(order, &mut |mut grant| {
                if spoils && grant.id.ends_with("33") {
                    grant.discovered_at_ns += 1;
                }
                visit(grant);
            })
        }
    }

    #[test]
    fn every_system_stores_what_it_was_given() {
        for system in SYSTEMS {
            let dir = tempfile::tempdir().expect("a directory");
            let measured = (system.run)(dir.path(), 300);
            let measured = measured.unwrap_or_else(|error| panic!("{}: {error}", system.name));
            assert!(measured["write_ms"] > 0.0 && measured["disk_mb"] > 0.0);
        }
    }

    #[test]
    fn a_wrong_row_or_index_fails_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let peer = bound::Bound { threads: 1 };
        let grants = generate(50);
        peer.load(dir.path(), &grants).expect("a bound");
        let view = peer.open(dir.path()).expect("a view");
        let check_spoilt = |uncounted, scan| {
            let scans = Cell::new(0);
            let view = view.as_ref();
            check(
                &Spoilt {
                    view,
                    uncounted,
                    scan,
                    scans,
                },
                &grants,
            )
        };
        check_spoilt([0, 0, 0], None).expect("nothing is spoilt");
        for (uncounted, scan) in [
            ([1, 0, 0], None),
            ([0, 1, 0], None),
            ([0, 0, 1], None),
            ([0, 0, 0], Some(0)),
            ([0, 0, 0], Some(1)),
            ([0, 0, 0], Some(2)),
        ] {
            let outcome = check_spoilt(uncounted, scan);
            let is_found = matches!(outcome, Err(BenchError::Verification { .. }));
            assert!(is_found, "{uncounted:?} and scan {scan:?} passed");
        }
    }

    #[test]
    fn a_damaged_bound_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let peer = bound::Bound { threads: 2 };
        peer.load(dir.path(), &generate(20)).expect("a bound");
        let path = dir.path().join("bound");
        let bytes = std::fs::read(&path).expect("a file");
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).expect("a file");
            assert!(peer.open(dir.path()).is_err(), "a flipped bit at {at}");
        }
    }
}
