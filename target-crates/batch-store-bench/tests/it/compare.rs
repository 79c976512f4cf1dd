//! `compare`, whole: every system of every table in a process of its own.

use crate::{complaint, printed};

#[test]
fn a_small_comparison_prints_every_system_of_every_table_with_its_ratios() {
    let text = printed(&["compare", "--rows", "2000", "--rounds", "1"]);
    let headings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("###"))
        .collect();
    assert_eq!(headings.len(), 5, "{text}");
    assert!(text.starts_with("`batch-store-bench compare --rows 2000 --rounds 1 --seed 1` on "));
    for system in [
        "bound",
        "**batch-store",
        "LMDB",
        "fjall",
        "redb",
        "SQLite",
        "request/reply",
        "pacquet",
    ] {
        let rows = text
            .lines()
            .filter(|line| line.starts_with(&format!("| {system}")));
        let rows: Vec<&str> = rows.collect();
        assert!(!rows.is_empty(), "no row of {system}: {text}");
        assert!(!rows.iter().any(|row| row.contains("NaN")), "{rows:?}");
    }
}

#[test]
fn json_has_every_round_of_one_table() {
    let arguments = [
        "compare", "--rows", "40", "--rounds", "2", "--table", "packages", "--json",
    ];
    let text = printed(&arguments);
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(all["tables"].as_array().map(Vec::len), Some(1));
    let table = &all["tables"][0];
    assert_eq!(
        (&table["table"], &table["rows"]),
        (&"packages".into(), &8.into())
    );
    for system in table["systems"].as_array().expect("systems") {
        assert_eq!(
            system["rounds"].as_array().map(Vec::len),
            Some(2),
            "{system}"
        );
        let median = system["median"]["ms"].as_f64().expect("a median");
        let of = |round: usize| system["rounds"][round]["ms"].as_f64().expect("a time");
        assert!(
            (median - f64::midpoint(of(0), of(1))).abs() < 1e-6,
            "{system}"
        );
    }
}

#[test]
fn a_child_that_fails_fails_the_comparison_and_says_which() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("text");
    let unknown = complaint(&["run-peer", "grants", "no such store", "10", path], 1);
    assert!(unknown.contains("no such store"), "{unknown}");
    let gone = dir.path().join("gone");
    let gone = gone.to_str().expect("text");
    for system in [
        "bound, 1 thread",
        "LMDB, sorted append",
        "SQLite, one transaction",
    ] {
        complaint(&["run-peer", "grants", system, "10", gone], 1);
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_batch-store-bench"))
        .args([
            "compare", "--rows", "10", "--rounds", "1", "--table", "grants",
        ])
        .env("TMPDIR", gone)
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(gone));
}
