//! Links and repositories that a candidate or an agent puts where we have git write or read.

use std::fs;
use std::path::Path;

use crate::submodules::{config_of_agent, with_data, with_library};
use crate::support::{CONFIG, EXACT_SCRIPT, Project, files_below, unconfined, verdict};

/// A benchmark that also does what the candidate's `src/attack` says.
fn with_attack(script: &str) -> String {
    format!("{script}[ ! -e src/attack ] || . src/attack\n")
}

fn add_attack(project: &Project) {
    let script = with_attack(&project.read("autoresearch.sh"));
    project.write("autoresearch.sh", &script);
    project.commit("attack");
}

/// Three candidates: one that puts a link to the user's files in this place, one that does not, and again.
fn attacked(project: &Project, place: &str, below: &str) {
    let theirs = project.beside("theirs");
    fs::create_dir_all(theirs.join(below)).expect("a directory");
    for name in ["mine", "lib.txt", "in.txt", "x.txt", "data.bin"] {
        fs::write(theirs.join(below).join(name), "mine\n").expect("written");
    }
    let before = files_below(&theirs);
    let attack = format!("rm -rf {place}; ln -s {} {place}\n", theirs.display());
    project.ideas(&[
        ("attack", &[("src/attack", &*attack)]),
        ("worse", &[("src/cost.txt", "120\n")]),
        (
            "again",
            &[("src/attack", &*attack), ("src/cost.txt", "80\n")],
        ),
    ]);
    project.run(&["run", "-n", "3"]).expect(0);
    assert_eq!(project.runs().len(), 3, "{place}");
    assert_eq!(
        project.verdicts()[1],
        verdict("discard", "no_gain"),
        "{place}"
    );
    assert!(files_below(&theirs) == before, "{place}");
    project.run(&["clean"]).expect(0);
    assert!(files_below(&theirs) == before, "{place}");
}

#[test]
fn a_checkout_writes_and_removes_through_no_link_that_a_candidate_has_left() {
    for config in [CONFIG, &unconfined(CONFIG)] {
        for (place, below) in [("assets", "deep"), ("assets/deep", "")] {
            let project = Project::with_config(&with_attack(EXACT_SCRIPT), config);
            project.write("assets/deep/x.txt", "x\n");
            project.commit("assets");
            attacked(&project, place, below);
        }
    }
}

#[test]
fn neither_does_one_of_submodules_and_lfs_files() {
    let places = [
        ("lib", "inner"),
        ("lib/inner", ""),
        ("lib/deep", ""),
        ("lib/inner/deep", ""),
        ("data", ""),
    ];
    for (place, below) in places {
        let project = if place == "data" {
            with_data(CONFIG)
        } else {
            with_library(CONFIG)
        };
        add_attack(&project);
        attacked(&project, place, below);
    }
}

#[test]
fn a_repository_that_somebody_puts_into_a_worktree_is_not_read() {
    // Git would wait for the writer of its settings for ever.
    let repository = |place: &str| {
        format!(
            "mkdir -p {place}/.git/objects {place}/.git/refs; echo 'ref: refs/heads/a' > {place}/.git/HEAD; \
             mkfifo \"$TMPDIR/pipe\" || true; ln -sf \"$TMPDIR/pipe\" {place}/.git/config; \
             ln -sf \"$TMPDIR/pipe\" {place}/.git/index\n"
        )
    };
    for place in ["lib", "lib/inner", "src/own"] {
        let attack = repository(place);
        let project = with_library(&config_of_agent(&format!("{attack}echo 50 > src/cost.txt")));
        project.run(&["run", "-n", "2"]).expect(0);
        let expected = if place == "src/own" {
            vec![verdict("crash", "propose_failed"); 2]
        } else {
            vec![verdict("keep", "improved"), verdict("discard", "no_change")]
        };
        assert_eq!(
            project.verdicts(),
            expected,
            "{place}: {}",
            project.runs()[0]
        );
        let project = with_library(CONFIG);
        add_attack(&project);
        project.ideas(&[
            ("attack", &[("src/attack", &*attack)]),
            ("better", &[("src/cost.txt", "80\n")]),
        ]);
        project.run(&["run", "-n", "2"]).expect(0);
        assert_eq!(
            project.verdicts()[1],
            verdict("keep", "improved"),
            "{place}"
        );
        assert!(!Path::new(&project.work_dir().join("slot-0")).exists());
    }
}
