//! Claimed against measured again.

use serde::Serialize;

use super::claims::Claimed;
use super::decision::Direction;
use super::environment;
use super::measure::Judged;
use super::record::{Environment, Gain};

/// Pairs when nobody says how many: never fewer than a claim rests on, and this many at least.
pub const PAIRS_DEFAULT: u32 = 24;
/// Fewest pairs that have a 95 % interval: with five the widest Wilcoxon interval holds 94 %.
pub const PAIRS_MIN: usize = 6;

/// What a second measurement says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reproduction {
    /// Better, and by as much as claimed as far as the intervals tell.
    Reproduced,
    /// Better, and by less than claimed.
    Weaker,
    /// Not as claimed, and not shown to be better at all.
    NotReproduced,
    /// The interval holds both nothing and the claim: this machine is too noisy, or the pairs too few.
    CannotTell,
}

impl Reproduction {
    /// Compares a claim with a fresh measurement. Without a claim (a commit that no ledger knows)
    /// only the sign is judged.
    pub fn judge(claimed: Option<&Gain>, measured: &Gain) -> Self {
        let (Some(lo), Some(hi)) = (measured.lo, measured.hi) else {
            return Self::CannotTell;
        };
        let claimed_lo = claimed.map_or(0.0, |gain| gain.lo.unwrap_or(gain.log).max(0.0));
        let falls_short = hi < claimed_lo;
        match (lo > 0.0, hi <= 0.0, falls_short) {
            (true, _, false) => Self::Reproduced,
            (true, _, true) => Self::Weaker,
            (false, true, _) | (false, false, true) => Self::NotReproduced,
            (false, false, false) => Self::CannotTell,
        }
    }

    /// Words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Weaker => "weaker than claimed",
            Self::NotReproduced => "not reproduced",
            Self::CannotTell => "cannot tell on this machine",
        }
    }

    /// Whether the claim stands.
    pub fn holds(self) -> bool {
        self == Self::Reproduced
    }
}

/// What was measured again, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The gain.
    pub gain: Gain,
    /// That of the driver's wall time, when it is not the metric.
    pub wall: Option<Gain>,
    /// Executions of the script in one run.
    pub repeats: u32,
    /// Whether the inputs were fresh ones.
    pub hold_out: bool,
    /// One-minute load average before it.
    pub load: f64,
}

/// A claim beside what was measured here, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The better commit, full id.
    pub commit: String,
    /// What it was measured against, full id.
    pub parent: String,
    /// The run that kept it; null of an end-to-end claim and of a commit that the ledger lacks.
    pub run: Option<u64>,
    /// What was done.
    pub description: String,
    /// The metric.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
    /// What the ledger claims.
    pub claimed: Option<Gain>,
    /// What was measured here; null when it could not be.
    pub measured: Option<Gain>,
    /// Wall time beside the metric.
    pub wall: Option<Gain>,
    /// Executions of the script in one run.
    pub repeats: Option<u32>,
    /// Whether the inputs were fresh ones.
    pub hold_out: bool,
    /// What the two say together.
    pub verdict: Reproduction,
    /// Why nothing was measured.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What differs between the two machines, a sentence each.
    pub differences: Vec<String>,
    /// One-minute load average when it was recorded.
    pub load_recorded: Option<f64>,
    /// The same before it was measured here.
    pub load: Option<f64>,
}

impl Comparison {
    /// Compares.
    pub fn new(
        claimed: &Claimed,
        metric: &Judged,
        measured: Measurement,
        here: &Environment,
    ) -> Self {
        let there = claimed.environment.as_ref();
        let load = |before| environment::load_difference(before, measured.load);
        let differences = there
            .map(|there| environment::differences(there, here))
            .unwrap_or_default()
            .into_iter()
            .chain(claimed.load.and_then(load));
        Self {
            measured: Some(measured.gain),
            wall: measured.wall,
            repeats: Some(measured.repeats),
            hold_out: measured.hold_out,
            verdict: Reproduction::judge(claimed.gain.as_ref(), &measured.gain),
            differences: differences.collect(),
            load: Some(measured.load),
            direction: metric.direction,
            ..Self::unmeasured(claimed, &metric.name, "")
        }
    }

