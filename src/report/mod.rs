//! What people and programs see of a ledger: pure functions from its entries to text and JSON.
//! No terminal is asked anything: width and colour are parameters.

pub mod ablation;
pub mod closing;
pub mod doctor;
pub mod explain;
pub mod finalize;
pub mod format;
pub mod guard;
pub mod html;
pub mod log;
pub mod markdown;
pub mod measured;
pub mod profile;
pub mod progress;
pub mod reason;
pub mod repair;
pub mod reproduction;
pub mod review;
pub mod row;
pub mod rows;
pub mod show;
pub mod simulation;
pub mod since;
pub mod status;
pub mod strip;
