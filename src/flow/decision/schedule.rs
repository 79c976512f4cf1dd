//! When the loop does something other than judge the next candidate.

use super::params::Params;

/// Pairs measured and thrown away before the first of a calibration or a
/// screen: the first run after a pause is slower (8 % in the median on one
/// workload, none on another).
pub const WARMUP_PAIRS: usize = 1;

/// Gap in seconds after which the noise must be calibrated again.
pub const RECALIBRATE_AFTER_S: f64 = 3_600.0;

/// Keeps between two end-to-end comparisons of a running session. Those are
/// for information; only the last one is a claim.
pub const END_TO_END_EVERY_KEEPS: usize = 10;

/// Whether candidate number `index`, from 0, is a placebo: a no-op sent through
/// the full path, which must not be kept. With the default every 25th,
/// `index` 24, 49, ...; never with [`Params::placebo_every`] 0.
#[must_use]
pub fn placebo_due(index: usize, params: &Params) -> bool {
    params.placebo_every > 0 && (index + 1).is_multiple_of(params.placebo_every)
}

/// Whether the session is due for an informal end-to-end comparison, having
/// just kept its `keeps`-th candidate.
#[must_use]
pub fn end_to_end_due(keeps: usize) -> bool {
    keeps > 0 && keeps.is_multiple_of(END_TO_END_EVERY_KEEPS)
}

/// Whether pair `index`, from 0, of an end-to-end comparison of `pairs` runs
/// with the slots swapped: the second half does, so that a slot bias cancels.
#[must_use]
pub fn end_to_end_swapped(index: usize, pairs: usize) -> bool {
    index >= pairs.div_ceil(2)
}

/// Whether to calibrate before the next candidate: when harness, metric or
/// machine changed, or more than an hour has passed since the last pair.
#[must_use]
pub fn calibration_due(setup_changed: bool, gap_s: f64) -> bool {
    setup_changed || gap_s > RECALIBRATE_AFTER_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_twenty_fifth_candidate_is_a_placebo() {
        let due: Vec<usize> = (0..80)
            .filter(|&i| placebo_due(i, &Params::default()))
            .collect();
        assert_eq!(due, [24, 49, 74]);
    }

    #[test]
    fn every_tenth_keep_is_checked_end_to_end() {
        let due: Vec<usize> = (0..35).filter(|&n| end_to_end_due(n)).collect();
        assert_eq!(due, [10, 20, 30]);
    }

    #[test]
    fn slots_are_swapped_half_way() {
        let swapped = (0..24).filter(|&i| end_to_end_swapped(i, 24)).count();
        assert_eq!(swapped, 12);
        assert!(!end_to_end_swapped(0, 24) && end_to_end_swapped(23, 24));
    }

    #[test]
    fn a_long_gap_or_a_change_asks_for_calibration() {
        assert!(calibration_due(true, 0.0));
        assert!(!calibration_due(false, 3_600.0));
        assert!(calibration_due(false, 3_601.0));
    }
}
