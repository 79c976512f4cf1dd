//! Every limit ends the run between two candidates, with exit code 0, and says so.

use crate::support::{CONFIG, EXACT_SCRIPT, Project};

/// A project with these limits in its config and ideas that come to nothing, lose, and win.
fn limited(limits: &str, more: &str) -> Project {
    let config = CONFIG.replace(
        "\"min_run_ms\": 0,",
        &format!("\"min_run_ms\": 0, \"limits\": {limits}, {more}"),
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    let stale = "--- a/src/cost.txt\n+++ b/src/cost.txt\n@@ -1 +1 @@\n-7\n+8\n";
    project.write("ideas/stale.patch", stale);
    project.write("ideas/staler.patch", stale);
    let patch = |from: &str, to: &str| {
        format!("--- a/src/cost.txt\n+++ b/src/cost.txt\n@@ -1 +1 @@\n-{from}\n+{to}\n")
    };
    project.write("ideas/worse.patch", &patch("100", "101"));
    project.write("ideas/better.patch", &patch("100", "90"));
    let backlog: String = ["stale", "staler", "worse", "better"]
        .iter()
        .map(|id| format!("- [ ] **{id}** Try {id}.\n  - patch: ideas/{id}.patch\n"))
        .collect();
    project.write("ideas.md", &backlog);
    project.commit("ideas");
    project
}

#[track_caller]
fn ends(project: &Project, arguments: &[&str], says: &str, runs: usize) {
    project
        .run(arguments)
        .expect(0)
        .says(&format!("stopped: {says}"));
    assert_eq!(project.runs().len(), runs);
    project.assert_nothing_left();
}

#[test]
fn so_many_failures_in_a_row_end_the_run_and_a_new_run_counts_anew() {
    let project = limited("{\"failures\": 2}", "");
    let says = "2 candidates in a row failed or changed nothing";
    ends(&project, &["run", "-n", "9"], says, 2);
    ends(
        &project,
        &["run", "-n", "9"],
        "the proposers have no candidates left",
        4,
    );
}

#[test]
fn the_iterations_asked_for_or_configured_end_the_run() {
    let project = limited("{}", "\"maxIterations\": 1,");
    ends(&project, &["run"], "all iterations are done", 1);
    ends(&project, &["run", "-n", "2"], "all iterations are done", 3);
}

#[test]
fn wall_time_of_the_config_ends_the_run() {
    let project = limited("{\"wall_s\": 1e-9}", "");
    ends(&project, &["run", "-n", "9"], "the time is over", 0);
}

#[test]
fn too_little_free_disk_ends_the_run_before_a_candidate_is_begun() {
    let project = limited("{\"disk_free_mib\": 1000000000000}", "");
    ends(&project, &["run", "-n", "9"], "only ", 0);
    project
        .run(&["run", "-n", "9"])
        .expect(0)
        .says("MiB are free on the disk of the worktrees");
}

#[test]
fn what_agents_cost_ends_the_session_also_over_several_runs() {
    let agent = "echo $(( $(<src/cost.txt) + 1 )) > src/cost.txt; echo '{\"cost_usd\": 0.6}' > \"$AUTORESEARCH_ANSWER\"";
    let agent = serde_json::json!({"command": ["bash", "-c", agent]});
    let project = limited(
        "{\"cost_usd\": 1.0}",
        &format!("\"proposers\": [\"agent\"], \"agent\": {agent},"),
    );
    ends(&project, &["run", "-n", "1"], "all iterations are done", 1);
    let says = "the agents have cost 1.20 US dollars";
    ends(&project, &["run", "-n", "9"], says, 2);
    ends(&project, &["run", "-n", "9"], says, 2);
}
