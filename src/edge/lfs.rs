//! Files that Git LFS keeps: git has a pointer, the clone has the content beside its objects.
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use git2::{AttrCheckFlags, ObjectType, Oid, Repository, Tree};
use sha2::{Digest, Sha256};

use super::slot_tree::Layout;
use super::{regular, slot_submodules, slot_tree};
use crate::error::{Context, Error, Result};

/// Most bytes of a pointer, as its specification has it.
const POINTER_MAX: usize = 1024;
/// How a pointer begins.
const VERSION: &str = "version https://git-lfs.github.com/spec/v1\n";

/// What a pointer says of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// SHA-256, 64 lower-case hex digits.
    oid: String,
    /// Bytes.
    size: u64,
}

impl Pointer {
    /// Reads the content of a blob; `None` when it is no pointer.
    pub fn parse(content: &[u8]) -> Option<Self> {
        if content.len() >= POINTER_MAX {
            return None;
        }
        let fields = std::str::from_utf8(content).ok()?.strip_prefix(VERSION)?;
        let field = |name: &str| {
            let mut lines = fields.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let oid = field("oid")?.strip_prefix("sha256:")?;
        let is_hex = oid
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (oid.len() == 64 && is_hex).then_some(Self {
            oid: oid.to_owned(),
            size: field("size")?.parse().ok()?,
        })
    }

    fn of_blob(repo: &Repository, id: Oid) -> Option<Self> {
        let (size, _) = repo.odb().ok()?.read_header(id).ok()?;
        if size >= POINTER_MAX {
            return None;
        }
        Self::parse(repo.find_blob(id).ok()?.content())
    }

    /// Where a store has the content, if it was downloaded.
    fn object(&self, store: &Path) -> PathBuf {
        let (first, second) = (&self.oid[..2], &self.oid[2..4]);
        store.join(first).join(second).join(&self.oid)
    }

    /// Whether a file has the content that this points at.
    pub fn is_of(&self, path: &Path) -> bool {
        let Ok(mut file) = regular::open(path) else {
            return false;
        };
        if !file
            .metadata()
            .is_ok_and(|metadata| metadata.len() == self.size)
        {
            return false;
        }
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => hasher.update(&chunk[..read]),
                Err(_) => return false,
            }
        }
        let digest = hasher.finalize();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hex == self.oid
    }
}

