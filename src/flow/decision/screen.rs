//! The screen: pairs, one after the other, until keep-worthy or not.

use serde::{Deserialize, Serialize};

use super::error::{DecisionError, SCALE_MAX, check_log_gains};
use super::evidence::{EProcess, Futility};
use super::params::Params;

/// Why a screen dropped a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The futility test: a gain of at least `max(min_effect, s0)` is unlikely.
    NoGain,
    /// Neither kept nor futile after [`Params::cap_pairs`] pairs.
    Inconclusive,
}

/// What to do after a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenStep {
    /// Measure another pair.
    More,
    /// The evidence suffices: go on to the confirmation.
    Confirm,
    /// Drop the candidate.
    Drop(DropReason),
}

/// The screen of one candidate.
#[derive(Debug, Clone)]
pub struct Screen {
    evidence: EProcess,
    futility: Futility,
    ln_e_keep: f64,
    ln_beta: f64,
    min_drop_pairs: usize,
    cap_pairs: usize,
    step: ScreenStep,
}

impl Screen {
    /// A screen without pairs. `s0` comes from
    /// [`NoiseHistory::s0`](super::NoiseHistory::s0) and is in log units.
    ///
    /// # Panics
    /// If `s0` is not finite or above [`SCALE_MAX`](super::SCALE_MAX).
    #[must_use]
    pub fn new(params: &Params, s0: f64) -> Self {
        Self {
            evidence: EProcess::new(params, s0),
            futility: Futility::new(params, s0),
            ln_e_keep: params.e_keep.ln(),
            ln_beta: params.beta.ln(),
            min_drop_pairs: params.min_drop_pairs,
            cap_pairs: params.cap_pairs,
            step: ScreenStep::More,
        }
    }

    /// Adds the log gain of one pair. Evidence is looked at before futility:
    /// when both lines are crossed by the same pair, the candidate has earned
    /// its confirmation.
    ///
    /// # Panics
    /// If `d` is not a finite log gain, or the screen has already decided.
    pub fn push(&mut self, d: f64) -> ScreenStep {
        assert_eq!(
            self.step,
            ScreenStep::More,
            "the screen has already decided"
        );
        let s = self.evidence.next_scale();
        let ln_e = self.evidence.push(d);
        let lr = self.futility.push(d, s);
        let n = self.evidence.n();
        self.step = if ln_e >= self.ln_e_keep {
            ScreenStep::Confirm
        } else if n >= self.min_drop_pairs && lr <= self.ln_beta {
            ScreenStep::Drop(DropReason::NoGain)
        } else if n >= self.cap_pairs {
            ScreenStep::Drop(DropReason::Inconclusive)
        } else {
            ScreenStep::More
        };
        self.step
    }

    /// What the last pair led to; [`ScreenStep::More`] without pairs.
    #[must_use]
    pub fn step(&self) -> ScreenStep {
        self.step
    }

    /// Pairs added.
    #[must_use]
    pub fn n(&self) -> usize {
        self.evidence.n()
    }

    /// `ln E` after the last pair. Not for the proposer's eyes: it sees the
    /// verdict, the estimate and its interval only.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.evidence.ln_e()
    }

    /// The futility test's log likelihood ratio after the last pair.
    #[must_use]
    pub fn lr(&self) -> f64 {
        self.futility.lr()
    }

    /// The scale the next pair will be divided by, in log units.
    #[must_use]
    pub fn next_scale(&self) -> f64 {
        self.evidence.next_scale()
    }
}

/// One pair of a replayed screen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReplayPoint {
    /// Log gain of the pair.
    pub d: f64,
    /// Scale it was divided by, in log units.
    pub s: f64,
    /// `ln E` with it.
    pub ln_e: f64,
    /// Futility log likelihood ratio with it.
    pub lr: f64,
}

/// A screen recomputed from its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Every pair, in order.
    pub path: Vec<ReplayPoint>,
    /// What the last pair leads to. [`ScreenStep::More`] means that the record
    /// ends before a decision: an interrupted screen or a time cap.
    pub outcome: ScreenStep,
}

