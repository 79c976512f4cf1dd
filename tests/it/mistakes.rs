//! What the most likely mistakes are answered with: `snapshots/mistakes.md`, word for word, to be
//! read with a user's eyes. `UPDATE_SNAPSHOTS=1 cargo test --test it mistakes` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::answers::{Answers, sections};
use crate::mistakes_in_work::{agents, ideas, ledgers};
use crate::support::{CONFIG, EXACT_SCRIPT, Project, unconfined};

/// The toy project without a sandbox, which would be another on every machine.
pub fn with_script(script: &str) -> Project {
    Project::unconfined(script)
}

/// The toy project with a config changed at one place.
fn with_config(from: &str, to: &str) -> Project {
    let config = unconfined(CONFIG);
    assert!(config.contains(from), "{from}");
    Project::with_config(EXACT_SCRIPT, &config.replacen(from, to, 1))
}

/// With one more key.
pub fn with_key(key: &str) -> Project {
    with_config("\"min_run_ms\"", &format!("{key}, \"min_run_ms\""))
}

fn flags(answers: &mut Answers) {
    answers.chapter("Flags");
    let project = with_script(EXACT_SCRIPT);
    for (mistake, arguments) in [
        (
            "a flag that does not exist",
            &["run", "--max-iteration", "5"][..],
        ),
        ("a subcommand that does not exist", &["rum"]),
        ("no subcommand", &[]),
        ("a number out of range", &["run", "-n", "0"]),
        ("a word that is no number", &["show", "one"]),
        (
            "a proposer that does not exist",
            &["run", "--proposer", "luck"],
        ),
        ("a status that does not exist", &["log", "--status", "kept"]),
        ("a time without a unit", &["run", "--time-limit", "10"]),
        ("a pattern that is none", &["log", "--grep", "("]),
        ("a date that is none", &["log", "--since", "yesterdayish"]),
        ("flags that exclude each other", &["log", "--json", "--csv"]),
        ("nothing to reproduce", &["reproduce"]),
    ] {
        answers.refused(mistake, &project, arguments, 2);
    }
}

fn places(answers: &mut Answers) {
    answers.chapter("Places");
    let project = Project::empty();
    answers.refused("a repository without commits", &project, &["run"], 3);
    project.write("a.txt", "a\n");
    project.commit("start");
    answers.refused("no config", &project, &["run"], 2);
    fs::create_dir(project.beside("outside")).expect("a directory");
    let outside = project.beside("outside").display().to_string();
    answers.refused(
        "not a git repository",
        &project,
        &["-C", &outside, "run"],
        3,
    );
    let gone = project.beside("gone").display().to_string();
    answers.refused(
        "a directory that does not exist",
        &project,
        &["-C", &gone, "status"],
        2,
    );
    let bare = project.beside("bare.git").display().to_string();
    project.git(&["clone", "--quiet", "--bare", ".", &bare]);
    answers.refused("a bare repository", &project, &["-C", &bare, "run"], 3);

    let project = with_script(EXACT_SCRIPT);
    // A place where not even root can make a directory.
    let nowhere = Path::new("/proc/autoresearch");
    answers.refused_with(
        "a work directory that cannot be made",
        &project,
        &["run"],
        &[("AUTORESEARCH_WORK_DIR", nowhere)],
        3,
    );
    let lock = Path::new("/proc/autoresearch.lock");
    answers.refused_with(
        "a machine lock that cannot be made",
        &project,
        &["noise"],
        &[("AUTORESEARCH_MACHINE_LOCK", lock)],
        3,
    );
    project.git(&["branch", "--quiet", "autoresearch"]);
    answers.refused("a branch whose name is in the way", &project, &["run"], 3);
    let project = with_script(EXACT_SCRIPT);
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    let _ = project.run(&["run", "-n", "1"]).expect(0);
    project.git(&["checkout", "--quiet", "autoresearch/toy"]);
    answers.refused("the loop's branch is checked out", &project, &["run"], 3);

    let project = with_script(EXACT_SCRIPT);
    let held = hold_lock(&project);
    answers.refused("a second loop", &project, &["run"], 3);
    drop(held);
}

