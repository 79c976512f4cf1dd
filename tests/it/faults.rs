//! Killed at every step, and out of space at every write: the next run goes on as if nothing had
//! happened. `AUTORESEARCH_KILLS=200` adds as many kills at random times to the few of every test run;
//! `AUTORESEARCH_KILLS_SEED` repeats the times of a run that failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, UNIX_EPOCH};

use autoresearch::edge::fault::{FAULT_VARIABLE, KILL_POINTS, WRITE_POINTS};

use autoresearch::edge::fault::RARE_WRITE_POINTS;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, in_parallel, verdict};

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
#[track_caller]
fn finishes_as_if_nothing_had_happened(project: &Project, fault: &str) {
    let left = 4 - u32::try_from(project.runs().len()).expect("few runs");
    if left > 0 {
        let ran = project.run(&["run", "-n", &left.to_string()]);
        assert_eq!(ran.code, Some(0), "{fault}: {}", ran.stderr);
    }
    // One more opens the session again, which finishes a last move that was cut off.
    let ran = project.run(&["run", "-n", "1"]);
    assert_eq!(ran.code, Some(0), "{fault}: {}", ran.stderr);
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
    project.assert_numbered(fault);
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
    assert!(
        !doctor.stdout.contains("not as it was written"),
        "{fault}: {}",
        doctor.stdout
    );
    assert_nothing_of_the_loop_is_left(project, fault);
    project.git(&["fsck", "--strict", "--no-dangling"]);
}

/// No worktree, slot, lock file of git, temporary file or process; and one ref a candidate with a
/// commit, no more.
#[track_caller]
fn assert_nothing_of_the_loop_is_left(project: &Project, fault: &str) {
    project.assert_nothing_left();
    for (path, _) in crate::support::files_below(&project.root()) {
        let name = path.to_string_lossy();
        let is_stray = name.ends_with(".lock")
            || name.ends_with("-tmp")
            || name.ends_with("live.json")
            || name.ends_with("live.json.tmp")
            || name.ends_with("writing-refs");
        assert!(!is_stray, "{fault}: {name} is left");
    }
    let refs = project.git(&["for-each-ref", "--format=%(refname)", "refs/autoresearch"]);
    let runs = project.runs();
    let mut named: Vec<&str> = runs.iter().filter_map(|run| run["ref"].as_str()).collect();
    named.sort_unstable();
    assert_eq!(refs.lines().collect::<Vec<_>>(), named, "{fault}");
    assert_eq!(
        processes_in(&project.work_dir()),
        Vec::<String>::new(),
        "{fault}"
    );
}

/// Processes that work in a directory.
fn processes_in(directory: &Path) -> Vec<String> {
    let list = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    list.filter_map(|entry| {
        let at = std::fs::read_link(entry.path().join("cwd")).ok()?;
        at.starts_with(directory)
            .then(|| format!("{:?}", entry.path()))
    })
    .collect()
}

#[test]
fn a_kill_at_any_step_is_finished_or_forgotten_by_the_next_run() {
    let untouched = project();
    let cases = KILL_POINTS.iter().flat_map(|step| [(step, 1), (step, 3)]);
    in_parallel(cases, |(step, time)| {
        killed_at(&Project::copy_of(&untouched), step, time);
    });
}

fn killed_at(project: &Project, step: &str, time: u32) {
    let before = users_files(project);
    let fault = format!("kill:{step}:{time}");
    let code = run_with_fault(project, &fault);
    assert!(
        code.is_none() || time > 1,
        "{fault} was never reached: {code:?}"
    );
    assert!(
        users_files(project) == before,
        "{fault} changed the user's files"
    );
    finishes_as_if_nothing_had_happened(project, &fault);
    assert!(
        users_files(project) == before,
        "{fault}, and then the user's files changed"
    );
}

