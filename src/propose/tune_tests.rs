use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::flow::config_parts::{KnobRange, KnobScale, KnobValue};
use crate::flow::record::{Gain, Origin, Reason};

type Settings = BTreeMap<String, String>;

fn linear(name: &str, max: u32) -> Knob {
    Knob {
        name: name.to_owned(),
        file: "a.rs".to_owned(),
        constant: Some("N".to_owned()),
        pattern: None,
        values: None,
        range: Some(KnobRange {
            min: 0.0,
            max: f64::from(max),
            step: None,
            scale: KnobScale::Linear,
        }),
    }
}

fn listed(name: &str, values: &[&str]) -> Knob {
    let values = values
        .iter()
        .map(|value| KnobValue((*value).to_owned()))
        .collect();
    Knob {
        values: Some(values),
        range: None,
        ..linear(name, 1)
    }
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A loop with a judge that knows the truth: `surface` is the log of the metric, lower is better,
/// `None` a crash.
struct Bench<'a> {
    knobs: Vec<Knob>,
    start: Settings,
    current: Settings,
    tried: Vec<Tried>,
    seed: u64,
    surface: &'a dyn Fn(&Settings) -> Option<f64>,
}

impl<'a> Bench<'a> {
    fn new(
        knobs: Vec<Knob>,
        start: &[(&str, &str)],
        surface: &'a dyn Fn(&Settings) -> Option<f64>,
    ) -> Self {
        let start = settings(start);
        Self {
            knobs,
            current: start.clone(),
            start,
            tried: Vec::new(),
            seed: 1,
            surface,
        }
    }

    /// One trial; false when the space is exhausted. Gains below 1 % are not kept.
    fn trial(&mut self) -> bool {
        let plan = next(
            &self.knobs,
            &self.start,
            &self.current,
            &self.tried,
            self.seed,
        )
        .unwrap();
        let Some(Plan::Knobs {
            settings,
            idea: None,
            ..
        }) = plan
        else {
            assert_eq!(plan, None);
            return false;
        };
        let now = (self.surface)(&self.current).expect("the incumbent works");
        let (reason, estimate) = match (self.surface)(&settings) {
            None => (Reason::RunFailed, None),
            Some(value) => {
                let log = now - value;
                let reason = if log > 0.01 {
                    Reason::Improved
                } else {
                    Reason::NoGain
                };
                (
                    reason,
                    Some(Gain {
                        log,
                        lo: None,
                        hi: None,
                        percent: log * 100.0,
                        pairs: 9,
                    }),
                )
            }
        };
        if reason == Reason::Improved {
            self.current = settings.clone();
        }
        self.tried.push(Tried {
            run: self.tried.len() as u64 + 1,
            description: String::new(),
            origin: Origin {
                proposer: "tune".to_owned(),
                idea: None,
                knobs: settings,
            },
            reason,
            detail: String::new(),
            estimate,
        });
        true
    }

    /// Trials until the incumbent is at least this good.
    fn trials_until(&mut self, good: f64, at_most: usize) -> usize {
        for trials in 0..=at_most {
            if (self.surface)(&self.current).expect("the incumbent works") <= good {
                return trials;
            }
            assert!(self.trial(), "exhausted after {trials} trials");
        }
        panic!("not found in {at_most} trials; at {:?}", self.current);
    }

    fn points(&self) -> Vec<&Settings> {
        self.tried.iter().map(|run| &run.origin.knobs).collect()
    }
}

fn number(settings: &Settings, name: &str) -> f64 {
    settings[name].parse().unwrap()
}

#[test]
fn a_unimodal_surface_of_three_knobs_takes_a_fraction_of_its_grid() {
    let surface = |s: &Settings| {
        let distance = |name, best: f64| ((number(s, name) - best) / 10.0).powi(2);
        Some(distance("a", 50.0) + distance("b", 7.0) + distance("c", 31.0))
    };
    let knobs = vec![linear("a", 63), linear("b", 63), linear("c", 63)];
    for seed in 0..20 {
        let start = [("a", "0"), ("b", "40"), ("c", "30")];
        let mut bench = Bench::new(knobs.clone(), &start, &surface);
        bench.seed = seed;
        // Of 262,144 points.
        let trials = bench.trials_until(0.02, 45);
        assert!(trials >= 5, "{trials}");
    }
}

#[test]
fn a_cliff_is_backed_off_from() {
    // Better with every step up to 40; above that it crashes.
    let surface = |s: &Settings| {
        let a = number(s, "a");
        (a <= 40.0).then_some(3.0 - a * 0.05)
    };
    let mut bench = Bench::new(vec![linear("a", 1000)], &[("a", "3")], &surface);
    bench.trials_until(3.0 - 40.0 * 0.05 + 0.06, 25);
}

