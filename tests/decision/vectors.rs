//! Vectors made by `tests/data/make_decision_vectors.py` from the reference
//! simulator.

use autoresearch::flow::decision::{
    DecisionError, DropReason, EProcess, Futility, Params, ScreenStep, hodges_lehmann, replay,
    robust_scale, walsh_interval,
};
use serde::Deserialize;

use crate::support::close;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    d: Vec<f64>,
    s0: f64,
    min_effect: f64,
    pair_scale: Vec<f64>,
    log_e: Vec<f64>,
    log_sprt: Vec<f64>,
    robust_scale: f64,
    hodges_lehmann: f64,
    walsh_ci: Option<(f64, f64)>,
    outcome: String,
    pairs: usize,
}

impl Vector {
    fn params(&self) -> Params {
        Params {
            min_effect: self.min_effect,
            ..Params::default()
        }
    }

    fn check(&self, what: &str, got: f64, expected: f64) {
        let tolerance = 1e-9;
        assert!(
            close(got, expected, tolerance),
            "{}: {what} {got} {expected}",
            self.name
        );
    }
}

fn vectors() -> Vec<Vector> {
    let all: Vec<Vector> =
        serde_json::from_str(include_str!("../data/decision_vectors.json")).unwrap();
    assert!(all.len() >= 55);
    all
}

#[test]
fn paths_equal_those_of_the_reference_simulator() {
    for v in vectors() {
        let mut e = EProcess::new(&v.params(), v.s0);
        let mut l = Futility::new(&v.params(), v.s0);
        for (i, &d) in v.d.iter().enumerate() {
            let s = e.next_scale();
            v.check("scale", s, v.pair_scale[i]);
            v.check("ln E", e.push(d), v.log_e[i]);
            v.check("ln LR", l.push(d, s), v.log_sprt[i]);
        }
    }
}

#[test]
fn estimates_equal_those_of_the_reference_simulator() {
    for v in vectors() {
        v.check("scale", robust_scale(&v.d), v.robust_scale);
        v.check("estimate", hodges_lehmann(&v.d), v.hodges_lehmann);
        let interval = walsh_interval(&v.d, 0.95);
        assert_eq!(interval.is_some(), v.walsh_ci.is_some(), "{}", v.name);
        if let (Some(got), Some((lo, hi))) = (interval, v.walsh_ci) {
            v.check("lo", got.lo, lo);
            v.check("hi", got.hi, hi);
        }
    }
}

#[test]
fn outcomes_equal_those_of_the_reference_simulator() {
    for v in vectors() {
        let expected = match v.outcome.as_str() {
            "confirm" => ScreenStep::Confirm,
            "no_gain" => ScreenStep::Drop(DropReason::NoGain),
            "inconclusive" => ScreenStep::Drop(DropReason::Inconclusive),
            "more" => ScreenStep::More,
            other => panic!("{other}"),
        };
        let r = replay(&v.d[..v.pairs], v.s0, &v.params()).unwrap();
        assert_eq!(r.outcome, expected, "{}", v.name);
        if v.pairs < v.d.len() {
            let late = replay(&v.d, v.s0, &v.params()).unwrap_err();
            let got = v.d.len();
            assert_eq!(
                late,
                DecisionError::PairsAfterDecision {
                    decided_after: v.pairs,
                    got
                }
            );
        }
    }
}
