//! Ctrl-C, kill -9 and damage: nothing is left behind, and the next run goes on by itself.

use std::fs;
use std::path::Path;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, unconfined, verdict};

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("worse", &[("src/cost.txt", "101\n")]),
    ("better", &[("src/cost.txt", "99\n")]),
];

/// A line for a script: sends `signal` to the loop itself, once, when `condition` holds. It starts no program,
/// which would make a run longer than that of the other side, whose script starts none.
fn strike(signal: &str, condition: &str) -> String {
    once(condition, &format!("kill -{signal} $PPID; sleep 0.2"))
}

fn once(condition: &str, does: &str) -> String {
    format!(
        "if [ {condition} ] && ! [ -e \"$HOME/struck\" ]; then : > \"$HOME/struck\"; {does}; fi\n"
    )
}

fn project_struck_in_benchmark(signal: &str, condition: &str) -> Project {
    let script = EXACT_SCRIPT.replace(
        "set -e\n",
        &format!("set -e\n{}", strike(signal, condition)),
    );
    let project = Project::unconfined(&script);
    fs::create_dir(project.beside("home")).expect("a home");
    project.ideas(IDEAS);
    project
}

/// After whatever happened, one more run must finish the job as if nothing had happened.
fn assert_goes_on(project: &Project) {
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
    project.assert_numbered("after an interruption");
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/cost.txt"]),
        "99\n"
    );
    project.assert_nothing_left();
}

#[test]
fn kill_9_in_the_calibration_is_survived() {
    let project = project_struck_in_benchmark("KILL", "1 = 1");
    assert_eq!(project.run(&["run", "-n", "2"]).code, None);
    assert_goes_on(&project);
}

#[test]
fn kill_9_while_a_candidate_is_measured_is_survived() {
    let project = project_struck_in_benchmark("KILL", "$(<src/cost.txt) = 99");
    assert_eq!(project.run(&["run", "-n", "2"]).code, None);
    assert_eq!(project.verdicts(), [verdict("discard", "no_gain")]);
    assert_goes_on(&project);
}

#[test]
fn kill_9_in_the_gate_is_survived() {
    let project = Project::unconfined(EXACT_SCRIPT);
    fs::create_dir(project.beside("home")).expect("a home");
    project.write(
        "autoresearch.checks.sh",
        &strike("KILL", "$(<src/cost.txt) = 99"),
    );
    project.commit("gate");
    project.ideas(IDEAS);
    assert_eq!(project.run(&["run", "-n", "2"]).code, None);
    assert_goes_on(&project);
}

#[test]
fn a_kill_between_the_record_and_the_branch_is_finished_by_the_next_run() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[IDEAS[0], IDEAS[1], ("last", &[("src/note.txt", "x\n")])]);
    project.run(&["run", "-n", "2"]).expect(0);
    let kept = project.git(&["rev-parse", "autoresearch/toy"]);
    // As a kill right after the append would leave it.
    let reference = project.runs()[1]["ref"].as_str().expect("a ref").to_owned();
    project.git(&["update-ref", "-d", "refs/heads/autoresearch/toy"]);
    project.git(&["update-ref", &reference, "main"]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.git(&["rev-parse", "autoresearch/toy"]), kept);
    assert_eq!(project.runs()[2]["parent"].as_str(), Some(kept.trim()));
}

#[test]
fn ctrl_c_finishes_the_step_leaves_nothing_and_exits_130() {
    let project = project_struck_in_benchmark("INT", "$(<src/cost.txt) = 99");
    project
        .run(&["run", "-n", "2"])
        .expect(130)
        .says("finishing the current step")
        .says("`autoresearch run` goes on from here");
    assert_eq!(project.verdicts(), [verdict("discard", "no_gain")]);
    project.assert_nothing_left();
    assert_goes_on(&project);
}

#[test]
fn a_second_signal_stops_a_benchmark_that_hangs() {
    let hang = once("$(<src/cost.txt) = 99", "kill -TERM $PPID; sleep 600");
    let script = EXACT_SCRIPT.replace("set -e\n", &format!("set -e\n{hang}"));
    let project = Project::unconfined(&script);
    fs::create_dir(project.beside("home")).expect("a home");
    project.ideas(IDEAS);
    project.run(&["run", "-n", "2"]).expect(130);
    project.assert_nothing_left();
    assert_goes_on(&project);
}

