//! Opening a repository for a run: lock, files, the ledger's past, and whether to go on with the
//! last session or to start a new one.

use std::path::{Path, PathBuf};

use git2::Oid;

use super::project::{IDEAS_FILE, Pinned, Project};
use crate::edge::console::Console;
use crate::edge::ledger_file::LedgerFile;
use crate::edge::lock::Lock;
use crate::edge::repo::Repo;
use crate::edge::{clock, host};
use crate::error::{Error, Result};
use crate::flow::ledger::{Decoder, decode_text};
use crate::flow::record::{ConfigLine, ConfigTag, FORMAT_VERSION, LEDGER_FILE};
use crate::flow::session::{Past, SessionState};

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
    let repo = Repo::discover(from)?;
    let head = repo.head()?;
    let project = Project::find(&repo, from)?;
    let lock = take_lock(&repo)?;
    let pinned = project.pin(&repo, head)?;
    let (ledger, past) = read_ledger(
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
        is_new,
        _lock: lock,
    })
}

fn take_lock(repo: &Repo) -> Result<Lock> {
    let path = lock_path(repo);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| {
            Error::environment(format!("cannot create {}", parent.display())).because(error)
        })?;
    }
    Lock::session(&path)
}

/// Reads the ledger for appending, and repairs the one kind of damage that a kill leaves.
fn read_ledger(path: &Path, console: &Console) -> Result<(LedgerFile, Past)> {
    let mut file = LedgerFile::open(path)?;
    let text = LedgerFile::read(path)?;
    let mut decoder = Decoder::new(&path.display().to_string());
    let mut past = Past::new();
    let ending = decode_text(&text, &mut decoder, |read| {
        past.apply(&read).map_err(|error| {
            Error::usage(format!(
                "{}: a recorded value is impossible",
                path.display()
            ))
            .because(error)
        })
    })?;
    decoder.check_writable()?;
    if let Some(torn) = ending.torn {
        file.cut_torn_tail(torn.bytes as u64)?;
        console.warn(&format!(
            "{}: line {} was cut short by a crash; moved its {} bytes to {LEDGER_FILE}.torn",
            path.display(),
            torn.number,
            torn.bytes
        ));
    }
    Ok((file, past))
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
    if state.opened.fingerprint != pinned.fingerprint {
        return no("the config or a script changed since the last one");
    }
    let ids = std::iter::once(state.opened.start.as_str())
        .chain(state.kept.iter().map(|kept| kept.commit.as_str()))
        .map(|id| Oid::from_str(id).ok().filter(|&id| repo.has_commit(id)));
    let Some(commits) = ids.collect::<Option<Vec<Oid>>>() else {
        return no("commits of the last one are not in this repository");
    };
    let current = repo.branch_target(&state.opened.branch);
    let expected = [state.head(), state.previous_head()];
    let is_where_left = match current {
        None => state.kept.is_empty() || state.kept.len() == 1,
        Some(target) => expected.contains(&target.to_string().as_str()),
    };
    if !is_where_left {
        return no(&format!(
            "branch {} was moved since the last one",
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

/// Whether all that was committed between is the ledger and the ticks in the backlog.
fn differs_only_in_our_files(repo: &Repo, pinned: &Pinned, old: Oid, new: Oid) -> Result<bool> {
    let ours = [LEDGER_FILE, IDEAS_FILE].map(|name| pinned.work.join(name));
    let changes = repo.changes(old, new)?;
    Ok(changes
        .iter()
        .all(|change| ours.iter().any(|path| path == Path::new(&change.path))))
}

/// A kill between the record of a keep and the move of the branch: the record counts.
fn heal_branch(repo: &Repo, state: &SessionState) -> Result<()> {
    let id = |text: &str| {
        Oid::from_str(text)
            .map_err(|error| Error::usage(format!("{text} is no commit id")).because(error))
    };
    if state.kept.is_empty() {
        return Ok(());
    }
    let (old, new) = (id(state.previous_head())?, id(state.head())?);
    if let Some(last) = state.kept.last() {
        let reference = format!("refs/autoresearch/{}/{}", state.opened.session, last.run);
        repo.set_ref(&reference, new, "autoresearch: finish an interrupted keep")?;
    }
    repo.advance_branch(
        &state.opened.branch,
        old,
        new,
        "autoresearch: finish an interrupted keep",
    )
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
