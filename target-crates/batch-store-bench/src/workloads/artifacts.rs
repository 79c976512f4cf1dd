//! The artifact index: a burst of insertions into a warm index, until it survives
//! power loss.
//!
//! Shapes as in a compiler cache: keys of 32 bytes, rows of about 770 bytes, most
//! of them diagnostics; one insertion in ten repeats a key of the burst.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use batch_store::Record;
use batch_store::artifacts::{ArtifactIndex, ArtifactKey, ArtifactRow, ArtifactStore};

use super::{in_threads, timed};
use crate::counters::costed;
use crate::latency::{micros, percentile};
use crate::metrics::Metric;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::{Result, verify};

const STORED_AT_SECS: u64 = 1_767_225_600;
/// Insertions of which one repeats an earlier key.
const REPEAT_EVERY: usize = 10;

type Rows = BTreeMap<ArtifactKey, ArtifactIndex>;

/// Artifact number `number`, as the `version`-th insertion of it.
#[must_use]
pub fn row(number: usize, version: u64) -> ArtifactRow {
    let mut rng = Rng::new(number as u64);
    let mut key = [0; 32];
    key.chunks_mut(8)
        .for_each(|part| part.copy_from_slice(&rng.next_u64().to_le_bytes()));
    let unit = format!("lib{}-{:016x}", number % 400, rng.next_u64());
    let names = ["rlib", "rmeta", "d"].map(|ending| format!("{unit}.{ending}"));
    let sizes = [1 << 20, 1 << 18, 1 << 10].map(|most| rng.below(most));
    let mut stderr = Vec::new();
    let length = 300 + rng.below(500) as usize;
    while stderr.len() < length {
        let line = rng.below(2_000);
        let text = format!("warning: unused variable `value_{line}` --> src/unit.rs:{line}:9\n");
        stderr.extend_from_slice(text.as_bytes());
    }
    let index = ArtifactIndex {
        output_names: names.into(),
        output_sizes: sizes.into(),
        stdout: Vec::new().into(),
        stderr: stderr.into(),
        exit_code: 0,
        total_size: sizes.iter().sum(),
        stored_at_secs: STORED_AT_SECS + version,
    };
    let key = ArtifactKey::new(key);
    ArtifactRow { key, index }
}

/// What each producer inserts, of artifacts from `first` on. A repeat is of its
/// own producer's, so that which insertion is the last does not depend on threads.
fn burst(first: usize, n: usize, producers: usize) -> Vec<Vec<ArtifactRow>> {
    let of = |producer: usize| {
        let insertion = |i: usize| match (i + 1).is_multiple_of(REPEAT_EVERY) {
            true => row(
                first + producer + (i - REPEAT_EVERY / 2) * producers,
                i as u64,
            ),
            false => row(first + producer + i * producers, 0),
        };
        (0..n / producers).map(insertion).collect()
    };
    (0..producers).map(of).collect()
}

/// Runs the workload.
///
/// # Errors
/// When the store fails or holds the wrong rows.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let path = dir.join("artifacts.bin");
    let store = ArtifactStore::open(&path)?;
    let mut expected = Rows::new();
    for number in 0..scale.artifact_rows {
        let ArtifactRow { key, index } = row(number, 0);
        store.insert(key, index.clone())?;
        expected.insert(key, index);
    }
    store.flush()?;

    let burst = burst(
        scale.artifact_rows,
        scale.artifact_burst,
        scale.artifact_producers,
    );
    let mut logical = 0;
    for row in burst.iter().flatten() {
        logical += row.key.as_bytes().len() + row.encode()?.len();
        expected.insert(row.key, row.index.clone());
    }
    let (outcome, cost) = costed(|| -> Result<_> {
        let latencies = insert_all(&store, burst)?;
        store.flush()?;
        Ok(latencies)
    });
    let mut latencies = outcome?;
    store.close()?;
    drop(store);
    let (reopened, open) = timed(|| ArtifactStore::open(&path));
    check(&reopened?, &expected)?;
    Ok(vec![
        Metric::ms("artifact_burst_ms", cost.elapsed),
        Metric::new(
            "artifact_insert_p50_us",
            micros(percentile(&mut latencies, 50.0)),
        ),
        Metric::new(
            "artifact_insert_p99_us",
            micros(percentile(&mut latencies, 99.0)),
        ),
        Metric::ms("artifact_open_ms", open),
        Metric::count("artifact_allocations", cost.allocations),
        Metric::count("artifact_syncs", cost.syncs),
        Metric::new(
            "artifact_written_per_byte",
            cost.written_bytes as f64 / logical as f64,
        ),
    ])
}

fn insert_all(store: &ArtifactStore, burst: Vec<Vec<ArtifactRow>>) -> Result<Vec<Duration>> {
    let produce = |rows: Vec<ArtifactRow>| -> Result<Vec<Duration>> {
        let insert = |row: ArtifactRow| {
            let start = Instant::now();
            store.insert(row.key, row.index)?;
            Ok(start.elapsed())
        };
        rows.into_iter().map(insert).collect()
    };
    let produce = &produce;
    in_threads(burst.into_iter().map(|rows| move || produce(rows)))
}

/// Number of rows, and each row.
fn check(store: &ArtifactStore, expected: &Rows) -> Result<()> {
    verify("the number of artifacts", &store.len(), &expected.len())?;
    expected
        .iter()
        .try_for_each(|(key, index)| verify("an artifact", &store.get(key).as_ref(), &Some(index)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BenchError;

    #[test]
    fn invariant_48_a_missing_wrong_or_extra_artifact_fails_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ArtifactStore::open(&dir.path().join("a.bin")).expect("a store");
        let rows = burst(0, 80, 4);
        let right: Rows = rows
            .iter()
            .flatten()
            .map(|row| (row.key, row.index.clone()))
            .collect();
        insert_all(&store, rows).expect("the store works");
        check(&store, &right).expect("the right rows");
        let is_refused = |spoil: &dyn Fn(&mut Rows)| {
            let mut wrong = right.clone();
            spoil(&mut wrong);
            let outcome = check(&store, &wrong);
            let is_found = matches!(outcome, Err(BenchError::Verification { .. }));
            assert!(is_found, "{outcome:?}");
        };
        is_refused(&|rows| drop(rows.pop_first()));
        is_refused(&|rows| drop(rows.insert(row(999, 0).key, row(999, 0).index)));
        is_refused(&|rows| {
            let mut first = rows.first_entry().expect("a row");
            first.get_mut().stored_at_secs += 1;
        });
    }

    #[test]
    fn a_tenth_of_the_burst_repeats_a_key_and_rows_have_the_size_of_a_compilers() {
        let rows: Vec<ArtifactRow> = burst(0, 800, 8).into_iter().flatten().collect();
        let distinct: std::collections::BTreeSet<_> = rows.iter().map(|row| row.key).collect();
        assert_eq!((rows.len(), distinct.len()), (800, 720));
        let bytes: usize = rows
            .iter()
            .map(|row| 32 + row.encode().expect("a row").len())
            .sum();
        assert!((700..840).contains(&(bytes / 800)), "{} bytes", bytes / 800);
    }
}
