use super::facts::{FileState, HostFacts, Identity, LedgerState, LockState, SandboxState};
use super::*;

/// A repository and machine without a fault.
fn healthy() -> Facts {
    let file = FileState {
        present: true,
        executable: true,
        committed: true,
        equal_to_head: true,
    };
    Facts {
        host: HostFacts {
            cores: Some(8),
            load1: Some(0.5),
            governors: Some(vec!["performance".to_owned()]),
            turbo: Some(false),
            smt: Some(false),
            aslr: Some(2),
            huge_pages: Some("madvise".to_owned()),
            temperature_c: Some(50.0),
            steal_share: Some(0.0),
            disk_free_bytes: Some(10 << 30),
            memory_free_bytes: Some(4 << 30),
            is_virtual: Some(false),
            tools: vec![("perf".to_owned(), true)],
        },
        repository: Some(Ok("/repo".to_owned())),
        has_commits: Some(true),
        identity: Some(Identity {
            name: Some("A".to_owned()),
            email: Some("a@example.org".to_owned()),
        }),
        config: Some(Ok(())),
        config_file: Some(file),
        script: Some(file),
        checks: Some(file),
        ledger: Some(LedgerState::Readable {
            runs: 3,
            edited: None,
            repaired: 0,
        }),
        sandbox: Some(SandboxState::Bwrap),
        control_groups: Some(Ok(Some(4096))),
        lock: Some(LockState::Free),
        leftover_worktrees: Some(Vec::new()),
        missing_submodules: Some(Vec::new()),
        missing_lfs: Some(Vec::new()),
    }
}

/// Changes one thing of a healthy machine and expects exactly one finding that is not ok.
fn check(change: impl FnOnce(&mut Facts), expected: (&str, Level, &str)) {
    let mut facts = healthy();
    change(&mut facts);
    let found: Vec<_> = findings(&facts)
        .into_iter()
        .filter(|finding| finding.level > Level::Ok)
        .map(|finding| (finding.check, finding.level, finding.message))
        .collect();
    let (name, level, message) = expected;
    assert_eq!(found, [(name, level, message.to_owned())]);
}

#[test]
fn a_healthy_machine_has_only_ok_findings_and_exit_zero() {
    let found = findings(&healthy());
    assert!(
        found.iter().all(|finding| finding.level == Level::Ok),
        "{found:?}"
    );
    assert_eq!(found.len(), 23);
    assert_eq!(exit(&found), Exit::Ok);
}

#[test]
fn nothing_known_is_never_ok() {
    let found = findings(&Facts::default());
    let checks: Vec<_> = found
        .iter()
        .map(|finding| (finding.check, finding.level))
        .collect();
    assert_eq!(checks, [("governor", Level::Note)]);
}

#[test]
fn only_a_problem_changes_the_exit_code() {
    let at = |level| exit(&[Finding::new("x", level, "")]);
    assert_eq!(at(Level::Note), Exit::Ok);
    assert_eq!(at(Level::Warning), Exit::Ok);
    assert_eq!(at(Level::Problem), Exit::Environment);
}

#[test]
fn what_is_wrong_with_the_repository_is_said() {
    use Level::{Note, Problem, Warning};
    check(
        |f| f.repository = Some(Err("not found".to_owned())),
        ("repository", Problem, "no git repository: not found"),
    );
    check(
        |f| f.has_commits = Some(false),
        ("repository", Problem, "/repo has no commit yet"),
    );
    check(
        |f| f.identity.as_mut().unwrap().email = Some(" ".to_owned()),
        (
            "identity",
            Warning,
            "user.email is not set: kept commits will be by autoresearch@localhost",
        ),
    );
    check(
        |f| f.ledger = Some(LedgerState::Unreadable("line 3: no JSON".to_owned())),
        ("ledger", Problem, "line 3: no JSON"),
    );
    check(
        |f| f.lock = Some(LockState::Held("pid 7".to_owned())),
        (
            "lock",
            Warning,
            "a loop is running here (pid 7); a second one would be refused",
        ),
    );
    check(
        |f| f.lock = Some(LockState::Stale("pid 7".to_owned())),
        (
            "lock",
            Note,
            "a loop that is gone left its lock (pid 7); the next run takes it over",
        ),
    );
    check(
        |f| f.leftover_worktrees = Some(vec!["a".to_owned(), "b".to_owned()]),
        ("worktrees", Note, "left by a loop that is gone: a, b"),
    );
    check(
        |f| f.missing_submodules = Some(vec!["lib".to_owned()]),
        (
            "submodules",
            Warning,
            "the submodule lib is not in this clone; its directory is empty where candidates are built",
        ),
    );
    check(
        |f| f.missing_lfs = Some(vec!["a.bin".to_owned(), "b.bin".to_owned()]),
        (
            "lfs",
            Warning,
            "the content of a.bin and another file, which Git LFS keeps, is not in this clone; they are pointers where candidates are built",
        ),
    );
}

