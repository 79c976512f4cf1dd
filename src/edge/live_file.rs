//! The loop's live state in a small file beside its lock. Best effort: a loop never fails for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{fault, regular};
use crate::flow::live::Live;

/// Largest file that is read, bytes.
const BYTES_MAX: u64 = 64 << 10;

/// Publishes the state of this process; the file goes when this is dropped.
#[derive(Debug)]
pub struct LiveFile {
    path: PathBuf,
}

impl LiveFile {
    /// A file beside the lock at `lock`, which this process holds.
    pub fn beside(lock: &Path) -> Self {
        Self { path: path(lock) }
    }

    /// Replaces what was published: readers see the old state or the new one. Not synced, since it
    /// means nothing after a crash of the machine.
    pub fn publish(&self, live: &Live) {
        let Ok(text) = serde_json::to_vec(live) else {
            return;
        };
        let temporary = self.path.with_extension("json.tmp");
        let written = fault::space_for("live-write").and_then(|()| fs::write(&temporary, text));
        match written {
            Ok(()) => fs::rename(&temporary, &self.path),
            Err(_) => fs::remove_file(&temporary),
        }
        .ok();
    }
}

impl Drop for LiveFile {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// What the loop that holds the lock at `lock` has published; `None` when it has published nothing,
/// or the file is what another process left.
pub fn read(lock: &Path, holder: u32) -> Option<Live> {
    let path = path(lock);
    if fs::metadata(&path).ok()?.len() > BYTES_MAX {
        return None;
    }
    let live: Live = serde_json::from_slice(&regular::read(&path).ok()?).ok()?;
    (live.pid == holder).then_some(live)
}

fn path(lock: &Path) -> PathBuf {
    lock.with_file_name("live.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_can_be_read_until_the_loop_is_gone() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lock = directory.path().join("lock");
        assert_eq!(read(&lock, 7), None);
        let mut live = Live {
            pid: 7,
            phase: "screening".to_owned(),
            ..Live::default()
        };
        let file = LiveFile::beside(&lock);
        file.publish(&live);
        assert_eq!(read(&lock, 7).as_ref(), Some(&live));
        live.phase = "checking".to_owned();
        file.publish(&live);
        assert_eq!(read(&lock, 7).as_ref(), Some(&live));
        drop(file);
        let left = fs::read_dir(directory.path()).expect("a directory").count();
        assert_eq!((read(&lock, 7), left), (None, 0));
    }

    #[test]
    fn what_a_killed_loop_left_and_what_is_no_state_is_not_believed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lock = directory.path().join("lock");
        let file = LiveFile::beside(&lock);
        file.publish(&Live {
            pid: 7,
            ..Live::default()
        });
        assert_eq!(read(&lock, 8), None);
        fs::write(path(&lock), "{\"pid\": 8").expect("a written file");
        assert_eq!(read(&lock, 8), None);
        fs::write(path(&lock), vec![b' '; 1 << 17]).expect("a written file");
        assert_eq!(read(&lock, 8), None);
    }

    #[test]
    fn a_directory_that_cannot_be_written_stops_nobody() {
        let file = LiveFile::beside(Path::new("/nonexistent/lock"));
        file.publish(&Live::default());
    }
}