#[test]
fn a_full_disk_at_any_write_is_a_clear_error_and_nothing_is_lost() {
    let untouched = project();
    let cases = WRITE_POINTS
        .iter()
        .flat_map(|step| [(step, 1), (step, 2), (step, 5)]);
    in_parallel(cases, |(step, time)| {
        without_space_at(&Project::copy_of(&untouched), step, time);
    });
}

fn without_space_at(project: &Project, step: &str, time: u32) {
    let before = users_files(project);
    let fault = format!("full:{step}:{time}");
    let code = run_with_fault(project, &fault);
    // A tick that cannot be written is only said, since the ledger knows anyway; the live state is not
    // missed; and a checkout is tried twice.
    let is_fatal = !["tick-write", "live-write", "slot-check-out"].contains(&step);
    assert!(
        code == Some(3) || !is_fatal || time > 1,
        "{fault}: {code:?}"
    );
    finishes_as_if_nothing_had_happened(project, &fault);
    assert!(
        users_files(project) == before,
        "{fault} changed the user's files"
    );
}

#[test]
fn a_full_disk_at_the_writes_that_only_some_projects_make() {
    for step in RARE_WRITE_POINTS {
        let fault = format!("full:{step}");
        let agent = "echo $(( $(tr -d '\r' < src/cost.txt) - 1 )) > src/cost.txt";
        let more = format!(
            "\"proposers\": [\"agent\"], \"agent\": {}, \"hooks\": {},",
            serde_json::json!({"command": ["bash", "-c", agent]}),
            serde_json::json!({"after": ["true"]}),
        );
        let config = CONFIG.replace("\"min_run_ms\"", &format!("{more} \"min_run_ms\""));
        let project = Project::with_config(EXACT_SCRIPT, &config);
        if *step == "script-write" {
            // Checked out with other line ends, the scripts have to be written anew.
            project.git(&["config", "core.autocrlf", "true"]);
        }
        project.run(&["run", "-n", "1"]).expect(0);
        let mut ledger = std::fs::read(project.root().join("experiments.jsonl")).expect("a ledger");
        ledger.extend_from_slice(b"{\"type\":\"ru");
        std::fs::write(project.root().join("experiments.jsonl"), &ledger).expect("written");
        let arguments: &[&str] = match *step {
            "file-write" => &["report", "--output", "report.html"],
            _ => &["run", "-n", "1"],
        };
        let ran = project.run_with(arguments, &[(FAULT_VARIABLE, Path::new(&fault))]);
        assert!(
            ran.stderr.contains("No space left on device"),
            "{fault}: {ran:?}"
        );
        // A hook is only warned of.
        assert_eq!(
            ran.code,
            Some(if *step == "hook-input" { 0 } else { 3 }),
            "{fault}"
        );
        if *step == "torn-write" {
            let now = std::fs::read(project.root().join("experiments.jsonl"));
            assert_eq!(now.expect("a ledger"), ledger, "{fault}");
        }
        project.run(arguments).expect(0);
        project.run(&["explain"]).expect(0);
        project.assert_numbered(&fault);
        project.assert_nothing_left();
    }
}

#[test]
fn kills_at_random_times_lose_and_double_nothing() {
    let wanted: u32 = std::env::var("AUTORESEARCH_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let mut kills = 0;
    let seed = std::env::var("AUTORESEARCH_KILLS_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let clock = || UNIX_EPOCH.elapsed().map_or(1, |now| now.as_micros() as u64);
    let seed: u64 = seed.unwrap_or_else(clock);
    eprintln!("AUTORESEARCH_KILLS_SEED={seed}");
    // Xorshift stays at 0.
    let mut state = seed.max(1);
    while kills < wanted {
        let project = project();
        let before = users_files(&project);
        while kills < wanted && project.runs().len() < 4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let wait = Duration::from_millis(20 + state % 700);
            kills += u32::from(kill_after(&project, wait));
            assert!(
                users_files(&project) == before,
                "a kill changed the user's files"
            );
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
