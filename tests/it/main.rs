//! The binary on real repositories, with scripted benchmarks.

#[path = "../support/ledger_of.rs"]
mod ledger_of;
mod support;

mod ablate;
mod answers;
mod bad_input;
mod browser;
mod config_schema;
mod documented;
mod documented_text;
mod exhaustion;
mod faults;
mod finalize;
mod foreign;
mod hooks;
mod hostile;
mod hostile_agent;
mod interrupts;
mod interrupts_kept_in;
mod keeps_and_drops;
mod kept_results;
mod ledger;
mod limits;
mod links;
mod measured;
mod mistakes;
mod patches;
mod places;
mod poison;
mod processes;
mod profile;
mod recomputed;
mod repair;
mod report;
mod repository_states;
mod reproduce_all;
mod simulate;
mod special_files;
mod submodules;
mod tidy;
mod try_and_reproduce;
mod users_checkout;
mod users_states;
mod users_work;
mod watch;
