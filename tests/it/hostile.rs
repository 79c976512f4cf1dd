//! Candidates that cheat, pry or destroy. Each attack is prevented, or the candidate is refused with the
//! reason in its record, or SECURITY.md says that it is out of reach.

use std::fs;
use std::path::Path;
use std::process::Command;

use autoresearch::edge::sandbox::{bwrap_works, landlock_works};

use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

/// Runs what the candidate brought, then measures. The candidate's code is `src/attack`.
pub const SCRIPT: &str = "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then bash src/attack; fi\n\
    echo \"METRIC cost=$(<src/cost.txt)\"\n";

/// As [`SCRIPT`], with a key that only the script knows.
const KEYED_SCRIPT: &str = "#!/usr/bin/env bash\nset -e\n\
    key=; [[ -z \"${AUTORESEARCH_KEYED:-}\" ]] || read -r key\n\
    if [ -e src/attack ]; then bash src/attack || true; fi\n\
    echo \"METRIC${key:+[$key]} cost=$(<src/cost.txt)\"\n";

pub const HARMLESS: (&str, &str) = ("src/note.txt", "two\n");

pub fn config(more: &str) -> String {
    CONFIG.replace("\"min_run_ms\"", &format!("{more}, \"min_run_ms\""))
}

/// One candidate with this code, judged.
pub fn attacked(script: &str, config: &str, files: &[(&str, &str)]) -> Project {
    let project = Project::with_config(script, config);
    project.ideas(&[("attack", files)]);
    project.run(&["run", "-n", "1"]).expect(0);
    project
}

pub fn detail(project: &Project) -> String {
    project.runs()[0]["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The sandboxes that work on this machine; says which do not.
pub fn sandboxes() -> Vec<&'static str> {
    let tried = [("bwrap", bwrap_works()), ("landlock", landlock_works())];
    tried
        .into_iter()
        .filter_map(|(name, works)| match works {
            Ok(()) => Some(name),
            Err(why) => {
                eprintln!("SKIPPED with {name}: {why}");
                None
            }
        })
        .collect()
}

pub fn kept_in(sandbox: &str) -> String {
    config(&format!("\"sandbox\": \"{sandbox}\""))
}

// ---- METRIC lines -------------------------------------------------------------------------------

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

// ---- Writing elsewhere --------------------------------------------------------------------------

/// Tries to write to each of the places, which must fail.
pub fn writes_to(paths: &[&Path]) -> String {
    let mut attack = String::new();
    for path in paths {
        let path = path.display();
        attack.push_str(&format!("(echo evil >> {path}) 2> /dev/null || true\n"));
        attack.push_str(&format!("rm -rf {path} 2> /dev/null || true\n"));
    }
    attack
}

#[test]
fn in_a_sandbox_nothing_can_be_written_but_the_own_worktree_and_a_private_directory() {
    for sandbox in sandboxes() {
        let project = Project::with_config(SCRIPT, &kept_in(sandbox));
        fs::create_dir_all(project.beside("home")).expect("a home");
        let secret = project.beside("home/.bashrc");
        fs::write(&secret, "mine\n").expect("a file of the user's");
        let (root, work) = (project.root(), project.work_dir());
        let git = root.join(".git");
        let places = [
            secret.clone(),
            root.join("autoresearch.sh"),
            root.join("autoresearch.config.json"),
            root.join("ideas.md"),
            root.join("experiments.jsonl"),
            root.join("src/cost.txt"),
            git.join("config"),
            git.join("hooks/pre-commit"),
            git.join("autoresearch/lock"),
            git.join("refs/heads/main"),
            project.beside("machine.lock"),
        ];
        let mut attack = writes_to(&places.iter().map(|path| path.as_path()).collect::<Vec<_>>());
        // The other side's worktree, whichever that is, and everything beside it.
        attack.push_str(&format!(
            "for f in {0}/*/*/src/cost.txt {0}/*/private-*/*; do case $f in $PWD/*) ;; *) [ -O $f ] && echo 1 >> $f; esac; done 2> /dev/null\n\
             ln -s {1} src/out; (echo evil >> src/out/.bashrc) 2> /dev/null\n\
             ln {2} src/hard 2> /dev/null && echo evil >> src/hard\n\
             git config --file {3}/config core.fsmonitor evil 2> /dev/null\n\
             echo scratch > \"$TMPDIR/mine\" && echo own > src/mine && echo err > /dev/stderr\n",
            work.display(),
            project.beside("home").display(),
            secret.display(),
            git.display()
        ));
        project.ideas(&[("attack", &[("src/attack", &attack)])]);
        let git_files = |name: &str| fs::read(git.join(name)).ok();
        let before = (
            project.snapshot(),
            git_files("config"),
            git_files("hooks/pre-commit"),
        );
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}: {}",
            detail(&project)
        );
        let after = (
            project.snapshot(),
            git_files("config"),
            git_files("hooks/pre-commit"),
        );
        assert_eq!(before, after, "{sandbox}");
        assert_eq!(
            fs::read_to_string(&secret).expect("still there"),
            "mine\n",
            "{sandbox}"
        );
        project.assert_nothing_left();
    }
}

