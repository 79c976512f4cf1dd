//! The sentinel of the SQLite path: the stores may move to another engine, and
//! this one must not get slower unseen. A thousand indexed records in batches,
//! each synced, then read back.

use std::path::Path;

use batch_store::grants::{BY_ENTITLEMENT, BY_PRINCIPAL, GRANTS, Grant, StoredGrant};
use batch_store::{Cursor, Durability, Engine, SqliteEngine, Table, WriteBatch};

use super::grants::{SYNC_ID, digest, generate_mixed};
use super::timed;
use crate::metrics::Metric;
use crate::scale::Scale;
use crate::{Result, verify};

const ROWS: usize = 1_000;
const BATCH_ROWS: usize = 256;

/// Runs the workload.
///
/// # Errors
/// When the engine fails or holds the wrong rows.
pub fn run(dir: &Path, _scale: Scale) -> Result<Vec<Metric>> {
    let grants = generate_mixed(ROWS);
    let (outcome, elapsed) = timed(|| write_and_read(&dir.join("sentinel.db"), &grants));
    let (engine, found) = outcome?;
    check(&engine, &found, &grants)?;
    Ok(vec![Metric::ms("sqlite_sentinel_ms", elapsed)])
}

fn write_and_read(path: &Path, grants: &[Grant]) -> Result<(SqliteEngine, Vec<Grant>)> {
    let families = [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL];
    let mut engine = SqliteEngine::open(path, &families, Durability::EachCommit)?;
    let table = Table::<StoredGrant>::new();
    for chunk in grants.chunks(BATCH_ROWS) {
        let mut batch = WriteBatch::new();
        for grant in chunk {
            let (sync_id, grant) = (SYNC_ID.to_owned(), grant.clone());
            table.stage_put(&engine, &mut batch, &StoredGrant { sync_id, grant })?;
        }
        engine.commit(&batch, Durability::EachCommit)?;
    }
    engine.close()?;
    let engine = SqliteEngine::open_read_only(path)?;
    let (mut found, mut cursor): (Vec<Grant>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = table.list_by(&engine, 0, &[], cursor.as_ref(), 100)?;
        found.extend(page.rows.into_iter().map(|stored| stored.grant));
        cursor = page.next;
        if cursor.is_none() {
            return Ok((engine, found));
        }
    }
}

/// Row count, both index counts, and the digest of the rows read by entitlement.
fn check(engine: &SqliteEngine, found: &[Grant], grants: &[Grant]) -> Result<()> {
    let latest: std::collections::BTreeMap<&str, &Grant> = grants
        .iter()
        .map(|grant| (grant.id.as_str(), grant))
        .collect();
    let mut expected: Vec<&Grant> = latest.into_values().collect();
    expected.sort_by_key(|grant| {
        let (entitlement, principal) = (&grant.entitlement.entitlement, &grant.principal);
        (entitlement, principal, &grant.id)
    });
    for family in [GRANTS, BY_ENTITLEMENT, BY_PRINCIPAL] {
        let what = "the rows of a table";
        verify(what, &engine.count(family)?, &(expected.len() as u64))?;
    }
    let what = "the digest of the grants by entitlement";
    verify(what, &digest(found), &digest(expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BenchError;

    #[test]
    fn a_missing_wrong_or_extra_grant_fails_the_verification() {
        let dir = tempfile::tempdir().expect("a directory");
        let grants = generate_mixed(100);
        let (engine, found) =
            write_and_read(&dir.path().join("a.db"), &grants).expect("the engine works");
        check(&engine, &found, &grants).expect("the right rows");
        let is_refused = |found: &[Grant], grants: &[Grant]| {
            let outcome = check(&engine, found, grants);
            assert!(
                matches!(outcome, Err(BenchError::Verification { .. })),
                "{outcome:?}"
            );
        };
        is_refused(&found[1..], &grants);
        is_refused(&found, &generate_mixed(101));
        let mut spoilt = found.clone();
        spoilt[50].principal.resource.push('x');
        is_refused(&spoilt, &grants);
        let mut spoilt = found.clone();
        spoilt.swap(3, 4);
        is_refused(&spoilt, &grants);
    }
}
