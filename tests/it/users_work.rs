//! The user's files, index, refs and settings are theirs.

use std::fs;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, unconfined, verdict};

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("worse", &[("src/cost.txt", "101\n")]),
    ("better", &[("src/cost.txt", "99\n")]),
];

/// A checkout with every kind of unfinished work in it.
fn with_unfinished_work() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.write("src/cost.txt", "55\n");
    project.write("src/staged.txt", "staged\n");
    project.git(&["add", "src/staged.txt"]);
    project.write("src/staged.txt", "staged, then edited\n");
    project.write("untracked/secret.txt", "mine\n");
    project.write("ignored", "a cache of mine\n");
    fs::remove_file(project.root().join("src/note.txt")).expect("removed");
    std::os::unix::fs::symlink("nowhere", project.root().join("link")).expect("a link");
    project
}

#[test]
fn unfinished_work_is_byte_identical_after_a_run_that_keeps_and_discards() {
    let project = with_unfinished_work();
    let before = project.snapshot();
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
    assert_eq!(project.snapshot(), before);
    // What was measured is the commit, not the half-done edit.
    assert_eq!(project.runs()[0]["incumbent"].as_f64(), Some(100.0));
    assert_eq!(
        project.git(&["symbolic-ref", "HEAD"]).trim(),
        "refs/heads/main"
    );
}

#[test]
fn files_that_the_user_edits_during_a_run_survive() {
    let script = format!(
        "{EXACT_SCRIPT}date +%N > \"$USERS_CHECKOUT/src/cost.txt\"\necho new > \"$USERS_CHECKOUT/untracked.txt\"\n"
    );
    let config = unconfined(CONFIG).replace(
        "\"min_run_ms\"",
        "\"env_allow\": [\"USERS_*\"], \"min_run_ms\"",
    );
    let project = Project::with_config(&script, &config);
    project.ideas(IDEAS);
    project
        .run_with(&["run", "-n", "2"], &[("USERS_CHECKOUT", &project.root())])
        .expect(0);
    assert_eq!(project.verdicts()[1], verdict("keep", "improved"));
    assert_ne!(project.read("src/cost.txt"), "100\n");
    assert_eq!(project.read("untracked.txt"), "new\n");
}

#[test]
fn hooks_and_signing_settings_do_not_break_commits_and_hooks_do_not_run() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.write("../hook.sh", "#!/bin/sh\ntouch \"$0.ran\"\nexit 1\n");
    for hook in [
        "pre-commit",
        "commit-msg",
        "post-checkout",
        "reference-transaction",
    ] {
        let path = project.root().join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::copy(project.beside("hook.sh"), path).expect("a copied hook");
    }
    project.git(&["config", "commit.gpgSign", "true"]);
    project.git(&["config", "gpg.program", "/bin/false"]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(project.verdicts()[1], verdict("keep", "improved"));
    assert!(!project.root().join(".git/hooks/pre-commit.ran").exists());
}

#[test]
fn a_checked_out_session_branch_is_refused_before_anything_happens() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[IDEAS[1], IDEAS[0]]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.git(&["checkout", "--quiet", "--force", "autoresearch/toy"]);
    let lines = project.ledger().len();
    project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("branch autoresearch/toy is checked out");
    assert_eq!(project.ledger().len(), lines);
}

#[test]
fn a_project_in_a_subdirectory_works_there_and_leaves_the_rest_alone() {
    let project = Project::new(EXACT_SCRIPT);
    project.git(&[
        "rm",
        "--quiet",
        "--cached",
        "-r",
        "src",
        "autoresearch.sh",
        "autoresearch.checks.sh",
        "autoresearch.config.json",
    ]);
    fs::create_dir_all(project.root().join("tools/bench")).expect("a directory");
    for name in ["src", "autoresearch.sh", "autoresearch.checks.sh"] {
        fs::rename(
            project.root().join(name),
            project.root().join("tools/bench").join(name),
        )
        .expect("moved");
    }
    fs::remove_file(project.root().join("autoresearch.config.json")).expect("removed");
    let config = CONFIG.replace("src/**", "tools/bench/src/**").replace(
        "\"min_run_ms\"",
        "\"workingDir\": \"bench\", \"min_run_ms\"",
    );
    project.write("tools/autoresearch.config.json", &config);
    project.write("tools/bench/src/cost.txt", "90\n");
    project.git(&["add", "--all"]);
    let better = "diff --git a/tools/bench/src/cost.txt b/tools/bench/src/cost.txt\n--- a/tools/bench/src/cost.txt\n+++ b/tools/bench/src/cost.txt\n@@ -1 +1 @@\n-90\n+80\n";
    project.write("tools/bench/ideas/better.patch", better);
    project.write(
        "tools/bench/ideas.md",
        "- [ ] **better** Try it.\n  - patch: ideas/better.patch\n",
    );
    project.commit("moved");
    let ran = project.run(&["-C", "tools", "run", "-n", "1"]).expect(0);
    let ledger = project.read("tools/bench/experiments.jsonl");
    assert!(ledger.contains("\"status\":\"keep\""), "{ran:?}");
    assert_eq!(
        project.git(&["status", "--porcelain"]).lines().count(),
        2,
        "ledger and tick"
    );
}