    /// A claim that could not be measured here.
    pub fn unmeasured(claimed: &Claimed, metric: &str, why: &str) -> Self {
        Self {
            commit: claimed.commit.clone(),
            parent: claimed.parent.clone(),
            run: claimed.run,
            description: claimed.description.clone(),
            metric: metric.to_owned(),
            direction: Direction::default(),
            claimed: claimed.gain,
            measured: None,
            wall: None,
            repeats: None,
            hold_out: false,
            verdict: Reproduction::CannotTell,
            detail: why.to_owned(),
            differences: Vec::new(),
            load_recorded: claimed.load,
            load: None,
        }
    }
}

/// Pairs to measure when nobody says how many.
pub fn pairs_wanted(claimed: &Claimed) -> usize {
    let rests_on = claimed.gain.map_or(0, |gain| gain.pairs);
    rests_on.max(PAIRS_DEFAULT) as usize
}

/// How many pairs a time allows, of which one has been measured: it took `pair_s` seconds, and
/// swapping the slots half way takes another `swap_s`. At least [`PAIRS_MIN`], at most `wanted`.
pub fn affordable_pairs(wanted: usize, left_s: f64, pair_s: f64, swap_s: f64) -> usize {
    let further = ((left_s - swap_s) / pair_s.max(1e-6)).max(0.0);
    // A float beyond the range becomes the largest number.
    (further as usize)
        .saturating_add(1)
        .max(PAIRS_MIN)
        .min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(log: f64, lo: f64, hi: f64) -> Gain {
        Gain {
            log,
            lo: Some(lo),
            hi: Some(hi),
            percent: 0.0,
            pairs: 24,
        }
    }

    fn check(measured: Gain, expected: Reproduction) {
        let claimed = gain(0.10, 0.08, 0.12);
        assert_eq!(
            Reproduction::judge(Some(&claimed), &measured),
            expected,
            "{measured:?}"
        );
    }

    #[test]
    fn the_verdict_follows_from_the_two_intervals() {
        check(gain(0.09, 0.07, 0.11), Reproduction::Reproduced);
        check(gain(0.20, 0.19, 0.21), Reproduction::Reproduced);
        check(gain(0.04, 0.03, 0.05), Reproduction::Weaker);
        check(gain(0.01, -0.01, 0.03), Reproduction::NotReproduced);
        check(gain(-0.05, -0.07, -0.03), Reproduction::NotReproduced);
        check(gain(0.05, -0.05, 0.15), Reproduction::CannotTell);
    }

    #[test]
    fn a_time_limit_takes_pairs_away_but_never_the_interval() {
        for (left_s, expected) in [
            (1000.0, 24),
            (25.0, 11),
            (15.0, 6),
            (0.0, 6),
            (f64::INFINITY, 24),
        ] {
            assert_eq!(affordable_pairs(24, left_s, 2.0, 5.0), expected, "{left_s}");
        }
        assert_eq!(affordable_pairs(24, 10.0, 0.0, 0.0), 24);
    }

    #[test]
    fn without_an_interval_nothing_can_be_told() {
        let measured = Gain {
            log: 0.1,
            lo: None,
            hi: None,
            percent: 10.0,
            pairs: 3,
        };
        assert_eq!(
            Reproduction::judge(None, &measured),
            Reproduction::CannotTell
        );
    }

    #[test]
    fn without_a_claim_a_gain_is_enough() {
        assert_eq!(
            Reproduction::judge(None, &gain(0.02, 0.01, 0.03)),
            Reproduction::Reproduced
        );
        assert_eq!(
            Reproduction::judge(None, &gain(0.0, -0.01, 0.01)),
            Reproduction::CannotTell
        );
    }
}
