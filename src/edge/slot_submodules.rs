//! The files of submodules in a slot. Git leaves their directories empty in a new worktree; here they are
//! filled from the user's clone, which has them when the user can build. Nothing is fetched.

use std::fs;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Index, ObjectType, Oid, Repository, Tree};

use super::slot_tree::Layout;
use super::{lfs, slot_files};
use crate::error::{Context, Result};

/// Name of an index file, which no submodule has.
const INDEX: &str = ".git";

/// Makes the files of all submodules of a tree those of the commits that it names, also of theirs; `slot` has
/// room for them. One that the clone does not have is empty. `indexes` is a directory in which git remembers
/// what it has written.
///
/// # Errors
/// A file cannot be written.
pub(super) fn fill(repo: &Repository, layout: &Layout, slot: &Path, indexes: &Path) -> Result<()> {
    for (path, commit) in &layout.submodules {
        let (place, indexes) = (slot.join(path), indexes.join(path));
        let context = || format!("cannot fill the submodule {}", path.display());
        match open(repo, path, *commit) {
            Some(module) => {
                fs::create_dir_all(&place).context(context)?;
                fs::create_dir_all(&indexes).context(context)?;
                check_out(&module, *commit, &place, &indexes)?;
            }
            None => {
                slot_files::remove(&place)?;
                fs::create_dir_all(&place).context(context)?;
            }
        }
    }
    Ok(())
}

/// With a working directory and an index that only this handle knows of: those of the clone's submodule
/// stay as they are. (`CheckoutBuilder::target_dir` would compare with its files.)
fn check_out(module: &Repository, commit: Oid, place: &Path, indexes: &Path) -> Result<()> {
    let context = || format!("cannot check out {commit} in {}", place.display());
    let apart = Repository::open(module.path()).context(context)?;
    apart.set_workdir(place, false).context(context)?;
    let index = Index::open(&indexes.join(INDEX));
    apart
        .set_index(&mut index.context(context)?)
        .context(context)?;
    let commit = apart.find_commit(commit).context(context)?;
    let tree = commit.tree().context(context)?;
    // Git compares with its head and removes what only that has.
    if let Ok(head) = apart.head().and_then(|head| head.peel_to_tree()) {
        Layout::of(&apart, &head)
            .context(context)?
            .make_room(place)?;
    }
    let layout = Layout::of(&apart, &tree).context(context)?;
    layout.make_room(place)?;
    let mut builder = CheckoutBuilder::new();
    builder.force().remove_untracked(true);
    apart
        .checkout_tree(commit.as_object(), Some(&mut builder))
        .context(context)?;
    if layout.uses_lfs {
        lfs::fill(&apart, &tree, place)?;
    }
    fill(module, &layout, place, indexes)
}

/// Submodules of a tree that cannot be filled: the clone does not have what it names.
///
/// # Errors
/// A tree is not there.
pub(super) fn missing(
    repo: &Repository,
    tree: &Tree<'_>,
) -> std::result::Result<Vec<PathBuf>, git2::Error> {
    let mut all = Vec::new();
    for (path, commit) in Layout::of(repo, tree)?.submodules {
        match open(repo, &path, commit) {
            None => all.push(path),
            Some(module) => {
                let inner = missing(&module, &module.find_commit(commit)?.tree()?)?;
                all.extend(inner.iter().map(|below| path.join(below)));
            }
        }
    }
    Ok(all)
}

/// The submodule of a tree that a path is, or is in.
pub(super) fn around<'a>(tree: &Tree<'_>, path: &'a Path) -> Option<&'a Path> {
    let is_module = |path: &&Path| {
        let entry = tree.get_path(path);
        entry.is_ok_and(|entry| entry.kind() == Some(ObjectType::Commit))
    };
    path.ancestors().find(is_module)
}

/// Whether a path of a checkout is in a submodule that [`fill`] has filled: git knows nothing of its files.
pub(super) fn is_filled(tree: &Tree<'_>, checkout: &Path, path: &Path) -> bool {
    around(tree, path).is_some_and(|module| !checkout.join(module).join(".git").exists())
}

