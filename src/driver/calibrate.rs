//! A/A calibration and the baseline's gate.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::Oid;

use super::bench::Bench;
use super::judge::{Measured, build_incumbent, measure_pair, unchanged_code_fails};
use super::project::CHECKS_FILE;
use crate::edge::clock;
use crate::edge::console::Console;
use crate::edge::slots::SlotName;
use crate::error::{Error, Result};
use crate::flow::coins::Coins;
use crate::flow::config_parts::MetricSpec;
use crate::flow::decision::exact::ExactRule;
use crate::flow::decision::{Calibration, PairPolicy, Params, repeats_needed, run_deadline_s};
use crate::flow::driver_metrics::DRIVER_INSTRUCTIONS;
use crate::flow::measure::Judged;
use crate::flow::metric::median;
use crate::flow::noise;
use crate::flow::record::{
    CalibrationLine, CalibrationTag, Environment, FORMAT_VERSION, Pair, Phase,
};
use crate::flow::session::judged;
use crate::flow::trial::PairPlan;

/// Builds the commit in slot 0 and runs the gate on it: a gate that fails on unchanged code would
/// fail every candidate.
///
/// # Errors
/// It does not build, or the gate fails.
pub fn baseline(bench: &mut Bench, console: &mut Console, commit: Oid) -> Result<()> {
    console.phase("building the baseline");
    build_incumbent(bench, SlotName::Zero, commit)?;
    console.phase("checking the baseline");
    match bench.gate(SlotName::Zero, commit, commit)? {
        Some(checked) if !checked.passed => Err(Error::environment(format!(
            "{CHECKS_FILE} {} on the unchanged code",
            checked.ended
        ))
        .hint(format!(
            "no candidate could pass it; the end of its output:\n{}{}",
            checked.tail,
            bench.sandbox.hint()
        ))),
        Some(_) | None => bench.slots.keep_clean_cache(SlotName::Zero),
    }
}

/// When and where a calibration takes place.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The session it is for.
    pub session: String,
    /// The machine.
    pub environment: Environment,
    /// Its one-minute load average.
    pub load: f64,
}

/// Measures the same commit in both slots.
///
/// # Errors
/// The commit does not build or run, the values cannot be judged, or the user wants to stop.
pub fn calibrate(
    bench: &mut Bench,
    console: &mut Console,
    setting: Setting,
    commit: Oid,
    params: &Params,
) -> Result<CalibrationLine> {
    console.phase("building for calibration");
    build_twice(bench, commit)?;

    let seed = clock::fresh_seed();
    let mut coins = Coins::new(seed);
    let mut policy = PairPolicy::new();
    let mut pairs = vec![warm_up(bench, console, &mut policy, &mut coins)?];
    for done in 0..params.calibration_pairs {
        console.phase("calibrating");
        console.pairs(done, params.calibration_pairs);
        pairs.push(aa_pair(bench, &mut policy, Phase::Calibrate, &mut coins)?);
    }
    let (primary, guards) = judged(&bench.pinned.config);
    let run_wall_ms = median_wall_ms(&pairs);
    let line = CalibrationLine {
        kind: CalibrationTag::Calibration,
        format: FORMAT_VERSION,
        session: setting.session,
        timestamp: clock::now_ms(),
        commit: commit.to_string(),
        seed,
        repeats: bench.repeats,
        run_wall_ms,
        primary: analyse_primary(&bench.pinned.config.metric, &primary, &pairs, params)?,
        guards: guards
            .iter()
            .map(|(metric, _)| Ok((metric.name.clone(), analyse(metric, &pairs, params)?)))
            .collect::<Result<BTreeMap<_, _>>>()?,
        load: setting.load,
        environment: setting.environment,
        pairs,
    };
    adopt(bench, &line);
    Ok(line)
}

/// Finds out how often a short script is repeated in one run, and how long it may take.
///
/// # Errors
/// The commit does not build or run, or the user wants to stop.
pub fn size_runs(bench: &mut Bench, console: &mut Console, commit: Oid) -> Result<()> {
    console.phase("building");
    build_twice(bench, commit)?;
    warm_up(bench, console, &mut PairPolicy::new(), &mut Coins::new(0)).map(drop)
}

/// Builds the same commit in both slots; in the second only what depends on its path.
fn build_twice(bench: &mut Bench, commit: Oid) -> Result<()> {
    build_incumbent(bench, SlotName::Zero, commit)?;
    if !bench.slots.has_clean_cache() {
        bench.slots.keep_clean_cache(SlotName::Zero)?;
    }
    build_incumbent(bench, SlotName::One, commit)
}

/// Sets repeats and deadline as a calibration found them.
pub fn adopt(bench: &mut Bench, line: &CalibrationLine) {
    bench.repeats = line.repeats;
    let one_execution_s = line.run_wall_ms / 1e3 / f64::from(line.repeats);
    let limit_s = bench.pinned.config.timeouts.benchmark_s;
    bench.deadline = Duration::from_secs_f64(run_deadline_s(one_execution_s).min(limit_s));
}

