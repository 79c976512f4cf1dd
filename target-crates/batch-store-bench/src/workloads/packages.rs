//! The package index: rows of an installation of 1,352 packages, from four producers.

use std::collections::BTreeMap;
use std::path::Path;

use batch_store::packages::{
    FileInfo, PACKAGE_INDEX, PackageFiles, PackageIndex, PackageRow, integrity_key,
};
use batch_store::{Ack, Engine, SqliteEngine};

use super::timed;
use crate::metrics::Metric;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::{BenchError, Result, verify};

const PRODUCERS: usize = 4;

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

fn row(rng: &mut Rng, number: usize) -> PackageRow {
    let files = 6 + (54.0 * rng.unit().powi(4)) as usize;
    let mut map = BTreeMap::new();
    for file in 0..files {
        let path = format!(
            "{}/module-{file:02}.js",
            ["lib", "dist/cjs", "dist/esm/internal"][file % 3]
        );
        let size = 2.0_f64.powf(6.0 + 10.0 * rng.unit()) as u64;
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

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong rows.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let rows = generate(scale.package_rows);
    let path = dir.join("index.db");
    let (outcome, elapsed) = drain(&path, rows.clone())?;
    verify(
        "the rows that the writer reports",
        &outcome,
        &(rows.len() as u64, 0, 0),
    )?;
    check(&path, &rows)?;
    Ok(vec![Metric::ms("package_index_drain_ms", elapsed)])
}

type Report = (u64, u64, u64);

/// Opens the index, lets the producers queue all rows, and closes it: every row
/// is committed and synced when the timer stops.
fn drain(path: &Path, rows: Vec<PackageRow>) -> Result<(Report, std::time::Duration)> {
    let share = rows.len().div_ceil(PRODUCERS);
    let mut shares: Vec<Vec<PackageRow>> = Vec::new();
    let mut rows = rows.into_iter();
    for _ in 0..PRODUCERS {
        shares.push(rows.by_ref().take(share).collect());
    }
    let (outcome, elapsed) = timed(|| -> Result<Report> {
        let index = PackageIndex::open(path)?;
        let produced: Vec<batch_store::Result<()>> = std::thread::scope(|scope| {
            let index = &index;
            let produce =
                |share: Vec<PackageRow>| move || index.set_many(share, Ack::Enqueued).map(drop);
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| scope.spawn(produce(share)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(batch_store::Error::WriterGone)))
                .collect()
        });
        produced.into_iter().collect::<batch_store::Result<()>>()?;
        let report = index.close()?;
        Ok((report.committed_ops, report.lost_ops, report.refused))
    });
    Ok((outcome?, elapsed))
}

fn check(path: &Path, rows: &[PackageRow]) -> Result<()> {
    let reader = SqliteEngine::open_read_only(path)?;
    verify(
        "the rows of the package index",
        &reader.count(PACKAGE_INDEX)?,
        &(rows.len() as u64),
    )?;
    for row in rows {
        let found = PackageIndex::get(&reader, &row.key)?;
        if found.as_ref() != Some(row) {
            let (what, expected) = ("a row of the package index", row.key.clone());
            return Err(BenchError::Verification {
                what,
                found: format!("{:?}", found.map(|row| row.key)),
                expected,
            });
        }
    }
    Ok(())
}
