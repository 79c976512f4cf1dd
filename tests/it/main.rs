//! The binary on real repositories, with scripted benchmarks.

#[path = "../support/ledger_of.rs"]
mod ledger_of;
mod support;

mod ablate;
mod bad_input;
mod config_schema;
mod faults;
mod finalize;
mod foreign;
mod hooks;
mod hostile;
mod interrupts;
mod keeps_and_drops;
mod ledger;
mod measured;
mod processes;
mod profile;
mod recomputed;
mod report;
mod reproduce_all;
mod simulate;
mod tidy;
mod try_and_reproduce;
mod users_work;
