//! Candidates that use the machine up, or slow down what they are compared with.

use std::fs::{self, File};
use std::process::{Command, Output};

use autoresearch::edge::cgroup::Groups;

use crate::hostile::{HARMLESS, SCRIPT, assert_lock_is_free, config, detail, sandboxes, with_lock};
use crate::support::{EXACT_SCRIPT, Project, verdict};

/// Every way to be kept in that works here; `off` only where control groups are to be had.
fn all_but_nothing() -> Vec<&'static str> {
    let groups = Groups::open(&format!("test-forks-{}", std::process::id()));
    let mut ways = sandboxes();
    match groups {
        Ok(_) => ways.push("off"),
        Err(why) => {
            eprintln!("SKIPPED without control groups: {why}");
            // It dies with bubblewrap's process 1, but not with Landlock's.
            ways.retain(|way| *way == "bwrap");
        }
    }
    ways
}

#[test]
fn what_forks_for_ever_in_sessions_of_its_own_is_dead_after_the_run() {
    // Two sessions, in each four lines of processes that fork the next and end: none lives long enough to be
    // killed by its id. They are no more than eight at a time, for the sake of who runs this test.
    let attack = "cat > src/bomb <<'X'\nexec 9< \"$HOME/lock\"; flock --shared 9\n\
        f() { if [ $1 -lt 2 ]; then f $(($1 + 1)) & fi; f $(($1 + 1)) & }; f 0\nX\n\
        for i in 1 2; do setsid bash src/bomb > /dev/null 2>&1 & done; sleep 600\n";
    for way in all_but_nothing() {
        let config = config(&format!(
            "\"sandbox\": \"{way}\", \"timeouts\": {{\"benchmark_s\": 2}}"
        ));
        let project = with_lock(SCRIPT, &config);
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(project.verdicts(), [verdict("crash", "timeout")], "{way}");
        assert_lock_is_free(&project, way);
        project.assert_nothing_left();
    }
}

#[test]
fn what_a_candidate_leaves_running_or_locked_does_not_meet_the_incumbent() {
    // The incumbent would look nine times as bad while something of the candidate's held the lock.
    let script = "#!/usr/bin/env bash\nset -e\nexec 9< \"$HOME/lock\"\n\
        if ! flock --nonblock 9; then echo METRIC cost=900; exit; fi\n\
        if [ -e src/attack ]; then bash src/attack 9<&-; fi\necho \"METRIC cost=$(<src/cost.txt)\"\n";
    let attack = "setsid bash -c 'exec 9< \"$HOME/lock\"; flock 9; while :; do :; done' > /dev/null 2>&1 &\n\
        bash -c 'exec 9< \"$HOME/lock\"; flock 9; while :; do :; done' > /dev/null 2>&1 &\n";
    for way in sandboxes().into_iter().chain(["off"]) {
        let project = with_lock(script, &config(&format!("\"sandbox\": \"{way}\"")));
        project.ideas(&[("attack", &[("src/attack", attack)])]);
        project.run(&["run", "-n", "1"]).expect(0);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain")],
            "{way}: {}",
            detail(&project)
        );
        assert_eq!(project.runs()[0]["incumbent"], 100.0, "{way}");
        assert_lock_is_free(&project, way);
    }
}

/// Runs the binary where these shell commands have changed what is mounted; `None`, said, where that is
/// not allowed.
fn with_mounts(project: &Project, mounts: &str, arguments: &[&str]) -> Option<Output> {
    let is_root = Command::new("id").arg("-u").output();
    let is_root = is_root.is_ok_and(|output| output.stdout == b"0\n");
    let unshare: &[&str] = if is_root {
        &["unshare", "--mount"]
    } else {
        &["unshare", "--mount", "--map-root-user"]
    };
    let script = format!("{mounts}; exec \"$@\"");
    let tried = project
        .wrapped(unshare, &[])
        .arg("--help")
        .output()
        .is_ok_and(|output| output.status.success());
    if !tried {
        eprintln!("SKIPPED: unshare --mount does not work here");
        return None;
    }
    let wrapper = [unshare, &["bash", "-e", "-c", &script, "x"]].concat();
    let output = project.wrapped(&wrapper, arguments).output();
    Some(output.expect("unshare starts"))
}

