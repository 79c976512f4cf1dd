//! The store's tests: one binary, one module a subject. They guard what no
//! speed-up may change, so a candidate may not edit them.

mod archive;
mod artifact_files;
mod artifacts;
mod conformance;
mod durability;
mod engine;
mod entities;
mod events;
mod grants;
mod keys;
#[cfg(feature = "lsm")]
mod lsm;
mod packages;
mod snapshot;
mod snapshot_faults;
mod support;
mod writer;
mod writer_bounds;
mod writer_close;
mod writer_faults;
mod writer_order;
