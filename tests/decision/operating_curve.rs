//! Power and cost of the screen and of guards, against the figures of the
//! design notes. Seeded; tolerances are 4 standard errors of both simulations.

use autoresearch::flow::decision::{
    AaPair, Calibration, GuardProcess, GuardState, Params, ScreenStep, SlotBias,
};

use crate::support::{Rng, screen};

struct Curve {
    keep_percent: f64,
    mean_pairs: f64,
    p90_pairs: usize,
}

fn curve(theta: f64, runs: usize, mut noise: impl FnMut() -> f64) -> Curve {
    let p = Params::default();
    let mut pairs = Vec::new();
    let mut kept = 0;
    for _ in 0..runs {
        let (step, d) = screen(&p, 1.0, || theta + noise());
        kept += usize::from(step == ScreenStep::Confirm);
        pairs.push(d.len());
    }
    pairs.sort_unstable();
    Curve {
        keep_percent: 100.0 * kept as f64 / runs as f64,
        mean_pairs: pairs.iter().sum::<usize>() as f64 / runs as f64,
        p90_pairs: pairs[runs * 9 / 10],
    }
}

/// `expected` is (keep %, its tolerance, mean pairs, its tolerance).
fn check(name: &str, got: &Curve, expected: (f64, f64, f64, f64)) {
    let (keep, keep_tol, mean, mean_tol) = expected;
    let Curve {
        keep_percent,
        mean_pairs,
        ..
    } = got;
    assert!(
        (keep_percent - keep).abs() <= keep_tol,
        "{name}: keeps {keep_percent} %"
    );
    assert!(
        (mean_pairs - mean).abs() <= mean_tol,
        "{name}: {mean_pairs} pairs"
    );
}

#[test]
fn normal_noise_gives_the_published_operating_curve() {
    let mut rng = Rng::new(11);
    let none = curve(0.0, 16_000, || rng.normal());
    check("no-op", &none, (0.57, 0.42, 7.5, 0.35));
    assert!(none.p90_pairs.abs_diff(14) <= 1, "{}", none.p90_pairs);
    let three = curve(1.06, 4_000, || rng.normal());
    check("3 % at 2 % noise", &three, (98.2, 1.9, 13.9, 0.8));
    assert!(three.p90_pairs.abs_diff(21) <= 1, "{}", three.p90_pairs);
    check(
        "-1",
        &curve(-1.0, 2_000, || rng.normal()),
        (0.0, 0.2, 2.8, 0.3),
    );
    check(
        "0.71",
        &curve(0.71, 2_000, || rng.normal()),
        (80.0, 6.5, 20.0, 2.0),
    );
    check(
        "1.77",
        &curve(1.77, 2_000, || rng.normal()),
        (100.0, 0.5, 9.3, 0.4),
    );
    check(
        "3.5",
        &curve(3.5, 500, || rng.normal()),
        (100.0, 0.0, 8.0, 0.3),
    );
}

#[test]
fn heavy_tails_give_the_published_operating_curve() {
    let mut rng = Rng::new(12);
    let none = curve(0.0, 16_000, || rng.student(3) / 1.13);
    assert!(
        (none.keep_percent - 0.50).abs() <= 0.42,
        "{}",
        none.keep_percent
    );
    let three = curve(1.06, 2_000, || rng.student(3) / 1.13);
    assert!(
        (three.keep_percent - 92.4).abs() <= 4.2,
        "{}",
        three.keep_percent
    );
}

const GUARDS: u32 = 4_000;

fn guard_pass_percent(s: f64, change_in_tau: f64, rng: &mut Rng) -> f64 {
    let p = Params::default();
    let mut passed = 0;
    for _ in 0..GUARDS {
        let mut guard = GuardProcess::new(&p, s, 0.05);
        let change = change_in_tau * guard.tau();
        while guard.push(change + s * rng.student(5) / 1.1).is_open() {}
        assert!(guard.n() <= 40);
        passed += u32::from(guard.state() == GuardState::Pass);
    }
    100.0 * f64::from(passed) / f64::from(GUARDS)
}

/// The published table, with four standard deviations of the binomial: unchanged passes 97 to
/// 99.9 %, worse by tau 0 to 3 %, worse by 2 tau never. The published fail test asked for any loss;
/// ours asks for a loss beyond tau ([`GuardProcess`] says why), so that unchanged guards pass more
/// often (99.7 to 100 %) and those worse by exactly tau too (3.0 to 3.5 %; proved: at most 5 %).
#[test]
fn guards_pass_what_is_unchanged_and_fail_what_is_worse() {
    let mut rng = Rng::new(13);
    let errors = |percent: f64| 4.0 * (percent * (100.0 - percent) / f64::from(GUARDS)).sqrt();
    for s in [0.014, 0.028, 0.07, 0.12] {
        let unchanged = guard_pass_percent(s, 0.0, &mut rng);
        assert!(
            unchanged >= 97.0 - errors(97.0),
            "s {s}: an unchanged guard passes {unchanged} %"
        );
        let better = guard_pass_percent(s, 1.0, &mut rng);
        assert!(better >= 99.0, "s {s}: a better guard passes {better} %");
        let worse = guard_pass_percent(s, -1.0, &mut rng);
        assert!(
            worse <= 3.0 + errors(3.0),
            "s {s}: a guard worse by tau passes {worse} %"
        );
        let twice = guard_pass_percent(s, -2.0, &mut rng);
        assert_eq!(twice, 0.0, "s {s}: a guard worse by 2 tau passes {twice} %");
    }
}

#[test]
fn calibration_alarms_no_more_often_than_promised() {
    let p = Params::default();
    let mut rng = Rng::new(14);
    let mut biases = |shift: f64, runs: usize| {
        let all: Vec<SlotBias> = (0..runs)
            .map(|_| {
                let pairs: Vec<AaPair> = (0..20)
                    .map(|_| AaPair {
                        slot0: (0.02 * (rng.student(3) + shift)).exp(),
                        slot1: 1.0,
                        slot0_first: rng.coin() > 0.0,
                    })
                    .collect();
                Calibration::from_pairs(&pairs, &p).unwrap().slot_bias
            })
            .collect();
        let share = |bias| all.iter().filter(|&&b| b == bias).count() as f64 / runs as f64;
        (share(SlotBias::Warn), share(SlotBias::Refuse))
    };
    let (warn, refuse) = biases(0.0, 4_000);
    assert!(
        warn + refuse <= 0.10 && refuse <= 0.02,
        "warn {warn} refuse {refuse}"
    );
    assert!(warn > 0.005, "the test is alive: {warn}");
    let (_, refuse) = biases(1.5, 300);
    assert!(refuse > 0.8, "a bias of 1.5 scales is refused: {refuse}");
}
