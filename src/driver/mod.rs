//! The driver: takes what the state machines need to the edges and the answers back.

pub mod ablate;
pub mod attempts;
pub mod bench;
pub mod calibrate;
pub mod end_to_end;
pub mod engine;
pub mod finalize;
pub mod fresh;
pub mod hooks;
pub mod judge;
pub mod noise_text;
pub mod open;
pub mod profile;
pub mod project;
pub mod propose;
pub mod propose_agent;
pub mod record;
pub mod reproduce;
pub mod run;
pub mod stack;
pub mod verdict_text;
pub mod watch;
