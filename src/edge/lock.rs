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

impl Lock {
    /// Takes the lock that keeps a second loop out of a repository.
    ///
    /// # Errors
    /// Another process holds it; the message has its process id.
    pub fn session(path: &Path) -> Result<Self> {
        /// `is_held` of another process holds the lock for an instant.
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
                holder(path)
            ))
            .hint("wait for it, or stop it with Ctrl-C; `autoresearch status` shows what it does")),
            Err(TryLockError::Error(error)) => {
                Err(error).context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Whether another process holds the lock at `path`; its process id as text when it does.
    pub fn is_held(path: &Path) -> Option<String> {
        let file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(path)),
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
        Err(_) => {
            File::open(path).context(|| format!("cannot open the lock file {}", path.display()))
        }
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

fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!(" (process {pid})"),
        _ => String::new(),
    }
}
