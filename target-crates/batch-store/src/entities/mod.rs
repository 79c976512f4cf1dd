//! [`EntityStore`]: entities in memory, written behind, with a way back.
//!
//! A processor of a stream (blocks, say) reads and sets entities as of a growing
//! *checkpoint* number and hands over a batch when it has processed some of them.
//! It never waits for storage unless memory is full: one thread writes the batches
//! in their order, each run of them in one transaction, together with the
//! checkpoints they cover. So there are two frontiers ([`Frontiers`]): what is
//! processed, and what is committed and survives a restart.
//!
//! With [`History::On`] each change is kept as a version until it is pruned, and
//! [`EntityStore::rollback`] undoes everything above a checkpoint, as after a
//! chain reorganisation.
//!
//! A failed write is final: memory is then ahead of a storage that cannot follow.
//! Every later call returns the write's error; open the store again and continue
//! after its committed frontier.
//!
//! ```
//! use batch_store::entities::{Checkpoint, Effect, EntityStore, History, Options, Schema};
//!
//! # fn main() -> batch_store::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! let schema = Schema::new().with_effects();
//! let mut store = EntityStore::open_sqlite(&dir.path().join("e.db"), schema, Options::default())?;
//! store.begin_batch()?;
//! store.set(1, &Effect::new("fetch", "https://a.example", b"answer"))?;
//! store.commit_batch(vec![Checkpoint { number: 1, data: vec![] }], History::On)?;
//! store.close()?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod effect;
mod entity;
mod filters;
mod history;
mod pipeline;
mod records;
mod rollback;
mod store;
mod table;
mod transaction;

pub use effect::{EFFECTS, EFFECTS_BY_NAME, Effect};
pub use entity::{Comparison, Entity, FieldValue, Filter, Schema};
pub use pipeline::{FrontierWatch, Frontiers};
pub use records::{CHECKPOINTS, Checkpoint};
pub use rollback::{Rollback, TableRollback};
pub use store::{EntityStore, Options};
pub use transaction::History;
