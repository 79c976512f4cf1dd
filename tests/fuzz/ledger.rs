//! `experiments.jsonl` and the logs of other programs, up to what is made of them for people.

use std::sync::LazyLock;

use autoresearch::error::Result;
use autoresearch::flow::entry::Read;
use autoresearch::flow::explain::Explainer;
use autoresearch::flow::ledger::chain::Chain;
use autoresearch::flow::ledger::{Decoder, Ending, decode_text};
use autoresearch::flow::record::Line;
use autoresearch::flow::session::Past;
use autoresearch::flow::summary::Summary;
use autoresearch::report;
use proptest::prelude::*;

use crate::cases;
use crate::heap::bounded;
use crate::ledger_of::LedgerOf;
use crate::mutate::{any_input, damaged, line_named};

const FILE: &str = "experiments.jsonl";

/// The lines of a session with its calibration, candidates and claim.
fn session() -> Vec<Line> {
    let (mut ledger, mut lines) = LedgerOf::open();
    lines.extend((0..5).map(|_| ledger.candidate()));
    lines.push(ledger.claim());
    lines
}

/// As the program writes it: every line chained.
static CHAINED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut chain = Chain::default();
    let text = session()
        .iter()
        .map(|line| chain.link(&line.encode()) + "\n")
        .collect();
    vec![text]
});

/// Without the chain, so that a damaged value gets past it; a newer format; a session after a
/// foreign log.
static OWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let text: String = session().iter().map(|line| line.encode() + "\n").collect();
    let newer = text.replace("\"format\":1", "\"format\":2");
    assert_ne!(text, newer);
    vec![text.clone(), text, newer]
});

static FOREIGN: LazyLock<Vec<String>> = LazyLock::new(|| {
    [
        include_str!("../data/pi-autoresearch.jsonl"),
        include_str!("../data/codex-autoresearch.jsonl"),
        include_str!("../data/labloop.jsonl"),
        include_str!("../data/karpathy-results.tsv"),
    ]
    .map(str::to_owned)
    .to_vec()
});

fn read(text: &[u8], decoder: &mut Decoder) -> Result<(Vec<Read>, Ending)> {
    let mut reads = Vec::new();
    let ending = decode_text(text, decoder, |read| {
        reads.push(read);
        Ok(())
    })?;
    Ok((reads, ending))
}

/// An error names the line, and every line of it is in the file.
fn check_message(message: &str, text: &[u8]) -> std::result::Result<(), TestCaseError> {
    let lines = text.split(|b| *b == b'\n').count();
    let line = line_named(message, FILE);
    prop_assert!(
        line.is_some_and(|line| (1..=lines).contains(&line)),
        "{message}"
    );
    Ok(())
}

/// Everything that a command would make of these lines; only panics count.
fn use_everything(reads: &[Read], decoder: &Decoder) {
    let (mut past, mut summary) = (Past::new(), Summary::default());
    let mut explainer = Explainer::default();
    let mut builder = report::review::Builder::new();
    for read in reads {
        if let Read::Run(entry) = read {
            let segment = &decoder.segments()[entry.segment as usize];
            let _ = report::show::text(entry, segment);
            let _ = report::show::json(entry, segment);
            if let Some(line) = entry.line()
                && let Some(setup) = past
                    .session
                    .as_ref()
                    .and_then(|session| session.trial_setup())
                && let Ok(explanation) = explainer.explain(&setup, line)
            {
                let _ = report::explain::text(&explanation, line, segment);
            }
        }
        summary.push(read);
        let _ = builder.push(read, decoder.segments());
        if past.apply(read).is_err() {
            return;
        }
    }
    let _ = report::status::text(&summary);
    let _ = report::status::json(&summary, None);
    summary
        .sessions
        .iter()
        .for_each(|session| drop(report::closing::text(session)));
    let review = builder.finish();
    let _ = (report::markdown::text(&review), review.to_json());
    let setting = report::html::Setting {
        ledger: FILE.to_owned(),
        now_ms: 0,
        running: None,
        stamp: None,
    };
    let _ = report::html::page(&review, &setting);
}

fn check_any(text: &[u8]) -> std::result::Result<(), TestCaseError> {
    let mut decoder = Decoder::new(FILE);
    match bounded(text.len(), 60, || read(text, &mut decoder)) {
        Ok((reads, ending)) => {
            prop_assert!(reads.len() as u64 == ending.lines);
            use_everything(&reads, &decoder);
        }
        Err(error) => check_message(&error.to_string(), text)?,
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_foreign_log_is_read_or_refused_with_its_line(text in any_input(&FOREIGN)) {
        check_any(&text)?;
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn any_ledger_is_read_used_and_shown_or_refused_with_its_line(text in any_input(&OWN)) {
        check_any(&text)?;
    }

    #[test]
    fn a_damaged_ledger_is_refused_or_shows_or_says_no_more_than_the_whole_one(text in damaged(&CHAINED)) {
        let mut decoder = Decoder::new(FILE).following_the_chain();
        let (whole, _) = read(CHAINED[0].as_bytes(), &mut decoder).expect("it is valid");
        prop_assert!(decoder.chain().broken().is_empty());
        let mut decoder = Decoder::new(FILE).following_the_chain();
        match read(&text, &mut decoder) {
            Err(error) => check_message(&error.to_string(), &text)?,
            Ok((reads, _)) => {
                let is_meaning = |read: &&Read| **read != Read::Skipped;
                let (reads, whole): (Vec<&Read>, Vec<&Read>) =
                    (reads.iter().filter(is_meaning).collect(), whole.iter().filter(is_meaning).collect());
                // A ledger that ends early is a whole shorter one.
                let is_beginning = whole.starts_with(&reads);
                prop_assert!(is_beginning || !decoder.chain().broken().is_empty());
            }
        }
    }
}

#[test]
fn deep_nesting_and_huge_lines_are_refused_or_read_at_once() {
    let nested = "[".repeat(1_000_000);
    let huge = "x".repeat(10_000_000);
    for line in [
        nested.clone(),
        format!("{{\"run\":1,\"asi\":{nested}"),
        format!("{{\"format\":1,\"type\":{nested}}}"),
        format!("{{\"format\":1,\"type\":\"run\",\"pairs\":{nested}}}"),
        format!("{{\"run\":1,\"status\":\"{huge}\"}}"),
        format!(
            "{{\"run\":1,\"status\":\"keep\",\"metric\":{}}}",
            "9".repeat(1_000_000)
        ),
        format!("{{\"format\":1,\"type\":\"run\",\"{huge}\":1}}"),
        format!("{{\"format\":{}}}", "9".repeat(1_000_000)),
        format!("commit\t{huge}"),
    ] {
        let text = format!("{line}\n");
        let error = bounded(text.len(), 20, || {
            read(text.as_bytes(), &mut Decoder::new(FILE))
        });
        let error = error.expect_err("it is refused").render();
        assert!(error.len() < 4000, "a message of {} bytes", error.len());
    }
}
