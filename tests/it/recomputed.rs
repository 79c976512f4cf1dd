//! A verdict is a function of the recorded pairs: a ledger read back gives the same ones.

use std::fs;

use autoresearch::flow::entry::Read;
use autoresearch::flow::ledger::{Decoder, decode_text};
use autoresearch::flow::record::{Reason, RunLine};
use autoresearch::flow::session::Past;
use autoresearch::flow::trial::{Replayed, replay};

use crate::support::{EXACT_SCRIPT, NOISY_SCRIPT, Project};

/// Replays every run of a project's ledger with what was known before it.
#[track_caller]
pub fn assert_recomputable(project: &Project) -> usize {
    let text = fs::read(project.root().join("experiments.jsonl")).expect("a ledger");
    let mut past = Past::new();
    let mut compared = 0;
    decode_text(&text, &mut Decoder::new("experiments.jsonl"), |read| {
        if let Read::Run(entry) = &read {
            let line = entry.line().expect("a line of ours");
            compared += usize::from(compare(&past, line));
        }
        past.apply(&read).expect("possible values");
        Ok(())
    })
    .expect("a valid ledger");
    compared
}

/// Whether there was a measurement to compare.
#[track_caller]
fn compare(past: &Past, line: &RunLine) -> bool {
    if line.pairs.is_empty() {
        return false;
    }
    let setup = past
        .session
        .as_ref()
        .and_then(|session| session.trial_setup())
        .expect("calibrated");
    let replayed = replay(setup, line.seed, &line.pairs).expect("pairs that fit");
    let expected = match line.reason {
        Reason::Improved | Reason::GateFailed | Reason::GateFlaky => Replayed::ReachesGate,
        Reason::RunFailed | Reason::Timeout | Reason::BadMetric => Replayed::Unfinished,
        other => Replayed::Verdict(other),
    };
    assert_eq!(replayed, expected, "run {}", line.run);
    true
}

#[test]
fn every_verdict_of_a_session_on_a_noisy_metric_follows_from_its_pairs() {
    let project = Project::new(NOISY_SCRIPT);
    project.ideas(&[
        ("same", &[("src/note.txt", "two\n")]),
        ("slower", &[("src/cost.txt", "130\n")]),
        ("wrong", &[("src/cost.txt", "60\n"), ("src/bad.txt", "x\n")]),
        ("faster", &[("src/cost.txt", "80\n")]),
        ("same-again", &[("src/note.txt", "three\n")]),
    ]);
    project.run(&["run", "-n", "5"]).expect(0);
    assert_eq!(assert_recomputable(&project), 5);
}

#[test]
fn every_verdict_of_a_session_on_an_exact_metric_follows_from_its_pairs() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("same", &[("src/note.txt", "two\n")]),
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    assert_eq!(assert_recomputable(&project), 3);
}
