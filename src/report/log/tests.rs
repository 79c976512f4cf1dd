use super::super::rows::Filter;
use super::*;
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::ledger::{Decoder, samples};
use crate::flow::record::{Reason, RunLine};

fn lines() -> Vec<RunLine> {
    let mut second = samples::ended(2, Reason::NoGain, "");
    second.description = "Preallocate the write buffer from the size of the last commit".to_owned();
    let mut third = samples::ended(3, Reason::BuildFailed, "error[E0308]");
    third.description = "Intern the keys".to_owned();
    third.origin.idea = None;
    third.origin.proposer = "tune".to_owned();
    let mut fourth = samples::ended(4, Reason::GateFailed, "exit 101");
    fourth.description = "Skip the checksum".to_owned();
    fourth.gate.outcome = GateOutcome::Fail;
    vec![samples::kept(1), second, third, fourth]
}

fn rows(filter: Filter) -> Rows {
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let mut rows = Rows::new(filter);
    for line in lines() {
        rows.push(&Entry::from(Box::new(line)), &segment);
    }
    rows.sorted()
}

fn foreign(text: &str, filter: Filter) -> Rows {
    let mut rows = Rows::new(filter);
    let mut decoder = Decoder::new("autoresearch.jsonl");
    for (number, line) in (1..).zip(text.lines()) {
        let read = decoder.feed(number, line).expect("the log is valid");
        if let Read::Run(entry) = read {
            rows.push(&entry, &decoder.segments()[entry.segment as usize]);
        }
    }
    rows.sorted()
}

