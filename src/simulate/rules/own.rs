//! This program's rule, by the code that `run` uses, and a variant of its screen.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Rule, Settings};
use crate::flow::coins::Coins;
use crate::flow::decision::{
    AaPair, Calibration, Direction, EndToEnd, Estimate, NoiseHistory, Params, Screen, ScreenStep,
    end_to_end_swapped,
};
use crate::flow::measure::Judged;
use crate::flow::record::{Gain, Pair, Phase, Reason};
use crate::flow::trial::{GateVerdict, Need, PairPlan, Trial, TrialResult, TrialSetup};
use crate::simulate::machine::Machine;

/// Name of the simulated metric, in seconds.
const METRIC: &str = "seconds";

/// This program's rule: a [`Trial`] for every candidate, started from the session's noise history.
///
/// Two things of `run` are left out. A calibration that finds the slots biased stops `run`; here it
/// goes on, so that the table shows what the rule itself does with biased slots. And the claim is
/// the end-to-end estimate, also where `run` would say that its interval includes 0 and claim
/// nothing: so a bias either way shows.
pub(super) struct Own {
    session: Session,
    /// Whether a coin assigns the slots, swapped for the confirmation, as in `run`.
    swaps: bool,
    steps: Vec<Estimate>,
}

/// What [`Own`] and [`Lord`] have in common.
struct Session {
    params: Params,
    warm_up: bool,
    metric: Judged,
    history: NoiseHistory,
    random: ChaCha8Rng,
}

impl Own {
    pub(super) fn start(
        settings: &Settings,
        swaps: bool,
        machine: &mut Machine<'_>,
        level: f64,
        random: ChaCha8Rng,
    ) -> Self {
        Self {
            session: Session::calibrate(settings, machine, level, random),
            swaps,
            steps: Vec::new(),
        }
    }

    fn trial(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> TrialResult {
        let session = &mut self.session;
        let setup = TrialSetup {
            params: session.params,
            primary: session.metric.clone(),
            exact: None,
            scale: session.history.s0(&session.params),
            guards: Vec::new(),
            self_report: None,
            hold_out: false,
            builds_in_run: false,
            is_timed: false,
        };
        let mut trial = Trial::new(setup, session.random.next_u64());
        loop {
            match trial.next_need() {
                Need::Done => return trial.finish(),
                Need::SwapSlots => trial.swapped(),
                Need::Gate => trial.gate(GateVerdict::Pass),
                Need::Pair(plan) => {
                    let slot = if self.swaps { plan.slot } else { 1 };
                    let pair = session.pair(machine, parent, candidate, PairPlan { slot, ..plan });
                    trial.pair(pair).expect(IN_RANGE);
                }
            }
        }
    }
}

/// Noise and effects of a simulation are far inside what a log gain may be.
const IN_RANGE: &str = "simulated times are finite and above 0";

impl Rule for Own {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let result = self.trial(machine, parent, candidate);
        self.session.absorb(&result.pairs);
        let keeps = result.reason == Reason::Improved;
        if let (true, Some(gain)) = (keeps, result.estimate) {
            self.steps.push(step(gain));
        }
        keeps
    }

    fn claim(&mut self, machine: &mut Machine<'_>, start: f64, head: f64) -> f64 {
        self.session
            .end_to_end(machine, start, head, self.swaps, &self.steps)
    }
}

fn step(gain: Gain) -> Estimate {
    Estimate {
        value: gain.log,
        lo: gain.lo,
        hi: gain.hi,
        pairs: gain.pairs as usize,
    }
}