/// The discarded first pair; it also says how often a short script must be repeated in one run.
fn warm_up(
    bench: &mut Bench,
    console: &mut Console,
    policy: &mut PairPolicy,
    coins: &mut Coins,
) -> Result<Pair> {
    console.phase("warming up");
    bench.repeats = 1;
    bench.deadline = Duration::from_secs_f64(bench.pinned.config.timeouts.benchmark_s);
    // The first may build and fill caches; the second shows how long a run takes.
    aa_pair(bench, policy, Phase::WarmUp, coins)?;
    let pair = aa_pair(bench, policy, Phase::WarmUp, coins)?;
    let wall_s = median_wall_ms(std::slice::from_ref(&pair)) / 1e3;
    let wanted_s = bench.pinned.config.min_run_ms / 1e3;
    bench.repeats = repeats_needed(wall_s.max(1e-6), wanted_s);
    Ok(pair)
}

/// One pair of the same commit: `parent` is slot 0, `candidate` slot 1.
fn aa_pair(
    bench: &mut Bench,
    policy: &mut PairPolicy,
    phase: Phase,
    coins: &mut Coins,
) -> Result<Pair> {
    known_good_pair(bench, policy, phase, 1, coins).and_then(same_output)
}

/// A pair of commits that are known to work: a failure is the environment's.
pub(super) fn known_good_pair(
    bench: &mut Bench,
    policy: &mut PairPolicy,
    phase: Phase,
    slot: u8,
    coins: &mut Coins,
) -> Result<Pair> {
    let holds_out = phase == Phase::EndToEnd && bench.pinned.config.hold_out_env.is_some();
    loop {
        let plan = PairPlan {
            phase,
            slot,
            candidate_first: coins.flip(),
            hold_out: holds_out.then(|| coins.number()),
        };
        match measure_pair(bench, policy, plan)? {
            Measured::Pair(pair) => return Ok(pair),
            Measured::Again => {}
            Measured::CandidateFailed(reason, detail) => {
                return Err(unchanged_code_fails(bench.sandbox, reason, &detail));
            }
        }
    }
}

/// The pair of one commit, unless its sides computed different things.
fn same_output(pair: Pair) -> Result<Pair> {
    let check = pair.digests.as_ref();
    match check.and_then(|check| check.difference(["slot 0", "slot 1"])) {
        None => Ok(pair),
        Some(difference) => Err(Error::environment(
            "two worktrees of the same commit compute different things",
        )
        .hint(format!(
            "a DIGEST must depend on nothing but the code: no times, paths, or random numbers; {difference}"
        ))),
    }
}

/// The pair of two commits, unless they computed different things.
///
/// # Errors
/// They did; of the kind [`Kind::Differs`](crate::error::Kind::Differs).
pub(super) fn same_output_of_two(pair: Pair) -> Result<Pair> {
    let check = pair.digests.as_ref();
    let Some(difference) = check.and_then(|check| check.difference(["parent", "candidate"])) else {
        return Ok(pair);
    };
    let inputs = pair.hold_out.map_or(String::new(), |seed| {
        format!(" with the hold-out seed {seed}")
    });
    Err(Error::differs(format!(
        "the two commits compute different things{inputs}: {difference}"
    ))
    .hint("one of them is wrong, and what is wrong has no speed"))
}

fn median_wall_ms(pairs: &[Pair]) -> f64 {
    let walls: Vec<f64> = pairs
        .iter()
        .flat_map(|pair| [&pair.parent, &pair.candidate])
        .filter_map(|side| side.get(crate::flow::config_parts::DRIVER_WALL).copied())
        .collect();
    median(&walls)
}

/// The primary metric's figures, with the smallest gain that is kept of it when it is exact.
fn analyse_primary(
    spec: &MetricSpec,
    metric: &Judged,
    pairs: &[Pair],
    params: &Params,
) -> Result<Calibration> {
    let mut figures = analyse(metric, pairs, params)?;
    figures.exact = figures
        .exact
        .map(|rule| match spec.min_delta {
            Some(min_delta) => rule.with_min_delta(min_delta, figures.median),
            None => Ok(rule),
        })
        .transpose()
        .map_err(|error| Error::environment("cannot calibrate").because(error))?;
    Ok(figures)
}

fn analyse(metric: &Judged, pairs: &[Pair], params: &Params) -> Result<Calibration> {
    let mut figures = noise::figures(metric, pairs, params).map_err(|error| {
        Error::environment(format!("cannot calibrate {}", metric.name)).because(error)
    })?;
    if metric.name == DRIVER_INSTRUCTIONS {
        // That they were all equal was luck: layout and hash seeds move them by some 1e-8.
        figures.exact = figures.exact.map(ExactRule::jittering);
    }
    Ok(figures)
}
