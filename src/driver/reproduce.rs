//! Measuring a claim again, here and now.

use std::time::Instant;

use git2::Oid;

use super::bench::Bench;
use super::calibrate;
use super::end_to_end::{Budget, end_to_end, gains, wall_gain};
use super::engine::commit_id;
use super::project::Project;
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::edge::repo::Repo;
use crate::edge::{clock, host};
use crate::error::{Error, Kind, Result};
use crate::flow::claims::Claimed;
use crate::flow::decision::Estimate;
use crate::flow::record::Environment;
use crate::flow::reproduction::{Comparison, Measurement};
use crate::flow::session::judged;

/// A repository in which claims of one session are measured again.
pub struct Reproducer<'a> {
    repo: &'a Repo,
    bench: Bench,
    here: Environment,
    /// Executions in one run that this machine needs; used where the ledger says nothing.
    repeats: u32,
}

/// Two commits of a claim, and the one whose scripts apply.
#[derive(Debug, Clone, Copy)]
struct Commits {
    commit: Oid,
    parent: Oid,
    start: Oid,
}

impl<'a> Reproducer<'a> {
    /// Prepares the worktrees for a claim and for others of its session.
    ///
    /// # Errors
    /// A commit is missing, or does not build or run here.
    pub fn new(
        repo: &'a Repo,
        project: &Project,
        claimed: &Claimed,
        console: &mut Console,
        interrupts: Interrupts,
    ) -> Result<Self> {
        let commits = find(repo, claimed)?;
        let pinned = project.pin_past(repo, commits.start)?;
        let mut bench = Bench::open(repo, pinned, interrupts, commits.start)?;
        calibrate::size_runs(&mut bench, console, commits.parent)?;
        Ok(Self {
            repo,
            here: host::environment(),
            repeats: bench.repeats,
            bench,
        })
    }

    /// Measures the claim in fresh pairs: as many executions in one run as it was measured with, and
    /// hold-out inputs where the config has them.
    ///
    /// # Errors
    /// A commit is missing, does not build or run here, or the user wants to stop.
    pub fn measure(
        &mut self,
        console: &mut Console,
        claimed: &Claimed,
        budget: Budget,
    ) -> Result<Comparison> {
        let commits = find(self.repo, claimed)?;
        self.bench.repeats = claimed.repeats.unwrap_or(self.repeats);
        let load = host::load1().unwrap_or(0.0);
        let seed = clock::fresh_seed();
        let sides = (commits.parent, commits.commit);
        let what = claimed.name();
        let pairs = end_to_end(&mut self.bench, console, &what, sides, budget, seed)?;
        let config = &self.bench.pinned.config;
        let (primary, _) = judged(config);
        let gains = gains(&primary, &pairs)?;
        let measurement = Measurement {
            gain: primary.gain_record(&Estimate::from_pairs(&gains)),
            wall: wall_gain(&primary, &pairs),
            repeats: self.bench.repeats,
            hold_out: config.hold_out_env.is_some(),
            load,
        };
        Ok(Comparison::new(claimed, &primary, measurement, &self.here))
    }

    /// Measures one after the other within a time: each gets an equal part of what is left. What
    /// cannot be measured here is told and not verified.
    ///
    /// # Errors
    /// The user wants to stop; what was measured is in `done`.
    pub fn measure_all(
        &mut self,
        console: &mut Console,
        claims: &[&Claimed],
        budget_of: impl Fn(&Claimed) -> Budget,
        done: &mut Vec<Comparison>,
    ) -> Result<()> {
        for (index, claimed) in claims.iter().enumerate() {
            self.bench.interrupts.check()?;
            let mut budget = budget_of(claimed);
            let now = Instant::now();
            let left = budget
                .until
                .map(|until| until.saturating_duration_since(now));
            let metric = &self.bench.pinned.config.metric.name;
            if left.is_some_and(|left| left.is_zero()) {
                done.push(Comparison::unmeasured(
                    claimed,
                    metric,
                    "the time limit was reached",
                ));
                continue;
            }
            let remaining = u32::try_from(claims.len() - index).unwrap_or(u32::MAX);
            budget.until = left.map(|left| now + left / remaining);
            let metric = metric.clone();
            done.push(match self.measure(console, claimed, budget) {
                Ok(comparison) => comparison,
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => Comparison::unmeasured(claimed, &metric, &error.explained()),
            });
        }
        Ok(())
    }
}

/// The claim's commits, when all are here.
fn find(repo: &Repo, claimed: &Claimed) -> Result<Commits> {
    let find = |id: &str| {
        let id = commit_id(id)?;
        if repo.has_commit(id) {
            return Ok(id);
        }
        let of = match claimed.run {
            Some(run) => format!("run {run}"),
            None => "the session".to_owned(),
        };
        let error =
            Error::environment(format!("commit {id:.10} of {of} is not in this repository"));
        Err(match &claimed.branch {
            Some(branch) => error.hint(format!(
                "fetch the branch it is on: `git fetch origin {branch}`"
            )),
            None => error,
        })
    };
    Ok(Commits {
        commit: find(&claimed.commit)?,
        parent: find(&claimed.parent)?,
        start: find(&claimed.start)?,
    })
}
