//! Wrong flags, wrong files, wrong places: each a clear error, and nothing is written.

use std::fs;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, unconfined, verdict};

#[track_caller]
fn check(project: &Project, arguments: &[&str], code: i32, message: &str) {
    let before = project.snapshot();
    project.run(arguments).expect(code).says(message);
    assert_eq!(project.snapshot(), before, "{arguments:?} changed files");
    assert!(project.ledger().is_empty(), "{arguments:?} wrote a ledger");
}

#[test]
fn wrong_flags_are_usage_errors() {
    let project = Project::new(EXACT_SCRIPT);
    check(
        &project,
        &["run", "--max-iterations", "0"],
        2,
        "0 is not in 1..",
    );
    check(
        &project,
        &["run", "--max-iteration", "5"],
        2,
        "a similar argument exists: '--max-iterations'",
    );
    check(
        &project,
        &["run", "--proposer", "luck"],
        2,
        "possible values: ideas, tune, agent",
    );
    check(&project, &["rum"], 2, "a similar subcommand exists: 'run'");
    check(&project, &["show", "one"], 2, "invalid value 'one'");
    check(
        &project,
        &["log", "--status", "kept"],
        2,
        "use keep, discard, crash or checks_failed",
    );
}

#[test]
fn a_place_that_is_no_project_is_named() {
    let project = Project::empty();
    check(&project, &["run"], 3, "has no commits yet");
    project.write("a.txt", "a\n");
    project.commit("start");
    check(&project, &["run"], 2, "`autoresearch init` writes one");
    let outside = project.beside("outside");
    fs::create_dir(&outside).expect("a directory");
    check(
        &project,
        &["-C", outside.to_str().expect("UTF-8"), "run"],
        3,
        "is not in a git repository",
    );
}

#[test]
fn scripts_that_are_missing_or_not_committed_are_named() {
    let project = Project::new(EXACT_SCRIPT);
    project.write("autoresearch.sh", "echo METRIC cost=1\n");
    check(
        &project,
        &["run"],
        2,
        "autoresearch.sh has uncommitted changes",
    );
    project.git(&["rm", "--quiet", "--force", "autoresearch.sh"]);
    project.commit("gone");
    check(&project, &["run"], 2, "autoresearch.sh is not in commit");
}

#[test]
fn a_wrong_config_is_an_error_with_its_place() {
    let project = Project::new(EXACT_SCRIPT);
    project.write(
        "autoresearch.config.json",
        &CONFIG.replace("\"scope\"", "\"scpoe\""),
    );
    project.commit("typo");
    check(&project, &["run"], 2, "did you mean `scope`?");
}

#[test]
fn a_benchmark_that_gives_no_metric_on_the_unchanged_code_stops_the_run() {
    for (script, message) in [
        ("echo METRIC cost=0\n", "cost cannot be zero or negative"),
        (
            "echo METRIC cost=nan\n",
            "malformed METRIC line `METRIC cost=nan`",
        ),
        (
            "echo METRIC other=1\n",
            "the output has no `METRIC cost=...` line",
        ),
        (
            "echo oops >&2; exit 4\n",
            "autoresearch.sh exited with code 4\noops",
        ),
    ] {
        let project = Project::new(script);
        let ran = project
            .run(&["run", "-n", "1"])
            .expect(3)
            .says(message)
            .says("of the unchanged code fails");
        assert!(project.runs().is_empty(), "{ran:?}");
        project.assert_nothing_left();
    }
}

#[test]
fn a_gate_that_fails_on_the_unchanged_code_stops_the_run_with_its_output() {
    let project = Project::new(EXACT_SCRIPT);
    project.write(
        "autoresearch.checks.sh",
        "echo 'test two_and_two failed'; exit 1\n",
    );
    project.commit("broken gate");
    let ran = project
        .run(&["run"])
        .expect(3)
        .says("test two_and_two failed");
    assert!(
        ran.stderr
            .contains("exited with code 1 on the unchanged code"),
        "{}",
        ran.stderr
    );
    assert!(project.ledger().is_empty());
}

#[test]
fn a_malformed_backlog_is_an_error_with_its_line() {
    let project = Project::new(EXACT_SCRIPT);
    project.write(
        "ideas.md",
        "# Ideas\n\n- [ ] **a** One.\n- [ ] **a** Two.\n",
    );
    project.commit("ideas");
    check(&project, &["run"], 2, "ideas.md:4");
}

