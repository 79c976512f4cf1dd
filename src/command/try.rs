//! `autoresearch try`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use git2::Oid;

use super::Global;
use crate::cli::TryArgs;
use crate::driver::engine::{Engine, commit_id};
use crate::driver::open::{self, Opened};
use crate::driver::project::IDEAS_FILE;
use crate::driver::propose::Draft;
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::edge::ledger_file::TEMPORARY_SUFFIX;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::{LEDGER_FILE, Line, Origin, RunLine, Status};
use crate::flow::scope::Scope;

/// The proposer's name in the ledger.
const PROPOSER: &str = "try";

/// Judges the working tree's change against the session's head. The working tree stays as it is.
///
/// # Errors
/// There is no change, or it does not fit the head; the environment fails.
pub fn run(global: &Global, args: &TryArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let console = global.console();
    let opened = open::open(&global.directory, false, &console)?;
    let draft = draft(&opened, args, &console)?;
    let mut engine = Engine::new(opened, console, interrupts)?;
    let result = judge(&mut engine, draft);
    engine.console.finish();
    let line = match result {
        Ok(line) => line,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    let kept = line.status == Status::Keep;
    if args.json {
        super::print(&Line::Run(Box::new(line)).encode())?;
    } else {
        super::print(&super::show::render(
            &global.ledger_path(None)?,
            line.run,
            false,
        )?)?;
    }
    Ok(if kept { Exit::Ok } else { Exit::No })
}

/// Judges the candidate between the hooks, and passes on what they say to who drives `try`.
fn judge(engine: &mut Engine, draft: Draft) -> Result<RunLine> {
    engine.get_ready()?;
    engine.hook_before()?;
    tell(engine);
    let line = engine.evaluate(draft, Instant::now())?;
    engine.follow_up(&line)?;
    tell(engine);
    Ok(line)
}

fn tell(engine: &mut Engine) {
    if let Some(hint) = engine.opened.hint.take() {
        engine.console.say(&format!("hook: {hint}"));
    }
}

/// The change of the working tree against HEAD, carried over to the session's head.
fn draft(opened: &Opened, args: &TryArgs, console: &Console) -> Result<Draft> {
    let repo = &opened.repo;
    let config = &opened.pinned.config;
    let scope = Scope::new(&config.scope, &config.protected_globs());
    let left_out = RefCell::new(BTreeSet::new());
    let leave = |path: &Path, is_tracked: bool| {
        let path = path.to_string_lossy();
        if is_loop_file(&path) {
            return true;
        }
        // Files that git does not know may be anything, secrets included.
        if is_tracked {
            return false;
        }
        let could_be_meant = scope.permits(&path);
        if could_be_meant && !args.untracked {
            left_out.borrow_mut().insert(path.into_owned());
        }
        !(could_be_meant && args.untracked)
    };
    let theirs = repo.tree_of_checkout(repo.workdir(), &leave)?;
    let left_out: Vec<String> = left_out.into_inner().into_iter().collect();
    if !left_out.is_empty() {
        console.warn(&format!(
            "left out, because git does not know them: {}; `git add` them, or give --untracked",
            left_out.join(", ")
        ));
    }
    let base = repo.tree_id(repo.head()?)?;
    if theirs == base {
        return Err(
            Error::usage("the working tree has no change inside the scope to try")
                .hint("edit files that the config's `scope` names, and leave them uncommitted"),
        );
    }
    let head = repo.tree_id(commit_id(opened.state.head())?)?;
    let merged = match repo.merge_trees(base, head, theirs)? {
        Some(merged) => merged,
        // The working tree goes on from what an earlier `try` kept.
        None => match last_tried_tree(opened)?.map(|base| repo.merge_trees(base, head, theirs)) {
            Some(merged) => merged?.ok_or_else(|| conflict(opened))?,
            None => return Err(conflict(opened)),
        },
    };
    let description = match &args.message {
        Some(message) => message.clone(),
        None => {
            let changes = repo.tree_changes(head, merged)?;
            let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
            format!("Change {}", paths.join(", "))
        }
    };
    let proposal = Proposal {
        description,
        origin: Origin {
            proposer: PROPOSER.to_owned(),
            ..Origin::default()
        },
        change: Change::Agent,
        asi: None,
    };
    Ok(Draft {
        proposal,
        tree: Ok(merged),
        again: true,
    })
}

/// The tree of the last change that `try` kept, when nothing else was kept in the session: only
/// then is it sure that the working tree has all of it.
fn last_tried_tree(opened: &Opened) -> Result<Option<Oid>> {
    let kept = &opened.state.kept;
    let nothing_dropped = opened.state.moves.len() == kept.len();
    let is_ours = nothing_dropped && kept.iter().all(|kept| kept.proposer == PROPOSER);
    let last = kept.last().filter(|_| is_ours);
    last.map(|kept| opened.repo.tree_id(commit_id(&kept.commit)?))
        .transpose()
}

fn conflict(opened: &Opened) -> Error {
    let branch = &opened.state.opened.branch;
    Error::usage(format!(
        "the change conflicts with commits that are kept on {branch} and not in HEAD"
    ))
    .hint(format!("merge them first: `git merge {branch}`"))
}

/// What the loop itself writes into a checkout.
fn is_loop_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(LEDGER_FILE) || name == IDEAS_FILE || name.ends_with(TEMPORARY_SUFFIX)
}
