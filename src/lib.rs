//! `autoresearch`: an autonomous experiment loop.

pub mod cli;
pub mod command;
pub mod driver;
pub mod edge;
pub mod error;
pub mod exit;
pub mod flow;
pub mod propose;
pub mod report;
