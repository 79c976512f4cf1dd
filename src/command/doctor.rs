//! `autoresearch doctor`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Global, ledger_read};
use crate::cli::JsonArgs;
use crate::doctor::facts::{Facts, FileState, Identity, LedgerState, LockState, SandboxState};
use crate::doctor::{exit, findings};
use crate::driver::open;
use crate::driver::project::{CHECKS_FILE, Project, SCRIPT_FILE};
use crate::edge::cgroup::{Groups, PROCESSES_MAX};
use crate::edge::host;
use crate::edge::lock::Lock;
use crate::edge::regular;
use crate::edge::repo::Repo;
use crate::edge::sandbox::{self, Sandbox};
use crate::error::Result;
use crate::exit::Exit;
use crate::flow::config_sandbox::SandboxMode;
use crate::flow::entry::Read;
use crate::report::doctor as report;

/// Looks at machine, repository and project, and says what is missing or noisy.
///
/// # Errors
/// None of its own: what cannot be found out is a finding.
pub fn run(global: &Global, args: &JsonArgs) -> Result<Exit> {
    let facts = gather(&global.directory);
    let found = findings(&facts);
    if args.json {
        super::print(&report::json(&found))?;
    } else {
        super::print(&report::table(&found, super::log::layout().width))?;
    }
    Ok(exit(&found))
}

fn gather(directory: &Path) -> Facts {
    let mut facts = Facts {
        host: host::facts(directory),
        ..Facts::default()
    };
    let repo = match Repo::discover(directory) {
        Ok(repo) => repo,
        Err(error) => {
            facts.repository = Some(Err(error.to_string()));
            return facts;
        }
    };
    facts.repository = Some(Ok(repo.workdir().display().to_string()));
    facts.has_commits = Some(repo.head().is_ok());
    let identity = repo.identity();
    facts.identity = Some(Identity {
        name: identity.as_ref().map(|(name, _)| name.clone()),
        email: identity.map(|(_, email)| email),
    });
    let holder = Lock::holder(&open::lock_path(&repo));
    facts.leftover_worktrees = holder.is_none().then(|| repo.our_worktrees());
    facts.lock = Some(holder.map_or(LockState::Free, |holder| {
        LockState::Held(holder.to_string())
    }));
    if let Ok(head) = repo.head() {
        facts.missing_submodules = repo.missing_submodules(head).ok();
        facts.missing_lfs = repo.missing_lfs(head).ok();
    }
    project_facts(&repo, directory, &mut facts);
    facts
}

fn project_facts(repo: &Repo, directory: &Path, facts: &mut Facts) {
    let project = match Project::find(repo, directory) {
        Ok(project) => project,
        Err(error) => {
            facts.config = Some(Err(error.to_string()));
            return;
        }
    };
    facts.config_file = Some(file_state(repo, &project, &project.config_path));
    let config = match project.config_now() {
        Ok(config) => config,
        Err(error) => {
            facts.config = Some(Err(error.to_string()));
            return;
        }
    };
    facts.config = Some(Ok(()));
    facts.sandbox = Some(sandbox_state(config.sandbox));
    // Not a loop's own name: one may be at work.
    let name = format!("doctor-{}", std::process::id());
    facts.control_groups =
        Some(Groups::open(&name).map(|groups| groups.has_limits.then_some(PROCESSES_MAX)));
    let work = project.work(&config);
    facts.script = Some(file_state(repo, &project, &work.join(SCRIPT_FILE)));
    facts.checks = Some(file_state(repo, &project, &work.join(CHECKS_FILE)));
    let path = project.ledger(&config);
    facts.ledger = Some(if path.exists() {
        ledger_state(&path)
    } else {
        LedgerState::Absent
    });
}

fn sandbox_state(mode: SandboxMode) -> SandboxState {
    match (mode, sandbox::choose(mode, false)) {
        (SandboxMode::Off, _) => SandboxState::SwitchedOff,
        (_, Err(error)) => SandboxState::Refused(error.to_string()),
        (_, Ok(Sandbox::Bwrap)) => SandboxState::Bwrap,
        (SandboxMode::Landlock, Ok(_)) => SandboxState::Landlock("the config says so".to_owned()),
        (_, Ok(Sandbox::Landlock)) => {
            SandboxState::Landlock(sandbox::bwrap_works().err().unwrap_or_default())
        }
        (_, Ok(Sandbox::Off)) => {
            SandboxState::Missing(sandbox::landlock_works().err().unwrap_or_default())
        }
    }
}

fn file_state(repo: &Repo, project: &Project, path: &Path) -> FileState {
    let file = project.checkout.join(path);
    let content = regular::read(&file).ok();
    let committed = repo
        .head()
        .ok()
        .and_then(|head| repo.file_at(head, path).ok().flatten());
    FileState {
        present: content.is_some(),
        executable: std::fs::metadata(&file)
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0),
        committed: committed.is_some(),
        equal_to_head: committed.is_some() && committed == content,
    }
}

fn ledger_state(path: &Path) -> LedgerState {
    let (mut runs, mut repaired) = (0, 0);
    let counted = ledger_read::each_chained(path, |_, read| {
        runs += u64::from(matches!(read, Read::Run(_)));
        repaired += u64::from(matches!(read, Read::Repair(_)));
        Ok(())
    });
    match counted {
        Ok(broken) => LedgerState::Readable {
            runs,
            edited: broken.first().copied(),
            repaired,
        },
        Err(error) => LedgerState::Unreadable(error.to_string()),
    }
}
