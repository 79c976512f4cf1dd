//! The ledger on disk: chained, so that an edit shows, and gone on with all the same.

use std::fs;

use crate::support::{EXACT_SCRIPT, Project};

#[test]
fn an_edited_line_is_named_by_the_doctor_and_by_the_next_run_which_goes_on() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[
        ("same", &[("src/note.txt", "two\n")]),
        ("better", &[("src/cost.txt", "90\n")]),
        ("best", &[("src/cost.txt", "80\n")]),
    ]);
    project.run(&["run", "-n", "1"]).expect(0);
    let second = project.run(&["run", "-n", "1"]).expect(0);
    assert!(
        !second.stderr.contains("not as it was written"),
        "{}",
        second.stderr
    );
    let ledger = project.read("experiments.jsonl");
    assert!(ledger.lines().all(|line| line.contains(",\"chain\":\"")));
    let healthy = project.run(&["doctor"]);
    assert!(
        healthy.stdout.contains("2 runs recorded"),
        "{}",
        healthy.stdout
    );

    let edited = ledger.replacen(
        "\"description\":\"Try same\"",
        "\"description\":\"Try SAME\"",
        1,
    );
    assert!(ledger != edited, "the line is there");
    let line = 1 + edited
        .lines()
        .position(|line| line.contains("Try SAME"))
        .expect("the edited line");
    fs::write(project.root().join("experiments.jsonl"), edited).expect("a written ledger");
    let doctor = project.run(&["doctor"]);
    let words = format!("line {line} of experiments.jsonl is not as it was written");
    assert!(doctor.stdout.contains(&words), "{}", doctor.stdout);
    project
        .run(&["run", "-n", "1"])
        .expect(0)
        .says(&format!("line {line} is not as it was written"));
    assert_eq!(project.runs().len(), 3);
}