/// Recomputes a screen from the recorded log gains and starting scale, so that
/// anyone can check a verdict against the ledger.
///
/// # Errors
/// A [`DecisionError`] if the parameters, the scale or a log gain cannot have
/// been recorded by this program, or if pairs follow the deciding one.
pub fn replay(d: &[f64], s0: f64, params: &Params) -> Result<Replay, DecisionError> {
    params.validate()?;
    check_log_gains(d)?;
    check_scale(s0, params)?;
    let mut screen = Screen::new(params, s0);
    let mut path = Vec::with_capacity(d.len());
    for &d_i in d {
        if screen.step() != ScreenStep::More {
            return Err(DecisionError::PairsAfterDecision {
                decided_after: screen.n(),
                got: d.len(),
            });
        }
        let s = screen.next_scale();
        screen.push(d_i);
        path.push(ReplayPoint {
            d: d_i,
            s,
            ln_e: screen.ln_e(),
            lr: screen.lr(),
        });
    }
    Ok(Replay {
        path,
        outcome: screen.step(),
    })
}

/// Checks a recorded noise scale.
pub(super) fn check_scale(s0: f64, params: &Params) -> Result<(), DecisionError> {
    if (params.scale_floor..=SCALE_MAX).contains(&s0) {
        Ok(())
    } else {
        Err(DecisionError::BadScale {
            value: s0,
            floor: params.scale_floor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_gain_is_kept_in_nine_pairs() {
        let mut screen = Screen::new(&Params::default(), 1.0);
        while screen.push(70.0) == ScreenStep::More {}
        assert_eq!((screen.step(), screen.n()), (ScreenStep::Confirm, 9));
    }

    #[test]
    fn one_pair_alone_never_drops() {
        let mut screen = Screen::new(&Params::default(), 0.01);
        assert_eq!(screen.push(-1.0), ScreenStep::More);
        assert!(screen.lr() < 0.05f64.ln());
        assert_eq!(screen.push(-1.0), ScreenStep::Drop(DropReason::NoGain));
    }

    #[test]
    fn the_cap_is_inconclusive() {
        let p = Params {
            cap_pairs: 4,
            ..Params::default()
        };
        let steps: Vec<_> = [0.02, -0.005, 0.02, -0.005]
            .iter()
            .scan(Screen::new(&p, 0.01), |screen, &d| Some(screen.push(d)))
            .collect();
        assert_eq!(steps[..3], [ScreenStep::More; 3]);
        assert_eq!(steps[3], ScreenStep::Drop(DropReason::Inconclusive));
    }

    #[test]
    #[should_panic(expected = "already decided")]
    fn a_decided_screen_takes_no_more_pairs() {
        let mut screen = Screen::new(&Params::default(), 0.01);
        for _ in 0..3 {
            screen.push(-1.0);
        }
    }

    #[test]
    fn damaged_records_are_refused_not_judged() {
        let p = Params::default();
        assert!(replay(&[0.1, f64::NAN], 0.01, &p).is_err());
        assert!(replay(&[0.1, f64::INFINITY], 0.01, &p).is_err());
        assert!(replay(&[1e9], 0.01, &p).is_err());
        for s0 in [0.0, -1.0, 1e-5, f64::NAN, f64::INFINITY] {
            assert!(replay(&[0.1], s0, &p).is_err(), "{s0}");
        }
        assert!(replay(&[0.1], 0.01, &Params { beta: 2.0, ..p }).is_err());
        let late = replay(&[-1.0; 3], 0.01, &p).unwrap_err();
        assert_eq!(
            late,
            DecisionError::PairsAfterDecision {
                decided_after: 2,
                got: 3
            }
        );
        assert_eq!(replay(&[], 0.01, &p).unwrap().outcome, ScreenStep::More);
    }

    #[test]
    fn outcomes_have_fixed_names_in_the_ledger() {
        let text = |step| serde_json::to_string(&step).unwrap();
        assert_eq!(text(ScreenStep::Confirm), "\"confirm\"");
        assert_eq!(
            text(ScreenStep::Drop(DropReason::NoGain)),
            "{\"drop\":\"no_gain\"}"
        );
        assert_eq!(
            text(ScreenStep::Drop(DropReason::Inconclusive)),
            "{\"drop\":\"inconclusive\"}"
        );
    }
}
