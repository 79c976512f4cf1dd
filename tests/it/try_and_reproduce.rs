//! Driving by hand: `try`, agents, and checking a claim.

use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

#[test]
fn try_keeps_a_better_change_on_the_branch_and_leaves_the_working_tree_as_it_is() {
    let project = Project::new(EXACT_SCRIPT);
    project.write("src/cost.txt", "90\n");
    project.write("notes.txt", "a file of mine\n");
    let before = project.snapshot();
    project.run(&["try", "-m", "Make it cheaper"]).expect(0);
    assert_eq!(project.snapshot(), before);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_eq!(
        project.git(&["diff", "--name-only", "main", "autoresearch/toy"]),
        "src/cost.txt\n"
    );
    assert!(
        project
            .git(&["log", "-1", "--format=%s", "autoresearch/toy"])
            .starts_with("Make it cheaper")
    );

    // The next change is judged against what was just kept, on top of the same working tree.
    project.write("src/note.txt", "two\n");
    project.run(&["try"]).expect(1);
    assert_eq!(project.verdicts()[1], verdict("discard", "no_gain"));
    assert_eq!(project.runs()[1]["parent"], project.runs()[0]["candidate"]);
    assert_eq!(project.runs()[1]["description"], "Change src/note.txt");
}

#[test]
fn try_without_a_change_or_with_a_protected_one_says_so() {
    let project = Project::new(EXACT_SCRIPT);
    project
        .run(&["try"])
        .expect(2)
        .says("no change inside the scope to try");
    project.write("README.md", "untracked and outside the scope\n");
    project
        .run(&["try"])
        .expect(2)
        .says("no change inside the scope to try");
    project.git(&["add", "README.md"]);
    project.git(&["commit", "--quiet", "--message", "readme"]);
    project.write("README.md", "tracked and outside the scope\n");
    project.run(&["try"]).expect(1);
    assert_eq!(project.verdicts(), [verdict("checks_failed", "drift")]);
}

#[test]
fn a_kept_run_is_reproduced_from_a_fresh_clone_and_others_are_refused() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "80\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    project.git(&["add", "experiments.jsonl"]);
    project.git(&["commit", "--quiet", "--message", "ledger"]);
    project.git(&["clone", "--quiet", ".", "../clone"]);
    let clone = project.beside("clone");
    let clone = clone.to_str().expect("UTF-8");
    project.git(&[
        "-C",
        clone,
        "fetch",
        "--quiet",
        "origin",
        "autoresearch/toy",
    ]);
    let is_reproduced = || {
        let ran = project.run(&["-C", clone, "reproduce", "2", "--pairs", "8"]);
        let said = ran.expect(0).stdout;
        assert!(said.contains("verdict   reproduced"), "{said}");
        assert!(said.contains("measured  +20.0 %"), "{said}");
    };
    is_reproduced();
    // The checkout's own config and scripts do not matter: the start commit has them.
    project.git(&[
        "-C",
        clone,
        "rm",
        "--quiet",
        "autoresearch.config.json",
        "autoresearch.sh",
    ]);
    is_reproduced();
    project
        .run(&["-C", clone, "reproduce", "1"])
        .expect(2)
        .says("run 1 was not kept (no gain)");
    project
        .run(&["-C", clone, "reproduce", "7"])
        .expect(2)
        .says("there is no run 7");
    let json = project
        .run(&[
            "-C",
            clone,
            "reproduce",
            "FETCH_HEAD",
            "--pairs",
            "8",
            "--json",
        ])
        .expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        (json["verdict"].as_str(), json["run"].as_u64()),
        (Some("reproduced"), Some(2))
    );
}

#[test]
fn a_claim_that_is_not_true_is_not_reproduced() {
    let project = Project::new(EXACT_SCRIPT);
    project.write("src/cost.txt", "105\n");
    project.commit("slower");
    let ran = project
        .run(&["reproduce", "HEAD", "--pairs", "8"])
        .expect(1);
    assert!(
        ran.stdout.contains("verdict   not reproduced"),
        "{}",
        ran.stdout
    );
}

/// An agent as a shell command.
fn with_agent(command: &str) -> Project {
    let command = serde_json::to_string(&["sh", "-c", command]).expect("JSON");
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        &format!("\"proposers\": [\"agent\"], \"agent\": {{\"command\": {command}, \"writable\": [\"~/\"]}}, \"timeouts\": {{\"propose_s\": 5}}, \"min_run_ms\""),
    );
    Project::with_config(EXACT_SCRIPT, &config)
}

#[test]
fn what_an_agent_leaves_in_its_worktree_is_the_candidate_committed_or_not() {
    let project = with_agent(
        "echo $(( $(cat src/cost.txt) - 1 )) > src/cost.txt; echo new > src/added.txt; \
         git add --all; git -c user.name=a -c user.email=a commit --quiet --message mine; \
         echo two > src/note.txt; \
         echo '{\"description\": \"Shave one off\", \"asi\": {\"hypothesis\": \"it helps\"}}' > \"$AUTORESEARCH_ANSWER\"",
    );
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(project.verdicts(), vec![verdict("keep", "improved"); 2]);
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/cost.txt"]),
        "98\n"
    );
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/note.txt"]),
        "two\n"
    );
    assert_eq!(project.runs()[0]["description"], "Shave one off");
    assert_eq!(project.runs()[0]["asi"]["hypothesis"], "it helps");
    assert_eq!(
        project
            .git(&["rev-list", "--count", "main..autoresearch/toy"])
            .trim(),
        "2"
    );
    project.assert_nothing_left();
}

