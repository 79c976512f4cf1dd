//! The files of one store: their names, how one is put in place, and how a
//! damaged store is set aside.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::format::Id;
use crate::disk::SharedDisk;
use crate::error::{Error, Result};

/// The whole snapshot at `path`, and beside it `path.G.N` for delta N of
/// generation G, `path.tmp` while one is written, and `path.lock`.
#[derive(Clone)]
pub(super) struct Files {
    path: PathBuf,
    disk: SharedDisk,
}

/// A damaged store that was set aside.
#[derive(Debug, Clone)]
pub struct Quarantine {
    /// The directory that holds its files now, under their old names.
    pub dir: PathBuf,
    /// What was found.
    pub damage: Error,
}

/// Keeps other engines out of the store. Unlocked by name when dropped: a process
/// forked meanwhile has the file open, too, until it runs its program.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file unlocks as well, once nobody else has it.
        let _ = self.0.unlock();
    }
}

impl Files {
    pub(super) fn new(path: &Path, disk: SharedDisk) -> Self {
        Self {
            path: path.to_owned(),
            disk,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn dir(&self) -> &Path {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        }
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        self.path.with_file_name(name)
    }

    /// The file's path.
    pub(super) fn name(&self, id: Id) -> PathBuf {
        match id.number {
            0 => self.path.clone(),
            number => self.with_suffix(&format!(".{}.{number}", id.generation)),
        }
    }

    /// Locks the store against other processes and other engines of this one.
    pub(super) fn lock(&self) -> Result<Lock> {
        let path = self.with_suffix(".lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
            Err(TryLockError::WouldBlock) => Err(Error::State {
                action: "open the snapshot",
                reason: format!("{} is held by another engine", path.display()),
            }),
        }
    }

    /// The deltas in the directory, in order, stale ones among them.
    pub(super) fn deltas(&self) -> Result<Vec<Id>> {
        let fail = |error| Error::io("list", self.dir())(error);
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(self.dir()).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            let own = self.path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_string_lossy();
            let parts = name
                .strip_prefix(own.as_ref())
                .and_then(|rest| rest.strip_prefix('.'))
                .and_then(|rest| rest.split_once('.'));
            let Some((generation, number)) = parts else {
                continue;
            };
            if let (Ok(generation), Ok(number)) = (generation.parse(), number.parse()) {
                ids.push(Id { generation, number });
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.disk.open(path, false)?;
        let len = file.metadata().map_err(Error::io("look at", path))?.len();
        let mut bytes = vec![0; len as usize];
        self.disk.read_at(path, &file, &mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes a file's contents under another name. On an error nothing has changed.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let temporary = self.with_suffix(".tmp");
        let written = self.disk.create(&temporary).and_then(|file| {
            self.disk.write_at(&temporary, &file, bytes, 0)?;
            self.disk.sync_file(&temporary, &file)
        });
        if written.is_err() {
            // The first error is the one to report; opening removes a leftover.
            self.discard_temporary();
        }
        written
    }

    /// Gives what was written its name; there for good after [`Files::sync_dir`].
    pub(super) fn place(&self, id: Id) -> Result<()> {
        let temporary = self.with_suffix(".tmp");
        self.disk.rename(&temporary, &self.name(id))
    }

    pub(super) fn sync_dir(&self) -> Result<()> {
        self.disk.sync_dir(self.dir())
    }

    pub(super) fn disk(&self) -> SharedDisk {
        SharedDisk::clone(&self.disk)
    }

    pub(super) fn remove(&self, id: Id) -> Result<()> {
        self.disk.remove(&self.name(id))
    }

    /// Removes a file that nothing needs; opening tries again if that fails.
    pub(super) fn discard(&self, id: Id) {
        let _ = self.remove(id);
    }

    pub(super) fn discard_temporary(&self) {
        let _ = self.disk.remove(&self.with_suffix(".tmp"));
    }

    /// Moves the store into a new directory beside it. The whole snapshot goes
    /// first, so that what an interruption leaves is never taken for a store.
    pub(super) fn set_aside(&self) -> Result<PathBuf> {
        let mut number = 1;
        let dir = loop {
            let dir = self.with_suffix(&format!(".damaged-{number}"));
            match std::fs::create_dir(&dir) {
                Ok(()) => break dir,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Error::io("create", &dir)(error)),
            }
        };
        let mut paths = vec![self.path.clone()];
        paths.extend(self.deltas()?.into_iter().map(|id| self.name(id)));
        for path in paths.iter().filter(|path| path.exists()) {
            let target = dir.join(path.file_name().unwrap_or_default());
            self.disk.rename(path, &target)?;
        }
        self.disk.sync_dir(&dir)?;
        self.sync_dir()?;
        Ok(dir)
    }
}
