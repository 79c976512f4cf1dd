//! The store's tests: one binary, one module a subject. They guard what no
//! speed-up may change, so a candidate may not edit them.

mod archive;
mod durability;
mod engine;
mod entities;
mod events;
mod grants;
mod keys;
mod packages;
mod support;
mod writer;
