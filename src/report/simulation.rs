//! `simulate`: a table for each noise model, and the same as JSON.

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

use crate::flow::decision::Params;
use crate::simulate::{BUDGETS, CANDIDATES, Figure, PROBES_PERCENT, Plan, Row};

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    seed: u64,
    streams: u32,
    candidates_per_stream: usize,
    stream: &'a str,
    params: &'a Params,
    warm_up_runs_counted: bool,
    rows: &'a [Row],
}

impl<'a> Report<'a> {
    /// The report of a plan's rows.
    pub fn new(plan: &'a Plan, rows: &'a [Row]) -> Self {
        Self {
            seed: plan.seed,
            streams: plan.streams,
            candidates_per_stream: CANDIDATES,
            stream: plan.stream.name(),
            params: &plan.settings.params,
            warm_up_runs_counted: plan.settings.warm_up,
            rows,
        }
    }
}

/// A figure that is not defined, such as the power when no candidate has that effect.
const NOTHING: &str = "-";

/// The tables, and what their columns mean.
pub fn text(plan: &Plan, rows: &[Row]) -> String {
    let mut text = String::new();
    for rows in rows.chunk_by(|a, b| a.noise == b.noise) {
        text.push_str(&format!("noise {}\n{}\n\n", rows[0].noise, table(rows)));
    }
    text.push_str(&legend(plan));
    text
}

fn table(rows: &[Row]) -> String {
    let mut header: Vec<String> = ["rule", "FK/200", "±", "HK %"].map(str::to_owned).to_vec();
    header.extend(PROBES_PERCENT.map(|percent| format!("{percent} %")));
    header.extend(["runs", "claim %", "true %", "over"].map(str::to_owned));
    header.extend(BUDGETS.map(|budget| format!("x@C{}", budget.candidate)));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    let cell = |(column, text): (usize, String)| {
        Cell::new(text).set_alignment(if column == 0 {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        })
    };
    table.set_header(header.into_iter().enumerate().map(cell));
    for row in rows {
        table.add_row(comfy_table::Row::from(
            cells(row)
                .into_iter()
                .enumerate()
                .map(cell)
                .collect::<Vec<_>>(),
        ));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn cells(row: &Row) -> Vec<String> {
    let shown = |figure: Option<Figure>, decimals: usize| {
        figure.map_or_else(
            || NOTHING.to_owned(),
            |figure| format!("{:.decimals$}", figure.value),
        )
    };
    let error = row.false_keeps_per_200.map(|figure| figure.standard_error);
    let mut cells = vec![
        row.rule.clone(),
        shown(row.false_keeps_per_200, 2),
        error.map_or_else(|| NOTHING.to_owned(), |error| format!("{error:.2}")),
        shown(row.harmful_kept_percent, 1),
    ];
    cells.extend(row.power_percent.map(|power| shown(power, 0)));
    cells.extend([
        shown(Some(row.runs_per_candidate), 1),
        shown(Some(row.claimed_percent), 1),
        shown(Some(row.true_percent), 1),
        shown(row.claimed_over_true, 2),
    ]);
    cells.extend(row.speed_up.map(|speed_up| shown(Some(speed_up), 2)));
    cells
}

fn legend(plan: &Plan) -> String {
    let Params {
        e_keep,
        beta,
        min_effect,
        cap_pairs,
        ..
    } = plan.settings.params;
    let [cheap, dear] = BUDGETS;
    let warm_up = if plan.settings.warm_up { "" } else { " not" };
    format!(
        "FK/200: false keeps per 200 exact no-ops, and its standard error; HK %: harmful ones kept; \
         then the power, percent\nkept of those that gain as much; runs: benchmark runs a candidate, \
         with calibration and claim; claim %, true %: log\ngain of a stream as claimed and as it is; \
         over: claimed over true; x@C{}, x@C{}: true speed-up within {} and {}\nruns in all, when \
         making a candidate costs {} and {} runs.\n\
         seed {}, {} streams of {CANDIDATES} candidates ({}) for each noise; autoresearch: E >= {}, \
         beta {beta}, min effect {:.3} %,\nat most {cap_pairs} pairs, warm-up pairs{warm_up} counted.\n",
        cheap.candidate,
        dear.candidate,
        cheap.total,
        dear.total,
        cheap.candidate,
        dear.candidate,
        plan.seed,
        plan.streams,
        plan.stream.name(),
        (e_keep * 100.0).round() / 100.0,
        100.0 * min_effect,
    )
}
