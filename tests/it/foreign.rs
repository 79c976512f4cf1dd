//! `init` on projects as their users have them. The whole loop on them is `cargo bench --bench foreign`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Project;

/// A project of benches/foreign in a fresh repository, without the backlog that belongs to it.
fn foreign(name: &str) -> Project {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches/foreign")
        .join(name);
    let project = Project::empty();
    copy(&source, &project, "");
    project.commit("Start");
    project
}

fn copy(source: &Path, project: &Project, below: &str) {
    for entry in fs::read_dir(source).expect("a directory").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{below}{name}");
        if ["ideas", "ideas.md", "target", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), project, &format!("{path}/"));
        } else {
            project.write(&path, &fs::read_to_string(entry.path()).expect("a text"));
        }
    }
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

#[test]
fn what_init_writes_for_a_python_and_a_node_project_measures_and_tests_it_without_an_edit() {
    for (name, program, found, metrics) in [
        (
            "tinysearch",
            "python3",
            "Found: Python with benchmarks/bench_search.py\n",
            3,
        ),
        (
            "csvtable",
            "node",
            "Found: Node with `node bench/run.js`\n",
            3,
        ),
    ] {
        if !has(program) {
            eprintln!("{name}: skipped, because {program} is not installed");
            continue;
        }
        let project = foreign(name);
        let init = project.run(&["init"]).expect(0);
        assert!(init.stdout.starts_with(found), "{}", init.stdout);
        let ran = project.shell("./autoresearch.sh && ./autoresearch.checks.sh");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        assert_eq!(said.matches("METRIC bench_ms=").count(), metrics, "{said}");
        // Nothing that a run leaves behind would be taken for a change.
        project.commit("Add autoresearch");
        assert_eq!(project.git(&["status", "--short"]), "");
        let doctor = project.run(&["doctor"]);
        assert!(
            doctor.stdout.contains("autoresearch.sh is committed"),
            "{}",
            doctor.stdout
        );
    }
}

#[test]
fn a_rust_project_with_criterion_is_known_and_missing_its_lock_file_is_said() {
    let project = foreign("accesslog");
    let init = project.run(&["init"]).expect(0);
    let found = "Found: Rust with criterion benchmarks (summary)\n";
    assert!(init.stdout.starts_with(found), "{}", init.stdout);
    assert!(
        init.stdout.contains("Note: Cargo.lock is not in git"),
        "{}",
        init.stdout
    );
    let script = project.read("autoresearch.sh");
    assert!(
        script.contains("cargo bench -p accesslog --bench summary --"),
        "{script}"
    );
}

#[test]
fn what_git_ignores_is_not_there_for_the_worktrees_and_so_not_for_init() {
    let project = Project::empty();
    project.write("Cargo.toml", "[package]\nname = \"tool\"\n");
    project.write("src/main.rs", "fn main() {}\n");
    project.write("Cargo.lock", "version = 4\n");
    project.write(".gitignore", "Cargo.lock\n");
    let note = "Cargo.lock is not in git";
    let init = project.run(&["init", "--dry-run"]).expect(0).stdout;
    assert!(init.contains(note) && !init.contains("--locked"), "{init}");
    // What git tracks counts, whatever .gitignore says.
    project.git(&["add", "--force", "Cargo.lock"]);
    let init = project.run(&["init", "--dry-run"]).expect(0).stdout;
    assert!(!init.contains(note) && init.contains("--locked"), "{init}");
}
