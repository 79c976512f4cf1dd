//! `compare`: this store beside the bound and beside other stores, doing the same
//! work in one run.
//!
//! Each measurement is a child process of this binary with a directory of its
//! own, so that resident memory, allocations and caches are that system's alone.
//! A round runs every system of a table once, in a random order that the seed
//! fixes; what is printed are the medians of the rounds.

mod machine;
mod report;
mod run;
mod tables;

pub use machine::machine;
pub use report::{Comparison, SystemResult, json, markdown};
pub use run::{Progress, compare, run_child};
pub use tables::{Better, Column, TABLES, Table};

/// What to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Grants; the other tables take their share of it, see [`Table::rows`].
    pub rows: usize,
    /// Rounds, at least 1.
    pub rounds: usize,
    /// Seed of the order within the rounds.
    pub seed: u64,
    /// Only the table of this name.
    pub table: Option<&'static str>,
}

impl Options {
    /// The command line that compares the same again.
    #[must_use]
    pub fn command(&self) -> String {
        let Self {
            rows, rounds, seed, ..
        } = self;
        let table = self
            .table
            .map_or_else(String::new, |name| format!(" --table {name}"));
        format!("batch-store-bench compare --rows {rows} --rounds {rounds} --seed {seed}{table}")
    }
}

/// Grants when nothing is said.
pub const DEFAULT_ROWS: usize = 100_000;
/// Grants of `--full`.
pub const FULL_ROWS: usize = 1_000_000;
/// Rounds when nothing is said: the fewest with a median that one outlier cannot move.
pub const DEFAULT_ROUNDS: usize = 3;
