//! Opening a repository for a run: lock, files, the ledger's past, and whether to go on with the
//! last session or to start a new one.

use std::path::{Path, PathBuf};

use git2::Oid;

use super::engine::commit_id;
use super::project::{IDEAS_FILE, PATCHES_DIRECTORY, Pinned, Project};
use crate::edge::console::Console;
use crate::edge::ledger_file::{self, LedgerFile};
use crate::edge::lock::Lock;
use crate::edge::repo::Repo;
use crate::edge::{clock, fault, host};
use crate::edge::{repo_locks, repo_sys};
use crate::error::{Error, Result};
use crate::flow::entry::{Read, Source};
use crate::flow::ledger::{Decoder, decode_text};
use crate::flow::record::{ConfigLine, ConfigTag, FORMAT_VERSION, LEDGER_FILE, RunLine};
use crate::flow::session::{Move, Past, SessionState};

/// A repository that this process may change, until the value is dropped.
pub struct Opened {
    /// The repository.
    pub repo: Repo,
    /// Where its files are.
    pub project: Project,
    /// What judges.
    pub pinned: Pinned,
    /// The ledger.
    pub ledger: LedgerFile,
    /// What the ledger says.
    pub past: Past,
    /// The session to go on with, or the new one.
    pub state: SessionState,
    /// Whether `state` is new and not yet in the ledger.
    pub is_new: bool,
    /// The session's last run, for the hook `before`.
    pub last_run: Option<Box<RunLine>>,
    /// What the hooks printed since the last candidate, for who makes the next.
    pub hint: Option<String>,
    _lock: Lock,
}

/// Where the session lock of a repository is.
pub fn lock_path(repo: &Repo) -> PathBuf {
    repo.common_dir().join("autoresearch/lock")
}

/// Opens the project that `from` lies in.
///
/// # Errors
/// No repository, no config, another loop at work, a damaged ledger, a branch that somebody moved.
pub fn open(from: &Path, fresh: bool, console: &Console) -> Result<Opened> {
    repo_sys::sync_what_git_writes();
    let repo = Repo::discover(from)?;
    let head = repo.head()?;
    let project = Project::find(&repo, from)?;
    let lock = take_lock(&repo)?;
    let pinned = project.pin(&repo, head)?;
    let (ledger, past, last_run) = read_ledger(
        &project.checkout.join(&pinned.work).join(LEDGER_FILE),
        console,
    )?;
    let continued = match &past.session {
        Some(state) if !fresh => continuation(&repo, &pinned, head, state)?,
        Some(_) => Continuation::No("a fresh session was asked for".to_owned()),
        None => Continuation::First,
    };
    let (state, is_new) = match (continued, &past.session) {
        (Continuation::Yes, Some(state)) => {
            heal_branch(&repo, state)?;
            (state.clone(), false)
        }
        (Continuation::No(why), _) => {
            console.say(&format!("starting a new session: {why}"));
            (new_session(&repo, &project, &pinned, &past, head), true)
        }
        (Continuation::First | Continuation::Yes, _) => {
            (new_session(&repo, &project, &pinned, &past, head), true)
        }
    };
    if let Some(parent) = repo.blocking_branch(&state.opened.branch) {
        return Err(Error::environment(format!(
            "branch {parent} is in the way: git cannot have {} beside it",
            state.opened.branch
        ))
        .hint(format!("rename it: `git branch -m {parent} {parent}-old`")));
    }
    ledger_file::remove_leftover(&project.ideas(&pinned.config));
    if let Some(checkout) = repo.checkout_of(&state.opened.branch) {
        return Err(Error::environment(format!(
            "branch {} is checked out in {}, and the loop has to move it",
            state.opened.branch,
            checkout.display()
        ))
        .hint("check out another branch there, for example the one you started from"));
    }
    Ok(Opened {
        repo,
        project,
        pinned,
        ledger,
        past,
        state,
        last_run: last_run.filter(|_| !is_new),
        is_new,
        hint: None,
        _lock: lock,
    })
}

