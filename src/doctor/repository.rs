//! Checks of repository, project files and what a loop left behind.

use super::facts::{Facts, FileState, LedgerState, LockState, SandboxState};
use super::{Finding, Level};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    [
        repository(facts),
        identity(facts),
        config(facts),
        script(facts),
        gate(facts),
        ledger(facts),
        sandbox(facts),
        control_groups(facts),
        lock(facts),
        worktrees(facts),
        facts.missing_submodules.as_deref().and_then(submodules),
        facts.missing_lfs.as_deref().and_then(lfs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn repository(facts: &Facts) -> Option<Finding> {
    let finding = |level, message: String| Finding::new("repository", level, message);
    Some(match (facts.repository.as_ref()?, facts.has_commits) {
        (Err(why), _) => finding(Level::Problem, format!("no git repository: {why}"))
            .advice("start it with `git init` and commit the project"),
        (Ok(root), Some(false)) => finding(Level::Problem, format!("{root} has no commit yet"))
            .advice("commit the project: candidates are compared with HEAD"),
        (Ok(root), Some(true) | None) => finding(Level::Ok, root.clone()),
    })
}

fn sandbox(facts: &Facts) -> Option<Finding> {
    let finding = |level, message: String| Finding::new("sandbox", level, message);
    Some(match facts.sandbox.as_ref()? {
        SandboxState::Bwrap => finding(Level::Ok, "bubblewrap keeps candidates in".to_owned()),
        SandboxState::Landlock(why) => finding(
            Level::Note,
            format!("Landlock keeps candidates in; not bubblewrap: {why}"),
        )
        .advice(
            "with bubblewrap they also have a loopback network, /tmp and process ids of their own",
        ),
        SandboxState::SwitchedOff => finding(
            Level::Warning,
            "switched off in the config: candidates run with your rights".to_owned(),
        )
        .advice("leave `sandbox` out, or run the loop in a container or as another user"),
        SandboxState::Missing(why) => finding(
            Level::Warning,
            format!("none works here ({why}): candidates run with your rights"),
        )
        .advice("install bubblewrap, or run the loop in a container or as another user"),
        SandboxState::Refused(why) => finding(Level::Problem, why.clone())
            .advice("`\"sandbox\": \"auto\"` takes what there is"),
    })
}

fn control_groups(facts: &Facts) -> Option<Finding> {
    let finding = |level, message: String| Finding::new("groups", level, message);
    Some(match facts.control_groups.as_ref()? {
        Ok(Some(max)) => finding(
            Level::Ok,
            format!(
                "control groups: each child has at most {max} processes and `memory_mib` for all, and is killed whole"
            ),
        ),
        Ok(None) => finding(
            Level::Note,
            "control groups: each child is killed whole, but their number of processes and memory cannot be limited"
                .to_owned(),
        )
        .advice(DELEGATE),
        Err(why) => finding(
            Level::Note,
            format!("no control groups ({why}): without bubblewrap, what forks fast enough outlives its deadline"),
        )
        .advice(DELEGATE),
    })
}

/// How to come by a control group with everything in it.
const DELEGATE: &str =
    "with systemd: `systemd-run --user --scope -p Delegate=yes autoresearch run`";

fn identity(facts: &Facts) -> Option<Finding> {
    let identity = facts.identity.as_ref()?;
    let set = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.trim().is_empty());
    let missing = match (set(&identity.name), set(&identity.email)) {
        (true, true) => {
            let author = format!(
                "{} <{}>",
                identity.name.as_deref().unwrap_or_default(),
                identity.email.as_deref().unwrap_or_default()
            );
            return Some(Finding::new("identity", Level::Ok, author));
        }
        (false, true) => "user.name is not set",
        (true, false) => "user.email is not set",
        (false, false) => "user.name and user.email are not set",
    };
    Some(
        Finding::new(
            "identity",
            Level::Warning,
            format!("{missing}: kept commits will be by autoresearch@localhost"),
        )
        .advice("git config user.name \"…\" && git config user.email \"…\""),
    )
}

fn config(facts: &Facts) -> Option<Finding> {
    let finding = |level, message: String| Finding::new("config", level, message);
    match (&facts.config, facts.config_file) {
        (_, Some(file)) if !file.present => Some(
            finding(
                Level::Problem,
                "there is no autoresearch.config.json".to_owned(),
            )
            .advice("`autoresearch init` writes one"),
        ),
        (Some(Err(problem)), _) => Some(
            finding(Level::Problem, problem.clone())
                .advice("docs/config.md lists every key with its range"),
        ),
        (config, Some(file)) => {
            not_in_head("config", "autoresearch.config.json", file).or_else(|| {
                config
                    .as_ref()
                    .map(|_| finding(Level::Ok, "valid".to_owned()))
            })
        }
        (Some(Ok(())), None) => Some(finding(Level::Ok, "valid".to_owned())),
        (None, None) => None,
    }
}

fn script(facts: &Facts) -> Option<Finding> {
    let file = facts.script?;
    if !file.present {
        return Some(
            Finding::new("benchmark", Level::Problem, "there is no autoresearch.sh")
                .advice("`autoresearch init` writes one; it must print `METRIC name=value`"),
        );
    }
    not_in_head("benchmark", "autoresearch.sh", file)
        .or_else(|| not_executable("benchmark", "autoresearch.sh", file))
        .or_else(|| {
            let message = "autoresearch.sh is committed and unchanged";
            Some(Finding::new("benchmark", Level::Ok, message))
        })
}

fn gate(facts: &Facts) -> Option<Finding> {
    let file = facts.checks?;
    if !file.present {
        let finding = Finding::new(
            "gate",
            Level::Warning,
            "there is no autoresearch.checks.sh: a candidate that is fast and wrong would be kept",
        );
        return Some(finding.advice("`autoresearch init` writes one that runs the tests"));
    }
    not_in_head("gate", "autoresearch.checks.sh", file)
        .or_else(|| not_executable("gate", "autoresearch.checks.sh", file))
        .or_else(|| {
            let message = "autoresearch.checks.sh is committed and unchanged";
            Some(Finding::new("gate", Level::Ok, message))
        })
}

/// What is in the checkout is not what would run: the scripts of `HEAD` do.
fn not_in_head(check: &'static str, name: &str, file: FileState) -> Option<Finding> {
    if !file.committed {
        return Some(
            Finding::new(check, Level::Problem, format!("{name} is not committed"))
                .advice(format!("git add {name} && git commit")),
        );
    }
    if !file.equal_to_head {
        return Some(
            Finding::new(
                check,
                Level::Problem,
                format!("{name} differs from HEAD, and only HEAD's is used"),
            )
            .advice(format!("commit {name}, or `git restore {name}`")),
        );
    }
    None
}

fn not_executable(check: &'static str, name: &str, file: FileState) -> Option<Finding> {
    (!file.executable).then(|| {
        Finding::new(
            check,
            Level::Note,
            format!("{name} is not executable; the loop runs it with bash all the same"),
        )
        .advice(format!("chmod +x {name}, to run it by hand"))
    })
}

fn ledger(facts: &Facts) -> Option<Finding> {
    let finding = |level, message| Finding::new("ledger", level, message);
    Some(match facts.ledger.as_ref()? {
        LedgerState::Absent => finding(
            Level::Ok,
            "no experiments.jsonl yet; the first run writes it".to_owned(),
        ),
        LedgerState::Readable {
            edited: Some(line), ..
        } => finding(
            Level::Warning,
            format!("line {line} of experiments.jsonl is not as it was written: the hash chain breaks there"),
        )
        .advice("compare with a committed version (`git log -p experiments.jsonl`); `autoresearch explain` finds verdicts that do not follow from their pairs"),
        LedgerState::Readable { runs, edited: None, repaired } if *repaired > 0 => finding(
            Level::Note,
            format!("{runs} runs recorded; `autoresearch repair` took damaged lines out in {repaired} place{}", if *repaired == 1 { "" } else { "s" }),
        )
        .advice("the original is beside it, named in the `repair` lines"),
        LedgerState::Readable { runs, edited: None, .. } => finding(
            Level::Ok,
            match runs {
                1 => "1 run recorded".to_owned(),
                runs => format!("{runs} runs recorded"),
            },
        ),
        LedgerState::Unreadable(problem) => finding(Level::Problem, problem.clone())
            .advice("`autoresearch repair` takes damaged lines out and keeps the original; nothing is appended to a damaged ledger"),
    })
}

fn lock(facts: &Facts) -> Option<Finding> {
    Some(match facts.lock.as_ref()? {
        LockState::Free => Finding::new("lock", Level::Ok, "no loop is running here"),
        LockState::Held(holder) => Finding::new(
            "lock",
            Level::Warning,
            format!("a loop is running here ({holder}); a second one would be refused"),
        ),
        LockState::Stale(holder) => Finding::new(
            "lock",
            Level::Note,
            format!("a loop that is gone left its lock ({holder}); the next run takes it over"),
        ),
    })
}

fn worktrees(facts: &Facts) -> Option<Finding> {
    let left = facts.leftover_worktrees.as_ref()?;
    if left.is_empty() {
        return Some(Finding::new("worktrees", Level::Ok, "none left behind"));
    }
    Some(
        Finding::new(
            "worktrees",
            Level::Note,
            format!("left by a loop that is gone: {}", left.join(", ")),
        )
        .advice("the next `autoresearch run` cleans them up; `autoresearch clean` does it now"),
    )
}

/// A warning when there are submodules that the clone lacks; their paths.
pub fn submodules(missing: &[String]) -> Option<Finding> {
    let (first, more) = missing.split_first()?;
    let what = match more.len() {
        0 => format!("the submodule {first} is not in this clone; its directory is empty"),
        1 => format!(
            "the submodule {first} and another one are not in this clone; their directories are empty"
        ),
        more => format!(
            "the submodule {first} and {more} more are not in this clone; their directories are empty"
        ),
    };
    Some(
        Finding::new("submodules", Level::Warning, format!("{what} where candidates are built"))
            .advice("`git submodule update --init --recursive` here: the loop takes them from your checkout"),
    )
}

/// A warning when there are files in Git LFS that the clone lacks; their paths.
pub fn lfs(missing: &[String]) -> Option<Finding> {
    let (first, more) = missing.split_first()?;
    let what = match more.len() {
        0 => format!(
            "the content of {first}, which Git LFS keeps, is not in this clone; it is a pointer"
        ),
        1 => format!(
            "the content of {first} and another file, which Git LFS keeps, is not in this clone; they are pointers"
        ),
        more => format!(
            "the content of {first} and {more} more files, which Git LFS keeps, is not in this clone; they are pointers"
        ),
    };
    Some(
        Finding::new(
            "lfs",
            Level::Warning,
            format!("{what} where candidates are built"),
        )
        .advice("`git lfs pull` here: the loop takes them from your clone"),
    )
}
