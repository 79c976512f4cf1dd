//! What a trial leaves for the record, and recomputing it from there.

use std::collections::BTreeMap;

use super::metric::median;
use super::record::{Gain, GuardResult, Pair, Phase, Reason, SelfReport};
use super::trial::{Need, Trial, TrialSetup};

/// What a finished trial hands to the record.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialResult {
    /// Why it ended as it did.
    pub reason: Reason,
    /// Particulars of the reason.
    pub detail: String,
    /// Of the confirmation when there was one, else of the screening.
    pub estimate: Option<Gain>,
    /// ln of the e-value when the screening ended.
    pub ln_e: Option<f64>,
    /// Noise scale the screening began with.
    pub scale: f64,
    /// The guards.
    pub guards: Vec<GuardResult>,
    /// A gain by the script's own clock that the driver's speaks against.
    pub self_report: Option<SelfReport>,
    /// Every pair, warm-ups included.
    pub pairs: Vec<Pair>,
}

impl TrialResult {
    /// Medians of one side over the pairs that counted, by metric.
    pub fn medians(
        pairs: &[Pair],
        side: impl Fn(&Pair) -> &BTreeMap<String, f64>,
    ) -> BTreeMap<String, f64> {
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for pair in pairs.iter().filter(|pair| pair.phase != Phase::WarmUp) {
            for (name, value) in side(pair) {
                values.entry(name.clone()).or_default().push(*value);
            }
        }
        values
            .into_iter()
            .map(|(name, values)| (name, median(&values)))
            .collect()
    }
}

/// What recorded pairs lead to.
#[derive(Debug, Clone, PartialEq)]
pub enum Replayed {
    /// A verdict before the gate.
    Verdict(Reason),
    /// Through to the gate.
    ReachesGate,
    /// The pairs end before there is a verdict.
    Unfinished,
}

/// Recomputes how far recorded pairs carry a candidate.
///
/// # Errors
/// A pair does not fit the phase it would have had, or a value is impossible.
pub fn replay(setup: TrialSetup, seed: u64, pairs: &[Pair]) -> Result<Replayed, String> {
    retrace(setup, seed, pairs).map(|(_, replayed)| replayed)
}

/// [`replay`], with the trial as the last pair leaves it.
///
/// # Errors
/// As [`replay`].
pub fn retrace(setup: TrialSetup, seed: u64, pairs: &[Pair]) -> Result<(Trial, Replayed), String> {
    let mut trial = Trial::new(setup, seed);
    let mut recorded = pairs.iter();
    let replayed = loop {
        match trial.next_need() {
            Need::Done => {
                let reason = trial.reason().expect("a trial that is done has a reason");
                break Replayed::Verdict(reason);
            }
            Need::Gate => break Replayed::ReachesGate,
            Need::SwapSlots => trial.swapped(),
            Need::Pair(plan) => {
                let Some(pair) = recorded.next() else {
                    break Replayed::Unfinished;
                };
                if (pair.phase, pair.slot) != (plan.phase, plan.slot) {
                    return Err(format!(
                        "a {:?} pair stands where {:?} belongs",
                        pair.phase, plan.phase
                    ));
                }
                trial
                    .pair(pair.clone())
                    .map_err(|error| error.to_string())?;
            }
        }
    };
    // Nothing is left to be asked for, so nothing recorded may be left over.
    match recorded.next() {
        Some(_) => Err("there are pairs after the verdict".to_owned()),
        None => Ok((trial, replayed)),
    }
}
