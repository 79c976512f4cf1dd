//! Reading the user's repository, through libgit2.

use std::path::{Path, PathBuf};

use git2::{Delta, DiffOptions, ErrorCode, FileMode, Oid, Repository};

use super::{lfs, slot_submodules};
use crate::error::{Context, Error, Result};
use crate::flow::scope::{Change, Mode};

/// The user's repository. Nothing here writes into the checkout.
pub struct Repo {
    pub(super) inner: Repository,
    workdir: PathBuf,
}

impl Repo {
    /// Finds the repository that `dir` lies in.
    ///
    /// # Errors
    /// There is none, or it is bare.
    pub fn discover(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            return Err(
                Error::usage(format!("there is no directory {}", dir.display()))
                    .hint("`-C` takes the directory of your project"),
            );
        }
        let inner = Repository::discover(dir).map_err(|error| {
            let (problem, hint) = match error.code() {
                ErrorCode::NotFound => (
                    format!("{} is not in a git repository", dir.display()),
                    "run `git init` and commit your code first",
                ),
                ErrorCode::Owner => (
                    format!("the git repository of {} is another user's", dir.display()),
                    "`git config --global --add safe.directory DIRECTORY` trusts it",
                ),
                _ => (
                    format!("cannot read the git repository of {}", dir.display()),
                    "libgit2, which reads it here, knows neither SHA-256 nor reftable: work in a clone made with `git init --object-format=sha1 --ref-format=files`",
                ),
            };
            Error::environment(problem).because(error).hint(hint)
        })?;
        let workdir = inner.workdir().map(Path::to_path_buf).ok_or_else(|| {
            Error::environment(format!("{} is a bare repository", inner.path().display()))
                .hint("run in a clone that has its files checked out")
        })?;
        Ok(Self { inner, workdir })
    }

    /// Root of the user's checkout.
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// The directory that all worktrees share, usually `.git`.
    pub fn common_dir(&self) -> &Path {
        self.inner.commondir()
    }

    /// The commit checked out.
    ///
    /// # Errors
    /// There is no commit yet.
    pub fn head(&self) -> Result<Oid> {
        let unborn = || {
            Error::environment(format!("{} has no commits yet", self.workdir.display()))
                .hint("commit your code first: `git add -A && git commit -m start`")
        };
        let head = self.inner.head().map_err(|error| unborn().because(error))?;
        let commit = head
            .peel_to_commit()
            .context(|| "HEAD is no commit".to_owned())?;
        Ok(commit.id())
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// It names none.
    pub fn resolve(&self, revision: &str) -> Result<Oid> {
        self.inner
            .revparse_single(revision)
            .and_then(|object| object.peel_to_commit())
            .map(|commit| commit.id())
            .map_err(|error| {
                Error::usage(format!("`{revision}` names no commit here"))
                    .because(error)
                    .hint("`git log --oneline --all` lists them; a shallow clone may lack it: `git fetch --unshallow`")
            })
    }

    /// Whether the commit is in the object database.
    pub fn has_commit(&self, id: Oid) -> bool {
        self.inner.find_commit(id).is_ok()
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// The commit is missing.
    pub fn tree_id(&self, commit: Oid) -> Result<Oid> {
        let commit = self
            .inner
            .find_commit(commit)
            .context(|| format!("commit {commit} is missing"))?;
        Ok(commit.tree_id())
    }

    /// The message of a commit.
    ///
    /// # Errors
    /// The commit is missing.
    pub fn message(&self, commit: Oid) -> Result<String> {
        let commit = self
            .inner
            .find_commit(commit)
            .context(|| format!("commit {commit} is missing"))?;
        Ok(String::from_utf8_lossy(commit.message_bytes()).into_owned())
    }

    /// First parent of a commit.
    ///
    /// # Errors
    /// It has none.
    pub fn parent(&self, commit: Oid) -> Result<Oid> {
        self.inner
            .find_commit(commit)
            .and_then(|commit| commit.parent_id(0))
            .map_err(|error| {
                Error::usage(format!("commit {commit} has no parent to compare with"))
                    .because(error)
                    .hint(
                        "take a later commit, or `git fetch --unshallow` when the clone is shallow",
                    )
            })
    }

    /// A file as a commit has it.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub fn file_at(&self, commit: Oid, path: &Path) -> Result<Option<Vec<u8>>> {
        let tree = self
            .inner
            .find_commit(commit)
            .and_then(|commit| commit.tree())
            .context(|| format!("cannot read commit {commit}"))?;
        let Ok(entry) = tree.get_path(path) else {
            return Ok(None);
        };
        let object = entry
            .to_object(&self.inner)
            .context(|| format!("cannot read {} of commit {commit}", path.display()))?;
        Ok(object.as_blob().map(|blob| blob.content().to_vec()))
    }

    /// What differs between the trees of two commits, one entry a path, renames as two.
    ///
    /// # Errors
    /// A commit cannot be read.
    pub fn changes(&self, old: Oid, new: Oid) -> Result<Vec<Change>> {
        self.tree_changes(self.tree_id(old)?, self.tree_id(new)?)
    }

    /// What differs between two trees.
    ///
    /// # Errors
    /// A tree cannot be read.
    pub fn tree_changes(&self, old: Oid, new: Oid) -> Result<Vec<Change>> {
        let diff = self.diff(old, new, 0)?;
        let changes = diff.deltas().map(|delta| {
            let file = if delta.status() == Delta::Deleted {
                delta.old_file()
            } else {
                delta.new_file()
            };
            Change {
                path: String::from_utf8_lossy(file.path_bytes().unwrap_or_default()).into_owned(),
                old: mode(delta.old_file().mode()),
                new: mode(delta.new_file().mode()),
            }
        });
        Ok(changes.collect())
    }

    /// The difference of two trees as `git diff` prints it.
    ///
    /// # Errors
    /// A tree cannot be read.
    pub fn diff_text(&self, old: Oid, new: Oid) -> Result<String> {
        let diff = self.diff(self.tree_id(old)?, self.tree_id(new)?, 3)?;
        let mut text = Vec::new();
        diff.print(git2::DiffFormat::Patch, |_, _, line| {
            if matches!(line.origin(), '+' | '-' | ' ') {
                text.push(line.origin() as u8);
            }
            text.extend_from_slice(line.content());
            true
        })
        .context(|| "cannot print the difference".to_owned())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn diff(&self, old: Oid, new: Oid, context_lines: u32) -> Result<git2::Diff<'_>> {
        let find = |id| {
            self.inner
                .find_tree(id)
                .context(|| format!("tree {id} is missing"))
        };
        let (old, new) = (find(old)?, find(new)?);
        let mut options = DiffOptions::new();
        options
            .context_lines(context_lines)
            .ignore_submodules(false);
        self.inner
            .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
            .context(|| "cannot compare two commits".to_owned())
    }

    /// Where a branch points.
    pub fn branch_target(&self, branch: &str) -> Option<Oid> {
        let reference = self
            .inner
            .find_reference(&format!("refs/heads/{branch}"))
            .ok()?;
        Some(reference.peel_to_commit().ok()?.id())
    }

    /// The checkout that has this branch checked out, if any: moving the branch would make its
    /// files look modified.
    pub fn checkout_of(&self, branch: &str) -> Option<PathBuf> {
        let full = format!("refs/heads/{branch}");
        let is_on = |repo: &Repository| {
            repo.find_reference("HEAD")
                .ok()
                .and_then(|head| {
                    head.symbolic_target()
                        .ok()
                        .flatten()
                        .map(|target| target == full)
                })
                .unwrap_or(false)
        };
        if is_on(&self.inner) {
            return Some(self.workdir.clone());
        }
        // The list has linked worktrees only; the main one is found through the common directory.
        let main = Repository::open(self.inner.commondir()).ok();
        if let Some(main) = main.filter(|main| !main.is_bare() && is_on(main)) {
            return main.workdir().map(Path::to_path_buf);
        }
        let names = self.inner.worktrees().ok()?;
        names.iter().flatten().flatten().find_map(|name| {
            let worktree = self.inner.find_worktree(name).ok()?;
            let repo = Repository::open_from_worktree(&worktree).ok()?;
            is_on(&repo).then(|| worktree.path().to_path_buf())
        })
    }

    /// A branch whose name is a directory on the way to `branch`, such as `a` for `a/b`.
    pub fn blocking_branch(&self, branch: &str) -> Option<String> {
        let parents = branch.match_indices('/').map(|(end, _)| &branch[..end]);
        parents
            .into_iter()
            .find(|parent| self.branch_target(parent).is_some())
            .map(str::to_owned)
    }

    /// What a ref points at.
    pub fn ref_target(&self, name: &str) -> Option<Oid> {
        Some(
            self.inner
                .find_reference(name)
                .ok()?
                .peel_to_commit()
                .ok()?
                .id(),
        )
    }

    /// Name and address for commits, when git has them configured.
    pub fn identity(&self) -> Option<(String, String)> {
        let signature = self.inner.signature().ok()?;
        Some((
            signature.name().ok()?.to_owned(),
            signature.email().ok()?.to_owned(),
        ))
    }

    /// Whether git is told to leave out this path, relative to the root or absolute, and does not track
    /// it.
    pub fn is_ignored(&self, path: &Path) -> bool {
        let tracked = path.strip_prefix(&self.workdir).is_ok_and(|path| {
            self.inner
                .status_file(path)
                .is_ok_and(|status| !status.is_ignored())
        });
        !tracked && self.inner.is_path_ignored(path).unwrap_or(false)
    }

    /// Submodules that a commit names and the clone does not have: in slots they are empty.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub fn missing_submodules(&self, commit: Oid) -> Result<Vec<String>> {
        let missing = slot_submodules::missing(&self.inner, &self.tree(commit)?);
        missing
            .map(|paths| shown(&paths))
            .context(|| format!("cannot read the files of {commit}"))
    }

    /// Files of a commit that Git LFS keeps and whose content the clone does not have: in slots they are
    /// pointers.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub fn missing_lfs(&self, commit: Oid) -> Result<Vec<String>> {
        let missing = lfs::missing(&self.inner, &self.tree(commit)?);
        missing
            .map(|paths| shown(&paths))
            .context(|| format!("cannot read the files of {commit}"))
    }

    fn tree(&self, commit: Oid) -> Result<git2::Tree<'_>> {
        let tree = self.inner.find_tree(self.tree_id(commit)?);
        tree.context(|| format!("cannot read the files of {commit}"))
    }

    /// Worktrees that a loop of ours made and did not remove.
    pub fn our_worktrees(&self) -> Vec<String> {
        let Ok(names) = self.inner.worktrees() else {
            return Vec::new();
        };
        let names = names.iter().flatten().flatten();
        names
            .filter(|name| name.starts_with("autoresearch-"))
            .map(str::to_owned)
            .collect()
    }
}

fn shown(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

fn mode(mode: FileMode) -> Mode {
    match mode {
        FileMode::Blob | FileMode::BlobGroupWritable => Mode::File,
        FileMode::BlobExecutable => Mode::Executable,
        FileMode::Link => Mode::Symlink,
        FileMode::Commit => Mode::Submodule,
        FileMode::Tree | FileMode::Unreadable => Mode::Absent,
    }
}
