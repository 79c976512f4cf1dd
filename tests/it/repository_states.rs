//! Repositories that are not as the last run left them: a clear message, and nothing harmed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use autoresearch::edge::fault::FAULT_VARIABLE;

use crate::support::{EXACT_SCRIPT, Project, verdict};

fn project() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("better", &[("src/cost.txt", "99\n")]),
        ("same", &[("src/note.txt", "two\n")]),
        ("worse", &[("src/cost.txt", "101\n")]),
    ]);
    project
}

fn after_a_keep() -> Project {
    let project = project();
    project.run(&["run", "-n", "1"]).expect(0);
    project
}

fn sessions(project: &Project) -> usize {
    let ledger = project.ledger();
    ledger
        .iter()
        .filter(|line| line["type"] == "config")
        .count()
}

fn refs(project: &Project) -> Vec<String> {
    let names = project.git(&["for-each-ref", "--format=%(refname)", "refs/autoresearch"]);
    names.lines().map(str::to_owned).collect()
}

#[test]
fn a_ledger_of_a_newer_version_is_read_and_never_written() {
    let project = after_a_keep();
    let newer =
        project.read("experiments.jsonl") + "{\"type\":\"config\",\"format\":9,\"new\":1}\n";
    project.write("experiments.jsonl", &newer);
    for writing in [&["run", "-n", "1"][..], &["repair"], &["ablate"]] {
        project.run(writing).expect(2).says("update autoresearch");
    }
    assert_eq!(project.read("experiments.jsonl"), newer);
    project.run(&["log"]).expect(0);
    project.assert_nothing_left();
}

#[test]
fn after_a_rebase_that_changes_the_code_a_new_session_starts_and_the_old_branch_stays() {
    let project = after_a_keep();
    let kept = project.git(&["rev-parse", "autoresearch/toy"]);
    project.write("src/note.txt", "rewritten\n");
    project.git(&[
        "commit",
        "--quiet",
        "--all",
        "--amend",
        "--message",
        "rewritten",
    ]);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("HEAD has other code than the last one started from or kept");
    assert_eq!(project.git(&["rev-parse", "autoresearch/toy"]), kept);
    assert_eq!(sessions(&project), 2);
    project.run(&["explain"]).expect(0);
}

#[test]
fn commits_that_were_collected_start_a_new_session_and_their_records_stay() {
    let project = after_a_keep();
    project.git(&["branch", "-D", "autoresearch/toy"]);
    for name in refs(&project) {
        project.git(&["update-ref", "-d", &name]);
    }
    project.git(&["reflog", "expire", "--expire=now", "--all"]);
    project.git(&["gc", "--quiet", "--prune=now"]);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("commits of the last one are not in this repository");
    assert_eq!(sessions(&project), 2);
    assert_eq!(project.runs()[0]["status"], "keep");
    project.run(&["explain"]).expect(0);
    project.assert_nothing_left();
}

#[test]
fn refs_that_somebody_deleted_are_missed_by_nobody_and_that_of_the_head_is_made_again() {
    let project = after_a_keep();
    let names = refs(&project);
    for name in &names {
        project.git(&["update-ref", "-d", name]);
    }
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(sessions(&project), 1);
    assert_eq!(project.verdicts()[1], verdict("discard", "no_gain"));
    assert!(refs(&project).contains(&names[0]), "{:?}", refs(&project));
}

#[test]
fn worktrees_and_their_directory_may_be_gone_after_a_kill() {
    for also_registered in [true, false] {
        let project = project();
        let fault = Path::new("kill:sides-built");
        let ran = project.run_with(&["run", "-n", "1"], &[(FAULT_VARIABLE, fault)]);
        assert_eq!(ran.code, None);
        if also_registered {
            fs::remove_dir_all(project.work_dir()).expect("removed");
        } else {
            // The other half: git has forgotten the worktrees and their files are there.
            fs::remove_dir_all(project.root().join(".git/worktrees")).expect("removed");
        }
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
        project.assert_nothing_left();
    }
}

#[test]
fn a_work_directory_that_vanishes_during_the_run_costs_nothing_but_the_run() {
    let project = project();
    let mut running = project
        .command(&["run", "-n", "3"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    // The session is open: both worktrees are in use from here on.
    while !project.root().join("experiments.jsonl").exists() {
        assert!(running.try_wait().expect("a child").is_none(), "it ended");
        std::thread::yield_now();
    }
    while fs::remove_dir_all(project.work_dir()).is_err() {
        std::thread::yield_now();
    }
    let status = running.wait().expect("it ends");
    assert!(matches!(status.code(), Some(0 | 3)), "{status:?}");
    let done = project.runs().len();
    project.run(&["run", "-n", "3"]).expect(0);
    assert!(project.runs().len() >= done);
    project.assert_numbered("after a directory vanished");
    project.assert_nothing_left();
}

#[test]
fn a_checkout_that_cannot_be_written_is_a_clear_error_and_can_be_read() {
    let project = after_a_keep();
    let before = project.snapshot();
    let ledger = project.read("experiments.jsonl");
    let root = project.root();
    let inside = |arguments: &[&str]| {
        // Root may write whatever the modes say, so the checkout is mounted read-only, `.git` not.
        let run = project.command(arguments);
        let mut wrapped = Command::new("bwrap");
        wrapped.args(["--dev-bind", "/", "/"]);
        wrapped.arg("--ro-bind").arg(&root).arg(&root);
        wrapped
            .arg("--bind")
            .arg(root.join(".git"))
            .arg(root.join(".git"));
        wrapped
            .arg("--chdir")
            .arg(&root)
            .arg("--")
            .arg(run.get_program());
        wrapped.args(run.get_args()).env_clear();
        wrapped.envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        wrapped.output().expect("bwrap starts")
    };
    let ran = inside(&["run", "-n", "1"]);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("cannot append to"), "{stderr}");
    assert!(stderr.contains("experiments.jsonl"), "{stderr}");
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert_eq!(inside(&["log"]).status.code(), Some(0));
    assert_eq!(inside(&["status"]).status.code(), Some(0));
    assert_eq!(project.read("experiments.jsonl"), ledger);
    assert_eq!(project.snapshot(), before);
    project.assert_nothing_left();
    project.run(&["run", "-n", "1"]).expect(0);
}

#[test]
fn a_config_that_was_deleted_is_named_and_the_ledger_stays() {
    let project = after_a_keep();
    let ledger = project.read("experiments.jsonl");
    fs::remove_file(project.root().join("autoresearch.config.json")).expect("removed");
    for arguments in [&["run", "-n", "1"][..], &["status"], &["repair"]] {
        project
            .run(arguments)
            .expect(2)
            .says("no autoresearch.config.json in");
    }
    project.git(&["checkout", "--quiet", "autoresearch.config.json"]);
    fs::remove_file(project.root().join("autoresearch.sh")).expect("removed");
    project
        .run(&["run", "-n", "1"])
        .expect(2)
        .says("autoresearch.sh is in commit");
    assert_eq!(project.read("experiments.jsonl"), ledger);
}

#[test]
fn a_bare_clone_is_refused_with_what_to_do() {
    let project = after_a_keep();
    let bare = project.beside("bare.git");
    let bare = bare.to_str().expect("UTF-8");
    project.git(&["clone", "--quiet", "--bare", ".", bare]);
    project
        .run(&["-C", bare, "run", "-n", "1"])
        .expect(3)
        .says("is a bare repository");
}