fn json(rows: &Rows) -> String {
    let mut text = Vec::new();
    rows.write_json(&mut text).expect("memory can be written");
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn check(rows: &Rows, width: u16, expected: &str) {
    let got = table(
        rows,
        Layout {
            width,
            color: false,
        },
    );
    assert_eq!(got, expected, "\n{got}");
    for line in got.lines() {
        assert!(line.chars().count() <= usize::from(width), "{line}");
    }
}

#[test]
fn at_80_columns_the_verdict_the_gain_and_the_description_stay() {
    check(
        &rows(Filter::default()),
        80,
        "\
run  verdict              gain                    description
  1  keep                 +10.0 % [+8.9, +11.1]   Batch the writes of one commit
  2  discard: no gain     ~+0.20 % [-0.90, +1.3]  Preallocate the write buffer…
  3  crash: build failed  -                       Intern the keys
  4  checks: gate failed  ~+0.20 % [-0.90, +1.3]  Skip the checksum
~ seen while screening: a description, not a claim
",
    );
}

#[test]
fn below_70_columns_the_interval_goes_then_the_status_and_no_line_wraps() {
    check(
        &rows(Filter::default()),
        66,
        "\
run  verdict              gain      description
  1  keep                 +10.0 %   Batch the writes of one commit
  2  discard: no gain     ~+0.20 %  Preallocate the write buffer…
  3  crash: build failed  -         Intern the keys
  4  checks: gate failed  ~+0.20 %  Skip the checksum
~ seen while screening: a description, not a claim
",
    );
    check(
        &rows(Filter::default()),
        56,
        "\
run  verdict       gain      description
  1  keep          +10.0 %   Batch the writes of one…
  2  no gain       ~+0.20 %  Preallocate the write…
  3  build failed  -         Intern the keys
  4  gate failed   ~+0.20 %  Skip the checksum
~ seen while screening: a description, not a claim
",
    );
}

#[test]
fn at_every_width_a_run_has_one_line_and_so_has_the_header() {
    let pi = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    for rows in [rows(Filter::default()), foreign(pi, Filter::default())] {
        let runs = rows.iter().count();
        for width in (1..200).chain([u16::MAX]) {
            let text = table(
                &rows,
                Layout {
                    width,
                    color: false,
                },
            );
            let lines = text.lines().take_while(|line| !line.starts_with('~'));
            assert_eq!(lines.count(), 1 + runs, "{width}\n{text}");
            let fits = text
                .lines()
                .all(|line| line.chars().count() <= usize::from(width) || line.starts_with('~'));
            assert!(fits || width < 34, "{width}\n{text}");
        }
    }
}

#[test]
fn without_a_width_nothing_is_cut() {
    let text = table(
        &rows(Filter::default()),
        Layout {
            width: u16::MAX,
            color: false,
        },
    );
    assert!(
        text.contains("  Preallocate the write buffer from the size of the last commit\n"),
        "{text}"
    );
}

#[test]
fn at_165_columns_everything_is_shown() {
    check(&rows(Filter::default()), 165, "\
run  verdict              gain                    metric         guards           gate   time  pairs  by                  description
  1  keep                 +10.0 % [+8.9, +11.1]   100 → 90 ms    rss_kib -0.40 %  pass  51.9s      8  ideas/batch-writes  Batch the writes of one commit
  2  discard: no gain     ~+0.20 % [-0.90, +1.3]  100 → 99.8 ms  rss_kib -0.40 %  -     51.9s      2  ideas/batch-writes  Preallocate the write buffer from the size…
  3  crash: build failed  -                       -              -                -     51.9s      0  tune                Intern the keys
  4  checks: gate failed  ~+0.20 % [-0.90, +1.3]  100 → 99.8 ms  rss_kib -0.40 %  fail  51.9s      2  ideas/batch-writes  Skip the checksum
~ seen while screening: a description, not a claim
");
}

#[test]
fn a_foreign_log_has_the_same_table_without_what_it_does_not_say() {
    let text = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    check(
        &foreign(text, Filter::default()),
        80,
        "\
segment  run  verdict         metric       description
      0    1  keep            15586000 µs  baseline
      0    2  crash           -            pool: threads with isolate off
      0    3  keep            12014000 µs  pool: threads, isolate only for DOM…
      0    4  discard         12290000 µs  preload the transform cache
      0    5  checks: failed  9120000 µs   skip \"slow\" suites
      1    6  keep            2410 ms      baseline
      1    7  keep            2188 ms      lazy-load the coverage provider
      2    8  keep            1180 req/s   baseline
",
    );
}

/// The run numbers left by a filter of a foreign log.
fn left(filter: Filter) -> (Vec<u64>, u64) {
    let text = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    let rows = foreign(text, filter);
    (rows.iter().map(|row| row.run).collect(), rows.dropped())
}

#[test]
fn filters_choose_by_status_segment_and_session_and_the_limit_takes_the_last() {
    let all = Filter::default();
    let kept = Filter {
        statuses: vec![Status::Keep],
        ..all.clone()
    };
    assert_eq!(left(kept.clone()), (vec![1, 3, 6, 7, 8], 0));
    assert_eq!(
        left(Filter {
            limit: Some(2),
            ..kept.clone()
        }),
        (vec![7, 8], 3)
    );
    assert_eq!(
        left(Filter {
            segment: Some(0),
            ..kept
        }),
        (vec![1, 3], 0)
    );
    assert_eq!(
        left(Filter {
            limit: Some(0),
            ..all.clone()
        }),
        (vec![], 8)
    );
    let of = |session: &str| Filter {
        session: Some(session.to_owned()),
        ..all.clone()
    };
    assert_eq!(left(of("x")), (vec![], 0));
    assert_eq!(rows(of(samples::SESSION)).iter().count(), 4);
}

#[test]
fn runs_left_out_by_the_limit_are_counted_below_the_table() {
    let layout = Layout {
        width: 80,
        color: false,
    };
    let got = table(
        &rows(Filter {
            limit: Some(1),
            ..Filter::default()
        }),
        layout,
    );
    assert!(got.ends_with("\n3 earlier runs are not shown\n"), "{got}");
    let none = Rows::new(Filter::default());
    assert_eq!(table(&none, layout), "no runs\n");
}

#[test]
fn colour_is_used_when_asked_for_and_changes_nothing_else() {
    let rows = rows(Filter::default());
    let plain = table(
        &rows,
        Layout {
            width: 80,
            color: false,
        },
    );
    let colored = table(
        &rows,
        Layout {
            width: 80,
            color: true,
        },
    );
    assert!(!plain.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped.push_str(before);
        rest = after.split_once('m').expect("a colour ends in m").1;
    }
    stripped.push_str(rest);
    assert!(colored.contains('\u{1b}'));
    assert_eq!(stripped, plain);
}

#[test]
fn a_description_cannot_reach_the_terminal_or_break_its_line() {
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let mut line = samples::kept(1);
    line.description = "red \u{1b}[31m\nsecond line".to_owned();
    let mut rows = Rows::new(Filter::default());
    rows.push(&Entry::from(Box::new(line)), &segment);
    let got = table(
        &rows,
        Layout {
            width: 100,
            color: false,
        },
    );
    assert_eq!(got.lines().count(), 2, "{got}");
    assert!(!got.contains('\u{1b}'), "{got}");
}

#[test]
fn json_has_the_documented_keys_for_our_runs_and_foreign_ones() {
    const KEYS: [&str; 24] = [
        "run",
        "segment",
        "source",
        "session",
        "status",
        "reason",
        "detail",
        "commit",
        "metric_name",
        "unit",
        "direction",
        "metric",
        "incumbent",
        "gain",
        "pairs",
        "guards_moved",
        "gate",
        "seconds",
        "proposer",
        "idea",
        "description",
        "metrics",
        "confidence",
        "timestamp",
    ];
    let documentation = include_str!("../../../docs/ledger.md");
    let pi = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    for rows in [rows(Filter::default()), foreign(pi, Filter::default())] {
        let parsed: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&json(&rows)).expect("it is an array of objects");
        assert_eq!(parsed.len(), rows.iter().count());
        for object in &parsed {
            assert_eq!(object.keys().collect::<Vec<_>>(), KEYS);
        }
    }
    let (_, section) = documentation
        .split_once("## `log --json`")
        .expect("it is documented");
    for key in KEYS {
        assert!(
            section.contains(&format!("`{key}`")),
            "docs/ledger.md lacks {key}"
        );
    }
    assert_eq!(json(&Rows::new(Filter::default())), "[]\n");
}

#[test]
fn json_gives_a_gain_in_log_units_and_percent_and_says_whether_it_is_confirmed() {
    let rows = rows(Filter::default());
    let parsed: serde_json::Value = serde_json::from_str(&json(&rows)).expect("it is JSON");
    let gain = &parsed[0]["gain"];
    assert_eq!(gain["confirmed"], true);
    let number = |key: &str| gain[key].as_f64().expect(key);
    assert!((number("percent") - 10.0).abs() < 1e-9);
    assert!(number("percent_lo") < 10.0 && number("percent_hi") > 10.0);
    assert_eq!(parsed[1]["gain"]["confirmed"], false);
    assert_eq!(parsed[2]["gain"], serde_json::Value::Null);
    assert_eq!(parsed[2]["status"], "crash");
    assert_eq!(parsed[2]["reason"], "build_failed");
}
