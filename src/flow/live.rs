//! What a loop is doing now, as it tells other processes.

use serde::{Deserialize, Serialize};

/// The state of a loop at work. It is published between steps and never read back by the loop.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Live {
    /// The loop's process id.
    pub pid: u32,
    /// When the loop began, milliseconds since 1970.
    pub started: u64,
    /// When the first iteration began, milliseconds since 1970; 0 before that.
    #[serde(default)]
    pub iterating_since: u64,
    /// The iteration, from 1; 0 before the first and while nothing is being tried.
    pub iteration: u32,
    /// Most iterations; 0 when the command has none.
    pub iterations: u32,
    /// What is going on, such as `screening`.
    pub phase: String,
    /// When that began, milliseconds since 1970.
    pub phase_since: u64,
    /// Pairs done in it and the most it can take, where it measures pairs.
    pub pairs: Option<LivePairs>,
    /// Candidates kept in this run of the loop.
    pub kept: u32,
    /// Candidates judged in this run of the loop.
    pub tried: u32,
    /// The last verdict, one line.
    pub last: Option<String>,
}

impl Live {
    /// Seconds that the iterations left will take when they take as long as those judged so far;
    /// `None` before the first verdict, and for a command without an end.
    pub fn seconds_left(&self, now_ms: u64) -> Option<f64> {
        let left = self.iterations.saturating_sub(self.tried);
        if self.tried == 0 || left == 0 || self.iterating_since == 0 {
            return None;
        }
        let spent = now_ms.saturating_sub(self.iterating_since) as f64 / 1000.0;
        Some(spent / f64::from(self.tried) * f64::from(left))
    }
}

/// Progress within a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePairs {
    /// Pairs done.
    pub done: usize,
    /// The most it can take.
    pub most: usize,
}

/// Whether a loop is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// None is.
    No,
    /// One is.
    Yes {
        /// Its process id, where the lock says so.
        pid: Option<u32>,
        /// What it has published.
        live: Option<Live>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_goes_by_the_mean_of_the_candidates_judged() {
        let mut live = Live {
            iterations: 10,
            iterating_since: 5_000,
            ..Live::default()
        };
        assert_eq!(live.seconds_left(25_000), None);
        live.tried = 4;
        assert_eq!(live.seconds_left(25_000), Some(30.0));
        live.tried = 10;
        assert_eq!(live.seconds_left(25_000), None);
        (live.tried, live.iterations) = (1, 0);
        assert_eq!(live.seconds_left(25_000), None);
    }
}
