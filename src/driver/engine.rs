//! One session at work: propose, evaluate, record, again and again.

use std::time::Instant;

use git2::Oid;

use super::attempts::{ATTEMPTS_MAX, Attempts};
use super::bench::Bench;
use super::calibrate::{self, Setting};
use super::end_to_end;
use super::judge::{Sides, impossible, judge};
use super::open::{Opened, lock_path, move_branch};
use super::propose::{Draft, Proposers};
use super::record::{Outcome, kept_message, ref_name, run_line};
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::edge::live_file::LiveFile;
use crate::edge::sandbox::Sandbox;
use crate::edge::{clock, fault, host};
use crate::error::{Error, Kind, Result};
use crate::flow::config_sandbox::SandboxMode;
use crate::flow::decision::{SlotBias, calibration_due, end_to_end_due, placebo_due};
use crate::flow::limits::{Ending, Limits, Progress};
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::{Durations, Environment, Line, Reason, RunLine, Status};
use crate::flow::scope::Scope;

/// A session with everything it needs.
pub struct Engine {
    /// The repository, its files and the ledger's past.
    pub opened: Opened,
    /// Slots and scripts.
    pub bench: Bench,
    /// The terminal.
    pub console: Console,
    scope: Scope,
    /// The machine, looked at once: asking the compiler for its version takes longer than the rest
    /// of an iteration's book-keeping.
    environment: Environment,
    /// Number of the next run.
    pub(super) next_run: u64,
}

impl Engine {
    /// Prepares slots and bench; nothing is measured yet.
    ///
    /// # Errors
    /// The slots cannot be created.
    pub fn new(opened: Opened, mut console: Console, interrupts: Interrupts) -> Result<Self> {
        let start = commit_id(&opened.state.opened.start)?;
        let mut bench = Bench::open(&opened.repo, opened.pinned.clone(), interrupts, start)?;
        if let Some(line) = &opened.state.calibration {
            calibrate::adopt(&mut bench, line);
        }
        let config = &opened.pinned.config;
        if config.sandbox == SandboxMode::Auto && bench.sandbox == Sandbox::Off {
            console.warn(
                "no sandbox: neither bubblewrap nor Landlock works here, so candidates run with your rights; see SECURITY.md",
            );
        }
        let scope = Scope::new(&config.scope, &config.protected_globs());
        let next_run = opened.past.next_run;
        let environment = host::environment();
        console.publish_to(LiveFile::beside(&lock_path(&opened.repo)));
        Ok(Self {
            environment,
            opened,
            bench,
            console,
            scope,
            next_run,
        })
    }

    /// Passes the baseline through the gate, opens the session in the ledger, and calibrates, as far
    /// as each is due.
    ///
    /// # Errors
    /// The unchanged code does not build, run or pass; the harness is biased between slots.
    pub fn get_ready(&mut self) -> Result<()> {
        if self.opened.is_new {
            let start = commit_id(&self.opened.state.opened.start)?;
            calibrate::baseline(&mut self.bench, &mut self.console, start)?;
            fault::reached("baseline-checked");
            let line = Line::Config(Box::new(self.opened.state.opened.clone()));
            self.opened.ledger.append(&line)?;
            fault::reached("config-recorded");
            self.opened.is_new = false;
        }
        self.calibrate_if_due()
    }

    fn calibrate_if_due(&mut self) -> Result<()> {
        let state = &self.opened.state;
        let calibrated = state.calibration.as_ref();
        let setup_changed = calibrated.is_none_or(|line| line.environment != self.environment);
        let gap_s = clock::now_ms().saturating_sub(state.last_timestamp) as f64 / 1e3;
        if !calibration_due(setup_changed, gap_s) {
            return Ok(());
        }
        let head = commit_id(state.head())?;
        let params = state.params();
        let setting = Setting {
            session: state.opened.session.clone(),
            environment: self.environment.clone(),
            load: host::load1().unwrap_or(0.0),
        };
        let mut calibrate = |setting| {
            calibrate::calibrate(&mut self.bench, &mut self.console, setting, head, &params)
        };
        let mut line = calibrate(setting.clone())?;
        if line.primary.slot_bias == SlotBias::Refuse {
            // One false alarm in 50 is allowed for, and too many for a start: two in a row are one in 2500.
            line = calibrate(setting)?;
        }
        match line.primary.slot_bias {
            SlotBias::Refuse => {
                return Err(Error::environment(format!(
                    "the harness is biased: {} differs between two worktrees of the same commit",
                    self.opened.state.opened.metric_name
                ))
                .hint("does the benchmark depend on its path, on files left by earlier runs, or on a port? see `autoresearch noise`"));
            }
            SlotBias::Warn => self.console.warn(
                "the two worktrees may differ (one false alarm in ten is expected); slots are assigned by coin and swapped",
            ),
            SlotBias::None => {}
        }
        self.console.say(&super::noise_text::one_line(
            &self.opened.state.opened,
            &line,
        ));
        self.opened.state.calibrated(&line).map_err(impossible)?;
        self.opened
            .ledger
            .append(&Line::Calibration(Box::new(line)))?;
        fault::reached("calibration-recorded");
        Ok(())
    }

