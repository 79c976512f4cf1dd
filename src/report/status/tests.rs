use super::*;
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::ledger::{Decoder, decode_text, samples};
use crate::flow::live::LivePairs;
use crate::flow::record::{Reason, RunLine};

fn check(summary: &Summary, expected: &str) {
    let got = text(summary);
    assert_eq!(got, expected, "\n{got}");
}

fn run(line: RunLine) -> Read {
    Read::Run(Box::new(Entry::from(Box::new(line))))
}

fn ours() -> Summary {
    let mut summary = Summary::default();
    let segment = Segment::from((0, Box::new(samples::config_line())));
    summary.push(&Read::Segment(Box::new(segment)));
    summary.push(&run(samples::kept(1)));
    for (number, reason) in [
        (2, Reason::Inconclusive),
        (3, Reason::NoGain),
        (4, Reason::NoGain),
        (5, Reason::RunFailed),
    ] {
        summary.push(&run(samples::ended(number, reason, "")));
    }
    summary
}

fn foreign(text: &str) -> Summary {
    let mut summary = Summary::default();
    decode_text(text.as_bytes(), &mut Decoder::new("log"), |read| {
        summary.push(&read);
        Ok(())
    })
    .expect("the log is valid");
    summary
}

#[test]
fn a_session_says_where_it_stands_and_what_may_be_claimed() {
    check(
        &ours(),
        "\
session store (20261121-053600-a1b2)
  metric   total_ms (ms, lower is better)
  branch   autoresearch/store at c0ffee100000
  start    57a270000000, 2026-11-21 05:36:00Z
  runs     5 runs: 1 kept, 3 discarded, 1 crashed
           no gain 2, inconclusive 1, benchmark failed 1
  kept     run 1  +10.0 % [+8.9, +11.1]  Batch the writes of one commit
  claim    nothing is claimed yet: start and head were not measured against each other
  trust    of 4 judged candidates at most 0.04 false keeps are to be expected
  time     4m20s: propose 0.25s, build 42.5s, measure 2m35s, gate 1m01s, other 0.50s
",
    );
}

#[test]
fn a_foreign_log_is_summed_up_by_segment() {
    check(
        &foreign(include_str!("../../../tests/data/pi-autoresearch.jsonl")),
        "\
8 runs in 3 sessions, 5 kept

segment 0 (speed up vitest): 5 runs: 2 kept, 1 discarded, 1 crashed, 1 failed the checks
  nothing is claimed: this log has no end-to-end measurements
segment 1 (speed up vitest: cold start): 2 runs: 2 kept, 0 discarded
  nothing is claimed: this log has no end-to-end measurements

segment 2 (throughput)
  metric   req_s (req/s, higher is better)
  runs     1 run: 1 kept, 0 discarded
  kept     run 8  baseline
  claim    nothing is claimed: this log has no end-to-end measurements
",
    );
}

#[test]
fn an_empty_ledger_has_no_sessions() {
    check(&Summary::default(), "no sessions\n");
}

#[test]
fn json_says_the_same() {
    let value: Value = serde_json::from_str(&json(&ours(), None)).expect("it is JSON");
    assert_eq!(value["total"]["runs"], 5);
    let session = &value["sessions"][0];
    assert_eq!(session["counts"]["reasons"]["no_gain"], 2);
    assert_eq!(session["claim_state"], "not_measured");
    assert_eq!(session["claim"], Value::Null);
    assert_eq!(session["head"], samples::id("c0ffee1"));
    assert_eq!(session["false_keeps_bound"], 0.04);
    assert_eq!(session["kept"][0]["run"], 1);
    let foreign = foreign(include_str!("../../../tests/data/codex-autoresearch.jsonl"));
    let value: Value = serde_json::from_str(&json(&foreign, None)).expect("it is JSON");
    assert_eq!(value["sessions"][1]["counts"]["kept"], 1);
    assert_eq!(value["sessions"][1]["false_keeps_bound"], Value::Null);
}

#[test]
fn json_keys_are_documented() {
    let documentation = include_str!("../../../docs/ledger.md");
    let (_, section) = documentation
        .split_once("## `status --json`")
        .expect("documented");
    let mut summary = ours();
    summary.push(&Read::Claim(Box::new(samples::claim(
        0.1,
        0.01,
        &samples::id("c0ffee1"),
    ))));
    let running = Running::Yes {
        pid: Some(7),
        live: Some(live()),
    };
    let value: Value = serde_json::from_str(&json(&summary, Some(&running))).expect("it is JSON");
    assert_eq!(value["running"], true);
    let session = &value["sessions"][0];
    for object in [
        &value,
        &value["total"],
        &value["live"],
        &value["live"]["pairs"],
        session,
        &session["claim"],
        &session["kept"][0],
    ] {
        for key in object.as_object().expect("each is an object").keys() {
            assert!(
                section.contains(&format!("`{key}`")),
                "docs/ledger.md lacks {key}"
            );
        }
    }
}

fn live() -> Live {
    Live {
        pid: 7,
        started: 1_795_239_360_000,
        iterating_since: 1_795_239_360_000,
        iteration: 3,
        iterations: 50,
        phase: "screening".to_owned(),
        phase_since: 1_795_239_660_000,
        pairs: Some(LivePairs { done: 12, most: 60 }),
        kept: 1,
        tried: 2,
        last: Some("run 2: discard, no gain: Inline\n\u{1b}[2J".to_owned()),
    }
}

#[test]
fn a_running_loop_says_what_it_is_doing_and_since_when() {
    let running = Running::Yes {
        pid: Some(7),
        live: Some(live()),
    };
    assert_eq!(
        running_text(&running, 1_795_239_680_500),
        "\
a loop is running (process 7), since 2026-11-21 05:36:00Z (5m21s)
  now      iteration 3 of 50: screening, 12 of at most 60 pairs, for 20.5s
  so far   1 kept of 2 tried
  last     run 2: discard, no gain: Inline
"
    );
}

#[test]
fn a_loop_of_which_nothing_is_known_still_runs_and_a_clock_set_back_breaks_nothing() {
    let unknown = Running::Yes {
        pid: None,
        live: None,
    };
    assert_eq!(running_text(&unknown, 0), "a loop is running\n");
    assert_eq!(running_text(&Running::No, 0), "no loop is running\n");
    let mut live = live();
    (live.iterations, live.pairs) = (0, None);
    assert_eq!(doing(&live), "iteration 3: screening");
    let running = Running::Yes {
        pid: None,
        live: Some(live),
    };
    assert!(running_text(&running, 0).contains("for 0.00s"));
}
