use super::*;
use crate::flow::entry::Read;
use crate::flow::ledger::{Decoder, decode_text};

const PI: &str = include_str!("../../../tests/data/pi-autoresearch.jsonl");
const CODEX: &str = include_str!("../../../tests/data/codex-autoresearch.jsonl");
const LABLOOP: &str = include_str!("../../../tests/data/labloop.jsonl");
const KARPATHY: &str = include_str!("../../../tests/data/karpathy-results.tsv");

fn read(text: &str) -> (Vec<Entry>, Vec<Segment>) {
    let mut entries = Vec::new();
    let mut decoder = Decoder::new("autoresearch.jsonl");
    decode_text(text.as_bytes(), &mut decoder, |read| {
        match read {
            Read::Run(entry) => entries.push(*entry),
            Read::Segment(_) | Read::Skipped => {}
            other => panic!("{other:?} in a foreign log"),
        }
        Ok(())
    })
    .expect("the log is valid");
    (entries, decoder.segments().to_vec())
}

/// `run segment status metric` of each entry.
fn outline(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let metric = entry
                .metric
                .map_or("-".to_owned(), |value| value.to_string());
            format!(
                "{} {} {} {metric}",
                entry.run,
                entry.segment,
                entry.status.as_str()
            )
        })
        .collect()
}

fn check_refused(line: &str, problem: &str) {
    let error = Decoder::new("autoresearch.jsonl")
        .feed(1, line)
        .expect_err(line);
    assert_eq!(
        error.to_string(),
        format!("autoresearch.jsonl:1: {problem}"),
        "{line}"
    );
}

#[test]
fn a_pi_autoresearch_log_is_read_with_its_segments() {
    let (entries, segments) = read(PI);
    assert_eq!(
        outline(&entries),
        [
            "1 0 keep 15586000",
            "2 0 crash -",
            "3 0 keep 12014000",
            "4 0 discard 12290000",
            "5 0 checks_failed 9120000",
            "6 1 keep 2410.5",
            "7 1 keep 2188.25",
            "8 2 keep 1180",
        ]
    );
    assert!(entries.iter().all(|entry| entry.source == Source::Pi));
    let names: Vec<_> = segments
        .iter()
        .map(|segment| (segment.metric_name.as_str(), segment.direction))
        .collect();
    assert_eq!(
        names,
        [
            ("total_µs", Direction::Lower),
            ("cold_ms", Direction::Lower),
            ("req_s", Direction::Higher)
        ]
    );
    assert_eq!(entries[3].confidence, Some(2.1));
    assert_eq!(entries[0].metrics["heap_mb"], 221.4);
    assert_eq!(entries[0].timestamp_ms, Some(1_772_000_000_123));
    let asi = entries[1].asi.as_ref().expect("the crash has one");
    assert_eq!(asi["rollback_reason"], "oom");
}

#[test]
fn a_codex_autoresearch_log_is_read_with_null_metrics_and_its_own_keys() {
    let (entries, segments) = read(CODEX);
    assert_eq!(
        outline(&entries),
        [
            "1 0 keep 4.82",
            "2 0 crash -",
            "3 0 checks_failed -",
            "4 0 keep 4.1",
            "5 1 keep 41.9",
            "6 1 discard 43.3",
        ]
    );
    assert!(entries.iter().all(|entry| entry.source == Source::Codex));
    assert_eq!(segments.len(), 2);
    assert_eq!(entries[0].commit, "0a1b2c3d4e5f");
}

#[test]
fn a_labloop_ledger_is_read_by_its_outcomes() {
    let (entries, segments) = read(LABLOOP);
    assert_eq!(
        outline(&entries),
        ["0 0 keep 19.84", "1 0 discard 19.95", "2 0 crash -"]
    );
    assert_eq!(entries[2].reason, Some(Reason::Timeout));
    assert_eq!(
        (segments[0].name.as_str(), segments[0].metric_name.as_str()),
        ("primes", "ms")
    );
    check_refused(
        r#"{"outcome":"won","index":1,"metric":1}"#,
        "`outcome`: unknown value `won`, expected one of `kept`, `reverted`, `no_change`, \
         `failed`, `timed_out`, `no_metric`, `not_finite`, `harness_changed`, `interrupted`",
    );
    check_refused(
        r#"{"outcome":"kept","index":1,"metric":null}"#,
        "a kept trial without `metric`",
    );
}

#[test]
fn every_labloop_outcome_with_a_reason_has_the_reason_s_status() {
    for (word, status, reason) in LABLOOP_OUTCOMES {
        assert!(
            reason.is_none_or(|reason| reason.status() == status),
            "{word}"
        );
    }
}

