use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::flow::record::{Reason, Status};

mod documented;
mod generated;

const FILE: &str = "experiments.jsonl";

fn read(lines: &[String]) -> Result<(Vec<Read>, Ending)> {
    let text = lines
        .iter()
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    read_bytes(text.as_bytes())
}

fn read_bytes(text: &[u8]) -> Result<(Vec<Read>, Ending)> {
    let mut reads = Vec::new();
    let ending = decode_text(text, &mut Decoder::new(FILE), |read| {
        reads.push(read);
        Ok(())
    })?;
    Ok((reads, ending))
}

/// The whole text of the error with which `lines` are refused.
fn refusal(lines: &[String]) -> String {
    read(lines).expect_err("the lines are refused").render()
}

fn check_refused(lines: &[String], problem: &str, hint: Option<&str>) {
    let default = "restore the file from a backup or from git, or take the line out of a ledger of this program with `autoresearch repair`, which keeps the original; what it says is never guessed";
    let hint = hint.unwrap_or(default);
    assert_eq!(
        refusal(lines),
        format!("error: {FILE}:{problem}\n  hint: {hint}")
    );
}

/// A kept run's text with one piece replaced.
fn damaged(from: &str, to: &str) -> [String; 2] {
    let line = samples::run(samples::kept(1));
    assert!(line.contains(from), "the sample has {from}");
    [samples::config(), line.replacen(from, to, 1)]
}

#[test]
fn a_session_is_read_line_by_line() {
    let lines = [
        samples::config(),
        samples::run(samples::kept(1)),
        samples::run(samples::ended(2, Reason::BuildFailed, "exit 101")),
        Line::Claim(Box::new(samples::claim(0.1, 0.01, &samples::id("c0ffee1")))).encode(),
    ];
    let (reads, ending) = read(&lines).expect("the samples are valid");
    assert_eq!(ending.lines, 4);
    assert!(!ending.lacks_newline && ending.torn.is_none() && ending.newer.is_none());
    let Read::Segment(segment) = &reads[0] else {
        panic!("{:?}", reads[0])
    };
    assert_eq!(
        (segment.index, segment.metric_name.as_str()),
        (0, "total_ms")
    );
    let Read::Run(first) = &reads[1] else {
        panic!("{:?}", reads[1])
    };
    assert_eq!(
        (first.run, first.status, first.metric),
        (1, Status::Keep, Some(90.0))
    );
    let Read::Run(second) = &reads[2] else {
        panic!("{:?}", reads[2])
    };
    assert_eq!(second.reason, Some(Reason::BuildFailed));
    assert_eq!(second.metric, None, "0 without a measurement is no value");
    assert!(matches!(reads[3], Read::Claim(_)));
}