impl Session {
    /// A/A pairs of the same code in both slots, and the noise history they start.
    fn calibrate(
        settings: &Settings,
        machine: &mut Machine<'_>,
        level: f64,
        mut random: ChaCha8Rng,
    ) -> Self {
        let Settings { params, warm_up } = *settings;
        let mut coins = Coins::new(random.next_u64());
        if warm_up {
            machine.pair(level, level, 1, coins.flip());
        }
        let pairs: Vec<AaPair> = (0..params.calibration_pairs)
            .map(|_| {
                let slot1_first = coins.flip();
                let pair = machine.pair(level, level, 1, slot1_first);
                AaPair {
                    slot0: pair.parent.exp(),
                    slot1: pair.candidate.exp(),
                    slot0_first: !slot1_first,
                }
            })
            .collect();
        let calibration = Calibration::from_pairs(&pairs, &params).expect(IN_RANGE);
        Self {
            params,
            warm_up,
            metric: Judged {
                name: METRIC.to_owned(),
                direction: Direction::Lower,
                allow_zero: false,
            },
            history: NoiseHistory::from_calibration(&calibration.d, &params).expect(IN_RANGE),
            random,
        }
    }

    /// The pair as the ledger would have it.
    fn pair(&self, machine: &mut Machine<'_>, parent: f64, candidate: f64, plan: PairPlan) -> Pair {
        let run = |machine: &mut Machine<'_>| {
            machine.pair(parent, candidate, plan.slot, plan.candidate_first)
        };
        let runs = if plan.phase == Phase::WarmUp && !self.warm_up {
            machine.aside(run)
        } else {
            run(machine)
        };
        let metrics = |log: f64| BTreeMap::from([(METRIC.to_owned(), log.exp())]);
        Pair {
            phase: plan.phase,
            slot: plan.slot,
            candidate_first: plan.candidate_first,
            parent: metrics(runs.parent),
            candidate: metrics(runs.candidate),
            digests: None,
            hold_out: None,
        }
    }

    /// Takes the noise of a screen into the history, as a session does.
    fn absorb(&mut self, pairs: &[Pair]) {
        let screen: Vec<f64> = pairs
            .iter()
            .filter(|pair| pair.phase == Phase::Screen)
            .map(|pair| self.metric.gain(pair).expect(IN_RANGE))
            .collect();
        self.history.absorb(&screen, &self.params);
    }

    /// The end-to-end estimate, log gain of `head` over `start`.
    fn end_to_end(
        &mut self,
        machine: &mut Machine<'_>,
        start: f64,
        head: f64,
        swaps: bool,
        steps: &[Estimate],
    ) -> f64 {
        let mut coins = Coins::new(self.random.next_u64());
        let first_slot = if swaps { u8::from(coins.flip()) } else { 1 };
        let count = self.params.end_to_end_pairs;
        let mut prepared = None;
        let mut fresh = Vec::new();
        for index in 0..count {
            let is_swapped = swaps && end_to_end_swapped(index, count);
            let slot = if is_swapped {
                1 - first_slot
            } else {
                first_slot
            };
            if prepared != Some(slot) && self.warm_up {
                machine.pair(start, head, slot, coins.flip());
            }
            prepared = Some(slot);
            fresh.push(machine.pair(start, head, slot, coins.flip()).gain());
        }
        let outcome = EndToEnd::judge(&fresh, steps, &self.params).expect(IN_RANGE);
        outcome.estimate.value
    }
}

/// The screen alone, its evidence set for each candidate by LORD++ so that the false discovery rate
/// is at most 5 % (Ramdas, Yang, Wainwright, Jordan 2017): what one gets instead of a constant bound
/// and a confirmation.
pub(super) struct Lord {
    session: Session,
    tests: usize,
    /// Which tests kept something, from 1.
    keeps: Vec<usize>,
}

const FALSE_DISCOVERY_RATE: f64 = 0.05;
/// The least level, so that the evidence wanted stays finite.
const LEVEL_MIN: f64 = 1e-9;

impl Lord {
    pub(super) fn start(
        settings: &Settings,
        machine: &mut Machine<'_>,
        level: f64,
        random: ChaCha8Rng,
    ) -> Self {
        Self {
            session: Session::calibrate(settings, machine, level, random),
            tests: 0,
            keeps: Vec::new(),
        }
    }