/// Puts the content of a tree's files into a slot where git has put their pointers. A file whose content
/// was never downloaded stays a pointer.
///
/// # Errors
/// A file cannot be written.
pub(super) fn fill(repo: &Repository, tree: &Tree<'_>, slot: &Path) -> Result<()> {
    let store = store(repo);
    let kept = of_tree(repo, tree).context(|| "cannot read a tree".to_owned())?;
    for file in kept {
        let object = file.pointer.object(&store);
        let Ok(metadata) = fs::metadata(&object) else {
            continue;
        };
        let target = slot.join(&file.path);
        let copy = || {
            let mut from = regular::open(&object)?;
            fs::remove_file(&target)?;
            let mut to = File::options()
                .write(true)
                .create_new(true)
                .mode(file.mode)
                .open(&target)?;
            io::copy(&mut from, &mut to)?;
            // As it was in the last checkout: to a build tool it has not changed.
            to.set_modified(metadata.modified()?)
        };
        copy().context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// Whether a path of a tree is a file that Git LFS keeps, with the content that the tree points at.
pub(super) fn is_unchanged(repo: &Repository, tree: &Tree<'_>, path: &Path, file: &Path) -> bool {
    let pointer = || {
        let entry = tree.get_path(path).ok()?;
        Pointer::of_blob(repo, entry.id())
    };
    pointer().is_some_and(|pointer| pointer.is_of(file))
}

/// Refuses a tree that has the content of a file of Git LFS in place of its pointer: the loop runs no filter
/// and would add it to git itself.
///
/// # Errors
/// It is refused; the message names the path.
pub(super) fn check_added(repo: &Repository, head: &Tree<'_>, tree: Oid) -> Result<()> {
    let context = || "cannot compare two trees".to_owned();
    let tree = repo.find_tree(tree).context(context)?;
    let diff = repo.diff_tree_to_tree(Some(head), Some(&tree), None);
    for delta in diff.context(context)?.deltas() {
        let new = delta.new_file();
        let Some(path) = new.path().filter(|_| !new.id().is_zero()) else {
            continue;
        };
        let filter = repo.get_attr(path, "filter", AttrCheckFlags::default());
        if filter == Ok(Some("lfs")) && Pointer::of_blob(repo, new.id()).is_none() {
            return Err(Error::usage(format!(
                "{} is kept by Git LFS, and a candidate cannot change it",
                path.display()
            ))
            .hint("leave it as it was, or commit it with git first"));
        }
    }
    Ok(())
}

/// Files of a tree, and of its submodules that the clone has, whose content it does not have.
///
/// # Errors
/// A tree is not there.
pub(super) fn missing(
    repo: &Repository,
    tree: &Tree<'_>,
) -> std::result::Result<Vec<PathBuf>, git2::Error> {
    let layout = Layout::of(repo, tree)?;
    let mut all = Vec::new();
    if layout.uses_lfs {
        let store = store(repo);
        let kept = of_tree(repo, tree)?.into_iter();
        all.extend(
            kept.filter(|file| !file.pointer.object(&store).is_file())
                .map(|file| file.path),
        );
    }
    for (path, commit) in layout.submodules {
        if let Some(module) = slot_submodules::open(repo, &path, commit) {
            let inner = missing(&module, &module.find_commit(commit)?.tree()?)?;
            all.extend(inner.iter().map(|below| path.join(below)));
        }
    }
    Ok(all)
}

/// Where a clone has the content of its files: `lfs.storage`, relative to git's directory.
fn store(repo: &Repository) -> PathBuf {
    let named = repo
        .config()
        .and_then(|config| config.get_path("lfs.storage"));
    repo.commondir()
        .join(named.unwrap_or_else(|_| PathBuf::from("lfs")))
        .join("objects")
}

/// A file of a tree that Git LFS keeps.
struct Kept {
    path: PathBuf,
    /// Of the file system.
    mode: u32,
    pointer: Pointer,
}

fn of_tree(repo: &Repository, tree: &Tree<'_>) -> std::result::Result<Vec<Kept>, git2::Error> {
    let mut all = Vec::new();
    slot_tree::each(repo, tree, &mut |path, entry| {
        if entry.kind() == Some(ObjectType::Blob)
            && let Some(pointer) = Pointer::of_blob(repo, entry.id())
        {
            all.push(Kept {
                path: path.to_owned(),
                mode: if entry.filemode() == 0o100_755 {
                    0o755
                } else {
                    0o644
                },
                pointer,
            });
        }
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn pointer(oid: &str, size: &str) -> Option<Pointer> {
        Pointer::parse(format!("{VERSION}oid sha256:{oid}\nsize {size}\n").as_bytes())
    }

    #[test]
    fn a_pointer_names_where_its_content_is() {
        let pointer = pointer(OID, "4").expect("a pointer");
        let object = pointer.object(Path::new("/r/.git/lfs/objects"));
        let expected = format!("/r/.git/lfs/objects/9f/86/{OID}");
        assert_eq!(object, Path::new(&expected));
    }

    #[test]
    fn what_is_no_pointer_is_none() {
        for (oid, size) in [
            (&OID[1..], "4"),
            (&*OID.to_uppercase(), "4"),
            (&*format!("../{}", &OID[3..]), "4"),
            (OID, "-1"),
            (OID, ""),
        ] {
            assert_eq!(pointer(oid, size), None, "{oid} {size}");
        }
        for text in ["", VERSION, "size 4\n"] {
            assert_eq!(Pointer::parse(text.as_bytes()), None);
        }
        let long = format!(
            "{VERSION}oid sha256:{OID}\nsize 4\n{}",
            "x".repeat(POINTER_MAX)
        );
        assert_eq!(Pointer::parse(long.as_bytes()), None);
    }

    #[test]
    fn content_is_told_by_size_and_hash() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        let pointer = pointer(OID, "4").expect("a pointer");
        for (content, is_it) in [("test", true), ("tesT", false), ("test ", false)] {
            fs::write(&file, content).expect("it is written");
            assert_eq!(pointer.is_of(&file), is_it, "{content:?}");
        }
        assert!(!pointer.is_of(directory.path()));
    }
}
