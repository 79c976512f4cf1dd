//! The driver's own metrics, with real processes: times, memory, counted instructions.

use serde_json::Value;

use crate::measured::{config, number};
use crate::support::{EXACT_SCRIPT, Project, verdict};

/// A config with this primary metric and a wide guard on wall time.
fn driver_config(metric: &str) -> String {
    config(
        "{\"name\": \"cost\", \"unit\": \"ms\"}",
        &format!("\"{metric}\""),
    )
}

/// Works in proportion to `src/cost.txt`, as the script's own process or as its child.
fn working_script(start: &str) -> String {
    format!(
        "#!/usr/bin/env bash\nread -r n < src/cost.txt\n\
         {start} awk -v n=$n 'BEGIN {{ for (i = 0; i < n * 10000; i++) x += i }}'\n"
    )
}

#[test]
fn wall_time_without_the_waiting_can_be_the_metric_of_a_script_that_execs_its_benchmark() {
    let config = driver_config("driver.wall_adj_ms");
    let project = Project::with_config(&working_script("exec"), &config);
    project.ideas(&[("less", &[("src/cost.txt", "50\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    let run = &project.runs()[0];
    for pair in run["pairs"].as_array().expect("pairs") {
        for side in [&pair["parent"], &pair["candidate"]] {
            let (wall, adjusted) = (&side["driver.wall_ms"], &side["driver.wall_adj_ms"]);
            assert!(
                0.0 < number(adjusted) && number(adjusted) <= number(wall),
                "{side}"
            );
        }
    }
}

#[test]
fn it_is_refused_at_calibration_where_children_do_the_work() {
    let config = driver_config("driver.wall_adj_ms");
    let project = Project::with_config(&format!("{}:\n", working_script("")), &config);
    let ran = project.run(&["noise", "--pairs", "6"]).expect(3);
    let said = ran.says("driver.wall_adj_ms is not valid here");
    let _ = said.says("start the benchmark with `exec`");
    // Without being asked for, it is simply not there.
    let config = driver_config("driver.cpu_ms");
    let project = Project::with_config(&format!("{}:\n", working_script("")), &config);
    let ran = project.run(&["noise", "--pairs", "6", "--json"]).expect(0);
    let line: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    for pair in line["pairs"].as_array().expect("pairs") {
        assert!(pair["parent"].get("driver.wall_adj_ms").is_none(), "{pair}");
        assert!(number(&pair["parent"]["driver.cpu_ms"]) > 10.0, "{pair}");
    }
    assert!(line["advice"]["power"].is_number(), "{}", line["advice"]);
}

#[test]
fn what_a_process_uses_is_at_least_what_it_was_made_to_use() {
    // A string of 64 MiB, every page of which is written, and two naps.
    let script = "#!/usr/bin/env bash\nsleep 0.05\nsleep 0.05\n\
        awk 'BEGIN { s = \"x\"; while (length(s) < 67108864) s = s s; print \"METRIC cost=\" length(s) }'\n";
    let project = Project::new(script);
    let ran = project.run(&["noise", "--pairs", "6", "--json"]).expect(0);
    let line: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    for pair in line["pairs"].as_array().expect("pairs") {
        let side = &pair["parent"];
        let of = |name: &str| number(&side[format!("driver.{name}")]);
        assert!(of("wall_ms") >= 100.0, "{side}");
        assert!(of("peak_rss_kib") >= 65_536.0, "{side}");
        assert!(of("minor_faults") + of("major_faults") >= 100.0, "{side}");
        assert!(of("ctx_voluntary") >= 2.0, "it slept twice: {side}");
        let cpu = of("user_ms") + of("sys_ms");
        assert!((of("cpu_ms") - cpu).abs() < 0.01 && cpu > 0.0, "{side}");
    }
}

#[test]
fn a_count_that_may_be_zero_can_be_a_guard_as_it_is() {
    let project = Project::with_config(
        EXACT_SCRIPT,
        &config(
            "\"guards\": [",
            "\"guards\": [{\"name\": \"driver.major_faults\", \"tolerance_percent\": 99}, ",
        ),
    );
    project.run(&["noise", "--pairs", "6"]).expect(0);
}

/// Whether valgrind is here; says so where it is not.
fn has_valgrind() -> bool {
    let found = std::process::Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: valgrind is not installed, so counted instructions are not tested");
    }
    found
}

#[test]
fn counted_instructions_are_an_exact_metric_with_a_threshold_of_a_thousandth() {
    if !has_valgrind() {
        return;
    }
    // Under valgrind every program takes a while to begin, so there is a second one in one candidate only.
    let script = "#!/usr/bin/env bash\nread -r n < src/cost.txt\n\
        for ((i = 0; i < n; i++)); do :; done\n[ ! -e src/child ] || seq 10\n";
    let project = Project::with_config(script, &driver_config("driver.instructions"));
    project.ideas(&[
        ("comment", &[("src/note.txt", "two\n")]),
        ("child", &[("src/child", "\n")]),
        ("less", &[("src/cost.txt", "50\n")]),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [
            verdict("discard", "no_gain"),
            verdict("discard", "no_gain"),
            verdict("keep", "improved")
        ]
    );
    let calibration = &project.ledger()[1];
    let rule = &calibration["primary"]["exact"]["jittering"];
    assert!(number(&rule["min_delta"]) >= 1e-3, "{calibration}");
    let counts = |run: &Value| (number(&run["incumbent"]), number(&run["metric"]));
    let (parent, with_child) = counts(&project.runs()[1]);
    assert!(with_child > parent + 1e5, "{parent} {with_child}");
    let (parent, candidate) = counts(&project.runs()[2]);
    assert!(
        candidate > 1e5 && parent > candidate,
        "{parent} {candidate}"
    );
}

#[test]
fn instructions_without_valgrind_are_a_clear_error() {
    let project = Project::with_config(EXACT_SCRIPT, &driver_config("driver.instructions"));
    // Every program of the usual path but valgrind.
    let bin = project.beside("bin");
    std::fs::create_dir(&bin).expect("a directory");
    for name in ["bash", "git", "cat"] {
        let path = std::env::var_os("PATH").expect("a path");
        let program = std::env::split_paths(&path)
            .map(|directory| directory.join(name))
            .find(|program| program.is_file())
            .expect("an ordinary program");
        std::os::unix::fs::symlink(program, bin.join(name)).expect("a link");
    }
    let _ = project
        .run_with(&["noise", "--pairs", "6"], &[("PATH", &bin)])
        .expect(3)
        .says("`driver.instructions` needs valgrind, which is not in PATH")
        .says("hint: install it");
}
