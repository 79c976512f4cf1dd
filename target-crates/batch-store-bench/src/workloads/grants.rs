//! Grants: the bulk load that the loop optimises.
//!
//! Record shapes and distribution as in `baton-sdk`'s `production_bench_test.go`:
//! id `grant-%08d`, entitlement `entitlement-%04d` of `i % 100`, principal
//! `user-%08d` of `i % 1000`, one timestamp for all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use batch_store::grants::{
    Grant, GrantCounts, GrantReader, GrantSession, SessionOptions, StoredGrant,
};
use batch_store::{Cursor, EngineKind, Page, Record};
use crc32fast::Hasher;

use super::timed;
use crate::counters::costed;
use crate::metrics::Metric;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::{BenchError, Result, verify};

pub(crate) const SYNC_ID: &str = "2kPZ8mVtQ0yXcJ5bRfW7uLsNaEd";
const DISCOVERED_AT_NS: i64 = 1_767_225_600_123_456_789;

/// Grants `0..n` as the generator makes them.
#[must_use]
pub fn generate(n: usize) -> Vec<Grant> {
    (0..n).map(|i| grant(i, i % 100, i % 1000)).collect()
}

fn grant(id: usize, entitlement: usize, user: usize) -> Grant {
    let mut grant = Grant::new(
        &format!("grant-{id:08}"),
        &format!("entitlement-{entitlement:04}"),
        &format!("user-{user:08}"),
    );
    grant.discovered_at_ns = DISCOVERED_AT_NS;
    grant
}

/// The second distribution: shuffled, every eighth id repeated with another
/// entitlement, principals skewed towards the first ones.
#[must_use]
pub fn generate_mixed(n: usize) -> Vec<Grant> {
    let mut rng = Rng::new(7);
    let mut grants: Vec<Grant> = (0..n)
        .map(|i| {
            let id = if i % 8 == 7 {
                i - 1 - rng.below(i as u64 / 2) as usize
            } else {
                i
            };
            let user = (1000.0_f64.powf(rng.unit()) - 1.0) as usize;
            grant(id, rng.below(100) as usize, user)
        })
        .collect();
    rng.shuffle(&mut grants);
    grants
}

/// Runs the primary workload: the default engine, then the smaller sentinel of the
/// same session on SQLite.
///
/// # Errors
/// When the store fails or holds the wrong rows.
pub fn run(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let grants = generate(scale.grants);
    let mut metrics = Vec::new();
    let mut archive = dir.join("none");
    for sample in 0..scale.grant_samples {
        let work = dir.join(format!("work-{sample}"));
        archive = dir.join(format!("grants-{sample}.bsa"));
        let (outcome, cost) = costed(|| write_and_pack(&work, &archive, &grants));
        outcome?;
        metrics.push(Metric::ms("grants_write_pack_ms", cost.elapsed));
        if sample == 0 {
            let written = cost.written_bytes as f64 / logical_bytes(&grants)? as f64;
            metrics.push(Metric::count("allocations", cost.allocations));
            metrics.push(Metric::count("bytes_on_disk", file_bytes(&archive)?));
            metrics.push(Metric::new("grants_written_per_byte", written));
            metrics.push(Metric::count("grants_syncs", cost.syncs));
        }
        remove(&work)?;
    }
    for sample in 0..scale.read_samples {
        let unpacked = dir.join(format!("unpacked-{sample}"));
        let (outcome, elapsed) = timed(|| unpack_and_read(&archive, &unpacked));
        let (reader, rows) = outcome?;
        metrics.push(Metric::ms("grants_read_ms", elapsed));
        let (scanned, elapsed) = timed(|| scan_by_entitlement(&reader, &grants));
        metrics.push(Metric::ms("scan_by_entitlement_ms", elapsed));
        verify("the grants by entitlement", &scanned?.len(), &grants.len())?;
        // Every sample read the same archive: its indexes are checked once.
        if sample == 0 {
            check(&reader, &rows, &grants)?
        } else {
            verify("the grants read", &rows, &grants)?
        }
        drop(reader);
        remove(&unpacked)?;
    }
    metrics.push(on_sqlite(dir, &grants[..scale.sqlite_grants])?);
    Ok(metrics)
}

