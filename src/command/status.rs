//! `autoresearch status`.

use std::path::Path;

use super::{Global, ledger_read};
use crate::cli::JsonArgs;
use crate::driver::open;
use crate::edge::lock::Lock;
use crate::error::Result;
use crate::exit::Exit;
use crate::flow::summary::Summary;
use crate::report::{closing, status};

/// Prints what the ledger holds, and whether a loop is at work.
///
/// # Errors
/// There is no project here, or the ledger is damaged.
pub fn run(global: &Global, args: &JsonArgs) -> Result<Exit> {
    let (repo, project, config) = global.project()?;
    let path = project.ledger(&config);
    let holder = Lock::is_held(&open::lock_path(&repo));
    let summary = if path.exists() {
        summary_of(&path)?
    } else {
        Summary::default()
    };
    if args.json {
        super::print(&status::json(&summary, Some(holder.is_some())));
        return Ok(Exit::Ok);
    }
    let text = match holder {
        Some(holder) => format!("a loop is running{holder}\n{}", status::text(&summary)),
        None => format!("no loop is running\n{}", status::text(&summary)),
    };
    super::print(&text);
    Ok(Exit::Ok)
}

/// Folds a ledger.
///
/// # Errors
/// It is missing or damaged.
pub fn summary_of(path: &Path) -> Result<Summary> {
    let mut summary = Summary::default();
    ledger_read::each(path, |_, read| {
        summary.push(&read);
        Ok(())
    })?;
    Ok(summary)
}

/// What `run` prints at its end: the last session.
pub fn render(summary: &Summary, json: bool) -> String {
    if json {
        return status::json(summary, None);
    }
    summary
        .sessions
        .last()
        .map(closing::text)
        .unwrap_or_default()
}
