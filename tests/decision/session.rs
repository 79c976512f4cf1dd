//! Whole sessions: recorded noise with random labels, and a biased harness.

use autoresearch::flow::decision::{
    ConfirmVerdict, Confirmation, NoiseHistory, Params, ScreenStep, confirmation_pairs, replay,
};

use crate::support::{Rng, screen};

/// Recorded run times of a virtual machine under other load; columns `series`
/// and `seconds`, in time order.
const TRACE: &str = include_str!("../../src/simulate/noise_trace.csv");

fn series(name: &str) -> Vec<f64> {
    let run = |line: &str| {
        let (series, seconds) = line.split_once(',')?;
        (series == name).then(|| seconds.parse::<f64>().unwrap().ln())
    };
    let logs: Vec<f64> = TRACE.lines().filter_map(run).collect();
    assert!(logs.len() >= 500, "{name}");
    logs
}

/// Runs of the trace in a circle, a coin labelling the two runs of each pair.
struct Machine {
    logs: Vec<f64>,
    at: usize,
    rng: Rng,
}

impl Machine {
    fn new(name: &str, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let logs = series(name);
        Self {
            at: rng.below(logs.len()),
            logs,
            rng,
        }
    }

    fn run(&mut self) -> f64 {
        self.at = (self.at + 1) % self.logs.len();
        self.logs[self.at]
    }

    fn pair(&mut self, gain: f64) -> f64 {
        let (first, second) = (self.run(), self.run());
        gain + self.rng.coin() * (first - second)
    }

    fn pairs(&mut self, n: usize, gain: f64) -> Vec<f64> {
        (0..n).map(|_| self.pair(gain)).collect()
    }
}

/// Candidates of true gain `gain` kept out of `tests`, judged one after the
/// other with the noise history carried along.
fn kept(name: &str, seed: u64, tests: usize, gain: f64) -> usize {
    let p = Params::default();
    let mut machine = Machine::new(name, seed);
    let calibration = machine.pairs(p.calibration_pairs, 0.0);
    let mut history = NoiseHistory::from_calibration(&calibration, &p).unwrap();
    let judge = |_: &usize| {
        machine.at += 30 + machine.rng.below(100);
        let (step, pairs) = screen(&p, history.s0(&p), || machine.pair(gain));
        history.absorb(&pairs, &p);
        if step != ScreenStep::Confirm {
            return false;
        }
        let fresh = machine.pairs(confirmation_pairs(pairs.len(), &p), gain);
        let confirmation = Confirmation::judge(pairs.len(), &fresh, &p).unwrap();
        confirmation.verdict == ConfirmVerdict::Confirmed
    };
    (0..tests).filter(judge).count()
}

#[test]
fn recorded_noise_with_random_labels_keeps_at_most_one_no_op_in_two_hundred() {
    let mut total = 0;
    for name in [
        "mixed_wall",
        "pysql_wall",
        "loaded_cpu_wall",
        "loaded_cpu_adjusted",
    ] {
        let keeps = kept(name, 31, 5_000, 0.0);
        // The bound is 25; the coins make the count binomial, so 3 sd are 15.
        assert!(keeps <= 25 + 15, "{name}: {keeps} false keeps in 5000");
        total += keeps;
    }
    assert!(total <= 100 + 30, "{total} false keeps in 20000");
    assert!(total >= 5, "the test is alive: {total}");
}

#[test]
fn recorded_noise_does_not_keep_what_is_harmful() {
    for name in ["mixed_wall", "loaded_cpu_adjusted"] {
        assert!(kept(name, 32, 1_000, -0.02) <= 2, "{name}");
    }
}

#[test]
fn recorded_noise_lets_real_gains_through() {
    for (name, gain, percent_least) in [
        ("loaded_cpu_adjusted", 0.03, 82),
        ("loaded_cpu_adjusted", 0.10, 97),
        ("mixed_wall", 0.10, 55),
    ] {
        let keeps = kept(name, 33, 500, gain);
        assert!(
            keeps * 100 >= percent_least * 500,
            "{name} {gain}: {keeps} of 500"
        );
    }
}

/// False keeps per 200 no-ops when one slot is better by `bias` noise scales.
fn false_keeps_per_200(bias: f64, swap: bool, rng: &mut Rng) -> f64 {
    let p = Params::default();
    let runs = 8_000;
    let mut keeps = 0;
    for _ in 0..runs {
        let slot = if swap { rng.coin() } else { 1.0 };
        let (step, pairs) = screen(&p, 1.0, || rng.normal() + bias * slot);
        if step == ScreenStep::Confirm {
            let other = if swap { -slot } else { slot };
            let n = confirmation_pairs(pairs.len(), &p);
            let fresh: Vec<f64> = (0..n).map(|_| rng.normal() + bias * other).collect();
            let judged = Confirmation::judge(pairs.len(), &fresh, &p).unwrap();
            keeps += u32::from(judged.verdict == ConfirmVerdict::Confirmed);
        }
    }
    200.0 * f64::from(keeps) / f64::from(runs)
}

/// The published table, of 4,000 runs: bias in noise scales, false keeps per 200 with fixed slots and
/// with random ones that are swapped.
#[test]
fn random_slots_swapped_for_the_confirmation_undo_a_slot_bias() {
    let mut rng = Rng::new(34);
    for (bias, fixed, swapped) in [(0.2, 8.0, 0.95), (0.35, 32.0, 1.15), (0.5, 85.0, 0.85)] {
        for (swap, published) in [(false, fixed), (true, swapped)] {
            let got = false_keeps_per_200(bias, swap, &mut rng);
            let share: f64 = published / 200.0;
            let variance = share * (1.0 - share) * (1.0 / 8_000.0 + 1.0 / 4_000.0);
            let allowed = 4.0 * 200.0 * variance.sqrt() + 0.5;
            assert!(
                (got - published).abs() <= allowed,
                "bias {bias} swap {swap}: {got}, {published} published, {allowed} allowed"
            );
        }
    }
}

#[test]
fn a_recorded_session_gives_the_same_verdicts_offline() {
    let p = Params::default();
    let mut machine = Machine::new("pysql_wall", 35);
    let calibration = machine.pairs(20, 0.0);
    let mut history = NoiseHistory::from_calibration(&calibration, &p).unwrap();
    for i in 0..200 {
        let s0 = history.s0(&p);
        let gain = [0.0, -0.05, 0.1, 0.5][i % 4];
        let (step, pairs) = screen(&p, s0, || machine.pair(gain));
        let line = serde_json::to_string(&(s0, &pairs, &p)).unwrap();
        let (s0, read, p): (f64, Vec<f64>, Params) = serde_json::from_str(&line).unwrap();
        let again = replay(&read, s0, &p).unwrap();
        assert_eq!((again.outcome, again.path.len()), (step, pairs.len()));
        history.absorb(&pairs, &p);
        let line = serde_json::to_string(&history).unwrap();
        assert_eq!(
            serde_json::from_str::<NoiseHistory>(&line).unwrap(),
            history
        );
    }
}
