use super::*;
use crate::flow::ledger::samples;
use crate::flow::record::Reason;

fn segment() -> Segment {
    Segment::from((0, Box::new(samples::config_line())))
}

fn check(line: RunLine, expected: &str) {
    let got = text(&Entry::from(Box::new(line)), &segment());
    assert_eq!(got, expected, "\n{got}");
}

#[test]
fn a_kept_run_is_shown_whole() {
    check(
        samples::kept(1),
        "\
run 1: Batch the writes of one commit

verdict     keep
            Better, confirmed on fresh pairs, and through the gate: committed.
gain        10.0 % less total_ms
            95 % interval of the gain [+8.9, +11.1] %, 6 pairs
total_ms    100 → 90 ms (medians of incumbent and candidate)
guards      rss_kib: pass, median gain -0.40 % over 6 pairs, tolerance 5.13 %
gate        pass, 12.2s
time        51.9s: propose 0.05s, build 8.50s, measure 31.0s, gate 12.2s, other 0.10s
origin      ideas, idea batch-writes

gain by pair (digits count pairs, | is no gain, better is right)
  screen       2  median   +8.5 %  [....................|..........1....1....]
  confirm      6  gain    +10.0 %  [....................|............1.12.1.1]
                                    -13.6 %             0             +12.0 %

recorded    2026-11-21 05:37:00Z
session     20261121-053600-a1b2
machine     Example CPU @ 2.0 GHz, 2 cores, 7950 MiB
            Debian 12, Linux 6.1, rustc 1.89.0
            RUSTFLAGS=-C target-cpu=native
            load 0.50 when recorded
seed        42
parent      57a2700000000000000000000000000000000000
candidate   c0ffee1000000000000000000000000000000000
ref         refs/autoresearch/20261121-053600-a1b2/1

the change  git show refs/autoresearch/20261121-053600-a1b2/1
once more   autoresearch reproduce 1
",
    );
}

#[test]
fn a_failed_gate_is_shown_with_its_output() {
    let mut line = samples::ended(4, Reason::GateFailed, "exit 101 after 12 s");
    line.gate.outcome = GateOutcome::Fail;
    line.gate.output_tail = "test a ... FAILED\n\u{1b}[31m1 failed".to_owned();
    line.gate.duration_s = 12.0;
    line.asi = serde_json::json!({"hypothesis": "checksums cost", "n": 3})
        .as_object()
        .cloned();
    check(
        line,
        "\
run 4: Batch the writes of one commit

verdict     checks: gate failed
            Better, and wrong: the gate fails with it, not with the incumbent.
            exit 101 after 12 s
gain        0.20 % less total_ms
            95 % interval of the gain [-0.90, +1.3] %, 6 pairs
            seen while screening: a description, not a claim
total_ms    100 → 99.8 ms (medians of incumbent and candidate)
guards      rss_kib: pass, median gain -0.40 % over 6 pairs, tolerance 5.13 %
gate        FAIL, 12.0s
              test a ... FAILED
              �[31m1 failed
time        51.9s: propose 0.05s, build 8.50s, measure 31.0s, gate 12.2s, other 0.10s
origin      ideas, idea batch-writes
notes       hypothesis: checksums cost
            n: 3

gain by pair (digits count pairs, | is no gain, better is right)
  screen       2  median   +8.5 %  [....................|.............1.....1]
                                    -11.1 %             0             +10.0 %

recorded    2026-11-21 05:37:00Z
session     20261121-053600-a1b2
machine     Example CPU @ 2.0 GHz, 2 cores, 7950 MiB
            Debian 12, Linux 6.1, rustc 1.89.0
            RUSTFLAGS=-C target-cpu=native
            load 0.50 when recorded
seed        42
parent      57a2700000000000000000000000000000000000
candidate   c0ffee1000000000000000000000000000000000
ref         refs/autoresearch/20261121-053600-a1b2/4

the change  git show refs/autoresearch/20261121-053600-a1b2/4
",
    );
}

#[test]
fn a_crash_says_that_nothing_was_measured() {
    let mut line = samples::ended(3, Reason::BuildFailed, "error[E0308]: mismatched types");
    line.candidate = None;
    line.reference = None;
    check(
        line,
        "\
run 3: Batch the writes of one commit

verdict     crash: build failed
            The build command failed.
            error[E0308]: mismatched types
gain        not measured
total_ms    not measured
gate        not run
time        51.9s: propose 0.05s, build 8.50s, measure 31.0s, gate 12.2s, other 0.10s
origin      ideas, idea batch-writes

recorded    2026-11-21 05:37:00Z
session     20261121-053600-a1b2
machine     Example CPU @ 2.0 GHz, 2 cores, 7950 MiB
            Debian 12, Linux 6.1, rustc 1.89.0
            RUSTFLAGS=-C target-cpu=native
            load 0.50 when recorded
seed        42
parent      57a2700000000000000000000000000000000000
candidate   none
ref         none
",
    );
}

#[test]
fn a_foreign_run_is_shown_with_what_its_log_says() {
    let mut decoder = crate::flow::ledger::Decoder::new("autoresearch.jsonl");
    let log = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    let mut shown = String::new();
    for (number, line) in (1..).zip(log.lines()) {
        let read = decoder.feed(number, line).expect("the log is valid");
        if let crate::flow::entry::Read::Run(entry) = read
            && entry.run == 3
        {
            shown = text(&entry, &decoder.segments()[0]);
        }
    }
    let expected = "\
run 3: pool: threads, isolate only for DOM tests

verdict     keep
            Kept by the program that wrote this log.
total_µs    12014000 µs
others      heap_mb 260
            tests_passed 412
notes       hypothesis: isolation dominates
            next_focus: transform cache
            nested: {\"files\":[\"vitest.config.ts\"],\"n\":3}

recorded    2026-02-25 06:20:31Z
log of      pi-autoresearch
segment     0 speed up vitest
commit      19f0aa2

the change  git show 19f0aa2
";
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn a_metric_with_a_long_name_keeps_its_distance() {
    let mut segment = segment();
    segment.metric_name = "grants_write_and_pack_ms".to_owned();
    let got = text(&Entry::from(Box::new(samples::kept(1))), &segment);
    assert!(
        got.contains("\ngrants_write_and_pack_ms  100 → 90 ms"),
        "{got}"
    );
}

#[test]
fn json_has_the_line_and_its_session_as_they_stand_in_the_ledger() {
    let line = samples::kept(1);
    let got = json(&Entry::from(Box::new(line.clone())), &segment());
    let value: Value = serde_json::from_str(&got).expect("it is JSON");
    let expected: Value = serde_json::from_str(&samples::run(line)).expect("the sample is JSON");
    assert_eq!(value["line"], expected);
    assert_eq!(value["session"]["session"], samples::SESSION);
    assert_eq!(value["run"]["run"], 1);
}
