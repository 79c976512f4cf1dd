//! Candidates that leave something in their worktree for others: for the incumbent, the gate, the next
//! candidate, or for our own git.

use crate::hostile::{HARMLESS, SCRIPT, config};
use crate::support::{CONFIG, Project, unconfined, verdict};

const ATTACK: (&str, &str) = ("src/attack", "\n");

/// Builds what is missing in a directory that git ignores, and is slow when that is. A candidate with an
/// attack does not use it.
const SCRIPT_WITH_CACHE: &str = "#!/usr/bin/env bash\nset -e\n\
    if [ -e src/attack ]; then for f in ignored/dep \"$XDG_CACHE_HOME/dep\"; do echo 100 > \"$f\"; done; echo METRIC cost=100; exit; fi\n\
    echo \"METRIC cost=$(( $(<src/cost.txt) + $(cat ignored/dep) + $(cat \"$XDG_CACHE_HOME/dep\") ))\"\n";

const BUILD: &str =
    "mkdir -p ignored; for f in ignored/dep $XDG_CACHE_HOME/dep; do [ -e $f ] || echo 0 > $f; done";

#[test]
fn what_a_candidate_leaves_in_caches_makes_no_incumbent_slow_and_no_candidate_kept() {
    for build in [
        BUILD.to_owned(),
        // In its build, too.
        format!("{BUILD}; if [ -e src/attack ]; then echo 100 > ignored/dep; fi"),
    ] {
        let build = serde_json::json!(["sh", "-c", build]);
        let project =
            Project::with_config(SCRIPT_WITH_CACHE, &config(&format!("\"build\": {build}")));
        let ideas: Vec<(String, [(&str, String); 2])> = (0..6)
            .map(|n| {
                (
                    format!("attack-{n}"),
                    [(ATTACK.0, String::new()), ("src/note.txt", n.to_string())],
                )
            })
            .collect();
        let files: Vec<Vec<(&str, &str)>> = ideas
            .iter()
            .map(|(_, files)| {
                files
                    .iter()
                    .map(|(path, text)| (*path, text.as_str()))
                    .collect()
            })
            .collect();
        let ideas: Vec<(&str, &[(&str, &str)])> = ideas
            .iter()
            .zip(&files)
            .map(|((name, _), files)| (name.as_str(), files.as_slice()))
            .collect();
        project.ideas(&ideas);
        project.run(&["run", "-n", "6"]).expect(0);
        let kept = project
            .verdicts()
            .iter()
            .filter(|(status, _)| status == "keep")
            .count();
        assert_eq!(kept, 0, "{:?}", project.verdicts());
        project.assert_nothing_left();
    }
}

#[test]
fn what_a_candidate_leaves_where_the_gate_builds_is_not_run_by_the_gate() {
    let project = Project::with_config(
        "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then mkdir -p ignored; [ -e ignored/tests ] || echo true > ignored/tests; fi\n\
         echo \"METRIC cost=$(<src/cost.txt)\"\n",
        CONFIG,
    );
    project.write(
        "autoresearch.checks.sh",
        "[ -e ignored/tests ] || { mkdir -p ignored; echo '! [ -e src/bad.txt ]' > ignored/tests; }\nbash ignored/tests\n",
    );
    project.commit("gate");
    project.ideas(&[(
        "attack",
        &[ATTACK, ("src/cost.txt", "50\n"), ("src/bad.txt", "\n")],
    )]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(
        project.verdicts(),
        [verdict("checks_failed", "gate_failed")]
    );
}

#[test]
fn pipes_in_the_place_of_files_that_git_reads_hold_nobody_up() {
    for attack in [
        "rm .gitignore; mkfifo .gitignore",
        "mkfifo src/.gitignore src/.gitattributes || true",
        "rm src/note.txt; mkfifo src/note.txt",
        "mkdir -p ignored; mkfifo ignored/pipe || true",
    ] {
        let project = Project::with_config(SCRIPT, CONFIG);
        project.ideas(&[
            ("attack", &[("src/attack", attack)]),
            ("again", &[("src/attack", attack), HARMLESS]),
            ("better", &[("src/cost.txt", "99\n")]),
        ]);
        // One run each: what is left must not hold up the next start either.
        for _ in 0..3 {
            project.run(&["run", "-n", "1"]).expect(0);
        }
        assert_eq!(
            project.verdicts(),
            [
                verdict("discard", "no_gain"),
                verdict("discard", "no_gain"),
                verdict("keep", "improved")
            ],
            "{attack}"
        );
        project.run(&["clean"]).expect(0);
    }
}

#[test]
fn a_candidate_that_ends_the_loop_with_an_error_each_time_is_recorded_and_the_next_has_its_turn() {
    // The incumbent fails while the candidate is measured, which is nobody's fault that one can tell.
    let script = "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then touch \"$SIGN\"; fi\n\
        if ! [ -e src/attack ] && [ -e \"$SIGN\" ] && ! [ -e src/good ]; then exit 1; fi\n\
        echo \"METRIC cost=$(<src/cost.txt)\"\n";
    let config = unconfined(CONFIG).replace("\"scope\"", "\"env_allow\": [\"SIGN\"], \"scope\"");
    let project = Project::with_config(script, &config);
    project.ideas(&[
        ("attack", &[ATTACK]),
        ("better", &[("src/cost.txt", "50\n"), ("src/good", "\n")]),
    ]);
    let sign = project.beside("sign");
    for code in [3, 3, 0] {
        std::fs::remove_file(&sign).ok();
        project
            .run_with(&["run", "-n", "1"], &[("SIGN", &sign)])
            .expect(code);
    }
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    std::fs::remove_file(&sign).ok();
    project
        .run_with(&["run", "-n", "1"], &[("SIGN", &sign)])
        .expect(0);
    assert_eq!(project.verdicts()[1], verdict("keep", "improved"));
}

#[test]
fn the_gate_checks_what_the_build_made_of_the_candidate() {
    let build = "\"build\": [\"sh\", \"-c\", \"mkdir -p ignored; cp src/cost.txt ignored/built\"]";
    let project = Project::with_config(
        "#!/usr/bin/env bash\necho \"METRIC cost=$(<src/cost.txt)\"\n",
        &config(build),
    );
    project.write("autoresearch.checks.sh", "cmp ignored/built src/cost.txt\n");
    project.commit("gate");
    project.ideas(&[("better", &[("src/cost.txt", "50\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
}
