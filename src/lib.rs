//! `autoresearch`: an autonomous experiment loop.

pub mod error;
pub mod exit;
pub mod flow;
pub mod propose;
pub mod report;