/// Takes the lock that keeps two loops out of one repository.
///
/// # Errors
/// Another loop holds it.
pub fn take_lock(repo: &Repo) -> Result<Lock> {
    let path = lock_path(repo);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| {
            Error::environment(format!("cannot create {}", parent.display())).because(error)
        })?;
    }
    let lock = Lock::session(&path)?;
    repo_locks::remove_stale(repo.common_dir());
    Ok(lock)
}

/// Reads the ledger for appending, and repairs the one kind of damage that a kill leaves.
fn read_ledger(path: &Path, console: &Console) -> Result<(LedgerFile, Past, Option<Box<RunLine>>)> {
    ledger_file::remove_leftover(path);
    let mut file = LedgerFile::open(path)?;
    let text = LedgerFile::read(path)?;
    let mut decoder = Decoder::new(&path.display().to_string()).following_the_chain();
    let mut past = Past::new();
    let mut number = 0;
    let mut last_run = None;
    let ending = decode_text(&text, &mut decoder, |read| {
        number += 1;
        past.apply(&read).map_err(|error| {
            Error::usage(format!(
                "{}:{number}: a recorded value is impossible",
                path.display()
            ))
            .because(error)
            .hint("`autoresearch repair` takes the line out and keeps the original")
        })?;
        match read {
            Read::Run(entry) => {
                if let Source::Ours(line) = entry.source {
                    last_run = Some(line);
                }
            }
            Read::Segment(_) => last_run = None,
            _ => {}
        }
        Ok(())
    })?;
    decoder.check_writable()?;
    file.go_on_with(decoder.chain());
    if let Some(line) = decoder.chain().broken().first() {
        console.warn(&format!(
            "{}: line {line} is not as it was written: somebody edited the file; going on with what it says now",
            path.display()
        ));
    }
    if let Some(torn) = ending.torn {
        file.cut_torn_tail(torn.bytes as u64)?;
        console.warn(&format!(
            "{}: line {} was cut short by a crash; moved its {} bytes to {LEDGER_FILE}.torn",
            path.display(),
            torn.number,
            torn.bytes
        ));
    }
    Ok((file, past, last_run))
}

enum Continuation {
    Yes,
    First,
    No(String),
}

/// Whether the last session's premises still hold.
fn continuation(
    repo: &Repo,
    pinned: &Pinned,
    head: Oid,
    state: &SessionState,
) -> Result<Continuation> {
    let no = |why: &str| Ok(Continuation::No(why.to_owned()));
    if state.is_incomplete {
        return no("a kept run of the last one was lost with damaged lines of the ledger");
    }
    if state.opened.fingerprint != pinned.fingerprint {
        return no("the config or a script changed since the last one");
    }
    let ids = std::iter::once(state.opened.start.as_str())
        .chain(state.moves.iter().map(|one| one.commit.as_str()))
        .map(|id| Oid::from_str(id).ok().filter(|&id| repo.has_commit(id)));
    let Some(commits) = ids.collect::<Option<Vec<Oid>>>() else {
        return no("commits of the last one are not in this repository");
    };
    if !branch_is_where_left(repo, state) {
        return no(&format!(
            "branch {} was moved or deleted since the last one",
            state.opened.branch
        ));
    }
    for &commit in &commits {
        if commit == head || differs_only_in_our_files(repo, pinned, commit, head)? {
            return Ok(Continuation::Yes);
        }
    }
    no("HEAD has other code than the last one started from or kept")
}

/// Whether the branch is at the last kept commit, or, when the last keep was interrupted, still
/// where it was before.
fn branch_is_where_left(repo: &Repo, state: &SessionState) -> bool {
    let current = repo
        .branch_target(&state.opened.branch)
        .map(|id| id.to_string());
    match state.moves.last() {
        None => current.is_none(),
        Some(last) => {
            let is_at = |commit: &str| current.as_deref() == Some(commit);
            let not_yet_made = current.is_none() && state.moves.len() == 1;
            is_at(&last.commit)
                || (!is_complete(repo, last) && (is_at(state.previous_head()) || not_yet_made))
        }
    }
}

