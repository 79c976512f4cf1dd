//! A damaged ledger: refused with the line's number, repaired with the original kept, gone on with.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use autoresearch::edge::fault::{FAULT_VARIABLE, REPAIR_KILL_POINTS, REPAIR_WRITE_POINTS};

use crate::support::{EXACT_SCRIPT, Project};

/// A project with three judged candidates, the second of them kept, and one idea left.
fn project() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
        ("same", &[("src/note.txt", "two\n")]),
        ("other", &[("src/note.txt", "three\n")]),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    project
}

fn ledger(project: &Project) -> Vec<u8> {
    fs::read(project.root().join("experiments.jsonl")).expect("a ledger")
}

fn write_ledger(project: &Project, bytes: &[u8]) {
    fs::write(project.root().join("experiments.jsonl"), bytes).expect("a written ledger");
}

fn kept_original(project: &Project, number: u32) -> Option<Vec<u8>> {
    let name = format!("experiments.jsonl.damaged-{number}");
    fs::read(project.root().join(name)).ok()
}

/// Number of the line of this run, from 1.
fn line_of(project: &Project, run: u64) -> usize {
    let at = project.ledger().iter().position(|line| line["run"] == run);
    1 + at.expect("the run is recorded")
}

/// Replaces the line of this run; says its number.
fn damage(project: &Project, run: u64, with: &[u8]) -> usize {
    let number = line_of(project, run);
    let text = ledger(project);
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let damaged = [
        lines[..number - 1].concat(),
        with.to_vec(),
        lines[number..].concat(),
    ];
    write_ledger(project, &damaged.concat());
    number
}