    /// Runs up to `iterations` candidates, as far as the limits allow.
    ///
    /// # Errors
    /// The environment fails or the user wants to stop; everything judged so far is recorded.
    pub fn iterate(
        &mut self,
        proposers: &mut Proposers,
        iterations: u32,
        limits: &Limits,
    ) -> Result<Ending> {
        self.console.plan(iterations);
        let began = Instant::now();
        let mut progress = Progress {
            cost_usd: self.opened.state.cost_usd,
            ..Progress::default()
        };
        for iteration in 1..=iterations {
            self.bench.interrupts.check()?;
            progress.elapsed_s = began.elapsed().as_secs_f64();
            progress.disk_free_bytes = host::disk_free_bytes(self.bench.slots.directory());
            if let Some(ending) = limits.reached(&progress) {
                return Ok(ending);
            }
            self.console.iteration(iteration);
            self.calibrate_if_due()?;
            self.hook_before()?;
            self.console.phase("proposing");
            let started = Instant::now();
            let draft = match self.placebo_if_due()? {
                Some(placebo) => placebo,
                None => match proposers.next(&self.opened, &mut self.bench, &self.console)? {
                    Some(draft) => draft,
                    None => return Ok(Ending::NothingLeft),
                },
            };
            let line = self.evaluate(draft, started)?;
            proposers.note(&self.opened, &self.console);
            fault::reached("ticked");
            self.follow_up(&line)?;
            progress.ran(&line);
            if line.status == Status::Keep && end_to_end_due(self.opened.state.kept.len()) {
                self.claim_if_due()?;
            }
        }
        Ok(Ending::IterationsDone)
    }

    /// Every so often a no-op goes the whole way in the place of a candidate.
    fn placebo_if_due(&self) -> Result<Option<Draft>> {
        let state = &self.opened.state;
        if !placebo_due(state.candidates as usize, &state.params()) {
            return Ok(None);
        }
        let head = commit_id(state.head())?;
        Ok(Some(Draft {
            proposal: Proposal::placebo(),
            tree: Ok(self.opened.repo.tree_id(head)?),
            again: true,
        }))
    }

    /// Judges one proposal and records it.
    ///
    /// # Errors
    /// The environment fails or the user wants to stop; the candidate is then not recorded and its
    /// number is used again.
    pub fn evaluate(&mut self, draft: Draft, started: Instant) -> Result<RunLine> {
        self.bench.take_spent();
        let propose_s = started.elapsed().as_secs_f64();
        let run = self.next_run;
        let seed = clock::fresh_seed();
        let mut outcome = self.outcome_of(&draft, run, seed)?;
        outcome.seed = seed;
        self.look_for_tampering(&draft.proposal, &mut outcome);
        if outcome.status() == Status::Keep {
            self.name_kept_commit(run, &draft.proposal, &mut outcome)?;
        }
        let spent = self.bench.take_spent();
        let durations = Durations {
            propose_s,
            build_s: spent.build_s,
            measure_s: spent.measure_s,
            gate_s: spent.gate_s,
            total_s: started.elapsed().as_secs_f64(),
        };
        let load = host::load1().unwrap_or(0.0);
        let line = run_line(
            &self.opened.state,
            run,
            &draft.proposal,
            outcome,
            durations,
            load,
        );
        self.record(line)
    }

    /// Refuses a candidate while whose code, or whose agent, ran outside any sandbox the user's git was
    /// made to run something else.
    fn look_for_tampering(&mut self, proposal: &Proposal, outcome: &mut Outcome) {
        let changed = self.bench.changed_git_files();
        let by_agent = proposal.change == Change::Agent;
        let was_free = self.bench.sandbox == Sandbox::Off
            || by_agent && self.bench.agent_sandbox == Sandbox::Off;
        if changed.is_empty() || !was_free {
            return;
        }
        let names = changed.join(", ");
        self.console.warn(&format!(
            "while this candidate was made and measured somebody changed {names} in {}: look at it before you use git there",
            self.opened.repo.common_dir().display()
        ));
        outcome.result.reason = Reason::Tampered;
        outcome.result.detail = format!("{names} of the repository changed");
    }

