//! Two commits measured against each other in fresh pairs, and the claim for a whole session.

use std::time::Instant;

use git2::Oid;

use super::bench::Bench;
use super::calibrate::{known_good_pair, same_output_of_two};
use super::judge::build_incumbent;
use crate::edge::clock;
use crate::edge::console::Console;
use crate::edge::slots::SlotName;
use crate::error::{Error, Result};
use crate::flow::coins::Coins;
use crate::flow::decision::{EndToEnd, Estimate, PairPolicy, end_to_end_swapped};
use crate::flow::driver_metrics::{DRIVER_WALL, DRIVER_WALL_ADJ};
use crate::flow::measure::Judged;
use crate::flow::record::{ClaimLine, ClaimTag, FORMAT_VERSION, Gain, Pair, Phase};
use crate::flow::reproduction::affordable_pairs;
use crate::flow::session::{SessionState, judged};

/// How much a measurement may cost.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Pairs wanted.
    pub pairs: usize,
    /// When it should be over: fewer pairs are then measured, never fewer than an interval needs.
    pub until: Option<Instant>,
}

impl Budget {
    /// So many pairs, however long they take.
    pub fn pairs(pairs: usize) -> Self {
        Self { pairs, until: None }
    }
}

/// Measures a session's start against its head: the only source of a claim for the whole.
///
/// # Errors
/// A commit does not build or run, or the user wants to stop.
pub fn claim(
    bench: &mut Bench,
    console: &mut Console,
    state: &SessionState,
    start: Oid,
    head: Oid,
) -> Result<ClaimLine> {
    let params = state.claim_params();
    let seed = clock::fresh_seed();
    let budget = Budget::pairs(params.end_to_end_pairs);
    let pairs = end_to_end(bench, console, (start, head), budget, seed)?;
    let (primary, _) = judged(&state.opened.config);
    let fresh = gains(&primary, &pairs)?;
    let steps: Vec<Estimate> = state
        .kept
        .iter()
        .filter_map(|kept| kept.estimate)
        .map(|gain| Estimate {
            value: gain.log,
            lo: gain.lo,
            hi: gain.hi,
            pairs: gain.pairs as usize,
        })
        .collect();
    let outcome = EndToEnd::judge(&fresh, &steps, &params).map_err(|error| {
        Error::environment("cannot judge the end-to-end measurement").because(error)
    })?;
    Ok(ClaimLine {
        kind: ClaimTag::Claim,
        format: FORMAT_VERSION,
        session: state.opened.session.clone(),
        timestamp: clock::now_ms(),
        start: start.to_string(),
        head: head.to_string(),
        kept: u32::try_from(state.kept.len()).unwrap_or(u32::MAX),
        estimate: primary.gain_record(&outcome.estimate),
        wall: wall_gain(&primary, &pairs),
        wall_adj: clock_gain(DRIVER_WALL_ADJ, &primary, &pairs),
        sum_of_steps_log: outcome.steps.value,
        steps_do_not_add_up: outcome.disagrees,
        seed,
        pairs,
    })
}

/// Wall time beside the metric, unless it is the metric.
pub fn wall_gain(primary: &Judged, pairs: &[Pair]) -> Option<Gain> {
    clock_gain(DRIVER_WALL, primary, pairs)
}

/// One of the driver's clocks beside the metric; `None` when it is the metric, or was not valid in
/// every run.
pub fn clock_gain(clock: &str, primary: &Judged, pairs: &[Pair]) -> Option<Gain> {
    if primary.name == clock {
        return None;
    }
    let clock = Judged::time(clock);
    let gains = gains(&clock, pairs).ok()?;
    Some(clock.gain_record(&Estimate::from_pairs(&gains)))
}

/// Log gains of the pairs that count.
///
/// # Errors
/// A value cannot be judged.
pub fn gains(metric: &Judged, pairs: &[Pair]) -> Result<Vec<f64>> {
    pairs
        .iter()
        .filter(|pair| pair.phase != Phase::WarmUp)
        .map(|pair| metric.gain(pair))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::environment(format!("cannot judge {}", metric.name)).because(error))
}

/// Fresh pairs of a parent and a candidate, random slots, swapped half way; warm-ups before each half.
///
/// # Errors
/// A commit does not build or run, the two compute different things, or the user wants to stop.
pub fn end_to_end(
    bench: &mut Bench,
    console: &mut Console,
    (parent, candidate): (Oid, Oid),
    budget: Budget,
    seed: u64,
) -> Result<Vec<Pair>> {
    let mut coins = Coins::new(seed);
    let first_slot = u8::from(coins.flip());
    let mut policy = PairPolicy::new();
    let mut pairs = Vec::new();
    let mut prepared = None;
    let mut prepare_s = 0.0;
    let (mut index, mut count) = (0, budget.pairs);
    while index < count {
        let slot = if end_to_end_swapped(index, count) {
            1 - first_slot
        } else {
            first_slot
        };
        if prepared != Some(slot) {
            let started = Instant::now();
            console.phase("building end to end");
            bench.renew()?;
            build_incumbent(bench, SlotName::numbered(1 - slot), parent)?;
            if !bench.slots.has_clean_cache() {
                bench.slots.keep_clean_cache(SlotName::numbered(1 - slot))?;
            }
            build_incumbent(bench, SlotName::numbered(slot), candidate)?;
            let warm_up = known_good_pair(bench, &mut policy, Phase::WarmUp, slot, &mut coins)
                .and_then(same_output_of_two)?;
            pairs.push(warm_up);
            prepared = Some(slot);
            prepare_s = started.elapsed().as_secs_f64();
        }
        console.phase("measuring end to end");
        console.pairs(index, count);
        let started = Instant::now();
        let pair = known_good_pair(bench, &mut policy, Phase::EndToEnd, slot, &mut coins)
            .and_then(same_output_of_two)?;
        pairs.push(pair);
        // The first pair says what the others cost; later the half way mark must not move.
        if let (0, Some(until)) = (index, budget.until) {
            let pair_s = started.elapsed().as_secs_f64();
            let left_s = until
                .saturating_duration_since(Instant::now())
                .as_secs_f64();
            count = affordable_pairs(count, left_s, pair_s, prepare_s);
        }
        index += 1;
    }
    Ok(pairs)
}
