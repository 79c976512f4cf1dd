//! A disk for tests: real files, of which it also knows what power loss would leave.
//!
//! Any one operation, by its number, can fail, fail after it took effect, end the
//! process, or be the last before the power goes. What power loss leaves is written
//! into another directory: of each file the bytes that were synced, of each
//! directory the entries that were synced, and of the rest nothing or, by a seed,
//! any sectors and any first few entries.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Disk, RealDisk};
use crate::error::{Error, Result};

/// The unit in which unsynced writes reach the medium, in bytes.
const SECTOR: usize = 512;

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails without effect; of a write, the first half is written.
    Fail(ErrorKind),
    /// A sync or a rename takes effect and fails all the same; any other operation
    /// as with [`Fault::Fail`].
    FailAfter(ErrorKind),
    /// The process ends; of a write, the first half is written.
    Abort,
    /// It and every later operation fails without effect: the power is off.
    PowerOff,
}

#[derive(Debug)]
enum Change {
    Empty,
    Write { offset: u64, bytes: Vec<u8> },
}

/// A file, whatever its names.
#[derive(Debug, Default)]
struct Inode {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Entry {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Entry {
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Set(path, _) | Self::Rename(_, path) | Self::Remove(path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    fault: Option<(u64, Fault)>,
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<Entry>,
}

impl State {
    /// The file's shadow. One that was there before counts as synced.
    fn inode(&mut self, path: &Path) -> usize {
        if let Some(inode) = self.names.get(path) {
            return *inode;
        }
        self.inodes.push(Inode {
            synced: std::fs::read(path).unwrap_or_default(),
            unsynced: Vec::new(),
        });
        let inode = self.inodes.len() - 1;
        self.names.insert(path.to_owned(), inode);
        self.synced_names.insert(path.to_owned(), inode);
        inode
    }

    fn note(&mut self, path: &Path, change: Change) {
        let inode = self.inode(path);
        self.inodes[inode].unsynced.push(change);
    }

    fn enter(&mut self, entry: Entry) {
        entry.apply(&mut self.names);
        self.unsynced_names.push(entry);
    }

    fn sync(&mut self, path: &Path) {
        let at = self.inode(path);
        let inode = &mut self.inodes[at];
        for change in std::mem::take(&mut inode.unsynced) {
            apply(&mut inode.synced, &change, &mut |_| true);
        }
    }
}

fn apply(file: &mut Vec<u8>, change: &Change, keeps: &mut dyn FnMut(u64) -> bool) {
    match change {
        Change::Empty => {
            if keeps(0) {
                file.clear();
            }
        }
        Change::Write { offset, bytes } => {
            let mut at = *offset as usize;
            let end = at + bytes.len();
            while at < end {
                let to = ((at / SECTOR + 1) * SECTOR).min(end);
                if keeps(at as u64) {
                    file.resize(file.len().max(to), 0);
                    let from = at - *offset as usize;
                    file[at..to].copy_from_slice(&bytes[from..from + to - at]);
                }
                at = to;
            }
        }
    }
}

/// The disk. Every file of the tests' store must be reached through it.
#[derive(Debug, Default)]
pub struct SimDisk {
    state: Mutex<State>,
}

impl SimDisk {
    /// A disk without a fault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk whose operation number `at`, from 0, meets `fault`.
    #[must_use]
    pub fn with_fault(at: u64, fault: Fault) -> Self {
        let disk = Self::new();
        disk.set_fault(Some((at, fault)));
        disk
    }

