//! Files that cannot be read to their end or not at all: sparse ones of many gigabytes, named pipes,
//! sockets, devices. They end a candidate or are an error that names them, and nothing waits for them.

use std::fs;

use crate::hostile::config;
use crate::support::{CONFIG, EXACT_SCRIPT, Project, Ran, verdict};

/// Seconds after which a command that should not wait is taken to wait for ever.
const PATIENCE_S: u32 = 600;

/// The binary, ended when it waits for ever; that is exit code 124.
fn run(project: &Project, arguments: &str) -> Ran {
    let binary = env!("CARGO_BIN_EXE_autoresearch");
    Ran::new(project.shell(&format!(
        "timeout -s KILL {PATIENCE_S} {binary} {arguments}"
    )))
}

fn with_agent(sandbox: &str, agent: &str) -> Project {
    let command = serde_json::to_string(&["bash", "-c", agent]).expect("JSON");
    let agent = format!(
        "\"proposers\": [\"agent\"], \"agent\": {{\"command\": {command}, \"sandbox\": \"{sandbox}\"}}"
    );
    let project = Project::with_config(EXACT_SCRIPT, &config(&agent));
    fs::create_dir(project.beside("home")).expect("a home");
    project
}

fn detail(project: &Project) -> String {
    project.runs()[0]["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn bytes_in_git(project: &Project) -> usize {
    let files = crate::support::files_below(&project.root().join(".git"));
    files.values().map(Vec::len).sum()
}

#[test]
fn what_an_agent_leaves_that_git_cannot_hold_is_refused_by_name_and_not_read() {
    for (agent, says) in [
        (
            "truncate -s 20G src/huge",
            "src/huge is the largest, with 20480 MiB",
        ),
        (
            "truncate -s 20G src/cost.txt",
            "src/cost.txt is the largest",
        ),
        (
            "touch ignored; git add -f ignored; truncate -s 20G ignored",
            "ignored is the largest",
        ),
        (
            "for i in 1 2 3; do truncate -s 30M src/$i; done",
            "90 MiB would be added",
        ),
        (
            "rm src/cost.txt; mkfifo src/cost.txt",
            "src/cost.txt is a named pipe",
        ),
        (
            "mkfifo src/.gitignore",
            "src/.gitignore: it is a named pipe",
        ),
        (
            "ln -s /dev/zero src/.gitattributes",
            "src/.gitattributes: it is a device",
        ),
        ("truncate -s 20G .gitignore", ".gitignore: it has 20480 MiB"),
    ] {
        let project = with_agent("off", &format!("set -e; {agent}"));
        let before = bytes_in_git(&project);
        let ran = run(&project, "run -n 1");
        assert_eq!(ran.code, Some(0), "{agent}: {ran:?}");
        assert_eq!(project.verdicts(), [verdict("crash", "propose_failed")]);
        assert!(
            detail(&project).contains(says),
            "{agent}: {}",
            detail(&project)
        );
        let grown = bytes_in_git(&project) - before;
        assert!(grown < 1 << 20, "{agent}: {grown} bytes more in .git");
        project.assert_nothing_left();
    }
}

#[test]
fn large_files_that_are_ignored_or_committed_and_special_ones_that_git_does_not_know_are_no_obstacle()
 {
    let agent = "set -e; truncate -s 20G ignored; mkdir src/sub; mkfifo src/sub/pipe; echo 50 > src/cost.txt";
    let project = with_agent("off", agent);
    let file = fs::File::create(project.root().join("src/large")).expect("a file");
    file.set_len(70 << 20).expect("a sparse file");
    project.commit("large");
    run(&project, "run -n 1").expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("keep", "improved")],
        "{}",
        detail(&project)
    );
    project.assert_nothing_left();
}

