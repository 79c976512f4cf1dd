//! `autoresearch status`.

use std::path::Path;

use super::{Global, ledger_read};
use crate::cli::JsonArgs;
use crate::driver::open;
use crate::edge::clock;
use crate::edge::live_file;
use crate::edge::lock::Lock;
use crate::edge::repo::Repo;
use crate::error::Result;
use crate::exit::Exit;
use crate::flow::live::Running;
use crate::flow::summary::Summary;
use crate::report::{closing, status};

/// Prints what the ledger holds, and whether a loop is at work.
///
/// # Errors
/// There is no project here, or the ledger is damaged.
pub fn run(global: &Global, args: &JsonArgs) -> Result<Exit> {
    let (repo, project, config) = global.project()?;
    let path = project.ledger(&config);
    let running = running(&repo);
    let summary = if path.exists() {
        summary_of(&path)?
    } else {
        Summary::default()
    };
    super::print(&if args.json {
        status::json(&summary, Some(&running))
    } else {
        let running = status::running_text(&running, clock::now_ms());
        format!("{running}{}", status::text(&summary))
    })?;
    Ok(Exit::Ok)
}

/// What is known of a loop at work in a repository.
pub fn running(repo: &Repo) -> Running {
    let lock = open::lock_path(repo);
    match Lock::holder(&lock) {
        None => Running::No,
        Some(holder) => Running::Yes {
            pid: holder.pid,
            live: holder.pid.and_then(|pid| live_file::read(&lock, pid)),
        },
    }
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
