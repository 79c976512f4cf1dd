//! Writing to the repository: objects, refs and branches, never the user's checkout or index.
//!
//! libgit2 runs no hooks and signs nothing, so a user's `pre-commit` or `commit.gpgSign` cannot
//! break a commit of the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use git2::{IndexAddOption, Oid, Repository, Signature};

use super::repo::Repo;
use super::repo_locks::RefWrite;
use super::{addable, fault, lfs, slot_submodules};
use crate::error::{Context, Error, Result, cut};
use crate::propose::patch_offset::relocated;

impl Repo {
    /// Commits a tree on top of `parent`; no branch moves.
    ///
    /// # Errors
    /// The objects cannot be written.
    pub fn commit(&self, parent: Oid, tree: Oid, message: &str) -> Result<Oid> {
        let context = || "cannot write a commit".to_owned();
        let parent = self.inner.find_commit(parent).context(context)?;
        let tree = self.inner.find_tree(tree).context(context)?;
        let author = self.author()?;
        fault::git_space_for("object-write").context(context)?;
        self.inner
            .commit(None, &author, &author, message, &tree, &[&parent])
            .context(context)
    }

    /// The same commit with another message; author and date stay.
    ///
    /// # Errors
    /// The objects cannot be read or written.
    pub fn reword(&self, commit: Oid, message: &str) -> Result<Oid> {
        let context = || format!("cannot rewrite the message of {commit}");
        let original = self.inner.find_commit(commit).context(context)?;
        let parents: Vec<_> = original.parents().collect();
        let tree = original.tree().context(context)?;
        fault::git_space_for("reword-write").context(context)?;
        self.inner
            .commit(
                None,
                &original.author(),
                &original.committer(),
                message,
                &tree,
                &parents.iter().collect::<Vec<_>>(),
            )
            .context(context)
    }