    /// Sets which operation fails, counted from the first ever; `None`: no later one.
    pub fn set_fault(&self, fault: Option<(u64, Fault)>) {
        self.state().fault = fault;
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Writes what power loss now would leave of `dir` into the directory `into`.
    /// Without a seed, nothing that was not synced is left.
    ///
    /// # Errors
    /// When `into` cannot be written.
    pub fn lose_power(&self, dir: &Path, into: &Path, seed: Option<u64>) -> Result<()> {
        let state = self.state();
        let mut random = seed.unwrap_or_default();
        let mut chance = |_| {
            // SplitMix64 (Steele, Lea, Flood 2014).
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = random;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed >> 63 == 1
        };
        let mut names = state.synced_names.clone();
        for entry in &state.unsynced_names {
            if seed.is_none() || !chance(0) {
                break;
            }
            entry.apply(&mut names);
        }
        for (path, inode) in &names {
            let Ok(name) = path.strip_prefix(dir) else {
                continue;
            };
            let inode = &state.inodes[*inode];
            let mut bytes = inode.synced.clone();
            for change in inode.unsynced.iter().filter(|_| seed.is_some()) {
                apply(&mut bytes, change, &mut chance);
            }
            let target = into.join(name);
            std::fs::write(&target, bytes).map_err(Error::io("write", &target))?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; what it meets, if anything.
    fn begin(&self) -> Option<Fault> {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        let (at, fault) = state.fault?;
        let is_hit = number == at || (number > at && fault == Fault::PowerOff);
        is_hit.then_some(fault)
    }

    /// An operation without a half-way: done, failed, or done and failed.
    fn step<T>(
        &self,
        action: &'static str,
        path: &Path,
        can_fail_after: bool,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        match self.begin() {
            None => run(),
            Some(Fault::FailAfter(kind)) if can_fail_after => {
                run()?;
                Err(failure(action, path, kind))
            }
            Some(fault) => Err(end(action, path, fault)),
        }
    }
}

/// The error of a fault, or the end of the process.
fn end(action: &'static str, path: &Path, fault: Fault) -> Error {
    match fault {
        Fault::Fail(kind) | Fault::FailAfter(kind) => failure(action, path, kind),
        Fault::Abort => std::process::abort(),
        Fault::PowerOff => failure(action, path, ErrorKind::Other),
    }
}

fn failure(action: &'static str, path: &Path, kind: ErrorKind) -> Error {
    Error::io(action, path)(std::io::Error::new(kind, "a fault asked for by the test"))
}

impl Disk for SimDisk {
    fn sync_file(&self, path: &Path, file: &File) -> Result<()> {
        self.sync_data(path, file)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.step("rename", from, true, || {
            let mut state = self.state();
            state.inode(from);
            RealDisk.rename(from, to)?;
            state.enter(Entry::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.step("sync", dir, true, || {
            let mut state = self.state();
            let state = &mut *state;
            let (synced, rest) = std::mem::take(&mut state.unsynced_names)
                .into_iter()
                .partition(|entry: &Entry| entry.dir() == Some(dir));
            state.unsynced_names = rest;
            for entry in synced {
                entry.apply(&mut state.synced_names);
            }
            Ok(())
        })
    }

    fn create(&self, path: &Path) -> Result<File> {
        self.step("create", path, false, || {
            let mut state = self.state();
            if path.exists() {
                state.note(path, Change::Empty);
            } else {
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.enter(Entry::Set(path.to_owned(), inode));
            }
            RealDisk.create(path)
        })
    }

    fn open(&self, path: &Path, is_written: bool) -> Result<File> {
        self.step("open", path, false, || {
            if path.exists() {
                self.state().inode(path);
            }
            let mut options = OpenOptions::new();
            options.read(true).write(is_written);
            options.open(path).map_err(Error::io("open", path))
        })
    }

    fn read_at(&self, path: &Path, file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.step("read", path, false, || {
            file.read_exact_at(buffer, offset)
                .map_err(Error::io("read", path))
        })
    }

    fn write_at(&self, path: &Path, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        let fault = self.begin();
        let written = match fault {
            None => bytes,
            Some(Fault::PowerOff) => &[],
            Some(_) => &bytes[..bytes.len() / 2],
        };
        RealDisk.write_at(path, file, written, offset)?;
        let bytes = written.to_vec();
        self.state().note(path, Change::Write { offset, bytes });
        fault.map_or(Ok(()), |fault| Err(end("write", path, fault)))
    }

    fn sync_data(&self, path: &Path, _file: &File) -> Result<()> {
        self.step("sync", path, true, || {
            self.state().sync(path);
            Ok(())
        })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.step("link", to, false, || {
            let mut state = self.state();
            let inode = state.inode(from);
            RealDisk.hard_link(from, to)?;
            state.enter(Entry::Set(to.to_owned(), inode));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.step("remove", path, false, || {
            let mut state = self.state();
            state.inode(path);
            RealDisk.remove(path)?;
            state.enter(Entry::Remove(path.to_owned()));
            Ok(())
        })
    }
}
