//! Kept commits on branches of their own: built from the start, gated and measured, each alone.

use std::collections::BTreeMap;

use git2::Oid;

use super::bench::Bench;
use super::calibrate;
use super::end_to_end::{Budget, end_to_end, gains};
use super::judge::{Gated, gate_anew};
use super::project::Project;
use super::stack::Stack;
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::edge::repo::Repo;
use crate::edge::slots::SlotName;
use crate::edge::{clock, fault};
use crate::error::{Kind, Result};
use crate::flow::decision::Estimate;
use crate::flow::finalize::{Group, GuardGain, Measured, Plan, Said};
use crate::flow::measure::Judged;
use crate::flow::record::GateOutcome;
use crate::flow::session::{SessionState, judged};
use crate::report::finalize::{Finished, Outcome, tip_message};

/// The kept commits of a session, to be made into branches.
pub struct Finalizer<'a> {
    /// The commits.
    pub stack: Stack<'a>,
    bench: Bench,
    /// Sets of runs that were built alone, and what went wrong.
    alone: BTreeMap<Vec<u64>, Option<String>>,
    has_sized_runs: bool,
}

impl<'a> Finalizer<'a> {
    /// Prepares the worktrees.
    ///
    /// # Errors
    /// Nothing was kept, a commit is missing, or the worktrees cannot be made.
    pub fn new(
        repo: &'a Repo,
        project: &Project,
        state: &'a SessionState,
        interrupts: Interrupts,
    ) -> Result<Self> {
        let stack = Stack::new(repo, state)?;
        let pinned = project.pin_past(repo, stack.start)?;
        Ok(Self {
            bench: Bench::open(repo, pinned, interrupts, stack.start)?,
            stack,
            alone: BTreeMap::new(),
            has_sized_runs: false,
        })
    }

    /// Proposes groups of which each builds and runs without the others, and that together are the
    /// head; where that cannot be, one group of all.
    ///
    /// # Errors
    /// A commit cannot be read, or the user wants to stop.
    pub fn propose(&mut self, console: &mut Console) -> Result<Plan> {
        let mut joined = Vec::new();
        loop {
            let plan = Plan::propose(&self.stack.pieces, &joined, self.stack.ids());
            if plan.groups.len() == 1 {
                return Ok(plan);
            }
            if let Err(error) = self.stack.check_union(&plan) {
                console.say(&format!("one branch for all: {error}"));
                joined = self.all_together();
                continue;
            }
            match self.first_that_needs_another(console, &plan)? {
                None => return Ok(plan),
                Some(pair) => joined.push(pair),
            }
        }
    }

    fn all_together(&self) -> Vec<(u64, u64)> {
        let runs = self.stack.pieces.windows(2);
        runs.map(|pair| (pair[0].run, pair[1].run)).collect()
    }

    /// A group that does not build or run alone, with a run that it is to be joined with: of the
    /// first group that helps, or else of any, so that all end up together.
    fn first_that_needs_another(
        &mut self,
        console: &mut Console,
        plan: &Plan,
    ) -> Result<Option<(u64, u64)>> {
        for (index, group) in plan.groups.iter().enumerate() {
            let Some(why) = self.fails_alone(console, &group.runs)? else {
                continue;
            };
            let (before, after) = plan.groups.split_at(index);
            let others: Vec<&Group> = before.iter().chain(after.iter().skip(1)).collect();
            let mut partner = None;
            for other in &others {
                let together = [&group.runs[..], &other.runs].concat();
                if self.fails_alone(console, &together)?.is_none() {
                    partner = Some(other);
                    break;
                }
            }
            let Some(other) = partner.or(others.first()) else {
                continue;
            };
            console.say(&format!(
                "{} and {} belong together: {} {}",
                other.name,
                group.name,
                group.name,
                why.lines().next().unwrap_or_default()
            ));
            return Ok(Some((other.runs[0], group.runs[0])));
        }
        Ok(None)
    }

    /// Why a set of runs does not build and run without the others; `None` when it does.
    fn fails_alone(&mut self, console: &mut Console, runs: &[u64]) -> Result<Option<String>> {
        let mut key = runs.to_vec();
        key.sort_unstable();
        if let Some(known) = self.alone.get(&key) {
            return Ok(known.clone());
        }
        console.phase("building a group alone");
        let failure = match self.stack.cherry_pick(&key)? {
            Err(run) => Some(format!("does not apply at run {run}")),
            Ok(tip) => self.fails_to_work(tip)?,
        };
        self.alone.insert(key, failure.clone());
        Ok(failure)
    }

    fn fails_to_work(&mut self, tip: Oid) -> Result<Option<String>> {
        let built = self.bench.prepare(SlotName::Zero, tip)?;
        if !built.passed {
            return Ok(Some(format!(
                "does not build: the command {}\n{}",
                built.ended, built.tail
            )));
        }
        let failure = self.bench.try_run(SlotName::Zero)?;
        Ok(failure.map(|why| format!("does not run: {why}")))
    }

