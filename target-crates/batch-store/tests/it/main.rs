//! The store's tests: one binary, one module a subject. They guard what no
//! speed-up may change, so a candidate may not edit them.

mod archive;
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
mod packages;
mod segment;
mod support;
mod writer;
