//! A recorded verdict, recomputed from its pairs and taken apart.

use serde::Serialize;

use super::decision::{self, DecisionError, Params, ReplayPoint};
use super::record::{Gain, GateOutcome, GuardResult, Pair, Phase, Reason, RunLine, SelfReport};
use super::trial::{GateVerdict, Replayed, TrialResult, TrialSetup, retrace};

/// Largest relative difference between two figures that count as the same: what reading a number
/// back from decimal text can cost, with room to spare.
const SAME: f64 = 1e-9;

/// One run's verdict, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Number of the run.
    pub run: u64,
    /// The verdict on record.
    pub recorded: Reason,
    /// What the recorded pairs alone lead to.
    pub recomputed: Recomputed,
    /// What on record does not follow from the pairs. Empty when the verdict holds.
    pub differences: Vec<String>,
    /// The rule's lines and limits.
    pub rule: Rule,
    /// The screening, pair by pair; empty for an exact metric.
    pub screen: Vec<ReplayPoint>,
    /// Log gains of the confirmation.
    pub confirm: Vec<f64>,
    /// Gain as recomputed: of the confirmation when there was one, else of the screening.
    pub estimate: Option<Gain>,
    /// The guards as recomputed.
    pub guards: Vec<GuardResult>,
    /// What it would have taken to be kept; `None` for a kept run and where no pair could help.
    pub more: Option<MoreData>,
}

/// What pairs lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recomputed {
    /// To this verdict.
    Verdict(Reason),
    /// Through to the gate, whose outcome is on record and not in the pairs.
    ReachesGate,
    /// To no verdict: something other than a number ended it.
    EndedFromOutside,
}

/// What the verdict was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rule {
    /// Whether the primary metric is exact: then nothing below applies.
    pub exact: bool,
    /// Noise scale of one pair, log units.
    pub scale: f64,
    /// Smallest gain looked for, log units.
    pub delta: f64,
    /// The e-value that goes to the confirmation.
    pub e_keep: f64,
    /// The likelihood ratio that drops.
    pub beta: f64,
    /// Most pairs of a screening.
    pub cap_pairs: usize,
    /// Fewest pairs with which any gain can be kept.
    pub keep_pairs_min: usize,
}

/// What more data could have done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoreData {
    /// The pairs point to no gain: more of the same would not have kept it. One of this many log
    /// units would have been found nearly always.
    NoGainInSight {
        /// Log units.
        needed_gain: f64,
    },
    /// The evidence grew; at its mean rate the line was this many pairs further on.
    Pairs {
        /// Further pairs.
        further: u32,
    },
}

/// Takes verdicts apart. What depends on the rule alone is worked out once: it takes longer than a
/// verdict does.
#[derive(Debug, Clone, Default)]
pub struct Explainer {
    keep_pairs_min: Option<(Params, usize)>,
}

impl Explainer {
    /// Takes the verdict of `line` apart; `setup` is what it was judged by.
    ///
    /// # Errors
    /// As [`Explanation::of`].
    pub fn explain(
        &mut self,
        setup: &TrialSetup,
        line: &RunLine,
    ) -> Result<Explanation, DecisionError> {
        let known = self.keep_pairs_min.take();
        let known = known.filter(|(params, _)| *params == setup.params);
        let (params, keep_pairs_min) =
            known.unwrap_or_else(|| (setup.params, setup.params.keep_pairs_min()));
        self.keep_pairs_min = Some((params, keep_pairs_min));
        Explanation::with(setup, line, keep_pairs_min)
    }
}

impl Explanation {
    /// Takes the verdict of `line` apart; `setup` is what it was judged by.
    ///
    /// # Errors
    /// The line's values are impossible. Pairs that do not fit together are a difference, no error.
    pub fn of(setup: &TrialSetup, line: &RunLine) -> Result<Self, DecisionError> {
        Explainer::default().explain(setup, line)
    }

