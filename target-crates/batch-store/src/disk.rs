//! The few file operations that durability rests on, behind one trait, so that
//! a test can see their order and fail any of them.

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};

/// Syncs and renames.
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
