//! Other stores doing this store's work, for `compare`. Small adapters: each
//! takes the same records, translates them on its side of the timer, and has its
//! durability boundary inside it.

pub mod grants;
pub mod heartbeats;
pub mod packages;

use std::collections::BTreeMap;
use std::path::Path;

use crate::{BenchError, Result};

/// What one run of one system measured: values by [column](crate::compare::Column) key.
pub type Measured = BTreeMap<String, f64>;

/// One system of a comparison.
pub struct System {
    /// Its name, unique in the comparison, for the command line and the table.
    pub name: &'static str,
    /// Runs it on this many rows in an empty directory, and verifies what it stored.
    pub run: fn(&Path, usize) -> Result<Measured>,
}

pub(crate) fn measured<const N: usize>(values: [(&str, f64); N]) -> Measured {
    values.map(|(key, value)| (key.to_owned(), value)).into()
}

pub(crate) fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Peer(error.to_string())
}

/// Errors of the peers' libraries become [`BenchError::Peer`].
macro_rules! peer_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for BenchError {
            fn from(error: $error) -> Self {
                failed(error)
            }
        })*
    };
}
peer_errors!(
    fjall::Error,
    heed::Error,
    redb::CommitError,
    redb::DatabaseError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    rusqlite::Error
);

/// Bytes of a file, or of all files below a directory.
pub(crate) fn disk_bytes(path: &Path) -> Result<u64> {
    let io = |source| BenchError::Io {
        action: "look at",
        path: path.to_owned(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_dir() {
        return Ok(allocated(&metadata));
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path).map_err(io)? {
        bytes += disk_bytes(&entry.map_err(io)?.path())?;
    }
    Ok(bytes)
}

/// What the file occupies: the length of LMDB's or of a preallocated file says nothing.
#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
