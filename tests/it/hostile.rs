//! Candidates that cheat, pry or destroy. Each attack is prevented, or the candidate is refused with the
//! reason in its record, or SECURITY.md says that it is out of reach.

use std::fs::{self, File};
use std::path::Path;

use autoresearch::edge::sandbox::{bwrap_works, landlock_works};

use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

/// Runs what the candidate brought, then measures. The candidate's code is `src/attack`.
pub const SCRIPT: &str = "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then bash src/attack; fi\n\
    echo \"METRIC cost=$(<src/cost.txt)\"\n";

pub const HARMLESS: (&str, &str) = ("src/note.txt", "two\n");

pub fn config(more: &str) -> String {
    CONFIG.replace("\"min_run_ms\"", &format!("{more}, \"min_run_ms\""))
}

/// One candidate with this code, judged.
pub fn attacked(script: &str, config: &str, files: &[(&str, &str)]) -> Project {
    let project = Project::with_config(script, config);
    project.ideas(&[("attack", files)]);
    project.run(&["run", "-n", "1"]).expect(0);
    project
}

pub fn detail(project: &Project) -> String {
    project.runs()[0]["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The sandboxes that work on this machine; says which do not.
pub fn sandboxes() -> Vec<&'static str> {
    let tried = [("bwrap", bwrap_works()), ("landlock", landlock_works())];
    tried
        .into_iter()
        .filter_map(|(name, works)| match works {
            Ok(()) => Some(name),
            Err(why) => {
                eprintln!("SKIPPED with {name}: {why}");
                None
            }
        })
        .collect()
}

pub fn kept_in(sandbox: &str) -> String {
    config(&format!("\"sandbox\": \"{sandbox}\""))
}

/// A project with a file that every sandbox shows, for locks. Nobody holds it when the test ends.
pub fn with_lock(script: &str, config: &str) -> Project {
    let project = Project::with_config(script, config);
    fs::create_dir(project.beside("home")).expect("a home");
    fs::write(project.beside("home/lock"), "").expect("a lock file");
    project
}

#[track_caller]
pub fn assert_lock_is_free(project: &Project, what: &str) {
    let lock = File::open(project.beside("home/lock")).expect("the lock file");
    let free = lock.try_lock();
    assert!(free.is_ok(), "{what}: a process holds the lock");
}

/// Tries to write to each of the places, which must fail.
pub fn writes_to(paths: &[&Path]) -> String {
    let mut attack = String::new();
    for path in paths {
        let path = path.display();
        attack.push_str(&format!("(echo evil >> {path}) 2> /dev/null || true\n"));
        attack.push_str(&format!("rm -rf {path} 2> /dev/null || true\n"));
    }
    attack
}

#[test]
fn no_candidate_may_change_what_judges_it_or_make_links() {
    let project = Project::new(EXACT_SCRIPT);
    let files = [
        "src/autoresearch.sh",
        "src/autoresearch.checks.sh",
        "src/autoresearch.config.json",
        "src/experiments.jsonl",
        "src/ideas.md",
        "src/.gitattributes",
        "src/Cargo.lock",
        "src/benches/a.rs",
    ];
    let ideas: Vec<(String, Vec<(&str, &str)>)> = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            (
                format!("i{index}"),
                vec![(*file, "x\n"), ("src/cost.txt", "1\n")],
            )
        })
        .collect();
    let ideas: Vec<(&str, &[(&str, &str)])> = ideas
        .iter()
        .map(|(id, files)| (id.as_str(), files.as_slice()))
        .collect();
    project.ideas(&ideas);
    project.run(&["run", "-n", "8"]).expect(0);
    assert_eq!(
        project.verdicts(),
        vec![verdict("checks_failed", "drift"); 8]
    );
}

#[test]
fn scripts_rewritten_while_running_are_ours_again_in_the_next_run() {
    let attack =
        "echo 'echo METRIC cost=1' > autoresearch.sh; echo 'exit 0' > autoresearch.checks.sh\n";
    let files = [
        ("src/attack", attack),
        ("src/bad.txt", "x\n"),
        ("src/cost.txt", "50\n"),
    ];
    let project = attacked(SCRIPT, CONFIG, &files);
    assert_eq!(
        project.verdicts(),
        [verdict("checks_failed", "gate_failed")]
    );
    assert_eq!(project.runs()[0]["metric"], 50.0);
}

