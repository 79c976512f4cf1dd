//! Children: deadlines, groups, grandchildren, output.

use std::fs::File;
use std::path::Path;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, unconfined, verdict};

const SLOW: &[(&str, &[(&str, &str)])] = &[("slow", &[("src/cost.txt", "50\n")])];

fn with_deadline(seconds: f64) -> String {
    CONFIG.replace("\"min_run_ms\"", &format!("\"timeouts\": {{\"benchmark_s\": {seconds}}}, \"env_allow\": [\"LOCK\"], \"sandbox\": \"off\", \"min_run_ms\""))
}

/// Proves that no process holds the lock any more.
fn assert_lock_is_free(project: &Project) {
    let lock = File::open(project.beside("lock")).expect("the grandchild made it");
    lock.try_lock().expect("no process holds it");
}

#[test]
fn a_benchmark_past_its_deadline_is_killed_with_its_grandchildren_even_when_they_ignore_term() {
    let script = EXACT_SCRIPT.replace(
        "set -e\n",
        "set -e\nif [ $(<src/cost.txt) = 50 ]; then trap '' TERM; (trap '' TERM; exec 9> \"$LOCK\"; flock 9; sleep 600) & wait; fi\n",
    );
    let project = Project::with_config(&script, &with_deadline(5.0));
    project.ideas(SLOW);
    project
        .run_with(&["run", "-n", "1"], &[("LOCK", &project.beside("lock"))])
        .expect(0);
    assert_eq!(project.verdicts(), [verdict("crash", "timeout")]);
    assert_lock_is_free(&project);
}

#[test]
fn a_background_child_that_keeps_the_output_open_delays_nothing_and_is_killed() {
    let script = format!(
        "{EXACT_SCRIPT}(exec 9> \"$LOCK\"; flock 9; sleep 600) &\nwhile ! [ -e \"$LOCK\" ]; do :; done\n"
    );
    let project = Project::with_config(&script, &with_deadline(60.0));
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project
        .run_with(&["run", "-n", "1"], &[("LOCK", &project.beside("lock"))])
        .expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_lock_is_free(&project);
}

#[test]
fn a_metric_line_counts_wherever_it_stands_in_a_large_output() {
    let script = format!(
        "{EXACT_SCRIPT}head -c 3000000 /dev/zero | tr '\\0' x\necho\nhead -c 1000000 /dev/urandom\n"
    );
    let project = Project::new(&script);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}

#[test]
fn children_see_only_the_allowed_environment() {
    let script = format!(
        "{EXACT_SCRIPT}[ -z \"$SECRET_TOKEN\" ] && [ \"$MYAPP_SIZE\" = 3 ] && [ -z \"$CARGO_MANIFEST_DIR\" ]\n"
    );
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        "\"env_allow\": [\"MYAPP_*\"], \"min_run_ms\"",
    );
    let project = Project::with_config(&script, &config);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    let variables = [
        ("SECRET_TOKEN", "x"),
        ("MYAPP_SIZE", "3"),
        ("CARGO_MANIFEST_DIR", "/"),
    ];
    let variables = variables.map(|(name, value)| (name, Path::new(value)));
    project.run_with(&["run", "-n", "1"], &variables).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}

#[test]
fn the_gate_is_told_the_commits_and_a_gate_that_fails_without_the_candidate_is_called_flaky() {
    // It remembers in the user's home what it has seen.
    let config = unconfined(CONFIG);
    let project = Project::with_config(EXACT_SCRIPT, &config);
    // Passes on the baseline; from the first candidate on it fails, with or without it.
    project.write(
        "autoresearch.checks.sh",
        "if [ \"$AUTORESEARCH_BASE\" = \"$AUTORESEARCH_CANDIDATE\" ]; then [ ! -e \"$HOME/seen\" ]; else touch \"$HOME/seen\"; echo no; exit 1; fi\n",
    );
    project.commit("gate");
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("checks_failed", "gate_flaky")]);
    assert_eq!(project.runs()[0]["gate"]["output_tail"], "no");
}

#[test]
fn a_child_that_changed_its_session_is_killed_when_its_run_ends() {
    let script = format!(
        "{EXACT_SCRIPT}setsid bash -c 'exec 9> \"$LOCK\"; flock 9; sleep 600' &\nwhile ! [ -e \"$LOCK\" ]; do :; done\n"
    );
    let project = Project::with_config(&script, &with_deadline(60.0));
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    project
        .run_with(&["run", "-n", "1"], &[("LOCK", &project.beside("lock"))])
        .expect(0);
    assert_lock_is_free(&project);
}

#[test]
fn children_that_the_process_had_before_it_became_the_loop_are_left_alone() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    let binary = env!("CARGO_BIN_EXE_autoresearch");
    let script = format!(
        "(exec 9> ../lock; flock 9; touch ../held; exec sleep 600) > /dev/null 2>&1 & echo $! > ../pid\n\
         while ! [ -e ../held ]; do :; done\nexec {binary} run -n 1"
    );
    let output = project.shell(&script);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lock = File::open(project.beside("lock")).expect("the lock file");
    assert!(lock.try_lock().is_err(), "the earlier child was killed");
    let pid = std::fs::read_to_string(project.beside("pid")).expect("its id");
    project.shell(&format!("kill -KILL {pid}"));
}