#[test]
fn a_path_that_leads_out_of_the_worktree_through_a_link_is_not_followed() {
    let agent = "set -e; echo 50 > src/cost.txt; ln -s \"$HOME\" src/out\n\
        blob=$(echo fake | git hash-object -w --stdin)\n\
        rm src/out; git update-index --add --cacheinfo 100644,$blob,src/out/secret; ln -s \"$HOME\" src/out";
    let project = with_agent("off", agent);
    fs::write(project.beside("home/secret"), "hunter2\n").expect("a secret");
    run(&project, "run -n 1").expect(0);
    let runs = project.runs();
    let candidate = runs[0]["candidate"].as_str().unwrap_or("HEAD");
    let listed = project.git(&["ls-tree", "-r", "--name-only", candidate]);
    assert!(!listed.contains("secret"), "{listed}");
}

#[test]
fn pipes_and_holes_in_the_worktree_of_a_measured_candidate_do_not_stall_the_next() {
    // Left by the benchmark, where the next check-out finds them.
    let script = EXACT_SCRIPT.replace(
        "set -e\n",
        "set -e\nfor f in .gitattributes src/.gitignore src/note.txt; do rm -f $f; mkfifo $f; done; truncate -s 1T src/wide.txt\n",
    );
    let project = Project::new(&script);
    project.write("src/wide.txt", "narrow\n");
    project.commit("wide");
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "99\n")]),
    ]);
    run(&project, "run -n 2").expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("discard", "no_gain"), verdict("keep", "improved")]
    );
    project.assert_nothing_left();
}

/// A project whose build makes the artifact of the unchanged code and runs `src/build.sh`.
fn with_artifact() -> Project {
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        "\"build\": [\"bash\", \"src/build.sh\"], \"artifacts\": [\"ignored/**\"], \"min_run_ms\"",
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    project.write(
        "src/build.sh",
        "set -e; mkdir -p ignored; cp src/cost.txt ignored/made\n",
    );
    project.write(".gitignore", "/ignored/\n");
    project.commit("build");
    project
}

#[test]
fn an_artifact_that_cannot_be_hashed_ends_the_candidate_and_not_the_loop() {
    let project = with_artifact();
    project.ideas(&[
        (
            "sparse",
            &[(
                "src/build.sh",
                "set -e; mkdir -p ignored; truncate -s 9G ignored/made\n",
            )],
        ),
        ("better", &[("src/cost.txt", "99\n")]),
        ("same", &[("src/note.txt", "two\n")]),
    ]);
    run(&project, "run -n 3").expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("crash", "build_failed"),
            verdict("keep", "improved"),
            verdict("discard", "no_change"),
        ]
    );
    assert!(
        detail(&project)
            .contains("the artifacts hold more than 4096 MiB: ignored/made has 9216 MiB"),
        "{}",
        detail(&project)
    );
    project.assert_nothing_left();
}

#[test]
fn an_artifact_of_the_unchanged_code_that_cannot_be_hashed_is_an_error() {
    let project = with_artifact();
    // Of an ignored directory a copy is kept, which would take a minute.
    let config = project.read("autoresearch.config.json");
    project.write(
        "autoresearch.config.json",
        &config.replace("ignored/**", "made"),
    );
    project.write(".gitignore", "/made\n");
    project.write("src/build.sh", "truncate -s 9G made\n");
    project.commit("too large");
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    run(&project, "run -n 1")
        .expect(3)
        .says("the artifacts hold more than 4096 MiB");
    assert!(project.runs().is_empty());
}

#[test]
fn a_pipe_in_the_place_of_a_file_of_the_loops_is_an_error_that_names_it() {
    let commands = ["run -n 1", "status", "log", "report", "explain", "show 1"];
    for (file, commands) in [
        ("experiments.jsonl", &commands[..]),
        ("ideas.md", &["run -n 1"]),
        ("autoresearch.config.json", &commands[..]),
        ("autoresearch.sh", &["run -n 1"]),
    ] {
        let project = Project::new(EXACT_SCRIPT);
        let pipe = project.shell(&format!("rm -f {file}; mkfifo {file}"));
        assert!(pipe.status.success(), "{pipe:?}");
        for command in commands {
            let ran = run(&project, command);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(
                matches!(ran.code, Some(1..=3))
                    && said.contains(file)
                    && said.contains("named pipe"),
                "{file}, {command}: {ran:?}"
            );
        }
        project.assert_nothing_left();
    }
}
