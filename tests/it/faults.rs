//! Killed at every step, and out of space at every write: the next run goes on as if nothing had
//! happened. `AUTORESEARCH_KILLS=200` adds as many kills at random times to the few of every test run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use autoresearch::edge::fault::{FAULT_VARIABLE, KILL_POINTS, WRITE_POINTS};

use crate::support::{EXACT_SCRIPT, Project, verdict};

/// A project with work of the user's own in the checkout: modified, staged, untracked and ignored.
fn project() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("wrong", &[("src/cost.txt", "90\n"), ("src/bad.txt", "x\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
        ("same", &[("src/note.txt", "two\n")]),
    ]);
    project.write("src/note.txt", "being edited\n");
    project.write("src/staged.txt", "staged\n");
    project.git(&["add", "src/staged.txt"]);
    project.write("untracked.txt", "mine\n");
    project.write("ignored", "mine too\n");
    project
}

/// The user's files, without those of the loop.
fn users_files(project: &Project) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = project.snapshot();
    files.retain(|path, _| {
        // `experiments.jsonl.torn` is where a line goes that a kill cut short; a tick that a kill
        // cut short is a file beside the backlog, which the next run removes.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with("experiments.jsonl") && !name.ends_with(".autoresearch-tmp")
    });
    files
}

fn run_with_fault(project: &Project, fault: &str) -> Option<i32> {
    let ran = project.run_with(&["run", "-n", "4"], &[(FAULT_VARIABLE, Path::new(fault))]);
    if let Some(3) = ran.code {
        assert!(
            ran.stderr.contains("No space left on device"),
            "{fault}: {}",
            ran.stderr
        );
    }
    ran.code
}

/// Runs until all four candidates are judged, and compares with what an undisturbed run leaves.
///
/// False when the machine was so busy that the guard on wall time could not be decided, which has
/// nothing to do with the fault.
#[track_caller]
fn finishes_as_if_nothing_had_happened(project: &Project, fault: &str) -> bool {
    let left = 4 - u32::try_from(project.runs().len()).expect("few runs");
    if left > 0 {
        let ran = project.run(&["run", "-n", &left.to_string()]);
        assert_eq!(ran.code, Some(0), "{fault}: {}", ran.stderr);
    }
    // One more opens the session again, which finishes a last move that was cut off.
    let ran = project.run(&["run", "-n", "1"]);
    assert_eq!(ran.code, Some(0), "{fault}: {}", ran.stderr);
    let is_guard = |(_, reason): &(String, String)| reason.starts_with("guard_");
    if project.verdicts().iter().any(is_guard) {
        return false;
    }
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "no_gain"),
            verdict("checks_failed", "gate_failed"),
            verdict("keep", "improved"),
            verdict("discard", "no_gain"),
        ],
        "{fault}"
    );
    let numbers: Vec<Option<u64>> = project
        .runs()
        .iter()
        .map(|run| run["run"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4)], "{fault}");
    let head = project.git(&["rev-parse", "autoresearch/toy"]);
    let runs = project.runs();
    assert_eq!(runs[2]["candidate"].as_str(), Some(head.trim()), "{fault}");
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/cost.txt"]),
        "99\n",
        "{fault}"
    );
    let claims = project
        .ledger()
        .iter()
        .filter(|line| line["type"] == "claim")
        .count();
    assert_eq!(claims, 1, "{fault}");
    let explained = project.run(&["explain"]);
    assert_eq!(explained.code, Some(0), "{fault}: {}", explained.stdout);
    let doctor = project.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("4 runs recorded"),
        "{fault}: {}",
        doctor.stdout
    );
    project.assert_nothing_left();
    project.git(&["fsck", "--strict", "--no-dangling"]);
    true
}

/// Repeats a case until the machine lets it say something.
#[track_caller]
fn until_decided(case: impl Fn() -> bool) {
    assert!((0..10).any(|_| case()), "the machine is too busy");
}

#[test]
fn a_kill_at_any_step_is_finished_or_forgotten_by_the_next_run() {
    for step in KILL_POINTS {
        until_decided(|| killed_at(step, 1));
        until_decided(|| killed_at(step, 3));
    }
}

fn killed_at(step: &str, time: u32) -> bool {
    let project = project();
    let before = users_files(&project);
    let fault = format!("kill:{step}:{time}");
    let code = run_with_fault(&project, &fault);
    assert!(
        code.is_none() || time > 1,
        "{fault} was never reached: {code:?}"
    );
    assert!(
        users_files(&project) == before,
        "{fault} changed the user's files"
    );
    let decided = finishes_as_if_nothing_had_happened(&project, &fault);
    assert!(
        users_files(&project) == before,
        "{fault}, and then the user's files changed"
    );
    decided
}

#[test]
fn a_full_disk_at_any_write_is_a_clear_error_and_nothing_is_lost() {
    for step in WRITE_POINTS {
        for time in [1, 2, 5] {
            until_decided(|| without_space_at(step, time));
        }
    }
}

fn without_space_at(step: &str, time: u32) -> bool {
    let project = project();
    let before = users_files(&project);
    let fault = format!("full:{step}:{time}");
    let code = run_with_fault(&project, &fault);
    // A tick that cannot be written is only said: the ledger knows anyway.
    let is_fatal = step != "tick-write";
    assert!(
        code == Some(3) || !is_fatal || time > 1,
        "{fault}: {code:?}"
    );
    let decided = finishes_as_if_nothing_had_happened(&project, &fault);
    assert!(
        users_files(&project) == before,
        "{fault} changed the user's files"
    );
    decided
}

#[test]
fn kills_at_random_times_lose_and_double_nothing() {
    let wanted: u32 = std::env::var("AUTORESEARCH_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let mut kills = 0;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while kills < wanted {
        let project = project();
        let before = users_files(&project);
        while kills < wanted && project.runs().len() < 4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let wait = Duration::from_millis(20 + state % 700);
            kills += u32::from(kill_after(&project, wait));
        }
        finishes_as_if_nothing_had_happened(&project, "random kills");
        assert!(
            users_files(&project) == before,
            "random kills changed the user's files"
        );
    }
    eprintln!("{kills} kills survived");
}

/// Whether the loop was still at work when it was killed.
fn kill_after(project: &Project, wait: Duration) -> bool {
    let mut child = project
        .command(&["run", "-n", "4"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let until = Instant::now() + wait;
    // The time of the kill is the experiment's variable, so time is what is waited for.
    while Instant::now() < until {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().expect("a living child");
    child.wait().expect("a child").code().is_none()
}
