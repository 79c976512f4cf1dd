//! `profile`: the functions that cost most.

use std::path::PathBuf;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::format;
use crate::flow::profile::{Function, SAMPLES_MIN, Shift};

/// One profile, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Full id.
    pub commit: String,
    /// `script` or `perf`.
    pub profiler: String,
    /// Samples taken.
    pub samples: u64,
    /// Executions of the script that they are of.
    pub executions: u32,
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
    /// What moved; absent with too few samples of either.
    #[serde(flatten)]
    pub moved: Option<Moved>,
}

/// What differs between two profiles.
#[derive(Debug, Serialize)]
pub struct Moved {
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
    let note = too_few(shown).map_or(String::new(), |note| format!("{note} functions\n"));
    format!(
        "{}\n{}\n{note}{}\n",
        table(["self %", "total %", "function"], rows, width),
        line(shown),
        place(shown)
    )
}

/// Two profiles, with a newline at the end.
pub fn difference(difference: &Difference, width: Option<u16>) -> String {
    let Difference {
        before,
        after,
        moved,
    } = difference;
    let (table, svg) = match moved {
        Some(moved) => {
            let rows = moved.shifts.iter().map(|shift| {
                let (before, after) = (shift.before_percent, shift.after_percent);
                vec![percent(before), percent(after), shift.name.clone()]
            });
            let table = table(["before %", "after %", "function"], rows, width);
            (table, format!("difference: {}\n", moved.svg.display()))
        }
        None => {
            let fewest = if before.samples < after.samples {
                before
            } else {
                after
            };
            let note = too_few(fewest).unwrap_or_default();
            (format!("{note} the two"), String::new())
        }
    };
    format!(
        "{table}\nbefore: {}\nafter:  {}\n{}\n{}\n{svg}",
        line(before),
        line(after),
        place(before),
        place(after),
    )
}

/// The beginning of a line that says so.
fn too_few(shown: &Shown) -> Option<String> {
    let samples = shown.samples;
    (samples < SAMPLES_MIN).then(|| format!("too few samples ({samples}) to compare"))
}

fn percent(value: f64) -> String {
    format!("{value:.1}")
}

fn line(shown: &Shown) -> String {
    let commit = format::short_id(&shown.commit);
    let executions = match shown.executions {
        1 => "one execution".to_owned(),
        executions => format!("{executions} executions"),
    };
    format!(
        "commit {commit}, {} samples of {executions} by {}",
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
