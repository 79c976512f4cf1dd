//! Criterion benches, for people: `cargo bench -p batch-store-bench`.

use std::path::Path;

use batch_store::Record;
use batch_store::grants::StoredGrant;
use batch_store_bench::workloads::{grants, packages};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

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

criterion_group!(benches, grants_write_pack, grants_unpack_read, encode);
criterion_main!(benches);
