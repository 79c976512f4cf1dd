//! The agent is kept in as candidates are: it writes into its worktree, a private directory and what the
//! config names, may commit there, and moves no branch.

use std::fs;
use std::path::Path;

use crate::hostile::{config, detail, kept_in, sandboxes, writes_to};
use crate::support::{EXACT_SCRIPT, Project, verdict};

/// A project whose candidates come from this agent, a shell script. It may write into `~/.state`.
fn with_agent(sandbox: &str, agent: &str, more: &str) -> Project {
    let command = serde_json::to_string(&["bash", "-c", agent]).expect("JSON");
    let config = config(&format!(
        "\"proposers\": [\"agent\"], \"agent\": {{\"command\": {command}, \"sandbox\": \"{sandbox}\", \
         \"writable\": [\"~/.state\", \"~/.state.json\", \"~/.nothing\"]{more}}}"
    ));
    let project = Project::with_config(EXACT_SCRIPT, &config);
    let home = project.beside("home");
    fs::create_dir_all(home.join(".state")).expect("a directory for its state");
    fs::write(home.join(".state.json"), "{}\n").expect("its settings");
    fs::write(home.join(".bashrc"), "mine\n").expect("a file of the user's");
    project
}

fn home(project: &Project, name: &str) -> String {
    let path = project.beside("home").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn an_agent_writes_its_worktree_a_private_directory_and_what_it_may_and_nothing_else() {
    for sandbox in sandboxes() {
        // The places are known when the project is there.
        let project = with_agent(
            sandbox,
            "echo one > \"$TMPDIR/mine\"; echo session > ~/.state/session; echo '{\"a\": 1}' > ~/.state.json\n\
             . ~/attack > /dev/null 2>&1; echo 50 > src/cost.txt; true",
            "",
        );
        let (root, git) = (project.root(), project.root().join(".git"));
        let places = [
            project.beside("home/.bashrc"),
            project.beside("home/.nothing"),
            root.join("autoresearch.sh"),
            root.join("experiments.jsonl"),
            root.join("src/cost.txt"),
            git.join("config"),
            git.join("hooks/pre-commit"),
            git.join("refs/heads/main"),
            git.join("objects/info/alternates"),
            git.join("autoresearch/lock"),
            project.beside("machine.lock"),
        ];
        let places: Vec<&Path> = places.iter().map(|path| path.as_path()).collect();
        let attack = format!(
            "{}for f in {}/*/slot-[01] {1}/*/private-[01]; do echo evil > $f/evil; done\n\
             git config core.fsmonitor evil\n",
            writes_to(&places),
            project.work_dir().display()
        );
        fs::write(project.beside("home/attack"), attack).expect("the attack");
        let before = (project.snapshot(), fs::read(git.join("config")).ok());
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("keep", "improved")],
            "{sandbox}: {}",
            detail(&project)
        );
        let after = (project.snapshot(), fs::read(git.join("config")).ok());
        assert_eq!(before, after, "{sandbox}");
        assert_eq!(home(&project, ".bashrc"), "mine\n");
        assert_eq!(home(&project, ".state/session"), "session\n");
        assert_eq!(home(&project, ".state.json"), "{\"a\": 1}\n");
        assert!(!project.beside("home/.nothing").exists());
        project.assert_nothing_left();
    }
}

#[test]
fn an_agent_has_the_network_unless_the_config_says_otherwise() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let agent = format!(
        "if (exec 3<>/dev/tcp/127.0.0.1/{port}) 2> /dev/null; then echo 50 > src/cost.txt; else echo 90 > src/cost.txt; fi"
    );
    for sandbox in sandboxes() {
        for (more, expected) in [("", 50.0), (", \"network\": false", 90.0)] {
            let project = with_agent(sandbox, &agent, more);
            project.run(&["run", "-n", "1"]).expect(0);
            assert_eq!(project.runs()[0]["metric"], expected, "{sandbox} {more}");
        }
    }
}

#[test]
fn an_agent_commits_in_its_sandbox_moves_no_branch_and_leaves_nothing_in_the_repository() {
    let agent = "set -e; echo 50 > src/cost.txt; echo new > src/added.txt; git add --all\n\
        git -c user.name=a -c user.email=a commit --quiet --message mine\n\
        git -c user.name=a -c user.email=a commit --quiet --allow-empty --message more\n\
        [ \"$(git log -1 --format=%s HEAD~1)\" = mine ]; echo two > src/note.txt\n\
        ! git update-ref refs/heads/main HEAD; ! git branch evil; ! git update-ref refs/heads/autoresearch/toy HEAD";
    for sandbox in sandboxes() {
        let project = with_agent(sandbox, agent, "");
        let refs = || {
            project.git(&[
                "for-each-ref",
                "refs/heads",
                "--format=%(refname) %(objectname)",
            ])
        };
        let main = project.git(&["rev-parse", "main"]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("keep", "improved")],
            "{sandbox}: {}",
            detail(&project)
        );
        let show = |path: &str| project.git(&["show", &format!("autoresearch/toy:{path}")]);
        assert_eq!(show("src/cost.txt"), "50\n");
        assert_eq!(show("src/added.txt"), "new\n");
        assert_eq!(show("src/note.txt"), "two\n");
        assert_eq!(project.git(&["rev-parse", "main"]), main);
        assert_eq!(refs().lines().count(), 2, "{}", refs());
        let log = project.git(&["log", "--all", "--format=%s"]);
        assert!(!log.contains("mine"), "{log}");
        project.git(&["fsck", "--strict"]);
        project.assert_nothing_left();
    }
}