    fn with(
        setup: &TrialSetup,
        line: &RunLine,
        keep_pairs_min: usize,
    ) -> Result<Self, DecisionError> {
        let gains = |phase: Phase| -> Result<Vec<f64>, DecisionError> {
            let of_phase = line.pairs.iter().filter(|pair| pair.phase == phase);
            of_phase.map(|pair| setup.primary.gain(pair)).collect()
        };
        let screened = gains(Phase::Screen)?;
        let mut differences = Vec::new();
        let (recomputed, result) = match retrace(setup.clone(), line.seed, &line.pairs) {
            Ok((mut trial, replayed)) => {
                let recomputed = match replayed {
                    Replayed::Verdict(reason) => Recomputed::Verdict(reason),
                    Replayed::ReachesGate => {
                        trial.gate(gate_verdict(line.gate.outcome));
                        Recomputed::ReachesGate
                    }
                    Replayed::Unfinished => {
                        trial.end(line.reason, line.detail.clone());
                        Recomputed::EndedFromOutside
                    }
                };
                (recomputed, Some(trial.finish()))
            }
            Err(error) => {
                differences.push(error);
                (Recomputed::EndedFromOutside, None)
            }
        };
        if differences.is_empty() && !recomputed.agrees(line, setup) {
            differences.push(format!(
                "the verdict on record is {:?}; the pairs lead to {:?}",
                line.reason.describe(),
                recomputed.describe()
            ));
        }
        if let Some(result) = &result {
            compare(line, result, &mut differences);
        }
        let screen = if setup.exact.is_some() || !differences.is_empty() {
            Vec::new()
        } else {
            decision::replay(&screened, setup.scale, &setup.params)?.path
        };
        Ok(Self {
            run: line.run,
            recorded: line.reason,
            recomputed,
            rule: Rule::new(setup, keep_pairs_min),
            more: more_data(line.reason, &screen, setup),
            screen,
            confirm: gains(Phase::Confirm)?,
            estimate: result.as_ref().and_then(|result| result.estimate),
            guards: result.map(|result| result.guards).unwrap_or_default(),
            differences,
        })
    }

    /// Whether everything on record follows from the pairs.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Recomputed {
    /// Whether the verdict on record is what the pairs lead to.
    fn agrees(self, line: &RunLine, setup: &TrialSetup) -> bool {
        match self {
            Self::Verdict(reason) => reason == line.reason,
            Self::ReachesGate => match line.reason {
                Reason::Improved => {
                    matches!(line.gate.outcome, GateOutcome::Pass | GateOutcome::NotRun)
                }
                Reason::GateFailed => line.gate.outcome == GateOutcome::Fail,
                Reason::GateFlaky => line.gate.outcome == GateOutcome::Flaky,
                Reason::PlaceboPassed => line.is_placebo(),
                _ => false,
            },
            Self::EndedFromOutside => match line.reason {
                Reason::Inconclusive => setup.is_timed && line.pairs.iter().any(is_screen),
                reason => reason.ends_from_outside(),
            },
        }
    }

    /// Words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Verdict(reason) => reason.describe(),
            Self::ReachesGate => "through to the gate",
            Self::EndedFromOutside => "no verdict",
        }
    }
}

impl Rule {
    fn new(setup: &TrialSetup, keep_pairs_min: usize) -> Self {
        let params = &setup.params;
        Self {
            exact: setup.exact.is_some(),
            scale: setup.scale,
            delta: params.min_effect.max(setup.scale),
            e_keep: params.e_keep,
            beta: params.beta,
            cap_pairs: params.cap_pairs,
            keep_pairs_min,
        }
    }
}

fn is_screen(pair: &Pair) -> bool {
    pair.phase == Phase::Screen
}

fn gate_verdict(outcome: GateOutcome) -> GateVerdict {
    match outcome {
        GateOutcome::Pass | GateOutcome::NotRun => GateVerdict::Pass,
        GateOutcome::Fail => GateVerdict::Fail,
        GateOutcome::Flaky => GateVerdict::Flaky,
    }
}

