//! `autoresearch repair`.

use std::path::Path;

use super::Global;
use crate::cli::RepairArgs;
use crate::driver::open;
use crate::edge::clock;
use crate::edge::ledger_file::{self, LedgerFile};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::ledger::repair::Plan;
use crate::report::repair::{self, Report};

/// Takes damaged lines out of the project's ledger and keeps the original beside it.
///
/// # Errors
/// A loop is at work, there is no ledger, it is not ours to repair, or it cannot be written; the
/// ledger is then as it was.
pub fn run(global: &Global, args: &RepairArgs) -> Result<Exit> {
    let (repo, project, config) = global.project()?;
    let path = project.ledger(&config);
    let _lock = open::take_lock(&repo)?;
    if !path.exists() {
        return Err(Error::usage(format!("there is no {}", path.display()))
            .hint("`autoresearch run` creates it"));
    }
    ledger_file::remove_leftover(&path);
    let text = LedgerFile::read(&path)?;
    let plan = Plan::of(&text, &path.display().to_string())?;
    let is_damaged = plan.gaps().next().is_some();
    let mut original = None;
    if is_damaged {
        let kept = ledger_file::name_for_original(&path, &text)?;
        let name = file_name(&kept);
        let repaired = plan.apply(&text, &name, clock::now_ms())?;
        if !args.dry_run {
            ledger_file::put_repaired(&path, &text, &kept, &repaired)?;
        }
        original = Some(name);
    }
    let report = Report {
        ledger: path.display().to_string(),
        written: is_damaged && !args.dry_run,
        original,
        kept_lines: plan.kept,
        gaps: plan.gaps().cloned().collect(),
    };
    super::print(&if args.json {
        super::pretty(&report)
    } else {
        repair::text(&report)
    })?;
    Ok(if is_damaged && args.dry_run {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
