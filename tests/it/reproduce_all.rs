//! Every claim of a session, measured again from a clone that has only the commits and the ledger.

use serde_json::Value;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, Ran};

/// Three ideas, the second worse, run to the end, and the ledger committed.
fn kept_twice(script: &str, config: &str) -> Project {
    let project = Project::with_config(script, config);
    project.ideas(&[
        ("first", &[("src/cost.txt", "90\n")]),
        ("worse", &[("src/note.txt", "two\n")]),
        ("second", &[("src/other.txt", "60\n")]),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    project.git(&["add", "experiments.jsonl"]);
    project.git(&["commit", "--quiet", "--message", "ledger"]);
    project
}

/// The cost is the smaller of two files.
const SMALLER_OF_TWO: &str = "#!/usr/bin/env bash\nset -e\n\
    a=$(<src/cost.txt); b=$(cat src/other.txt 2>/dev/null || echo 1000)\n\
    echo \"METRIC cost=$(( a < b ? a : b ))\"\n";

fn in_clone(project: &Project, arguments: &[&str]) -> Ran {
    let clone = project.beside("clone");
    if !clone.exists() {
        project.git(&["clone", "--quiet", ".", "../clone"]);
    }
    let clone = clone.to_str().expect("UTF-8");
    project.run(&[&["-C", clone, "reproduce"], arguments].concat())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn all_claims_of_a_session_are_measured_again_from_a_fresh_clone() {
    let project = kept_twice(SMALLER_OF_TWO, CONFIG);
    let report = json(&in_clone(&project, &["--all", "--pairs", "6", "--json"]).expect(0));
    assert_eq!(report["holds"], true);
    let claims = report["claims"].as_array().expect("a list");
    let runs: Vec<Option<u64>> = claims.iter().map(|claim| claim["run"].as_u64()).collect();
    assert_eq!(runs, [Some(1), Some(3), None], "the whole is last");
    for (claim, percent) in claims.iter().zip([10.0, 100.0 / 3.0, 40.0]) {
        for side in ["claimed", "measured"] {
            let found = claim[side]["percent"].as_f64().expect("a number");
            assert!((found - percent).abs() < 1e-9, "{side}: {claim}");
        }
        assert_eq!(claim["verdict"], "reproduced");
        assert!(claim["load"].is_number() && claim["load_recorded"].is_number());
    }
    let ran = in_clone(&project, &["--all", "--pairs", "6"])
        .expect(0)
        .says("run 1: building\nrun 1: measuring, 6 pairs\n")
        .says("run 3: building\nrun 3: measuring, 3 of 6 pairs done\n")
        .says("all: measuring, 6 pairs\n");
    assert!(!ran.stderr.contains("end to end"), "{}", ran.stderr);
    let table = ran.stdout;
    assert!(table.contains("3 of 3 claims are reproduced"), "{table}");
    project.assert_nothing_left();
}

#[test]
fn a_claim_that_was_made_up_does_not_hold_and_the_others_are_still_measured() {
    let project = kept_twice(SMALLER_OF_TWO, CONFIG);
    let ledger = project.read("experiments.jsonl");
    // Run 1 claims 50 %, and the machine was another one.
    let edited = ledger
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            if line["run"] == 1 {
                line["estimate"]["log"] = Value::from(2f64.ln());
                line["estimate"]["percent"] = Value::from(50.0);
                let estimate = line["estimate"].as_object_mut().expect("an object");
                estimate.remove("lo");
                estimate.remove("hi");
            }
            if line["environment"].is_object() {
                line["environment"]["cpu"] = Value::from("Abacus 1");
                line["environment"]["rustc"] = Value::from("rustc 0.1.0");
            }
            format!("{line}\n")
        })
        .collect::<String>();
    project.write("experiments.jsonl", &edited);
    project.commit("a better story");
    let ran = in_clone(&project, &["--all", "--pairs", "6"]).expect(1);
    assert!(
        ran.stdout.contains("2 of 3 claims are reproduced"),
        "{}",
        ran.stdout
    );
    let told = "differs: the processor was Abacus 1 and is ";
    assert_eq!(ran.stdout.matches(told).count(), 1, "{}", ran.stdout);
    let one = in_clone(&project, &["1", "--pairs", "6"]).expect(1);
    assert!(
        one.stdout.contains("verdict   weaker than claimed"),
        "{}",
        one.stdout
    );
    assert!(
        one.stdout.contains("the processor was Abacus 1"),
        "{}",
        one.stdout
    );
}

#[test]
fn a_time_limit_measures_fewer_pairs_and_says_what_was_left_out() {
    let project = kept_twice(SMALLER_OF_TWO, CONFIG);
    let one = json(&in_clone(&project, &["3", "--time-limit", "1ms", "--json"]).expect(0));
    assert_eq!(one["measured"]["pairs"], 6);
    let ran = in_clone(&project, &["--all", "--time-limit", "1ms", "--json"]).expect(1);
    let report = json(&ran);
    assert_eq!(report["holds"], false);
    for claim in report["claims"].as_array().expect("a list") {
        assert_eq!(claim["verdict"], "cannot_tell");
        assert_eq!(claim["detail"], "the time limit was reached");
    }
    in_clone(&project, &["3", "--time-limit", "soon"])
        .expect(2)
        .says("is no time above 0");
}

#[test]
fn the_recorded_repeats_and_fresh_inputs_are_used() {
    let config = CONFIG.replace(
        "\"min_run_ms\": 0",
        "\"min_run_ms\": 60, \"hold_out_env\": \"SEED\"",
    );
    let project = kept_twice(SMALLER_OF_TWO, &config);
    let recorded = project
        .ledger()
        .into_iter()
        .find(|line| line["type"] == "calibration")
        .expect("a calibration")["repeats"]
        .clone();
    let one = json(&in_clone(&project, &["1", "--pairs", "6", "--json"]).expect(0));
    assert_eq!(one["repeats"], recorded);
    assert_eq!(one["hold_out"], true);
}

#[test]
fn commits_that_were_not_fetched_and_sessions_without_a_keep_are_told() {
    let project = kept_twice(SMALLER_OF_TWO, CONFIG);
    let main_only = ["--single-branch", "--branch", "main"];
    project.git(&[&["clone", "--quiet"], &main_only[..], &[".", "../clone"]].concat());
    // A local clone copies all objects; without the branch they are unreachable and go.
    let clone = project.beside("clone");
    let clone = clone.to_str().expect("UTF-8");
    project.git(&[
        "-C",
        clone,
        "-c",
        "gc.reflogExpire=now",
        "gc",
        "--quiet",
        "--prune=now",
    ]);
    in_clone(&project, &["--all"])
        .expect(3)
        .says("is not in this repository")
        .says("git fetch origin autoresearch/toy");

    let nothing = Project::new(EXACT_SCRIPT);
    nothing
        .run(&["reproduce", "--all"])
        .expect(2)
        .says("nothing was kept in the last session");
    nothing.run(&["reproduce"]).expect(2);
    nothing.run(&["reproduce", "--all", "1"]).expect(2);
}
