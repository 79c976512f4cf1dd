//! What `show N` says of the runs themselves: the driver's figures, digests, held-out inputs.

use super::closing::plural;
use super::format;
use crate::flow::record::{Pair, SelfReport};
use crate::flow::trial::TrialResult;

/// The driver's metrics, a line each; names without prefix.
const LINES: &[&[&str]] = &[
    &["wall_ms", "wall_adj_ms"],
    &["cpu_ms", "user_ms", "sys_ms"],
    &["peak_rss_kib", "minor_faults", "major_faults"],
    &["ctx_voluntary", "ctx_involuntary"],
    &["instructions"],
];

/// Medians of the parent and the candidate; empty when no pair has any.
pub fn process(pairs: &[Pair]) -> String {
    let parent = TrialResult::medians(pairs, |pair| &pair.parent);
    let candidate = TrialResult::medians(pairs, |pair| &pair.candidate);
    let figure = |name: &&str| {
        let key = format!("driver.{name}");
        let (from, to) = (parent.get(&key)?, candidate.get(&key)?);
        Some(format!(
            "{name} {} → {}",
            format::value(*from),
            format::value(*to)
        ))
    };
    LINES
        .iter()
        .map(|names| {
            names
                .iter()
                .filter_map(figure)
                .collect::<Vec<_>>()
                .join(", ")
        })
        .filter(|line| !line.is_empty())
        .map(|line| line + "\n")
        .collect()
}

/// How the DIGEST lines compared; empty when there are none.
pub fn digests(pairs: &[Pair]) -> String {
    let checks: Vec<_> = pairs
        .iter()
        .filter_map(|pair| pair.digests.as_ref())
        .collect();
    let names = checks.iter().map(|check| check.compared).max().unwrap_or(0);
    let differ = checks
        .iter()
        .filter(|check| !check.differ.is_empty())
        .count();
    let pairs = plural(checks.len() as u64, "pair");
    match (checks.len(), differ) {
        (0, _) => String::new(),
        (_, 0) => format!("{names}, equal on both sides of {pairs}"),
        (_, _) => format!("{names}, compared in {pairs}: DIFFER"),
    }
}

/// How many pairs had inputs of their own; empty when none had.
pub fn held_out(pairs: &[Pair]) -> String {
    match pairs.iter().filter(|pair| pair.hold_out.is_some()).count() {
        0 => String::new(),
        count => format!(
            "{} with inputs of their own",
            plural(count as u64, "confirmation pair")
        ),
    }
}

/// The clock that disagrees; empty when none does.
pub fn self_report(report: Option<&SelfReport>) -> String {
    report.map_or(String::new(), |report| {
        format!(
            "DISAGREES: {} (ln E {:.1})",
            format::one_line(&report.describe()),
            report.ln_e
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::flow::ledger::samples;
    use crate::flow::record::{DigestCheck, Phase};

    fn pair() -> Pair {
        let mut pair = samples::pair(Phase::Confirm, 100.0, 90.0);
        for (side, factor) in [(&mut pair.parent, 1.0), (&mut pair.candidate, 2.0)] {
            side.insert("driver.wall_ms".to_owned(), 250.5 * factor);
            side.insert("driver.wall_adj_ms".to_owned(), 200.0 * factor);
            side.insert("driver.major_faults".to_owned(), 0.0);
        }
        pair
    }

    #[test]
    fn the_drivers_figures_stand_side_by_side_and_absent_ones_are_left_out() {
        assert_eq!(
            process(&[pair()]),
            "wall_ms 250.5 → 501, wall_adj_ms 200 → 400\nmajor_faults 0 → 0\n"
        );
        assert_eq!(process(&[samples::pair(Phase::Screen, 1.0, 1.0)]), "");
    }

    #[test]
    fn digests_and_held_out_inputs_are_counted() {
        assert_eq!(
            (digests(&[pair()]), held_out(&[pair()])),
            Default::default()
        );
        let mut equal = pair();
        equal.hold_out = Some(7);
        equal.digests = Some(DigestCheck {
            compared: 3,
            differ: BTreeMap::new(),
        });
        let mut other = equal.clone();
        assert_eq!(
            digests(&[equal.clone(), pair()]),
            "3, equal on both sides of 1 pair"
        );
        assert_eq!(
            held_out(&[equal.clone()]),
            "1 confirmation pair with inputs of their own"
        );
        let check = other.digests.as_mut().expect("there are digests");
        check
            .differ
            .insert("sum".to_owned(), [Some("1".to_owned()), None]);
        assert_eq!(digests(&[equal, other]), "3, compared in 2 pairs: DIFFER");
    }
}