#[test]
fn a_ridge_that_no_single_knob_can_climb_is_followed() {
    // Steep across a = b, shallow along it: one-knob moves all lose.
    let surface = |s: &Settings| {
        let (a, b) = (number(s, "a"), number(s, "b"));
        Some((a - b).abs() * 0.5 + (60.0 - a - b).abs() * 0.02)
    };
    for seed in 0..20 {
        let knobs = vec![linear("a", 40), linear("b", 40)];
        let mut bench = Bench::new(knobs, &[("a", "5"), ("b", "5")], &surface);
        bench.seed = seed;
        // Of 1,681 points.
        bench.trials_until(0.01, 45);
    }
}

#[test]
fn gains_too_small_to_keep_alone_are_combined() {
    let surface = |s: &Settings| {
        let gain = |name, gain| if s[name] == "on" { gain } else { 0.0 };
        Some(1.0 - gain("a", 0.008) - gain("b", 0.008) + gain("c", 0.05) + gain("d", 0.05))
    };
    let knobs = ["a", "b", "c", "d"]
        .map(|name| listed(name, &["off", "on"]))
        .to_vec();
    for seed in 0..20 {
        let start = [("a", "off"), ("b", "off"), ("c", "off"), ("d", "off")];
        let mut bench = Bench::new(knobs.clone(), &start, &surface);
        bench.seed = seed;
        // Each alone, then the right two of them.
        bench.trials_until(1.0 - 0.016 + 1e-9, 5);
    }
}

#[test]
fn a_flat_surface_is_covered_once_and_then_exhausted() {
    let surface = |_: &Settings| Some(1.0);
    let knobs = vec![
        linear("a", 6),
        listed("b", &["x", "y", "z"]),
        linear("c", 3),
    ];
    let mut bench = Bench::new(knobs, &[("a", "2"), ("b", "y"), ("c", "0")], &surface);
    while bench.trial() {}
    let distinct: HashSet<&Settings> = bench.points().into_iter().collect();
    assert_eq!(bench.tried.len(), 7 * 3 * 4 - 1);
    assert_eq!(distinct.len(), bench.tried.len());
    assert!(!distinct.contains(&bench.start));
}

#[test]
fn the_first_moves_are_single_knobs_next_to_the_incumbent_and_at_the_ends() {
    let surface = |s: &Settings| Some((number(s, "a") - 8.0).abs() + 1.0);
    let mut bench = Bench::new(vec![linear("a", 20)], &[("a", "8")], &surface);
    for _ in 0..4 {
        assert!(bench.trial());
    }
    let tried: Vec<&str> = bench
        .points()
        .iter()
        .map(|point| point["a"].as_str())
        .collect();
    assert_eq!(tried, ["9", "7", "20", "0"]);
}

#[test]
fn a_kept_direction_is_followed_with_twice_the_step() {
    let surface = |s: &Settings| Some(100.0 - number(s, "a"));
    let mut bench = Bench::new(vec![linear("a", 100)], &[("a", "0")], &surface);
    for _ in 0..5 {
        assert!(bench.trial());
    }
    let tried: Vec<&str> = bench
        .points()
        .iter()
        .map(|point| point["a"].as_str())
        .collect();
    assert_eq!(tried, ["1", "3", "7", "15", "31"]);
}

#[test]
fn a_direction_with_a_positive_estimate_is_followed_although_it_was_not_kept() {
    // Each step gains 0.4 %, too little to keep.
    let surface = |s: &Settings| Some(10.0 - number(s, "a") * 0.004);
    let mut bench = Bench::new(vec![linear("a", 100)], &[("a", "50")], &surface);
    for _ in 0..3 {
        assert!(bench.trial());
    }
    let tried: Vec<&str> = bench
        .points()
        .iter()
        .map(|point| point["a"].as_str())
        .collect();
    assert_eq!(tried, ["51", "53", "59"]);
    assert_eq!(bench.tried[1].reason, Reason::Improved);
}

#[test]
fn a_step_too_far_is_halved_back() {
    // A cliff behind 33.
    let surface = |s: &Settings| {
        let a = number(s, "a");
        (a <= 33.0).then_some(100.0 - a)
    };
    let mut bench = Bench::new(vec![linear("a", 100)], &[("a", "0")], &surface);
    for _ in 0..13 {
        assert!(bench.trial());
    }
    let tried: Vec<&str> = bench
        .points()
        .iter()
        .map(|point| point["a"].as_str())
        .collect();
    let expected = [
        "1", "3", "7", "15", "31", "63", "47", "100", "39", "35", "33", "32", "34",
    ];
    assert_eq!(tried, expected);
}

#[test]
fn the_seed_decides_between_knobs_that_are_as_good_as_each_other() {
    let knobs = [linear("a", 9), linear("b", 9), linear("c", 9)];
    let start = settings(&[("a", "4"), ("b", "4"), ("c", "4")]);
    let first = |seed| {
        next(&knobs, &start, &start, &[], seed)
            .unwrap()
            .map(|plan| plan.origin().knobs)
    };
    let distinct: HashSet<Option<Settings>> = (0..20).map(first).collect();
    assert_eq!(distinct.len(), 3);
}

