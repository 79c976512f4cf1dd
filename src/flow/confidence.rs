//! pi-autoresearch's advisory confidence: how far the best kept value lies from the first, in
//! units of the spread of all.
//!
//! Written into our ledger so that its tools show it; never used to decide. On pure noise with
//! greedy keeping it passes 2 ("likely real") in half of all sessions of five runs and in four of
//! five of fifty: it is a best-of-N figure without a correction for N.

use super::decision::Direction;
use super::metric::median;
use super::record::Status;

/// `|best kept - first| / median(|x - median(x)|)` over a segment's values `x` above 0, in the
/// order they were recorded. `None` where pi-autoresearch logs null: fewer than three values, no
/// keep, no spread, or the first value is the best kept.
pub fn confidence(
    runs: impl IntoIterator<Item = (f64, Status)>,
    direction: Direction,
) -> Option<f64> {
    /// Fewest values it is given for.
    const VALUES_MIN: usize = 3;
    let runs: Vec<(f64, Status)> = runs.into_iter().filter(|(value, _)| *value > 0.0).collect();
    if runs.len() < VALUES_MIN {
        return None;
    }
    let values: Vec<f64> = runs.iter().map(|(value, _)| *value).collect();
    let middle = median(&values);
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let spread = median(&distances);
    let first = values[0];
    let kept = runs
        .iter()
        .filter(|(_, status)| *status == Status::Keep)
        .map(|(value, _)| *value);
    let best = match direction {
        Direction::Lower => kept.min_by(f64::total_cmp),
        Direction::Higher => kept.max_by(f64::total_cmp),
    }?;
    (spread > 0.0 && best != first).then(|| (best - first).abs() / spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{ChecksFailed, Crash, Discard, Keep};

    fn check(runs: &[(f64, Status)], direction: Direction, expected: Option<f64>) {
        let got = confidence(runs.iter().copied(), direction);
        match (got, expected) {
            (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-12, "{got}"),
            (got, expected) => assert_eq!(got, expected),
        }
    }

    #[test]
    fn it_is_the_distance_of_the_best_kept_from_the_first_in_unscaled_mads() {
        // median 95, distances 5 5 5 0 15, MAD 5
        let runs = [
            (100.0, Keep),
            (90.0, Keep),
            (100.0, Discard),
            (95.0, Discard),
            (80.0, Keep),
        ];
        check(&runs, Direction::Lower, Some(4.0));
    }

    #[test]
    fn for_a_higher_metric_the_best_is_the_largest_kept() {
        let runs = [(10.0, Keep), (14.0, Keep), (12.0, Discard)];
        check(&runs, Direction::Higher, Some(2.0));
        check(&runs, Direction::Lower, None);
    }

    #[test]
    fn crashes_logged_as_zero_do_not_count() {
        let runs = [(0.0, Crash), (10.0, Keep), (8.0, Keep)];
        check(&runs, Direction::Lower, None);
        let runs = [(0.0, Crash), (10.0, Keep), (8.0, Keep), (9.0, ChecksFailed)];
        check(&runs, Direction::Lower, Some(2.0));
    }

    #[test]
    fn there_is_none_without_spread_without_a_keep_or_without_a_change() {
        check(
            &[(5.0, Keep), (5.0, Keep), (5.0, Keep)],
            Direction::Lower,
            None,
        );
        check(
            &[(5.0, Discard), (6.0, Discard), (7.0, Discard)],
            Direction::Lower,
            None,
        );
        check(
            &[(5.0, Keep), (6.0, Discard), (7.0, Discard)],
            Direction::Lower,
            None,
        );
        check(&[(5.0, Keep), (4.0, Keep)], Direction::Lower, None);
    }
}
