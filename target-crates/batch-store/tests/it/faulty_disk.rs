//! A disk whose k-th operation fails, or on which the process dies.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use batch_store::disk::{Disk, RealDisk};
use batch_store::{Error, Result};

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It reports that the disk is full; a write leaves half of its bytes.
    Full,
    /// The process dies in it, a write half done.
    Death,
}

/// The real disk with one fault. Operations that change something are counted from 1.
#[derive(Debug)]
pub struct FaultyDisk {
    fault: Fault,
    at: AtomicUsize,
    is_lasting: AtomicBool,
    done: AtomicUsize,
}

impl FaultyDisk {
    pub fn new(fault: Fault, at: usize) -> Arc<Self> {
        Arc::new(Self {
            fault,
            at: AtomicUsize::new(at),
            is_lasting: AtomicBool::new(false),
            done: AtomicUsize::new(0),
        })
    }

    /// Fails every operation from now on, or none.
    pub fn fail_all(&self, fails: bool) {
        self.is_lasting.store(fails, Ordering::SeqCst);
    }

    /// Fails the `n`-th operation from now.
    pub fn fail_next(&self, n: usize) {
        let done = self.done.load(Ordering::SeqCst);
        self.at.store(done + n, Ordering::SeqCst);
    }

    pub fn operations(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    fn step(&self, action: &'static str, path: &Path, before: impl FnOnce()) -> Result<()> {
        let number = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        let is_due = number == self.at.load(Ordering::SeqCst);
        if !is_due && !self.is_lasting.load(Ordering::SeqCst) {
            return Ok(());
        }
        before();
        if self.fault == Fault::Death {
            std::process::abort();
        }
        const ENOSPC: i32 = 28;
        Err(Error::Io {
            action,
            path: path.to_owned(),
            source: Arc::new(std::io::Error::from_raw_os_error(ENOSPC)),
        })
    }
}

impl Disk for FaultyDisk {
    fn sync_file(&self, path: &Path, file: &File) -> Result<()> {
        self.step("sync", path, || ())?;
        RealDisk.sync_file(path, file)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.step("rename", from, || ())?;
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.step("sync", dir, || ())?;
        RealDisk.sync_dir(dir)
    }

    fn create(&self, path: &Path) -> Result<File> {
        self.step("create", path, || ())?;
        RealDisk.create(path)
    }

    fn write_at(&self, path: &Path, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        self.step("write", path, || {
            RealDisk
                .write_at(path, file, &bytes[..bytes.len() / 2], offset)
                .unwrap();
        })?;
        RealDisk.write_at(path, file, bytes, offset)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.step("remove", path, || ())?;
        RealDisk.remove(path)
    }
}
