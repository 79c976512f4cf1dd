//! Patches of `ideas/` against the code as it is now.

use std::process::Command;

use crate::support::{Project, verdict};

#[test]
fn a_patch_is_applied_where_its_lines_are_after_a_keep_above_them() {
    let more_lines_cost_less = "#!/usr/bin/env bash\nset -e\n\
        echo \"METRIC cost=$((100 - $(wc -l <src/notes.txt)))\"\n";
    let project = Project::new(more_lines_cost_less);
    let lines = |first: &str, last: &str| format!("{first}b\nc\nd\ne\nf\ng\nh\n{last}");
    project.write("src/notes.txt", &lines("a\n", "z\n"));
    project.commit("notes");
    project.ideas(&[
        ("above", &[("src/notes.txt", &lines("a\n1\n2\n3\n", "z\n"))]),
        ("below", &[("src/notes.txt", &lines("a\n", "y\nz\n"))]),
    ]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(project.verdicts(), vec![verdict("keep", "improved"); 2]);
    let kept = project.git(&["show", "autoresearch/toy:src/notes.txt"]);
    assert_eq!(kept, lines("a\n1\n2\n3\n", "y\nz\n"));
}

/// The loop takes a patch where `git apply` does, which a property test compares.
#[test]
fn every_patch_of_the_bundled_backlog_applies() {
    let root = env!("CARGO_MANIFEST_DIR");
    let backlog = std::fs::read_to_string(format!("{root}/ideas.md")).expect("the backlog");
    let patches: Vec<&str> = backlog
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- patch: "))
        .collect();
    assert!(patches.len() > 10, "{patches:?}");
    for patch in patches {
        let output = Command::new("git")
            .args(["apply", "--check", patch])
            .current_dir(root)
            .output()
            .expect("git runs");
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{patch}: {why}");
    }
}
