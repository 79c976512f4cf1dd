//! A verdict is a function of the recorded pairs: a ledger read back gives the same ones.

use std::fs;

use autoresearch::flow::entry::Read;
use autoresearch::flow::ledger::{Decoder, decode_text};
use autoresearch::flow::record::{Reason, RunLine};
use autoresearch::flow::session::Past;
use autoresearch::flow::trial::{Replayed, replay};

use crate::support::{CONFIG, EXACT_SCRIPT, NOISY_SCRIPT, Project};

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

    let all = project.run(&["explain"]).expect(0);
    assert_eq!(
        all.stdout,
        "5 of 5 verdicts follow from their recorded pairs\n"
    );
    let kept = project.run(&["explain", "4"]).expect(0);
    for words in [
        "on record   keep: improved",
        "the same, from",
        "fresh pairs, slots swapped",
    ] {
        assert!(kept.stdout.contains(words), "{words}: {}", kept.stdout);
    }
    project
        .run(&["explain", "6"])
        .expect(2)
        .says("has no run 6");
}

#[test]
fn a_verdict_that_was_edited_is_found_out() {
    let project = Project::new(NOISY_SCRIPT);
    project.ideas(&[("faster", &[("src/cost.txt", "80\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    let ledger = project.read("experiments.jsonl");
    let edited = ledger.replace(
        "\"gate\":{\"outcome\":\"pass\"",
        "\"gate\":{\"outcome\":\"fail\"",
    );
    assert_ne!(ledger, edited);
    fs::write(project.root().join("experiments.jsonl"), edited).expect("a written ledger");
    let one = project.run(&["explain", "1"]).expect(1);
    assert!(one.stdout.contains("DIFFERENT"), "{}", one.stdout);
    let all = project.run(&["explain"]).expect(1);
    assert!(
        all.stdout.contains("0 of 1 verdicts follow"),
        "{}",
        all.stdout
    );
    let json: serde_json::Value =
        serde_json::from_str(&project.run(&["explain", "1", "--json"]).expect(1).stdout).unwrap();
    assert_eq!(json["recomputed"], "reaches_gate");
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(1));
}

#[test]
fn placebos_take_the_place_of_candidates_and_are_counted() {
    let config = CONFIG.replace(
        "\"min_run_ms\": 0,",
        "\"min_run_ms\": 0, \"placebo_every\": 2, \"false_keeps_per_200\": 0.01,",
    );
    let project = Project::with_config(NOISY_SCRIPT, &config);
    project.ideas(&[
        ("same", &[("src/note.txt", "two\n")]),
        ("faster", &[("src/cost.txt", "80\n")]),
        ("never-reached", &[("src/note.txt", "three\n")]),
    ]);
    let ran = project.run(&["run", "-n", "4"]).expect(0);
    assert!(
        ran.stdout.contains("0 of 2 placebos kept"),
        "{}",
        ran.stdout
    );
    let runs = project.runs();
    let proposers: Vec<&str> = runs
        .iter()
        .map(|run| run["origin"]["proposer"].as_str().expect("a proposer"))
        .collect();
    assert_eq!(proposers, ["ideas", "placebo", "ideas", "placebo"]);
    // A placebo is built and measured like any other, though nothing differs.
    assert!(
        runs[1]["pairs"]
            .as_array()
            .is_some_and(|pairs| pairs.len() > 1)
    );
    assert_eq!(runs[2]["status"], "keep");
    project.run(&["explain"]).expect(0);
}

#[test]
fn a_composite_is_kept_by_its_mean_and_stopped_by_its_parts() {
    let script = "#!/usr/bin/env bash\nset -e\necho \"METRIC a=$(cat src/a.txt)\"\necho \"METRIC b=$(cat src/b.txt)\"\n";
    let config = CONFIG.replace(
        r#"{"name": "cost", "unit": "ms"}"#,
        r#"{"name": "both", "parts": [{"name": "a", "weight": 3}, {"name": "b", "direction": "higher", "tolerance_percent": 4}]}"#,
    );
    assert_ne!(config, CONFIG);
    let project = Project::with_config(script, &config);
    project.write("src/a.txt", "100\n");
    project.write("src/b.txt", "100\n");
    project.commit("two costs");
    project.ideas(&[
        ("bought", &[("src/a.txt", "50\n"), ("src/b.txt", "80\n")]),
        ("better", &[("src/a.txt", "90\n"), ("src/b.txt", "98\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let runs = project.runs();
    assert_eq!(runs[0]["reason"], "guard_failed", "{}", runs[0]["detail"]);
    assert_eq!(runs[1]["reason"], "improved", "{}", runs[1]["detail"]);
    let gain = runs[1]["estimate"]["log"].as_f64().expect("a gain");
    let expected = 0.75 * (100.0_f64 / 90.0).ln() + 0.25 * (98.0_f64 / 100.0).ln();
    assert!((gain - expected).abs() < 1e-9, "{gain} {expected}");
    project.run(&["explain"]).expect(0);
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