/// The ref of a move names its commit only after the branch was moved.
fn is_complete(repo: &Repo, last: &Move) -> bool {
    let target = repo.ref_target(&last.reference);
    target.is_some_and(|id| id.to_string() == last.commit)
}

/// Whether all that was committed between is the loop's own: ledger, backlog and patches.
fn differs_only_in_our_files(repo: &Repo, pinned: &Pinned, old: Oid, new: Oid) -> Result<bool> {
    let backlog = pinned.work.join(IDEAS_FILE);
    let patches = pinned.work.join(PATCHES_DIRECTORY);
    let changes = repo.changes(old, new)?;
    Ok(changes.iter().all(|change| {
        let path = Path::new(&change.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Also what was kept of a torn or damaged ledger.
        let is_ledger = name.starts_with(LEDGER_FILE) && path.parent() == Some(&pinned.work);
        is_ledger || path == backlog || path.starts_with(&patches)
    }))
}

/// A kill between the record of a keep or drop and the move of the branch: the record counts.
fn heal_branch(repo: &Repo, state: &SessionState) -> Result<()> {
    match state.moves.last() {
        Some(last) if !is_complete(repo, last) => move_branch(repo, state),
        Some(_) | None => Ok(()),
    }
}

/// Moves the branch from the head before to the head. The ref comes last: once it names the commit,
/// the move is complete, and where the branch is from then on is the user's business.
///
/// # Errors
/// Somebody else moved the branch.
pub fn move_branch(repo: &Repo, state: &SessionState) -> Result<()> {
    let Some(last) = state.moves.last() else {
        return Ok(());
    };
    let (old, new) = (commit_id(state.previous_head())?, commit_id(&last.commit)?);
    repo.advance_branch(&state.opened.branch, old, new, &last.log)?;
    fault::reached("branch-moved");
    repo.set_ref(&last.reference, new, &last.log)?;
    fault::reached("move-complete");
    Ok(())
}

fn new_session(
    repo: &Repo,
    project: &Project,
    pinned: &Pinned,
    past: &Past,
    head: Oid,
) -> SessionState {
    let config = &pinned.config;
    let name = config
        .name
        .clone()
        .unwrap_or_else(|| directory_name(&project.checkout));
    let opened = ConfigLine {
        kind: ConfigTag::Config,
        metric_name: config.metric.name.clone(),
        metric_unit: config.metric.unit.clone(),
        best_direction: config.metric.direction,
        format: FORMAT_VERSION,
        session: clock::session_id(),
        timestamp: clock::now_ms(),
        start: head.to_string(),
        branch: free_branch(repo, past, &name),
        fingerprint: pinned.fingerprint.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config: config.clone(),
        environment: host::environment(),
        name,
    };
    SessionState::new(opened, past.next_segment)
}

/// `autoresearch/<name>`, or with `-2`, `-3`, ... when an earlier session has it.
fn free_branch(repo: &Repo, past: &Past, name: &str) -> String {
    let is_free =
        |branch: &String| repo.branch_target(branch).is_none() && !past.branches.contains(branch);
    let plain = format!("autoresearch/{name}");
    std::iter::once(plain.clone())
        .chain((2_u32..).map(|number| format!("{plain}-{number}")))
        .find(is_free)
        .unwrap_or(plain)
}

/// The checkout's directory name, made fit for a branch name.
fn directory_name(checkout: &Path) -> String {
    let name = checkout
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let clean = clean.trim_matches(['.', '-']).to_owned();
    if crate::flow::config::is_branch_component(&clean) {
        clean
    } else {
        "session".to_owned()
    }
}
