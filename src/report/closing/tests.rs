use super::*;
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::ledger::samples;
use crate::flow::record::{ClaimLine, Reason, RunLine};
use crate::flow::summary::Summary;

fn session(runs: Vec<RunLine>, claim: Option<ClaimLine>) -> SessionSummary {
    let mut summary = Summary::default();
    let segment = Segment::from((0, Box::new(samples::config_line())));
    summary.push(&Read::Segment(Box::new(segment)));
    for line in runs {
        summary.push(&Read::Run(Box::new(Entry::from(Box::new(line)))));
    }
    if let Some(claim) = claim {
        summary.push(&Read::Claim(Box::new(claim)));
    }
    summary.sessions.remove(0)
}

fn check(runs: Vec<RunLine>, claim: Option<ClaimLine>, expected: &str) {
    let got = text(&session(runs, claim));
    assert_eq!(got, expected, "\n{got}");
}

fn runs() -> Vec<RunLine> {
    vec![
        samples::kept(1),
        samples::ended(2, Reason::NoGain, ""),
        samples::ended(3, Reason::Timeout, ""),
        samples::ended(4, Reason::Drift, ""),
    ]
}

#[test]
fn a_claim_above_zero_is_printed_with_how_to_take_the_commits_over() {
    check(
        runs(),
        Some(samples::claim(0.1, 0.01, &samples::id("c0ffee1"))),
        "\
4 runs: 1 kept, 1 discarded, 1 crashed, 1 failed the checks
  run 1  +10.0 % [+8.9, +11.1]  Batch the writes of one commit
end to end: 9.5 % less total_ms, 95 % interval [+8.6, +10.4] %, 24 fresh pairs
of 3 judged candidates at most 0.03 false keeps are to be expected

review:  git log -p 57a270000000..autoresearch/store
merge:   git merge autoresearch/store
",
    );
}

#[test]
fn an_interval_that_includes_zero_claims_nothing() {
    let mut claim = samples::claim(0.01, 0.02, &samples::id("c0ffee1"));
    claim.steps_do_not_add_up = true;
    check(
        runs(),
        Some(claim),
        "\
4 runs: 1 kept, 1 discarded, 1 crashed, 1 failed the checks
  run 1  +10.0 % [+8.9, +11.1]  Batch the writes of one commit
nothing is claimed: end to end +1.0 % [-1.0, +3.0] is not above 0
steps do not add up: the kept runs' own gains come to +10.0 %
of 3 judged candidates at most 0.03 false keeps are to be expected

review:  git log -p 57a270000000..autoresearch/store
check:   autoresearch ablate
",
    );
}

#[test]
fn without_a_keep_there_is_nothing_to_claim_or_merge() {
    check(
        vec![samples::ended(1, Reason::NoChange, "")],
        None,
        "1 run: 0 kept, 1 discarded\nnothing is claimed: nothing was kept\nof 1 judged candidate at most 0.01 false keeps are to be expected\n",
    );
}

#[test]
fn a_claim_for_an_earlier_head_is_not_one_for_the_present() {
    let session = session(
        runs(),
        Some(samples::claim(-0.02, 0.01, &samples::id("57a27"))),
    );
    assert_eq!(
        claim(&session),
        "nothing is claimed for the present head; up to 57a270000000: 2.0 % more total_ms, \
         95 % interval [-3.0, -1.0] %, 24 fresh pairs"
    );
}

#[test]
fn many_kept_runs_are_cut_short_and_counted() {
    let got = text(&session((1..=25).map(samples::kept).collect(), None));
    assert!(got.contains("\n  run 20  "), "{got}");
    assert!(!got.contains("\n  run 21  "), "{got}");
    assert!(
        got.contains("\n  ... and 5 more: autoresearch log --status keep\n"),
        "{got}"
    );
}
