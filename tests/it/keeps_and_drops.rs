//! What is kept, what is dropped, and what it looks like in git and in the ledger.

use crate::support::{CONFIG, EXACT_SCRIPT, NOISY_SCRIPT, Project, verdict};

#[test]
fn a_real_gain_is_kept_and_everything_else_is_not() {
    let project = Project::new(NOISY_SCRIPT);
    project.ideas(&[
        ("slower", &[("src/cost.txt", "130\n")]),
        ("broken", &[("src/cost.txt", "\n")]),
        ("wrong", &[("src/cost.txt", "60\n"), ("src/bad.txt", "x\n")]),
        (
            "elsewhere",
            &[("src/cost.txt", "60\n"), ("src/autoresearch.sh", "echo\n")],
        ),
        ("faster", &[("src/cost.txt", "70\n")]),
        ("faster-again", &[("src/cost.txt", "70\n")]),
    ]);
    project.run(&["run", "--max-iterations", "9"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "no_gain"),
            verdict("crash", "bad_metric"),
            verdict("checks_failed", "gate_failed"),
            verdict("checks_failed", "drift"),
            verdict("keep", "improved"),
            verdict("discard", "not_applicable"),
        ]
    );
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/cost.txt"]),
        "70\n"
    );
    assert_eq!(
        project
            .git(&["rev-list", "--count", "main..autoresearch/toy"])
            .trim(),
        "1"
    );
    let claim = project.ledger().pop().expect("a last line");
    assert_eq!(claim["type"], "claim");
    let percent = claim["estimate"]["percent"].as_f64().expect("a number");
    assert!((28.0..=32.0).contains(&percent), "{percent}");
    project.assert_nothing_left();
}

#[test]
fn an_exact_metric_needs_no_statistics() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("same", &[("src/note.txt", "two\n")]),
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "no_gain"),
            verdict("discard", "no_gain"),
            verdict("keep", "improved")
        ]
    );
    assert_eq!(
        project.runs()[0]["pairs"].as_array().map(Vec::len),
        Some(2),
        "a warm-up, in which a script may build, and one pair"
    );
}

#[test]
fn a_run_of_nothing_but_no_ops_keeps_nothing_and_claims_nothing() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("a", &[("src/note.txt", "a\n")]),
        ("b", &[("src/note.txt", "b\n")]),
        ("c", &[("src/note.txt", "c\n")]),
    ]);
    let ran = project.run(&["run", "-n", "5"]).expect(0);
    assert_eq!(project.verdicts(), vec![verdict("discard", "no_gain"); 3]);
    assert!(project.ledger().iter().all(|line| line["type"] != "claim"));
    assert!(
        project
            .git(&["branch", "--list", "autoresearch/*"])
            .is_empty(),
        "{ran:?}"
    );
}

