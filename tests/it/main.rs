//! The binary on real repositories, with scripted benchmarks.

#[path = "../support/ledger_of.rs"]
mod ledger_of;
mod support;

mod ablate;
mod bad_input;
mod config_schema;
mod exhaustion;
mod faults;
mod finalize;
mod hooks;
mod hostile;
mod hostile_agent;
mod interrupts;
mod interrupts_kept_in;
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