#[test]
fn in_a_sandbox_there_is_no_network_unless_it_is_allowed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    // Reaches the port: 50; does not: 100.
    let script = format!(
        "#!/usr/bin/env bash\nif (exec 3<>/dev/tcp/127.0.0.1/{port}) 2> /dev/null; then echo METRIC cost=50; else echo METRIC cost=100; fi\n"
    );
    for sandbox in sandboxes() {
        for (network, expected) in [(false, "100"), (true, "50")] {
            let config = config(&format!(
                "\"sandbox\": \"{sandbox}\", \"network\": {network}"
            ));
            let project = attacked(&script, &config, &[HARMLESS]);
            let metric = project.runs()[0]["metric"].to_string();
            assert!(
                metric.starts_with(expected),
                "{sandbox} {network}: {metric}"
            );
        }
    }
}

#[test]
fn in_a_sandbox_the_loop_itself_cannot_be_killed_or_read() {
    for sandbox in sandboxes() {
        let attack = "for p in /proc/[0-9]*; do p=${p#/proc/}; exe=$(readlink /proc/$p/exe 2> /dev/null) || continue\n\
            case $exe in *autoresearch*) kill -KILL $p; cat /proc/$p/environ > src/read;; esac; done 2> /dev/null\n\
            [ -s src/read ] && echo 1 > src/cost.txt\ntrue\n";
        let files = [("src/attack", attack), HARMLESS];
        let project = attacked(SCRIPT, &kept_in(sandbox), &files);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}"
        );
    }
}

#[test]
fn without_a_sandbox_a_hook_or_setting_put_into_the_users_repository_is_seen() {
    for attack in [
        "echo evil > \"$(git rev-parse --git-common-dir)/hooks/pre-commit\"\n",
        "git config core.fsmonitor evil\n",
    ] {
        let project = Project::with_config(SCRIPT, &kept_in("off"));
        fs::create_dir_all(project.root().join(".git/hooks")).expect("a directory for hooks");
        project.ideas(&[(
            "attack",
            &[("src/attack", attack), ("src/cost.txt", "50\n")],
        )]);
        project
            .run(&["run", "-n", "1"])
            .expect(0)
            .says("look at it before you use git there");
        assert_eq!(project.verdicts(), [verdict("checks_failed", "tampered")]);
    }
}

