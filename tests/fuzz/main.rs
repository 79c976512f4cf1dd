//! Bad input: every parser on arbitrary bytes, arbitrary text and damaged valid files.
//!
//! `PROPTEST_CASES` sets the number of cases of each property, for example
//! `PROPTEST_CASES=1000000 cargo test --release --test fuzz`.

#[expect(dead_code, reason = "no file is written here")]
#[path = "../support/ledger_of.rs"]
mod ledger_of;

mod config;
mod digest;
mod heap;
mod ideas;
mod ledger;
mod metric;
mod mutate;
mod patch;

/// Cases of a property: 256, `PROPTEST_CASES`, or a share of either where a case is slow.
fn cases(share_of: u32) -> proptest::test_runner::Config {
    let config = proptest::test_runner::Config::default();
    proptest::test_runner::Config {
        cases: (config.cases / share_of).max(1),
        failure_persistence: None,
        ..config
    }
}
