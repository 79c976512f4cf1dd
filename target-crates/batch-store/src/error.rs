//! What can go wrong, and the alias every fallible function returns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store. Cheap to clone: one failed commit resolves many tickets.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was being done, as a verb: "open", "sync".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<std::io::Error>,
    },
    /// The database refused an operation.
    #[error("failed to {action}")]
    Sqlite {
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The database's reason.
        source: Arc<rusqlite::Error>,
    },
    /// The log-structured merge tree refused an operation.
    #[cfg(feature = "lsm")]
    #[error("failed to {action}")]
    Lsm {
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The tree's reason.
        source: Arc<fjall::Error>,
    },
    /// A record cannot be written in its table's format. Costs that record only.
    #[error("failed to encode {record}: {reason}")]
    Encode {
        /// Which record, by its key.
        record: String,
        /// Which field, and why.
        reason: String,
    },
    /// Stored bytes are not what the table's format says.
    #[error("failed to decode a record of {table}: {reason}")]
    Decode {
        /// The table the bytes come from.
        table: &'static str,
        /// Where decoding stopped, and why.
        reason: String,
    },
    /// A page cursor that this list did not issue.
    #[error("failed to read the page cursor: {0}")]
    InvalidCursor(String),
    /// A file that is not a whole archive of a known version.
    #[error("refused the archive {}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// The first check that it failed.
        reason: String,
    },
    /// The commit that carried this operation failed; nothing of it was stored.
    #[error("failed to commit a batch of {ops} operations")]
    Commit {
        /// Operations in the batch.
        ops: usize,
        /// Why.
        source: Box<Error>,
    },
    /// A commit failed in a way that leaves open whether the batch, as a whole,
    /// is stored. Repeating it is safe: the operations are idempotent.
    #[error("failed to tell whether a batch of {ops} operations was committed")]
    Indeterminate {
        /// Operations in the batch.
        ops: usize,
        /// Why.
        source: Box<Error>,
    },
    /// A file of the store is not what was written into it. It is left as it is.
    #[error("found {} damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first check that it failed.
        reason: String,
    },
    /// A whole file of a version that this program does not read. It is left as it is.
    #[error(
        "refused {}: it has version {found} and this program reads {known}; open it with the program that wrote it",
        path.display()
    )]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The newest version that is read.
        known: u32,
    },
    /// The queue is full and the policy is to refuse.
    #[error("failed to enqueue: the queue holds {limit} requests already")]
    QueueFull {
        /// The policy's bound.
        limit: usize,
    },
    /// The writer has died, or was closed; the operation was not stored.
    #[error("failed to reach the writer: it has stopped")]
    WriterGone,
    /// An earlier commit failed and the policy is to store nothing after it.
    #[error("failed to use the writer: an earlier commit failed")]
    Poisoned {
        /// Why that commit failed.
        source: Box<Error>,
    },
    /// A writer could not be drained in time. What is counted here was not known
    /// to be committed; closing again tells what became of a commit under way.
    #[error(
        "failed to close the writer within {waited:?}: {requests} requests ({ops} operations) \
         are not committed, {producers} producers are still registered"
    )]
    CloseDeadline {
        /// The deadline.
        waited: std::time::Duration,
        /// Requests accepted and not committed.
        requests: usize,
        /// Operations in them, as far as they were staged.
        ops: usize,
        /// [`Producer`](crate::writer::Producer)s that were not dropped.
        producers: usize,
    },
    /// The operation does not fit the state the store is in.
    #[error("failed to {action}: {reason}")]
    State {
        /// What was asked for, as a verb phrase.
        action: &'static str,
        /// What stands in the way.
        reason: String,
    },
}

impl Error {
    /// Whether the data are at fault, so that the rest of a batch may still be
    /// stored. A full disk, a damaged file or a closed store is no such error.
    #[must_use]
    pub fn is_data(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, ParameterOutOfRange, TooBig, TypeMismatch};
        match self {
            Self::Encode { .. } | Self::Decode { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ConstraintViolation | ParameterOutOfRange | TooBig | TypeMismatch)
            ),
            Self::Commit { source, .. } => source.is_data(),
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source: Arc::new(source),
        }
    }

    #[cfg(feature = "lsm")]
    pub(crate) fn lsm(action: &'static str) -> impl FnOnce(fjall::Error) -> Self {
        move |source| Self::Lsm {
            action,
            source: Arc::new(source),
        }
    }

    pub(crate) fn sqlite(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite {
            action,
            source: Arc::new(source),
        }
    }
}