#[test]
fn a_torn_last_line_is_moved_aside_and_the_run_goes_on() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "1"]).expect(0);
    let path = project.root().join("experiments.jsonl");
    let whole = fs::read_to_string(&path).expect("a ledger");
    fs::write(&path, format!("{whole}{{\"type\":\"run\",\"run\":2,\"comm")).expect("written");
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("line 4 was cut short by a crash");
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
    let torn =
        fs::read_to_string(project.root().join("experiments.jsonl.torn")).expect("kept aside");
    assert!(torn.contains("\"run\":2"), "{torn}");
}

#[test]
fn a_damaged_line_elsewhere_is_an_error_with_its_number_and_nothing_is_written() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "1"]).expect(0);
    let path = project.root().join("experiments.jsonl");
    let whole = fs::read_to_string(&path).expect("a ledger");
    let damaged = whole.replace("\"status\":\"discard\"", "\"status\":\"kept\"");
    fs::write(&path, &damaged).expect("written");
    let ran = project.run(&["run", "-n", "1"]).expect(2);
    assert!(
        ran.stderr.contains("experiments.jsonl:3") && ran.stderr.contains("kept"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_to_string(&path).expect("a ledger"), damaged);
    assert_eq!(project.run(&["log"]).code, Some(2));
}

#[test]
fn a_second_loop_in_the_same_repository_is_refused() {
    let project = Project::new(EXACT_SCRIPT);
    // The benchmark itself starts the second loop, while the first holds the lock.
    let script = EXACT_SCRIPT.replace(
        "set -e\n",
        "set -e\n[ -e \"$HOME/second\" ] || { touch \"$HOME/second\"; (cd \"$SECOND_IN\" && \"$SECOND\" run -n 1) > \"$HOME/second\" 2>&1 || echo \"exit $?\" >> \"$HOME/second\"; }\n",
    );
    let config = unconfined(CONFIG).replace(
        "\"min_run_ms\"",
        "\"env_allow\": [\"SECOND*\", \"AUTORESEARCH_*\"], \"min_run_ms\"",
    );
    project.write("autoresearch.sh", &script);
    project.write("autoresearch.config.json", &config);
    project.commit("scripts");
    project.ideas(IDEAS);
    fs::create_dir(project.beside("home")).expect("a home");
    let binary = Path::new(env!("CARGO_BIN_EXE_autoresearch"));
    let variables = [("SECOND", binary), ("SECOND_IN", &project.root())];
    project.run_with(&["run", "-n", "1"], &variables).expect(0);
    let second = fs::read_to_string(project.beside("home/second")).expect("its output");
    assert!(
        second.contains("another autoresearch is at work in this repository"),
        "{second}"
    );
    assert!(second.contains("exit 3"), "{second}");
}

#[test]
fn waiting_for_the_machine_ends_at_the_first_signal() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    let holder = fs::File::create(project.beside("machine.lock")).expect("a lock file");
    holder.lock().expect("locked");
    let mut child = project
        .command(&["run", "-n", "1"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("piped")));
    let waits = lines.any(|line| {
        line.expect("a line")
            .contains("waiting for another autoresearch")
    });
    assert!(waits);
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill starts").success());
    // Read on, so that it never blocks on a full pipe.
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(holder);
}

#[test]
fn a_loop_that_is_held_up_where_it_cannot_look_ends_some_seconds_after_it_is_told_to() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    // As a network mount that does not answer: libgit2 waits for the writer of this pipe.
    let pipe = project.shell("rm .git/config; mkfifo .git/config");
    assert!(pipe.status.success(), "{pipe:?}");
    let mut child = project
        .command(&["run", "-n", "1"])
        .spawn()
        .expect("the binary starts");
    let pid = child.id();
    let listens = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap_or_default().trim(), 16);
        caught.is_ok_and(|caught| caught & (1 << 14) != 0)
    };
    while !listens() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended");
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .status();
    assert!(killed.expect("kill starts").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