    /// Makes the branches, one after the other; those that are there already stay as they are unless
    /// `force`. Nothing is measured before all of it is known to be possible.
    ///
    /// # Errors
    /// A branch cannot be made, or the user wants to stop; what is finished is in `done`, and the
    /// next time goes on from there.
    pub fn make(
        &mut self,
        console: &mut Console,
        plan: &Plan,
        (pairs, force): (u32, bool),
        done: &mut Vec<Finished>,
    ) -> Result<()> {
        self.stack.check_union(plan)?;
        let mut todo = Vec::new();
        for group in &plan.groups {
            let tip = self.stack.tip(group)?;
            self.stack.check_branch_name(group)?;
            let existing = if force {
                None
            } else {
                self.stack.existing(group, tip)?
            };
            todo.push((group, tip, existing));
        }
        for (group, tip, existing) in todo {
            self.bench.interrupts.check()?;
            done.push(match existing {
                Some((commit, said)) => {
                    let finished = self.finished(group, Outcome::Already);
                    finished.with_branch(
                        &self.stack.branch(group),
                        commit.to_string(),
                        said.measured,
                    )
                }
                None => self.make_one(console, group, tip, pairs)?,
            });
        }
        Ok(())
    }

    fn make_one(
        &mut self,
        console: &mut Console,
        group: &Group,
        tip: Oid,
        pairs: u32,
    ) -> Result<Finished> {
        console.say(&format!("group {}: {}", group.name, group.title));
        let measured = match self.examine(console, &group.name, tip, pairs)? {
            Ok(measured) => measured,
            Err((outcome, detail)) => {
                return Ok(Finished {
                    detail,
                    ..self.finished(group, outcome)
                });
            }
        };
        let said = Said {
            start: self.stack.state.opened.start.clone(),
            runs: group.runs.clone(),
            measured,
        };
        let message = self.stack.repo.message(tip)?;
        let message = tip_message(&message, group, self.stack.state, &said);
        let commit = self.stack.repo.reword(tip, &message)?;
        let branch = self.stack.branch(group);
        self.stack.repo.set_ref(
            &format!("refs/heads/{branch}"),
            commit,
            "autoresearch: finalize",
        )?;
        fault::reached("group-made");
        let finished = self.finished(group, Outcome::Made);
        Ok(finished.with_branch(&branch, commit.to_string(), said.measured))
    }

    fn finished(&self, group: &Group, outcome: Outcome) -> Finished {
        let of_group = |run: &u64| group.runs.contains(run);
        let pieces = self
            .stack
            .pieces
            .iter()
            .filter(|piece| of_group(&piece.run));
        Finished::new(group, outcome, pieces)
    }

    /// Builds, gates and measures a tip against the start; or what it fails at.
    fn examine(
        &mut self,
        console: &mut Console,
        group: &str,
        tip: Oid,
        pairs: u32,
    ) -> Result<std::result::Result<Measured, (Outcome, String)>> {
        if !std::mem::replace(&mut self.has_sized_runs, true) {
            calibrate::size_runs(&mut self.bench, console, self.stack.start)?;
        }
        console.phase(&format!("{group}: building alone"));
        if let Some(why) = self.fails_to_work(tip)? {
            return Ok(Err((Outcome::Fails, why)));
        }
        console.phase(&format!("{group}: checking alone"));
        let gate = match gate_anew(&mut self.bench, SlotName::Zero, self.stack.start, tip)? {
            Gated::NoGate => GateOutcome::NotRun,
            Gated::NotBuilt(built) => {
                return Ok(Err((
                    Outcome::Fails,
                    format!("the build {}\n{}", built.ended, built.tail),
                )));
            }
            Gated::Ran(checked) if checked.passed => GateOutcome::Pass,
            Gated::Ran(checked) => return Ok(Err((Outcome::GateFails, checked.tail))),
        };
        let (sides, budget) = ((self.stack.start, tip), Budget::pairs(pairs as usize));
        let seed = clock::fresh_seed();
        let pairs = match end_to_end(&mut self.bench, console, group, sides, budget, seed) {
            Ok(pairs) => pairs,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => return Ok(Err((Outcome::Fails, error.explained()))),
        };
        let (primary, guards) = judged(&self.bench.pinned.config);
        let estimate =
            |metric: &Judged| gains(metric, &pairs).map(|gains| Estimate::from_pairs(&gains));
        let guards = guards.into_iter().map(|(metric, _)| {
            Ok(GuardGain {
                gain: metric.gain_record(&estimate(&metric)?),
                direction: metric.direction,
                name: metric.name,
            })
        });
        Ok(Ok(Measured {
            gain: primary.gain_record(&estimate(&primary)?),
            guards: guards.collect::<Result<_>>()?,
            gate,
        }))
    }
}
