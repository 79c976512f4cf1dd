//! Profiles: by the script itself, by perf where it is usable, and neither.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, files_below};

/// Writes a profile in which `parse` has as many samples as the cost.
const PROFILING: &str = "#!/usr/bin/env bash\nset -e\ncost=$(<src/cost.txt)\n\
    if [ -n \"${AUTORESEARCH_PROFILE:-}\" ]; then\n\
      printf 'main;parse %s\\nmain;write 100\\n' \"$cost\" >\"$AUTORESEARCH_PROFILE.folded\"\n\
      echo mine >\"$AUTORESEARCH_PROFILE.extra\"\n\
    fi\n\
    echo \"METRIC cost=$cost\"\n";

/// Keeps a processor busy for about 0.3 s.
const BUSY: &str = "#!/usr/bin/env bash\nend=$((${EPOCHREALTIME/./} + 300000))\n\
    while [ ${EPOCHREALTIME/./} -lt $end ]; do :; done\necho METRIC cost=1\n";

fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).expect("JSON")
}

fn profiles(project: &Project) -> Vec<String> {
    let base = project.root().join(".git/autoresearch/profiles");
    let files = files_below(&base).into_keys();
    files
        .map(|path| {
            path.strip_prefix(&base)
                .expect("below")
                .display()
                .to_string()
        })
        .collect()
}

#[test]
fn a_script_that_profiles_itself_is_believed_and_what_it_does_not_write_is_made() {
    let project = Project::new(PROFILING);
    let before = project.snapshot();
    let shown = json(&project.run(&["profile", "--json"]).expect(0).stdout);
    assert_eq!(shown["profiler"], "script");
    assert_eq!(shown["samples"], 200);
    assert_eq!(shown["functions"][0]["self_percent"], 50.0);
    let short = project.git(&["rev-parse", "--short=12", "HEAD"]);
    let name = |file: &str| format!("{}/profile.{file}", short.trim());
    assert_eq!(
        profiles(&project),
        ["extra", "folded", "pb", "svg"].map(name)
    );
    let svg = project.read(&format!(".git/autoresearch/profiles/{}", name("svg")));
    assert!(svg.contains("<svg") && svg.contains("parse"), "{svg}");
    let table = project.run(&["profile"]).expect(0).stdout;
    assert!(table.contains("parse") && table.contains("50.0"), "{table}");
    assert_eq!(project.snapshot(), before);
    project.assert_nothing_left();
}

#[test]
fn two_revisions_give_the_difference() {
    let project = Project::new(PROFILING);
    project.write("src/cost.txt", "300\n");
    project.commit("slower");
    let ran = project
        .run(&["profile", "HEAD^", "HEAD", "--out", "../profiles", "--json"])
        .expect(0);
    let difference = json(&ran.stdout);
    assert_eq!(difference["before"]["samples"], 200);
    assert_eq!(difference["after"]["samples"], 400);
    assert_eq!(difference["shifts"][0]["before_percent"], 50.0);
    let svg = difference["svg"].as_str().expect("a path");
    let svg = project.root().join(svg);
    let svg = std::fs::read_to_string(svg).expect("a picture");
    assert!(svg.contains("<svg"));
    assert_eq!(profiles(&project), Vec::<String>::new());
    let table = project.run(&["profile", "HEAD^", "HEAD"]).expect(0).stdout;
    assert!(table.contains("before %"), "{table}");
    project.run(&["profile", "HEAD", "HEAD", "HEAD"]).expect(2);
    project
        .run(&["profile", "no-such-revision"])
        .expect(2)
        .says("names no commit here");
}

#[test]
fn with_few_samples_nothing_is_said_to_have_moved() {
    let project = Project::new(PROFILING);
    project.write("src/cost.txt", "99\n");
    project.commit("one sample less");
    let arguments = ["profile", "HEAD^", "HEAD"];
    let table = project.run(&arguments).expect(0).stdout;
    let told = table.starts_with("too few samples (199) to compare the two\n");
    assert!(told && !table.contains("parse"), "{table}");
    let difference = json(
        &project
            .run(&[&arguments[..], &["--json"]].concat())
            .expect(0)
            .stdout,
    );
    assert_eq!(difference["before"]["samples"], 200);
    assert!(difference.get("shifts").is_none() && difference.get("svg").is_none());
    let table = project.run(&["profile"]).expect(0).stdout;
    assert!(
        table.contains("\ntoo few samples (199) to compare functions\n"),
        "{table}"
    );
}

#[test]
fn a_profile_that_is_none_or_a_benchmark_that_fails_is_told() {
    for (script, told) in [
        (
            "echo 'main;x' >\"$AUTORESEARCH_PROFILE.folded\"",
            "line 1 is no stack with a count at its end",
        ),
        (
            "touch \"$AUTORESEARCH_PROFILE.folded\"",
            "it has no samples",
        ),
        ("echo broken; exit 4", "exited with code 4"),
    ] {
        let project = Project::new(&format!("#!/usr/bin/env bash\n{script}\n"));
        let ran = project.run(&["profile"]).expect(3).says(told);
        if told.contains("no samples") {
            ran.says("hint: let autoresearch.sh do more work in a run");
        }
        assert_eq!(profiles(&project), Vec::<String>::new());
    }
    Project::new(EXACT_SCRIPT)
        .run(&["profile", "--with", "script"])
        .expect(3)
        .says("it does not honour AUTORESEARCH_PROFILE")
        .says("or use `--with perf`");
}

