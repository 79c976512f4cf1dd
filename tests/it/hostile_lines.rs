//! Lines that a candidate prints in the place of the script's: METRIC and DIGEST lines, with and without a key.

use std::fs;

use crate::hostile::{HARMLESS, SCRIPT, attacked, config, detail, sandboxes};
use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

/// As [`SCRIPT`], with a key that only the script knows.
const KEYED_SCRIPT: &str = "#!/usr/bin/env bash\nset -e\n\
    key=; [[ -z \"${AUTORESEARCH_KEYED:-}\" ]] || read -r key\n\
    if [ -e src/attack ]; then bash src/attack || true; fi\n\
    echo \"METRIC${key:+[$key]} cost=$(<src/cost.txt)\"\n";

#[test]
fn a_forged_metric_line_beside_the_scripts_own_is_refused() {
    for attack in [
        "echo METRIC cost=1\n",
        "trap 'echo METRIC cost=1' EXIT\n",
        "bash -c 'echo METRIC cost=1' >&2\n",
        "for i in 1 2 3 4 5 6 7 8 9; do echo METRIC cost=1; done\n",
    ] {
        let project = attacked(SCRIPT, CONFIG, &[("src/attack", attack)]);
        assert_eq!(
            project.verdicts(),
            [verdict("crash", "bad_metric")],
            "{attack}"
        );
        assert_eq!(
            detail(&project),
            "it prints cost several times in a run, and its parent once"
        );
    }
}

#[test]
fn lines_without_the_key_never_count_early_late_from_a_child_or_before_the_exit() {
    let keyed = config("\"metric_lines\": \"keyed\"");
    for attack in [
        "echo METRIC cost=1\n",
        "trap 'echo METRIC cost=1' EXIT\n",
        "bash -c 'echo METRIC cost=1'\n",
        "echo METRIC cost=1; kill -KILL $$\n",
        "echo METRIC[] cost=1; echo 'METRIC[0] cost=1'; env; cat; echo METRIC cost=1\n",
        "(while :; do echo METRIC cost=1; sleep 0.01; done) &\n",
        "setsid bash -c 'while :; do echo METRIC cost=1; sleep 0.01; done' &\n",
        // The script's environment, descriptors and command line do not have it either.
        "key=$(tr '\\0' '\\n' < /proc/$PPID/environ | grep -E '^[0-9a-f]{28}$') || true\n\
         cat /proc/$PPID/fd/0 /proc/$PPID/cmdline || true\necho \"METRIC[$key] cost=1\"\n",
    ] {
        let files = [("src/attack", attack), HARMLESS];
        let project = attacked(KEYED_SCRIPT, &keyed, &files);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{attack}"
        );
    }
    let files = [("src/cost.txt", "50\n")];
    let honest = attacked(KEYED_SCRIPT, &keyed, &files);
    assert_eq!(honest.verdicts(), [verdict("keep", "improved")]);
}

#[test]
fn a_key_read_out_of_the_log_by_a_child_left_behind_gives_a_second_line_which_is_an_error() {
    // It waits for the script's line in the log, which can be read; to cut that line off, to write over it or
    // to take it away before we read it, as can be done with a file or a pipe, must fail.
    let attack = "(while ! key=$(grep -o 'METRIC.[0-9a-f]*.' ../logs/benchmark.log | head -n1) || [ -z \"$key\" ]; do :; done\n\
        : > /proc/self/fd/2; printf '%0200d' 0 1<> /proc/self/fd/2; perl -e 'truncate STDERR, 0'; dd bs=1 count=100 if=/proc/self/fd/2\n\
        (: > ../logs/benchmark.log) 2> /dev/null; echo \"$key cost=1\" >&2; touch src/forged) < /dev/null &\n";
    let script = format!(
        "rm -f src/forged\n{KEYED_SCRIPT}while [ -e src/attack ] && ! [ -e src/forged ]; do :; done\n"
    );
    for sandbox in sandboxes() {
        let config = config(&format!(
            "\"metric_lines\": \"keyed\", \"sandbox\": \"{sandbox}\""
        ));
        let project = Project::with_config(&script, &config);
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        // Bubblewrap's own /tmp hides what is there, but for the home directory.
        let work = project.beside("home/work");
        fs::create_dir_all(&work).expect("a directory");
        let variables = [("AUTORESEARCH_WORK_DIR", work.as_path())];
        project.run_with(&["run", "-n", "1"], &variables).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("crash", "bad_metric")],
            "{sandbox}: {}",
            detail(&project)
        );
        assert_eq!(
            detail(&project),
            "cost was printed twice with the key of one run"
        );
    }
}

#[test]
fn a_forged_digest_line_beside_the_scripts_own_is_refused() {
    let script = format!("{SCRIPT}echo \"DIGEST note=$(cat src/note.txt)\"\n");
    let files = [("src/attack", "echo DIGEST note=one\n"), HARMLESS];
    let project = attacked(&script, CONFIG, &files);
    assert_eq!(project.verdicts(), [verdict("crash", "bad_metric")]);
    assert!(
        detail(&project).contains("DIGEST note is one and then two in one run"),
        "{}",
        detail(&project)
    );
}

#[test]
fn a_script_that_reads_no_key_has_no_metric() {
    let project = Project::with_config(EXACT_SCRIPT, &config("\"metric_lines\": \"keyed\""));
    project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("no `METRIC cost=...` line");
}
