//! Grants: the bulk load that the loop optimises.
//!
//! Record shapes and distribution as in `baton-sdk`'s `production_bench_test.go`:
//! id `grant-%08d`, entitlement `entitlement-%04d` of `i % 100`, principal
//! `user-%08d` of `i % 1000`, one timestamp for all.

use std::collections::BTreeMap;
use std::path::Path;

use batch_store::grants::{Grant, GrantCounts, GrantReader, GrantSession};
use batch_store::{Cursor, Page};
use crc32fast::Hasher;

use super::timed;
use crate::alloc::allocations;
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

/// Runs the primary workload.
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
        let before = allocations();
        let (outcome, elapsed) = timed(|| write_and_pack(&work, &archive, &grants));
        outcome?;
        let allocated = allocations() - before;
        metrics.push(Metric::ms("grants_write_pack_ms", elapsed));
        if sample == 0 {
            metrics.push(Metric::count("allocations", allocated));
            metrics.push(Metric::count("bytes_on_disk", file_bytes(&archive)?));
        }
        remove(&work)?;
    }
    for sample in 0..scale.read_samples {
        let unpacked = dir.join(format!("unpacked-{sample}"));
        let (outcome, elapsed) = timed(|| unpack_and_read(&archive, &unpacked));
        let (reader, rows) = outcome?;
        // Every sample read the same archive: its indexes are checked once.
        if sample == 0 {
            check(&reader, &rows, &grants)?
        } else {
            verify("the grants read", &rows, &grants)?
        }
        metrics.push(Metric::ms("grants_read_ms", elapsed));
        drop(reader);
        remove(&unpacked)?;
    }
    Ok(metrics)
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
    let mut session = GrantSession::start(work, SYNC_ID)?;
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
