//! `autoresearch try`.

use std::path::Path;
use std::time::Instant;

use super::Global;
use crate::cli::TryArgs;
use crate::driver::engine::{Engine, commit_id};
use crate::driver::open::{self, Opened};
use crate::driver::propose::Draft;
use crate::edge::interrupt::Interrupts;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::{Line, Origin, Status};
use crate::flow::scope::Scope;

/// Judges the working tree's change against the session's head. The working tree stays as it is.
///
/// # Errors
/// There is no change, or it does not fit the head; the environment fails.
pub fn run(global: &Global, args: &TryArgs) -> Result<Exit> {
    let interrupts = Interrupts::install()?;
    let console = global.console();
    let opened = open::open(&global.directory, false, &console)?;
    let draft = draft(&opened, args)?;
    let mut engine = Engine::new(opened, console, interrupts)?;
    let started = Instant::now();
    let result = engine
        .get_ready()
        .and_then(|()| engine.evaluate(draft, started));
    engine.console.finish();
    let line = match result {
        Ok(line) => line,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    let kept = line.status == Status::Keep;
    if args.json {
        super::print(&Line::Run(Box::new(line)).encode());
    } else {
        super::print(&super::show::render(
            &global.ledger_path(None)?,
            line.run,
            false,
        )?);
    }
    Ok(if kept { Exit::Ok } else { Exit::No })
}

/// The change of the working tree against HEAD, carried over to the session's head.
fn draft(opened: &Opened, args: &TryArgs) -> Result<Draft> {
    let repo = &opened.repo;
    let config = &opened.pinned.config;
    let scope = Scope::new(&config.scope, &config.protected_globs());
    // The loop's own files change while it works; files of the user's that git does not know and
    // that no candidate could contain are none of our business.
    let leave = |path: &Path, is_tracked: bool| {
        let path = path.to_string_lossy();
        is_loop_file(&path) || (!is_tracked && !scope.permits(&path))
    };
    let theirs = repo.tree_of_checkout(repo.workdir(), &leave)?;
    let base = repo.tree_id(repo.head()?)?;
    if theirs == base {
        return Err(
            Error::usage("the working tree has no change inside the scope to try")
                .hint("edit files that the config's `scope` names, and leave them uncommitted"),
        );
    }
    let head = repo.tree_id(commit_id(opened.state.head())?)?;
    let merged = repo.merge_trees(base, head, theirs)?.ok_or_else(|| {
        Error::usage(format!(
            "the change conflicts with commits that are kept on {} and not in HEAD",
            opened.state.opened.branch
        ))
        .hint(format!(
            "merge them first: `git merge {}`",
            opened.state.opened.branch
        ))
    })?;
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
            proposer: "try".to_owned(),
            ..Origin::default()
        },
        change: Change::Agent,
        asi: None,
    };
    Ok(Draft {
        proposal,
        tree: Ok(merged),
    })
}

/// Ledger and backlog, which the loop itself writes.
fn is_loop_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [
        crate::flow::record::LEDGER_FILE,
        crate::driver::project::IDEAS_FILE,
    ]
    .contains(&name)
}