#[test]
fn an_unknown_word_is_an_error_with_line_field_and_the_nearest_known_word() {
    check_refused(
        &damaged(r#""status":"keep""#, r#""status":"kep""#),
        "2: `status`: unknown variant `kep`, expected one of `keep`, `discard`, `crash`, `checks_failed`",
        Some("did you mean `keep`? else take the line out with `autoresearch repair`"),
    );
    check_refused(
        &damaged(r#""type":"run""#, r#""type":"rum""#),
        "2: `type`: unknown value `rum`, expected one of `config`, `calibration`, `run`, `claim`, `ablation`, `repair`",
        Some("did you mean `run`? else take the line out with `autoresearch repair`"),
    );
    let text = refusal(&damaged(r#""reason":"improved""#, r#""reason":"imprved""#));
    assert!(text.starts_with("error: experiments.jsonl:2: `reason`: unknown variant `imprved`, "));
    assert!(text.contains("hint: did you mean `improved`?"), "{text}");
    let text = refusal(&damaged(r#""phase":"confirm""#, r#""phase":"cnofirm""#));
    assert!(
        text.contains(":2: `pairs[2].phase`: unknown variant `cnofirm`"),
        "{text}"
    );
}

#[test]
fn an_unknown_missing_or_mistyped_field_is_an_error_that_names_it() {
    let text = refusal(&damaged(r#""seed":"#, r#""seeds":"#));
    assert!(
        text.contains(":2: unknown field `seeds`, expected one of"),
        "{text}"
    );
    assert!(text.contains("hint: did you mean `seed`?"), "{text}");
    let text = refusal(&damaged(r#""slot":1"#, r#""slt":1"#));
    assert!(
        text.contains(":2: `pairs[0]`: unknown field `slt`"),
        "{text}"
    );
    check_refused(
        &damaged(r#""seed":42,"#, ""),
        "2: missing field `seed`",
        None,
    );
    check_refused(
        &damaged(r#""build_s":8.5,"#, ""),
        "2: `durations`: missing field `build_s`",
        None,
    );
    check_refused(
        &damaged(r#""metric":90.0"#, r#""metric":"90""#),
        r#"2: `metric`: invalid type: string "90", expected f64"#,
        None,
    );
    check_refused(
        &damaged(r#""metric":90.0"#, r#""metric":null"#),
        "2: `metric`: invalid type: null, expected f64",
        None,
    );
    check_refused(
        &damaged(r#""seed":42"#, r#""seed":42,"seed":43"#),
        "2: duplicate field `seed`",
        None,
    );
}

#[test]
fn a_status_that_does_not_go_with_its_reason_is_an_error() {
    check_refused(
        &damaged(r#""reason":"improved""#, r#""reason":"no_gain""#),
        "2: `status` is `keep`, but `reason` `no_gain` goes with `discard`",
        None,
    );
}

#[test]
fn a_keep_needs_what_makes_it_one() {
    for field in ["candidate", "incumbent", "estimate"] {
        let mut line = samples::kept(1);
        match field {
            "candidate" => line.candidate = None,
            "incumbent" => line.incumbent = None,
            _ => line.estimate = None,
        }
        check_refused(
            &[samples::config(), samples::run(line)],
            &format!("2: a keep without `{field}`"),
            None,
        );
    }
}

#[test]
fn a_slot_is_0_or_1() {
    check_refused(
        &damaged(r#""slot":1"#, r#""slot":2"#),
        "2: `pairs[0].slot`: 2 is neither 0 nor 1",
        None,
    );
}

#[test]
fn a_config_that_no_file_could_have_had_is_refused_and_judges_nothing() {
    let config = samples::config();
    for (from, to, problem) in [
        (
            r#""false_keeps_per_200":2.0"#,
            r#""false_keeps_per_200":0.0"#,
            "`false_keeps_per_200` is 0; use 0.01 to 20",
        ),
        (
            r#"{"name":"rss_kib""#,
            r#"{"tolerance_percent":-1.0,"name":"rss_kib""#,
            "-1",
        ),
    ] {
        assert!(config.contains(from), "{config}");
        let refused = refusal(&[config.replacen(from, to, 1)]);
        assert!(
            refused.contains(&format!("{FILE}:1: `config`")) && refused.contains(problem),
            "{refused}"
        );
    }
}

#[test]
fn run_numbers_go_up_by_one() {
    let run = |number| samples::run(samples::kept(number));
    check_refused(
        &[samples::config(), run(1), run(3)],
        "3: `run`: 3 where 2 was due",
        None,
    );
    check_refused(
        &[samples::config(), run(1), run(1)],
        "3: `run`: 1 where 2 was due",
        None,
    );
}

#[test]
fn a_run_belongs_to_an_opened_session_and_its_segment() {
    let session = samples::SESSION;
    check_refused(
        &[samples::run(samples::kept(1))],
        &format!("1: `session`: {session:?} was not opened by a config line before"),
        None,
    );
    check_refused(
        &damaged(r#""segment":0"#, r#""segment":1"#),
        &format!("2: `segment`: 1 where session {session:?} is segment 0"),
        None,
    );
    check_refused(
        &[samples::config(), samples::config()],
        &format!("2: `session`: {session:?} was opened before"),
        None,
    );
}

#[test]
fn a_line_that_is_no_object_is_an_error_with_its_number() {
    let bad = |line: &str| [samples::config(), line.to_owned()];
    check_refused(&bad("[1]"), "2: not a JSON object", None);
    check_refused(&bad("keep it"), "2: not a JSON object", None);
    check_refused(
        &bad(r#"{"type":"run","#),
        "2: not JSON: EOF while parsing a value at column 14",
        None,
    );
    check_refused(
        &bad(r#"{"type":"run"} {"#),
        "2: not JSON: trailing characters at column 16",
        None,
    );
    check_refused(&bad(r#"{"format":1}"#), "2: missing field `type`", None);
    check_refused(
        &bad(r#"{"type":"run","format":"1"}"#),
        r#"2: `format`: "1" is no version number"#,
        None,
    );
    let error = read_bytes(b"\n{\"a\":\"\xff\"}\n").expect_err("it is not UTF-8");
    assert_eq!(
        error.to_string(),
        format!("{FILE}:2: not UTF-8 after byte 6")
    );
}

#[test]
fn our_run_line_without_its_format_is_not_taken_for_a_foreign_one() {
    check_refused(
        &damaged(r#""format":1,"#, ""),
        "2: missing field `format`",
        None,
    );
}

#[test]
fn every_prefix_of_an_appended_line_is_a_torn_tail_and_loses_nothing_before_it() {
    let before = format!("{}\n", samples::config());
    let mut line = samples::kept(1);
    line.description = "µ — ✓".to_owned();
    let line = samples::run(line);
    for cut in 1..line.len() {
        let text = [before.as_bytes(), &line.as_bytes()[..cut]].concat();
        let (reads, ending) = read_bytes(&text).expect("a torn tail is no error");
        assert_eq!(reads.len(), 1, "cut after {cut} bytes");
        let torn = TornTail {
            number: 2,
            bytes: cut,
        };
        assert_eq!(ending.torn, Some(torn));
        assert_eq!(ending.lines, 1);
    }
}

#[test]
fn a_whole_last_line_without_newline_counts() {
    let text = format!("{}\n{}", samples::config(), samples::run(samples::kept(1)));
    let (reads, ending) = read_bytes(text.as_bytes()).expect("both lines are whole");
    assert_eq!(reads.len(), 2);
    assert!(ending.lacks_newline && ending.torn.is_none());
}

#[test]
fn a_whole_last_line_that_is_wrong_is_an_error_and_not_torn() {
    let [config, run] = damaged(r#""status":"keep""#, r#""status":"kept""#);
    let error = read_bytes(format!("{config}\n{run}").as_bytes()).expect_err("it is whole");
    assert!(
        error
            .to_string()
            .starts_with("experiments.jsonl:2: `status`: ")
    );
}

#[test]
fn a_torn_line_elsewhere_is_an_error() {
    let line = samples::run(samples::kept(1));
    let text = format!("{}\n{}\n{line}\n", samples::config(), &line[..100]);
    let error = read_bytes(text.as_bytes()).expect_err("the second line is torn");
    assert!(
        error
            .to_string()
            .starts_with("experiments.jsonl:2: not JSON: EOF")
    );
}

#[test]
fn a_newer_format_is_read_as_far_as_its_keys_are_shared_and_never_written() {
    let newer = |line: String| line.replacen(r#""format":1"#, r#""format":2,"shiny":true"#, 1);
    let text = [
        newer(samples::config()),
        newer(samples::run(samples::kept(1))),
        r#"{"type":"aside","format":3}"#.to_owned(),
    ];
    let mut decoder = Decoder::new(FILE);
    let mut reads = Vec::new();
    for (number, line) in (1..).zip(&text) {
        reads.push(decoder.feed(number, line).expect("shared keys are enough"));
    }
    let Read::Run(entry) = &reads[1] else {
        panic!("{:?}", reads[1])
    };
    assert_eq!(entry.source, Source::Newer { format: 2 });
    assert_eq!(
        (entry.run, entry.status, entry.metric),
        (1, Status::Keep, Some(90.0))
    );
    assert_eq!(reads[2], Read::Newer { format: 3 });
    assert_eq!(decoder.segments()[0].metric_name, "total_ms");
    let refusal = decoder.check_writable().expect_err("it is newer");
    assert!(
        refusal.to_string().contains("lines of format 3"),
        "{refusal}"
    );
    assert!(Decoder::new(FILE).check_writable().is_ok());
}

#[test]
fn an_unknown_status_of_a_newer_format_is_an_error_too() {
    let line = r#"{"run":1,"format":2,"status":"postponed","metric":1}"#;
    let error = Decoder::new(FILE).feed(1, line).expect_err("never a keep");
    let text = error.render();
    assert!(
        text.contains(":1: `status`: unknown value `postponed`"),
        "{text}"
    );
    assert!(text.contains("hint: the line has format 2"), "{text}");
}

#[test]
fn a_hundred_thousand_records_are_decoded_one_at_a_time() {
    let mut decoder = Decoder::new(FILE);
    decoder
        .feed(1, &samples::config())
        .expect("the config is valid");
    let mut short = samples::ended(1, Reason::NoChange, "");
    short.pairs.clear();
    let line = samples::run(short);
    let (head, tail) = line.split_once(r#""run":1,"#).expect("it is run 1");
    let mut kept = 0_u64;
    for run in 1..=100_000_u64 {
        let text = format!(r#"{head}"run":{run},{tail}"#);
        let read = decoder.feed(run + 1, &text).expect("each is valid");
        kept += u64::from(matches!(read, Read::Run(entry) if entry.run == run));
    }
    assert_eq!(kept, 100_000);
    assert_eq!(decoder.next_run(), 100_001);
}

proptest! {
    #[test]
    fn a_run_line_survives_encoding_and_decoding(line in generated::run_line()) {
        let text = samples::run(line.clone());
        prop_assert!(!text.contains('\n'));
        match decode_line(&text, 1, FILE) {
            Ok(Decoded::Line(Line::Run(decoded))) => prop_assert_eq!(*decoded, line),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_run_line_has_documented_keys_only(line in generated::run_line()) {
        let value: Value = serde_json::from_str(&samples::run(line)).expect("it is JSON");
        prop_assert_eq!(documented::problem(&value), None);
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in ".*", cut in 0_usize..400) {
        let _ = decode_line(&text, 1, FILE);
        let line = samples::run(samples::kept(1));
        let cut = (0..=cut.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
        let mixed = format!("{}{text}", &line[..cut.unwrap_or(0)]);
        let _ = decode_line(&mixed, 1, FILE);
    }
}

#[test]
fn config_and_claim_lines_have_documented_keys_only() {
    let claim = samples::claim(0.1, 0.01, &samples::id("c0ffee1"));
    for text in [samples::config(), Line::Claim(Box::new(claim)).encode()] {
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(documented::problem(&value), None);
    }
}

#[test]
fn the_documentation_names_every_key() {
    let text = include_str!("../../../docs/ledger.md");
    for key in documented::keys() {
        assert!(
            text.contains(&format!("`{key}`")),
            "docs/ledger.md lacks `{key}`"
        );
    }
    for reason in documented::REASONS {
        assert!(
            text.contains(&format!("`{reason}`")),
            "docs/ledger.md lacks `{reason}`"
        );
    }
}
