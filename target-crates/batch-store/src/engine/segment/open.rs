//! Opening: reading back what an earlier process left, and never less.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::block::corrupt;
use super::cache::BlockCache;
use super::file::Segment;
use super::log::{self, Log};
use super::manifest::{self, Manifest};
use super::memtable::Memtable;
use super::{Mode, Options, Recovery, SegmentEngine};
use crate::disk::{Disk, RealDisk, SharedDisk};
use crate::error::{Error, Result};

const LOCK: &str = "LOCK";
/// Times that a reader looks again when a writer changed the files meanwhile.
const READ_TRIES: usize = 16;

/// The right to write in a directory.
pub(super) struct DirLock(File);

impl DirLock {
    fn take(dir: &Path, disk: &dyn Disk) -> Result<Self> {
        let path = dir.join(LOCK);
        let file = disk.create(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::State {
                action: "open the store",
                reason: format!("{} is being written by another engine", dir.display()),
            }),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread is starting
        // right now has a copy of it, and with it the lock.
        let _ = self.0.unlock();
    }
}

impl SegmentEngine {
    /// Opens the store in the directory for writing, creating both where missing.
    /// Batches of a store that was not closed are read back; see
    /// [`SegmentEngine::recovery`].
    ///
    /// # Errors
    /// When another engine writes there, a file cannot be read, or one is damaged
    /// ([`Error::Corrupt`]; every file is then left as it is).
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with(dir, Options::default(), Arc::new(RealDisk))
    }

    /// [`SegmentEngine::open`] with other sizes and through a disk of the caller's choice.
    ///
    /// # Errors
    /// As [`SegmentEngine::open`].
    pub fn open_with(dir: &Path, options: Options, disk: SharedDisk) -> Result<Self> {
        if !dir.exists() {
            std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
            disk.sync_dir(dir.parent().unwrap_or(dir))?;
        }
        let lock = DirLock::take(dir, &*disk)?;
        let found = read_manifest(dir, &*disk)?;
        let is_new = found.is_none();
        if is_new {
            check_empty(dir)?;
        }
        let mut engine = Self::empty(dir, options, disk, Mode::Writing);
        engine.lock = Some(lock);
        if let Some(bytes) = found {
            engine.load(&bytes)?;
            engine.remove_strays()?;
        } else {
            engine.install(0, None, 0)?;
        }
        Ok(engine)
    }

    /// Opens a store for reading, as it is now; creates and changes nothing. What a
    /// writer commits later is not seen.
    ///
    /// # Errors
    /// When there is no store, or as [`SegmentEngine::open`].
    pub fn open_read_only(dir: &Path) -> Result<Self> {
        Self::open_read_only_with(dir, Options::default(), Arc::new(RealDisk))
    }

    /// [`SegmentEngine::open_read_only`] with other sizes and another disk.
    ///
    /// # Errors
    /// As [`SegmentEngine::open_read_only`].
    pub fn open_read_only_with(dir: &Path, options: Options, disk: SharedDisk) -> Result<Self> {
        for _ in 0..READ_TRIES {
            let Some(bytes) = read_manifest(dir, &*disk)? else {
                check_empty(dir)?;
                return Err(Error::State {
                    action: "open the store",
                    reason: format!("{} holds none", dir.display()),
                });
            };
            let mut engine = Self::empty(dir, options.clone(), Arc::clone(&disk), Mode::ReadOnly);
            let loaded = engine.load(&bytes);
            // While the manifest is the same, so are the files that it names.
            if read_manifest(dir, &*disk)?.as_ref() == Some(&bytes) {
                return loaded.map(|()| engine);
            }
        }
        Err(Error::State {
            action: "open the store",
            reason: format!("{} changes too fast to be read", dir.display()),
        })
    }

    fn empty(dir: &Path, options: Options, disk: SharedDisk, mode: Mode) -> Self {
        Self {
            dir: dir.to_owned(),
            disk,
            mode,
            lock: None,
            manifest: Manifest::new(),
            segments: Vec::new(),
            memtable: Memtable::default(),
            log: None,
            cache: BlockCache::new(options.cache_bytes),
            must_flush: false,
            recovery: Recovery::default(),
            seq: 0,
            options,
        }
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.manifest = Manifest::decode(&self.dir.join(manifest::NAME), bytes)?;
        for file in &self.manifest.segments {
            let segment = Segment::open(&self.dir, *file, &*self.disk)?;
            self.segments.push(segment);
        }
        if self.has_log() {
            self.read_log()?;
        }
        Ok(())
    }

    fn read_log(&mut self) -> Result<()> {
        let path = self.dir.join(log::NAME);
        let is_writing = self.mode == Mode::Writing;
        let file = self.disk.open(&path, is_writing).map_err(|error| {
            if is_missing(&error) {
                return corrupt(&path, "the manifest names it, and it is missing");
            }
            error
        })?;
        let len = file.metadata().map_err(Error::io("read", &path))?.len();
        let mut bytes = vec![0; len as usize];
        self.disk.read_at(&path, &file, &mut bytes, 0)?;
        let memtable = &mut self.memtable;
        let replay = log::replay(&path, &bytes, self.manifest.log, |family, key, value| {
            memtable.apply(family, key, value);
        })?;
        self.recovery = Recovery {
            batches: replay.frames,
            torn_at: replay.torn_at,
        };
        if is_writing {
            self.log = Some(Log::new(path, file, len));
            self.must_flush = true;
        }
        Ok(())
    }

    /// Removes this engine's own files that no manifest names.
    fn remove_strays(&self) -> Result<()> {
        for name in names(&self.dir)? {
            let is_named = self.manifest.segments.iter().any(|f| f.name() == name);
            let is_stray = (is_segment(&name) && !is_named)
                || name == manifest::TEMPORARY
                || (name == log::NAME && !self.has_log());
            if is_stray {
                self.disk.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

fn is_segment(name: &str) -> bool {
    name.strip_suffix(".seg")
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The manifest's bytes; `None` when there is no such file.
fn read_manifest(dir: &Path, disk: &dyn Disk) -> Result<Option<Vec<u8>>> {
    let path = dir.join(manifest::NAME);
    let file = match disk.open(&path, false) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.metadata().map_err(Error::io("read", &path))?.len();
    let mut bytes = vec![0; len as usize];
    disk.read_at(&path, &file, &mut bytes, 0)?;
    Ok(Some(bytes))
}

/// Refuses to take a directory for new that has lost its manifest.
fn check_empty(dir: &Path) -> Result<()> {
    let names = names(dir)?;
    match names
        .iter()
        .find(|name| is_segment(name) || *name == log::NAME)
    {
        None => Ok(()),
        Some(name) => Err(corrupt(
            &dir.join(manifest::NAME),
            format!("it is missing, and {name} is there"),
        )),
    }
}