#[test]
fn a_branch_that_somebody_moved_is_left_alone_and_a_new_session_starts() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[IDEAS[1], IDEAS[0]]);
    project.run(&["run", "-n", "1"]).expect(0);
    let moved = project.git(&[
        "commit-tree",
        "-m",
        "mine",
        "-p",
        "autoresearch/toy",
        "autoresearch/toy^{tree}",
    ]);
    project.git(&["branch", "--force", "autoresearch/toy", moved.trim()]);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("branch autoresearch/toy was moved or deleted");
    assert_eq!(project.git(&["rev-parse", "autoresearch/toy"]), moved);
    assert_eq!(
        project
            .ledger()
            .iter()
            .filter(|line| line["type"] == "config")
            .count(),
        2
    );
}

#[test]
fn a_branch_that_the_user_moved_back_or_deleted_stays_so() {
    for change in [
        &["branch", "--force", "autoresearch/toy", "main"][..],
        &["branch", "-D", "autoresearch/toy"],
    ] {
        let project = Project::new(EXACT_SCRIPT);
        project.ideas(&[IDEAS[1], IDEAS[0]]);
        project.run(&["run", "-n", "1"]).expect(0);
        project.git(change);
        project
            .run(&["run", "-n", "1"])
            .expect(0)
            .says("branch autoresearch/toy was moved or deleted");
        let branch = project.git(&[
            "for-each-ref",
            "--format=%(objectname)",
            "refs/heads/autoresearch/toy",
        ]);
        assert!(
            branch.is_empty() || branch == project.git(&["rev-parse", "main"]),
            "{branch}"
        );
    }
}

#[test]
fn a_session_branch_checked_out_in_the_main_worktree_is_seen_from_a_linked_one() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[IDEAS[1], IDEAS[0]]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.git(&["add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "ledger"]);
    project.git(&[
        "worktree",
        "add",
        "--quiet",
        "--detach",
        "../linked",
        "main",
    ]);
    project.git(&["checkout", "--quiet", "autoresearch/toy"]);
    let linked = project.beside("linked");
    project
        .run(&["-C", linked.to_str().expect("UTF-8"), "run", "-n", "1"])
        .expect(3)
        .says("branch autoresearch/toy is checked out");
}

#[test]
fn a_branch_in_the_way_is_named_before_anything_runs() {
    let project = Project::new(EXACT_SCRIPT);
    project.git(&["branch", "autoresearch"]);
    project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("branch autoresearch is in the way");
    assert!(project.ledger().is_empty());
}

#[test]
fn new_ideas_that_are_committed_do_not_end_a_session() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[IDEAS[1]]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.write(
        "ideas/more.patch",
        "--- a/src/note.txt\n+++ b/src/note.txt\n@@ -1 +1 @@\n-one\n+two\n",
    );
    let backlog = project.read("ideas.md");
    project.write(
        "ideas.md",
        &format!("{backlog}- [ ] **more** More.\n  - patch: ideas/more.patch\n"),
    );
    project.commit("more ideas");
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts()[1], verdict("discard", "no_gain"));
    assert_eq!(project.runs()[1]["parent"], project.runs()[0]["candidate"]);
}

#[test]
fn a_linked_backlog_stays_a_link_and_a_leftover_of_a_killed_tick_is_removed() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    fs::rename(
        project.root().join("ideas.md"),
        project.beside("backlog.md"),
    )
    .expect("moved");
    std::os::unix::fs::symlink("../backlog.md", project.root().join("ideas.md")).expect("a link");
    fs::write(project.beside(".backlog.md.autoresearch-tmp"), "half").expect("a leftover");
    project.run(&["run", "-n", "1"]).expect(0);
    assert!(project.root().join("ideas.md").is_symlink());
    assert!(project.read("ideas.md").contains("[x] **worse**"));
    assert!(!project.beside(".backlog.md.autoresearch-tmp").exists());
}
