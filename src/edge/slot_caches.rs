//! What git ignores in a slot: kept for the next session, shared between slots, or forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};

use super::addable::remove_unreadable;
use super::slots::{SlotName, Slots};
use super::tree::{copy_tree, remove_tree};
use crate::error::{Context, Result};

impl Slots {
    fn cache(&self, slot: SlotName) -> PathBuf {
        self.root.join("cache").join(slot.suffix())
    }

    /// Moves the top-level entries that git ignores aside. Best effort: they are only a cache.
    pub(super) fn save_cache(&self, slot: SlotName) {
        let path = self.path(slot);
        let Some(repo) = self.open_slot(slot) else {
            return;
        };
        let Ok(entries) = fs::read_dir(&path) else {
            return;
        };
        remove_unreadable(&path);
        let cache = self.cache(slot);
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // Git tells directories by a slash at the end, as in the pattern `target/`.
            let asked = Path::new(&name).join(if is_directory { "" } else { "." });
            if name == ".git" || !is_directory || !repo.is_path_ignored(&asked).unwrap_or(false) {
                continue;
            }
            let kept = cache.join(&name);
            if kept.exists() && remove_tree(&kept).is_err() {
                continue;
            }
            if fs::create_dir_all(&cache).is_ok() {
                fs::rename(entry.path(), kept).ok();
            }
        }
    }

    /// Moves them back into a fresh worktree. Its files are newer than what was built from them, so
    /// build tools build the project again and reuse its dependencies.
    pub(super) fn restore_cache(&self, slot: SlotName) -> Result<()> {
        let cache = self.cache(slot);
        let Ok(entries) = fs::read_dir(&cache) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let target = self.path(slot).join(entry.file_name());
            if !target.exists() {
                fs::rename(entry.path(), &target)
                    .context(|| format!("cannot move {} back", entry.path().display()))?;
            }
        }
        Ok(())
    }

    /// Copies cargo's `target` of slot 0 into slot 1 when that has none, so that dependencies are
    /// compiled once. Slot 1 must have been checked out after slot 0 was built: its sources are then
    /// newer than the copy and the project's own crates are built anew, with slot 1's paths.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn seed_cargo_target(&self) -> Result<()> {
        let from = self.path(SlotName::Zero).join("target");
        let to = self.path(SlotName::One).join("target");
        if !from.join("CACHEDIR.TAG").exists() || to.exists() {
            return Ok(());
        }
        // Renamed when whole: a copy cut short by a kill would look like a finished build.
        let partial = self.root.join("seed");
        if partial.exists() {
            remove_tree(&partial)?;
        }
        copy_tree(&from, &partial)?;
        fs::rename(&partial, &to).context(|| format!("cannot move {}", partial.display()))
    }
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