/// The clone's repository of a submodule, when it has this commit with its tree.
pub(super) fn open(repo: &Repository, path: &Path, commit: Oid) -> Option<Repository> {
    let place = repo.workdir()?.join(path);
    // Its own: that of the directory around would be found as well.
    if !place.join(".git").exists() {
        return None;
    }
    let module = Repository::open(place).ok()?;
    let has_it = module
        .find_commit(commit)
        .and_then(|commit| commit.tree())
        .is_ok();
    has_it.then_some(module)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use git2::Signature;

    use super::*;

    fn commit(repo: &Repository, entries: &[(&str, Oid, i32)]) -> Oid {
        let mut builder = repo.treebuilder(None).expect("a tree");
        for (name, id, mode) in entries {
            builder.insert(name, *id, *mode).expect("an entry");
        }
        let tree = builder.write().expect("a tree");
        let tree = repo.find_tree(tree).expect("it was written");
        let author = Signature::now("t", "t@example.com").expect("a name");
        repo.commit(Some("HEAD"), &author, &author, "m", &tree, &[])
            .expect("a commit")
    }

    /// A clone with a submodule, as the user has it, and the tree of its commit.
    fn clone_with_module(root: &Path) -> (Repository, Oid) {
        let repo = Repository::init(root).expect("a repository");
        let module = Repository::init(root.join("lib")).expect("a repository");
        let text = module.blob(b"library\n").expect("a blob");
        let lib = commit(
            &module,
            &[("a.txt", text, 0o100_644), ("b.txt", text, 0o100_644)],
        );
        let modules = repo.blob(b"[submodule \"lib\"]\n").expect("a blob");
        let entries = [(".gitmodules", modules, 0o100_644), ("lib", lib, 0o160_000)];
        let id = commit(&repo, &entries);
        let tree = repo.find_commit(id).expect("it was written").tree_id();
        (repo, tree)
    }

    fn fill_all(repo: &Repository, tree: &Tree<'_>, slot: &Path) -> Result<()> {
        let layout = Layout::of(repo, tree).expect("it can be read");
        layout.make_room(slot)?;
        fill(repo, &layout, slot, &slot.with_extension("indexes"))
    }

    #[test]
    fn a_submodule_is_put_back_as_it_was_and_what_did_not_change_is_not_touched() {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, slot) = (directory.path().join("root"), directory.path().join("slot"));
        let (repo, tree) = clone_with_module(&root);
        let tree = repo.find_tree(tree).expect("a tree");
        let theirs = root.join("lib/.git/index");
        fs::write(&theirs, "the user's").expect("it is written");
        let at = |name: &str| slot.join("lib").join(name);
        let text = |name: &str| fs::read_to_string(at(name)).expect("it is there");
        let stamp = |name: &str| {
            let metadata = fs::metadata(at(name)).expect("it is there");
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        fill_all(&repo, &tree, &slot).expect("it is filled");
        let before = stamp("a.txt");
        fs::write(at("b.txt"), "changed\n").expect("it is written");
        fs::write(at("left"), "").expect("it is written");
        fill_all(&repo, &tree, &slot).expect("it is filled");
        assert_eq!(
            (text("a.txt"), text("b.txt")),
            ("library\n".into(), "library\n".into())
        );
        assert_eq!(stamp("a.txt"), before);
        assert!(!at("left").exists() && !at(".git").exists());
        assert_eq!(
            fs::read_to_string(theirs).expect("it is there"),
            "the user's"
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_submodule_is_not_written_through() {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, slot) = (directory.path().join("root"), directory.path().join("slot"));
        let (repo, tree) = clone_with_module(&root);
        let tree = repo.find_tree(tree).expect("a tree");
        let outside = directory.path().join("outside");
        fs::create_dir_all(&outside).expect("a directory");
        fs::create_dir_all(&slot).expect("a directory");
        symlink(&outside, slot.join("lib")).expect("a link");
        fill_all(&repo, &tree, &slot).expect("it is filled");
        assert!(slot.join("lib/a.txt").exists() && !slot.join("lib").is_symlink());
        assert_eq!(fs::read_dir(outside).expect("it is there").count(), 0);
    }

    #[test]
    fn what_the_clone_does_not_have_is_missing_and_left_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, slot) = (directory.path().join("root"), directory.path().join("slot"));
        let (repo, tree) = clone_with_module(&root);
        let tree = repo.find_tree(tree).expect("a tree");
        assert!(missing(&repo, &tree).expect("it can be read").is_empty());
        fs::remove_dir_all(root.join("lib/.git")).expect("it is removed");
        assert_eq!(
            missing(&repo, &tree).expect("it can be read"),
            [Path::new("lib")]
        );
        fill_all(&repo, &tree, &slot).expect("nothing to do");
        assert!(!slot.join("lib/a.txt").exists());
    }
}