/// Bytes of the keys and values of all rows and index entries, all grants being as
/// long as the first.
fn logical_bytes(grants: &[Grant]) -> Result<usize> {
    let Some(grant) = grants.first().cloned() else {
        return Ok(0);
    };
    let sync_id = SYNC_ID.to_owned();
    let stored = StoredGrant { sync_id, grant };
    let indexes: usize = stored.index_keys().iter().map(Vec::len).sum();
    Ok((stored.key().len() + stored.encode()?.len() + indexes) * grants.len())
}

/// Every grant, entitlement by entitlement and page by page.
fn scan_by_entitlement(reader: &GrantReader, grants: &[Grant]) -> Result<Vec<Grant>> {
    let names = grants.iter().map(|grant| &grant.entitlement.entitlement);
    let names: BTreeSet<&String> = names.collect();
    let mut found = Vec::new();
    for name in names {
        found.extend(all_pages(|cursor| {
            reader.list_by_entitlement(name, cursor, 0)
        })?);
    }
    Ok(found)
}

fn on_sqlite(dir: &Path, grants: &[Grant]) -> Result<Metric> {
    let options = SessionOptions {
        engine: EngineKind::Sqlite,
        ..SessionOptions::default()
    };
    let (work, archive) = (dir.join("sqlite"), dir.join("sqlite.bsa"));
    let (outcome, elapsed) = timed(|| write_and_pack_on(options, &work, &archive, grants));
    outcome?;
    let (reader, rows) = unpack_and_read(&archive, &dir.join("sqlite-unpacked"))?;
    check(&reader, &rows, grants)?;
    Ok(Metric::ms("sqlite_grants_ms", elapsed))
}

/// Runs the second distribution, in calls of 500 grants.
///
/// # Errors
/// When the store fails or holds the wrong rows.
pub fn run_mixed(dir: &Path, scale: Scale) -> Result<Vec<Metric>> {
    let grants = generate_mixed(scale.mixed_grants);
    let (work, archive) = (dir.join("work"), dir.join("mixed.bsa"));
    let (outcome, elapsed) = timed(|| -> Result<()> {
        let mut session = GrantSession::start(&work, SYNC_ID)?;
        for chunk in grants.chunks(500) {
            session.put_grants(chunk)?;
        }
        let mut sealed = session.end()?;
        sealed.pack(&archive)?;
        Ok(sealed.close()?)
    });
    outcome?;
    let (reader, rows) = unpack_and_read(&archive, &dir.join("unpacked"))?;
    check(&reader, &rows, &grants)?;
    Ok(vec![Metric::ms("grants_mixed_write_pack_ms", elapsed)])
}

/// What the primary metric times: from an empty directory to a durable archive.
///
/// # Errors
/// When the store fails.
pub fn write_and_pack(work: &Path, archive: &Path, grants: &[Grant]) -> Result<()> {
    write_and_pack_on(SessionOptions::default(), work, archive, grants)
}

fn write_and_pack_on(
    options: SessionOptions,
    work: &Path,
    archive: &Path,
    grants: &[Grant],
) -> Result<()> {
    let mut session = GrantSession::start_with(work, SYNC_ID, options)?;
    session.put_grants(grants)?;
    let mut sealed = session.end()?;
    sealed.pack(archive)?;
    Ok(sealed.close()?)
}

/// What `grants_read_ms` times: unpack, open, read every page.
///
/// # Errors
/// When the store fails.
pub fn unpack_and_read(archive: &Path, dir: &Path) -> Result<(GrantReader, Vec<Grant>)> {
    let reader = GrantReader::unpack(archive, dir)?;
    let rows = all_pages(|cursor| reader.list(cursor, 0))?;
    Ok((reader, rows))
}

