//! A batched-write store: many small writes, few commits, and a precise answer
//! to "is it safe yet?".
//!
//! The parts, from the disk upwards:
//!
//! * [`Engine`] applies a [`WriteBatch`] whole or not at all:
//!   [`SegmentEngine`], [`SqliteEngine`], [`SnapshotEngine`], `LsmEngine` with the
//!   feature `lsm`, and [`MemoryEngine`] as the model they are tested against.
//! * [`Table`] turns a [`Record`] into a primary row and its index entries. It is
//!   the only way into a batch, so a record without its index cannot be written.
//! * [`Writer`] owns an engine and commits for many producers as its [`Policy`]
//!   says; a [`Ticket`] resolves when a request has reached its [`Ack`] level.
//! * [`packages`], [`events`], [`grants`] and [`artifacts`] are the stores built of these.
//! * [`entities`] keeps versioned entities in memory and writes them behind.
//! * [`archive`] packs a finished store into one file and refuses a bad one.
//!
//! The main promises. Tests under `tests/` that prove one, or a detail of one, have
//! its number in the store's specification in their name (`invariant_NN`):
//!
//! * A batch is wholly present or wholly absent.
//! * No ticket above [`Ack::Applied`] resolves before the commit returned, and
//!   each resolves exactly once, also when the commit fails or the thread dies.
//! * The index entries equal those derived from the primary rows, always.
//! * Where batches are cut never changes the final state.
//!
//! ```
//! use batch_store::grants::{Grant, GrantSession};
//!
//! # fn main() -> batch_store::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! let mut session = GrantSession::start(&dir.path().join("work"), "sync-1")?;
//! session.put_grants(&[Grant::new("g-1", "admin", "alice")])?;
//! let archive = dir.path().join("out.bsa");
//! session.end()?.pack(&archive)?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod archive;
pub mod artifacts;
pub mod batch;
pub mod bulk;
mod checked;
mod codec;
pub mod disk;
pub mod durability;
pub mod engine;
pub mod entities;
pub mod error;
pub mod events;
pub mod grants;
pub mod keys;
mod load;
pub mod packages;
pub mod page;
mod sort;
pub mod table;
pub mod tuning;
pub mod writer;

pub use batch::{Op, WriteBatch};
pub use bulk::{BulkLoad, SortedRun, StagedLoad};
pub use durability::{Ack, Durability, Frontier, Seq};
pub use engine::fault::{FaultEngine, Faults};
#[cfg(feature = "lsm")]
pub use engine::lsm::LsmEngine;
pub use engine::memory::MemoryEngine;
pub use engine::segment::SegmentEngine;
pub use engine::snapshot::{Quarantine, SnapshotCounts, SnapshotEngine};
pub use engine::sqlite::SqliteEngine;
pub use engine::{Engine, EngineKind, Range};
pub use error::{Error, Result};
pub use load::{EncodedLoad, LoadRow};
pub use page::{Cursor, MAX_PAGE_ROWS, Page};
pub use table::{Family, Layout, Record, Table};
pub use writer::{
    Change, CloseReport, Coalesce, FlushWhen, OnError, OnFull, Policy, Producer, Stage, Ticket,
    View, Writer,
};
