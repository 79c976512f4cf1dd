//! The only files that touch the world, one outside facility each.

pub mod artifacts;
pub mod cachegrind;
pub mod child_env;
pub mod clock;
pub mod console;
pub mod fault;
pub mod flamegraph;
pub mod host;
pub mod host_cpu;
mod host_sys;
pub mod interrupt;
pub mod ledger_file;
pub mod live_file;
pub mod lock;
pub mod output;
pub mod pprof;
pub mod process;
pub mod process_sys;
pub mod repo;
pub mod repo_locks;
pub mod repo_sys;
pub mod repo_write;
pub mod serve;
pub mod slots;