    /// What becomes of a draft.
    fn outcome_of(&mut self, draft: &Draft, run: u64, seed: u64) -> Result<Outcome> {
        let parent = commit_id(self.opened.state.head())?;
        let tree = match &draft.tree {
            Ok(tree) => *tree,
            Err((reason, detail)) => return Ok(Outcome::unmeasured(*reason, detail.clone())),
        };
        let is_placebo = draft.proposal.change == Change::Nothing;
        if tree == self.opened.repo.tree_id(parent)? && !is_placebo {
            return Ok(Outcome::unmeasured(
                Reason::NoChange,
                "the proposal changes nothing",
            ));
        }
        let candidate = self
            .opened
            .repo
            .commit(parent, tree, &draft.proposal.description)?;
        fault::reached("candidate-committed");
        let reference = ref_name(&self.opened.state.opened.session, run);
        self.opened
            .repo
            .set_ref(&reference, candidate, "autoresearch: candidate")?;
        fault::reached("candidate-named");
        let with_commit = |mut outcome: Outcome| {
            outcome.candidate = Some(candidate);
            outcome.tree = Some(tree);
            outcome
        };
        let earlier = self.opened.state.trees.get(&tree.to_string());
        if let Some(earlier) = earlier.filter(|_| !draft.again) {
            let detail = format!("run {earlier} judged the same tree; its verdict stands");
            return Ok(with_commit(Outcome::unmeasured(Reason::Repeat, detail)));
        }
        let violations = self
            .scope
            .violations(&self.opened.repo.changes(parent, candidate)?);
        if !violations.is_empty() {
            let detail = violations.join("; ");
            return Ok(with_commit(Outcome::unmeasured(Reason::Drift, detail)));
        }
        let setup = self
            .opened
            .state
            .trial_setup()
            .ok_or_else(|| Error::environment("the session has no calibration"))?;
        let sides = Sides {
            parent,
            candidate,
            is_placebo,
        };
        let judged = judge(&mut self.bench, &mut self.console, sides, setup, seed);
        let (mut result, gate) = match judged {
            Ok(judged) => judged,
            Err(error) => {
                let outcome = self.blamed(error, run, tree)?;
                return Ok(with_commit(outcome));
            }
        };
        if is_placebo && result.reason == Reason::Improved {
            result.reason = Reason::PlaceboPassed;
        }
        let mut outcome = Outcome::unmeasured(result.reason, "");
        outcome.result = result;
        outcome.gate = gate;
        Ok(with_commit(outcome))
    }

    /// What becomes of a candidate whose judgement ended with an error: that error, unless it is the same
    /// candidate each time.
    fn blamed(&self, error: Error, run: u64, tree: Oid) -> Result<Outcome> {
        if error.kind() == Kind::Interrupted || error.is_disk_full() {
            return Err(error);
        }
        let times = Attempts::beside(self.bench.slots.directory()).failed(run, tree);
        if times < ATTEMPTS_MAX {
            return Err(error);
        }
        let detail = format!(
            "it has ended the loop {times} times, now with: {}",
            error.chain()
        );
        Ok(Outcome::unmeasured(Reason::RunFailed, detail))
    }

    /// Gives the kept commit its final message; its ref follows.
    fn name_kept_commit(&self, run: u64, proposal: &Proposal, outcome: &mut Outcome) -> Result<()> {
        let Some(candidate) = outcome.candidate else {
            return Ok(());
        };
        let message = kept_message(&self.opened.state, run, proposal, outcome);
        let commit = self.opened.repo.reword(candidate, &message)?;
        fault::reached("kept-commit-written");
        outcome.candidate = Some(commit);
        Ok(())
    }

    /// Makes the line durable, then moves ref and branch: a kill in between is healed from the line.
    fn record(&mut self, line: RunLine) -> Result<RunLine> {
        self.opened
            .ledger
            .append(&Line::Run(Box::new(line.clone())))?;
        fault::reached("run-recorded");
        self.next_run += 1;
        self.opened.state.ran(&line).map_err(impossible)?;
        let kept = line.status == Status::Keep;
        if kept {
            move_branch(&self.opened.repo, &self.opened.state)?;
        }
        self.console
            .verdict(line.run, kept, &super::verdict_text::one_line(&line));
        self.opened.last_run = Some(Box::new(line.clone()));
        Ok(line)
    }

    /// Measures start against head, when something was kept since the last such measurement.
    ///
    /// # Errors
    /// A commit does not build or run, or the user wants to stop.
    pub fn claim_if_due(&mut self) -> Result<()> {
        let state = &self.opened.state;
        let is_measured = state
            .claim
            .as_ref()
            .is_some_and(|claim| claim.head == state.head());
        if state.kept.is_empty() || is_measured {
            return Ok(());
        }
        self.console.iteration(0);
        let (start, head) = (commit_id(&state.opened.start)?, commit_id(state.head())?);
        let line = end_to_end::claim(&mut self.bench, &mut self.console, state, start, head)?;
        fault::reached("claim-measured");
        self.opened
            .ledger
            .append(&Line::Claim(Box::new(line.clone())))?;
        fault::reached("claim-recorded");
        if line.steps_do_not_add_up {
            self.console.warn(
                "steps do not add up: start to head, measured afresh, is not what the kept commits claim together",
            );
        }
        self.opened.state.claim = Some(line);
        Ok(())
    }
}

/// A commit id from the ledger.
///
/// # Errors
/// It is none.
pub fn commit_id(text: &str) -> Result<Oid> {
    Oid::from_str(text)
        .map_err(|error| Error::usage(format!("{text:?} is no commit id")).because(error))
}
