//! Lock files of git that a killed loop leaves: each would refuse every later write of its ref.
//!
//! Refs that only the loop writes can be told by their names. `packed-refs.lock` is everybody's: it
//! is taken for ours only when a marker says that the loop was writing refs when it was killed, and
//! when it is as old as the marker.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where the loop's own refs are, below the common directory. `autoresearch` in `refs/heads` is a
/// directory (kept commits) and a prefix (branches of worktrees).
const OWN: &[&str] = &["refs/autoresearch", "refs/heads/autoresearch"];

/// Longest time between marker and lock of one write.
const ONE_WRITE: Duration = Duration::from_secs(5);

/// Marks that refs are being written, until it is dropped.
#[derive(Debug)]
pub struct RefWrite(PathBuf);

impl RefWrite {
    /// Leaves the marker. Without it a lock of ours may have to be removed by hand, nothing worse,
    /// so that a failure to write it is none.
    pub fn begin(common_dir: &Path) -> Self {
        let marker = marker(common_dir);
        fs::create_dir_all(common_dir.join("autoresearch")).ok();
        fs::write(&marker, "").ok();
        Self(marker)
    }
}

impl Drop for RefWrite {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn marker(common_dir: &Path) -> PathBuf {
    common_dir.join("autoresearch/writing-refs")
}

/// Removes what a killed loop left. The caller holds the session lock, so no other loop is at work.
pub fn remove_stale(common_dir: &Path) {
    for own in OWN {
        let directory = common_dir.join(own);
        remove_locks_below(&directory);
        // Branches of worktrees and the directory's own neighbours: `autoresearch-1a2b-0.lock`.
        let Some((parent, name)) = directory.parent().zip(directory.file_name()) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        for path in entries(parent) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if file.starts_with(&name) && is_lock(&path) {
                fs::remove_file(&path).ok();
            }
        }
    }
    let (marker, packed) = (marker(common_dir), common_dir.join("packed-refs.lock"));
    if let (Some(marked), Some(locked)) = (modified(&marker), modified(&packed)) {
        let apart = locked
            .duration_since(marked)
            .or_else(|_| marked.duration_since(locked));
        if apart.is_ok_and(|apart| apart <= ONE_WRITE) {
            fs::remove_file(&packed).ok();
        }
    }
    fs::remove_file(&marker).ok();
}

fn remove_locks_below(directory: &Path) {
    for path in entries(directory) {
        if path.is_dir() && !path.is_symlink() {
            remove_locks_below(&path);
        } else if is_lock(&path) {
            fs::remove_file(&path).ok();
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(directory).into_iter().flatten();
    read.flatten().map(|entry| entry.path()).collect()
}

fn is_lock(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "lock")
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_of_the_loops_own_refs_are_removed_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        let ours = [
            "refs/autoresearch/20261121-1/3.lock",
            "refs/heads/autoresearch/toy.lock",
            "refs/heads/autoresearch-1a2b-0.lock",
        ]
        .map(write);
        let theirs = [
            "refs/heads/main.lock",
            "refs/heads/autoresearch/toy",
            "packed-refs.lock",
            "index.lock",
        ]
        .map(write);
        remove_stale(directory.path());
        assert!(ours.iter().all(|path| !path.exists()));
        assert!(theirs.iter().all(|path| path.exists()));
    }

    #[test]
    fn the_lock_of_packed_refs_is_ours_only_with_a_marker_of_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let packed = directory.path().join("packed-refs.lock");
        let killed = RefWrite::begin(directory.path());
        fs::write(&packed, "").unwrap();
        std::mem::forget(killed);
        remove_stale(directory.path());
        assert!(!packed.exists());

        std::mem::forget(RefWrite::begin(directory.path()));
        let later = SystemTime::now() + Duration::from_secs(60);
        let file = fs::File::create(&packed).unwrap();
        file.set_modified(later).unwrap();
        remove_stale(directory.path());
        assert!(packed.exists(), "somebody else took it a minute later");

        drop(RefWrite::begin(directory.path()));
        file.set_modified(SystemTime::now()).unwrap();
        remove_stale(directory.path());
        assert!(packed.exists(), "the write had ended");
    }
}
