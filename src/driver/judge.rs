//! Judging one candidate: takes the needs of a [`Trial`] to the bench and the answers back.

use git2::Oid;

use super::bench::{Bench, Checked};
use super::project::CHECKS_FILE;
use super::run::{Run, RunPlan};
use crate::edge::artifacts::artifact_hash;
use crate::edge::console::Console;
use crate::edge::fault;
use crate::edge::sandbox::Sandbox;
use crate::edge::slots::SlotName;
use crate::error::{Error, Kind, Result};
use crate::flow::decision::{PairOutcome, PairPolicy};
use crate::flow::digest;
use crate::flow::record::{GateOutcome, GateResult, Pair, Phase, Reason};
use crate::flow::trial::{GateVerdict, Need, PairPlan, Trial, TrialResult, TrialSetup};

/// The two commits of a judgement.
#[derive(Debug, Clone, Copy)]
pub struct Sides {
    /// The incumbent.
    pub parent: Oid,
    /// The candidate.
    pub candidate: Oid,
    /// Whether both are the same code: then nothing built needs to differ.
    pub is_placebo: bool,
}

/// One measured pair, or what kept it from being measured.
#[derive(Debug)]
pub enum Measured {
    /// Both runs gave every metric.
    Pair(Pair),
    /// A run failed; the pair is to be run anew, in an order of its own.
    Again,
    /// The candidate failed twice.
    CandidateFailed(Reason, String),
}

/// Judges a candidate to the end.
///
/// # Errors
/// The environment fails (the incumbent does not build or run), or the user wants to stop.
pub fn judge(
    bench: &mut Bench,
    console: &mut Console,
    sides: Sides,
    setup: TrialSetup,
    seed: u64,
) -> Result<(TrialResult, GateResult)> {
    let mut trial = Trial::new(setup, seed);
    let mut gate = no_gate();
    let mut policy = PairPolicy::new();
    console.phase("building");
    prepare_both(bench, &mut trial, sides)?;
    fault::reached("sides-built");
    if trial.is_open() && !sides.is_placebo {
        compare_artifacts(bench, &mut trial)?;
    }
    let limit_s = bench
        .pinned
        .config
        .timeouts
        .candidate_s
        .unwrap_or(f64::INFINITY);
    // How long the last screening pair took; 0 before the first.
    let mut pair_s = 0.0;
    loop {
        bench.interrupts.check()?;
        match trial.next_need() {
            Need::Done => return Ok((trial.finish(), gate)),
            Need::SwapSlots => {
                console.phase("building in swapped slots");
                trial.swapped();
                bench.renew()?;
                prepare_both(bench, &mut trial, sides)?;
                fault::reached("slots-swapped");
            }
            Need::Gate => {
                console.phase("checking");
                gate = run_gate(bench, console, &mut trial, sides)?;
                fault::reached("gate-run");
            }
            // A pair that would not be done in time is not begun; one is measured in any case.
            Need::Pair(plan)
                if plan.phase == Phase::Screen
                    && pair_s > 0.0
                    && bench.spent.measure_s + pair_s > limit_s =>
            {
                trial.end(
                    Reason::Inconclusive,
                    format!("within {limit_s} s of benchmark time, the limit"),
                );
            }
            Need::Pair(plan) => {
                let before_s = bench.spent.measure_s;
                let (done, most) = trial.progress();
                console.phase(phase_name(plan.phase));
                console.pairs(done, most);
                match measure_pair(bench, &mut policy, plan)? {
                    Measured::Again => {}
                    Measured::Pair(pair) => {
                        trial.pair(pair).map_err(impossible)?;
                        fault::reached("pair-measured");
                    }
                    Measured::CandidateFailed(reason, detail) => trial.end(reason, detail),
                }
                if plan.phase == Phase::Screen {
                    pair_s = bench.spent.measure_s - before_s;
                }
            }
        }
    }
}

/// The error for values that passed every check and still cannot be judged.
pub fn impossible(error: crate::flow::decision::DecisionError) -> Error {
    Error::environment("a measured value cannot be judged").because(error)
}

/// The gate's part of a record when it did not run.
pub fn no_gate() -> GateResult {
    GateResult {
        outcome: GateOutcome::NotRun,
        duration_s: 0.0,
        output_tail: String::new(),
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::WarmUp => "warming up",
        Phase::Calibrate => "calibrating",
        Phase::Screen => "screening",
        Phase::Confirm => "confirming",
        Phase::Guard => "measuring guards",
        Phase::EndToEnd => "measuring end to end",
    }
}