#[test]
fn artifacts_without_a_build_are_an_error() {
    let project = Project::with_config(
        EXACT_SCRIPT,
        &CONFIG.replace("\"min_run_ms\"", "\"artifacts\": [\"a\"], \"min_run_ms\""),
    );
    check(&project, &["run"], 2, "`artifacts` needs a `build`");
}

/// Every command that prints without a benchmark, in each of its formats.
const PRINTING: &[&[&str]] = &[
    &["status"],
    &["status", "--json"],
    &["log"],
    &["log", "--csv"],
    &["log", "--json"],
    &["show", "1"],
    &["show", "1", "--diff"],
    &["explain"],
    &["report"],
    &["report", "--format", "json"],
    &["doctor"],
    &["man"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
];

#[test]
fn output_that_is_lost_is_an_error_and_output_that_nobody_reads_is_none() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[("better", &[("src/cost.txt", "90\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    for arguments in PRINTING {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let mut command = project.command(arguments);
        let ended = command.stdout(full).output().expect("it starts");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(3), "{arguments:?}: {told}");
        assert!(
            told.contains("cannot write to standard output") && told.contains("No space left"),
            "{arguments:?}: {told}"
        );

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = project.command(arguments);
        let ended = command.stdout(writer).output().expect("it starts");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(!told.contains("standard output"), "{arguments:?}: {told}");
        assert!(
            matches!(ended.status.code(), Some(0 | 1)),
            "{arguments:?}: {told}"
        );
    }
}

#[test]
fn a_patch_that_does_not_apply_is_recorded_and_the_loop_goes_on() {
    let project = Project::new(EXACT_SCRIPT);
    project.write(
        "ideas/stale.patch",
        "--- a/src/cost.txt\n+++ b/src/cost.txt\n@@ -1 +1 @@\n-7\n+8\n",
    );
    project.write("ideas/prose.patch", "make it faster\n");
    project.write(
        "ideas.md",
        "- [ ] **stale** One.\n  - patch: ideas/stale.patch\n- [ ] **prose** Two.\n  - patch: ideas/prose.patch\n- [ ] **gone** Three.\n  - patch: ideas/gone.patch\n",
    );
    project.commit("ideas");
    project.run(&["run", "-n", "5"]).expect(0);
    let details: Vec<String> = project
        .runs()
        .iter()
        .map(|run| run["detail"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(details.len(), 3);
    assert!(
        details[0].starts_with("ideas/stale.patch does not apply: "),
        "{details:?}"
    );
    assert!(
        details[1].starts_with("ideas/prose.patch does not apply: it "),
        "{details:?}"
    );
    assert_eq!(details[2], "ideas/gone.patch does not exist");
}

#[test]
fn a_biased_harness_is_refused() {
    // The slots' paths differ in their last character only; this benchmark is faster in one.
    let script = "case $PWD in *slot-0*) c=100;; *) c=90;; esac\nawk -v n=$c -v r=$RANDOM 'BEGIN { printf \"METRIC cost=%f\\n\", n * (1 + (r - 16384) / 1638400) }'\n";
    let project = Project::new(script);
    project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("the harness is biased");
    let ran = project.run(&["noise", "--pairs", "12"]).expect(1);
    assert!(ran.stdout.contains("slot bias     yes"), "{}", ran.stdout);
}

#[test]
fn a_config_with_which_nothing_could_be_kept_is_an_error() {
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        "\"false_keeps_per_200\": 0.5, \"max_pairs\": 8, \"min_run_ms\"",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    check(
        &project,
        &["run"],
        2,
        "nothing can be kept in fewer than 9 pairs",
    );
}

#[test]
fn a_backlog_that_is_broken_while_the_loop_runs_does_not_end_it() {
    // The first candidate's benchmark breaks the backlog in the user's checkout.
    let script = format!(
        "{EXACT_SCRIPT}[ $(<src/cost.txt) != 101 ] || echo '- [ ] **worse** Again.' >> \"$USERS_CHECKOUT/ideas.md\"\n"
    );
    let config = unconfined(CONFIG).replace(
        "\"min_run_ms\"",
        "\"env_allow\": [\"USERS_*\"], \"min_run_ms\"",
    );
    let project = Project::with_config(&script, &config);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    project
        .run_with(&["run", "-n", "2"], &[("USERS_CHECKOUT", &project.root())])
        .expect(0)
        .says("going on with the backlog as it was");
    assert_eq!(project.verdicts()[1], verdict("keep", "improved"));
}
