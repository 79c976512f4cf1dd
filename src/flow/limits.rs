//! When a run ends by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{Reason, RunLine, Status};

/// Limits of one run beside its iterations; each ends it between two candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds after which no further candidate is begun. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
    /// Candidates in a row that came to nothing or failed before they could be judged; 1 or more.
    /// (Ten is labloop's number.)
    pub failures: u32,
    /// Candidates in a row without a keep. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plateau: Option<u32>,
    /// Free space in MiB, where worktrees and builds are, below which no candidate is begun.
    pub disk_free_mib: u64,
    /// US dollars that agents have reported over the whole session. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_s: None,
            failures: 10,
            plateau: None,
            disk_free_mib: 512,
            cost_usd: None,
        }
    }
}

impl Limits {
    /// Checks the ranges; the error is the field and the problem.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let positive = |field: &str, value: Option<f64>| match value {
            Some(value) if !(value > 0.0 && value.is_finite()) => Err((
                format!("limits.{field}"),
                format!("is {value}; it must be above 0"),
            )),
            Some(_) | None => Ok(()),
        };
        positive("wall_s", self.wall_s)?;
        positive("cost_usd", self.cost_usd)?;
        for (field, value) in [("failures", Some(self.failures)), ("plateau", self.plateau)] {
            if value == Some(0) {
                let problem = "is 0; it must be at least 1".to_owned();
                return Err((format!("limits.{field}"), problem));
            }
        }
        Ok(())
    }

    /// The first limit that is reached.
    pub fn reached(&self, progress: &Progress) -> Option<Ending> {
        let seconds_over = self.wall_s.is_some_and(|limit| progress.elapsed_s >= limit);
        let disk = progress
            .disk_free_bytes
            .filter(|free| free >> 20 < self.disk_free_mib);
        let cost_over = self
            .cost_usd
            .is_some_and(|limit| progress.cost_usd >= limit);
        if progress.failures >= self.failures {
            Some(Ending::Failures(progress.failures))
        } else if self
            .plateau
            .is_some_and(|limit| progress.since_keep >= limit)
        {
            Some(Ending::Plateau(progress.since_keep))
        } else if seconds_over {
            Some(Ending::TimeOver)
        } else if cost_over {
            Some(Ending::CostOver(progress.cost_usd))
        } else {
            disk.map(|free| Ending::DiskFull(free >> 20))
        }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Seconds since it began.
    pub elapsed_s: f64,
    /// Candidates in a row that came to nothing.
    pub failures: u32,
    /// Candidates since the last keep, or since the run began.
    pub since_keep: u32,
    /// Free bytes, where that can be known.
    pub disk_free_bytes: Option<u64>,
    /// US dollars reported in the session.
    pub cost_usd: f64,
}

impl Progress {
    /// Takes a judged candidate.
    pub fn ran(&mut self, line: &RunLine) {
        self.since_keep = match line.status {
            Status::Keep => 0,
            Status::Discard | Status::Crash | Status::ChecksFailed => self.since_keep + 1,
        };
        self.failures = if came_to_nothing(line) {
            self.failures + 1
        } else {
            0
        };
        self.cost_usd += cost_usd(line);
    }
}

/// US dollars that the proposer reported for a candidate.
pub fn cost_usd(line: &RunLine) -> f64 {
    let reported = line
        .asi
        .as_ref()
        .and_then(|asi| asi.get("cost_usd")?.as_f64());
    reported.unwrap_or(0.0)
}

fn came_to_nothing(line: &RunLine) -> bool {
    match line.reason {
        Reason::NoChange | Reason::Repeat | Reason::NotApplicable => true,
        _ => line.status == Status::Crash,
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// As many iterations as asked for.
    IterationsDone,
    /// The proposers have nothing left.
    NothingLeft,
    /// This many candidates in a row failed or changed nothing.
    Failures(u32),
    /// This many candidates in a row were not kept.
    Plateau(u32),
    /// The time is over.
    TimeOver,
    /// The agents have reported this many US dollars.
    CostOver(f64),
    /// This many MiB are free.
    DiskFull(u64),
}

impl Ending {
    /// Words for the summary.
    pub fn describe(self) -> String {
        match self {
            Self::IterationsDone => "all iterations are done".to_owned(),
            Self::NothingLeft => "the proposers have no candidates left".to_owned(),
            Self::Failures(count) => {
                format!("{count} candidates in a row failed or changed nothing")
            }
            Self::Plateau(count) => format!("{count} candidates in a row were not kept"),
            Self::TimeOver => "the time is over".to_owned(),
            Self::CostOver(cost) => format!("the agents have cost {cost:.2} US dollars"),
            Self::DiskFull(mib) => format!("only {mib} MiB are free on the disk of the worktrees"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples;

    fn after(reasons: &[Reason]) -> Progress {
        let mut progress = Progress::default();
        for reason in reasons {
            progress.ran(&samples::ended(1, *reason, ""));
        }
        progress
    }

    #[test]
    fn candidates_that_came_to_nothing_are_counted_in_a_row() {
        use Reason::{BuildFailed, NoChange, NoGain, Repeat};
        assert_eq!(after(&[NoChange, Repeat, BuildFailed]).failures, 3);
        assert_eq!(after(&[NoChange, NoGain, BuildFailed]).failures, 1);
        assert_eq!(after(&[NoChange, NoGain]).since_keep, 2);
        assert_eq!(after(&[NoGain, Reason::Improved]).since_keep, 0);
    }

    #[test]
    fn each_limit_ends_the_run_once_it_is_reached_and_not_before() {
        let limits = Limits {
            wall_s: Some(60.0),
            failures: 3,
            plateau: Some(5),
            disk_free_mib: 100,
            cost_usd: Some(2.0),
        };
        let fine = Progress {
            elapsed_s: 59.0,
            failures: 2,
            since_keep: 4,
            disk_free_bytes: Some(100 << 20),
            cost_usd: 1.99,
        };
        assert_eq!(limits.reached(&fine), None);
        let reached = |change: fn(&mut Progress)| {
            let mut progress = fine;
            change(&mut progress);
            limits.reached(&progress)
        };
        assert_eq!(reached(|p| p.elapsed_s = 60.0), Some(Ending::TimeOver));
        assert_eq!(reached(|p| p.failures = 3), Some(Ending::Failures(3)));
        assert_eq!(reached(|p| p.since_keep = 5), Some(Ending::Plateau(5)));
        assert_eq!(reached(|p| p.cost_usd = 2.0), Some(Ending::CostOver(2.0)));
        let low = |p: &mut Progress| p.disk_free_bytes = Some((100 << 20) - 1);
        assert_eq!(reached(low), Some(Ending::DiskFull(99)));
        assert_eq!(reached(|p| p.disk_free_bytes = None), None);
        assert_eq!(
            Limits::default().reached(&fine),
            Some(Ending::DiskFull(100)),
            "by default half a GiB must be free"
        );
    }
}
