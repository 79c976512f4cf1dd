//! Symmetries that hold for all inputs.

use autoresearch::flow::decision::{
    Direction, EProcess, Estimate, GuardProcess, Params, Screen, ScreenStep, hodges_lehmann,
    log_gain, replay, replay_guard, walsh_interval,
};
use proptest::prelude::*;

use crate::support::close;

fn gains(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let one = prop_oneof![
        8 => -0.1f64..0.1,
        1 => -5.0f64..5.0,
        1 => Just(0.0),
    ];
    prop::collection::vec(one, n)
}

fn ln_e(d: &[f64], s0: f64) -> f64 {
    let mut e = EProcess::new(&Params::default(), s0);
    for &x in d {
        e.push(x);
    }
    e.ln_e()
}

/// Failures are not written to the source tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_unit_of_a_metric_does_not_matter(
        parent in 1e-6..1e6, candidate in 1e-6..1e6, unit in 1e-6..1e6,
    ) {
        let plain = log_gain(Direction::Lower, parent, candidate);
        let scaled = log_gain(Direction::Lower, parent * unit, candidate * unit);
        prop_assert!((plain - scaled).abs() < 1e-12);
    }

    #[test]
    fn directions_mirror_each_other(parent in 1e-6..1e6, candidate in 1e-6..1e6) {
        let lower = log_gain(Direction::Lower, parent, candidate);
        prop_assert_eq!(lower, -log_gain(Direction::Higher, parent, candidate));
        prop_assert_eq!(lower, -log_gain(Direction::Lower, candidate, parent));
        let rates = log_gain(Direction::Higher, 1.0 / parent, 1.0 / candidate);
        prop_assert!((lower - rates).abs() < 1e-12);
    }

    #[test]
    fn evidence_depends_on_gains_in_units_of_the_noise_only(d in gains(1..60), c in 0.1..10.0) {
        let scaled: Vec<f64> = d.iter().map(|x| x * c).collect();
        prop_assert!((ln_e(&d, 0.03) - ln_e(&scaled, 0.03 * c)).abs() < 1e-9);
    }

    #[test]
    fn a_candidate_and_its_mirror_are_not_both_promising(d in gains(1..60)) {
        let mirrored: Vec<f64> = d.iter().map(|x| -x).collect();
        let both = ln_e(&d, 0.03).exp() + ln_e(&mirrored, 0.03).exp();
        prop_assert!(both <= 2f64.powi(d.len() as i32) * (1.0 + 1e-9));
        prop_assert!(ln_e(&d, 0.03) <= d.len() as f64 * 2f64.ln() + 1e-9);
    }

    #[test]
    fn a_replay_equals_the_screen_it_records(d in gains(1..80), s0 in 1e-4..0.2) {
        let p = Params::default();
        let mut screen = Screen::new(&p, s0);
        let mut used = 0;
        while used < d.len() && screen.step() == ScreenStep::More {
            screen.push(d[used]);
            used += 1;
        }
        let r = replay(&d[..used], s0, &p).unwrap();
        prop_assert_eq!(r.outcome, screen.step());
        let last = r.path[used - 1];
        prop_assert_eq!((last.ln_e, last.lr), (screen.ln_e(), screen.lr()));
        prop_assert_eq!(replay(&d, s0, &p).is_err(), used < d.len());
    }

    #[test]
    fn replays_of_anything_at_all_do_not_panic(
        d in prop::collection::vec(any::<f64>(), 0..70), s0 in any::<f64>(), tau in any::<f64>(),
    ) {
        let p = Params::default();
        let _ = replay(&d, s0, &p);
        let _ = replay_guard(&d, s0, tau, &p);
        let sane: Vec<f64> = d.iter().copied().filter(|x| x.abs() <= 1_000.0).collect();
        let _ = replay_guard(&sane, s0.abs().max(1e-4), 0.05, &p);
    }

    #[test]
    fn a_replayed_guard_equals_the_guard_it_records(d in gains(1..60), s0 in 1e-4..0.2) {
        let p = Params::default();
        let mut guard = GuardProcess::new(&p, s0, 0.05);
        for &x in &d {
            guard.push(x);
        }
        let again = replay_guard(&d, s0, 0.05, &p).unwrap();
        prop_assert_eq!((again.state(), again.n()), (guard.state(), guard.n()));
    }

    #[test]
    fn estimates_move_with_the_data(d in gains(6..40), shift in -1.0f64..1.0) {
        let moved: Vec<f64> = d.iter().map(|x| x + shift).collect();
        prop_assert!((hodges_lehmann(&moved) - hodges_lehmann(&d) - shift).abs() < 1e-12);
        let (a, b) = (walsh_interval(&d, 0.95).unwrap(), walsh_interval(&moved, 0.95).unwrap());
        prop_assert!((b.lo - a.lo - shift).abs() < 1e-12 && (b.hi - a.hi - shift).abs() < 1e-12);
    }

    #[test]
    fn estimates_mirror_with_the_data_and_ignore_its_order(d in gains(6..40)) {
        let e = Estimate::from_pairs(&d);
        let mirrored: Vec<f64> = d.iter().rev().map(|x| -x).collect();
        let m = Estimate::from_pairs(&mirrored);
        prop_assert!(close(m.value, -e.value, 1e-12));
        prop_assert_eq!((m.lo.unwrap(), m.hi.unwrap()), (-e.hi.unwrap(), -e.lo.unwrap()));
        prop_assert!(e.lo <= Some(e.value) && Some(e.value) <= e.hi);
    }

    #[test]
    fn a_higher_confidence_never_gives_a_narrower_interval(d in gains(10..30)) {
        let narrow = walsh_interval(&d, 0.80).unwrap();
        let wide = walsh_interval(&d, 0.99).unwrap();
        prop_assert!(wide.lo <= narrow.lo && narrow.hi <= wide.hi);
    }
}