    fn author(&self) -> Result<Signature<'static>> {
        let context = || "cannot make a signature".to_owned();
        match self.identity() {
            Some((name, email)) => Signature::now(&name, &email).context(context),
            None => Signature::now("autoresearch", "autoresearch@localhost").context(context),
        }
    }

    /// The tree that a patch makes of a commit's, at the lines that it names or, as `git apply`
    /// does, where they are now; the reason when it does not apply.
    ///
    /// # Errors
    /// The commit cannot be read or the tree not written.
    pub fn apply_patch(
        &self,
        commit: Oid,
        patch: &[u8],
    ) -> Result<std::result::Result<Oid, String>> {
        let context = || format!("cannot apply a patch to {commit}");
        let diff = match git2::Diff::from_buffer(patch) {
            Ok(diff) => diff,
            Err(error) => {
                return Ok(Err(format!(
                    "it is no patch in git's format: {}",
                    cut(error.message())
                )));
            }
        };
        if diff.deltas().len() == 0 {
            return Ok(Err("it changes nothing".to_owned()));
        }
        let tree = self
            .inner
            .find_tree(self.tree_id(commit)?)
            .context(context)?;
        let apply = |diff: &git2::Diff| self.inner.apply_to_tree(&tree, diff, None);
        let refused = match apply(&diff) {
            Ok(index) => return self.written(index).context(context).map(Ok),
            Err(error) => error,
        };
        let moved = relocated(patch, &self.old_files(&tree, &diff))
            .and_then(|moved| apply(&git2::Diff::from_buffer(&moved).ok()?).ok());
        match moved {
            Some(index) => self.written(index).context(context).map(Ok),
            None => Ok(Err(cut(refused.message()))),
        }
    }

    fn written(&self, mut index: git2::Index) -> std::result::Result<Oid, git2::Error> {
        fault::git_space_for("tree-write")?;
        index.write_tree_to(&self.inner)
    }

    /// What the files of a patch are in a tree, in its order; none where there is no such file.
    fn old_files(&self, tree: &git2::Tree, diff: &git2::Diff) -> Vec<Option<Vec<u8>>> {
        let content = |delta: git2::DiffDelta| {
            let entry = tree.get_path(delta.old_file().path()?).ok()?;
            let blob = self.inner.find_blob(entry.id()).ok()?;
            Some(blob.content().to_vec())
        };
        diff.deltas().map(content).collect()
    }

    /// The commit's tree with some files' contents replaced; their modes stay.
    ///
    /// # Errors
    /// A path is not a file of the tree, or an object cannot be written.
    pub fn replace_files(&self, commit: Oid, files: &BTreeMap<String, Vec<u8>>) -> Result<Oid> {
        let context = || format!("cannot edit the tree of {commit}");
        let tree = self
            .inner
            .find_tree(self.tree_id(commit)?)
            .context(context)?;
        let mut builder = git2::build::TreeUpdateBuilder::new();
        for (path, content) in files {
            let entry = tree.get_path(Path::new(path)).map_err(|error| {
                Error::usage(format!("{path} is not in commit {commit}")).because(error)
            })?;
            let blob = self.inner.blob(content).context(context)?;
            let mode = if entry.filemode() == 0o100_755 {
                git2::FileMode::BlobExecutable
            } else {
                git2::FileMode::Blob
            };
            builder.upsert(path.as_str(), blob, mode);
        }
        builder.create_updated(&self.inner, &tree).context(context)
    }

    /// The tree of everything in a checkout that git does not ignore, committed or not, staged or
    /// not, except the paths for which `leave(path, is_tracked)` is true: those are as in its HEAD.
    /// Tracked is what git knows, if only by `git add`.
    /// Neither the files nor the index on disk change.
    ///
    /// # Errors
    /// A file cannot be read, the index has unresolved conflicts, [`addable::check`] refuses the files, or
    /// one that Git LFS keeps has new content.
    pub fn tree_of_checkout(
        &self,
        checkout: &Path,
        leave: &dyn Fn(&Path, bool) -> bool,
    ) -> Result<Oid> {
        let context = || format!("cannot read the files of {}", checkout.display());
        let repo = Repository::open(checkout).context(context)?;
        let head = repo
            .head()
            .and_then(|head| head.peel_to_tree())
            .context(context)?;
        let mut index = repo.index().context(context)?;
        if index.has_conflicts() {
            return Err(Error::usage(format!(
                "{} has unresolved merge conflicts",
                checkout.display()
            ))
            .hint("resolve them first"));
        }
        let staged: BTreeSet<Vec<u8>> = index.iter().map(|entry| entry.path).collect();
        let leave = &|path: &Path, is_tracked| {
            leave(path, is_tracked)
                || slot_submodules::is_filled(&head, checkout, path)
                || lfs::is_unchanged(&repo, &head, path, &checkout.join(path))
        };
        addable::check(&repo, checkout, &head, &staged, leave)?;
        // In memory only: what is staged must not count apart from what is in the files.
        index.read_tree(&head).context(context)?;
        let skip = |path: &Path, _: &[u8]| -> i32 {
            let is_staged = staged.contains(path.as_os_str().as_encoded_bytes());
            i32::from(leave(path, is_staged || head.get_path(path).is_ok()))
        };
        index
            .add_all(["*"], IndexAddOption::DEFAULT, Some(&mut { skip }))
            .context(context)?;
        index
            .update_all(["*"], Some(&mut { skip }))
            .context(context)?;
        // Files that were added in spite of an ignore rule.
        for path in staged.iter().map(|path| Path::new(OsStr::from_bytes(path))) {
            let is_left_out = index.get_path(path, 0).is_none() && !leave(path, true);
            if is_left_out && addable::lstat_inside(checkout, path).is_some() {
                index.add_path(path).context(context)?;
            }
        }
        let tree = index.write_tree().context(context)?;
        lfs::check_added(&repo, &head, tree)?;
        Ok(tree)
    }

    /// Three-way merge of trees; `None` when they conflict.
    ///
    /// # Errors
    /// A tree cannot be read or written.
    pub fn merge_trees(&self, base: Oid, ours: Oid, theirs: Oid) -> Result<Option<Oid>> {
        let context = || "cannot merge".to_owned();
        let find = |id| self.inner.find_tree(id).context(context);
        let mut index = self
            .inner
            .merge_trees(&find(base)?, &find(ours)?, &find(theirs)?, None)
            .context(context)?;
        if index.has_conflicts() {
            return Ok(None);
        }
        index.write_tree_to(&self.inner).context(context).map(Some)
    }

    /// Points a ref at a commit, whatever it pointed at.
    ///
    /// # Errors
    /// The ref cannot be written.
    pub fn set_ref(&self, name: &str, commit: Oid, log: &str) -> Result<()> {
        let _writing = RefWrite::begin(self.common_dir());
        fault::git_space_for("ref-write")
            .and_then(|()| self.inner.reference(name, commit, true, log))
            .map(drop)
            .context(|| format!("cannot write {name}"))
    }

    /// Creates the branch at `new`, or moves it there from exactly `old`.
    ///
    /// # Errors
    /// Somebody else moved it meanwhile, or has it checked out.
    pub fn advance_branch(&self, branch: &str, old: Oid, new: Oid, log: &str) -> Result<()> {
        if let Some(checkout) = self.checkout_of(branch) {
            return Err(Error::environment(format!(
                "branch {branch} is checked out in {}",
                checkout.display()
            ))
            .hint("check out another branch there, then run again: the commit is recorded and is not lost"));
        }
        let name = format!("refs/heads/{branch}");
        let _writing = RefWrite::begin(self.common_dir());
        fault::git_space_for("branch-move").context(|| format!("cannot move branch {branch}"))?;
        match self.branch_target(branch) {
            Some(target) if target == new => Ok(()),
            Some(target) if target == old => self
                .inner
                .reference_matching(&name, new, true, old, log)
                .map(drop)
                .context(|| format!("cannot move branch {branch}")),
            Some(target) => Err(Error::environment(format!(
                "branch {branch} points at {target} and not at {old}, where the loop left it"
            ))
            .hint(format!(
                "nothing was changed; start a new session with `--fresh`, or put it back with `git branch -f {branch} {old}`"
            ))),
            None => self
                .inner
                .reference(&name, new, false, log)
                .map(drop)
                .context(|| format!("cannot create branch {branch}")),
        }
    }
}
