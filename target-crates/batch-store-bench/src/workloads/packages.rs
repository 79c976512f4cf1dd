//! The package index: rows of an installation of 1,352 packages, from sixteen producers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use batch_store::packages::{
    FileInfo, PACKAGE_INDEX, PackageFiles, PackageIndex, PackageRow, integrity_key,
};
use batch_store::{Ack, Engine, EngineKind};

use super::{in_threads, timed};
use crate::counters::costed;
use crate::latency::{micros, percentile};
use crate::metrics::Metric;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::{BenchError, Result, verify};

const PRODUCERS: usize = 16;

/// Rows of about 1 KB, some of 10 KB: mostly few files, sometimes sixty.
#[must_use]
pub fn generate(n: usize) -> Vec<PackageRow> {
    let mut rng = Rng::new(13);
    (0..n).map(|i| row(&mut rng, i)).collect()
}

fn hex(rng: &mut Rng, digits: usize) -> String {
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&format!("{:016x}", rng.next_u64()));
    }
    text.truncate(digits);
    text
}

/// A file's size in bytes: median 2 KiB, one in six above 9 KiB.
fn log_normal(rng: &mut Rng) -> u64 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.unit()).cos();
    (2048.0 * (1.5 * normal).exp()) as u64
}

fn row(rng: &mut Rng, number: usize) -> PackageRow {
    let files = 6 + (54.0 * rng.unit().powi(4)) as usize;
    let mut map = BTreeMap::new();
    for file in 0..files {
        let path = format!(
            "{}/module-{file:02}.js",
            ["lib", "dist/cjs", "dist/esm/internal"][file % 3]
        );
        let size = log_normal(rng);
        let mode = if file % 16 == 0 { 0o755 } else { 0o644 };
        let checked_at_ms = Some(1_767_225_600_000 + rng.below(1_000_000));
        map.insert(
            path,
            FileInfo {
                digest: hex(rng, 128),
                mode,
                size,
                checked_at_ms,
            },
        );
    }
    let key = integrity_key(
        &format!("sha512-{}==", hex(rng, 86)),
        &format!("package-{number:05}@1.{}.0", number % 7),
    );
    let (requires_build, algo) = (Some(number.is_multiple_of(20)), "sha512".to_owned());
    PackageRow {
        key,
        files: PackageFiles {
            manifest: None,
            requires_build,
            algo,
            files: map,
            side_effects: None,
        },
    }
}

/// What a writer reports: rows committed, rows lost, rows refused.
pub type Report = (u64, u64, u64);

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong rows.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let mut metrics = run_one(&dir.join("index.db"), "package", scale.package_rows)?;
    if scale.is_full() {
        let n = Scale::FAST.package_rows;
        metrics.extend(run_one(&dir.join("small.db"), &format!("package_{n}"), n)?);
    }
    Ok(metrics)
}

fn run_one(path: &Path, name: &str, n: usize) -> Result<Vec<Metric>> {
    let rows = generate(n);
    let shares = shares(rows.clone());
    let (outcome, cost) = costed(|| fill(path, EngineKind::default(), shares));
    let (report, mut latencies) = outcome?;
    let what = "the rows that the writer reports";
    verify(what, &report, &(rows.len() as u64, 0, 0))?;
    let (outcome, read) = timed(|| read_all(path, &rows));
    check(path, &rows, &outcome?)?;
    let logical: usize = rows.iter().map(logical_bytes).sum();
    Ok(vec![
        Metric::ms(format!("{name}_index_drain_ms"), cost.elapsed),
        Metric::ms(format!("{name}_index_read_ms"), read),
        Metric::new(
            format!("{name}_ack_p50_us"),
            micros(percentile(&mut latencies, 50.0)),
        ),
        Metric::new(
            format!("{name}_ack_p99_us"),
            micros(percentile(&mut latencies, 99.0)),
        ),
        Metric::count(format!("{name}_allocations"), cost.allocations),
        Metric::count(format!("{name}_syncs"), cost.syncs),
        Metric::new(
            format!("{name}_written_per_byte"),
            cost.written_bytes as f64 / logical as f64,
        ),
    ])
}

/// The rows in equal parts, one for each producer.
#[must_use]
pub fn shares(rows: Vec<PackageRow>) -> Vec<Vec<PackageRow>> {
    let share = rows.len().div_ceil(PRODUCERS).max(1);
    let mut rows = rows.into_iter();
    (0..PRODUCERS)
        .map(|_| rows.by_ref().take(share).collect())
        .collect()
}

