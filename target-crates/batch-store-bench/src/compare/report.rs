//! Medians and ratios of a comparison, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::{Better, Table};
use crate::Result;
use crate::peers::{Measured, failed};

/// One table's results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The table's name.
    pub table: &'static str,
    /// What the work was.
    pub title: String,
    /// Rows.
    pub rows: usize,
    /// The systems, in the table's order.
    pub systems: Vec<SystemResult>,
    #[serde(skip)]
    columns: Vec<super::Column>,
    #[serde(skip)]
    primary: &'static str,
}

/// One system's results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemResult {
    /// The system.
    pub name: &'static str,
    /// How many times as long as the bound it takes, by the primary column's medians.
    pub times_bound: f64,
    /// How many times as long as this store it takes.
    pub times_store: f64,
    /// Medians of the rounds, by column key.
    pub median: Measured,
    /// Every round, in the order they ran.
    pub rounds: Vec<Measured>,
}

impl Comparison {
    pub(super) fn new(
        table: &Table,
        rows: usize,
        samples: &BTreeMap<&'static str, Vec<Measured>>,
    ) -> Self {
        let of = |name: &str| samples.get(name).cloned().unwrap_or_default();
        let (key, better) = table.primary;
        let cost = |name: &str| {
            let value = medians(&of(name)).get(key).copied().unwrap_or(f64::NAN);
            match better {
                Better::Lower => value,
                Better::Higher => 1.0 / value,
            }
        };
        let (bound, store) = (cost(table.systems[0].name), cost(table.store));
        let result = |name| SystemResult {
            name,
            times_bound: cost(name) / bound,
            times_store: cost(name) / store,
            median: medians(&of(name)),
            rounds: of(name),
        };
        Self {
            table: table.name,
            title: table.title.replace("{rows}", &grouped(rows)),
            rows,
            systems: table
                .systems
                .iter()
                .map(|system| result(system.name))
                .collect(),
            columns: table.columns.to_vec(),
            primary: key,
        }
    }
}

fn medians(rounds: &[Measured]) -> Measured {
    let keys = rounds.first().map(Measured::keys).into_iter().flatten();
    let median_of = |key: &String| {
        let values = rounds.iter().filter_map(|round| round.get(key).copied());
        (key.clone(), median(values.collect()))
    };
    keys.map(median_of).collect()
}

/// The middle value, or the mean of the two in the middle; not a number when there are none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Digits in groups of three.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn number(value: f64, decimals: usize) -> String {
    if decimals == 0 && value >= 0.0 {
        grouped(value.round() as usize)
    } else {
        format!("{value:.decimals$}")
    }
}

/// Every measurement as JSON: machine, command, and the tables with each round.
///
/// # Errors
/// Never for what [`Comparison`] holds; a number that JSON cannot express becomes null.
pub fn json(machine: &str, command: &str, comparisons: &[Comparison]) -> Result<String> {
    let all = serde_json::json!({
        "machine": machine,
        "command": command,
        "tables": comparisons,
    });
    let text = serde_json::to_string_pretty(&all);
    text.map(|text| text + "\n").map_err(failed)
}

/// The tables in Markdown, ready to paste: the machine, the command, and a table each.
#[must_use]
pub fn markdown(machine: &str, command: &str, comparisons: &[Comparison]) -> String {
    let mut text = format!(
        "`{command}` on {machine}. Medians of the rounds; each system in a process of its own.\n"
    );
    for comparison in comparisons {
        table(&mut text, comparison);
    }
    text
}

fn table(text: &mut String, comparison: &Comparison) {
    let mut heading = vec!["system"];
    for column in &comparison.columns {
        heading.push(column.title);
        if column.key == comparison.primary {
            heading.extend(["x bound", "x store"]);
        }
    }
    let rule = "--:|".repeat(heading.len() - 1);
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "\n### {}\n\n| {} |\n|---|{rule}\n",
        comparison.title,
        heading.join(" | ")
    );
    for system in &comparison.systems {
        let mut cells = vec![match system.name.starts_with("batch-store") {
            true => format!("**{}**", system.name),
            false => system.name.to_owned(),
        }];
        for column in &comparison.columns {
            let value = system.median.get(column.key).copied().unwrap_or(f64::NAN);
            cells.push(number(value, column.decimals));
            if column.key == comparison.primary {
                cells.push(format!("{:.2}", system.times_bound));
                cells.push(format!("{:.2}", system.times_store));
            }
        }
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::TABLES;

    fn samples(
        table: &Table,
        value: impl Fn(usize, usize) -> f64,
    ) -> BTreeMap<&'static str, Vec<Measured>> {
        let of = |at: usize| {
            let round = |round| {
                let columns = table.columns.iter();
                columns
                    .map(|column| (column.key.to_owned(), value(at, round)))
                    .collect()
            };
            (0..3).map(round).collect()
        };
        let systems = table.systems.iter().enumerate();
        systems.map(|(at, system)| (system.name, of(at))).collect()
    }

    #[test]
    fn ratios_are_of_medians_and_above_one_means_slower_either_way() {
        for table in TABLES {
            // The system at place `at` takes `at + 1` times as long; the last round is an outlier.
            let value = |at: usize, round: usize| match (table.primary.1, round) {
                (_, 2) => 1e9,
                (Better::Lower, _) => (at + 1) as f64,
                (Better::Higher, _) => 60.0 / (at + 1) as f64,
            };
            let comparison = Comparison::new(table, 1000, &samples(table, value));
            let at_store = table
                .systems
                .iter()
                .position(|system| system.name == table.store);
            let store = (at_store.expect("the store is in its table") + 1) as f64;
            for (at, system) in comparison.systems.iter().enumerate() {
                let times = (at + 1) as f64;
                assert!((system.times_bound - times).abs() < 1e-9, "{}", system.name);
                assert!(
                    (system.times_store - times / store).abs() < 1e-9,
                    "{}",
                    system.name
                );
            }
        }
    }

    #[test]
    fn every_row_of_the_markdown_has_as_many_cells_as_its_heading() {
        let comparisons: Vec<Comparison> = TABLES
            .iter()
            .map(|table| Comparison::new(table, 12_345, &samples(table, |at, _| at as f64 + 0.5)))
            .collect();
        let text = markdown("a machine", "a command", &comparisons);
        assert!(text.starts_with("`a command` on a machine."));
        assert!(text.contains("12,345"), "{text}");
        let mut cells = None;
        for line in text.lines() {
            let found = line.matches('|').count();
            match line.starts_with('|') {
                true => assert_eq!(*cells.get_or_insert(found), found, "{line}"),
                false => cells = None,
            }
        }
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two_middle_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