#[test]
fn without_a_sandbox_a_write_into_the_other_worktree_is_seen_also_where_git_ignores_it() {
    for place in ["src/cost.txt", "ignored/cost", "src/new.txt"] {
        let script = "#!/usr/bin/env bash\nset -e\nmkdir -p ignored; [ -e ignored/cost ] || echo 100 > ignored/cost\n\
            if [ -e src/attack ]; then bash src/attack; fi\n\
            echo \"METRIC cost=$(cat ignored/cost)\"\n";
        let attack = format!(
            "for s in ../slot-0 ../slot-1; do [ $s -ef . ] || echo 900 > $s/{place}; done\n"
        );
        let project = attacked(script, &kept_in("off"), &[("src/attack", &attack)]);
        assert_eq!(
            project.verdicts(),
            [verdict("checks_failed", "tampered")],
            "{place}"
        );
        assert!(detail(&project).ends_with(place), "{}", detail(&project));
        // Nothing of it is left for the next candidate.
        project.ideas(&[("harmless", &[HARMLESS])]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(project.verdicts()[1], verdict("discard", "no_gain"));
        assert_eq!(project.runs()[1]["incumbent"], 100.0);
    }
}

#[test]
fn a_ledger_that_was_written_to_meanwhile_stops_the_run() {
    let project = Project::with_config(SCRIPT, &kept_in("off"));
    let ledger = project.root().join("experiments.jsonl");
    let attack = format!("echo '{{}}' >> {}\n", ledger.display());
    project.ideas(&[("attack", &[("src/attack", &attack)])]);
    project
        .run(&["run", "-n", "1"])
        .expect(3)
        .says("was changed while the loop ran");
}

#[test]
fn without_a_sandbox_lock_files_that_are_taken_away_and_a_changed_backlog_spoil_no_verdict() {
    // Both are the user's own to change at any time: what is out of reach is to tell who did it.
    let project = Project::with_config(SCRIPT, &kept_in("off"));
    let root = project.root();
    let attack = format!(
        "rm -f {0}/.git/autoresearch/* {1}; echo evil > {0}/.git/index.lock; echo '# Nothing' > {0}/ideas.md\n",
        root.display(),
        project.beside("machine.lock").display()
    );
    let files = [("src/attack", attack.as_str())];
    project.ideas(&[("attack", &files), ("gone", &[HARMLESS])]);
    project.run(&["run", "-n", "2"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("discard", "no_gain")]);
    project.assert_nothing_left();
}

// ---- State between runs -------------------------------------------------------------------------

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

// ---- Links --------------------------------------------------------------------------------------

#[test]
fn links_swapped_in_while_it_runs_lead_no_write_of_ours_outside() {
    for sandbox in sandboxes().into_iter().chain(["off"]) {
        let config =
            kept_in(sandbox).replace("\"scope\": [\"src/**\"]", "\"scope\": [\"sub/src/**\"]");
        let config = config.replace("\"min_run_ms\"", "\"workingDir\": \"sub\", \"min_run_ms\"");
        let project = Project::empty();
        let outside = project.beside("outside");
        fs::create_dir_all(outside.join("src")).expect("a directory of the user's");
        for name in ["autoresearch.sh", "src/cost.txt", "precious"] {
            fs::write(outside.join(name), "mine\n").expect("a file of the user's");
        }
        project.write("autoresearch.config.json", &config);
        project.write("sub/autoresearch.sh", SCRIPT);
        project.write("sub/src/cost.txt", "100\n");
        project.commit("start");
        let attack = format!(
            "cd ..; mv sub gone; ln -s {} sub; cd gone; rm -rf src/__pycache__; ln -s {} .pytest_cache\n",
            outside.display(),
            outside.display()
        );
        project.write("sub/src/attack", &attack);
        project.git(&["add", "sub/src"]);
        let patch = project.git(&["diff", "--cached"]);
        project.git(&["reset", "--quiet", "--hard"]);
        project.write("sub/ideas/swap.patch", &patch);
        project.write(
            "sub/ideas.md",
            "# Ideas\n\n- [ ] **swap** (p1) Swap.\n  - patch: ideas/swap.patch\n",
        );
        project.commit("ideas");
        let before = crate::support::files_below(&outside);
        project.run(&["-C", "sub", "run", "-n", "1"]).expect(0);
        let text = project.read("sub/experiments.jsonl");
        let last = text.lines().last().expect("a line");
        assert!(last.contains("\"run_failed\""), "{sandbox}: {last}");
        assert_eq!(crate::support::files_below(&outside), before, "{sandbox}");
        project.assert_nothing_left();
    }
}

#[test]
fn a_link_to_another_repository_in_the_slot_is_not_followed() {
    // Its work tree is the user's home: a checkout there would remove what it does not know.
    let project = Project::with_config(SCRIPT, CONFIG);
    let home = project.beside("home");
    fs::create_dir_all(&home).expect("a home");
    fs::write(home.join("precious"), "mine\n").expect("a file of the user's");
    let attack = format!(
        "common=$(git rev-parse --git-common-dir); cp -r \"$common\" src/evil; rm -rf src/evil/worktrees\n\
         git --git-dir=src/evil config core.bare false; git --git-dir=src/evil config core.worktree {}\n\
         (rm -f .git && echo \"gitdir: $PWD/src/evil\" > .git) 2> /dev/null || true\n",
        home.display()
    );
    for sandbox in sandboxes().into_iter().chain(["off"]) {
        project.write("autoresearch.config.json", &kept_in(sandbox));
        project.git(&["add", "--all"]);
        project.git(&["commit", "--quiet", "--allow-empty", "--message", "config"]);
        let id = format!("evil-{sandbox}");
        project.ideas(&[(id.as_str(), &[("src/attack", attack.as_str())])]);
        project.run(&["run", "-n", "1"]).expect(0);
        let precious = fs::read_to_string(home.join("precious"));
        assert_eq!(precious.expect("still there"), "mine\n", "{sandbox}");
        project.assert_nothing_left();
    }
}

// ---- What judges --------------------------------------------------------------------------------

#[test]
fn no_candidate_may_change_what_judges_it_or_make_links() {
    let project = Project::new(EXACT_SCRIPT);
    let files = [
        "src/autoresearch.sh",
        "src/autoresearch.checks.sh",
        "src/autoresearch.config.json",
        "src/experiments.jsonl",
        "src/ideas.md",
        "src/.gitattributes",
        "src/Cargo.lock",
        "src/benches/a.rs",
    ];
    let ideas: Vec<(String, Vec<(&str, &str)>)> = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            (
                format!("i{index}"),
                vec![(*file, "x\n"), ("src/cost.txt", "1\n")],
            )
        })
        .collect();
    let ideas: Vec<(&str, &[(&str, &str)])> = ideas
        .iter()
        .map(|(id, files)| (id.as_str(), files.as_slice()))
        .collect();
    project.ideas(&ideas);
    project.run(&["run", "-n", "8"]).expect(0);
    assert_eq!(
        project.verdicts(),
        vec![verdict("checks_failed", "drift"); 8]
    );
}

