//! Heartbeats: every peer merges them, acknowledges each, and has all of them
//! synced when the timer stops.

mod log;
mod request_reply;
mod sqlite;
mod store;

use std::path::Path;

use batch_store::events::Event;

use super::{Measured, System, measured};
use crate::Result;
use crate::counters::costed;
use crate::latency::{micros, percentile};
use crate::workloads::heartbeats::{Client, PULSE_NS, Shape, compare, logical_bytes, send};

/// Beats between two commits.
const COMMIT_EVERY: usize = 100;

/// When a beat is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    /// When it is part of what the next commit stores.
    Applied,
    /// When it is synced.
    Synced,
}

/// A store of events.
trait Peer {
    /// Creates the store and the clients' preloaded events.
    fn open(&self, dir: &Path, clients: &[Client], level: Acknowledged) -> Result<Box<dyn Log>>;

    /// The events of each client's bucket, oldest first.
    fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>>;
}

/// An open store of events.
trait Log: Sync {
    /// Stores or merges one beat into a bucket, given by number and name.
    fn beat(&self, bucket: usize, name: &str, beat: Event) -> Result<()>;

    /// Syncs what is not synced, and closes.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Beats acknowledged when applied; the first system is the bound.
pub const SYSTEMS: &[System] = &[
    System {
        name: "bound: preallocated append log, 1 client",
        run: |dir, n| applied(&log::AppendLog, dir, n, 1),
    },
    System {
        name: "batch-store, 1 client",
        run: |dir, n| applied(&store::Store, dir, n, 1),
    },
    System {
        name: "batch-store, 8 clients",
        run: |dir, n| applied(&store::Store, dir, n, 8),
    },
    System {
        name: "SQLite called directly, 1 client",
        run: |dir, n| applied(&sqlite::Direct, dir, n, 1),
    },
    System {
        name: "SQLite called directly, 8 clients",
        run: |dir, n| applied(&sqlite::Direct, dir, n, 8),
    },
    System {
        name: "request/reply worker on SQLite, 1 client",
        run: |dir, n| applied(&request_reply::Worker, dir, n, 1),
    },
    System {
        name: "request/reply worker on SQLite, 8 clients",
        run: |dir, n| applied(&request_reply::Worker, dir, n, 8),
    },
];

/// Beats acknowledged when synced; the first system is the bound.
pub const DURABLE_SYSTEMS: &[System] = &[
    System {
        name: "bound: preallocated append log, 1 client",
        run: |dir, n| durable(&log::AppendLog, dir, n, 1),
    },
    System {
        name: "batch-store, 1 client",
        run: |dir, n| durable(&store::Store, dir, n, 1),
    },
    System {
        name: "batch-store, 8 clients",
        run: |dir, n| durable(&store::Store, dir, n, 8),
    },
    System {
        name: "SQLite called directly, 1 client",
        run: |dir, n| durable(&sqlite::Direct, dir, n, 1),
    },
    System {
        name: "request/reply worker on SQLite, 1 client",
        run: |dir, n| durable(&request_reply::Worker, dir, n, 1),
    },
    System {
        name: "request/reply worker on SQLite, 8 clients",
        run: |dir, n| durable(&request_reply::Worker, dir, n, 8),
    },
];

fn applied(peer: &dyn Peer, dir: &Path, beats: usize, clients: usize) -> Result<Measured> {
    let shape = Shape {
        clients,
        preloaded: beats,
        beats,
        run_length: 2,
    };
    run(peer, dir, shape, Acknowledged::Applied)
}

fn durable(peer: &dyn Peer, dir: &Path, beats: usize, clients: usize) -> Result<Measured> {
    let shape = Shape {
        clients,
        preloaded: 0,
        beats,
        run_length: 2,
    };
    run(peer, dir, shape, Acknowledged::Synced)
}

fn run(peer: &dyn Peer, dir: &Path, shape: Shape, level: Acknowledged) -> Result<Measured> {
    let clients = shape.clients();
    let log = peer.open(dir, &clients, level)?;
    let (outcome, cost) = costed(|| {
        let latencies = send(&clients, |number, beat| {
            log.beat(number, &clients[number].bucket, beat)
        })?;
        log.finish().map(|()| latencies)
    });
    let mut latencies = outcome?;
    compare(&peer.read(dir, &clients)?, &clients)?;
    let beats = latencies.len() as f64;
    Ok(measured([
        ("per_s", beats / cost.elapsed.as_secs_f64()),
        ("p50_us", micros(percentile(&mut latencies, 50.0))),
        ("p99_us", micros(percentile(&mut latencies, 99.0))),
        ("syncs", cost.syncs as f64),
        (
            "written_per_byte",
            cost.written_bytes as f64 / logical_bytes(&clients) as f64,
        ),
        ("allocations", cost.allocations as f64),
    ]))
}

/// Whether the beat belongs to the bucket's last event.
fn extends(last: &Event, beat: &Event) -> bool {
    let end_ns = last.start_ns + last.duration_ns;
    last.data == beat.data && (last.start_ns..=end_ns + PULSE_NS).contains(&beat.start_ns)
}

/// Extends the event by a beat that belongs to it.
fn extend(last: &mut Event, beat: &Event) {
    let end_ns = last.start_ns + last.duration_ns;
    last.duration_ns = end_ns.max(beat.start_ns + beat.duration_ns) - last.start_ns;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_keeps_every_beat() {
        for system in SYSTEMS.iter().chain(DURABLE_SYSTEMS) {
            let dir = tempfile::tempdir().expect("a directory");
            let measured = (system.run)(dir.path(), 240);
            let measured = measured.unwrap_or_else(|error| panic!("{}: {error}", system.name));
            assert!(measured["per_s"] > 0.0, "{}", system.name);
            if cfg!(target_os = "linux") {
                assert!(measured["syncs"] >= 1.0, "{} never synced", system.name);
            }
        }
    }

    #[test]
    fn a_lost_beat_fails_the_verification() {
        struct Lossy;
        struct LossyLog(Box<dyn Log>);
        impl Log for LossyLog {
            fn beat(&self, bucket: usize, name: &str, beat: Event) -> Result<()> {
                // The first of a run: its successor then starts the event a second late.
                match beat.start_ns / 1_000_000_000 % 10 {
                    4 => Ok(()),
                    _ => self.0.beat(bucket, name, beat),
                }
            }
            fn finish(self: Box<Self>) -> Result<()> {
                self.0.finish()
            }
        }
        impl Peer for Lossy {
            fn open(
                &self,
                dir: &Path,
                clients: &[Client],
                level: Acknowledged,
            ) -> Result<Box<dyn Log>> {
                Ok(Box::new(LossyLog(
                    sqlite::Direct.open(dir, clients, level)?,
                )))
            }
            fn read(&self, dir: &Path, clients: &[Client]) -> Result<Vec<Vec<Event>>> {
                sqlite::Direct.read(dir, clients)
            }
        }
        let dir = tempfile::tempdir().expect("a directory");
        let outcome = applied(&Lossy, dir.path(), 50, 1);
        let is_found = matches!(outcome, Err(crate::BenchError::Verification { .. }));
        assert!(is_found, "{outcome:?}");
    }
}
