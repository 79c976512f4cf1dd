//! Slots: the worktrees in which candidates are built and measured, outside the user's checkout.
//!
//! Two slots with paths of equal length hold the two sides of a pair, a third is for agents. Each
//! has build directories of its own: cargo runs the other worktree's binary when two share a target
//! directory (rust-lang/cargo#16642). A slot lives for one session; what git ignores in it (`target`,
//! `node_modules`) is kept for the next one under `cache`.
//!
//! They lie under the user's cache directory and not inside the checkout, because cargo and node look
//! for configuration in every parent directory: uncommitted files of the user's would leak in.

use std::fs;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Oid, Repository, WorktreeAddOptions, WorktreePruneOptions};
use sha2::{Digest, Sha256};

use super::repo::Repo;
use super::repo_locks::RefWrite;
use super::slot_caches::forget_python_bytecode;
use super::slot_tree::Layout;
use super::tree::{make_writable, remove_tree};
use super::{fault, lfs, process, slot_files, slot_submodules, slot_tree};
use crate::error::{Context, Error, Result};

/// Which worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotName {
    /// Slot 0.
    Zero,
    /// Slot 1.
    One,
    /// Where an agent edits.
    Propose,
}

impl SlotName {
    /// The slot with this number.
    pub fn numbered(number: u8) -> Self {
        if number == 0 { Self::Zero } else { Self::One }
    }

    /// One character each, so that paths have equal length.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::Propose => "p",
        }
    }

    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Zero, Self::One, Self::Propose];
}

/// The worktrees of one repository; removed when dropped.
pub struct Slots {
    common_dir: PathBuf,
    workdir: PathBuf,
    pub(super) root: PathBuf,
    prefix: String,
}

/// Where a repository's slots are: `AUTORESEARCH_WORK_DIR`, else `XDG_CACHE_HOME/autoresearch`, else
/// `~/.cache/autoresearch`, and in it a directory named after the repository.
///
/// # Errors
/// `AUTORESEARCH_WORK_DIR` is relative or in the checkout.
pub fn work_dir(repo: &Repo) -> Result<PathBuf> {
    let named = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    // A relative XDG_CACHE_HOME is to be ignored, says the XDG Base Directory Specification.
    let absolute = |variable: &str| named(variable).filter(|path| path.is_absolute());
    let asked = named("AUTORESEARCH_WORK_DIR");
    if let Some(asked) = &asked {
        check_work_dir(repo, asked)?;
    }
    let base = asked
        .or_else(|| absolute("XDG_CACHE_HOME").map(|cache| cache.join("autoresearch")))
        .or_else(|| absolute("HOME").map(|home| home.join(".cache/autoresearch")))
        .unwrap_or_else(|| repo.common_dir().join("autoresearch/work"));
    let name = repo
        .workdir()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(base.join(format!("{name}-{}", repository_hash(repo))))
}

/// Worktrees in the checkout would be untracked files of the user's.
fn check_work_dir(repo: &Repo, asked: &Path) -> Result<()> {
    let shown = format!("AUTORESEARCH_WORK_DIR is {}", asked.display());
    if !asked.is_absolute() {
        return Err(Error::usage(format!("{shown}, which is relative"))
            .hint("give a path that begins with `/`"));
    }
    // What is not there yet has no links.
    let real = |path: &Path| {
        let known = path.ancestors().find_map(|parent| {
            let rest = path.strip_prefix(parent).ok()?;
            Some(parent.canonicalize().ok()?.join(rest))
        });
        known.unwrap_or_else(|| path.to_path_buf())
    };
    let asked = real(asked);
    if asked.starts_with(real(repo.workdir())) && !asked.starts_with(real(repo.common_dir())) {
        return Err(Error::usage(format!("{shown}, which is in the checkout"))
            .hint("worktrees and build caches are kept there: name a place outside"));
    }
    Ok(())
}

