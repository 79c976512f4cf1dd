//! The pure core, in the order in which the data flows. No I/O, no clock, and no randomness that
//! is not passed in.

pub mod config;
pub mod config_parts;
pub mod decision;
pub mod metric;
pub mod proposal;
pub mod record;
pub mod scope;
