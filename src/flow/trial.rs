//! The judgement of one candidate, as a state machine without I/O.
//!
//! [`Trial::next_need`] says what is needed; [`Trial::pair`], [`Trial::swapped`] and [`Trial::gate`] take
//! the answers. A verdict is a function of the recorded pairs and of nothing else, so [`replay`]
//! recomputes it from the ledger.
//!
//! ```text
//! warm-up -> screen -+-> drop
//!                    +-> swap slots -> warm-up -> confirm -+-> drop
//!                                                          +-> guards -+-> drop
//!                                                                      +-> gate -> keep | drop
//! ```

mod exact;

use super::coins::Coins;
use super::decision::exact::ExactRule;
use super::decision::{
    ConfirmVerdict, Confirmation, DecisionError, DropReason, Estimate, Params, Screen, ScreenStep,
    confirmation_pairs,
};
use super::measure::{Judged, percent_better};
use super::record::{DigestCheck, Gain, Pair, Phase, Reason};
use super::self_report::{SelfReportSetup, SelfReportWatch};
use super::trial_guards::{GuardPanel, GuardSetup};
pub use super::trial_result::{Replayed, TrialResult, replay, retrace};

/// What a trial judges by.
#[derive(Debug, Clone)]
pub struct TrialSetup {
    /// The rule's parameters.
    pub params: Params,
    /// The primary metric.
    pub primary: Judged,
    /// How it is judged when it is exact.
    pub exact: Option<ExactRule>,
    /// Noise scale of the primary metric, log units.
    pub scale: f64,
    /// The guards.
    pub guards: Vec<GuardSetup>,
    /// The check of the script's own clock, where there is one.
    pub self_report: Option<SelfReportSetup>,
    /// Whether confirmation pairs get inputs of their own.
    pub hold_out: bool,
    /// Whether the first run in a slot may have to build: then an exact metric needs a warm-up too.
    pub builds_in_run: bool,
    /// Whether the screening may end because the candidate's time is over.
    pub is_timed: bool,
}

impl TrialSetup {
    /// A cold first run is discarded, unless the metric repeats itself exactly whatever the caches.
    fn needs_warm_up(&self) -> bool {
        self.exact.is_none() || self.builds_in_run
    }
}

/// What the trial needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// One run of each side.
    Pair(PairPlan),
    /// The sides exchange slots: clean checkout and build of both.
    SwapSlots,
    /// A run of the correctness gate on the candidate.
    Gate,
    /// Nothing: the verdict is there.
    Done,
}

/// One pair to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairPlan {
    /// What it is for.
    pub phase: Phase,
    /// Slot of the candidate.
    pub slot: u8,
    /// Whether the candidate runs first: a coin.
    pub candidate_first: bool,
    /// The seed of inputs that no other pair has.
    pub hold_out: Option<u64>,
}

/// How the gate went, as the trial needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateVerdict {
    /// Passed, or there is no gate.
    Pass,
    /// The candidate breaks it.
    Fail,
    /// It fails without the candidate too.
    Flaky,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    WarmUp(Stage),
    Screen,
    Swap,
    Confirm,
    Guards,
    Gate,
    Done,
}

/// What a warm-up pair precedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Screen,
    Confirm,
}

/// One candidate's judgement.
#[derive(Debug)]
pub struct Trial {
    setup: TrialSetup,
    coins: Coins,
    slot: u8,
    state: State,
    screen: Screen,
    guards: GuardPanel,
    self_report: SelfReportWatch,
    /// Whether the screening found a gain.
    claims_gain: bool,
    screened: Vec<f64>,
    confirmed: Vec<f64>,
    /// Values of the candidate and the parent in the first pair of an exact metric.
    first_exact: Option<(f64, f64)>,
    pairs: Vec<Pair>,
    verdict: Option<(Reason, String)>,
    estimate: Option<Gain>,
}