/// Builds the parent in one slot and the candidate in the other, slot 0 first: who is built first
/// is then as random as the slots are, and changes when they are swapped.
fn prepare_both(bench: &mut Bench, trial: &mut Trial, sides: Sides) -> Result<()> {
    for number in [0, 1] {
        let slot = SlotName::numbered(number);
        if number != trial.slot() {
            build_incumbent(bench, slot, sides.parent)?;
            continue;
        }
        let built = bench.prepare(slot, sides.candidate)?;
        if !built.passed {
            let detail = format!("the build {}\n{}", built.ended, built.tail);
            trial.end(Reason::BuildFailed, detail);
            return Ok(());
        }
    }
    Ok(())
}

/// Builds a commit that is known to be good.
///
/// # Errors
/// It does not build: the environment is at fault.
pub fn build_incumbent(bench: &mut Bench, slot: SlotName, commit: Oid) -> Result<()> {
    let built = bench.prepare(slot, commit)?;
    if built.passed {
        bench.is_incumbent(slot);
        return Ok(());
    }
    Err(Error::environment(format!(
        "commit {commit:.10} does not build: the command {}",
        built.ended
    ))
    .hint(format!(
        "the end of its output:\n{}{}",
        built.tail,
        bench.sandbox.hint()
    )))
}

/// Ends the trial when the config names artifacts and they are the same in both slots, or when the
/// candidate's cannot be read.
fn compare_artifacts(bench: &Bench, trial: &mut Trial) -> Result<()> {
    let globs = &bench.pinned.config.artifacts;
    if globs.is_empty() {
        return Ok(());
    }
    let hash = |slot| {
        let slot = bench.slots.path(SlotName::numbered(slot));
        artifact_hash(&slot, globs, &bench.interrupts)
    };
    let parents = hash(1 - trial.slot())?;
    match hash(trial.slot()) {
        Ok(own) if own.is_some() && own == parents => {
            trial.end(Reason::NoChange, "what is built is the same to the byte");
        }
        Ok(_) => {}
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => trial.end(Reason::BuildFailed, error.chain()),
    }
    Ok(())
}

/// Runs both sides back to back, once. A failed run throws the whole pair away; `policy`, one for
/// all pairs of a judgement, decides what follows.
///
/// # Errors
/// The parent fails repeatedly, or the user wants to stop.
pub fn measure_pair(
    bench: &mut Bench,
    policy: &mut PairPolicy,
    plan: PairPlan,
) -> Result<Measured> {
    let _machine = bench.machine_lock()?;
    let candidate_slot = SlotName::numbered(plan.slot);
    let parent_slot = SlotName::numbered(1 - plan.slot);
    let run_plan = RunPlan {
        full_deadline: plan.phase == Phase::WarmUp,
        hold_out: plan.hold_out,
    };
    let mut order = [parent_slot, candidate_slot];
    if plan.candidate_first {
        order.reverse();
    }
    let mut runs = Vec::new();
    for slot in order {
        if let Some(problem) = bench.tampered(slot)? {
            return Ok(Measured::CandidateFailed(Reason::Tampered, problem));
        }
        let run = bench.run(slot, run_plan)?;
        if let (Run::Failed(reason, detail), true) = (&run, bench.slots.is_gone(slot)) {
            // The disk was full and, with the slots gone, is not any more. Only the candidate is new.
            let who = if slot == candidate_slot {
                ""
            } else {
                "beside its parent, whose "
            };
            return Ok(Measured::CandidateFailed(*reason, format!("{who}{detail}")));
        }
        runs.push(run);
    }
    if plan.candidate_first {
        runs.reverse();
    }
    let [parent, candidate] = <[Run; 2]>::try_from(runs).expect("one run for each slot");
    let candidate = as_often(&parent, candidate);
    let ok = |run: &Run| matches!(run, Run::Measured(_));
    match (
        policy.on_attempt(ok(&parent), ok(&candidate)),
        parent,
        candidate,
    ) {
        (PairOutcome::Accept, Run::Measured(parent), Run::Measured(candidate)) => {
            Ok(Measured::Pair(Pair {
                phase: plan.phase,
                slot: plan.slot,
                candidate_first: plan.candidate_first,
                digests: digest::compare(&parent.digests, &candidate.digests),
                hold_out: plan.hold_out,
                parent: parent.metrics,
                candidate: candidate.metrics,
            }))
        }
        (PairOutcome::CandidateCrash, _, Run::Failed(reason, detail)) => {
            Ok(Measured::CandidateFailed(reason, detail))
        }
        (PairOutcome::EnvironmentPause, Run::Failed(reason, detail), _) => {
            Err(unchanged_code_fails(bench.sandbox, reason, &detail))
        }
        (PairOutcome::Redo, ..) => Ok(Measured::Again),
        (PairOutcome::Accept | PairOutcome::CandidateCrash | PairOutcome::EnvironmentPause, ..) => {
            unreachable!("the policy speaks of runs that went the other way")
        }
    }
}

