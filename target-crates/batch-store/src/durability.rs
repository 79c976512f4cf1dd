//! How far a write has got, and how far a commit is pushed.

/// What a ticket waits for. Ordered: each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ack {
    /// In the writer's queue. Lost when the process dies.
    Enqueued,
    /// Encoded and part of the batch that commits next. Lost when the process dies.
    Applied,
    /// Committed: survives the process, and readers see it. May be lost at power loss.
    Committed,
    /// Committed and synced: survives power loss.
    Synced,
}

/// When commits reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Synced at checkpoints and at [`Engine::sync`](crate::Engine::sync) only
    /// (`synchronous = NORMAL`). A kill loses nothing committed; power loss may
    /// lose the last commits, never part of one.
    Checkpoint,
    /// Synced before the commit returns (`synchronous = FULL`).
    EachCommit,
}

/// Number of a committed batch: 1 is an engine's first since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// How far a writer has got. Every field only grows, and
/// `synced <= committed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frontier {
    /// Requests whose operations entered a batch.
    pub applied: u64,
    /// The last committed batch.
    pub committed: Seq,
    /// The last batch known to survive power loss.
    pub synced: Seq,
    /// Commits that failed or were indeterminate. What somebody derived from
    /// requests that were applied and not committed is stale when this grows:
    /// load it anew.
    pub failed: u64,
}
