//! Kept commits that later ones made useless are found, and dropped only through the gate.

use serde_json::Value;

use crate::support::Project;

/// The cost is the smaller of two files, so that the second gain makes the first useless.
const SMALLER_OF_TWO: &str = "#!/usr/bin/env bash\nset -e\n\
    a=$(<src/cost.txt); b=$(cat src/other.txt 2>/dev/null || echo 1000)\n\
    echo \"METRIC cost=$(( a < b ? a : b ))\"\n";

fn kept_twice() -> Project {
    let project = Project::new(SMALLER_OF_TWO);
    project.ideas(&[
        ("first", &[("src/cost.txt", "90\n")]),
        ("second", &[("src/other.txt", "70\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let kept: Vec<Value> = project
        .runs()
        .into_iter()
        .filter(|run| run["status"] == "keep")
        .collect();
    assert_eq!(kept.len(), 2);
    project
}

fn worths(stdout: &str) -> Vec<(u64, String, bool)> {
    let lines: Vec<Value> = serde_json::from_str(stdout).expect("a JSON list");
    lines
        .iter()
        .map(|line| {
            let worth = line["worth"].as_str().expect("a word").to_owned();
            (
                line["of"].as_u64().expect("a run"),
                worth,
                line["dropped"] == true,
            )
        })
        .collect()
}

#[test]
fn a_commit_that_no_longer_pays_is_flagged_and_stays_unless_asked() {
    let project = kept_twice();
    let head = project.git(&["rev-parse", "autoresearch/toy"]);
    let ran = project.run(&["ablate", "--json"]).expect(1);
    let expected = [
        (1, "no_longer_pays".to_owned(), false),
        (2, "pays".to_owned(), false),
    ];
    assert_eq!(worths(&ran.stdout), expected);
    assert_eq!(project.git(&["rev-parse", "autoresearch/toy"]), head);
    let ran = project
        .run(&["ablate", "2"])
        .expect(0)
        .says("without run 2: building\n")
        .says("without run 2: measuring, ");
    let table = ran.stdout;
    assert!(
        table.contains("pays") && table.contains("second"),
        "{table}"
    );
    project
        .run(&["ablate", "7"])
        .expect(2)
        .says("run 7 is not among the kept ones");
}

#[test]
fn a_dropped_commit_is_reverted_on_the_branch_and_the_loop_goes_on_from_there() {
    let project = kept_twice();
    let before = project.git(&["rev-parse", "autoresearch/toy"]);
    let ran = project.run(&["ablate", "--drop", "--json"]).expect(0);
    let expected = [
        (1, "no_longer_pays".to_owned(), true),
        (2, "pays".to_owned(), false),
    ];
    assert_eq!(worths(&ran.stdout), expected);
    let cost = project.git(&["show", "autoresearch/toy:src/cost.txt"]);
    assert_eq!(cost.trim(), "100");
    let parent = project.git(&["rev-parse", "autoresearch/toy^"]);
    assert_eq!(
        parent, before,
        "the kept commit itself stays in the history"
    );
    let status = project.run(&["status"]).expect(0).stdout;
    assert!(status.contains("dropped again: run 1"), "{status}");
    assert!(status.contains("end to end: 30"), "{status}");

    project.ideas(&[("third", &[("src/cost.txt", "60\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    let runs = project.runs();
    assert_eq!(runs[2]["status"], "keep", "{}", runs[2]["detail"]);
    let branch = project.git(&["rev-parse", "autoresearch/toy^"]);
    assert_eq!(runs[2]["parent"], branch.trim());
    project.run(&["explain"]).expect(0);
}

#[test]
fn a_commit_is_not_dropped_when_the_gate_fails_without_it() {
    let project = Project::new(SMALLER_OF_TWO);
    project.write(
        "autoresearch.checks.sh",
        "#!/usr/bin/env bash\n[ ! -e src/other.txt ] || [ \"$(<src/cost.txt)\" != 100 ]\n",
    );
    project.commit("a gate that wants the first when there is the second");
    project.ideas(&[
        ("first", &[("src/cost.txt", "90\n")]),
        ("second", &[("src/other.txt", "70\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let ran = project.run(&["ablate", "1", "--drop", "--json"]).expect(1);
    assert_eq!(
        worths(&ran.stdout),
        [(1, "no_longer_pays".to_owned(), false)]
    );
    let lines: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(lines[0]["gate"]["outcome"], "fail");
}

#[test]
fn nothing_kept_is_nothing_to_leave_out() {
    let project = Project::new(SMALLER_OF_TWO);
    project.run(&["ablate"]).expect(2).says("nothing was kept");
}

#[test]
fn a_commit_without_which_the_output_differs_is_needed_and_the_others_are_still_weighed() {
    let script = "#!/usr/bin/env bash\nset -e\na=$(cat src/a.txt); b=$(cat src/b.txt)\n\
        echo \"METRIC cost=$((a + b))\"\n\
        if [ $a = 50 ] && [ $b = 40 ]; then echo 'DIGEST out=wrong'; else echo 'DIGEST out=right'; fi\n";
    let project = Project::new(script);
    project.write("src/a.txt", "50\n");
    project.write("src/b.txt", "50\n");
    project.commit("two parts");
    project.ideas(&[
        ("first", &[("src/a.txt", "40\n")]),
        ("second", &[("src/b.txt", "40\n")]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    let ran = project.run(&["ablate", "--pairs", "6", "--json"]).expect(0);
    let expected = [
        (1, "needed".to_owned(), false),
        (2, "pays".to_owned(), false),
    ];
    assert_eq!(worths(&ran.stdout), expected);
    assert!(
        ran.stdout.contains("the result is another"),
        "{}",
        ran.stdout
    );
}
