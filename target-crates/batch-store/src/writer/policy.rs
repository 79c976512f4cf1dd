//! [`Policy`]: how a writer queues, batches, acknowledges and syncs. Data, not code.

use std::time::Duration;

use crate::durability::{Ack, Durability};
use crate::tuning;

/// What a full queue does to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Waits for room.
    Block,
    /// Returns [`Error::QueueFull`](crate::Error::QueueFull).
    Reject,
}

/// When the writer commits what it has staged: at the first of these. A barrier
/// and closing always commit; so does an empty queue while somebody waits for
/// [`Ack::Committed`] or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushWhen {
    /// When no request waits ("natural" group commit).
    pub idle: bool,
    /// When this many operations are staged.
    pub ops: usize,
    /// When the oldest staged operation has waited this long, traffic or none.
    pub age: Duration,
}

/// The behaviour of a [`Writer`](crate::Writer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Requests that may wait in the queue.
    pub queue_items: usize,
    /// What happens when they do.
    pub on_full: OnFull,
    /// When to commit.
    pub flush_when: FlushWhen,
    /// Requests in one commit, at most.
    pub max_batch: usize,
    /// The acknowledgement of a request that names none.
    pub ack: Ack,
    /// How far each commit is pushed, unless a request in it asks for more.
    pub durability: Durability,
}

impl Policy {
    /// The package index: natural batches of at most 256, synced at checkpoints.
    /// A row lost to power loss is a later cache miss.
    #[must_use]
    pub fn package_index() -> Self {
        Self {
            queue_items: tuning::PACKAGE_QUEUE_ITEMS,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: true,
                ops: tuning::PACKAGE_BATCH_OPS,
                age: Duration::from_secs(1),
            },
            max_batch: tuning::PACKAGE_BATCH_OPS,
            ack: Ack::Enqueued,
            durability: Durability::Checkpoint,
        }
    }

    /// The event log: acknowledged when applied, committed every 100 operations
    /// or 15 seconds, every commit synced.
    #[must_use]
    pub fn event_log() -> Self {
        Self {
            queue_items: tuning::EVENT_QUEUE_ITEMS,
            on_full: OnFull::Block,
            flush_when: FlushWhen {
                idle: false,
                ops: tuning::EVENT_BATCH_OPS,
                age: Duration::from_secs(15),
            },
            max_batch: tuning::EVENT_BATCH_OPS,
            ack: Ack::Applied,
            durability: Durability::EachCommit,
        }
    }
}
