//! The driver: takes what the state machines need to the edges and the answers back.

pub mod ablate;
pub mod bench;
pub mod calibrate;
pub mod engine;
pub mod judge;
pub mod noise_text;
pub mod open;
pub mod project;
pub mod propose;
pub mod propose_agent;
pub mod record;
pub mod run;
pub mod verdict_text;
