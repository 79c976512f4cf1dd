//! Results that a candidate's runs keep in files that its build made.

use crate::hostile::{attacked, config, detail};
use crate::support::{Project, verdict};

/// Cheap once something is in one of these files, which builds make empty; only with an attack is anything put
/// there. Every run of either side adds to the log.
const SCRIPT: &str = "#!/usr/bin/env bash\nset -e\n\
    cost=$(<src/cost.txt)\n\
    if [ -e src/attack ]; then [ ! -s ignored/memo ] || cost=1; echo x > ignored/memo; fi\n\
    echo run >> ignored/log\n\
    awk -v n=$cost -v r=$RANDOM 'BEGIN { printf \"METRIC cost=%f\\n\", n * (1 + (r - 16384) / 1638400) }'\n";

const BUILD: &str =
    "\"build\": [\"sh\", \"-c\", \"mkdir -p ignored; : > ignored/memo; : > ignored/log\"]";

#[test]
fn results_that_a_candidate_keeps_in_what_was_built_make_no_later_run_faster() {
    let attacked = |cost: &str| {
        let project = attacked(
            SCRIPT,
            &config(BUILD),
            &[("src/attack", "\n"), ("src/cost.txt", cost)],
        );
        for pair in project.runs()[0]["pairs"].as_array().into_iter().flatten() {
            assert!(pair["candidate"]["cost"].as_f64() > Some(90.0), "{pair}");
        }
        project
    };
    // Built again each time, it is what it is.
    let project = attacked("120\n");
    assert_eq!(project.verdicts(), [verdict("discard", "no_gain")]);
    // It looks better, and goes on until it is not built again any more.
    let project = attacked("97\n");
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    let said = detail(&project);
    let expected = "its runs change ignored/memo, which was built, and its parent's do not";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_runs_of_both_sides_change_of_what_was_built_is_nobodys_fault() {
    let project = Project::with_config(SCRIPT, &config(BUILD));
    project.ideas(&[("better", &[("src/cost.txt", "80\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}