/// Holds the lock of a loop at work, process 4711.
fn hold_lock(project: &Project) -> fs::File {
    let path = project.root().join(".git/autoresearch/lock");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(&path, "4711\n").expect("a lock file");
    let file = fs::File::open(&path).expect("the lock file");
    file.lock().expect("nobody holds it");
    file
}

fn config(answers: &mut Answers) {
    answers.chapter("autoresearch.config.json");
    let (metric, name) = (r#"{"name": "cost", "unit": "ms"}"#, r#""name": "toy""#);
    for (mistake, project) in [
        ("not JSON", with_config(",\n  \"scope\"", "\n  \"scope\"")),
        (
            "a comment",
            with_config("\"min_run_ms\"", "// short\n  \"min_run_ms\""),
        ),
        ("an empty file", Project::with_config(EXACT_SCRIPT, "")),
        ("a misspelt key", with_config("\"scope\"", "\"scpoe\"")),
        ("a key that nothing resembles", with_key("\"zzzzzz\": 1")),
        (
            "no metric",
            with_config(&format!("\"metric\": {metric},"), ""),
        ),
        (
            "a text instead of a number",
            with_key("\"max_pairs\": \"60\""),
        ),
        ("a number out of range", with_key("\"max_pairs\": 5")),
        (
            "a number beyond every range",
            with_key("\"min_effect_percent\": 1e400"),
        ),
        (
            "a key given twice",
            with_key("\"max_pairs\": 60, \"max_pairs\": 61"),
        ),
        (
            "a metric name that cannot be printed",
            with_config(metric, "\"total ms\""),
        ),
        (
            "a driver metric that does not exist",
            with_config("driver.wall_ms", "driver.wall"),
        ),
        (
            "a name that is no branch name",
            with_config(name, r#""name": "My Project""#),
        ),
        ("a glob that is none", with_config("src/**", "src/[**")),
        (
            "a scope in which nothing may change",
            with_config("[\"src/**\"]", "[]"),
        ),
        (
            "artifacts without a build",
            with_key("\"artifacts\": [\"a\"]"),
        ),
        (
            "limits with which nothing can be kept",
            with_key("\"false_keeps_per_200\": 0.5, \"max_pairs\": 8"),
        ),
        (
            "a working directory outside",
            with_key("\"workingDir\": \"../x\""),
        ),
        (
            "a working directory that does not exist",
            with_key("\"workingDir\": \"bench\""),
        ),
        (
            "an agent preset that does not exist",
            with_key("\"agent\": {\"preset\": \"claud\"}"),
        ),
        (
            "a knob without values",
            with_key(r#""knobs": [{"name": "k", "file": "src/a.rs", "const": "K"}]"#),
        ),
        (
            "the proposer agent without an agent",
            with_key("\"proposers\": [\"agent\"]"),
        ),
    ] {
        answers.refused(mistake, &project, &["run"], 2);
    }
    let project = with_script(EXACT_SCRIPT);
    fs::write(
        project.root().join("autoresearch.config.json"),
        b"{\"metric\": \"\xff\"}",
    )
    .expect("written");
    project.commit("latin 1");
    answers.refused("not UTF-8", &project, &["run"], 2);
}

fn scripts(answers: &mut Answers) {
    answers.chapter("Scripts");
    let project = with_script(EXACT_SCRIPT);
    project.write("autoresearch.sh", "echo METRIC cost=1\n");
    answers.refused("a script with uncommitted changes", &project, &["run"], 2);
    project.git(&["rm", "--quiet", "--force", "autoresearch.sh"]);
    project.commit("gone");
    answers.refused("no script", &project, &["run"], 2);
    project.write("autoresearch.sh", EXACT_SCRIPT);
    answers.refused("a script that was never committed", &project, &["run"], 2);
    let project = with_script(EXACT_SCRIPT);
    fs::remove_file(project.root().join("autoresearch.config.json")).expect("it was there");
    answers.refused("a config that was deleted", &project, &["run"], 2);

    for (mistake, script) in [
        ("a benchmark that fails", "echo oops >&2; exit 4\n"),
        (
            "a benchmark that a signal ends",
            "exec bash -c 'kill -SEGV $$'\n",
        ),
        ("a benchmark with a syntax error", "if then\n"),
        (
            "a command that is not installed",
            "set -e\nhyperfine-of-nobody --json\n",
        ),
        ("a benchmark that prints nothing", "true\n"),
        (
            "a metric under another name",
            "echo METRIC total=1; echo METRIC rss=2\n",
        ),
        ("a metric line with a colon", "echo METRIC cost: 5\n"),
        ("a metric in lower case", "echo metric cost=5\n"),
        ("a metric with a unit", "echo 'METRIC cost=5 ms'\n"),
        ("a metric with a comma", "echo METRIC cost=5,2\n"),
        ("a metric that is NaN", "echo METRIC cost=NaN\n"),
        ("a metric that is a text", "echo METRIC cost=fast\n"),
        ("a metric below zero", "echo METRIC cost=-5\n"),
        ("a metric that is zero", "echo METRIC cost=0\n"),
        (
            "a metric too large for any number",
            "echo METRIC cost=1e400\n",
        ),
        (
            "a metric line beside a broken one",
            "echo METRIC cost=5; echo METRIC cost=\n",
        ),
        (
            "a digest that differs between two checkouts",
            "echo METRIC cost=5; echo DIGEST place=$(basename \"$PWD\")\n",
        ),
        (
            "a digest without a value",
            "echo METRIC cost=5; echo DIGEST rows=\n",
        ),
    ] {
        answers.stopped(mistake, &with_script(script), &[]);
    }
    let project = with_key("\"timeouts\": {\"benchmark_s\": 1}");
    project.write("autoresearch.sh", "sleep 600\n");
    project.commit("slow");
    answers.stopped("a benchmark that does not end", &project, &[]);
    let project =
        with_key(r#""build": ["bash", "-c", "echo 'cost.c:1: error: no such thing'; exit 2"]"#);
    answers.stopped("a build that fails", &project, &[]);
    let project = with_key(r#""build": ["make-of-nobody"]"#);
    answers.stopped("a build command that is not installed", &project, &[]);
    let project = with_script(EXACT_SCRIPT);
    project.write(
        "autoresearch.checks.sh",
        "echo 'test two_and_two failed'; exit 1\n",
    );
    project.commit("broken gate");
    answers.stopped("a gate that fails on the unchanged code", &project, &[]);
}

fn machine(answers: &mut Answers) {
    answers.chapter("The machine");
    let full = [("AUTORESEARCH_FAULT", Path::new("full:ledger-append"))];
    answers.stopped("a full disk", &with_script(EXACT_SCRIPT), &full);
    let project = with_config("\"off\"", "\"bwrap\"");
    fs::create_dir(project.beside("empty")).expect("a directory");
    let path = project.beside("empty");
    answers.stopped(
        "a sandbox that is not installed",
        &project,
        &[("PATH", &path)],
    );
}

#[test]
fn the_most_likely_mistakes_are_answered_as_written_down() {
    let chapters = [
        flags, places, config, scripts, machine, ideas, agents, ledgers,
    ];
    let written: Vec<Answers> = std::thread::scope(|scope| {
        let started = chapters.map(|chapter| {
            scope.spawn(move || {
                let mut answers = Answers::default();
                chapter(&mut answers);
                answers
            })
        });
        let joined = started
            .into_iter()
            .map(|thread| thread.join().expect("a chapter"));
        joined.collect()
    });
    let mut answers = Answers::new();
    for chapter in written {
        answers.text.push_str(&chapter.text);
        answers.problems.extend(chapter.problems);
    }
    let problems = answers.problems.join("\n\n");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/mistakes.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &answers.text).expect("the snapshot is written");
        assert!(problems.is_empty(), "{problems}");
        return;
    }
    assert!(problems.is_empty(), "{problems}");
    let expected = sections(&fs::read_to_string(&path).expect("the snapshot"));
    let got = sections(&answers.text);
    for (title, text) in &got {
        assert_eq!(
            Some(text),
            expected.get(title),
            "UPDATE_SNAPSHOTS=1 writes it anew"
        );
    }
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
}