#[test]
fn links_that_an_agent_puts_where_we_write_are_not_written_through() {
    // The first time it attacks; the second it works.
    let agent = "if [ -e ~/.state/struck ]; then echo 50 > src/cost.txt; exit; fi; touch ~/.state/struck\n\
        d=$(git rev-parse --git-dir); for f in HEAD index logs/HEAD; do rm -f $d/$f; ln -s ~/.bashrc $d/$f; done\n\
        p=$(dirname \"$AUTORESEARCH_ANSWER\"); rm -rf \"$p\"; ln -s ~/precious \"$p\"\n\
        c=$XDG_CACHE_HOME; rm -rf \"$c\"; ln -s ~/precious \"$c\"; rm -rf \"$TMPDIR\"; ln -s ~/precious \"$TMPDIR\"; true";
    for sandbox in sandboxes() {
        let project = with_agent(sandbox, agent, "");
        let precious = project.beside("home/precious");
        fs::create_dir(&precious).expect("a directory of the user's");
        for name in ["prompt.md", "brief.json", "answer.json", "mine"] {
            fs::write(precious.join(name), "mine\n").expect("a file of the user's");
        }
        let before = crate::support::files_below(&precious);
        project.run(&["run", "-n", "2"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [
                verdict("crash", "propose_failed"),
                verdict("keep", "improved")
            ],
            "{sandbox}"
        );
        assert_eq!(crate::support::files_below(&precious), before, "{sandbox}");
        assert_eq!(home(&project, ".bashrc"), "mine\n", "{sandbox}");
        project.assert_nothing_left();
    }
}

#[test]
fn an_answer_that_never_ends_is_refused() {
    for answer in [
        "mkfifo \"$AUTORESEARCH_ANSWER\"",
        "ln -s /dev/zero \"$AUTORESEARCH_ANSWER\"",
        "head -c 2000000 /dev/zero > \"$AUTORESEARCH_ANSWER\"",
    ] {
        let project = with_agent("auto", &format!("echo 50 > src/cost.txt; {answer}"), "");
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("crash", "propose_failed")],
            "{answer}"
        );
    }
}

#[test]
fn without_a_sandbox_a_branch_of_the_loops_that_an_agent_moves_is_never_overwritten_or_built_on() {
    // Its own commit, which no judgement has passed, on the session's branch.
    let agent = "[ -e ~/.state/struck ] && { echo 80 > src/cost.txt; exit; }; touch ~/.state/struck\n\
        echo 1 > src/cost.txt; git -c user.name=a -c user.email=a commit --quiet --all --message mine\n\
        git update-ref refs/heads/autoresearch/toy HEAD; git reset --quiet --hard HEAD~1; echo 90 > src/cost.txt";
    let project = with_agent("off", agent, "");
    let ran = project.run(&["run", "-n", "2"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("autoresearch/toy"), "{}", ran.stderr);
    // Left as it is for the user to look at.
    let subject = project.git(&["log", "-1", "--format=%s", "autoresearch/toy"]);
    assert_eq!(subject, "mine\n");
}

#[test]
fn an_agent_takes_the_sandbox_of_the_candidates_unless_it_has_one_of_its_own() {
    let agent = "\"proposers\": [\"agent\"], \"agent\": {\"command\": [\"bash\", \"-c\", \"echo 50 > src/cost.txt; echo x > ~/reached; true\"]";
    for sandbox in sandboxes() {
        for (own, reached) in [("", false), (", \"sandbox\": \"off\"", true)] {
            let config = kept_in(sandbox)
                .replace("\"min_run_ms\"", &format!("{agent}{own}}}, \"min_run_ms\""));
            let project = Project::with_config(EXACT_SCRIPT, &config);
            fs::create_dir(project.beside("home")).expect("a home");
            project.run(&["run", "-n", "1"]).expect(0);
            assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
            let is_there = project.beside("home/reached").exists();
            assert_eq!(is_there, reached, "{sandbox}{own}");
        }
    }
}

#[test]
fn a_place_that_is_no_absolute_path_is_an_error() {
    let project = with_agent("auto", "true", ", \"args\": []");
    let config = project
        .read("autoresearch.config.json")
        .replace("~/.nothing", "state");
    project.write("autoresearch.config.json", &config);
    project.commit("config");
    project
        .run(&["run", "-n", "1"])
        .expect(2)
        .says("\"state\" in `writable`, which begins with neither `/` nor `~/`");
}