#[test]
fn a_candidate_that_fills_the_disk_is_killed_and_what_it_wrote_is_gone() {
    filled_by("cat /dev/zero > src/fill 2> /dev/null; exec sleep 600\n");
}

#[test]
fn a_candidate_that_fills_the_disk_and_ends_is_blamed_and_not_the_incumbent_that_runs_next() {
    filled_by("fallocate -l 200M src/fill\n");
    filled_by("mkdir -p ignored; fallocate -l 200M ignored/fill\n");
    filled_by("fallocate -l 200M \"$XDG_CACHE_HOME/fill\"\n");
}

fn filled_by(attack: &str) {
    let project = Project::with_config(SCRIPT, &config("\"limits\": {\"disk_free_mib\": 100}"));
    project.ideas(&[("attack", &[("src/attack", attack)]), ("next", &[HARMLESS])]);
    fs::create_dir(project.work_dir()).expect("a place for the disk");
    let mounts = format!(
        "mount -t tmpfs -o size=300m none {}",
        project.work_dir().display()
    );
    let Some(ran) = with_mounts(&project, &mounts, &["run", "-n", "2"]) else {
        return;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(
        project.verdicts(),
        [
            verdict("crash", "run_failed"),
            verdict("discard", "no_gain")
        ]
    );
    assert!(
        detail(&project).starts_with("autoresearch.sh filled the disk and was ended"),
        "{}",
        detail(&project)
    );
}

#[test]
fn without_control_groups_what_changed_its_session_is_found_and_killed() {
    let script = format!(
        "{EXACT_SCRIPT}setsid bash -c 'exec 9< \"$HOME/lock\"; flock --shared 9; touch src/held; sleep 600' > /dev/null 2>&1 &\n\
         while ! [ -e src/held ]; do :; done; rm src/held\n"
    );
    let project = with_lock(&script, &config("\"sandbox\": \"off\""));
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    let mounts = "for m in $(findmnt --noheadings --list --output TARGET --types cgroup2); do umount --lazy $m; done";
    let Some(ran) = with_mounts(&project, mounts, &["run", "-n", "1"]) else {
        return;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_lock_is_free(&project, "without control groups");
}

#[test]
fn what_a_killed_loop_left_in_its_control_group_is_ended_by_the_next_session() {
    if let Err(why) = Groups::open(&format!("test-stray-{}", std::process::id())) {
        return eprintln!("SKIPPED without control groups: {why}");
    }
    // The loop is killed by its own benchmark; what is left has no mark in its environment.
    let script = format!(
        "{EXACT_SCRIPT}if mkdir \"$HOME/struck\" 2> /dev/null; then\n\
         setsid env -i bash -c 'exec 9< \"'$HOME'/lock\"; flock --shared 9; touch src/held; sleep 600' > /dev/null 2>&1 &\n\
         while ! [ -e src/held ]; do :; done; kill -KILL $PPID; sleep 600; fi\n"
    );
    let project = with_lock(&script, &config("\"sandbox\": \"off\""));
    project.ideas(&[("better", &[("src/cost.txt", "99\n")])]);
    assert_eq!(project.run(&["run", "-n", "1"]).code, None);
    let lock = File::open(project.beside("home/lock")).expect("the lock file");
    assert!(lock.try_lock().is_err(), "the stray ended by itself");
    project.run(&["run", "-n", "1"]).expect(0);
    assert_eq!(project.verdicts(), [verdict("keep", "improved")]);
    assert_lock_is_free(&project, "after the next session");
}
