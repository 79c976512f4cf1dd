//! What is measured beside the script's own figures, with real processes: DIGEST lines, held-out inputs, the
//! script's clock against the driver's.

use std::path::Path;

use serde_json::Value;

use crate::support::{CONFIG, EXACT_SCRIPT, NOISY_SCRIPT, Project, verdict};

pub fn config(from: &str, to: &str) -> String {
    assert!(CONFIG.contains(from), "{from}");
    CONFIG.replace(from, to)
}

fn detail(run: &Value) -> &str {
    run["detail"].as_str().expect("a detail")
}

fn pairs<'a>(line: &'a Value, phase: &str) -> Vec<&'a Value> {
    let all = line["pairs"].as_array().expect("pairs");
    all.iter().filter(|pair| pair["phase"] == phase).collect()
}

#[track_caller]
pub fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

// DIGEST lines

fn with_digest(script: &str) -> String {
    format!("{script}[ ! -e src/out.txt ] || echo \"DIGEST out=$(cat src/out.txt)\"\n")
}

#[test]
fn a_faster_candidate_with_another_output_is_refused_with_both_values_at_the_first_pair() {
    let project = Project::new(&with_digest(NOISY_SCRIPT));
    project.write("src/out.txt", "right\n");
    project.commit("output");
    project.ideas(&[
        (
            "wrong",
            &[("src/cost.txt", "50\n"), ("src/out.txt", "wrong\n")],
        ),
        ("right", &[("src/cost.txt", "50\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("checks_failed", "digest_differs"),
            verdict("keep", "improved")
        ]
    );
    let runs = project.runs();
    assert_eq!(
        detail(&runs[0]),
        "DIGEST out: parent right, candidate wrong"
    );
    let wrong = runs[0]["pairs"].as_array().expect("pairs");
    assert_eq!(wrong.len(), 1, "the warm-up is enough");
    assert_eq!(
        wrong[0]["digests"],
        serde_json::json!({"compared": 1, "differ": {"out": ["right", "wrong"]}})
    );
    let right = runs[1]["pairs"].as_array().expect("pairs");
    assert!(
        right
            .iter()
            .all(|pair| pair["digests"] == serde_json::json!({"compared": 1})),
        "{right:?}"
    );
    let shown = project.run(&["show", "1"]).expect(0).stdout;
    assert!(
        shown.contains("checks: output differs")
            && shown.contains("DIGEST out: parent right, candidate wrong")
            && shown.contains("digests     1, compared in 1 pair: DIFFER"),
        "{shown}"
    );
    let shown = project.run(&["show", "2"]).expect(0).stdout;
    assert!(shown.contains("equal on both sides"), "{shown}");
    assert!(shown.contains("process     wall_ms "), "{shown}");
}

#[test]
fn a_digest_that_the_candidate_no_longer_prints_is_a_difference() {
    let script = format!("{EXACT_SCRIPT}[ $(<src/cost.txt) = 50 ] || echo 'DIGEST out=abc'\n");
    let project = Project::new(&script);
    project.ideas(&[("silent", &[("src/cost.txt", "50\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("checks_failed", "digest_differs")]
    );
    assert_eq!(
        detail(&project.runs()[0]),
        "DIGEST out: parent abc, candidate not printed"
    );
}

#[test]
fn an_output_that_differs_between_two_runs_of_the_same_code_stops_the_session() {
    let script = format!("{EXACT_SCRIPT}echo \"DIGEST when=$RANDOM$RANDOM\"\n");
    let project = Project::new(&script);
    project.ideas(&[("any", &[("src/cost.txt", "50\n")])]);
    let ran = project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("two worktrees of the same commit compute different things");
    assert!(ran.stderr.contains("DIGEST when: slot 0 "), "{ran:?}");
    assert!(project.runs().is_empty());
}

#[test]
fn a_candidate_with_an_unreadable_digest_is_a_crash() {
    let project = Project::new(&with_digest(EXACT_SCRIPT));
    project.write("src/out.txt", "right\n");
    project.commit("output");
    project.ideas(&[(
        "garbled",
        &[("src/cost.txt", "50\n"), ("src/out.txt", "two words\n")],
    )]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("crash", "bad_metric")]);
    let runs = project.runs();
    assert!(
        detail(&runs[0]).starts_with("malformed DIGEST line `DIGEST out=two words`"),
        "{}",
        detail(&runs[0])
    );
}

// Held-out inputs

/// Squares its input; a candidate with a memo prints the answer for the usual input 7.
fn held_out_script(cost: &str) -> String {
    format!(
        "{cost}n=${{BENCH_SEED:-7}}\necho \"METRIC seed=$n\"\n\
         if [ -e src/memo.txt ]; then echo \"DIGEST square=$(cat src/memo.txt)\"; else echo \"DIGEST square=$((n * n))\"; fi\n"
    )
}

fn held_out_project(cost: &str) -> Project {
    let config = config(
        "\"self_report\"",
        "\"hold_out_env\": \"BENCH_SEED\", \"env_allow\": [\"BENCH_*\"], \"self_report\"",
    );
    let project = Project::with_config(&held_out_script(cost), &config);
    project.ideas(&[
        (
            "by-heart",
            &[("src/cost.txt", "50\n"), ("src/memo.txt", "49\n")],
        ),
        ("honest", &[("src/cost.txt", "60\n")]),
    ]);
    // The user's own setting must not reach any run.
    let ran = project.run_with(&["run", "-n", "2"], &[("BENCH_SEED", Path::new("8"))]);
    let _ = ran.expect(0);
    project
}

#[track_caller]
fn assert_seeds(pair: &Value) {
    let expected = match pair.get("hold_out") {
        Some(seed) => number(seed),
        None => 7.0,
    };
    for side in ["parent", "candidate"] {
        assert_eq!(number(&pair[side]["seed"]), expected, "{pair}");
    }
}

#[test]
fn a_candidate_that_knows_the_usual_input_by_heart_is_caught_by_one_it_has_not_seen() {
    let project = held_out_project(NOISY_SCRIPT);
    assert_eq!(
        project.verdicts(),
        [
            verdict("checks_failed", "digest_differs"),
            verdict("keep", "improved")
        ]
    );
    let ledger = project.ledger();
    let runs = project.runs();
    let said = detail(&runs[0]);
    assert!(
        said.starts_with("DIGEST square: parent ")
            && said.contains(", candidate 49 (hold-out seed "),
        "{said}"
    );
    let claim = ledger.last().expect("a claim");
    assert_eq!(claim["type"], "claim");
    for line in &ledger[1..] {
        line["pairs"]
            .as_array()
            .expect("pairs")
            .iter()
            .for_each(assert_seeds);
    }
    let mut seeds = Vec::new();
    for (pair, held_out) in pairs(&runs[1], "screen")
        .into_iter()
        .map(|pair| (pair, false))
        .chain(
            pairs(&runs[1], "confirm")
                .into_iter()
                .map(|pair| (pair, true)),
        )
        .chain(
            pairs(claim, "end_to_end")
                .into_iter()
                .map(|pair| (pair, true)),
        )
    {
        assert_eq!(pair.get("hold_out").is_some(), held_out, "{pair}");
        seeds.extend(pair.get("hold_out").and_then(Value::as_u64));
    }
    let drawn = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), drawn, "each is fresh");
    crate::recomputed::assert_recomputable(&project);
}

#[test]
fn an_exact_metric_is_confirmed_with_the_usual_input_and_with_a_held_out_one() {
    let project = held_out_project(EXACT_SCRIPT);
    assert_eq!(
        project.verdicts(),
        [
            verdict("checks_failed", "digest_differs"),
            verdict("keep", "improved")
        ]
    );
    let runs = project.runs();
    let held_out: Vec<bool> = pairs(&runs[1], "confirm")
        .iter()
        .map(|pair| pair.get("hold_out").is_some())
        .collect();
    assert_eq!(held_out, [false, true]);
    assert_eq!(crate::recomputed::assert_recomputable(&project), 2);
}

#[test]
fn an_exact_gain_that_only_the_usual_input_has_is_not_confirmed() {
    // The "improvement" costs more on any input but 7.
    let script = "#!/usr/bin/env bash\nset -e\nn=${BENCH_SEED:-7}\nc=$(<src/cost.txt)\n\
        [ $n = 7 ] || [ $c = 100 ] || c=101\necho \"METRIC cost=$c\"\n";
    let config = config(
        "\"self_report\"",
        "\"hold_out_env\": \"BENCH_SEED\", \"self_report\"",
    );
    let project = Project::with_config(script, &config);
    project.ideas(&[("fitted", &[("src/cost.txt", "50\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("discard", "not_confirmed")]);
    let runs = project.runs();
    assert!(
        detail(&runs[0]).starts_with("101 against 100 with the hold-out seed "),
        "{}",
        detail(&runs[0])
    );
}

// The script's clock against the driver's

/// Says what `src/cost.txt` says, and takes as long as `src/sleep.txt` says: long enough for a busy
/// machine to add little, and within the guard's tolerance.
fn lying_project(rule: &str) -> Project {
    let script = format!("{NOISY_SCRIPT}sleep $(cat src/sleep.txt)\n");
    let config = config(
        "\"self_report\": \"off\"",
        &format!("\"self_report\": \"{rule}\""),
    );
    let project = Project::with_config(&script, &config);
    project.write("src/sleep.txt", "0.15\n");
    project.commit("sleep");
    project.ideas(&[(
        "lie",
        &[("src/cost.txt", "70\n"), ("src/sleep.txt", "0.27\n")],
    )]);
    project.run(&["run", "-n", "1"]).expect(0);
    project
}

#[test]
fn a_script_that_says_faster_while_its_process_takes_longer_is_not_believed() {
    let project = lying_project("block");
    assert_eq!(project.verdicts(), [verdict("discard", "self_report")]);
    let run = &project.runs()[0];
    assert!(
        detail(run).starts_with("the script's own time got better while driver.wall_ms got "),
        "{}",
        detail(run)
    );
    assert_eq!(run["self_report"]["metric"], "driver.wall_ms");
    assert!(number(&run["self_report"]["median_percent"]) < -20.0);
    assert!(number(&run["self_report"]["ln_e"]) >= 100f64.ln());
    let shown = project.run(&["show", "1"]).expect(0).stdout;
    assert!(shown.contains("self-report DISAGREES: "), "{shown}");
    assert_eq!(crate::recomputed::assert_recomputable(&project), 1);
}

#[test]
fn with_a_warning_only_the_disagreement_is_recorded() {
    let project = lying_project("warn");
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(project.runs()[0]["self_report"]["metric"], "driver.wall_ms");
}

#[test]
fn without_the_rule_no_disagreement_is_looked_for() {
    let project = lying_project("off");
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert!(project.runs()[0].get("self_report").is_none());
}

// Exact metrics

#[test]
fn the_smallest_gain_of_an_exact_metric_is_in_its_own_unit() {
    let run = |min_delta: &str| {
        let config = config(
            "\"unit\": \"ms\"}",
            &format!("\"unit\": \"MB\"{min_delta}}}"),
        );
        let project = Project::with_config(EXACT_SCRIPT, &config);
        project.write("src/cost.txt", "1.25\n");
        project.commit("megabytes");
        project.ideas(&[("smaller", &[("src/cost.txt", "1\n")])]);
        project.run(&["run", "-n", "1"]).expect(0);
        project.verdicts()
    };
    assert_eq!(run(""), [verdict("discard", "no_gain")], "less than 1 MB");
    assert_eq!(run(", \"min_delta\": 0.1"), [verdict("keep", "improved")]);
}
