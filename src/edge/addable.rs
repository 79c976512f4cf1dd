//! What a checkout would add to the repository, looked at before git reads any of it: a sparse file of many
//! gigabytes costs its maker nothing, and a named pipe keeps its reader waiting for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{Repository, Tree};

use super::{regular, slot_submodules};
use crate::error::{Context, Error, Result};

/// Most bytes by which the files of one change may be larger than those of the commit before, all together.
pub const ADDED_MAX: u64 = 64 << 20;

/// Files of a checkout that git does not ignore, links and special files with them.
type Found = BTreeMap<PathBuf, Metadata>;

/// Refuses a checkout that would add more than [`ADDED_MAX`] to its HEAD, or that has something else where
/// git knows a file. `staged` are the paths of its index; those that `leave` leaves out do not count.
///
/// # Errors
/// It is refused; the message names the path.
pub fn check(
    repo: &Repository,
    root: &Path,
    head: &Tree<'_>,
    staged: &BTreeSet<Vec<u8>>,
    leave: &dyn Fn(&Path, bool) -> bool,
) -> Result<()> {
    let mut found = Found::new();
    walk(repo, root, Path::new(""), &mut found)?;
    // Also what was added in spite of an ignore rule.
    for path in staged.iter().map(|path| Path::new(OsStr::from_bytes(path))) {
        if let Some(metadata) = lstat_inside(root, path) {
            found.insert(path.to_owned(), metadata);
        }
    }
    let is_tracked =
        |path: &Path| staged.contains(path.as_os_str().as_bytes()) || head.get_path(path).is_ok();
    for directory in found
        .keys()
        .filter(|path| path.ends_with(".git"))
        .filter_map(|path| path.parent())
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        // What an agent says of its worktree's index counts for nothing.
        let is_added = !repo.is_worktree() && staged.contains(directory.as_os_str().as_bytes());
        let is_submodules = slot_submodules::around(head, directory).is_some();
        if !is_added && !is_submodules && !leave(directory, is_tracked(directory)) {
            return Err(Error::usage(format!(
                "{} is a git repository of its own, which git cannot hold",
                directory.display()
            )));
        }
    }
    for (path, metadata) in &found {
        let kind = metadata.file_type();
        if !is_plain(kind) && is_tracked(path) && !leave(path, true) {
            return Err(Error::usage(format!(
                "{} is {}, which git cannot hold",
                path.display(),
                regular::name(kind)
            )));
        }
    }
    found.retain(|_, metadata| metadata.is_file());
    if sum(found.values().map(Metadata::len)) <= ADDED_MAX {
        return Ok(());
    }
    let odb = repo.odb().context(|| "cannot read objects".to_owned())?;
    let before = |path: &Path| {
        let entry = head.get_path(path).ok()?;
        odb.read_header(entry.id())
            .ok()
            .map(|(size, _)| size as u64)
    };
    let mut added = Vec::new();
    for (path, metadata) in &found {
        // Line ends at most double a file.
        let allowed = before(path).map_or(0, |size| size.saturating_mul(2));
        let more = metadata.len().saturating_sub(allowed);
        let is_left = || {
            repo.is_path_ignored(path).unwrap_or(false) && !is_tracked(path)
                || leave(path, is_tracked(path))
        };
        if more > 0 && !is_left() {
            added.push((more, path));
        }
    }
    let all = sum(added.iter().map(|(more, _)| *more));
    match added.iter().max() {
        Some((largest, path)) if all > ADDED_MAX => Err(Error::usage(format!(
            "{} MiB would be added to the repository, at most {} are: {} is the largest, with {} MiB",
            all >> 20,
            ADDED_MAX >> 20,
            path.display(),
            largest >> 20
        ))
        .hint("let `.gitignore` name what is built or downloaded")),
        _ => Ok(()),
    }
}

/// Sparse files together may have more bytes than a number has room for.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

/// Everything below `at`, except in directories that git ignores.
fn walk(repo: &Repository, root: &Path, at: &Path, found: &mut Found) -> Result<()> {
    for name in RULES {
        check_rules(&root.join(at).join(name))
            .context(|| format!("cannot read {}", at.join(name).display()))?;
    }
    for entry in fs::read_dir(root.join(at)).into_iter().flatten().flatten() {
        let path = at.join(entry.file_name());
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        // One of its own: git would read its settings, and follow them.
        if entry.file_name() == ".git" && !at.as_os_str().is_empty() {
            found.insert(path, metadata);
            continue;
        }
        if !metadata.is_dir() {
            found.insert(path, metadata);
        } else if entry.file_name() != ".git" && !is_ignored(repo, &path) {
            walk(repo, root, &path, found)?;
        }
    }
    Ok(())
}

/// Files that libgit2 reads in every directory, also through links and while they are pipes.
const RULES: [&str; 2] = [".gitignore", ".gitattributes"];

fn check_rules(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(());
    };
    regular::check(&metadata)?;
    if metadata.len() > ADDED_MAX {
        let problem = format!("it has {} MiB", metadata.len() >> 20);
        return Err(io::Error::other(problem));
    }
    Ok(())
}

/// Whether this is a file of git's rules that [`check`] refuses to have git read.
pub fn misleads_git(path: &Path) -> bool {
    let is_rules = RULES.iter().any(|name| path.ends_with(name));
    is_rules && check_rules(path).is_err()
}

fn is_plain(kind: FileType) -> bool {
    kind.is_file() || kind.is_dir() || kind.is_symlink()
}

/// Whether git is told to leave out a directory, relative to the root.
pub fn is_ignored(repo: &Repository, directory: &Path) -> bool {
    // With its slash: rules may be for directories alone.
    repo.is_path_ignored(directory.join("")).unwrap_or(false)
}

/// What is at `path` below `root`, unless a link is on the way to it.
pub fn lstat_inside(root: &Path, path: &Path) -> Option<Metadata> {
    let mut parents = path.ancestors().skip(1);
    let is_directory = |parent: &Path| {
        let metadata = fs::symlink_metadata(root.join(parent));
        metadata.is_ok_and(|metadata| metadata.is_dir())
    };
    parents
        .all(is_directory)
        .then(|| fs::symlink_metadata(root.join(path)).ok())?
}
