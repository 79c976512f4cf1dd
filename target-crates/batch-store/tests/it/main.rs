//! The store's tests: one binary, one module a subject. They guard what no
//! speed-up may change, so a candidate may not edit them.

mod archive;
mod artifact_files;
mod artifacts;
mod bulk;
mod conformance;
mod durability;
mod engine;
mod entities;
mod events;
mod grants;
mod grants_crash;
mod grants_faults;
mod hooked;
mod keys;
#[cfg(feature = "lsm")]
mod lsm;
mod packages;
mod segment;
mod snapshot;
mod snapshot_faults;
mod support;
mod writer;
mod writer_bisect;
mod writer_bounds;
mod writer_close;
mod writer_faults;
mod writer_order;
