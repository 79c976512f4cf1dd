//! Advisory file locks: one loop a repository, one timed run a machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::interrupt::Interrupts;
use crate::error::{Context, Error, Result};

/// A held lock; released when dropped, and by the kernel when the process dies in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Another process at work in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, when the lock file says so.
    pub pid: Option<u32>,
}

impl Lock {
    /// Takes the lock that keeps a second loop out of a repository.
    ///
    /// # Errors
    /// Another process holds it; the message has its process id.
    pub fn session(path: &Path) -> Result<Self> {
        /// `holder` of another process holds the lock for an instant.
        const TRIES: u32 = 5;
        let mut file = open(path)?;
        let mut taken = file.try_lock();
        for _ in 1..TRIES {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {
                note_holder(&mut file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(Error::environment(format!(
                "another autoresearch is at work in this repository{}",
                Holder::of(path)
            ))
            .hint("wait for it, or stop it with Ctrl-C; `autoresearch status` shows what it does")),
            Err(TryLockError::Error(error)) => {
                Err(error).context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// The process that holds the lock at `path`, when one does.
    pub fn holder(path: &Path) -> Option<Holder> {
        let file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Holder::of(path)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Waits for the machine-wide lock, so that builds, tests and timed runs of two loops never
    /// overlap.
    ///
    /// # Errors
    /// The lock file cannot be opened, or the user wants to stop.
    pub fn machine(interrupts: &Interrupts) -> Result<Self> {
        /// Pause between two tries: the lock cannot be waited for and listen to signals.
        const PAUSE: Duration = Duration::from_millis(50);
        let path = machine_lock_path();
        let file = open(&path)?;
        let mut has_said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut has_said, true) {
                        interrupts.say("waiting for another autoresearch on this machine");
                    }
                    interrupts.check()?;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
    }
}

/// `AUTORESEARCH_MACHINE_LOCK`, or a file in the temporary directory (loops with different `TMPDIR`s do not
/// exclude each other).
pub fn machine_lock_path() -> PathBuf {
    std::env::var_os("AUTORESEARCH_MACHINE_LOCK").map_or_else(
        || std::env::temp_dir().join("autoresearch-machine.lock"),
        PathBuf::from,
    )
}

/// Opens a lock file, which several users may share: a lock needs no right to write.
fn open(path: &Path) -> Result<File> {
    use std::os::unix::fs::PermissionsExt;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    match opened {
        Ok(file) => {
            // Only its owner can, and need, open it to all.
            file.set_permissions(std::fs::Permissions::from_mode(0o666))
                .ok();
            Ok(file)
        }
        Err(_) => File::open(path).map_err(|error| {
            Error::environment(format!("cannot open the lock file {}", path.display()))
                .because(error)
                .hint("AUTORESEARCH_MACHINE_LOCK names another place for the machine's")
        }),
    }
}

/// Writes our process id for people; the lock itself does not depend on it.
fn note_holder(file: &mut File) {
    let text = format!("{}\n", std::process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(text.as_bytes()));
    written.ok();
}

impl Holder {
    /// What the lock file at `path` says.
    fn of(path: &Path) -> Self {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(32).read_to_string(&mut text));
        Self {
            pid: read.ok().and_then(|_| text.trim().parse().ok()),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, " (process {pid})"),
            None => Ok(()),
        }
    }
}