#[test]
fn why_a_change_was_tried_is_on_record_also_where_it_was_never_committed() {
    let project = Project::new(EXACT_SCRIPT);
    project.write("src/cost.txt", "101\n");
    let message = "Add one\n\nMaybe the \u{fc}nlucky number costs.";
    let shown = project.run(&["try", "-m", message]).expect(1).stdout;
    assert!(
        shown.contains("\nhypothesis  Maybe the \u{fc}nlucky number costs.\n"),
        "{shown}"
    );
    project.git(&["checkout", "--quiet", "src/cost.txt"]);
    project.write(
        "ideas.md",
        "- [ ] **gone** Do it. Because I say so.\n  - patch: ideas/gone.patch\n  - expect: little\n",
    );
    project.run(&["run", "-n", "1"]).expect(0);
    let run = &project.runs()[1];
    assert_eq!(run["candidate"], serde_json::Value::Null);
    assert_eq!(run["description"], "Do it");
    assert_eq!(
        run["hypothesis"],
        "Do it. Because I say so.\nexpect: little"
    );
    let found = project.run(&["log", "--grep", "I SAY so|nlucky", "--csv"]);
    assert_eq!(found.expect(0).stdout.lines().count(), 3);
}

#[test]
fn an_agent_that_changes_nothing_fails_or_hangs_is_recorded_and_survived() {
    let project = with_agent(
        "n=$(ls \"$HOME\" | wc -l); touch \"$HOME/$n\"; case $n in 0) exit 0;; 1) echo sorry; exit 3;; 2) sleep 600;; *) echo 99 > src/cost.txt;; esac",
    );
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.run(&["run", "-n", "4"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "no_change"),
            verdict("crash", "propose_failed"),
            verdict("crash", "propose_failed"),
            verdict("keep", "improved"),
        ]
    );
    let runs = project.runs();
    let detail = runs[1]["detail"].as_str().expect("a text");
    assert!(
        detail.starts_with("the agent exited with code 3") && detail.ends_with("\nsorry"),
        "{detail}"
    );
}

#[test]
fn an_agent_that_edits_the_benchmark_is_rejected() {
    let project = with_agent("echo 'echo METRIC cost=1' > autoresearch.sh");
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("checks_failed", "drift")]);
    assert_eq!(project.runs()[0]["detail"], "autoresearch.sh is protected");
}

#[test]
fn try_never_takes_files_that_git_does_not_know_unless_told_to() {
    let config = CONFIG.replace("\"scope\": [\"src/**\"]", "\"scope\": [\"**\"]");
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.write("src/cost.txt", "90\n");
    project.write("creds.txt", "secret\n");
    project.write("experiments.jsonl.torn", "half a line\n");
    project
        .run(&["try"])
        .expect(0)
        .says("left out, because git does not know them: creds.txt;");
    assert_eq!(
        project.git(&["diff", "--name-only", "main", "autoresearch/toy"]),
        "src/cost.txt\n"
    );
    project.write("src/cost.txt", "80\n");
    project.write("src/new.txt", "x\n");
    fs_remove(&project, "creds.txt");
    project.run(&["try", "--untracked"]).expect(0);
    assert_eq!(
        project.git(&["diff", "--name-only", "main", "autoresearch/toy"]),
        "src/cost.txt\nsrc/new.txt\n"
    );
}

fn fs_remove(project: &Project, path: &str) {
    std::fs::remove_file(project.root().join(path)).expect("removed");
}

#[test]
fn an_agent_that_leaves_its_worktree_in_a_bad_state_costs_one_candidate_and_not_the_night() {
    let project = with_agent(
        "n=$(ls \"$HOME\" | wc -l); touch \"$HOME/$n\"; case $n in \
         0) touch \"$(git rev-parse --git-dir)/index.lock\"; exit 3;; \
         1) git checkout --quiet --orphan lost; echo 99 > src/cost.txt;; \
         2) git init --quiet vend && git -C vend -c user.name=a -c user.email=a commit --quiet --allow-empty -m x;; \
         *) echo 98 > src/cost.txt;; esac",
    );
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.run(&["run", "-n", "4"]).expect(0);
    let statuses: Vec<String> = project
        .verdicts()
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses.len(), 4);
    assert_eq!(statuses[0], "crash");
    assert_ne!(statuses[2], "keep");
    assert_eq!(statuses[3], "keep", "{:?}", project.verdicts());
    project.assert_nothing_left();
}

#[test]
fn a_discarded_change_can_be_tried_again() {
    let project = Project::new(EXACT_SCRIPT);
    project.write("src/note.txt", "two\n");
    project.run(&["try"]).expect(1);
    project.run(&["try"]).expect(1);
    assert_eq!(project.verdicts(), vec![verdict("discard", "no_gain"); 2]);
}

#[test]
fn a_working_tree_that_goes_on_from_what_try_kept_is_judged_on_top_of_it() {
    let project = Project::new(EXACT_SCRIPT);
    for cost in ["90\n", "80\n", "70\n"] {
        project.write("src/cost.txt", cost);
        project.run(&["try"]).expect(0);
    }
    assert_eq!(
        project.git(&["show", "autoresearch/toy:src/cost.txt"]),
        "70\n"
    );
    assert_eq!(
        project
            .git(&["rev-list", "--count", "main..autoresearch/toy"])
            .trim(),
        "3"
    );
}

#[test]
fn a_change_that_conflicts_with_what_others_kept_is_refused_and_never_reverts_it() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[("idea", &[("src/cost.txt", "95\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.write("src/cost.txt", "60\n");
    project
        .run(&["try"])
        .expect(2)
        .says("conflicts with commits that are kept on autoresearch/toy");
}
