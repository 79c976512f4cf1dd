//! Kept commits on branches of their own.

use std::path::Path;

use serde_json::Value;

use crate::support::Project;

/// The cost is the sum of what three files say. `src/user.txt` rests on `src/base.txt`: without it
/// the benchmark fails.
const SUM: &str = "#!/usr/bin/env bash\nset -e\n\
    if [ -e src/user.txt ] && [ ! -e src/base.txt ]; then echo 'no base'; exit 1; fi\n\
    cost=$(<src/cost.txt); other=$(<src/other.txt)\n\
    if [ -e src/user.txt ]; then user=$(<src/user.txt); else user=100; fi\n\
    if [ -e src/base.txt ]; then user=$((user - 10)); fi\n\
    echo \"METRIC cost=$((cost + other + user))\"\n";

fn project_with(ideas: &[(&str, &[(&str, &str)])]) -> Project {
    let project = Project::new(SUM);
    project.write("src/other.txt", "100\n");
    project.commit("another file");
    project.ideas(ideas);
    let count = ideas.len().to_string();
    project.run(&["run", "-n", &count]).expect(0);
    let statuses: Vec<String> = project.verdicts().into_iter().map(|(is, _)| is).collect();
    assert_eq!(
        statuses,
        vec!["keep"; ideas.len()],
        "{:?}",
        project.verdicts()
    );
    project
}

/// Two that have nothing to do with each other: 300 becomes 250 and then 210.
fn independent() -> Project {
    project_with(&[
        ("first", &[("src/cost.txt", "50\n")]),
        ("second", &[("src/other.txt", "60\n")]),
    ])
}

/// The second works on top of the first only.
fn dependent() -> Project {
    project_with(&[
        ("base", &[("src/base.txt", "x\n")]),
        ("alone", &[("src/cost.txt", "50\n")]),
        ("user", &[("src/user.txt", "20\n")]),
    ])
}

fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).expect("JSON")
}

fn groups(project: &Project, arguments: &[&str], code: i32) -> Vec<Value> {
    let arguments = [&["finalize", "--pairs", "6", "--json"], arguments].concat();
    let report = json(&project.run(&arguments).expect(code).stdout);
    report["groups"].as_array().expect("a list").clone()
}

fn branches(project: &Project) -> Vec<String> {
    let all = project.git(&[
        "for-each-ref",
        "--format=%(refname:short)",
        "refs/heads/autoresearch/",
    ]);
    all.lines().map(str::to_owned).collect()
}

