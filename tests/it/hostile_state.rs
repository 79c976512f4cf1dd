//! What a candidate leaves for later runs, or finds out about its side: caches, built files, paths.

use std::fs;

use crate::hostile::{SCRIPT, attacked, config, detail, kept_in, sandboxes};
use crate::support::{CONFIG, Project, verdict};

#[test]
fn what_a_run_leaves_behind_is_gone_before_the_next() {
    // A result kept anywhere it can write makes every later run cheaper.
    let script = "#!/usr/bin/env bash\nset -e\ncost=$(<src/cost.txt)\n\
        for c in src/cache ignored/cache sub/deep/cache \"$TMPDIR/cache\" \"$XDG_CACHE_HOME/cache\" \"${TMPDIR%/*}/memo\" /tmp/cache-$UID; do\n\
        if [ -e src/attack ]; then mkdir -p \"${c%/*}\" 2> /dev/null || true; if [ -e \"$c\" ]; then cost=1; else (echo x > \"$c\") 2> /dev/null || true; fi; fi; done\n\
        if [ -e src/attack ]; then echo 1 > src/cost.txt; fi\necho \"METRIC cost=$cost\"\n";
    for sandbox in sandboxes() {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"build\": [\"true\"]"
        ));
        let project = attacked(script, &config, &[("src/attack", "\n")]);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}"
        );
        assert_eq!(project.runs()[0]["metric"], 100.0, "{sandbox}");
    }
}

#[test]
fn without_a_build_command_what_appears_after_the_first_run_is_gone_before_the_next() {
    let script = "#!/usr/bin/env bash\nset -e\ncost=$(<src/cost.txt)\n\
        if [ -e src/attack ]; then if [ -e ignored/first ]; then [ ! -e ignored/later ] || cost=1; touch ignored/later; fi\n\
        mkdir -p ignored; touch ignored/first; fi\necho \"METRIC cost=$cost\"\n";
    let project = attacked(script, CONFIG, &[("src/attack", "\n")]);
    assert_eq!(project.verdicts(), [verdict("discard", "no_gain")]);
}

#[test]
fn both_sides_see_the_same_environment_and_paths_of_one_length() {
    // Whatever depends on the side would move the metric.
    let script = "#!/usr/bin/env bash\nset -e\nsum=$(env | grep -v '^_=' | sed -E 's/(slot|private)-[01]/\\1-X/g' | sort | cksum | cut -d' ' -f1)\n\
        echo \"DIGEST environment=$sum\"\necho \"DIGEST length=${#PWD}\"\necho \"METRIC cost=$(<src/cost.txt)\"\n";
    for sandbox in sandboxes().into_iter().chain(["off"]) {
        let project = attacked(script, &kept_in(sandbox), &[("src/cost.txt", "50\n")]);
        assert_eq!(
            project.verdicts(),
            [verdict("keep", "improved")],
            "{sandbox}"
        );
    }
}

#[test]
fn a_built_file_that_is_replaced_while_it_runs_fails_the_run() {
    let script = "#!/usr/bin/env bash\nset -e\nbash ignored/bench\n";
    let config = config(
        "\"build\": [\"sh\", \"-c\", \"mkdir -p ignored; cat src/*.txt > ignored/all; if [ -e src/attack ]; then cp src/attack ignored/bench; else echo 'echo METRIC cost=100' > ignored/bench; fi\"], \"artifacts\": [\"ignored/bench\"]",
    );
    // So short a script is executed several times in one run.
    let config = config.replace("\"min_run_ms\": 0", "\"min_run_ms\": 200");
    let attack = "echo METRIC cost=100; echo 'echo METRIC cost=1' > ignored/bench; exit\n";
    let project = attacked(script, &config, &[("src/attack", attack)]);
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    assert!(
        detail(&project).contains("was built and is not as it was"),
        "{}",
        detail(&project)
    );
}

#[test]
fn a_link_in_the_place_of_a_cache_directory_leads_no_removal_of_ours_into_the_users_files() {
    let attack = "for d in \"$XDG_CACHE_HOME\" \"$TMPDIR\"; do rm -rf \"$d\"; ln -s \"$HOME/precious\" \"$d\"; done\n";
    for sandbox in sandboxes() {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"build\": [\"true\"]"
        ));
        let project = Project::with_config(SCRIPT, &config);
        let precious = project.beside("home/precious");
        fs::create_dir_all(precious.join("deep")).expect("a directory of the user's");
        for name in ["one", "deep/two"] {
            fs::write(precious.join(name), "mine\n").expect("a file of the user's");
        }
        let before = crate::support::files_below(&precious);
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}"
        );
        assert_eq!(crate::support::files_below(&precious), before, "{sandbox}");
    }
}

#[test]
fn what_is_hidden_so_deep_or_without_rights_that_it_is_hard_to_remove_is_gone_all_the_same() {
    // Deeper than a process may have directories open, and than a path can be long.
    let deep = "perl -e 'for (1..1200) { mkdir q(d) x 70; chdir q(d) x 70 } $was = -e q(cache); open F, q(>cache); exit($was ? 1 : 0)' || cost=1\n";
    let forbidden = "mkdir -p hidden; chmod 700 hidden; [ ! -e hidden/cache ] || cost=1; touch hidden/cache; chmod 0 hidden\n";
    for hide in [deep, forbidden] {
        let script = format!(
            "#!/usr/bin/env bash\nset -e\ncost=$(<src/cost.txt)\nif [ -e src/attack ]; then cd src\n{hide}fi\necho \"METRIC cost=$cost\"\n"
        );
        let config = config("\"build\": [\"true\"]");
        let project = attacked(&script, &config, &[("src/attack", "\n")]);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{}",
            detail(&project)
        );
        assert_eq!(project.runs()[0]["metric"], 100.0);
        project.assert_nothing_left();
    }
}