#[test]
fn the_value_a_keep_replaced_is_not_proposed_again_on_its_own() {
    let surface = |s: &Settings| Some(if s["a"] == "4" { 1.0 } else { 2.0 });
    let mut bench = Bench::new(vec![linear("a", 8)], &[("a", "3")], &surface);
    while bench.trial() {}
    assert_eq!(bench.current["a"], "4");
    assert!(!bench.points().iter().any(|point| point["a"] == "3"));
    assert_eq!(bench.tried.len(), 8);
}

#[test]
fn a_sweep_of_ideas_counts_as_tried() {
    let knobs = [listed("a", &["1", "2", "3"])];
    let start = settings(&[("a", "1")]);
    let run = |value: &str| Tried {
        run: 1,
        description: String::new(),
        origin: Origin {
            proposer: "ideas".to_owned(),
            idea: Some("sweep".to_owned()),
            knobs: settings(&[("a", value), ("elsewhere", "9")]),
        },
        reason: Reason::NoGain,
        detail: String::new(),
        estimate: None,
    };
    let Some(Plan::Knobs {
        settings: found,
        title,
        ..
    }) = next(&knobs, &start, &start, &[run("2")], 3).unwrap()
    else {
        panic!("one point is left")
    };
    assert_eq!(found, settings(&[("a", "3")]));
    assert_eq!(title, "tune: a = 3 (was 1)");
    assert_eq!(
        next(&knobs, &start, &start, &[run("2"), run("3")], 3).unwrap(),
        None
    );
}

#[test]
fn a_start_outside_the_declared_values_is_moved_from() {
    let knobs = [listed("a", &["1024", "4096"])];
    let start = settings(&[("a", "2 * 1024")]);
    let plan = next(&knobs, &start, &start, &[], 0).unwrap().unwrap();
    assert_eq!(plan.origin().knobs["a"], "4096");
    // Somebody else's commit moved the knob: the search goes on from there.
    let moved = settings(&[("a", "4096")]);
    let plan = next(&knobs, &start, &moved, &[], 0).unwrap().unwrap();
    assert_eq!(plan.origin().knobs["a"], "1024");
}

#[test]
fn no_knobs_and_unknown_values_are_no_panic() {
    let none = Settings::new();
    assert_eq!(next(&[], &none, &none, &[], 0).unwrap(), None);
    assert!(
        next(&[linear("a", 9)], &none, &none, &[], 0)
            .unwrap()
            .is_some()
    );
    assert!(next(&[linear("a", 20_000)], &none, &none, &[], 0).is_err());
    // More points than can be counted.
    let many: Vec<Knob> = (0..12).map(|n| linear(&format!("k{n}"), 9_000)).collect();
    assert!(next(&many, &none, &none, &[], 0).unwrap().is_some());
}

/// What a judge in noise might say.
fn verdicts() -> impl Strategy<Value = Vec<(u8, f64)>> {
    prop::collection::vec((0u8..6, -0.3f64..0.3), 400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_verdicts_no_point_repeats_and_every_point_comes(
        noise in verdicts(), seed in any::<u64>(), sizes in (1u32..6, 1u32..5, 1usize..4),
    ) {
        let knobs = vec![
            linear("a", sizes.0),
            linear("b", sizes.1),
            listed("c", &["x", "y", "z", "w"][..=sizes.2]),
        ];
        let start = settings(&[("a", "1"), ("b", "0"), ("c", "y")]);
        let (mut current, mut tried) = (start.clone(), Vec::<Tried>::new());
        let mut seen = HashSet::from([start.clone()]);
        while let Some(plan) = next(&knobs, &start, &current, &tried, seed).unwrap() {
            let again = next(&knobs, &start, &current, &tried, seed).unwrap();
            prop_assert_eq!(Some(&plan), again.as_ref());
            let point = plan.origin().knobs;
            prop_assert!(seen.insert(point.clone()), "{:?} came twice", point);
            let (kind, log) = noise[tried.len()];
            let reason = match kind {
                0 => Reason::Improved,
                1 => Reason::Timeout,
                2 => Reason::GateFailed,
                3 => Reason::NoChange,
                _ => Reason::NoGain,
            };
            if reason == Reason::Improved {
                current = point;
            }
            let estimate =
                (kind != 1).then_some(Gain { log, lo: None, hi: None, percent: log, pairs: 6 });
            let run = tried.len() as u64 + 1;
            let (description, detail) = (String::new(), String::new());
            tried.push(Tried { run, description, origin: plan.origin(), reason, detail, estimate });
        }
        let points = (sizes.0 as usize + 1) * (sizes.1 as usize + 1) * (sizes.2 + 1);
        prop_assert_eq!(seen.len(), points);
    }
}
