//! The few file operations that durability rests on, behind one trait, so that
//! a test can see their order, fail any of them and cut the power between two.

pub mod sim;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A disk that an engine keeps for itself.
pub type SharedDisk = Arc<dyn Disk + Send + Sync>;

/// File operations. All but the first three default to the operating system's.
/// Every error names the operation and the path.
pub trait Disk {
    /// Makes the file's contents survive power loss.
    ///
    /// # Errors
    /// When the system reports that they may not.
    fn sync_file(&self, path: &Path, file: &File) -> Result<()>;

    /// Gives a file its final name, replacing what had it.
    ///
    /// # Errors
    /// When the old state still holds.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Makes the directory's entries survive power loss.
    ///
    /// # Errors
    /// When the system reports that they may not.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Creates an empty file, or empties the one that is there, for reading and writing.
    ///
    /// # Errors
    /// When there is no such file open for writing afterwards.
    fn create(&self, path: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        options.open(path).map_err(Error::io("create", path))
    }

    /// Opens a file that exists, for reading and, when asked, writing.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, path: &Path, is_written: bool) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(is_written);
        options.open(path).map_err(Error::io("open", path))
    }

    /// Fills `buffer` from the file's bytes at `offset`.
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    fn read_at(&self, path: &Path, file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
        file.read_exact_at(buffer, offset)
            .map_err(Error::io("read", path))
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// When at least one byte was not written; others may have been.
    fn write_at(&self, path: &Path, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        file.write_all_at(bytes, offset)
            .map_err(Error::io("write", path))
    }

    /// Makes the file's contents and length survive power loss (`fdatasync`).
    ///
    /// # Errors
    /// When the system reports that they may not.
    fn sync_data(&self, path: &Path, file: &File) -> Result<()> {
        file.sync_data().map_err(Error::io("sync", path))
    }

    /// Gives a file a second name.
    ///
    /// # Errors
    /// When it has none, such as when the name is on another file system.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::hard_link(from, to).map_err(Error::io("link", to))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(Error::io("remove", path))
    }
}

/// The operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn sync_file(&self, path: &Path, file: &File) -> Result<()> {
        file.sync_all().map_err(Error::io("sync", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(Error::io("rename", from))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        let file = File::open(dir).map_err(Error::io("open", dir))?;
        file.sync_all().map_err(Error::io("sync", dir))
    }
}
