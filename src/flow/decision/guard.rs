//! Guards: noisy secondary metrics that must not get worse.

use serde::{Deserialize, Serialize};

use super::direction::{Direction, gain_from_change_percent};
use super::error::{DecisionError, SCALE_MAX, assert_log_gain, check_log_gains};
use super::evidence::EProcess;
use super::params::Params;
use super::screen::check_scale;

/// By how much a guard may get worse when the user says nothing, in percent.
pub const GUARD_TOLERANCE_PERCENT_DEFAULT: f64 = 5.0;

/// Where a guard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardState {
    /// Neither shown harmless nor harmful: measure more pairs.
    Undecided,
    /// Shown not to be worse than the tolerance.
    Pass,
    /// Shown to be worse: drop the candidate.
    Fail,
    /// Still undecided at [`Params::guard_cap_pairs`]: drop the candidate,
    /// "guard undecided". Harmlessness has to be shown, not assumed.
    UndecidedAtCap,
}

impl GuardState {
    /// Whether the guard wants more pairs.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == Self::Undecided
    }

    /// Whether the candidate may be kept as far as this guard is concerned.
    #[must_use]
    pub fn permits_keep(self) -> bool {
        self == Self::Pass
    }
}

/// The two tests of one guard of one candidate.
///
/// *Pass* is an e-process on `d + tau`: evidence that the metric is better than
/// "worse by tau" (non-inferiority). A guard worse by exactly `tau` passes with
/// probability at most `1 / guard_e`. *Fail* is an e-process on `-d - tau`:
/// evidence that it is worse by more than `tau`. The first to reach its line
/// decides. (A fail test on `-d`, evidence of any loss, was tried first: with a
/// noise of 0.1 % and a tolerance of 5 % it passed a loss of 0.5 % only once in
/// a hundred, which is not what a tolerance means.)
///
/// Feed it every pair of the candidate in order: the screen's, the
/// confirmation's, then extra pairs while it is open. A decision is final and
/// later pairs change nothing.
#[derive(Debug, Clone)]
pub struct GuardProcess {
    tau: f64,
    pass: EProcess,
    fail: EProcess,
    ln_guard_e: f64,
    cap_pairs: usize,
    state: GuardState,
}

impl GuardProcess {
    /// A guard without pairs. `s0` is the scale of the guard's own
    /// [`NoiseHistory`](super::NoiseHistory); `tolerance` is the user's, as a
    /// log difference of 0 or more ([`tolerance_from_percent`]). The margin is
    /// the larger of the two: below one noise scale no affordable number of
    /// pairs can show harmlessness.
    ///
    /// # Panics
    /// If `s0` or `tolerance` is not finite or above [`SCALE_MAX`], or `tolerance`
    /// is negative.
    #[must_use]
    pub fn new(params: &Params, s0: f64, tolerance: f64) -> Self {
        assert!(
            tolerance.is_finite() && tolerance >= 0.0,
            "guard tolerance {tolerance}"
        );
        let pass = EProcess::new(params, s0);
        Self {
            tau: tolerance.max(pass.next_scale()),
            fail: pass.clone(),
            pass,
            ln_guard_e: params.guard_e.ln(),
            cap_pairs: params.guard_cap_pairs,
            state: GuardState::Undecided,
        }
    }

    /// Adds the guard's log gain in one pair (below 0 means worse). When both
    /// tests cross their line in the same pair, the guard fails.
    ///
    /// # Panics
    /// If `d` is not a finite log gain.
    pub fn push(&mut self, d: f64) -> GuardState {
        assert_log_gain(d);
        if self.state.is_open() {
            let ln_pass = self.pass.push(d + self.tau);
            let ln_fail = self.fail.push(-d - self.tau);
            self.state = if ln_fail >= self.ln_guard_e {
                GuardState::Fail
            } else if ln_pass >= self.ln_guard_e {
                GuardState::Pass
            } else if self.pass.n() >= self.cap_pairs {
                GuardState::UndecidedAtCap
            } else {
                GuardState::Undecided
            };
        }
        self.state
    }

    /// Where the guard stands after the last pair.
    #[must_use]
    pub fn state(&self) -> GuardState {
        self.state
    }

    /// The margin in log units: `max(tolerance, s0)`.
    #[must_use]
    pub fn tau(&self) -> f64 {
        self.tau
    }

    /// Pairs up to and with the deciding one.
    #[must_use]
    pub fn n(&self) -> usize {
        self.pass.n()
    }

    /// `ln E` of the test that passes the guard.
    #[must_use]
    pub fn ln_e_pass(&self) -> f64 {
        self.pass.ln_e()
    }

    /// `ln E` of the test that fails the guard.
    #[must_use]
    pub fn ln_e_fail(&self) -> f64 {
        self.fail.ln_e()
    }
}

