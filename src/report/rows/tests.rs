use super::*;
use crate::flow::ledger::samples;
use crate::flow::record::{Reason, RunLine};

/// Four runs: gains of 10 %, 20 %, none, and -5 %; times of 4, 3, 2 and 1 s.
fn lines() -> Vec<RunLine> {
    let gains = [Some(0.1), Some(0.2), None, Some(-0.05)];
    (1..)
        .zip(gains)
        .map(|(run, gain)| {
            let mut line = match gain {
                Some(_) => samples::kept(run),
                None => samples::ended(run, Reason::BuildFailed, "error[E0308]: mismatched types"),
            };
            line.estimate = gain.map(|gain| samples::gain(gain, 0.01));
            line.metric = gain.map_or(0.0, |gain: f64| 100.0 * (-gain).exp());
            line.durations.total_s = (5 - run) as f64;
            line.timestamp = run * 1000;
            line.description = format!("Candidate {run}");
            line.origin.idea = Some(format!("idea-{}", run % 2));
            line
        })
        .collect()
}

fn chosen(filter: Filter) -> (Vec<u64>, u64) {
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let mut rows = Rows::new(filter);
    for line in lines() {
        rows.push(&Entry::from(Box::new(line)), &segment);
    }
    let rows = rows.sorted();
    (rows.iter().map(|row| row.run).collect(), rows.dropped())
}

fn sorted(sort: Sort, reverse: bool, limit: Option<usize>) -> (Vec<u64>, u64) {
    chosen(Filter {
        sort,
        reverse,
        limit,
        ..Filter::default()
    })
}

fn grep(pattern: &str) -> Vec<u64> {
    let grep = Regex::new(pattern).expect("a valid pattern");
    let filter = Filter {
        grep: Some(grep),
        ..Filter::default()
    };
    chosen(filter).0
}

#[test]
fn every_order_puts_the_best_first_and_runs_without_the_figure_last() {
    assert_eq!(sorted(Sort::Run, false, None).0, [1, 2, 3, 4]);
    assert_eq!(sorted(Sort::Run, true, None).0, [4, 3, 2, 1]);
    assert_eq!(sorted(Sort::Gain, false, None).0, [2, 1, 4, 3]);
    assert_eq!(sorted(Sort::Gain, true, None).0, [4, 1, 2, 3]);
    assert_eq!(sorted(Sort::Time, false, None).0, [1, 2, 3, 4]);
    assert_eq!(sorted(Sort::Metric, false, None).0, [2, 1, 4, 3]);
}

/// The runs of two segments whose metrics differ, sorted.
fn of_two_segments(sort: Sort, reverse: bool) -> Vec<u64> {
    let mut rows = Rows::new(Filter {
        sort,
        reverse,
        ..Filter::default()
    });
    for (run, index, direction, metric) in [
        (1, 0, Direction::Lower, 90.0),
        (2, 0, Direction::Lower, 80.0),
        (3, 1, Direction::Higher, 5.0),
        (4, 1, Direction::Higher, 6.0),
    ] {
        let mut segment = Segment::from((index, Box::new(samples::config_line())));
        segment.direction = direction;
        let mut line = samples::kept(run);
        line.metric = metric;
        let mut entry = Entry::from(Box::new(line));
        entry.segment = index;
        rows.push(&entry, &segment);
    }
    rows.sorted().iter().map(|row| row.run).collect()
}

#[test]
fn values_of_different_metrics_are_not_compared() {
    assert_eq!(of_two_segments(Sort::Metric, false), [4, 3, 2, 1]);
    assert_eq!(of_two_segments(Sort::Metric, true), [3, 4, 1, 2]);
    assert_eq!(of_two_segments(Sort::Run, false), [1, 2, 3, 4]);
}

#[test]
fn runs_that_all_lack_the_figure_are_known() {
    let mut line = samples::ended(1, Reason::BuildFailed, "");
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let lack = |line: &RunLine, sort| {
        let mut rows = Rows::new(Filter {
            sort,
            ..Filter::default()
        });
        rows.push(&Entry::from(Box::new(line.clone())), &segment);
        rows.sorted().lack_figure()
    };
    let all = [Sort::Run, Sort::Gain, Sort::Time, Sort::Metric];
    assert_eq!(
        all.map(|sort| lack(&line, sort)),
        [false, true, false, true]
    );
    line = samples::kept(1);
    assert_eq!(all.map(|sort| lack(&line, sort)), [false; 4]);
    let none = Rows::new(Filter {
        sort: Sort::Gain,
        ..Filter::default()
    });
    assert!(!none.lack_figure());
}