/// The candidate's run, unless it printed a metric several times that the parent, with the same script,
/// printed once: its own code printed the others.
fn as_often(parent: &Run, candidate: Run) -> Run {
    let (Run::Measured(theirs), Run::Measured(ours)) = (parent, &candidate) else {
        return candidate;
    };
    match ours.repeated.difference(&theirs.repeated).next() {
        None => candidate,
        Some(name) => Run::Failed(
            Reason::BadMetric,
            format!("it prints {name} several times in a run, and its parent once"),
        ),
    }
}

/// How a benchmark gives its values.
const BAD_METRIC_HINT: &str = "autoresearch.sh must print a line `METRIC name=number` for each metric \
    of the config, from the first column; what can be zero needs `\"allow_zero\": true`";

/// The error for a benchmark that fails where it must not.
pub fn unchanged_code_fails(sandbox: Sandbox, reason: Reason, detail: &str) -> Error {
    let error = Error::environment(format!(
        "the benchmark of the unchanged code fails ({})",
        reason.describe()
    ));
    // What it printed or used was read, and is not enough: the detail says why.
    if reason == Reason::BadMetric {
        return error.because(detail).hint(BAD_METRIC_HINT);
    }
    let advice = match reason {
        Reason::Timeout => "raise `timeouts.benchmark_s`, or let it do less",
        _ => "run it by hand: `bash autoresearch.sh`",
    };
    error.hint(format!(
        "{advice}; what it said:\n{detail}{}",
        sandbox.hint()
    ))
}

/// What a gate in slots made anew said of a commit.
#[derive(Debug)]
pub enum Gated {
    /// The project has no gate.
    NoGate,
    /// The commit does not build any more.
    NotBuilt(Checked),
    /// It ran to an end.
    Ran(Checked),
}

/// Runs the gate on a commit that was measured. What its runs left could be taken for the gate's own,
/// already built, so all that goes first. What the build makes is the gate's to check.
///
/// # Errors
/// The slot cannot be made anew, the gate not be started, or the user wants to stop.
pub fn gate_anew(bench: &mut Bench, slot: SlotName, base: Oid, commit: Oid) -> Result<Gated> {
    if !bench.has_gate() {
        return Ok(Gated::NoGate);
    }
    bench.renew()?;
    let built = bench.prepare(slot, commit)?;
    if !built.passed {
        return Ok(Gated::NotBuilt(built));
    }
    let checked = bench.gate(slot, base, commit)?;
    Ok(checked.map_or(Gated::NoGate, Gated::Ran))
}

/// Runs the gate on the candidate and, when it fails, once on the incumbent.
fn run_gate(
    bench: &mut Bench,
    console: &mut Console,
    trial: &mut Trial,
    sides: Sides,
) -> Result<GateResult> {
    let candidate_slot = SlotName::numbered(trial.slot());
    let checked = match gate_anew(bench, candidate_slot, sides.parent, sides.candidate)? {
        Gated::NoGate => {
            trial.gate(GateVerdict::Pass);
            return Ok(no_gate());
        }
        Gated::NotBuilt(built) => {
            let detail = format!("the build {}\n{}", built.ended, built.tail);
            trial.end(Reason::BuildFailed, detail);
            return Ok(no_gate());
        }
        Gated::Ran(checked) => checked,
    };
    if checked.passed {
        trial.gate(GateVerdict::Pass);
        return Ok(gate_result(GateOutcome::Pass, checked));
    }
    console.say(&format!(
        "{CHECKS_FILE} {}; running it on the incumbent",
        checked.ended
    ));
    let parent_slot = SlotName::numbered(1 - trial.slot());
    build_incumbent(bench, parent_slot, sides.parent)?;
    let again = bench.gate(parent_slot, sides.parent, sides.parent)?;
    let flaky = again.is_some_and(|again| !again.passed);
    let (verdict, outcome) = if flaky {
        (GateVerdict::Flaky, GateOutcome::Flaky)
    } else {
        (GateVerdict::Fail, GateOutcome::Fail)
    };
    trial.gate(verdict);
    Ok(gate_result(outcome, checked))
}

fn gate_result(outcome: GateOutcome, checked: Checked) -> GateResult {
    GateResult {
        outcome,
        duration_s: checked.duration_s,
        output_tail: checked.tail,
    }
}