/// Adds every figure on record that the pairs do not give.
fn compare(line: &RunLine, result: &TrialResult, differences: &mut Vec<String>) {
    let mut check = |what: &str, recorded: Option<f64>, recomputed: Option<f64>| {
        let same = match (recorded, recomputed) {
            (Some(a), Some(b)) => (a - b).abs() <= SAME * (1.0 + a.abs().max(b.abs())),
            (a, b) => a == b,
        };
        if !same {
            differences.push(format!(
                "{what} on record is {}; the pairs give {}",
                figure(recorded),
                figure(recomputed)
            ));
        }
    };
    if !line.pairs.is_empty() {
        check("the noise scale", line.scale, Some(result.scale));
    }
    check("ln E", line.ln_e, result.ln_e);
    let (a, b) = (&line.estimate, &result.estimate);
    let part = |gain: &Option<Gain>, part: fn(&Gain) -> Option<f64>| gain.as_ref().and_then(part);
    for (what, get) in [
        ("the gain", (|g| Some(g.log)) as fn(&Gain) -> Option<f64>),
        ("the interval's lower end", |g| g.lo),
        ("the interval's upper end", |g| g.hi),
        ("the gain in percent", |g| Some(g.percent)),
        ("the gain's pairs", |g| Some(f64::from(g.pairs))),
    ] {
        check(what, part(a, get), part(b, get));
    }
    type Part = fn(&GuardResult) -> f64;
    let of = |guards: &[GuardResult], name: &str, part: Part| {
        let guard = guards.iter().find(|guard| guard.name == name);
        guard.map(part)
    };
    for name in line.guards.iter().chain(&result.guards).map(|g| &g.name) {
        for (what, part) in [
            ("median", (|g| g.median_percent) as Part),
            ("tolerance", |g| g.tolerance_log),
            ("noise scale", |g| g.scale),
            ("number of pairs", |g| f64::from(g.pairs)),
        ] {
            let (a, b) = (of(&line.guards, name, part), of(&result.guards, name, part));
            check(&format!("the {what} of guard {name}"), a, b);
        }
    }
    let (a, b) = (&line.self_report, &result.self_report);
    for (what, part) in [
        (
            "the median of the clock that disagrees",
            (|r| r.median_percent) as fn(&SelfReport) -> f64,
        ),
        ("ln E of the clock that disagrees", |r| r.ln_e),
    ] {
        check(what, a.as_ref().map(part), b.as_ref().map(part));
    }
    for recorded in &line.guards {
        let again = result.guards.iter().find(|g| g.name == recorded.name);
        if let Some(again) = again.filter(|again| again.outcome != recorded.outcome) {
            differences.push(format!(
                "guard {} on record is {:?}; the pairs give {:?}",
                recorded.name, recorded.outcome, again.outcome
            ));
        }
    }
    differences.dedup();
}

fn figure(value: Option<f64>) -> String {
    value.map_or("absent".to_owned(), |value| format!("{value}"))
}

/// What more pairs could have done for a candidate that ended in the screening.
fn more_data(reason: Reason, screen: &[ReplayPoint], setup: &TrialSetup) -> Option<MoreData> {
    match reason {
        Reason::NoGain | Reason::Inconclusive => {}
        _ => return None,
    }
    let last = screen.last()?;
    let params: &Params = &setup.params;
    let rate = last.ln_e / screen.len() as f64;
    let missing = params.e_keep.ln() - last.ln_e;
    Some(if rate > 0.0 {
        let further = (missing / rate).ceil().clamp(1.0, f64::from(u32::MAX));
        MoreData::Pairs {
            further: further as u32,
        }
    } else {
        MoreData::NoGainInSight {
            needed_gain: params.min_effect.max(setup.scale),
        }
    })
}

#[cfg(test)]
mod tests;
