use super::*;
use crate::flow::ledger::{Decoder, samples};
use crate::flow::record::{Line, Phase, Reason};

/// The review of a ledger with these lines.
pub(crate) fn review<'a>(lines: impl IntoIterator<Item = &'a str>) -> Review {
    let mut decoder = Decoder::new("test");
    let mut builder = Builder::new();
    for (number, line) in (1..).zip(lines) {
        let read = decoder.feed(number, line).expect("a valid line");
        builder
            .push(&read, decoder.segments())
            .expect("possible values");
    }
    builder.finish()
}

/// A session with one run of each kind, a claim for its head.
pub(crate) fn sample() -> Vec<String> {
    let mut placebo = samples::ended(4, Reason::NoGain, "after 2 pairs");
    placebo.origin.proposer = "placebo".to_owned();
    let mut broken = samples::ended(3, Reason::GateFailed, "exit 101");
    broken.gate.outcome = crate::flow::record::GateOutcome::Fail;
    broken.gate.output_tail = "test a ... FAILED".to_owned();
    let claim = samples::claim(0.1, 0.01, &samples::id("c0ffee1"));
    vec![
        samples::config(),
        samples::run(samples::kept(1)),
        samples::run(samples::ended(2, Reason::BuildFailed, "error[E0308]")),
        samples::run(broken),
        samples::run(placebo),
        Line::Claim(Box::new(claim)).encode(),
    ]
}

fn of_sample() -> Review {
    review(sample().iter().map(String::as_str))
}

#[test]
fn a_session_has_its_runs_its_claim_and_the_fates_of_its_ideas() {
    let review = of_sample();
    assert_eq!((review.sessions.len(), review.runs.len()), (1, 4));
    let session = &review.sessions[0];
    assert!(session.summary.claim.is_some());
    let fates = fates(review.runs_of(session));
    assert_eq!(fates.len(), 1, "the placebo is no idea");
    assert_eq!(fates[0].idea.as_deref(), Some("batch-writes"));
    assert_eq!(fates[0].runs, [1, 2, 3]);
    let counts = (fates[0].kept, fates[0].crashed, fates[0].checks_failed);
    assert_eq!(counts, (1, 1, 1));
    assert!(fates[0].best_is_kept);
    let percent = fates[0].best_percent.expect("it was measured");
    assert!((percent - 10.0).abs() < 1e-9, "{percent}");
}

#[test]
fn ideas_that_were_kept_come_first_and_then_those_with_the_largest_gain() {
    let mut lines = sample();
    let claim = lines.pop().expect("a claim");
    for (run, idea, gain) in [(5, "small", 0.01), (6, "large", 0.3)] {
        let mut line = samples::ended(run, Reason::NotConfirmed, "");
        line.origin.idea = Some(idea.to_owned());
        line.estimate = Some(samples::gain(gain, 0.01));
        lines.push(samples::run(line));
    }
    lines.push(claim);
    let review = review(lines.iter().map(String::as_str));
    let fates = fates(review.runs_of(&review.sessions[0]));
    let ideas: Vec<_> = fates
        .iter()
        .filter_map(|fate| fate.idea.as_deref())
        .collect();
    assert_eq!(ideas, ["batch-writes", "large", "small"]);
}

#[test]
fn without_a_calibration_there_is_no_evidence_and_the_rest_is_there() {
    let review = of_sample();
    let kept = &review.runs[0].detail;
    assert_eq!(kept.evidence, None);
    assert!(kept.gains.is_empty() && kept.differences.is_empty());
    assert_eq!(kept.commands[2], "autoresearch reproduce 1");
    assert_eq!(review.runs[1].detail.metrics, []);
    assert_eq!(review.runs[1].detail.detail, "error[E0308]");
    let total = kept.metrics.iter().find(|metric| metric.name == "total_ms");
    let total = total.expect("the primary metric");
    assert_eq!((total.parent, total.candidate), (Some(100.0), 90.0));
}

#[test]
fn gains_are_by_phase_in_the_order_of_the_pairs_without_warm_ups() {
    let primary = crate::flow::session::judged(&samples::config_line().config).0;
    let pairs = [
        samples::pair(Phase::WarmUp, 100.0, 50.0),
        samples::pair(Phase::Screen, 100.0, 80.0),
        samples::pair(Phase::Confirm, 100.0, 100.0),
        samples::pair(Phase::Screen, 0.0, 50.0),
    ];
    let gains = run::gains(&pairs, &primary, None);
    assert_eq!(gains.len(), 2);
    assert_eq!(gains[0].phase, Phase::Screen);
    assert_eq!(gains[0].log, [Some(0.223_144), None]);
    assert_eq!(gains[1].log, [Some(0.0)]);
}

#[test]
fn other_programs_logs_have_reviews_too() {
    for (text, runs) in [
        (include_str!("../../../tests/data/pi-autoresearch.jsonl"), 8),
        (
            include_str!("../../../tests/data/codex-autoresearch.jsonl"),
            6,
        ),
        (include_str!("../../../tests/data/labloop.jsonl"), 3),
        (include_str!("../../../tests/data/karpathy-results.tsv"), 4),
    ] {
        let review = review(text.lines());
        assert_eq!(review.runs.len(), runs, "{text}");
        assert!(!review.sessions.is_empty());
        let of_sessions: usize = review
            .sessions
            .iter()
            .map(|session| review.runs_of(session).count())
            .sum();
        assert_eq!(of_sessions, runs, "every run is of one session");
    }
}

#[test]
fn json_keys_are_documented() {
    let documentation = include_str!("../../../docs/ledger.md");
    let (_, section) = documentation
        .split_once("## `report --format json`")
        .expect("it is documented");
    let mut review = of_sample();
    let detail = &mut review.runs[0].detail;
    detail.evidence = Some(Evidence {
        ln_e: vec![0.5],
        keep: 4.6,
    });
    detail.gains = vec![PhaseGains {
        phase: Phase::Screen,
        log: vec![Some(0.1), None],
        estimate: None,
    }];
    (detail.diff, detail.flamegraph) = (Some(String::new()), Some(String::new()));
    let value: Value = serde_json::from_str(&review.to_json()).expect("it is JSON");
    let detail = &value["runs"][0]["detail"];
    for object in [
        &value,
        &value["runs"][0],
        detail,
        &detail["gains"][0],
        &detail["evidence"],
        &detail["metrics"][0],
        &value["sessions"][0]["ideas"][0],
    ] {
        for key in object.as_object().expect("each is an object").keys() {
            assert!(
                section.contains(&format!("`{key}`")),
                "docs/ledger.md lacks {key}"
            );
        }
    }
}
