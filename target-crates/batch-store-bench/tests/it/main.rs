//! The benchmark as its users run it: the binary, its output and its exit codes.

#[cfg(feature = "compare")]
mod compare;
mod workloads;

use std::process::{Command, Output};

/// Runs the binary and returns what it printed and how it ended.
fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_batch-store-bench"))
        .args(arguments)
        .env_remove("BATCH_STORE_BENCH_PROFILE")
        .output()
        .expect("the binary runs")
}

/// What a successful run printed.
fn printed(arguments: &[&str]) -> String {
    let output = bench(arguments);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a run complained of, which ended with this code.
fn complaint(arguments: &[&str], code: i32) -> String {
    let output = bench(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(output.stdout.is_empty(), "data on a failure");
    String::from_utf8(output.stderr).expect("text")
}