/// The tolerance of a guard in log units: the size of the loss when the metric
/// gets worse by `percent` of the parent's value. 5 % more of a lower-is-better
/// metric is `ln 1.05`, 5 % less of the other kind is `-ln 0.95`.
///
/// # Errors
/// [`DecisionError::BadParam`] unless `0 <= percent < 100`.
pub fn tolerance_from_percent(direction: Direction, percent: f64) -> Result<f64, DecisionError> {
    if !(0.0..100.0).contains(&percent) {
        return Err(DecisionError::BadParam {
            name: "guard tolerance",
            value: percent,
            expected: "must be at least 0 and below 100 percent",
        });
    }
    let worse = direction.sign() * percent;
    Ok(-gain_from_change_percent(direction, worse)?)
}

/// Recomputes a guard from its recorded log gains, see [`GuardProcess::new`]
/// for the other arguments. Pairs after the decision are permitted: guards
/// share the pairs of the primary metric, which may need more.
///
/// # Errors
/// A [`DecisionError`] if a value cannot have been recorded by this program.
pub fn replay_guard(
    d: &[f64],
    s0: f64,
    tolerance: f64,
    params: &Params,
) -> Result<GuardProcess, DecisionError> {
    params.validate()?;
    check_log_gains(d)?;
    check_scale(s0, params)?;
    if !(0.0..=SCALE_MAX).contains(&tolerance) {
        return Err(DecisionError::BadParam {
            name: "guard tolerance",
            value: tolerance,
            expected: "must be between 0 and 10000",
        });
    }
    let mut guard = GuardProcess::new(params, s0, tolerance);
    for &d_i in d {
        guard.push(d_i);
    }
    Ok(guard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_never_below_the_noise() {
        let p = Params::default();
        assert_eq!(GuardProcess::new(&p, 0.02, 0.05).tau(), 0.05);
        assert_eq!(GuardProcess::new(&p, 0.12, 0.05).tau(), 0.12);
        assert_eq!(GuardProcess::new(&p, 0.0, 0.0).tau(), 1e-4);
    }

    #[test]
    fn tolerance_is_what_worse_means_in_each_direction() {
        let low = tolerance_from_percent(Direction::Lower, 5.0).unwrap();
        let high = tolerance_from_percent(Direction::Higher, 5.0).unwrap();
        assert!((low - 1.05f64.ln()).abs() < 1e-15);
        assert!((high + 0.95f64.ln()).abs() < 1e-15);
        assert_eq!(tolerance_from_percent(Direction::Lower, 0.0).unwrap(), 0.0);
        for bad in [-1.0, 100.0, f64::NAN] {
            assert!(tolerance_from_percent(Direction::Lower, bad).is_err());
        }
    }

    #[test]
    fn a_certain_loss_within_the_tolerance_passes_and_one_beyond_it_fails() {
        let decide = |d: f64| {
            let mut guard = GuardProcess::new(&Params::default(), 0.001, 0.05);
            while guard.push(d).is_open() {}
            guard.state()
        };
        assert_eq!(decide(-0.005), GuardState::Pass);
        assert_eq!(decide(-0.045), GuardState::Pass);
        assert_eq!(decide(-0.055), GuardState::Fail);
    }

    #[test]
    fn a_decision_is_final() {
        let mut guard = GuardProcess::new(&Params::default(), 0.02, 0.05);
        while guard.push(0.0).is_open() {}
        assert_eq!(guard.state(), GuardState::Pass);
        let n = guard.n();
        for _ in 0..50 {
            assert_eq!(guard.push(-0.5), GuardState::Pass);
        }
        assert_eq!(guard.n(), n);
    }

    #[test]
    fn undecided_at_the_cap_does_not_permit_a_keep() {
        let p = Params {
            guard_cap_pairs: 3,
            ..Params::default()
        };
        let mut guard = GuardProcess::new(&p, 0.02, 0.05);
        let states = [0.0, 0.0, 0.0].map(|d| guard.push(d));
        let open = GuardState::Undecided;
        assert_eq!(states, [open, open, GuardState::UndecidedAtCap]);
        assert!(!guard.state().permits_keep() && !guard.state().is_open());
    }

    #[test]
    fn a_recorded_guard_is_checked_before_it_is_replayed() {
        let p = Params::default();
        assert!(replay_guard(&[f64::NAN], 0.02, 0.05, &p).is_err());
        assert!(replay_guard(&[0.0], 0.0, 0.05, &p).is_err());
        assert!(replay_guard(&[0.0], 0.02, -0.05, &p).is_err());
        assert_eq!(
            replay_guard(&[-0.2; 9], 0.02, 0.05, &p).unwrap().state(),
            GuardState::Fail
        );
    }
}
