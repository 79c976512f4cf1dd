//! What git ignores in a slot and the caches of build tools: as the session's start left them, for every
//! slot that is made anew.
//!
//! What a candidate's build or run wrote there could lie in wait for the incumbent, the gate or a later
//! candidate. So only a slot in which nothing but known code has run is ever copied, and whatever counts
//! (confirmation, gate, claim) happens in slots made from that copy.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, Status, StatusOptions};

use super::slot_files;
use super::slots::{SlotName, Slots};
use super::tree::copy_tree;
use crate::error::{Context, Result};

impl Slots {
    fn clean_cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Whether there is a clean cache: slots made from now on are made with it.
    pub fn has_clean_cache(&self) -> bool {
        self.clean_cache().exists()
    }

    /// Keeps what was built in a slot in which nothing but known code has run, also for later sessions.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn keep_clean_cache(&self, slot: SlotName) -> Result<()> {
        slot_files::remove_special(&self.path(slot))?;
        let Some(repo) = self.open_slot(slot) else {
            return Ok(());
        };
        // Renamed when whole: a copy cut short by a kill would look like a finished build.
        let partial = self.root.join("new-cache");
        let kept = self.clean_cache();
        slot_files::remove(&partial)?;
        fs::create_dir_all(partial.join("ignored"))
            .context(|| format!("cannot create {}", partial.display()))?;
        for path in ignored(&repo)? {
            let (from, to) = (
                self.path(slot).join(&path),
                partial.join("ignored").join(&path),
            );
            if from
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir())
            {
                copy_tree(&from, &to)?;
            }
        }
        let tools = self.private(slot).join("cache");
        if tools
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir())
        {
            copy_tree(&tools, &partial.join("tools"))?;
        }
        slot_files::remove(&kept)?;
        fs::rename(&partial, &kept).context(|| format!("cannot move {}", partial.display()))
    }

    /// Copies it into a slot that was just made. Its files are newer than what was built from them, so
    /// build tools build the project again and reuse its dependencies.
    pub(super) fn restore_cache(&self, slot: SlotName) -> Result<()> {
        let cache = self.clean_cache();
        let to_private = self.private(slot).join("cache");
        for (from, to) in [
            (cache.join("ignored"), self.path(slot)),
            (cache.join("tools"), to_private),
        ] {
            if from.exists() {
                copy_tree(&from, &to)?;
            }
        }
        Ok(())
    }
}

/// Directories that git ignores, whole; below the worktree.
fn ignored(repo: &Repository) -> Result<Vec<PathBuf>> {
    let mut options = StatusOptions::new();
    options
        .include_ignored(true)
        .include_untracked(false)
        .recurse_ignored_dirs(false);
    let statuses = repo
        .statuses(Some(&mut options))
        .context(|| "cannot tell what git ignores".to_owned())?;
    let paths = statuses
        .iter()
        .filter(|entry| entry.status().contains(Status::IGNORED))
        .filter_map(|entry| entry.path().ok().map(PathBuf::from))
        .collect();
    Ok(paths)
}

/// Python trusts a `.pyc` whose source has the same size and the same time in whole seconds, so an
/// edit checked out within a second would run the other side's code. The caches of changed sources
/// go.
pub(super) fn forget_python_bytecode(repo: &Repository, commit: Oid, path: &Path) {
    let tree_of = |id: Oid| repo.find_commit(id).and_then(|commit| commit.tree());
    let Ok(head) = repo.head().and_then(|head| head.peel_to_tree()) else {
        return;
    };
    let Ok(tree) = tree_of(commit) else { return };
    let Ok(diff) = repo.diff_tree_to_tree(Some(&head), Some(&tree), None) else {
        return;
    };
    for changed in diff
        .deltas()
        .filter_map(|delta| delta.new_file().path().map(Path::to_path_buf))
    {
        if changed
            .extension()
            .is_none_or(|extension| extension != "py")
        {
            continue;
        }
        let stem = changed
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let caches = path.join(&changed).with_file_name("__pycache__");
        if fs::symlink_metadata(&caches).is_ok_and(|metadata| metadata.is_symlink()) {
            continue;
        }
        for entry in fs::read_dir(caches).into_iter().flatten().flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{stem}."))
            {
                fs::remove_file(entry.path()).ok();
            }
        }
    }
}