#[test]
fn independent_keeps_become_branches_with_their_own_effect_and_nothing_else_changes() {
    let project = independent();
    project.write("src/note.txt", "my own edit\n");
    let before = project.snapshot();
    let found = groups(&project, &["--pr-dir", "../pr"], 0);
    assert_eq!(project.snapshot(), before);
    project.assert_nothing_left();
    assert_eq!(
        branches(&project),
        [
            "autoresearch/toy",
            "autoresearch/toy-final/first",
            "autoresearch/toy-final/second"
        ]
    );
    // In the loop the second was 250 to 210, a gain of 16 %; alone it is 300 to 260.
    let alone = 100.0 * 40.0 / 300.0;
    let percent = found[1]["measured"]["gain"]["percent"]
        .as_f64()
        .expect("a number");
    assert!((percent - alone).abs() < 1e-9, "{percent}");
    let tip = project.git(&["log", "-1", "--format=%B", "autoresearch/toy-final/second"]);
    assert!(
        tip.contains("cost +13.3 % [+13.3, +13.3], 6 fresh pairs"),
        "{tip}"
    );
    assert!(
        !tip.contains("Result:") && !tip.contains("Autoresearch-Estimate"),
        "{tip}"
    );
    for (branch, file) in [("first", "src/cost.txt"), ("second", "src/other.txt")] {
        let branch = format!("autoresearch/toy-final/{branch}");
        let changed = project.git(&["diff", "--name-only", &format!("{branch}^"), &branch]);
        assert_eq!(changed, format!("{file}\n"));
        let start = project.runs()[0]["parent"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_eq!(
            project.git(&["rev-parse", &format!("{branch}^")]).trim(),
            start
        );
    }
    let text = std::fs::read_to_string(project.beside("pr/second.md")).expect("a text");
    assert!(text.contains("**cost: +13.3 %"), "{text}");
    assert!(text.contains("passes on this branch alone"), "{text}");
    // Merged, they are the head.
    project.git(&[
        "checkout",
        "--quiet",
        "-f",
        "-b",
        "both",
        "autoresearch/toy-final/first",
    ]);
    project.git(&[
        "merge",
        "--quiet",
        "-m",
        "both",
        "autoresearch/toy-final/second",
    ]);
    assert_eq!(project.git(&["diff", "both", "autoresearch/toy"]), "");
    // And what a branch says of itself can be measured again.
    let ran = project
        .run(&["reproduce", "autoresearch/toy-final/second", "--pairs", "6"])
        .expect(0);
    assert!(ran.stdout.contains("claimed   +13.3 %"), "{}", ran.stdout);
}

#[test]
fn commits_that_do_not_work_without_another_share_its_branch() {
    let project = dependent();
    let ran = project
        .run(&["finalize", "--pairs", "6"])
        .expect(0)
        .says("alone: building alone\nalone: checking alone\nalone: building\n")
        .says("base: measuring, 6 pairs\n");
    assert!(
        ran.stderr.contains("base and user belong together"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        branches(&project)[1..],
        [
            "autoresearch/toy-final/alone",
            "autoresearch/toy-final/base"
        ]
    );
    let subjects = project.git(&["log", "-2", "--format=%s", "autoresearch/toy-final/base"]);
    assert_eq!(subjects, "Try user\nTry base\n");
    let shown = project.git(&["show", "autoresearch/toy-final/base:src/cost.txt"]);
    assert_eq!(shown, "100\n");
}

#[test]
fn commits_of_one_file_share_a_branch_and_one_that_conflicts_alone_is_refused() {
    let project = independent();
    // On top of what was kept: the next change of the first file.
    project.git(&["checkout", "--quiet", "--detach", "autoresearch/toy"]);
    project.write("src/cost.txt", "40\n");
    project.run(&["try", "-m", "Third"]).expect(0);
    project.git(&["checkout", "--quiet", "-f", "main"]);
    project
        .run(&["finalize", "--plan", "../plan.json", "--json"])
        .expect(0);
    let path = project.beside("plan.json");
    let mut plan = json(&std::fs::read_to_string(&path).expect("a plan"));
    let runs = |plan: &Value| -> Vec<Value> {
        let groups = plan["groups"].as_array().expect("a list");
        groups.iter().map(|group| group["runs"].clone()).collect()
    };
    assert_eq!(
        runs(&plan),
        [serde_json::json!([1, 3]), serde_json::json!([2])]
    );
    plan["groups"][0]["runs"] = serde_json::json!([1]);
    plan["groups"][1]["runs"] = serde_json::json!([2, 3]);
    std::fs::write(&path, plan.to_string()).expect("written");
    project
        .run(&["finalize", "--from", "../plan.json"])
        .expect(2)
        .says("the commit of run 3 does not apply without those of other groups");
    assert_eq!(branches(&project), ["autoresearch/toy"]);
}

#[test]
fn a_second_time_nothing_is_measured_again_and_a_branch_of_another_kind_is_refused() {
    let project = independent();
    let first = groups(&project, &[], 0);
    let tips: Vec<&Value> = first.iter().map(|group| &group["commit"]).collect();
    let second = groups(&project, &[], 0);
    for (group, tip) in second.iter().zip(&tips) {
        assert_eq!(group["outcome"], "already");
        assert_eq!(&&group["commit"], tip);
    }
    let again = groups(&project, &["--force"], 0);
    assert_eq!(again[0]["outcome"], "made");

    project.git(&["branch", "-f", "autoresearch/toy-final/second", "main"]);
    let ran = project.run(&["finalize", "--pairs", "6"]).expect(2);
    assert!(
        ran.stderr
            .contains("autoresearch/toy-final/second exists and is another"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        project.git(&["rev-parse", "autoresearch/toy-final/second"]),
        project.git(&["rev-parse", "main"])
    );
    project.git(&["checkout", "--quiet", "autoresearch/toy-final/second"]);
    project
        .run(&["finalize", "--force"])
        .expect(3)
        .says("autoresearch/toy-final/second is checked out in");
}

#[test]
fn a_plan_is_written_edited_and_used_and_a_wrong_one_is_refused() {
    let project = independent();
    let ran = project
        .run(&["finalize", "--plan", "../plan.json"])
        .expect(0);
    assert!(ran.stdout.contains("first: Try first"), "{}", ran.stdout);
    project
        .run(&["finalize", "--plan", "../plan.json"])
        .expect(2)
        .says("plan.json exists");
    let path = project.beside("plan.json");
    let text = std::fs::read_to_string(&path).expect("a plan");
    let printed = project.run(&["finalize", "--plan", "-"]).expect(0).stdout;
    assert_eq!(printed.trim(), text.trim(), "`-` is standard output");
    assert!(!project.root().join("-").exists());
    let mut plan = json(&text);
    plan["groups"] = serde_json::json!([
        {"name": "both", "title": "Cheaper", "runs": [2, 1], "body": "Two files."}
    ]);
    std::fs::write(&path, plan.to_string()).expect("written");
    let found = groups(&project, &["--from", "../plan.json"], 0);
    assert_eq!(found[0]["branch"], "autoresearch/toy-final/both");
    let percent = found[0]["measured"]["gain"]["percent"].as_f64();
    assert!(
        (percent.expect("a number") - 30.0).abs() < 1e-9,
        "{percent:?}"
    );
    assert_eq!(
        project.git(&["diff", "autoresearch/toy-final/both", "autoresearch/toy"]),
        ""
    );

    plan["groups"][0]["runs"] = serde_json::json!([1]);
    std::fs::write(&path, plan.to_string()).expect("written");
    project
        .run(&["finalize", "--from", "../plan.json"])
        .expect(2)
        .says("run 2 is in no group");
    project
        .run(&["finalize", "--from", "../none.json"])
        .expect(2)
        .says("cannot read");
}

#[test]
fn a_group_that_fails_alone_gets_no_branch_and_the_others_do() {
    let project = dependent();
    project
        .run(&["finalize", "--plan", "../plan.json"])
        .expect(0);
    let path = project.beside("plan.json");
    let mut plan = json(&std::fs::read_to_string(&path).expect("a plan"));
    plan["groups"] = serde_json::json!([
        {"name": "a", "title": "a", "runs": [1, 2]},
        {"name": "b", "title": "b", "runs": [3]}
    ]);
    std::fs::write(&path, plan.to_string()).expect("written");
    let found = groups(&project, &["--from", "../plan.json"], 1);
    assert_eq!(found[0]["outcome"], "made");
    assert_eq!(found[1]["outcome"], "fails");
    assert!(
        found[1]["detail"]
            .as_str()
            .expect("text")
            .contains("no base"),
        "{}",
        found[1]
    );
    assert_eq!(branches(&project)[1..], ["autoresearch/toy-final/a"]);
}

#[test]
fn what_the_gate_refuses_alone_gets_no_branch() {
    let project = Project::new(SUM);
    project.write("src/other.txt", "100\n");
    // The second alone is refused.
    project.write(
        "autoresearch.checks.sh",
        "#!/usr/bin/env bash\n[ \"$(cat src/other.txt)\" = 100 ] || [ \"$(<src/cost.txt)\" = 50 ] || { echo half; exit 1; }\n",
    );
    project.commit("a gate");
    project.ideas(&[
        ("first", &[("src/cost.txt", "50\n")]),
        ("second", &[("src/other.txt", "60\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let found = groups(&project, &[], 1);
    assert_eq!(found[0]["outcome"], "made");
    assert_eq!(found[1]["outcome"], "gate_fails");
    assert_eq!(found[1]["detail"], "half");
}

#[test]
fn what_was_dropped_is_on_no_branch() {
    // The second makes the first useless.
    let script = "#!/usr/bin/env bash\nset -e\na=$(<src/cost.txt); b=$(cat src/other.txt 2>/dev/null || echo 1000)\necho \"METRIC cost=$(( a < b ? a : b ))\"\n";
    let project = Project::new(script);
    project.ideas(&[
        ("first", &[("src/cost.txt", "90\n")]),
        ("second", &[("src/other.txt", "70\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    project.run(&["ablate", "--drop"]).expect(0);
    let found = groups(&project, &[], 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["runs"], serde_json::json!([2]));
    assert_eq!(
        project.git(&["diff", "autoresearch/toy-final/second", "autoresearch/toy"]),
        ""
    );
}

#[test]
fn without_a_keep_or_with_a_branch_in_the_way_it_says_so() {
    let project = Project::new(SUM);
    project.run(&["finalize"]).expect(2).says("cannot read");
    let project = independent();
    project.git(&["branch", "autoresearch/toy-final"]);
    project
        .run(&["finalize"])
        .expect(3)
        .says("branch autoresearch/toy-final is in the way");
    assert!(!Path::new(&project.beside("pr")).exists());
}

#[test]
fn killed_between_two_branches_it_goes_on_with_the_second() {
    let project = independent();
    let status = project
        .command(&["finalize", "--pairs", "6"])
        .env("AUTORESEARCH_FAULT", "kill:group-made")
        .status()
        .expect("the binary starts");
    assert!(!status.success());
    assert_eq!(branches(&project)[1..], ["autoresearch/toy-final/first"]);
    let found = groups(&project, &[], 0);
    assert_eq!(found[0]["outcome"], "already");
    assert_eq!(found[1]["outcome"], "made");
    project.assert_nothing_left();
}
