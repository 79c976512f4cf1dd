//! What may be said about all verdicts of a session together.

use super::params::Params;

/// Bound on the expected number of no-ops kept in `tests` tests:
/// `tests / (2 e_keep)`, at the defaults `tests / 200`.
///
/// `1 / e_keep` for the screen (Ville) times one half for the confirmation. A
/// dropped idea tried again is another test; a stored verdict for an identical
/// tree is not.
#[must_use]
pub fn false_keep_bound(tests: usize, params: &Params) -> f64 {
    tests as f64 / (2.0 * params.e_keep)
}

/// [`false_keep_bound`] as a share of the candidates kept, at most 1; 0 if none
/// was kept. Print it as a rough bound on the rate of false discoveries: a
/// ratio of an expectation to a count, not an expectation of ratios.
#[must_use]
pub fn false_discovery_bound(tests: usize, keeps: usize, params: &Params) -> f64 {
    if keeps == 0 {
        return 0.0;
    }
    (false_keep_bound(tests, params) / keeps as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_one_false_keep_in_two_hundred_tests() {
        let p = Params::default();
        assert_eq!(false_keep_bound(200, &p), 1.0);
        assert_eq!(false_keep_bound(0, &p), 0.0);
        let five = Params::with_false_keeps_per_200(5.0).unwrap();
        assert_eq!(false_keep_bound(200, &five), 5.0);
    }

    #[test]
    fn the_share_of_false_keeps_never_exceeds_one() {
        let p = Params::default();
        assert_eq!(false_discovery_bound(200, 8, &p), 0.125);
        assert_eq!(false_discovery_bound(1000, 1, &p), 1.0);
        assert_eq!(false_discovery_bound(1000, 0, &p), 0.0);
    }
}
