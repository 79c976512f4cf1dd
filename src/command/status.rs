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
    if !args.json {
        match Lock::is_held(&open::lock_path(&repo)) {
            Some(holder) => super::print(&format!("a loop is running{holder}")),
            None => super::print("no loop is running"),
        }
    }
    let summary = if path.exists() {
        summary_of(&path)?
    } else {
        Summary::default()
    };
    let text = if args.json {
        status::json(&summary)
    } else {
        status::text(&summary)
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
        return status::json(summary);
    }
    summary
        .sessions
        .last()
        .map(closing::text)
        .unwrap_or_default()
}