#[test]
fn karpathy_s_results_are_read_and_a_crash_has_no_metric() {
    let (entries, segments) = read(KARPATHY);
    assert_eq!(
        outline(&entries),
        [
            "1 0 keep 0.9979",
            "2 0 keep 0.9932",
            "3 0 discard 1.005",
            "4 0 crash -"
        ]
    );
    assert_eq!(segments[0].metric_name, "val_bpb");
    assert_eq!(entries[1].metrics["memory_gb"], 44.2);
    assert_eq!(entries[3].description, "double model width (OOM)");
}

#[test]
fn a_damaged_table_row_is_an_error_with_its_number() {
    let refuse = |row: &str| {
        let text = format!("commit\tval_bpb\tmemory_gb\tstatus\tdescription\n{row}\n");
        decode_text(
            text.as_bytes(),
            &mut Decoder::new("results.tsv"),
            |_| Ok(()),
        )
        .expect_err(row)
        .to_string()
    };
    assert_eq!(
        refuse("a1\t0.9\t44"),
        "results.tsv:2: 3 columns where the header has 5"
    );
    assert_eq!(
        refuse("a1\tinf\t44\tkeep\tx"),
        "results.tsv:2: `val_bpb`: \"inf\" is no finite number"
    );
    assert_eq!(
        refuse("a1\t1\t44\tkeeps\tx"),
        "results.tsv:2: `status`: unknown value `keeps`, expected one of `keep`, `discard`, \
         `crash`, `checks_failed`"
    );
}

#[test]
fn an_unknown_foreign_status_is_an_error_and_never_a_keep() {
    let line = r#"{"run":7,"commit":"a1b2c3d","metric":0.1,"status":"kept"}"#;
    check_refused(
        line,
        "`status`: unknown value `kept`, expected one of `keep`, `discard`, `crash`, `checks_failed`",
    );
    let error = Decoder::new("x").feed(1, line).expect_err(line);
    assert!(error.render().contains("hint: did you mean `keep`?"));
    check_refused(r#"{"run":7,"metric":0.1}"#, "missing field `status`");
}

#[test]
fn a_keep_without_a_metric_is_an_error_and_a_failure_without_one_is_none() {
    check_refused(r#"{"run":1,"status":"keep"}"#, "a keep without `metric`");
    check_refused(
        r#"{"run":1,"status":"keep","metric":null}"#,
        "a keep without `metric`",
    );
    for status in ["discard", "crash", "checks_failed"] {
        for metric in ["", r#","metric":null"#] {
            let line = format!(r#"{{"run":1,"status":"{status}"{metric}}}"#);
            let (entries, _) = read(&line);
            assert_eq!(entries[0].metric, None, "{line}");
        }
    }
}

#[test]
fn zero_is_not_measured_for_a_crash_only() {
    for (status, metric) in [("crash", None), ("discard", Some(0.0)), ("keep", Some(0.0))] {
        let line = format!(r#"{{"run":1,"status":"{status}","metric":0}}"#);
        assert_eq!(read(&line).0[0].metric, metric, "{line}");
    }
}

#[test]
fn a_known_key_of_the_wrong_type_is_an_error() {
    for (line, problem) in [
        (
            r#"{"run":"1","status":"crash"}"#,
            r#"`run`: "1" is no number"#,
        ),
        (
            r#"{"run":1.5,"status":"crash"}"#,
            "`run`: 1.5 is no whole number from 0 to 2^53 - 1",
        ),
        (
            r#"{"run":null,"status":"crash"}"#,
            "`run`: null is no number",
        ),
        (
            r#"{"run":1,"status":"keep","metric":"12"}"#,
            r#"`metric`: "12" is no number"#,
        ),
        (
            r#"{"run":1,"status":"crash","metrics":{"a":[]}}"#,
            "`metrics.a`: [] is no number",
        ),
        (
            r#"{"run":1,"status":"crash","asi":3}"#,
            "`asi`: 3 is no object",
        ),
        (
            r#"{"type":"config","bestDirection":"up"}"#,
            "`bestDirection`: unknown value `up`, expected one of `lower`, `higher`",
        ),
        (
            r#"{"type":"hok"}"#,
            "`type`: unknown value `hok`, expected one of `config`, `hook`, `run`",
        ),
        (
            "{}",
            "neither a run (no `run`) nor a config or hook line (no `type`)",
        ),
    ] {
        check_refused(line, problem);
    }
}

#[test]
fn a_config_line_before_any_run_replaces_and_after_one_opens_a_segment() {
    let config = |name: &str| format!(r#"{{"type":"config","metricName":"{name}"}}"#);
    let run = r#"{"run":1,"status":"crash"}"#;
    let (_, segments) = read(&[&config("a"), &config("b"), run].join("\n"));
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].metric_name, "b");
    let (entries, segments) = read(&[run, &config("a"), &run.replace('1', "2")].join("\n"));
    assert_eq!(
        segments.len(),
        2,
        "runs before any config line are segment 0"
    );
    assert_eq!(outline(&entries), ["1 0 crash -", "2 1 crash -"]);
}
