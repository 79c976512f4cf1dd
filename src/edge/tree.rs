//! Whole directories: copied, made writable, removed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Context, Result};

/// Removes a tree, also directories without write permission in it (Go's module cache).
///
/// # Errors
/// Something cannot be removed.
pub fn remove_tree(path: &Path) -> Result<()> {
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    make_writable(path);
    fs::remove_dir_all(path).or_else(|error| {
        // Nested deeper than a process may have directories open.
        let removed = Command::new("rm").arg("-rf").arg("--").arg(path).status();
        if removed.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(error).context(|| format!("cannot remove {}", path.display()))
    })
}

/// Gives the user every right in the directories of a tree; links are not followed.
pub fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    if !metadata.is_dir() {
        return;
    }
    let mut permissions = metadata.permissions();
    permissions.set_mode(permissions.mode() | 0o700);
    fs::set_permissions(path, permissions).ok();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        make_writable(&entry.path());
    }
}

/// Copies files, links and modification times, and nothing else (to open a pipe would be to wait); hard
/// links would let one slot's build write into the other's files.
///
/// # Errors
/// A file cannot be read or written.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let context = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).context(context)?;
    for entry in fs::read_dir(from).context(context)? {
        let entry = entry.context(context)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().context(context)?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&source).context(context)?;
            std::os::unix::fs::symlink(link, &target).context(context)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).context(context)?;
            let modified = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .context(context)?;
            let file = fs::File::options()
                .write(true)
                .open(&target)
                .context(context)?;
            file.set_modified(modified).context(context)?;
        }
    }
    Ok(())
}
