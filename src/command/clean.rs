//! `autoresearch clean`.

use super::{Global, pretty};
use crate::cli::JsonArgs;
use crate::driver::open;
use crate::edge::repo::Repo;
use crate::edge::slots::{Slots, work_dir};
use crate::edge::tree::remove_tree;
use crate::error::Result;
use crate::exit::Exit;

/// Removes the slots and build caches of this repository; the ledger and all commits stay.
///
/// # Errors
/// A loop is at work, or something cannot be removed.
pub fn run(global: &Global, args: &JsonArgs) -> Result<Exit> {
    let repo = Repo::discover(&global.directory)?;
    let _lock = open::take_lock(&repo)?;
    let root = work_dir(&repo)?;
    drop(Slots::open(&repo)?);
    remove_tree(&root)?;
    super::print(&if args.json {
        pretty(&serde_json::json!({ "removed": root.display().to_string() }))
    } else {
        format!("removed {}", root.display())
    })?;
    Ok(Exit::Ok)
}
