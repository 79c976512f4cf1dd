//! What a tree of git has in a slot, by the bytes of its names, and making room for it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, Tree, TreeEntry};

use super::addable::{is_ignored, lstat_inside};
use super::slot_files;
use crate::error::Result;

/// Calls `each` with every entry of a tree and of the trees in it, each tree before what is in it.
/// (`Tree::walk` ends at a name that is not UTF-8.)
///
/// # Errors
/// A tree is not there.
pub(super) fn each(
    repo: &Repository,
    tree: &Tree<'_>,
    each_entry: &mut dyn FnMut(&Path, &TreeEntry<'_>),
) -> std::result::Result<(), git2::Error> {
    below(repo, tree, Path::new(""), each_entry)
}

fn below(
    repo: &Repository,
    tree: &Tree<'_>,
    at: &Path,
    each_entry: &mut dyn FnMut(&Path, &TreeEntry<'_>),
) -> std::result::Result<(), git2::Error> {
    for entry in tree {
        let path = at.join(OsStr::from_bytes(entry.name_bytes()));
        each_entry(&path, &entry);
        if entry.kind() == Some(ObjectType::Tree) {
            below(repo, &repo.find_tree(entry.id())?, &path, each_entry)?;
        }
    }
    Ok(())
}

/// The parts of a tree that a checkout by git alone does not see to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Directories, each before those in it.
    directories: Vec<PathBuf>,
    /// Path and commit of each submodule, without those in submodules.
    pub submodules: Vec<(PathBuf, Oid)>,
    /// Whether a `.gitattributes` hands files to Git LFS.
    pub uses_lfs: bool,
}

impl Layout {
    /// Of a tree.
    ///
    /// # Errors
    /// A tree in it is not there.
    pub fn of(repo: &Repository, tree: &Tree<'_>) -> std::result::Result<Self, git2::Error> {
        let mut layout = Self::default();
        // Without this file git knows of no submodule.
        let has_modules = tree.get_name(".gitmodules").is_some();
        each(repo, tree, &mut |path, entry| match entry.kind() {
            Some(ObjectType::Tree) => layout.directories.push(path.to_owned()),
            Some(ObjectType::Commit) if has_modules => {
                layout.submodules.push((path.to_owned(), entry.id()));
            }
            Some(ObjectType::Blob) if entry.name_bytes() == b".gitattributes" => {
                layout.uses_lfs |= repo.find_blob(entry.id()).is_ok_and(|blob| {
                    String::from_utf8_lossy(blob.content()).contains("filter=lfs")
                });
            }
            _ => {}
        })?;
        Ok(layout)
    }

    /// Removes what is in the place of its directories and is none, a link say, which git would write and
    /// remove through; and what [`forget_repositories`](Self::forget_repositories) does.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn make_room(&self, root: &Path) -> Result<()> {
        let modules = self.submodules.iter().map(|(path, _)| path);
        for directory in self.directories.iter().chain(modules) {
            let path = root.join(directory);
            if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                slot_files::remove(&path)?;
            }
        }
        self.forget_repositories(root)
    }

    /// Removes repositories in the places of its submodules: we put none there, and git would read their
    /// settings.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget_repositories(&self, root: &Path) -> Result<()> {
        for (module, _) in &self.submodules {
            if lstat_inside(root, module).is_some_and(|found| found.is_dir()) {
                slot_files::remove(&root.join(module).join(".git"))?;
            }
        }
        Ok(())
    }
}

/// Removes repositories below a slot, except where git ignores the directory they are in, and leaves their
/// working files; whether there were any.
///
/// # Errors
/// One cannot be removed.
pub(super) fn remove_repositories(repo: &Repository, root: &Path, at: &Path) -> Result<bool> {
    let mut has_removed = false;
    for entry in fs::read_dir(root.join(at)).into_iter().flatten().flatten() {
        let path = at.join(entry.file_name());
        if entry.file_name() == ".git" {
            if !at.as_os_str().is_empty() {
                slot_files::remove(&entry.path())?;
                has_removed = true;
            }
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_ignored(repo, &path) {
            has_removed |= remove_repositories(repo, root, &path)?;
        }
    }
    Ok(has_removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_text_are_entries_like_others() {
        let directory = tempfile::tempdir().expect("a directory");
        let repo = Repository::init(directory.path()).expect("a repository");
        let blob = |text: &[u8]| repo.blob(text).expect("a blob");
        let tree = |entries: &[(&[u8], Oid, i32)]| {
            let mut builder = repo.treebuilder(None).expect("a tree");
            for (name, id, mode) in entries {
                builder.insert(*name, *id, *mode).expect("an entry");
            }
            builder.write().expect("a tree")
        };
        let module = blob(b"no commit, which git does not mind");
        let attributes = (
            &b".gitattributes"[..],
            blob(b"*.bin filter=lfs\n"),
            0o100_644,
        );
        let odd = tree(&[(b"\xe9", module, 0o160_000), attributes]);
        let all = tree(&[
            (b".gitmodules", blob(b""), 0o100_644),
            (b"a\xff", odd, 0o040_000),
        ]);
        let layout = Layout::of(&repo, &repo.find_tree(all).expect("it was written"));
        let path = |bytes: &'static [u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let expected = Layout {
            directories: vec![path(b"a\xff")],
            submodules: vec![(path(b"a\xff/\xe9"), module)],
            uses_lfs: true,
        };
        assert_eq!(layout.expect("it can be read"), expected);
    }
}
