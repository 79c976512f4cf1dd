use std::collections::BTreeMap;

use super::*;
use crate::flow::decision::Direction;
use crate::flow::ledger::samples;
use crate::flow::measure::Judged;
use crate::flow::record::{GateOutcome, GuardOutcome};
use crate::flow::trial::{Need, Trial};
use crate::flow::trial_guards::GuardSetup;

fn setup() -> TrialSetup {
    TrialSetup {
        params: Params::default(),
        primary: Judged {
            name: "total_ms".to_owned(),
            direction: Direction::Lower,
            allow_zero: false,
        },
        exact: None,
        scale: 0.02,
        guards: Vec::new(),
        self_report: None,
        hold_out: false,
        builds_in_run: false,
        is_timed: false,
    }
}

/// A line whose candidate takes the parent's time times `factor`, jittered a little.
fn judged(factor: f64) -> RunLine {
    judged_by(&setup(), factor)
}

fn judged_by(setup: &TrialSetup, factor: f64) -> RunLine {
    let seed = 7;
    let mut trial = Trial::new(setup.clone(), seed);
    let mut count = 0_u32;
    loop {
        match trial.next_need() {
            Need::Done => break,
            Need::SwapSlots => trial.swapped(),
            Need::Gate => trial.gate(GateVerdict::Pass),
            Need::Pair(plan) => {
                count += 1;
                let jitter = 1.0 + 0.004 * f64::from(count % 5) - 0.008;
                let metrics = |value: f64| BTreeMap::from([("total_ms".to_owned(), value)]);
                trial
                    .pair(Pair {
                        phase: plan.phase,
                        slot: plan.slot,
                        candidate_first: plan.candidate_first,
                        parent: metrics(100.0),
                        candidate: metrics(100.0 * factor * jitter),
                        digests: None,
                        hold_out: plan.hold_out,
                    })
                    .unwrap();
            }
        }
    }
    let result = trial.finish();
    let mut line = samples::kept(1);
    line.seed = seed;
    line.status = result.reason.status();
    line.reason = result.reason;
    line.detail = result.detail;
    line.estimate = result.estimate;
    line.ln_e = result.ln_e;
    line.scale = Some(result.scale);
    line.guards = result.guards;
    line.pairs = result.pairs;
    line.gate.outcome = if line.reason == Reason::Improved {
        GateOutcome::Pass
    } else {
        GateOutcome::NotRun
    };
    line
}

#[test]
fn a_kept_run_follows_from_its_pairs() {
    let line = judged(0.9);
    assert_eq!(line.reason, Reason::Improved);
    let explanation = Explanation::of(&setup(), &line).unwrap();
    assert_eq!(explanation.differences, Vec::<String>::new());
    assert_eq!(explanation.recomputed, Recomputed::ReachesGate);
    assert_eq!(explanation.confirm.len(), explanation.screen.len().max(8));
    assert_eq!(explanation.more, None);
    let reached = explanation.screen.last().unwrap().ln_e;
    assert!(reached >= explanation.rule.e_keep.ln());
}

#[test]
fn a_dropped_run_follows_from_its_pairs_and_says_what_was_needed() {
    let line = judged(1.03);
    assert_eq!(line.reason, Reason::NoGain);
    let explanation = Explanation::of(&setup(), &line).unwrap();
    assert!(explanation.holds(), "{:?}", explanation.differences);
    assert_eq!(
        explanation.more,
        Some(MoreData::NoGainInSight { needed_gain: 0.02 })
    );
}

#[test]
fn every_figure_that_was_changed_afterwards_is_named() {
    let original = judged(0.9);
    let change = |change: fn(&mut RunLine), word: &str| {
        let mut line = original.clone();
        change(&mut line);
        let explanation = Explanation::of(&setup(), &line).unwrap();
        let all = explanation.differences.join("; ");
        assert!(!explanation.holds() && all.contains(word), "{word}: {all}");
    };
    change(|line| line.reason = Reason::NoGain, "verdict");
    change(|line| line.ln_e = Some(9.9), "ln E");
    change(|line| line.ln_e = None, "absent");
    change(|line| line.scale = Some(0.01), "noise scale");
    change(|line| line.gate.outcome = GateOutcome::Fail, "verdict");
    change(
        |line| line.estimate.as_mut().unwrap().log *= 1.01,
        "the gain on record",
    );
    change(
        |line| line.estimate.as_mut().unwrap().lo = Some(0.0),
        "lower end",
    );
    change(
        |line| line.guards = samples::kept(1).guards,
        "guard rss_kib",
    );
    change(
        |line| line.estimate.as_mut().unwrap().percent = 99.0,
        "in percent",
    );
    change(
        |line| {
            line.self_report = Some(SelfReport {
                metric: "driver.wall_ms".to_owned(),
                median_percent: -4.0,
                ln_e: 9.0,
            });
        },
        "clock that disagrees",
    );
    // A pair taken out, put in, or altered.
    change(|line| drop(line.pairs.pop()), "verdict");
    change(
        |line| line.pairs.push(line.pairs[2].clone()),
        "pairs after the verdict",
    );
    change(
        |line| line.pairs[3].slot = 1 - line.pairs[3].slot,
        "stands where",
    );
    change(
        |line| {
            line.pairs
                .last_mut()
                .unwrap()
                .candidate
                .insert("total_ms".to_owned(), 60.0);
        },
        "upper end",
    );
}

#[test]
fn every_figure_of_a_guard_that_was_changed_afterwards_is_named() {
    let mut setup = setup();
    setup.guards = vec![GuardSetup {
        metric: setup.primary.clone(),
        tolerance_percent: None,
        exact: None,
        scale: 0.02,
    }];
    let original = judged_by(&setup, 0.9);
    let differences = |change: fn(&mut GuardResult)| {
        let mut line = original.clone();
        change(&mut line.guards[0]);
        let explanation = Explanation::of(&setup, &line).unwrap();
        explanation.differences.join("; ")
    };
    assert_eq!(differences(|_| {}), "");
    assert!(differences(|guard| guard.median_percent = 0.0).contains("the median of guard"));
    assert!(differences(|guard| guard.tolerance_log = 0.01).contains("the tolerance of guard"));
    assert!(differences(|guard| guard.scale = 0.01).contains("the noise scale of guard"));
    assert!(differences(|guard| guard.pairs += 1).contains("the number of pairs of guard"));
    assert!(differences(|guard| guard.outcome = GuardOutcome::Fail).contains("is Fail"));
}

#[test]
fn a_run_that_something_else_ended_has_no_verdict_to_recompute() {
    let mut line = judged(0.9);
    line.pairs.truncate(4);
    line.reason = Reason::Timeout;
    let result = {
        let (mut trial, _) = retrace(setup(), line.seed, &line.pairs).unwrap();
        trial.end(line.reason, "");
        trial.finish()
    };
    (line.estimate, line.ln_e, line.guards) = (result.estimate, result.ln_e, result.guards);
    let explanation = Explanation::of(&setup(), &line).unwrap();
    assert_eq!(explanation.recomputed, Recomputed::EndedFromOutside);
    assert!(explanation.holds(), "{:?}", explanation.differences);
}