    /// The level of the next test, half of the rate being the initial wealth.
    fn level(&self) -> f64 {
        let t = self.tests + 1;
        let wealth = FALSE_DISCOVERY_RATE / 2.0;
        let first = |k: usize| (FALSE_DISCOVERY_RATE - wealth) * discount(t - k);
        let later = |k: &usize| FALSE_DISCOVERY_RATE * discount(t - k);
        let earned = match self.keeps.split_first() {
            Some((&k, rest)) => first(k) + rest.iter().map(later).sum::<f64>(),
            None => 0.0,
        };
        (discount(t) * wealth + earned).max(LEVEL_MIN)
    }
}

/// The sequence by which LORD++ spends its level, sums to 1; the constant is of Javanmard and
/// Montanari 2018.
fn discount(j: usize) -> f64 {
    let x = j as f64;
    0.0722 * x.max(2.0).ln() / (x * x.ln().sqrt().exp())
}

impl Rule for Lord {
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool {
        let level = self.level();
        let session = &mut self.session;
        let params = Params {
            e_keep: 1.0 / level,
            ..session.params
        };
        let mut coins = Coins::new(session.random.next_u64());
        let mut plan = PairPlan {
            phase: Phase::WarmUp,
            slot: u8::from(coins.flip()),
            candidate_first: coins.flip(),
            hold_out: None,
        };
        session.pair(machine, parent, candidate, plan);
        plan.phase = Phase::Screen;
        let mut screen = Screen::new(&params, session.history.s0(&params));
        let mut pairs = Vec::new();
        while screen.step() == ScreenStep::More {
            plan.candidate_first = coins.flip();
            let pair = session.pair(machine, parent, candidate, plan);
            screen.push(session.metric.gain(&pair).expect(IN_RANGE));
            pairs.push(pair);
        }
        session.absorb(&pairs);
        self.tests += 1;
        let keeps = screen.step() == ScreenStep::Confirm;
        if keeps {
            self.keeps.push(self.tests);
        }
        keeps
    }

    fn claim(&mut self, machine: &mut Machine<'_>, start: f64, head: f64) -> f64 {
        self.session.end_to_end(machine, start, head, true, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{NoiseCatalog, Timeline, generator};

    fn on_noise<T>(test: impl FnOnce(&mut Machine<'_>) -> T) -> T {
        let model = NoiseCatalog::bundled().find("iid2").unwrap();
        test(&mut Machine::new(&mut Timeline::new(&model, 3, 0)))
    }

    #[test]
    fn the_residuals_of_screens_take_the_place_of_the_calibration() {
        on_noise(|machine| {
            let settings = Settings::default();
            let mut rule = Own::start(&settings, true, machine, 0.0, generator(3, 0, "coins"));
            let calibrated = rule.session.history.differences().to_vec();
            assert_eq!(calibrated.len(), settings.params.calibration_pairs);
            for _ in 0..40 {
                rule.judge(machine, 0.0, 0.0);
            }
            let later = rule.session.history.differences();
            assert_eq!(later.len(), settings.params.window);
            assert!(!later.iter().any(|d| calibrated.contains(d)));
        });
    }

    /// The sequence must sum to at most 1, or LORD++ promises nothing.
    #[test]
    fn lord_spends_what_it_has() {
        let spent: f64 = (1..200_000).map(discount).sum();
        assert!(spent > 0.4 && spent <= 1.0, "{spent}");
        on_noise(|machine| {
            let settings = Settings::default();
            let mut rule = Lord::start(&settings, machine, 0.0, generator(3, 0, "coins"));
            let first = rule.level();
            assert!((first - 0.025 * discount(1)).abs() < 1e-15);
            rule.tests = 9;
            let poor = rule.level();
            rule.keeps = vec![9];
            assert!(poor < first && rule.level() > poor + 0.02 * discount(1));
        });
    }
}
