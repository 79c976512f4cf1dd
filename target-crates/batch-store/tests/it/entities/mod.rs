//! The entity store: invariants 37 to 47, each in a test that names it.

mod basics;
mod crash;
mod faults;
mod model;
mod properties;
mod steps;
mod support;
mod writes;