impl Trial {
    /// A trial at its start; the seed decides the slot and every order.
    pub fn new(setup: TrialSetup, seed: u64) -> Self {
        let mut coins = Coins::new(seed);
        let slot = u8::from(coins.flip());
        Self {
            coins,
            slot,
            state: if setup.needs_warm_up() {
                State::WarmUp(Stage::Screen)
            } else {
                State::Screen
            },
            screen: Screen::new(&setup.params, setup.scale),
            guards: GuardPanel::new(&setup.guards, &setup.params),
            self_report: SelfReportWatch::new(setup.self_report.as_ref(), &setup.params),
            claims_gain: false,
            screened: Vec::new(),
            confirmed: Vec::new(),
            first_exact: None,
            pairs: Vec::new(),
            verdict: None,
            estimate: None,
            setup,
        }
    }

    /// The reason, once there is a verdict.
    pub fn reason(&self) -> Option<Reason> {
        self.verdict.as_ref().map(|(reason, _)| *reason)
    }

    /// The candidate's slot as of now.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Whether there is no verdict yet.
    pub fn is_open(&self) -> bool {
        self.state != State::Done
    }

    /// What is needed next. A pair's order is a new coin at every call, so call once a pair.
    pub fn next_need(&mut self) -> Need {
        let phase = match self.state {
            State::WarmUp(_) => Phase::WarmUp,
            State::Screen => Phase::Screen,
            State::Confirm => Phase::Confirm,
            State::Guards => Phase::Guard,
            State::Swap => return Need::SwapSlots,
            State::Gate => return Need::Gate,
            State::Done => return Need::Done,
        };
        Need::Pair(PairPlan {
            phase,
            slot: self.slot,
            candidate_first: self.coins.flip(),
            hold_out: self.holds_out(phase).then(|| self.coins.number()),
        })
    }

    /// Whether the next pair of this phase has inputs of its own. The first confirmation of an exact
    /// metric has not: it must repeat the value of the screening.
    fn holds_out(&self, phase: Phase) -> bool {
        let repeats_first = self.setup.exact.is_some() && self.confirmed.is_empty();
        self.setup.hold_out && phase == Phase::Confirm && !repeats_first
    }

    /// Pairs counted towards the current phase, and the most it can take.
    pub fn progress(&self) -> (usize, usize) {
        match self.state {
            State::WarmUp(Stage::Screen) | State::Screen if self.setup.exact.is_none() => {
                (self.screened.len(), self.setup.params.cap_pairs)
            }
            State::WarmUp(_) | State::Screen | State::Confirm | State::Swap => {
                (self.confirmed.len(), self.confirmation_pairs())
            }
            State::Guards | State::Gate | State::Done => {
                (self.guards.pairs(), self.setup.params.guard_cap_pairs)
            }
        }
    }