/// A directory with links to what the benchmark needs, and no perf.
fn without_perf(project: &Project) -> String {
    let directory = project.beside("bin");
    std::fs::create_dir(&directory).expect("a directory");
    for tool in ["bash", "cat", "git"] {
        let found = project.shell(&format!("command -v {tool}"));
        let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::os::unix::fs::symlink(path, directory.join(tool)).expect("a link");
    }
    directory.display().to_string()
}

#[test]
fn where_nobody_can_profile_it_says_what_to_install_or_to_write() {
    let project = Project::new(EXACT_SCRIPT);
    let path = without_perf(&project);
    project
        .run_with(&["profile"], &[("PATH", Path::new(&path))])
        .expect(3)
        .says("perf is not installed")
        .says("write folded stacks to $AUTORESEARCH_PROFILE.folded");
}

#[test]
fn a_perf_that_is_not_allowed_to_is_told_with_what_it_said() {
    let project = Project::new(EXACT_SCRIPT);
    let path = without_perf(&project);
    let perf = project.beside("bin/perf");
    std::fs::write(
        &perf,
        "#!/bin/bash\necho No permission to enable cpu-clock event >&2\nexit 255\n",
    )
    .expect("written");
    std::fs::set_permissions(&perf, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    project
        .run_with(&["profile"], &[("PATH", Path::new(&path))])
        .expect(3)
        .says("exited with code 255")
        .says("No permission to enable cpu-clock event");
}

#[test]
fn any_program_is_profiled_by_perf_where_it_is_usable() {
    let project = Project::new(BUSY);
    let usable = project.shell("perf record --quiet -e cpu-clock -o ../perf.data -- true");
    if !usable.status.success() {
        eprintln!("NOT RUN: perf is not usable here");
        return;
    }
    let shown = json(&project.run(&["profile", "--json"]).expect(0).stdout);
    assert_eq!(shown["profiler"], "perf");
    // Samples and no periods of the clock, of which there are five million to a sample.
    let samples = shown["samples"].as_u64().expect("a number");
    assert!((1..10_000).contains(&samples), "{shown}");
    // One execution is too short for the samples wanted, however many are taken in its time.
    let executions = shown["executions"].as_u64().expect("a number");
    assert!((2..=20).contains(&executions), "{shown}");
    let names = shown["functions"].as_array().expect("a list").iter();
    let percents: f64 = names.filter_map(|one| one["self_percent"].as_f64()).sum();
    assert!(percents > 1.0 && percents <= 100.1, "{shown}");
}

#[test]
fn kept_commits_carry_a_profile_and_the_agent_is_told_where_the_time_goes() {
    let agent = "cp \"$1\" \"$HOME/prompt\"; cp \"$2\" \"$HOME/brief\"; echo $(( $(<src/cost.txt) - 20 )) >src/cost.txt";
    let agent = serde_json::json!({"command": ["bash", "-c", agent, "x", "{prompt_file}", "{brief_file}"], "writable": ["~/"]});
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        &format!(
            "\"profile_kept\": true, \"proposers\": [\"agent\"], \"agent\": {agent}, \"min_run_ms\""
        ),
    );
    let script = PROFILING.replace("write 100", "write 130");
    let project = Project::with_config(&script, &config);
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.run(&["run", "-n", "2"]).expect(0);
    let runs = project.runs();
    for run in &runs {
        assert_eq!(run["status"], "keep", "{}", run["reason"]);
        let short = &run["candidate"].as_str().expect("an id")[..12];
        assert!(profiles(&project).contains(&format!("{short}/profile.svg")));
    }
    // The second time it is told of the first keep: 80 of 210 samples.
    let prompt = std::fs::read_to_string(project.beside("home/prompt")).expect("a prompt");
    assert!(
        prompt.contains("- 38.1 % (38.1 % with what it calls) parse"),
        "{prompt}"
    );
    let brief = std::fs::read_to_string(project.beside("home/brief")).expect("a brief");
    assert_eq!(json(&brief)["profile"]["functions"][0]["name"], "write");
    // The second keep has 190 samples, which tell nothing.
    project.run(&["run", "-n", "1"]).expect(0);
    let brief = std::fs::read_to_string(project.beside("home/brief")).expect("a brief");
    assert!(json(&brief).get("profile").is_none(), "{brief}");
    project.assert_nothing_left();
}

#[test]
fn a_kept_commit_that_cannot_be_profiled_is_kept_all_the_same() {
    let script = format!("{EXACT_SCRIPT}[ -z \"${{AUTORESEARCH_PROFILE:-}}\" ] || exit 9\n");
    let config = CONFIG.replace("\"min_run_ms\"", "\"profile_kept\": true, \"min_run_ms\"");
    let project = Project::with_config(&script, &config);
    project.ideas(&[("better", &[("src/cost.txt", "80\n")])]);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says("run 1 has no profile")
        .says("exited with code 9");
    assert_eq!(project.runs()[0]["status"], "keep");
}