/// Bytes of a row: its key; of each file, path, 64 bytes of digest and 20 of numbers.
pub(crate) fn logical_bytes(row: &PackageRow) -> usize {
    let files = row.files.files.keys().map(|path| path.len() + 64 + 20);
    row.key.len() + files.sum::<usize>()
}

/// Runs the producers, a thread each, and returns the latency of every `queue`.
pub(crate) fn produce(
    shares: Vec<Vec<PackageRow>>,
    queue: impl Fn(PackageRow) -> Result<()> + Sync,
) -> Result<Vec<Duration>> {
    let produce_one = |share: Vec<PackageRow>| -> Result<Vec<Duration>> {
        let queue_one = |row| {
            let start = Instant::now();
            queue(row).map(|()| start.elapsed())
        };
        share.into_iter().map(queue_one).collect()
    };
    let produce_one = &produce_one;
    in_threads(shares.into_iter().map(|share| move || produce_one(share)))
}

/// Opens the index, lets the producers queue all rows, and closes it: every row
/// is committed and synced when this returns, with what the writer reports and
/// how long each row took to queue.
///
/// # Errors
/// When the store fails.
pub fn fill(
    path: &Path,
    kind: EngineKind,
    shares: Vec<Vec<PackageRow>>,
) -> Result<(Report, Vec<Duration>)> {
    let index = PackageIndex::open_with(path, kind)?;
    let queue = |row| Ok(index.set(row, Ack::Enqueued).map(drop)?);
    let latencies = produce(shares, queue)?;
    let report = index.close()?;
    let report = (report.committed_ops, report.lost_ops, report.refused);
    Ok((report, latencies))
}

fn open_read_only(path: &Path) -> Result<Box<dyn Engine>> {
    let kind = EngineKind::of(path)?.unwrap_or_default();
    Ok(kind.open_read_only(path)?)
}

/// The row under each of these rows' keys.
pub(crate) fn read_all(path: &Path, rows: &[PackageRow]) -> Result<Vec<Option<PackageRow>>> {
    let reader = open_read_only(path)?;
    let get = |row: &PackageRow| Ok(PackageIndex::get(&*reader, &row.key)?);
    rows.iter().map(get).collect()
}

pub(crate) fn check(path: &Path, rows: &[PackageRow], found: &[Option<PackageRow>]) -> Result<()> {
    let reader = open_read_only(path)?;
    verify(
        "the rows of the package index",
        &reader.count(PACKAGE_INDEX)?,
        &(rows.len() as u64),
    )?;
    verify("the rows read", &found.len(), &rows.len())?;
    for (row, found) in rows.iter().zip(found) {
        if found.as_ref() != Some(row) {
            return Err(BenchError::Verification {
                what: "a row of the package index",
                found: format!("{:?}", found.as_ref().map(|row| &row.files)),
                expected: format!("{:?}", row.files),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_48_a_missing_a_wrong_and_an_extra_row_fail_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("index");
        let rows = generate(40);
        fill(&path, EngineKind::default(), shares(rows.clone())).expect("the store works");
        let found = read_all(&path, &rows).expect("the rows");
        check(&path, &rows, &found).expect("the right rows");
        let is_refused = |rows: &[PackageRow], found: &[Option<PackageRow>]| {
            let outcome = check(&path, rows, found);
            assert!(
                matches!(outcome, Err(BenchError::Verification { .. })),
                "{outcome:?}"
            );
        };
        is_refused(&generate(41), &found);
        is_refused(&rows[..39], &found[..39]);
        let mut spoilt = found.clone();
        spoilt[7] = None;
        is_refused(&rows, &spoilt);
        let mut spoilt = found.clone();
        spoilt.swap(3, 4);
        is_refused(&rows, &spoilt);
        let mut wrong = rows.clone();
        wrong[11].files.requires_build = None;
        is_refused(&wrong, &found);
    }

    #[test]
    fn rows_have_the_sizes_of_an_installation() {
        let mut sizes: Vec<usize> = generate(1352).iter().map(logical_bytes).collect();
        sizes.sort_unstable();
        assert!((600..2_000).contains(&sizes[676]), "median {}", sizes[676]);
        assert!(
            (5_000..12_000).contains(&sizes[1351]),
            "largest {}",
            sizes[1351]
        );
    }
}