#[test]
fn a_commit_that_a_candidate_makes_itself_counts_for_nothing() {
    let attack = "git -c user.name=x -c user.email=x@x commit --quiet --all --allow-empty -m mine 2> /dev/null\n\
        git update-ref refs/heads/main HEAD 2> /dev/null; git branch evil 2> /dev/null; true\n";
    for sandbox in sandboxes() {
        let project = Project::with_config(SCRIPT, &kept_in(sandbox));
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        let refs = || project.git(&["for-each-ref", "refs/heads"]);
        let before = refs();
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}"
        );
        assert_eq!(refs(), before, "{sandbox}");
    }
}

#[test]
fn a_child_that_prints_without_end_is_stopped_and_costs_bounded_disk() {
    let project = attacked(
        SCRIPT,
        CONFIG,
        &[("src/attack", "exec yes METRIC cost=1\n")],
    );
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    assert!(
        detail(&project).starts_with("autoresearch.sh printed more than 64 MiB and was killed"),
        "{}",
        detail(&project)
    );
}

#[test]
fn memory_beyond_the_limit_is_refused_to_the_process() {
    let script = "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then head -c 300M /dev/zero | tail -c 300M | wc -c; fi\n\
        set -o pipefail\nhead -c ${BYTES:-1} /dev/zero | tail -c 1 > /dev/null\n\
        if [ -e src/attack ]; then head -c 300M /dev/zero | tail -c 300M > /dev/null; fi\necho METRIC cost=100\n";
    let config = config("\"memory_mib\": 128");
    let project = attacked(script, &config, &[("src/attack", "\n")]);
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    assert!(detail(&project).contains("memory"), "{}", detail(&project));
}

#[test]
fn a_chain_of_children_that_never_ends_is_killed_at_the_deadline() {
    let attack = "cat > src/chain <<'X'\nexec 9< \"$HOME/lock\"; flock --shared 9\nsetsid bash src/chain > /dev/null 2>&1 &\nX\n\
        bash src/chain; sleep 600\n";
    for sandbox in sandboxes().into_iter().chain(["off"]) {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"timeouts\": {{\"benchmark_s\": 2}}"
        ));
        let project = with_lock(SCRIPT, &config);
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("crash", "timeout")],
            "{sandbox}"
        );
        assert_lock_is_free(&project, sandbox);
    }
}

#[test]
fn cargo_builds_offline_in_every_sandbox() {
    for sandbox in sandboxes() {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"build\": [\"cargo\", \"build\", \"--release\", \"--offline\", \"--quiet\"], \"artifacts\": [\"target/release/toy\"]"
        ));
        let project = Project::empty();
        project.write("autoresearch.config.json", &config);
        project.write("autoresearch.sh", "exec target/release/toy\n");
        project.write(
            "Cargo.toml",
            "[package]\nname = \"toy\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        );
        project.write(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"toy\"\nversion = \"0.1.0\"\n",
        );
        project.write(
            "src/main.rs",
            "fn main() { println!(\"METRIC cost=100\") }\n",
        );
        project.write(".gitignore", "/target\n");
        project.commit("start");
        project.ideas(&[(
            "better",
            &[(
                "src/main.rs",
                "fn main() { println!(\"METRIC cost=50\") }\n",
            )],
        )]);
        // Where the tools of the machine's user are: read only.
        let home = std::env::var_os("HOME").expect("a home");
        let at = |variable: &str, directory: &str| {
            std::env::var_os(variable).map_or_else(|| Path::new(&home).join(directory), Into::into)
        };
        let (cargo, rustup) = (at("CARGO_HOME", ".cargo"), at("RUSTUP_HOME", ".rustup"));
        let variables = [
            ("CARGO_HOME", cargo.as_path()),
            ("RUSTUP_HOME", rustup.as_path()),
        ];
        project.run_with(&["run", "-n", "1"], &variables).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("keep", "improved")],
            "{sandbox}: {}",
            detail(&project)
        );
    }
}

#[test]
fn a_sandbox_that_does_not_work_here_is_an_error_when_it_was_asked_for() {
    let project = Project::with_config(EXACT_SCRIPT, &kept_in("bwrap"));
    let nowhere = project.beside("bin");
    fs::create_dir(&nowhere).expect("an empty directory");
    project
        .run_with(&["run", "-n", "1"], &[("PATH", &nowhere)])
        .expect(3)
        .says("bubblewrap does not work here");
}
