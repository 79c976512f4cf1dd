//! `reproduce`: claimed against measured.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::closing::plural;
use super::format;
use crate::flow::decision::Direction;
use crate::flow::record::Gain;
use crate::flow::reproduction::Comparison;

/// What `--all --json` prints.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The session.
    pub session: &'a str,
    /// Whether every claim is reproduced.
    pub holds: bool,
    /// The claims, the whole last.
    pub claims: &'a [Comparison],
}

/// One comparison, a line each, with a newline at the end.
pub fn text(comparison: &Comparison) -> String {
    let direction = comparison.direction;
    let mut text = format!(
        "commit    {:.10}  against parent {:.10}\nmetric    {}, + is better\nclaimed   {}\nmeasured  {}\n",
        comparison.commit,
        comparison.parent,
        comparison.metric,
        gain(direction, comparison.claimed.as_ref(), "nothing on record"),
        gain(direction, comparison.measured.as_ref(), "nothing"),
    );
    if let Some(wall) = &comparison.wall {
        let words = gain(Direction::Lower, Some(wall), "");
        text.push_str(&format!("wall      {words}\n"));
    }
    let mut how = Vec::new();
    if let Some(repeats) = comparison.repeats.filter(|&repeats| repeats > 1) {
        how.push(format!("{repeats} executions a run"));
    }
    if comparison.hold_out {
        how.push("inputs that no candidate has seen".to_owned());
    }
    if !how.is_empty() {
        text.push_str(&format!("with      {}\n", how.join(", ")));
    }
    for difference in &comparison.differences {
        text.push_str(&format!("differs   {difference}\n"));
    }
    text.push_str(&format!("verdict   {}\n", comparison.verdict.describe()));
    text
}

/// A table of a session's claims, and below it what differs, with a newline at the end.
pub fn table(comparisons: &[Comparison], width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["run", "claimed", "measured", "verdict", "description"]);
    if let Some(width) = width {
        table.set_width(width);
    }
    for one in comparisons {
        let measured = match &one.measured {
            Some(_) => gain(one.direction, one.measured.as_ref(), ""),
            None => format::one_line(&one.detail),
        };
        table.add_row([
            one.run.map_or("all".to_owned(), |run| run.to_string()),
            gain(one.direction, one.claimed.as_ref(), "nothing on record"),
            measured,
            one.verdict.describe().to_owned(),
            format::one_line(&one.description),
        ]);
    }
    let mut text = format!("{table}\n");
    let mut told: Vec<&str> = Vec::new();
    for difference in comparisons.iter().flat_map(|one| &one.differences) {
        if !told.contains(&difference.as_str()) {
            text.push_str(&format!("differs: {difference}\n"));
            told.push(difference);
        }
    }
    let held = comparisons.iter().filter(|one| one.verdict.holds()).count();
    text.push_str(&format!(
        "{held} of {} claims are reproduced\n",
        comparisons.len()
    ));
    text
}

fn gain(direction: Direction, gain: Option<&Gain>, nothing: &str) -> String {
    gain.map_or(nothing.to_owned(), |gain| {
        let pairs = plural(u64::from(gain.pairs), "pair");
        format!("{}  ({pairs})", format::gain(direction, gain))
    })
}
