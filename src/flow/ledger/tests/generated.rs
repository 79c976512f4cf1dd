//! Run lines of every shape the types allow.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::flow::record::{
    DigestCheck, Durations, FORMAT_VERSION, Gain, GateOutcome, GateResult, GuardOutcome,
    GuardResult, Origin, Pair, Phase, Reason, RunLine, RunTag, SelfReport, Status,
};

fn finite() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn metrics() -> impl Strategy<Value = BTreeMap<String, f64>> {
    btree_map("[a-zµ_.]{1,8}", finite(), 0..3)
}

fn digests() -> impl Strategy<Value = DigestCheck> {
    let values = (of(".*"), of(".*")).prop_map(|(parent, candidate)| [parent, candidate]);
    (any::<u32>(), btree_map("[a-z]{1,8}", values, 0..3))
        .prop_map(|(compared, differ)| DigestCheck { compared, differ })
}

fn self_report() -> impl Strategy<Value = SelfReport> {
    (".*", finite(), finite()).prop_map(|(metric, median_percent, ln_e)| SelfReport {
        metric,
        median_percent,
        ln_e,
    })
}

fn pair() -> impl Strategy<Value = Pair> {
    let phase = prop_oneof![
        Just(Phase::WarmUp),
        Just(Phase::Calibrate),
        Just(Phase::Screen),
        Just(Phase::Confirm),
        Just(Phase::Guard),
        Just(Phase::EndToEnd),
    ];
    let extra = (of(digests()), of(any::<u64>()));
    (phase, 0_u8..=1, any::<bool>(), metrics(), metrics(), extra).prop_map(
        |(phase, slot, candidate_first, parent, candidate, (digests, hold_out))| Pair {
            phase,
            slot,
            candidate_first,
            parent,
            candidate,
            digests,
            hold_out,
        },
    )
}

fn gain() -> impl Strategy<Value = Gain> {
    (finite(), of(finite()), of(finite()), finite(), any::<u32>()).prop_map(
        |(log, lo, hi, percent, pairs)| Gain {
            log,
            lo,
            hi,
            percent,
            pairs,
        },
    )
}

fn guard() -> impl Strategy<Value = GuardResult> {
    let outcome = prop_oneof![
        Just(GuardOutcome::Pass),
        Just(GuardOutcome::Fail),
        Just(GuardOutcome::Undecided),
    ];
    (".*", outcome, finite(), any::<u32>(), finite(), finite()).prop_map(
        |(name, outcome, tolerance_log, pairs, median_percent, scale)| GuardResult {
            name,
            outcome,
            tolerance_log,
            pairs,
            median_percent,
            scale,
        },
    )
}

fn gate() -> impl Strategy<Value = GateResult> {
    let outcome = prop_oneof![
        Just(GateOutcome::Pass),
        Just(GateOutcome::Fail),
        Just(GateOutcome::Flaky),
        Just(GateOutcome::NotRun),
    ];
    (outcome, finite(), ".*").prop_map(|(outcome, duration_s, output_tail)| GateResult {
        outcome,
        duration_s,
        output_tail,
    })
}

fn asi() -> impl Strategy<Value = Map<String, Value>> {
    (".*", finite(), any::<bool>()).prop_map(|(text, number, flag)| {
        let value = json!({"hypothesis": text, "deep": {"n": [number, null, flag]}});
        value.as_object().cloned().expect("it is an object")
    })
}

/// Every reason; a new one must be added here and to docs/ledger.md.
pub(super) fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(super::documented::REASONS).prop_map(|word| {
        serde_json::from_value(json!(word)).expect("every documented reason is one")
    })
}

fn texts() -> impl Strategy<Value = (String, String, String, String, String)> {
    (".*", ".*", "[0-9a-f]{40}", "[0-9a-f]{7}", "[a-z]{1,6}")
}

fn options() -> impl Strategy<Value = (Option<String>, Option<String>, Option<String>)> {
    (
        of("[0-9a-f]{40}"),
        of("[0-9a-f]{40}"),
        of("refs/[a-z/]{1,20}"),
    )
}

fn numbers() -> impl Strategy<Value = (Option<f64>, Option<f64>, Option<f64>, Option<f64>)> {
    (of(finite()), of(finite()), of(finite()), of(finite()))
}

fn durations() -> impl Strategy<Value = Durations> {
    [finite(), finite(), finite(), finite(), finite()].prop_map(
        |[propose_s, build_s, measure_s, gate_s, total_s]| Durations {
            propose_s,
            build_s,
            measure_s,
            gate_s,
            total_s,
        },
    )
}

pub(super) fn run_line() -> impl Strategy<Value = RunLine> {
    let head = (
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        any::<u64>(),
        reason(),
    );
    let measured = (
        vec(pair(), 0..4),
        (vec(guard(), 0..3), of(self_report())),
        gate(),
        of(gain()),
        metrics(),
        finite(),
    );
    let origin = (
        of(".*"),
        btree_map("[A-Z]{1,5}", ".*", 0..3),
        of(asi()),
        prop_oneof![Just(String::new()), "(?s).*"],
    );
    (
        head,
        texts(),
        options(),
        numbers(),
        measured,
        durations(),
        origin,
    )
        .prop_map(|(head, texts, options, numbers, measured, spent, origin)| {
            let (run, timestamp, segment, seed, reason) = head;
            let (description, detail, parent, commit, proposer) = texts;
            let (candidate, tree, reference) = options;
            let (confidence, mut incumbent, ln_e, scale) = numbers;
            let (pairs, (guards, self_report), gate, mut estimate, metrics, metric) = measured;
            let mut candidate = candidate;
            if reason.status() == Status::Keep {
                candidate.get_or_insert_with(|| parent.clone());
                incumbent.get_or_insert(metric);
                estimate.get_or_insert(super::samples::gain(0.1, 0.01));
            }
            RunLine {
                kind: RunTag::Run,
                run,
                commit,
                metric,
                metrics,
                status: reason.status(),
                description,
                hypothesis: origin.3,
                timestamp,
                segment,
                confidence,
                asi: origin.2,
                format: FORMAT_VERSION,
                session: super::samples::SESSION.to_owned(),
                parent,
                candidate,
                tree,
                reference,
                reason,
                detail,
                incumbent,
                estimate,
                ln_e,
                scale,
                pairs,
                guards,
                self_report,
                gate,
                durations: spent,
                origin: Origin {
                    proposer,
                    idea: origin.0,
                    knobs: origin.1,
                },
                seed,
                load: spent.measure_s,
            }
        })
}