#[test]
fn a_damaged_line_is_named_with_the_command_that_takes_it_out_and_the_loop_goes_on_after_it() {
    for with in [
        &b"{\"type\":\"run\",\"run\":1,\"com\n"[..],
        b"\0\0\0\0\0\0\0\0\n",
        b"\xff\xfe\xfd\n",
        b"",
    ] {
        let project = project();
        let healthy = ledger(&project);
        let number = damage(&project, 1, with);
        let damaged = ledger(&project);
        let ran = project
            .run(&["run", "-n", "1"])
            .expect(2)
            .says("autoresearch repair");
        assert!(
            ran.stderr
                .contains(&format!("experiments.jsonl:{number}: ")),
            "{}",
            ran.stderr
        );
        let dry = project.run(&["repair", "--dry-run"]).expect(1);
        assert!(dry.stdout.contains("would take"), "{}", dry.stdout);
        assert_eq!(
            (ledger(&project), kept_original(&project, 1)),
            (damaged.clone(), None)
        );

        let report = project.run(&["repair", "--json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("JSON");
        assert_eq!(report["original"], "experiments.jsonl.damaged-1");
        assert_eq!(report["gaps"][0]["line"], number);
        assert_eq!(kept_original(&project, 1), Some(damaged));
        // All other lines are there, to the byte and in their order.
        let repaired = ledger(&project);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines: Vec<String> = text(&repaired).lines().map(str::to_owned).collect();
        let mut wanted: Vec<String> = text(&healthy).lines().map(str::to_owned).collect();
        wanted.remove(number - 1);
        let left: Vec<String> = lines
            .iter()
            .filter(|line| !line.contains("\"type\":\"repair\""))
            .cloned()
            .collect();
        assert_eq!(left, wanted);

        let again = project.run(&["repair"]).expect(0);
        assert!(
            again.stdout.contains("nothing to repair"),
            "{}",
            again.stdout
        );
        assert_eq!(
            (ledger(&project), kept_original(&project, 2)),
            (repaired, None)
        );
        let doctor = project.run(&["doctor"]);
        assert!(
            doctor.stdout.contains("took damaged lines out in 1 place"),
            "{}",
            doctor.stdout
        );
        let ran = project.run(&["run", "-n", "1"]).expect(0);
        assert!(!ran.stderr.contains("new session"), "{}", ran.stderr);
        let runs = project.runs();
        assert_eq!(runs.last().expect("a run")["run"], 4);
        assert_eq!(runs.last().expect("a run")["parent"], runs[0]["candidate"]);
        for reading in ["log", "status", "explain"] {
            project.run(&[reading]).expect(0);
        }
        project.run(&["report", "--format", "json"]).expect(0);
    }
}

#[test]
fn a_session_whose_kept_run_is_lost_is_not_continued() {
    let project = project();
    let branch = project.git(&["rev-parse", "autoresearch/toy"]);
    damage(&project, 2, b"garbage\n");
    project.run(&["repair"]).expect(0);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("a kept run of the last one was lost");
    assert_eq!(project.git(&["rev-parse", "autoresearch/toy"]), branch);
    assert_eq!(project.runs().last().expect("a run")["run"], 4);
}

#[test]
fn a_merge_of_two_clones_that_both_ran_is_explained_and_keeps_ours() {
    let project = project();
    project.git(&["add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "ledger"]);
    project.git(&["checkout", "--quiet", "-b", "theirs"]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.git(&["commit", "--quiet", "--all", "--message", "theirs"]);
    project.git(&["checkout", "--quiet", "main"]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.git(&["commit", "--quiet", "--all", "--message", "ours"]);
    let ours = project.ledger();
    let merged = project.shell("git -c user.name=t -c user.email=t@example.com merge theirs");
    assert!(!merged.status.success(), "the ledgers conflict");
    let ran = project
        .run(&["log"])
        .expect(2)
        .says("a conflict marker of git: `<<<<<<< HEAD`");
    assert!(ran.stderr.contains("git checkout --ours"), "{}", ran.stderr);
    project.run(&["repair"]).expect(0);
    let left: Vec<_> = project
        .ledger()
        .into_iter()
        .filter(|line| line["type"] != "repair")
        .collect();
    assert_eq!(left, ours);
    project.run(&["explain"]).expect(0);
}

#[test]
fn a_kill_or_a_full_disk_leaves_the_damaged_ledger_or_the_repaired_one() {
    let points = |kind: &'static str, names: &'static [&'static str]| {
        names.iter().map(move |name| (kind, *name))
    };
    for (kind, name) in
        points("kill", REPAIR_KILL_POINTS).chain(points("full", REPAIR_WRITE_POINTS))
    {
        let project = project();
        damage(&project, 1, b"garbage\n");
        let damaged = ledger(&project);
        let fault = format!("{kind}:{name}");
        let ran = project.run_with(&["repair"], &[(FAULT_VARIABLE, Path::new(&fault))]);
        if kind == "kill" {
            assert_eq!(ran.code, None, "{fault} was never reached");
        } else {
            ran.expect(3).says("No space left on device");
        }
        assert_eq!(ledger(&project), damaged, "{fault}");
        project.run(&["repair"]).expect(0);
        assert_eq!(kept_original(&project, 1), Some(damaged), "{fault}");
        assert_eq!(kept_original(&project, 2), None, "{fault}");
        let left: Vec<_> = fs::read_dir(project.root())
            .expect("the checkout")
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name.to_string_lossy().ends_with("-tmp"))
            .collect();
        assert!(left.is_empty(), "{fault}: {left:?}");
        project.run(&["run", "-n", "1"]).expect(0);
    }
}

#[test]
fn nothing_is_repaired_while_a_loop_runs_or_where_the_log_is_not_ours() {
    let project = project();
    damage(&project, 1, b"garbage\n");
    let damaged = ledger(&project);
    let lock = project.root().join(".git/autoresearch/lock");
    let mut holder = std::process::Command::new("flock")
        .arg(lock)
        .args(["sh", "-c", "echo held; read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock starts");
    let mut held = [0; 5];
    let stdout = holder.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(stdout, &mut held).expect("the lock is held");
    project
        .run(&["repair"])
        .expect(3)
        .says("another autoresearch is at work");
    assert_eq!(ledger(&project), damaged);
    drop(holder.stdin.take());
    holder.wait().expect("it ends");

    let foreign = b"{\"run\":1,\"metric\":2,\"status\":\"keep\",\"commit\":\"abcdef1\"}\ngarbage\n";
    write_ledger(&project, foreign);
    project
        .run(&["repair"])
        .expect(2)
        .says("another program's log");
    assert_eq!(ledger(&project), foreign);
}