/// Eight hex digits that tell repositories of one name apart.
pub fn repository_hash(repo: &Repo) -> String {
    let path = repo
        .common_dir()
        .canonicalize()
        .unwrap_or_else(|_| repo.common_dir().to_path_buf());
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Slots {
    /// Takes possession of the repository's slots and removes what a killed session left.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn open(repo: &Repo) -> Result<Self> {
        let root = work_dir(repo)?;
        fs::create_dir_all(&root).map_err(|error| {
            Error::environment(format!("cannot create {}", root.display()))
                .because(error)
                .hint("it holds worktrees and build caches; AUTORESEARCH_WORK_DIR names another place")
        })?;
        let root = root
            .canonicalize()
            .context(|| format!("cannot find {}", root.display()))?;
        let slots = Self {
            common_dir: repo.common_dir().to_path_buf(),
            workdir: repo.workdir().to_path_buf(),
            root,
            prefix: format!("autoresearch-{}-", repository_hash(repo)),
        };
        // So that a person, or `clean`, can tell whose this directory is.
        let mark = format!("{}\n", repo.workdir().display());
        fault::space_for("slot-mark")
            .and_then(|()| fs::write(slots.root.join("repository"), mark))
            .context(|| format!("cannot write into {}", slots.root.display()))?;
        // Orphans of a killed session must not write while the slots are moved.
        process::kill_strays(&repository_hash(repo));
        slots.remove_all()?;
        Ok(slots)
    }

    /// Where a slot's files are.
    pub fn path(&self, slot: SlotName) -> PathBuf {
        self.root.join(format!("slot-{}", slot.suffix()))
    }

    /// Where all of it is.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// Directory for logs and other files of the session.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn scratch(&self) -> Result<PathBuf> {
        let path = self.root.join("logs");
        fs::create_dir_all(&path).context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// Where what runs in a slot keeps its temporary files and caches, beside it. Paths of equal length
    /// again.
    pub fn private(&self, slot: SlotName) -> PathBuf {
        self.root.join(format!("private-{}", slot.suffix()))
    }

    /// Where git remembers what it has written into a slot's submodules.
    fn indexes(&self, slot: SlotName) -> PathBuf {
        self.root.join(format!("indexes-{}", slot.suffix()))
    }

    /// The repository's common directory.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Opens the slot's worktree, if its link to the repository is the one we made: what runs in the slot
    /// could put another there, whose settings would have us write somewhere else.
    pub(super) fn open_slot(&self, slot: SlotName) -> Option<Repository> {
        let link = self.path(slot).join(".git");
        let is_file = fs::symlink_metadata(&link).is_ok_and(|metadata| metadata.is_file());
        let target = fs::read_to_string(link).ok().filter(|_| is_file)?;
        let target = Path::new(target.trim_end().strip_prefix("gitdir: ")?);
        let ours = self.registration(slot);
        // An agent may write there; git writes through links.
        if target.canonicalize().ok()? != ours.canonicalize().ok()? || slot_files::has_links(&ours)
        {
            return None;
        }
        let repo = Repository::open(self.path(slot)).ok()?;
        if repo.commondir().canonicalize().ok()? != self.common_dir.canonicalize().ok()? {
            return None;
        }
        let workdir = repo.workdir()?.canonicalize().ok()?;
        (workdir == self.path(slot)).then_some(repo)
    }

    /// Git's own directory of a slot: its HEAD, index and reflog.
    pub fn registration(&self, slot: SlotName) -> PathBuf {
        self.common_dir
            .join("worktrees")
            .join(self.worktree_name(slot))
    }

    /// Leaves a slot's files as they are and takes back whatever was committed there.
    ///
    /// # Errors
    /// The slot is not the worktree we made any more, or its HEAD cannot be written.
    pub fn uncommit(&self, slot: SlotName, head: Oid) -> Result<()> {
        let context = || format!("cannot set the HEAD of {}", self.path(slot).display());
        let repo = self.open_slot(slot).ok_or_else(|| self.not_ours(slot))?;
        let tree = repo.find_commit(head).and_then(|commit| commit.tree());
        Layout::of(&repo, &tree.context(context)?)
            .context(context)?
            .forget_repositories(&self.path(slot))?;
        repo.set_head_detached(head).context(context)
    }

    fn not_ours(&self, slot: SlotName) -> Error {
        let path = self.path(slot);
        Error::environment(format!("{} is not the worktree we made", path.display()))
    }

    /// Parts paths into those that the checked-out commit has, or a submodule may have, and others.
    pub fn part_tracked(
        &self,
        slot: SlotName,
        paths: Vec<PathBuf>,
    ) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let root = self.path(slot);
        let repo = self.open_slot(slot);
        let tree = repo
            .as_ref()
            .and_then(|repo| repo.head().ok()?.peel_to_tree().ok());
        paths.into_iter().partition(|path| {
            let (Some(tree), Ok(path)) = (&tree, path.strip_prefix(&root)) else {
                return false;
            };
            tree.get_path(path).is_ok() || slot_submodules::around(tree, path).is_some()
        })
    }

    /// Whether there is nothing in the slot's place.
    pub fn is_gone(&self, slot: SlotName) -> bool {
        self.path(slot).symlink_metadata().is_err()
    }

    /// Removes a slot with everything in it, also what is usually kept for the next one.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn discard(&self, slot: SlotName) -> Result<()> {
        for directory in [self.path(slot), self.private(slot)] {
            if directory.symlink_metadata().is_ok() {
                remove_tree(&directory)?;
            }
        }
        self.remove(slot)
    }

    /// Makes the slot's files those of the commit, to the byte; what git ignores stays. Creates the
    /// worktree when it is not there.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn check_out(&self, slot: SlotName, commit: Oid) -> Result<()> {
        let registered = self.path(slot).symlink_metadata().is_ok();
        if registered && self.open_slot(slot).is_none() {
            self.discard(slot)?;
        } else if registered {
            // An agent or a gate may have left a lock or a broken index: once more from nothing.
            return self.check_out_into(slot, commit).or_else(|_| {
                self.remove(slot)?;
                self.create(slot)?;
                self.check_out_into(slot, commit)
            });
        }
        self.create(slot)?;
        self.check_out_into(slot, commit)
    }

    /// Puts the files of the checked-out commit back as they were.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn restore(&self, slot: SlotName) -> Result<()> {
        let context = || format!("cannot restore {}", self.path(slot).display());
        let head = self
            .open_slot(slot)
            .and_then(|repo| repo.head().ok()?.target());
        let head = head.ok_or_else(|| Error::environment(context()))?;
        self.check_out(slot, head)
    }

    fn check_out_into(&self, slot: SlotName, commit: Oid) -> Result<()> {
        let path = self.path(slot);
        // Git opens files by their names, and would wait for a pipe's other end for ever.
        slot_files::remove_special(&path)?;
        let context = || format!("cannot check out {commit} in {}", path.display());
        let repo = self.open_slot(slot).ok_or_else(|| self.not_ours(slot))?;
        let object = repo.find_object(commit, None).context(context)?;
        let tree = object.peel_to_tree().context(context)?;
        let layout = Layout::of(&repo, &tree).context(context)?;
        // Git compares with its head and removes what only that has.
        let head = repo.head().and_then(|head| head.peel_to_tree());
        let head = Layout::of(&repo, &head.context(context)?).context(context)?;
        fault::space_for("slot-check-out").context(context)?;
        let check_out = || -> Result<()> {
            head.make_room(&path)?;
            layout.make_room(&path)?;
            let mut builder = CheckoutBuilder::new();
            builder.force().remove_untracked(true);
            repo.checkout_tree(&object, Some(&mut builder))
                .context(context)
        };
        check_out().or_else(|_| {
            // A benchmark may have left directories without write permission.
            make_writable(&path);
            slot_files::remove_special(&path)?;
            check_out()
        })?;
        // Git leaves repositories of others alone; without their own files these are untracked ones.
        if slot_tree::remove_repositories(&repo, &path, Path::new(""))? {
            check_out()?;
        }
        forget_python_bytecode(&repo, commit, &path);
        let main = self.main()?;
        slot_submodules::fill(&main, &layout, &path, &self.indexes(slot))?;
        if layout.uses_lfs {
            lfs::fill(&main, &tree, &path)?;
        }
        repo.set_head_detached(commit).context(context)?;
        fault::reached("slot-checked-out");
        Ok(())
    }

    /// Adds the worktree at the user's HEAD and gets rid of the branch that libgit2 makes for it.
    fn create(&self, slot: SlotName) -> Result<()> {
        let (name, path) = (self.worktree_name(slot), self.path(slot));
        let context = || format!("cannot create the worktree {}", path.display());
        let main = self.main()?;
        let _writing = RefWrite::begin(&self.common_dir);
        fault::space_for("slot-create").context(context)?;
        main.worktree(&name, &path, Some(&WorktreeAddOptions::new()))
            .context(context)?;
        let worktree = Repository::open(&path).context(context)?;
        let head = worktree
            .head()
            .and_then(|head| head.peel_to_commit())
            .context(context)?;
        worktree.set_head_detached(head.id()).context(context)?;
        self.delete_branch(slot)?;
        self.restore_cache(slot)
    }

    /// The user's own worktree: the common directory alone may be bare.
    fn main(&self) -> Result<Repository> {
        Repository::open(&self.workdir)
            .context(|| format!("cannot open the repository {}", self.workdir.display()))
    }

    fn worktree_name(&self, slot: SlotName) -> String {
        format!("{}{}", self.prefix, slot.suffix())
    }

    fn delete_branch(&self, slot: SlotName) -> Result<()> {
        let name = format!("refs/heads/{}", self.worktree_name(slot));
        let main = self.main()?;
        let _writing = RefWrite::begin(&self.common_dir);
        match main.find_reference(&name) {
            Ok(mut reference) => reference
                .delete()
                .context(|| format!("cannot delete {name}")),
            Err(_) => Ok(()),
        }
    }

    /// Removes every worktree of ours, its registration and its branch; keeps the caches.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn remove_all(&self) -> Result<()> {
        for slot in SlotName::ALL {
            self.remove(slot)?;
        }
        Ok(())
    }

    fn remove(&self, slot: SlotName) -> Result<()> {
        slot_files::remove(&self.path(slot))?;
        slot_files::remove(&self.indexes(slot))?;
        let main = self.main()?;
        let name = self.worktree_name(slot);
        if let Ok(worktree) = main.find_worktree(&name) {
            let mut options = WorktreePruneOptions::new();
            options.valid(true).locked(true);
            worktree
                .prune(Some(&mut options))
                .context(|| format!("cannot unregister the worktree {name}"))?;
        }
        // A registration cut short by a kill is not even found.
        let registration = self.registration(slot);
        if registration.exists() {
            remove_tree(&registration)?;
        }
        self.delete_branch(slot)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Err(error) = self.remove_all() {
            eprintln!("warning: {error}; the next run removes it");
        }
        fault::reached("slots-removed");
    }
}