    /// Takes a pair that was asked for.
    ///
    /// # Errors
    /// A metric is missing or impossible: the caller must have checked the runs.
    pub fn pair(&mut self, pair: Pair) -> Result<(), DecisionError> {
        let phase = pair.phase;
        let differ = |check: &DigestCheck| check.difference(["parent", "candidate"]);
        if let Some(difference) = pair.digests.as_ref().and_then(differ) {
            let inputs = pair
                .hold_out
                .map_or(String::new(), |seed| format!(" (hold-out seed {seed})"));
            self.pairs.push(pair);
            self.end(Reason::DigestDiffers, format!("{difference}{inputs}"));
            return Ok(());
        }
        let gain = if phase == Phase::WarmUp {
            0.0
        } else {
            self.setup.primary.gain(&pair)?
        };
        if phase != Phase::WarmUp {
            self.guards.push(&pair)?;
            self.self_report.push(&pair);
        }
        match self.state {
            State::WarmUp(Stage::Screen) => self.state = State::Screen,
            State::WarmUp(Stage::Confirm) => self.state = State::Confirm,
            State::Screen => match self.setup.exact {
                Some(rule) => self.screen_exact(rule, &pair)?,
                None => self.screen(gain),
            },
            State::Confirm => match self.setup.exact {
                Some(rule) => self.confirm_exact(rule, &pair)?,
                None => self.confirm(gain)?,
            },
            State::Guards => self.after_guard_pair(),
            State::Swap | State::Gate | State::Done => {
                unreachable!("no pair is asked for in this state")
            }
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// The sides have exchanged slots.
    pub fn swapped(&mut self) {
        assert_eq!(self.state, State::Swap, "a swap was not asked for");
        self.slot = 1 - self.slot;
        self.state = if self.setup.needs_warm_up() {
            State::WarmUp(Stage::Confirm)
        } else {
            State::Confirm
        };
    }

    /// The gate has run.
    pub fn gate(&mut self, verdict: GateVerdict) {
        assert_eq!(self.state, State::Gate, "the gate was not asked for");
        match verdict {
            GateVerdict::Pass => self.end(Reason::Improved, ""),
            GateVerdict::Fail => self.end(
                Reason::GateFailed,
                "autoresearch.checks.sh fails with the candidate and passes with the incumbent",
            ),
            GateVerdict::Flaky => self.end(
                Reason::GateFlaky,
                "autoresearch.checks.sh fails with the candidate and also with the incumbent",
            ),
        }
    }

    /// Ends the trial from outside: a crash, a build failure, a time limit.
    pub fn end(&mut self, reason: Reason, detail: impl Into<String>) {
        self.state = State::Done;
        self.verdict = Some((reason, detail.into()));
    }

    fn screen(&mut self, gain: f64) {
        self.screened.push(gain);
        let n = self.screened.len();
        match self.screen.push(gain) {
            ScreenStep::More => {}
            ScreenStep::Confirm => self.before_confirmation(),
            ScreenStep::Drop(DropReason::NoGain) => {
                self.end(Reason::NoGain, format!("after {n} pairs"));
            }
            ScreenStep::Drop(DropReason::Inconclusive) => {
                self.end(
                    Reason::Inconclusive,
                    format!("after {n} pairs, the most allowed"),
                );
            }
        }
    }

    /// A guard that has failed already needs no confirmation of the gain.
    fn before_confirmation(&mut self) {
        self.claims_gain = true;
        if let Some(detail) = self.self_report.objection() {
            self.end(Reason::SelfReport, detail);
        } else if let Some(detail) = self.guards.failure() {
            self.end(Reason::GuardFailed, detail);
        } else {
            self.state = State::Swap;
        }
    }

    fn confirmation_pairs(&self) -> usize {
        match self.setup.exact {
            Some(_) => 1 + usize::from(self.setup.hold_out),
            None => confirmation_pairs(self.screened.len(), &self.setup.params),
        }
    }

    fn confirm(&mut self, gain: f64) -> Result<(), DecisionError> {
        self.confirmed.push(gain);
        if self.confirmed.len() < self.confirmation_pairs() {
            return Ok(());
        }
        let outcome =
            Confirmation::judge(self.screened.len(), &self.confirmed, &self.setup.params)?;
        self.estimate = Some(self.setup.primary.gain_record(&outcome.estimate));
        match outcome.verdict {
            ConfirmVerdict::Confirmed => self.after_guard_pair(),
            ConfirmVerdict::NotConfirmed => {
                let percent = -percent_better(self.setup.primary.direction, outcome.estimate.value);
                let pairs = self.confirmed.len();
                self.end(
                    Reason::NotConfirmed,
                    format!("{pairs} fresh pairs say {percent:.2} % worse"),
                );
            }
        }
        Ok(())
    }

    /// Goes on to the gate when all guards have passed, or asks for more pairs.
    fn after_guard_pair(&mut self) {
        if let Some(detail) = self.self_report.objection() {
            self.end(Reason::SelfReport, detail);
        } else if let Some(detail) = self.guards.failure() {
            self.end(Reason::GuardFailed, detail);
        } else if let Some(detail) = self.guards.undecided_at_cap() {
            self.end(Reason::GuardUndecided, detail);
        } else {
            self.state = if self.guards.all_passed() {
                State::Gate
            } else {
                State::Guards
            };
        }
    }

    /// The result, once [`Need::Done`].
    ///
    /// # Panics
    /// When the trial is not done.
    pub fn finish(self) -> TrialResult {
        let (reason, detail) = self.verdict.expect("the trial is done");
        let screened_estimate = || {
            (!self.screened.is_empty()).then(|| {
                self.setup
                    .primary
                    .gain_record(&Estimate::from_pairs(&self.screened))
            })
        };
        TrialResult {
            reason,
            detail,
            estimate: self.estimate.or_else(screened_estimate),
            ln_e: (self.screen.n() > 0).then(|| self.screen.ln_e()),
            scale: self.setup.scale,
            guards: self.guards.results(),
            self_report: self.self_report.disagreement().filter(|_| self.claims_gain),
            pairs: self.pairs,
        }
    }
}
