//! How long a benchmark run may take.

/// Multiples of the parent's median run time after which a run has failed.
pub const DEADLINE_PARENT_MEDIANS: f64 = 10.0;

/// Shortest deadline, in seconds: a start-up hiccup is not a failure.
pub const DEADLINE_FLOOR_S: f64 = 5.0;

/// Default deadline of one benchmark run in seconds: ten times the parent's
/// median run time `parent_median_s`, at least 5 s.
///
/// # Panics
/// If `parent_median_s` is negative or not finite.
#[must_use]
pub fn run_deadline_s(parent_median_s: f64) -> f64 {
    assert!(
        parent_median_s.is_finite() && parent_median_s >= 0.0,
        "median run time {parent_median_s} s"
    );
    (DEADLINE_PARENT_MEDIANS * parent_median_s).max(DEADLINE_FLOOR_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_ten_medians_but_five_seconds_at_least() {
        for (median_s, expected_s) in [
            (0.0, 5.0),
            (0.27, 5.0),
            (0.5, 5.0),
            (0.6, 6.0),
            (90.0, 900.0),
        ] {
            assert_eq!(run_deadline_s(median_s), expected_s);
        }
    }
}
