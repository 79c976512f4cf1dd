//! The driver: takes what the state machines need to the edges and the answers back.

pub mod bench;
pub mod calibrate;
pub mod judge;
pub mod project;
