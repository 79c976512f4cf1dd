//! The pure core, in the order in which the data flows. No I/O, no clock, and no randomness that
//! is not passed in.

pub mod ablation;
pub mod claims;
pub mod coins;
pub mod confidence;
pub mod config;
mod config_explain;
pub mod config_metric;
mod config_names;
pub mod config_parts;
pub mod decision;
pub mod digest;
pub mod driver_metrics;
pub mod entry;
pub mod environment;
pub mod explain;
pub mod finalize;
pub mod foreign;
pub mod hooks;
pub mod ledger;
pub mod limits;
pub mod measure;
pub mod metric;
pub mod noise;
pub mod profile;
pub mod proposal;
pub mod record;
pub mod record_parts;
pub mod reproduction;
pub mod scope;
pub mod self_report;
pub mod session;
pub mod summary;
pub mod trial;
pub mod trial_guards;
pub mod trial_result;
pub mod verdict;