#[test]
fn scripts_rewritten_while_running_are_ours_again_in_the_next_run() {
    let attack =
        "echo 'echo METRIC cost=1' > autoresearch.sh; echo 'exit 0' > autoresearch.checks.sh\n";
    let files = [
        ("src/attack", attack),
        ("src/bad.txt", "x\n"),
        ("src/cost.txt", "50\n"),
    ];
    let project = attacked(SCRIPT, CONFIG, &files);
    assert_eq!(
        project.verdicts(),
        [verdict("checks_failed", "gate_failed")]
    );
    assert_eq!(project.runs()[0]["metric"], 50.0);
}

#[test]
fn a_commit_that_a_candidate_makes_itself_counts_for_nothing() {
    let attack = "git -c user.name=x -c user.email=x@x commit --quiet --all --allow-empty -m mine 2> /dev/null\n\
        git update-ref refs/heads/main HEAD 2> /dev/null; git branch evil 2> /dev/null; true\n";
    for sandbox in sandboxes() {
        let project = Project::with_config(SCRIPT, &kept_in(sandbox));
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        let refs = || project.git(&["for-each-ref", "refs/heads"]);
        let before = refs();
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{sandbox}"
        );
        assert_eq!(refs(), before, "{sandbox}");
    }
}

// ---- Using everything up ------------------------------------------------------------------------

#[test]
fn a_child_that_prints_without_end_is_stopped_and_costs_bounded_disk() {
    let project = attacked(
        SCRIPT,
        CONFIG,
        &[("src/attack", "exec yes METRIC cost=1\n")],
    );
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    assert!(
        detail(&project).starts_with("autoresearch.sh printed more than 64 MiB and was killed"),
        "{}",
        detail(&project)
    );
}