#[test]
fn what_is_wrong_with_the_projects_files_is_said() {
    use Level::{Note, Problem, Warning};
    check(
        |f| f.config_file.as_mut().unwrap().present = false,
        ("config", Problem, "there is no autoresearch.config.json"),
    );
    check(
        |f| f.config = Some(Err("c.json:1:2: unknown field".to_owned())),
        ("config", Problem, "c.json:1:2: unknown field"),
    );
    check(
        |f| f.config_file.as_mut().unwrap().equal_to_head = false,
        (
            "config",
            Problem,
            "autoresearch.config.json differs from HEAD, and only HEAD's is used",
        ),
    );
    check(
        |f| f.script.as_mut().unwrap().present = false,
        ("benchmark", Problem, "there is no autoresearch.sh"),
    );
    check(
        |f| f.script.as_mut().unwrap().committed = false,
        ("benchmark", Problem, "autoresearch.sh is not committed"),
    );
    check(
        |f| f.script.as_mut().unwrap().executable = false,
        (
            "benchmark",
            Note,
            "autoresearch.sh is not executable; the loop runs it with bash all the same",
        ),
    );
    check(
        |f| f.checks.as_mut().unwrap().present = false,
        (
            "gate",
            Warning,
            "there is no autoresearch.checks.sh: a candidate that is fast and wrong would be kept",
        ),
    );
}

#[test]
fn what_makes_a_machine_noisy_or_too_small_is_said() {
    use Level::{Note, Problem, Warning};
    check(
        |f| f.host.load1 = Some(4.5),
        (
            "load",
            Warning,
            "one-minute load 4.50 on 8 processors: others are busy",
        ),
    );
    check(
        |f| f.host.cores = Some(1),
        (
            "cores",
            Warning,
            "one processor: everything else on the machine runs in the benchmark's time",
        ),
    );
    check(
        |f| f.host.governors = Some(vec!["performance".to_owned(), "powersave".to_owned()]),
        (
            "governor",
            Warning,
            "frequency governor performance, powersave: the clock follows the load",
        ),
    );
    check(
        |f| f.host.turbo = Some(true),
        (
            "turbo",
            Note,
            "turbo is on: the clock depends on heat and on the other cores",
        ),
    );
    check(
        |f| f.host.steal_share = Some(0.021),
        (
            "steal",
            Warning,
            "the hypervisor gave 2.1 % of the time since boot to others",
        ),
    );
    check(
        |f| f.host.temperature_c = Some(91.0),
        ("temperature", Warning, "91 °C at the hottest sensor"),
    );
    check(
        |f| f.host.memory_free_bytes = Some(100 << 20),
        ("memory", Warning, "100 MiB available"),
    );
    check(
        |f| f.host.tools.push(("bwrap".to_owned(), false)),
        (
            "tools",
            Note,
            "not on PATH: bwrap (optional: the loop works without)",
        ),
    );
    for (mib, level) in [
        (199, Problem),
        (200, Warning),
        (2047, Warning),
        (2048, Level::Ok),
    ] {
        let mut facts = healthy();
        facts.host.disk_free_bytes = Some(mib << 20);
        let found = findings(&facts);
        let disk = found.iter().find(|finding| finding.check == "disk");
        assert_eq!(disk.map(|finding| finding.level), Some(level), "{mib} MiB");
    }
}

#[test]
fn without_control_groups_or_limits_in_them_a_note_says_how_to_come_by_them() {
    for (groups, message) in [
        (
            Ok(None),
            "control groups: each child is killed whole, but their number of processes and memory cannot be limited",
        ),
        (
            Err("no such".to_owned()),
            "no control groups (no such): without bubblewrap, what forks fast enough outlives its deadline",
        ),
    ] {
        check(
            |f| f.control_groups = Some(groups),
            ("groups", Level::Note, message),
        );
    }
}

#[test]
fn candidates_that_nothing_keeps_in_are_a_warning_and_a_sandbox_that_is_asked_for_in_vain_a_problem()
 {
    check(
        |f| f.sandbox = Some(SandboxState::Landlock("no such program".to_owned())),
        (
            "sandbox",
            Level::Note,
            "Landlock keeps candidates in; not bubblewrap: no such program",
        ),
    );
    check(
        |f| f.sandbox = Some(SandboxState::SwitchedOff),
        (
            "sandbox",
            Level::Warning,
            "switched off in the config: candidates run with your rights",
        ),
    );
    check(
        |f| f.sandbox = Some(SandboxState::Missing("too old".to_owned())),
        (
            "sandbox",
            Level::Warning,
            "none works here (too old): candidates run with your rights",
        ),
    );
    check(
        |f| {
            f.sandbox = Some(SandboxState::Refused(
                "bubblewrap does not work here".to_owned(),
            ))
        },
        ("sandbox", Level::Problem, "bubblewrap does not work here"),
    );
}
