//! The binary on real repositories, with scripted benchmarks.

mod support;

mod ablate;
mod bad_input;
mod config_schema;
mod interrupts;
mod keeps_and_drops;
mod ledger;
mod processes;
mod recomputed;
mod tidy;
mod try_and_reproduce;
mod users_work;
