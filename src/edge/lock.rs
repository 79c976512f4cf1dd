//! Advisory file locks: one loop a repository, one timed run a machine.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::interrupt::Interrupts;
use super::regular;
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
        let mut file = open(path, Shared::No)?;
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
        let file = regular::open(path).ok()?;
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
        let file = open(&path, Shared::WithAllUsers)?;
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

/// Who may lock a lock file that we create.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shared {
    No,
    WithAllUsers,
}

/// Opens a lock file, or creates it. A link is not followed: in a directory that all may write to, it would
/// lead to a file of somebody's choice.
fn open(path: &Path, shared: Shared) -> Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut writing = options.clone();
    writing.write(true);
    let opened = match writing.clone().create_new(true).open(path) {
        Ok(file) if shared == Shared::WithAllUsers => file
            .set_permissions(Permissions::from_mode(0o666))
            .map(|()| file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Another user's: a lock needs no right to write.
            writing.open(path).or_else(|_| options.open(path))
        }
        created => created,
    };
    let is_link = path.is_symlink();
    opened
        .and_then(|file| regular::check(&file.metadata()?).map(|()| file))
        .map_err(|error| {
            let error = Error::environment(format!("cannot open the lock file {}", path.display()))
                .because(error);
            match (is_link, shared) {
                (true, _) => error.hint("it is a link, which is not followed; remove it"),
                (false, Shared::WithAllUsers) => {
                    error.hint("AUTORESEARCH_MACHINE_LOCK names another place for the machine's")
                }
                (false, Shared::No) => error,
            }
        })
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
        let read = regular::open(path).and_then(|file| file.take(32).read_to_string(&mut text));
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
