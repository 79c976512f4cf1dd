//! What an A/A calibration means for the gains that are wanted: whether they will be found, in how
//! many pairs, and what helps when they will not.

use serde::Serialize;

use super::coins::Coins;
use super::decision::{
    AaPair, Calibration, DecisionError, Params, Screen, ScreenStep, adjusted_metric_advised,
};
use super::driver_metrics::{DRIVER_WALL, DRIVER_WALL_ADJ};
use super::measure::Judged;
use super::record::{CalibrationLine, Pair, Phase};

/// Part of the gains of one size that a benchmark which resolves them finds.
pub const POWER_WANTED: f64 = 0.9;

/// Simulated candidates for one figure: a standard error of at most 2.5 points.
const CANDIDATES: u32 = 400;

/// Most executions in one run that are advised; beyond, the noise rarely averages out any further.
const REPEATS_MAX: u32 = 64;

/// What a calibration says about resolving a gain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The smallest gain wanted, log units.
    pub wanted: f64,
    /// Part of candidates with that gain that the screening finds, 0 to 1.
    pub power: f64,
    /// Pairs within which nine of ten of those found are found.
    pub pairs: Option<usize>,
    /// The smallest gain of which [`POWER_WANTED`] is found, log units; `None` above a factor of ten.
    pub resolvable: Option<f64>,
    /// Pairs within which nine of ten of those are found.
    pub resolvable_pairs: Option<usize>,
    /// How many times as long a run has to be to resolve the wanted gain, if the noise of longer runs
    /// falls with the square root of their length; `None` when 64 times is not enough.
    pub run_length_factor: Option<u32>,
    /// Pair noise of wall time, log units.
    pub wall_noise: f64,
    /// Pair noise of wall time minus run-queue delay; `None` when a run had none.
    pub wall_adjusted_noise: Option<f64>,
    /// Whether the latter should be the metric, with wall time as its guard.
    pub take_wall_adjusted: bool,
}

impl Advice {
    /// Whether the benchmark resolves the wanted gain.
    pub fn resolves(&self) -> bool {
        self.power >= POWER_WANTED
    }
}

/// A metric's figures from A/A pairs, in which `parent` ran in slot 0.
///
/// # Errors
/// A value is missing or cannot be judged, or there are too few pairs.
pub fn figures(
    metric: &Judged,
    pairs: &[Pair],
    params: &Params,
) -> Result<Calibration, DecisionError> {
    let pairs = pairs
        .iter()
        .filter(|pair| pair.phase == Phase::Calibrate)
        .map(|pair| {
            let (slot0, slot1) = metric.values(pair)?;
            Ok(AaPair {
                slot0: metric.positive(slot0),
                slot1: metric.positive(slot1),
                slot0_first: !pair.candidate_first,
            })
        })
        .collect::<Result<Vec<_>, DecisionError>>()?;
    Calibration::from_pairs(&pairs, params)
}

/// The advice; `None` for an exact metric, which needs none. `metric_is_time` says whether the primary
/// metric is a time, for which wall time minus run-queue delay can stand.
///
/// Power is simulated with the decision rule itself: the measured A/A differences, drawn at random
/// with random signs, plus the gain. So it has the tails that the benchmark has.
///
/// # Errors
/// The pairs hold impossible values.
pub fn advise(
    line: &CalibrationLine,
    metric_is_time: bool,
    params: &Params,
    coins: &mut Coins,
) -> Result<Option<Advice>, DecisionError> {
    let primary = &line.primary;
    if primary.exact.is_some() {
        return Ok(None);
    }
    let wall = figures(&Judged::time(DRIVER_WALL), &line.pairs, params)?;
    let adjusted = figures(&Judged::time(DRIVER_WALL_ADJ), &line.pairs, params).ok();
    let wanted = params.min_effect;
    let (power, pairs) = screened(&primary.d, wanted, params, coins);
    let mut advice = Advice {
        wanted,
        power,
        pairs,
        resolvable: Some(wanted),
        resolvable_pairs: pairs,
        run_length_factor: Some(1),
        wall_noise: wall.s0,
        wall_adjusted_noise: adjusted.as_ref().map(|adjusted| adjusted.s0),
        take_wall_adjusted: metric_is_time
            && adjusted.is_some_and(|adjusted| {
                adjusted_metric_advised(&wall, &adjusted, true) && adjusted.s0 < primary.s0 / 2.0
            }),
    };
    if !advice.resolves() {
        (advice.resolvable, advice.resolvable_pairs) =
            smallest_found(&primary.d, wanted, params, coins);
        advice.run_length_factor = std::iter::successors(Some(2), |factor| Some(factor * 2))
            .take_while(|factor| *factor <= REPEATS_MAX)
            .find(|factor| {
                let shrink = f64::from(*factor).sqrt();
                let longer: Vec<f64> = primary.d.iter().map(|d| d / shrink).collect();
                screened(&longer, wanted, params, coins).0 >= POWER_WANTED
            });
    }
    Ok(Some(advice))
}

