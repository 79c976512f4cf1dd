//! The files of a slot, which a candidate's code may have changed in any way: written without following
//! its links, and looked at for what it left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::addable;
use super::tree::remove_tree;
use crate::error::{Context, Result};

/// Makes `directory/name` below `root` a regular file with this content. Written only when it differs:
/// a new time stamp would be a change of its own.
///
/// # Errors
/// A part of `directory` is not a directory of its own (a link, say), or the file cannot be written.
pub fn write_inside(root: &Path, directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(root, flags, Mode::empty())?;
    for part in directory.components() {
        if let Component::Normal(part) = part {
            at = rustix::fs::openat(&at, part, flags, Mode::empty())?;
        }
    }
    if has_content(&at, name, content) {
        return Ok(());
    }
    match rustix::fs::unlinkat(&at, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(_) => rustix::fs::unlinkat(&at, name, AtFlags::REMOVEDIR)?,
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&at, name, flags, Mode::from_raw_mode(0o644))?;
    super::fault::space_for("script-write")?;
    fs::File::from(file).write_all(content)
}

fn has_content(at: &OwnedFd, name: &str, content: &[u8]) -> bool {
    // Without blocking: it may be a pipe by now.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(at, name, flags, Mode::empty()) else {
        return false;
    };
    let file = fs::File::from(file);
    let is_alike = |metadata: fs::Metadata| {
        // Another name of the file could be written to later.
        metadata.is_file() && metadata.nlink() == 1 && metadata.len() == content.len() as u64
    };
    let mut current = Vec::new();
    file.metadata().is_ok_and(is_alike)
        && file
            .take(content.len() as u64 + 1)
            .read_to_end(&mut current)
            .is_ok()
        && current == content
}

/// Every file and directory below some places, as it was at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Files(BTreeMap<PathBuf, Stamp>);

/// Changes whenever the file does: the kernel sets the time of change itself. A directory's says nothing
/// that its entries do not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stamp {
    mode: u32,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        if metadata.is_dir() {
            return Self {
                mode: metadata.mode(),
                inode: metadata.ino(),
                bytes: 0,
                changed: (0, 0),
            };
        }
        Self {
            mode: metadata.mode(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Files {
    /// Looks at everything below these directories; links are not followed.
    pub fn below(roots: &[PathBuf]) -> Self {
        let mut files = Self::default();
        for root in roots {
            // What runs may have put a link there, to a place that is none of ours.
            if fs::symlink_metadata(root).is_ok_and(|metadata| metadata.is_dir()) {
                files.add(root);
            }
        }
        files
    }

    fn add(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            if metadata.is_dir() {
                self.add(&path);
            }
            self.0.insert(path, Stamp::of(&metadata));
        }
    }

    /// What was not there `before`, directories after what is in them.
    pub fn new_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Path> {
        let paths = self.0.keys().rev().map(PathBuf::as_path);
        paths.filter(|path| !before.0.contains_key(*path))
    }

    /// What was there `before` and is gone or another.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Path> {
        let earlier = before.0.iter();
        earlier
            .filter(|(path, stamp)| self.0.get(*path) != Some(*stamp))
            .map(|(path, _)| path.as_path())
    }
}

/// Removes pipes, sockets and devices from a directory and all below, and files of git's rules that lead to
/// one; directories are not entered through links.
///
/// # Errors
/// One cannot be removed.
pub fn remove_special(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            remove_special(&entry.path())?;
        } else if !kind.is_file() && !kind.is_symlink() || addable::misleads_git(&entry.path()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether there is a link anywhere in a directory.
pub fn has_links(directory: &Path) -> bool {
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.any(|entry| match entry.file_type() {
        Ok(kind) => kind.is_symlink() || kind.is_dir() && has_links(&entry.path()),
        Err(_) => true,
    })
}

/// Removes a file or a directory with all in it, and what a link is but not what it points to.
///
/// # Errors
/// It is still there.
pub fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        // Usually empty: what we could read of it is gone already.
        Ok(metadata) if metadata.is_dir() => remove_tree(path),
        Ok(_) => fs::remove_file(path).context(|| format!("cannot remove {}", path.display())),
    }
}

/// Reads a regular file of at most `bytes_max`; not through a link, and without waiting for a pipe.
///
/// # Errors
/// It is not there, is something else, or is longer.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > bytes_max {
        let problem = format!("not a file of at most {bytes_max} bytes");
        return Err(io::Error::other(problem));
    }
    let mut content = Vec::new();
    file.take(bytes_max).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_directory_or_file_is_not_written_through() {
        let directory = TempDir::new().unwrap();
        let (root, outside) = (directory.path().join("slot"), directory.path().join("out"));
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("run.sh"), "theirs").unwrap();
        symlink(outside.join("run.sh"), root.join("sub/run.sh")).unwrap();
        write_inside(&root, Path::new("sub"), "run.sh", b"ours").unwrap();
        assert_eq!(fs::read(root.join("sub/run.sh")).unwrap(), b"ours");
        fs::remove_dir_all(root.join("sub")).unwrap();
        symlink(&outside, root.join("sub")).unwrap();
        assert!(write_inside(&root, Path::new("sub"), "run.sh", b"ours").is_err());
        assert_eq!(fs::read(outside.join("run.sh")).unwrap(), b"theirs");
    }

    #[test]
    fn a_second_name_a_pipe_and_a_directory_are_replaced_and_an_equal_file_is_left() {
        let directory = TempDir::new().unwrap();
        let root = directory.path();
        let write = || write_inside(root, Path::new(""), "run.sh", b"ours").unwrap();
        write();
        let inode = fs::metadata(root.join("run.sh")).unwrap().ino();
        write();
        assert_eq!(fs::metadata(root.join("run.sh")).unwrap().ino(), inode);
        fs::hard_link(root.join("run.sh"), root.join("second")).unwrap();
        write();
        assert_eq!(fs::metadata(root.join("run.sh")).unwrap().nlink(), 1);
        fs::remove_file(root.join("run.sh")).unwrap();
        fs::create_dir(root.join("run.sh")).unwrap();
        write();
        fs::remove_file(root.join("run.sh")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(root.join("run.sh"))
            .status();
        assert!(made.unwrap().success());
        write();
        assert_eq!(fs::read(root.join("run.sh")).unwrap(), b"ours");
    }

    #[test]
    fn a_change_that_keeps_size_and_time_is_seen() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "one").unwrap();
        let roots = [directory.path().to_path_buf()];
        let before = Files::below(&roots);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        fs::create_dir(directory.path().join("new")).unwrap();
        fs::write(directory.path().join("new/b"), "").unwrap();
        let now = Files::below(&roots);
        assert_eq!(now.changed_since(&before).collect::<Vec<_>>(), [path]);
        let new = ["new/b", "new"].map(|name| directory.path().join(name));
        assert_eq!(now.new_since(&before).collect::<Vec<_>>(), new);
    }
}