#[test]
fn the_limit_takes_the_last_of_the_ledger_and_the_first_of_any_other_order() {
    assert_eq!(sorted(Sort::Run, false, Some(2)), (vec![3, 4], 2));
    assert_eq!(sorted(Sort::Run, true, Some(2)), (vec![4, 3], 2));
    assert_eq!(sorted(Sort::Gain, false, Some(1)), (vec![2], 3));
    assert_eq!(sorted(Sort::Gain, true, Some(1)), (vec![4], 3));
    assert_eq!(sorted(Sort::Gain, false, Some(0)), (vec![], 4));
}

#[test]
fn with_a_limit_no_more_is_held_than_a_multiple_of_it() {
    let segment = Segment::from((0, Box::new(samples::config_line())));
    for sort in [Sort::Run, Sort::Gain] {
        let mut rows = Rows::new(Filter {
            sort,
            limit: Some(10),
            ..Filter::default()
        });
        let mut most = 0;
        for run in 1..=1000_u32 {
            let mut line = samples::kept(u64::from(run));
            line.estimate = Some(samples::gain(f64::from(run * 7919 % 1000), 0.01));
            rows.push(&Entry::from(Box::new(line)), &segment);
            most = most.max(rows.rows.len());
        }
        assert!(most <= 64, "{most}");
        let rows = rows.sorted();
        assert_eq!(rows.dropped(), 990);
        let gains: Vec<f64> = rows.iter().filter_map(|row| Some(row.gain?.log)).collect();
        match sort {
            Sort::Gain => assert_eq!(gains, (990..1000).rev().map(f64::from).collect::<Vec<_>>()),
            _ => assert_eq!(rows.iter().next().map(|row| row.run), Some(991)),
        }
    }
}

#[test]
fn filters_choose_by_time_idea_and_text() {
    let by = |filter: Filter| chosen(filter).0;
    assert_eq!(
        by(Filter {
            since_ms: Some(3000),
            ..Filter::default()
        }),
        [3, 4]
    );
    assert_eq!(
        by(Filter {
            idea: Some("idea-0".to_owned()),
            ..Filter::default()
        }),
        [2, 4]
    );
    assert_eq!(grep("^Candidate [12]$"), [1, 2]);
    assert_eq!(grep("E0308"), [3]);
    assert_eq!(grep("absent"), [] as [u64; 0]);
}

#[test]
fn grep_looks_into_the_notes_also_where_they_are_nested() {
    let notes = serde_json::json!({"next": ["try \"quotes\"", {"why": "cache misses"}], "n": 42});
    let mut line = samples::kept(1);
    line.asi = notes.as_object().cloned();
    let entry = Entry::from(Box::new(line));
    for (pattern, found) in [
        ("try \"quotes\"", true),
        ("cache miss", true),
        ("why", true),
        ("42", true),
        ("true", false),
    ] {
        let grep = Regex::new(pattern).expect("a valid pattern");
        assert_eq!(matches(&grep, &entry), found, "{pattern}");
    }
}

#[test]
fn csv_quotes_what_would_end_a_field_and_has_one_field_a_column() {
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let mut line = samples::kept(1);
    line.description = "a \"b\", c\nd".to_owned();
    line.guards[0].median_percent = -12.0;
    let mut rows = Rows::new(Filter::default());
    rows.push(&Entry::from(Box::new(line)), &segment);
    let mut out = Vec::new();
    rows.write_csv(&mut out).expect("memory can be written");
    let text = String::from_utf8(out).expect("UTF-8");
    let (header, record) = text.split_once('\n').expect("a header");
    assert_eq!(header.split(',').count(), CSV_HEADER.len());
    assert!(record.ends_with(",\"a \"\"b\"\", c\nd\"\n"), "{record}");
    assert!(
        record.contains(",rss_kib -12.0 %,pass,51.9,ideas,batch-writes,"),
        "{record}"
    );
    let plain = record
        .split('"')
        .next()
        .expect("fields before the description");
    assert_eq!(plain.matches(',').count(), CSV_HEADER.len() - 1);
}