/// The smallest gain, in steps of 1.25, of which enough is found, and in how many pairs.
fn smallest_found(
    d: &[f64],
    wanted: f64,
    params: &Params,
    coins: &mut Coins,
) -> (Option<f64>, Option<usize>) {
    let mut gain = wanted;
    while gain < 10f64.ln() {
        gain *= 1.25;
        let (power, pairs) = screened(d, gain, params, coins);
        if power >= POWER_WANTED {
            return (Some(gain), pairs);
        }
    }
    (None, None)
}

/// Screens candidates with this gain: the part that is found, and the pairs that nine of ten of those
/// needed at most.
fn screened(d: &[f64], gain: f64, params: &Params, coins: &mut Coins) -> (f64, Option<usize>) {
    let s0 = super::decision::robust_scale(d).max(params.scale_floor);
    let mut needed: Vec<usize> = (0..CANDIDATES)
        .filter_map(|_| {
            let mut screen = Screen::new(params, s0);
            loop {
                let drawn = d[(coins.number() % d.len() as u64) as usize];
                let noise = if coins.flip() { drawn } else { -drawn };
                match screen.push(gain + noise) {
                    ScreenStep::More => {}
                    ScreenStep::Confirm => return Some(screen.n()),
                    ScreenStep::Drop(_) => return None,
                }
            }
        })
        .collect();
    needed.sort_unstable();
    let power = needed.len() as f64 / f64::from(CANDIDATES);
    (power, needed.get(needed.len() * 9 / 10).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples;

    /// 20 A/A pairs of `total_ms` and the driver's clocks, with these differences of each.
    fn line(metric: f64, wall: f64, adjusted: Option<f64>) -> CalibrationLine {
        let params = Params::default();
        let pairs: Vec<Pair> = (0..20)
            .map(|index| {
                let mut pair = samples::pair(Phase::Calibrate, 100.0, 100.0);
                let size = [0.2, 0.5, 0.8, 1.2, 2.0][index % 5];
                let sign = if index % 2 == 0 { size } else { -size };
                let mut set = |name: &str, noise: f64| {
                    pair.parent
                        .insert(name.to_owned(), 100.0 * (noise * sign).exp());
                    pair.candidate.insert(name.to_owned(), 100.0);
                };
                set("total_ms", metric);
                set(DRIVER_WALL, wall);
                if let Some(adjusted) = adjusted {
                    set(DRIVER_WALL_ADJ, adjusted);
                }
                pair
            })
            .collect();
        let primary = figures(&Judged::time("total_ms"), &pairs, &params).expect("judged");
        samples::calibration(primary, pairs)
    }

    fn advice(line: &CalibrationLine) -> Advice {
        let advice = advise(line, true, &Params::default(), &mut Coins::new(1));
        advice.expect("judged").expect("it is noisy")
    }

    #[test]
    fn a_quiet_benchmark_resolves_the_wanted_gain_and_needs_nothing() {
        let quiet = advice(&line(0.002, 0.002, None));
        assert!(quiet.resolves() && quiet.power > 0.99, "{quiet:?}");
        assert_eq!(quiet.run_length_factor, Some(1));
        assert_eq!(quiet.resolvable, Some(quiet.wanted));
        assert!(quiet.pairs.is_some_and(|pairs| (8..=12).contains(&pairs)));
    }

    #[test]
    fn a_noisy_benchmark_is_told_what_it_can_resolve_and_how_long_it_would_have_to_run() {
        let noisy = advice(&line(0.03, 0.03, None));
        assert!(!noisy.resolves() && noisy.power < 0.2, "{noisy:?}");
        let resolvable = noisy.resolvable.expect("some gain is found");
        assert!((0.015..0.06).contains(&resolvable), "{resolvable}");
        let factor = noisy.run_length_factor.expect("longer runs help");
        assert!((4..=64).contains(&factor), "{factor}");
        let hopeless = advice(&line(0.5, 0.5, None));
        assert_eq!(hopeless.run_length_factor, None);
    }

    #[test]
    fn the_adjusted_clock_is_advised_when_it_halves_the_noise_at_least() {
        assert!(advice(&line(0.1, 0.1, Some(0.02))).take_wall_adjusted);
        assert!(!advice(&line(0.1, 0.1, Some(0.06))).take_wall_adjusted);
        assert!(!advice(&line(0.1, 0.1, None)).take_wall_adjusted);
        let quieter = advice(&line(0.03, 0.1, Some(0.02)));
        assert!(!quieter.take_wall_adjusted, "the metric is hardly noisier");
    }

    #[test]
    fn an_exact_metric_needs_no_advice() {
        let exact = line(0.0, 0.1, None);
        let advice = advise(&exact, true, &Params::default(), &mut Coins::new(1));
        assert_eq!(advice, Ok(None));
    }
}
