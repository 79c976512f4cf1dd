//! [`Policy`]: how a writer queues, batches, acknowledges and syncs. Data, not code.

use std::time::Duration;

use crate::durability::{Ack, Durability};
use crate::tuning;

/// What a full queue does to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Waits for room. When the queue cannot be emptied because commits fail and
    /// are kept ([`OnError::Retry`]), returns that failure instead.
    Block,
    /// Returns [`Error::QueueFull`](crate::Error::QueueFull).
    Reject,
    /// Drops the request, counts it, and resolves its ticket with
    /// [`Error::QueueFull`](crate::Error::QueueFull).
    Shed,
}

/// When the writer commits what it has staged: at the first of these. A barrier,
/// [`Writer::flush`](crate::Writer::flush) and closing always commit; so does
/// waiting for (or polling) a ticket of [`Ack::Committed`] or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushWhen {
    /// As soon as no commit is under way ("natural" group commit): what arrives
    /// during a commit makes the next batch. A batch of requests that all have a
    /// ticket to wait for is committed by who waits.
    pub idle: bool,
    /// When this many operations are staged.
    pub ops: usize,
    /// When the keys and values staged have this many bytes.
    pub bytes: usize,
    /// When the oldest staged operation has waited this long, traffic or none.
    pub age: Duration,
}

/// Whether several changes of one row in one batch are all handed to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coalesce {
    /// All of them, in order.
    None,
    /// The last one. A batch is stored whole or not at all, so nobody can tell
    /// the difference but by the time it takes.
    ByKey,
}

/// What becomes of a batch whose commit failed. Whatever this says, an
/// indeterminate commit is reported as [`Error::Indeterminate`](crate::Error::Indeterminate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is lost, its tickets and the report say so, and the writer goes on.
    DropBatch,
    /// When the data are at fault ([`Error::is_data`](crate::Error::is_data)): halves
    /// it until only the requests at fault are lost. Otherwise as `DropBatch`.
    Bisect,
    /// Commits the same operations again.
    Retry {
        /// How often, at most.
        attempts: u32,
        /// How long to wait before the first repetition; doubled for each further one.
        backoff: Duration,
        /// When they all failed: whether to tell the tickets, keep the batch and
        /// try it again at the next trigger, or to lose it.
        keep: bool,
    },
    /// The writer accepts and commits nothing any more.
    Poison,
}

/// The behaviour of a [`Writer`](crate::Writer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Requests that may be accepted and not committed.
    pub queue_items: usize,
    /// Bytes of their keys and values. A queued closure counts once it is staged.
    pub queue_bytes: usize,
    /// What happens when there are as many.
    pub on_full: OnFull,
    /// When to commit.
    pub flush_when: FlushWhen,
    /// Requests in one commit, at most.
    pub max_batch: usize,
    /// What of a batch the engine is handed.
    pub coalesce: Coalesce,
    /// The acknowledgement of a request that names none.
    pub ack: Ack,
    /// How far each commit is pushed, unless a request in it asks for more.
    pub durability: Durability,
    /// What a failed commit does.
    pub on_error: OnError,
    /// How long [`Writer::close`](crate::Writer::close) waits.
    pub close_deadline: Duration,
}

impl Policy {
    /// The package index: natural batches of at most 256, synced at checkpoints,
    /// one bad row costs that row. A row lost to power loss is a later cache miss.
    #[must_use]
    pub fn package_index() -> Self {
        Self {
            queue_items: tuning::PACKAGE_QUEUE_ITEMS,
            queue_bytes: tuning::QUEUE_BYTES,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: true,
                ops: tuning::PACKAGE_BATCH_OPS,
                bytes: tuning::BATCH_BYTES,
                age: Duration::from_secs(1),
            },
            max_batch: tuning::PACKAGE_BATCH_OPS,
            coalesce: Coalesce::ByKey,
            ack: Ack::Enqueued,
            durability: Durability::Checkpoint,
            on_error: OnError::Bisect,
            close_deadline: tuning::CLOSE_DEADLINE,
        }
    }

    /// The event log: acknowledged when applied, committed every 100 operations
    /// or 15 seconds, every commit synced. A failed commit is reported and its
    /// batch lost; later heartbeats start from what is stored.
    #[must_use]
    pub fn event_log() -> Self {
        Self {
            queue_items: tuning::EVENT_QUEUE_ITEMS,
            queue_bytes: tuning::QUEUE_BYTES,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: false,
                ops: tuning::EVENT_BATCH_OPS,
                bytes: tuning::BATCH_BYTES,
                age: Duration::from_secs(15),
            },
            max_batch: usize::MAX,
            // Heartbeats change the same two rows again and again.
            coalesce: Coalesce::ByKey,
            ack: Ack::Applied,
            durability: Durability::EachCommit,
            on_error: OnError::DropBatch,
            close_deadline: tuning::CLOSE_DEADLINE,
        }
    }

    /// A bulk load of grants: every call waits for its own commit and is told
    /// when it fails; the end of the session syncs. Of equal keys the last wins.
    #[must_use]
    pub fn grants_bulk() -> Self {
        Self {
            queue_items: tuning::GRANTS_QUEUE_ITEMS,
            queue_bytes: tuning::QUEUE_BYTES,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: true,
                ops: usize::MAX,
                bytes: tuning::BATCH_BYTES,
                age: Duration::from_secs(1),
            },
            max_batch: usize::MAX,
            coalesce: Coalesce::ByKey,
            ack: Ack::Committed,
            durability: Durability::Checkpoint,
            on_error: OnError::DropBatch,
            close_deadline: tuning::CLOSE_DEADLINE,
        }
    }

    /// The artifact index: acknowledged when queued, written every 5 seconds or
    /// 2,048 entries, every write synced. A failed write keeps its entries and
    /// is tried again.
    #[must_use]
    pub fn artifact_index() -> Self {
        Self {
            queue_items: tuning::ARTIFACT_QUEUE_ITEMS,
            queue_bytes: tuning::QUEUE_BYTES,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: false,
                ops: tuning::ARTIFACT_BATCH_OPS,
                bytes: tuning::BATCH_BYTES,
                age: Duration::from_secs(5),
            },
            max_batch: usize::MAX,
            coalesce: Coalesce::ByKey,
            ack: Ack::Enqueued,
            durability: Durability::EachCommit,
            on_error: OnError::Retry {
                attempts: 2,
                backoff: Duration::from_millis(50),
                keep: true,
            },
            close_deadline: tuning::CLOSE_DEADLINE,
        }
    }

    /// The entity store: changes wait in memory for one continuous committer;
    /// history keeps every version, so nothing is coalesced. After a failed
    /// commit nothing is accepted: the process restarts from what is stored.
    #[must_use]
    pub fn entity_store() -> Self {
        Self {
            queue_items: tuning::ENTITY_CAPACITY,
            queue_bytes: tuning::QUEUE_BYTES,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: true,
                ops: usize::MAX,
                bytes: tuning::BATCH_BYTES,
                age: Duration::from_secs(1),
            },
            max_batch: usize::MAX,
            coalesce: Coalesce::None,
            ack: Ack::Committed,
            durability: Durability::EachCommit,
            on_error: OnError::Poison,
            close_deadline: tuning::CLOSE_DEADLINE,
        }
    }
}
