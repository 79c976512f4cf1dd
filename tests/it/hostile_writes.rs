//! Candidates that write, or have us write through a link, where they have no business; and that reach for
//! the network or the loop's process.

use std::fs;

use crate::hostile::{HARMLESS, SCRIPT, attacked, config, detail, kept_in, sandboxes, writes_to};
use crate::support::{CONFIG, Project, verdict};

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
