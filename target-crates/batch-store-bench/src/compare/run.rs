//! Running the rounds: one child process for each measurement.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Comparison, Options, TABLES, Table};
use crate::peers::{Measured, System};
use crate::rng::Rng;
use crate::{BenchError, Result};

/// Told before each measurement: table, round from 1, system.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize, &str);

fn failed(system: &str, reason: impl std::fmt::Display) -> BenchError {
    BenchError::Peer(format!("{system}: {reason}"))
}

/// Runs all rounds of all chosen tables. `program` is this binary.
///
/// # Errors
/// When a child cannot be run, fails, or stored the wrong rows.
pub fn compare(
    program: &Path,
    options: Options,
    progress: Progress<'_>,
) -> Result<Vec<Comparison>> {
    let mut rng = Rng::new(options.seed);
    let chosen = |table: &&Table| options.table.is_none_or(|name| name == table.name);
    let mut comparisons = Vec::new();
    for table in TABLES.iter().filter(chosen) {
        let rows = table.rows(options.rows);
        let mut samples: BTreeMap<&'static str, Vec<Measured>> = BTreeMap::new();
        for round in 1..=options.rounds {
            let mut order: Vec<&System> = table.systems.iter().collect();
            rng.shuffle(&mut order);
            for system in order {
                progress(table.name, round, system.name);
                let measured = measure(program, table, system, rows)?;
                samples.entry(system.name).or_default().push(measured);
            }
        }
        comparisons.push(Comparison::new(table, rows, &samples));
    }
    Ok(comparisons)
}

fn measure(program: &Path, table: &Table, system: &System, rows: usize) -> Result<Measured> {
    let io = |source| BenchError::Io {
        action: "create a directory in",
        path: std::env::temp_dir(),
        source,
    };
    let dir = tempfile::Builder::new()
        .prefix("batch-store-compare-")
        .tempdir()
        .map_err(io)?;
    let output = Command::new(program)
        .args(["run-peer", table.name, system.name])
        .arg(rows.to_string())
        .arg(dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(system.name, error))?;
    if !output.status.success() {
        return Err(failed(system.name, output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(system.name, error))
}

/// What a child does: one system, once. Returns its measurement as JSON.
///
/// # Errors
/// When there is no such table or system, or it failed.
pub fn run_child(table: &str, system: &str, rows: usize, dir: &Path) -> Result<String> {
    let systems = TABLES
        .iter()
        .find(|known| known.name == table)
        .map(|table| table.systems);
    let found = systems.and_then(|all| all.iter().find(|known| known.name == system));
    let found = found.ok_or_else(|| failed(system, format!("table {table} has no such system")))?;
    let measured = (found.run)(dir, rows)?;
    serde_json::to_string(&measured).map_err(|error| failed(system, error))
}
