//! How often judging one candidate has ended the loop with an error. What ends it for the machine's sake is
//! tried again by the next `run`; a candidate that ends it each time would keep all others from their turn.

use std::path::{Path, PathBuf};

use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::edge::slot_files;

/// After so many the candidate is recorded as a crash.
pub const ATTEMPTS_MAX: u32 = 3;

/// Longest file that is read, bytes.
const BYTES_MAX: u64 = 4096;

/// The candidate that ended the loop last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Failed {
    run: u64,
    tree: String,
    times: u32,
}

/// Where that is remembered: beside the slots, since it is no result.
#[derive(Debug)]
pub struct Attempts(PathBuf);

impl Attempts {
    /// In the directory of the slots.
    pub fn beside(slots: &Path) -> Self {
        Self(slots.join("failed.json"))
    }

    /// Judging this candidate has ended the loop once more; how often it has. What cannot be remembered is
    /// tried again.
    pub fn failed(&self, run: u64, tree: Oid) -> u32 {
        let tree = tree.to_string();
        let before = slot_files::read(&self.0, BYTES_MAX)
            .ok()
            .and_then(|text| serde_json::from_slice::<Failed>(&text).ok())
            .filter(|failed| failed.run == run && failed.tree == tree)
            .map_or(0, |failed| failed.times);
        let now = Failed {
            run,
            tree,
            times: before.saturating_add(1),
        };
        if let Ok(text) = serde_json::to_vec(&now) {
            std::fs::write(&self.0, text).ok();
        }
        now.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_one_candidate_are_counted_and_damage_counts_as_none() {
        let directory = tempfile::TempDir::new().unwrap();
        let attempts = Attempts::beside(directory.path());
        let tree = |byte| Oid::from_bytes(&[byte; 20]).unwrap();
        assert_eq!(attempts.failed(7, tree(1)), 1);
        assert_eq!(attempts.failed(7, tree(1)), 2);
        assert_eq!(attempts.failed(7, tree(2)), 1);
        assert_eq!(attempts.failed(8, tree(2)), 1);
        std::fs::write(directory.path().join("failed.json"), "{").unwrap();
        assert_eq!(attempts.failed(8, tree(2)), 1);
    }
}
