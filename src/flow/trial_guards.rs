//! The guards of one trial: each fed with every pair, decided one by one.

use super::decision::exact::{self, ExactRule};
use super::decision::{
    Calibration, DecisionError, GuardProcess, GuardState, Params, robust_scale,
    tolerance_from_percent,
};
use super::measure::{Judged, percent_better};
use super::metric::median;
use super::record::{GuardOutcome, GuardResult, Pair};

/// How one guard is judged.
#[derive(Debug, Clone)]
pub struct GuardSetup {
    /// The metric.
    pub metric: Judged,
    /// The user's tolerance, percent; by default 5 for a noisy metric and 0 for an exact one.
    pub tolerance_percent: Option<f64>,
    /// How it is judged when it is exact.
    pub exact: Option<ExactRule>,
    /// Its own noise scale, log units.
    pub scale: f64,
}

/// Tolerance of a noisy guard without one in the config, percent (decision rule, section 5).
const NOISY_TOLERANCE_PERCENT: f64 = 5.0;

/// All guards of one trial.
#[derive(Debug)]
pub struct GuardPanel {
    guards: Vec<Guard>,
    pairs: usize,
}

#[derive(Debug)]
struct Guard {
    setup: GuardSetup,
    params: Params,
    process: GuardProcess,
    gains: Vec<f64>,
    /// First pair's values of an exact guard: every later pair must repeat them.
    exact: Option<(ExactRule, Option<(f64, f64)>)>,
    /// Whether an exact guard got worse by more than its tolerance with held-out inputs.
    failed_held_out: bool,
}

impl GuardPanel {
    /// Guards without pairs.
    pub fn new(setups: &[GuardSetup], params: &Params) -> Self {
        let guards = setups
            .iter()
            .map(|setup| Guard::new(setup.clone(), params))
            .collect();
        Self { guards, pairs: 0 }
    }

    /// Takes a pair that counts.
    ///
    /// # Errors
    /// A guard's value is missing or impossible.
    pub fn push(&mut self, pair: &Pair) -> Result<(), DecisionError> {
        self.pairs += 1;
        self.guards
            .iter_mut()
            .try_for_each(|guard| guard.push(pair))
    }

    /// Pairs seen.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The guards that have failed, in words.
    pub fn failure(&self) -> Option<String> {
        let failed: Vec<String> = self
            .guards
            .iter()
            .filter(|guard| guard.state() == GuardState::Fail)
            .map(Guard::describe_failure)
            .collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    }

    /// The guards that ran out of pairs, in words.
    pub fn undecided_at_cap(&self) -> Option<String> {
        let open: Vec<String> = self
            .guards
            .iter()
            .filter(|guard| guard.state() == GuardState::UndecidedAtCap)
            .map(|guard| {
                format!(
                    "{} undecided after {} pairs",
                    guard.setup.metric.name,
                    guard.gains.len()
                )
            })
            .collect();
        (!open.is_empty()).then(|| open.join("; "))
    }

    /// Whether every guard lets the candidate through.
    pub fn all_passed(&self) -> bool {
        self.guards.iter().all(|guard| guard.state().permits_keep())
    }

    /// For the record.
    pub fn results(&self) -> Vec<GuardResult> {
        self.guards
            .iter()
            .filter(|guard| !guard.gains.is_empty())
            .map(Guard::result)
            .collect()
    }
}

impl Guard {
    fn new(setup: GuardSetup, params: &Params) -> Self {
        let percent = setup.tolerance_percent.unwrap_or(NOISY_TOLERANCE_PERCENT);
        let tolerance = tolerance_from_percent(setup.metric.direction, percent)
            .expect("the config checked the range of tolerances");
        Self {
            process: GuardProcess::new(params, setup.scale, tolerance),
            exact: setup.exact.map(|rule| (rule, None)),
            params: *params,
            gains: Vec::new(),
            failed_held_out: false,
            setup,
        }
    }

    fn push(&mut self, pair: &Pair) -> Result<(), DecisionError> {
        let gain = self.setup.metric.gain(pair)?;
        let values = self.setup.metric.values(pair)?;
        self.gains.push(gain);
        if let (Some((rule, _)), Some(_)) = (&self.exact, pair.hold_out) {
            // Other inputs have other values: they need not repeat the first, only be good enough.
            self.failed_held_out |= !self.permits(*rule, values);
            return Ok(());
        }
        match &mut self.exact {
            Some((_, first @ None)) => *first = Some(values),
            Some((rule, Some((parent, candidate)))) => {
                if !rule.agrees(*parent, values.0) || !rule.agrees(*candidate, values.1) {
                    self.demote();
                }
            }
            None => {
                self.process.push(gain);
            }
        }
        Ok(())
    }

    /// It differed between two runs of one build, so it is noisy after all. The scale comes from the
    /// magnitudes of this trial's own pairs, which says nothing about their signs.
    fn demote(&mut self) {
        self.exact = None;
        let scale = robust_scale(&self.gains).max(self.params.scale_floor);
        let demoted = GuardSetup {
            exact: None,
            scale,
            ..self.setup.clone()
        };
        let gains = std::mem::take(&mut self.gains);
        let mut noisy = Self::new(demoted, &self.params);
        for &gain in &gains {
            noisy.process.push(gain);
        }
        *self = Self { gains, ..noisy };
    }

    fn state(&self) -> GuardState {
        match self.exact {
            None => self.process.state(),
            Some((_, None)) => GuardState::Undecided,
            Some(_) if self.failed_held_out => GuardState::Fail,
            Some((rule, Some(values))) if self.permits(rule, values) => GuardState::Pass,
            Some((_, Some(_))) => GuardState::Fail,
        }
    }

    /// Whether an exact guard's values, parent's and candidate's, permit a keep.
    fn permits(&self, rule: ExactRule, (parent, candidate): (f64, f64)) -> bool {
        let tolerance = self.setup.tolerance_percent.unwrap_or(0.0);
        let direction = self.setup.metric.direction;
        exact::guard(rule, direction, parent, candidate, tolerance)
    }

    fn describe_failure(&self) -> String {
        let worse = -percent_better(self.setup.metric.direction, median(&self.gains));
        // The tolerance in force: never below a noisy metric's own noise.
        let allowed = if self.exact.is_some() {
            self.setup.tolerance_percent.unwrap_or(0.0)
        } else {
            -percent_better(self.setup.metric.direction, -self.process.tau())
        };
        format!(
            "{} is {worse:.2} % worse; {allowed:.2} % is allowed",
            self.setup.metric.name
        )
    }

    fn result(&self) -> GuardResult {
        let is_exact = self.exact.is_some();
        GuardResult {
            name: self.setup.metric.name.clone(),
            outcome: match self.state() {
                GuardState::Pass => GuardOutcome::Pass,
                GuardState::Fail => GuardOutcome::Fail,
                GuardState::Undecided | GuardState::UndecidedAtCap => GuardOutcome::Undecided,
            },
            tolerance_log: if is_exact { 0.0 } else { self.process.tau() },
            pairs: u32::try_from(self.gains.len()).unwrap_or(u32::MAX),
            median_percent: percent_better(self.setup.metric.direction, median(&self.gains)),
            scale: if is_exact { 0.0 } else { self.setup.scale },
        }
    }
}

/// A guard's setup from its calibration.
pub fn guard_setup(
    metric: Judged,
    tolerance_percent: Option<f64>,
    calibration: &Calibration,
    scale: f64,
) -> GuardSetup {
    GuardSetup {
        metric,
        tolerance_percent,
        exact: calibration.exact,
        scale,
    }
}