#[test]
fn a_higher_is_better_metric_is_kept_when_it_rises() {
    let config = crate::support::CONFIG.replace("\"unit\": \"ms\"", "\"direction\": \"higher\"");
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.ideas(&[
        ("less", &[("src/cost.txt", "90\n")]),
        ("more", &[("src/cost.txt", "110\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
}

#[test]
fn a_guard_that_gets_worse_drops_the_candidate() {
    let script = format!("{EXACT_SCRIPT}echo \"METRIC size=$(wc -c < src/note.txt)\"\n");
    let config = crate::support::CONFIG.replace(
        "\"guards\": [",
        "\"guards\": [{\"name\": \"size\", \"tolerance_percent\": 10}, ",
    );
    let project = Project::with_config(&script, &config);
    project.ideas(&[
        (
            "bloat",
            &[
                ("src/cost.txt", "90\n"),
                ("src/note.txt", "one two three\n"),
            ],
        ),
        ("lean", &[("src/cost.txt", "95\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "guard_failed"),
            verdict("keep", "improved")
        ]
    );
    let detail = project.runs()[0]["detail"]
        .as_str()
        .expect("a detail")
        .to_owned();
    assert!(
        detail.contains("size is 250.00 % worse; 10.00 % is allowed"),
        "{detail}"
    );
}

#[test]
fn the_same_tree_is_not_judged_twice() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("first", &[("src/note.txt", "x\n")]),
        ("second", &[("src/note.txt", "x\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("discard", "repeat")]
    );
}

#[test]
fn equal_artifacts_cost_no_benchmark_run() {
    let config = crate::support::CONFIG.replace(
        "\"min_run_ms\"",
        "\"build\": [\"cp\", \"src/cost.txt\", \"ignored\"], \"artifacts\": [\"ignored\"], \"min_run_ms\"",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.ideas(&[("comment", &[("src/note.txt", "x\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("discard", "no_change")]);
    assert_eq!(project.runs()[0]["pairs"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_failing_build_is_a_crash_with_its_output() {
    let config = crate::support::CONFIG.replace(
        "\"min_run_ms\"",
        "\"build\": [\"sh\", \"-c\", \"! grep two src/note.txt\"], \"min_run_ms\"",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.ideas(&[("unbuildable", &[("src/note.txt", "two\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("crash", "build_failed")]);
    let detail = project.runs()[0]["detail"]
        .as_str()
        .expect("a detail")
        .to_owned();
    assert_eq!(detail, "the build exited with code 1\ntwo");
}

#[test]
fn every_candidate_stays_reachable_and_a_kept_commit_carries_its_result() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let runs = project.runs();
    for run in &runs {
        let reference = run["ref"].as_str().expect("a ref");
        let commit = project.git(&["rev-parse", reference]);
        assert_eq!(commit.trim(), run["candidate"].as_str().expect("a commit"));
    }
    let message = project.git(&["log", "-1", "--format=%B", "autoresearch/toy"]);
    assert!(
        message.starts_with("Try better\n\nResult: {\"status\":\"keep\",\"cost\":99.0"),
        "{message}"
    );
    let trailers = project.git(&[
        "log",
        "-1",
        "--format=%(trailers:key=Autoresearch-Estimate,valueonly)",
        "autoresearch/toy",
    ]);
    assert_eq!(trailers.trim(), "1.00 % better, 2 fresh pairs");
    let diff = project.run(&["show", "1", "--diff"]).expect(0);
    assert!(diff.stdout.contains("-100\n+101\n"), "{}", diff.stdout);
}

#[test]
fn benchmark_and_gate_files_never_enter_a_commit() {
    let script = format!("{EXACT_SCRIPT}date > src/left-behind.txt\n");
    let project = Project::new(&script);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(
        project.git(&["diff", "--name-only", "main", "autoresearch/toy"]),
        "src/cost.txt\n"
    );
}

#[test]
fn ideas_are_ticked_with_their_verdict_and_nothing_else_of_the_file_changes() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    let before = project.read("ideas.md");
    project.run(&["run", "-n", "2"]).expect(0);
    let after = project.read("ideas.md");
    assert!(
        after.contains("- [x] **worse** (p1) Try worse. → discard, run 1"),
        "{after}"
    );
    assert!(
        after.contains("- [x] **better** (p1) Try better. → keep, run 2 (+1.0 %)"),
        "{after}"
    );
    let others = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("- ["))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(others(&before), others(&after));
}

#[test]
fn a_second_run_goes_on_with_the_session_and_a_changed_config_starts_a_new_one() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("a", &[("src/cost.txt", "99\n")]),
        ("b", &[("src/note.txt", "b\n")]),
        ("c", &[("src/cost.txt", "98\n")]),
    ]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.run(&["run", "-n", "1"]).expect(0);
    let kinds: Vec<String> = project
        .ledger()
        .iter()
        .map(|line| line["type"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds, ["config", "calibration", "run", "claim", "run"]);
    assert_eq!(project.runs()[1]["parent"], project.runs()[0]["candidate"]);

    project.write(
        "autoresearch.config.json",
        &crate::support::CONFIG
            .replace("\"min_run_ms\": 0", "\"min_run_ms\": 0, \"max_pairs\": 30"),
    );
    project.git(&["add", "autoresearch.config.json"]);
    project.git(&["commit", "--quiet", "--message", "config"]);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("starting a new session: the config or a script changed");
    let last = project.runs().pop().expect("a run");
    assert_eq!(
        (last["run"].as_u64(), last["segment"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(
        project.git(&["branch", "--list", "autoresearch/*"]).trim(),
        "autoresearch/toy\n  autoresearch/toy-2"
    );
}

#[test]
fn a_candidate_that_crashes_every_other_run_is_not_kept_however_fast_it_is() {
    let flaky = "if [ -e src/flaky ] && ! rmdir \"$HOME/odd\" 2> /dev/null; then mkdir \"$HOME/odd\"; exit 7; fi\n";
    let script = NOISY_SCRIPT.replace("set -e\n", &format!("set -e\n{flaky}"));
    let project = Project::new(&script);
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.ideas(&[("flaky", &[("src/cost.txt", "50\n"), ("src/flaky", "\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
}

#[test]
fn a_script_that_builds_in_its_first_run_has_the_configured_time_for_it() {
    // The first run of a checkout takes longer than the deadline of a run (at least 5 s).
    let script = format!(
        "{EXACT_SCRIPT}cmp -s src/cost.txt ignored || {{ sleep 5.5; cp src/cost.txt ignored; }}\n"
    );
    let project = Project::new(&script);
    project.ideas(&[("better", &[("src/cost.txt", "50\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}

#[test]
fn an_exact_metric_that_differs_from_itself_is_judged_as_a_noisy_one_from_then_on() {
    // So many digits that no two runs ever print the same.
    let script = "#!/usr/bin/env bash\nset -e\nn=$(<src/cost.txt)\n\
        if [ $n -lt 100 ]; then n=$((n - RANDOM % 20)).$RANDOM$RANDOM$RANDOM; fi\necho \"METRIC cost=$n\"\n";
    let project = Project::new(script);
    project.ideas(&[
        ("moody", &[("src/cost.txt", "90\n")]),
        ("moody-still", &[("src/cost.txt", "90\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(project.verdicts()[0], verdict("discard", "not_exact"));
    assert_eq!(project.verdicts()[1], verdict("keep", "improved"));
    assert_eq!(
        project
            .ledger()
            .iter()
            .filter(|line| line["type"] == "calibration")
            .count(),
        1
    );
}

#[test]
fn the_gate_sees_a_clean_checkout_whatever_the_benchmark_left() {
    let script = format!("{EXACT_SCRIPT}date +%N > src/note.txt\ntouch src/left-behind\n");
    let project = Project::new(&script);
    project.write(
        "autoresearch.checks.sh",
        "git diff --exit-code && [ -z \"$(git status --porcelain)\" ]\n",
    );
    project.commit("a strict gate");
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}

#[test]
fn a_metric_that_is_renamed_starts_a_new_session_that_works() {
    let script = format!("{EXACT_SCRIPT}echo \"METRIC price=$(<src/cost.txt)\"\n");
    let project = Project::new(&script);
    project.ideas(&[
        ("a", &[("src/cost.txt", "99\n")]),
        ("b", &[("src/cost.txt", "98\n")]),
    ]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.write(
        "autoresearch.config.json",
        &crate::support::CONFIG.replace("\"name\": \"cost\"", "\"name\": \"price\""),
    );
    project.git(&["add", "autoresearch.config.json"]);
    project.git(&["commit", "--quiet", "--message", "rename"]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), vec![verdict("keep", "improved"); 2]);
    assert_eq!(
        project.git(&["show", "autoresearch/toy-2:src/cost.txt"]),
        "98\n"
    );
}

#[test]
fn python_never_runs_the_other_sides_bytecode() {
    let script = "#!/usr/bin/env bash\nset -e\npython3 -S -c 'import sys; sys.path.insert(0, \"src\"); import cost; print(f\"METRIC cost={cost.COST}\")'\n";
    let project = Project::new(script);
    project.write("src/cost.py", "COST = 500\n");
    project.commit("python");
    project.ideas(&[
        ("worse", &[("src/cost.py", "COST = 600\n")]),
        ("better", &[("src/cost.py", "COST = 400\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
}

#[test]
fn an_overflowing_extra_metric_does_not_damage_the_ledger() {
    let script = format!("{EXACT_SCRIPT}echo METRIC other=1e308\n");
    let config = crate::support::CONFIG.replace("\"min_run_ms\": 0", "\"min_run_ms\": 50");
    let project = Project::with_config(&script, &config);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.run(&["log"]).expect(0);
}

#[test]
fn a_run_ends_at_a_plateau_or_a_time_limit_and_says_so() {
    let config = CONFIG.replace(
        "\"min_run_ms\": 0,",
        "\"min_run_ms\": 0, \"limits\": {\"plateau\": 2},",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "110\n")]),
        ("much-worse", &[("src/cost.txt", "120\n")]),
        ("better", &[("src/cost.txt", "90\n")]),
    ]);
    project
        .run(&["run", "-n", "9"])
        .expect(0)
        .says("stopped: 2 candidates in a row were not kept");
    assert_eq!(project.runs().len(), 2);
    project
        .run(&["run", "-n", "9", "--time-limit", "1ns"])
        .expect(0)
        .says("stopped: the time is over");
    assert_eq!(project.runs().len(), 2);
    project
        .run(&["run", "--time-limit", "soon"])
        .expect(2)
        .says("write it as `8h`");
}
