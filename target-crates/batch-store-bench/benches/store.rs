//! Criterion benches, for people: `cargo bench -p batch-store-bench`.

use std::path::Path;

use batch_store::EngineKind;
use batch_store::grants::StoredGrant;
use batch_store::{Ack, Record};
use batch_store_bench::scale::Scale;
use batch_store_bench::workloads::heartbeats::Shape;
use batch_store_bench::workloads::{ALL, grants, heartbeats, packages};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Every workload in some tens of milliseconds.
const SMALL: Scale = Scale {
    grants: 1_000,
    mixed_grants: 500,
    package_rows: 256,
    preloaded_events: 200,
    heartbeats: 1_000,
    durable_heartbeats: 20,
    artifact_rows: 100,
    artifact_burst: 80,
    entity_batches: 2,
    entity_batch_events: 200,
    entity_capacity: 500,
    ..Scale::FAST
};

fn write_and_pack(dir: &Path, rows: &[batch_store::grants::Grant]) {
    grants::write_and_pack(&dir.join("work"), &dir.join("out.bsa"), rows).expect("the store works");
}

fn grants_write_pack(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("grants_write_pack");
    group.sample_size(10);
    for n in [100, 1_000, 10_000] {
        let rows = grants::generate(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_with_input(BenchmarkId::from_parameter(n), &rows, |bencher, rows| {
            let new_dir = || tempfile::tempdir().expect("a directory for files");
            bencher.iter_batched(
                new_dir,
                |dir| write_and_pack(dir.path(), rows),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn grants_unpack_read(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory for files");
    let rows = grants::generate(10_000);
    write_and_pack(dir.path(), &rows);
    let mut number = 0;
    criterion.bench_function("grants_unpack_read/10000", |bencher| {
        bencher.iter(|| {
            number += 1;
            let target = dir.path().join(format!("read-{number}"));
            grants::unpack_and_read(&dir.path().join("out.bsa"), &target).expect("the store works")
        });
    });
}

fn packages_drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packages_drain");
    group.sample_size(10);
    for n in [256, 1_352] {
        let rows = packages::generate(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_with_input(BenchmarkId::from_parameter(n), &rows, |bencher, rows| {
            let dir = tempfile::tempdir().expect("a directory for files");
            let mut number = 0;
            let new_file_and_rows = || {
                number += 1;
                let path = dir.path().join(format!("index-{number}.db"));
                (path, packages::shares(rows.clone()))
            };
            bencher.iter_batched(
                new_file_and_rows,
                |(path, shares)| {
                    packages::fill(&path, EngineKind::default(), shares).expect("the store works")
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn heartbeats_acknowledged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heartbeats_acknowledged");
    group.throughput(Throughput::Elements(1));
    let client = Shape {
        clients: 1,
        preloaded: 1_000,
        beats: 2,
        run_length: 2,
    };
    for (name, level) in [("applied", Ack::Applied), ("synced", Ack::Synced)] {
        let dir = tempfile::tempdir().expect("a directory for files");
        let clients = client.clients();
        let log = heartbeats::preloaded_log(&dir.path().join("events.db"), &clients);
        let log = log.expect("the store works");
        let (mut beat, mut number) = (clients[0].beats[0].clone(), 0);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                // Every second beat extends the one before.
                number += 1;
                beat.start_ns += heartbeats::PULSE_NS;
                beat.data = format!("{{\"window\":{}}}", number / 2);
                heartbeats::beat_and_wait(&log, "bench", beat.clone(), level)
            });
        });
        log.close().expect("the store works");
    }
    group.finish();
}

/// What the binary runs, its verification included.
fn whole_workloads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("workload");
    group.sample_size(10);
    for workload in ALL {
        group.bench_function(workload.name, |bencher| {
            let new_dir = || tempfile::tempdir().expect("a directory for files");
            bencher.iter_batched(
                new_dir,
                |dir| (workload.run)(dir.path(), SMALL).expect("the workload verifies"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let grant = StoredGrant {
        sync_id: "sync".to_owned(),
        grant: grants::generate(1).remove(0),
    };
    group.bench_function("grant", |bencher| {
        bencher.iter(|| (grant.key(), grant.encode(), grant.index_keys()))
    });
    let package = packages::generate(1).remove(0);
    group.bench_function("package", |bencher| bencher.iter(|| package.encode()));
    group.finish();
}

criterion_group!(
    benches,
    grants_write_pack,
    grants_unpack_read,
    packages_drain,
    heartbeats_acknowledged,
    encode,
    whole_workloads
);
criterion_main!(benches);
