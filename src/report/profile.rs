//! `profile`: the functions that cost most.

use std::path::PathBuf;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::format;
use crate::flow::profile::{Function, Shift};

/// One profile, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Full id.
    pub commit: String,
    /// `script` or `perf`.
    pub profiler: String,
    /// Samples taken.
    pub samples: u64,
    /// Where `profile.svg`, `profile.pb` and `profile.folded` are.
    pub directory: PathBuf,
    /// The functions with the largest own share.
    pub functions: Vec<Function>,
}

/// Two profiles, as `--json` prints them.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The first.
    pub before: Shown,
    /// The second.
    pub after: Shown,
    /// The flamegraph of the difference.
    pub svg: PathBuf,
    /// The functions whose own share differs most.
    pub shifts: Vec<Shift>,
}

/// One profile, with a newline at the end.
pub fn text(shown: &Shown, width: Option<u16>) -> String {
    let rows = shown.functions.iter().map(|function| {
        let (own, total) = (function.self_percent, function.total_percent);
        [own, total]
            .map(percent)
            .to_vec()
            .into_iter()
            .chain([function.name.clone()])
            .collect()
    });
    format!(
        "{}\n{}\n{}\n",
        table(["self %", "total %", "function"], rows, width),
        line(shown),
        place(shown)
    )
}

/// Two profiles, with a newline at the end.
pub fn difference(difference: &Difference, width: Option<u16>) -> String {
    let rows = difference.shifts.iter().map(|shift| {
        let (before, after) = (shift.before_percent, shift.after_percent);
        vec![percent(before), percent(after), shift.name.clone()]
    });
    format!(
        "{}\nbefore: {}\nafter:  {}\n{}\n{}\ndifference: {}\n",
        table(["before %", "after %", "function"], rows, width),
        line(&difference.before),
        line(&difference.after),
        place(&difference.before),
        place(&difference.after),
        difference.svg.display()
    )
}

fn percent(value: f64) -> String {
    format!("{value:.1}")
}

fn line(shown: &Shown) -> String {
    let commit = format::short_id(&shown.commit);
    format!(
        "commit {commit}, {} samples by {}",
        shown.samples, shown.profiler
    )
}

fn place(shown: &Shown) -> String {
    format!("{}/profile.{{svg,pb,folded}}", shown.directory.display())
}

fn table(header: [&str; 3], rows: impl Iterator<Item = Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if let Some(width) = width {
        table.set_width(width);
    }
    for row in rows {
        let cells = row.into_iter().enumerate().map(|(column, text)| {
            let right = column < 2;
            Cell::new(format::one_line(&text)).set_alignment(if right {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            })
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    table.trim_fmt()
}
