//! The exactness that the promise rests on, by enumeration.

use autoresearch::flow::decision::{EProcess, Futility, NoiseHistory, Params, ScreenStep};

use crate::support::{Rng, screen, sign_patterns};

fn cauchy_magnitudes(rng: &mut Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| 0.02 * rng.cauchy().abs()).collect()
}

fn evidence(d: impl IntoIterator<Item = f64>, s0: f64) -> EProcess {
    let mut e = EProcess::new(&Params::default(), s0);
    for d_i in d {
        e.push(d_i);
    }
    e
}

fn signed<'a>(signs: &'a [f64], magnitudes: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    signs.iter().zip(magnitudes).map(|(s, m)| s * m)
}

#[test]
fn the_mean_evidence_over_all_sign_patterns_is_one() {
    let mut rng = Rng::new(1);
    for n in [4, 8, 10] {
        for s0 in [0.02, 1e-4, 3.0] {
            let magnitudes = cauchy_magnitudes(&mut rng, n);
            let e = |signs: Vec<f64>| evidence(signed(&signs, &magnitudes), s0).ln_e().exp();
            let mean = sign_patterns(n).map(e).sum::<f64>() / f64::from(1u32 << n);
            assert!((mean - 1.0).abs() < 1e-9, "n {n} s0 {s0}: {mean}");
        }
    }
}

#[test]
fn no_more_than_one_sign_pattern_in_c_ever_reaches_c() {
    let mut rng = Rng::new(2);
    for _ in 0..3 {
        let magnitudes = cauchy_magnitudes(&mut rng, 12);
        let top: Vec<f64> = sign_patterns(12)
            .map(|signs| evidence(signed(&signs, &magnitudes), 0.02).ln_e_max().exp())
            .collect();
        for c in [2.0, 5.0, 20.0, 100.0] {
            let share = top.iter().filter(|&&e| e >= c).count() as f64 / top.len() as f64;
            assert!(share <= 1.0 / c, "E >= {c} in {share} of all patterns");
        }
    }
}

#[test]
fn the_whole_screen_confirms_at_most_one_sign_pattern_in_a_hundred() {
    let mut rng = Rng::new(3);
    let p = Params {
        cap_pairs: 13,
        ..Params::default()
    };
    let magnitudes = cauchy_magnitudes(&mut rng, 13);
    let confirms = |signs: &Vec<f64>| {
        let mut pairs = signed(signs, &magnitudes);
        screen(&p, 0.02, || pairs.next().unwrap()).0 == ScreenStep::Confirm
    };
    let confirmed = sign_patterns(13).filter(confirms).count();
    assert!(confirmed > 0 && confirmed * 100 <= 1 << 13, "{confirmed}");
}

#[test]
fn eight_large_pairs_reach_a_hundred_and_seven_never() {
    for d in [0.05, 0.06, 0.08] {
        assert!(evidence([d; 8], 0.02).ln_e() >= 100f64.ln(), "{d}");
    }
    let mut rng = Rng::new(4);
    let mut best = 0f64;
    for i in 0..40_000 {
        // Around the best z of each shift, and anywhere.
        let (centre, spread) = [(3.0, 0.5), (2.5, 2.0), (5.0, 5.0), (0.0, 100.0)][i % 4];
        let pairs = (0..7).map(|_| 0.02 * (centre + spread * rng.normal()).abs());
        best = best.max(evidence(pairs, 0.02).ln_e_max().exp());
    }
    assert!(best > 75.0 && best < 100.0, "best of seven pairs: {best}");
}

#[test]
fn gains_of_any_size_are_kept_in_nine_pairs() {
    for theta in [5.0, 7.0, 20.0, 70.0, 1e3, 1e5] {
        let (step, pairs) = screen(&Params::default(), 0.01, || 0.01 * theta);
        assert_eq!(step, ScreenStep::Confirm);
        assert!(pairs.len() <= 9, "theta {theta}: {} pairs", pairs.len());
    }
}

/// Pairs of constant gain `d` until each line is crossed.
fn crossings(d: f64, s0: f64, p: &Params) -> (usize, usize) {
    let (mut e, mut l) = (EProcess::new(p, s0), Futility::new(p, s0));
    let (mut confirm, mut drop) = (0, 0);
    for n in 1..=60 {
        let s = e.next_scale();
        if e.push(d) >= p.e_keep.ln() && confirm == 0 {
            confirm = n;
        }
        if l.push(d, s) <= p.beta.ln() && drop == 0 {
            drop = n;
        }
    }
    (confirm, drop)
}

#[test]
fn evidence_is_looked_at_before_futility_when_one_pair_crosses_both_lines() {
    let p = Params::default();
    let mut witnesses = 0;
    for i in 2_000..4_000 {
        let d = f64::from(i) * 1e-4 * 0.02;
        let (confirm, drop) = crossings(d, 0.02, &p);
        if confirm == drop && confirm > 0 {
            witnesses += 1;
            let (step, pairs) = screen(&p, 0.02, || d);
            assert_eq!((step, pairs.len()), (ScreenStep::Confirm, confirm), "d {d}");
        }
    }
    assert!(
        witnesses > 0,
        "small constant gains are evidence and futile at once"
    );
}

#[test]
fn the_noise_scale_stays_true_over_a_thousand_no_ops() {
    let p = Params::default();
    let mut rng = Rng::new(5);
    let sigma = 0.02;
    let first: Vec<f64> = (0..20).map(|_| sigma * rng.normal()).collect();
    let mut history = NoiseHistory::from_calibration(&first, &p).unwrap();
    let mut scales = Vec::new();
    for _ in 0..1_000 {
        let s0 = history.s0(&p);
        let (_, pairs) = screen(&p, s0, || sigma * rng.normal());
        assert_eq!(history.absorb(&pairs, &p), pairs.len() >= 4);
        scales.push(s0 / sigma);
    }
    let mean = scales.iter().sum::<f64>() / 1_000.0;
    let least = scales.iter().copied().fold(f64::MAX, f64::min);
    assert!(
        (mean - 1.0).abs() < 0.15 && least > 0.4,
        "mean {mean} least {least}"
    );
}