fn all_pages(
    read: impl Fn(Option<&Cursor>) -> batch_store::Result<Page<Grant>>,
) -> Result<Vec<Grant>> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = read(cursor.as_ref())?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Row count, both index counts, and the digest of all rows read in three orders.
fn check(reader: &GrantReader, rows: &[Grant], given: &[Grant]) -> Result<()> {
    let by_id: BTreeMap<&str, &Grant> = given
        .iter()
        .map(|grant| (grant.id.as_str(), grant))
        .collect();
    let expected: Vec<&Grant> = by_id.into_values().collect();
    let n = expected.len() as u64;
    let counts = GrantCounts {
        grants: n,
        by_entitlement: n,
        by_principal: n,
    };
    verify("the rows of each table", &reader.counts()?, &counts)?;
    verify(
        "the digest of all grants",
        &digest(rows),
        &digest(expected.iter().copied()),
    )?;

    let mut by_entitlement = expected.clone();
    by_entitlement.sort_by_key(|grant| {
        (
            &grant.entitlement.entitlement,
            &grant.principal.resource_type,
            &grant.principal.resource,
            &grant.id,
        )
    });
    let mut found = Vec::new();
    for group in
        by_entitlement.chunk_by(|a, b| a.entitlement.entitlement == b.entitlement.entitlement)
    {
        let entitlement = &group[0].entitlement.entitlement;
        found.extend(all_pages(|cursor| {
            reader.list_by_entitlement(entitlement, cursor, 0)
        })?);
    }
    verify(
        "the digest by entitlement",
        &digest(&found),
        &digest(by_entitlement),
    )?;

    let mut by_principal = expected;
    by_principal.sort_by_key(|grant| (&grant.principal, &grant.id));
    let mut found = Vec::new();
    for group in by_principal.chunk_by(|a, b| a.principal == b.principal) {
        let principal = &group[0].principal;
        let (kind, id) = (&principal.resource_type, &principal.resource);
        found.extend(all_pages(|cursor| {
            reader.list_by_principal(kind, id, cursor, 0)
        })?);
    }
    verify(
        "the digest by principal",
        &digest(&found),
        &digest(by_principal),
    )
}

pub(crate) fn digest<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> (usize, u32) {
    let mut hasher = Hasher::new();
    let mut count = 0;
    for grant in grants {
        let Grant {
            id,
            entitlement,
            principal,
            discovered_at_ns,
            needs_expansion,
        } = grant;
        let fields = [
            id,
            &entitlement.resource_type,
            &entitlement.resource,
            &entitlement.entitlement,
            &principal.resource_type,
            &principal.resource,
        ];
        for field in fields {
            hasher.update(field.as_bytes());
            hasher.update(b"\n");
        }
        hasher.update(&discovered_at_ns.to_le_bytes());
        hasher.update(&[u8::from(*needs_expansion)]);
        count += 1;
    }
    (count, hasher.finalize())
}

fn file_bytes(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path);
    Ok(metadata
        .map_err(|source| BenchError::Io {
            action: "look at",
            path: path.to_owned(),
            source,
        })?
        .len())
}

fn remove(dir: &Path) -> Result<()> {
    std::fs::remove_dir_all(dir).map_err(|source| BenchError::Io {
        action: "remove",
        path: dir.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_48_a_missing_wrong_or_extra_grant_fails_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let archive = dir.path().join("a.bsa");
        let grants = generate_mixed(200);
        write_and_pack(&dir.path().join("work"), &archive, &grants).expect("the store works");
        let read = unpack_and_read(&archive, &dir.path().join("read"));
        let (reader, rows) = read.expect("the store works");
        check(&reader, &rows, &grants).expect("the right rows");
        let is_refused = |rows: &[Grant], grants: &[Grant]| {
            let outcome = check(&reader, rows, grants);
            let is_found = matches!(outcome, Err(BenchError::Verification { .. }));
            assert!(is_found, "{outcome:?}");
        };
        is_refused(&rows[1..], &grants);
        is_refused(&rows, &[&grants[..], &[grant(999, 1, 1)]].concat());
        let mut spoilt = rows.clone();
        spoilt[50].discovered_at_ns += 1;
        is_refused(&spoilt, &grants);
        // Right by id, wrong in the index only: the expected entitlement differs.
        let mut wrong = grants.clone();
        wrong
            .iter_mut()
            .for_each(|grant| grant.entitlement.entitlement.push('x'));
        is_refused(&rows, &wrong);
    }
}