#[test]
fn memory_beyond_the_limit_is_refused_to_the_process() {
    let script = "#!/usr/bin/env bash\nset -e\nif [ -e src/attack ]; then head -c 300M /dev/zero | tail -c 300M | wc -c; fi\n\
        set -o pipefail\nhead -c ${BYTES:-1} /dev/zero | tail -c 1 > /dev/null\n\
        if [ -e src/attack ]; then head -c 300M /dev/zero | tail -c 300M > /dev/null; fi\necho METRIC cost=100\n";
    let config = config("\"memory_mib\": 128");
    let project = attacked(script, &config, &[("src/attack", "\n")]);
    assert_eq!(project.verdicts(), [verdict("crash", "run_failed")]);
    assert!(detail(&project).contains("memory"), "{}", detail(&project));
}

#[test]
fn a_chain_of_children_that_never_ends_is_killed_at_the_deadline() {
    let attack = "cat > src/chain <<'X'\nexec 9>> src/alive\nsetsid bash src/chain > /dev/null 2>&1 &\nX\n\
        bash src/chain; sleep 600\n";
    for sandbox in sandboxes().into_iter().chain(["off"]) {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"timeouts\": {{\"benchmark_s\": 2}}"
        ));
        let project = attacked(SCRIPT, &config, &[("src/attack", attack)]);
        assert_eq!(
            project.verdicts(),
            [verdict("crash", "timeout")],
            "{sandbox}"
        );
        let left = Command::new("pgrep").args(["-f", "src/chain"]).output();
        if let Ok(left) = left {
            assert!(left.stdout.is_empty(), "{sandbox}: {left:?}");
        }
    }
}

// ---- Ordinary projects --------------------------------------------------------------------------

#[test]
fn cargo_builds_offline_in_every_sandbox() {
    for sandbox in sandboxes() {
        let config = config(&format!(
            "\"sandbox\": \"{sandbox}\", \"build\": [\"cargo\", \"build\", \"--release\", \"--offline\", \"--quiet\"], \"artifacts\": [\"target/release/toy\"]"
        ));
        let project = Project::empty();
        project.write("autoresearch.config.json", &config);
        project.write("autoresearch.sh", "exec target/release/toy\n");
        project.write(
            "Cargo.toml",
            "[package]\nname = \"toy\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        );
        project.write(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"toy\"\nversion = \"0.1.0\"\n",
        );
        project.write(
            "src/main.rs",
            "fn main() { println!(\"METRIC cost=100\") }\n",
        );
        project.write(".gitignore", "/target\n");
        project.commit("start");
        project.ideas(&[(
            "better",
            &[(
                "src/main.rs",
                "fn main() { println!(\"METRIC cost=50\") }\n",
            )],
        )]);
        // Where the tools of the machine's user are: read only.
        let home = std::env::var_os("HOME").expect("a home");
        let at = |variable: &str, directory: &str| {
            std::env::var_os(variable).map_or_else(|| Path::new(&home).join(directory), Into::into)
        };
        let (cargo, rustup) = (at("CARGO_HOME", ".cargo"), at("RUSTUP_HOME", ".rustup"));
        let variables = [
            ("CARGO_HOME", cargo.as_path()),
            ("RUSTUP_HOME", rustup.as_path()),
        ];
        project.run_with(&["run", "-n", "1"], &variables).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("keep", "improved")],
            "{sandbox}: {}",
            detail(&project)
        );
    }
}

#[test]
fn a_sandbox_that_does_not_work_here_is_an_error_when_it_was_asked_for() {
    let project = Project::with_config(EXACT_SCRIPT, &kept_in("bwrap"));
    let nowhere = project.beside("bin");
    fs::create_dir(&nowhere).expect("an empty directory");
    project
        .run_with(&["run", "-n", "1"], &[("PATH", &nowhere)])
        .expect(3)
        .says("bubblewrap does not work here");
}
