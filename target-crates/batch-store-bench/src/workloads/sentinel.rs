//! The sentinel of the SQLite path: the stores may move to another engine, and
//! this one must not get slower unseen. A grants session of a thousand rows on
//! it: written, packed, unpacked and read.

use std::path::Path;

use batch_store::EngineKind;
use batch_store::grants::{GrantSession, SessionOptions};

use super::grants::{SYNC_ID, check, generate_mixed, unpack_and_read};
use super::timed;
use crate::Result;
use crate::metrics::Metric;
use crate::scale::Scale;

const ROWS: usize = 1_000;

/// Runs the workload.
///
/// # Errors
/// When the engine fails or holds the wrong rows.
pub fn run(dir: &Path, _scale: Scale) -> Result<Vec<Metric>> {
    let grants = generate_mixed(ROWS);
    let archive = dir.join("sentinel.bsa");
    let (outcome, elapsed) = timed(|| {
        let options = SessionOptions {
            engine: EngineKind::Sqlite,
            ..SessionOptions::default()
        };
        let mut session = GrantSession::start_with(&dir.join("work"), SYNC_ID, options)?;
        session.put_grants(&grants)?;
        let mut sealed = session.end()?;
        sealed.pack(&archive)?;
        sealed.close()?;
        unpack_and_read(&archive, &dir.join("unpacked"))
    });
    let (reader, rows) = outcome?;
    check(&reader, &rows, &grants)?;
    Ok(vec![Metric::ms("sqlite_sentinel_ms", elapsed)])
}
