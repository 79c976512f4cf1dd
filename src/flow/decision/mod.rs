//! How a candidate is kept or dropped. Pure: no I/O, no clock, no randomness.
//!
//! # The rule
//!
//! A candidate and its parent are measured in pairs, back to back. A seeded
//! coin chooses which of the two runs first. Only the log gain of a pair,
//! `d = ln parent - ln candidate` ([`log_gain`]), is ever looked at: on a
//! machine whose speed drifts, values measured minutes apart say nothing.
//!
//! 1. **Calibrate** ([`Calibration`]). The same commit is built into both slots
//!    and measured against itself. That gives the noise scale, and refuses a
//!    harness in which one slot is faster. Metrics that repeat themselves are
//!    exact and go another way ([`exact`]).
//! 2. **Screen** ([`Screen`]). After each pair an e-process ([`EProcess`]) holds
//!    the evidence for a gain and a clipped likelihood ratio ([`Futility`]) the
//!    evidence against one. `E >= 100` goes to the confirmation; a futile
//!    candidate is dropped, after 7.5 pairs in the mean if it is a no-op.
//! 3. **Confirm** ([`Confirmation`]). A clean rebuild, slots swapped, 8 to 24
//!    fresh pairs, their number fixed by the screen. Their Hodges-Lehmann
//!    estimate must be above 0, and it, not the screen, is what the commit
//!    claims.
//! 4. **Guard** ([`GuardProcess`], [`exact::guard`]). Other metrics, measured
//!    in the same pairs, must be shown not to be worse than a tolerance.
//! 5. **Claim** ([`EndToEnd`]). The session claims only what 24 fresh pairs of
//!    its first and its last commit show.
//!
//! # What is proved and what is not
//!
//! *Keeping is exact.* If candidate and parent behave alike, the sign of `d` is
//! a fair coin whatever the drift, the tails and the load, because our own coin
//! made it so. The e-process is then a test martingale: `P(E ever >= 100)` is at
//! most 1/100 (Ville), the confirmation is one more coin, and at most one no-op
//! in 200 is kept ([`false_keep_bound`]). This assumes fair coins and slots
//! without bias, nothing else. *Dropping is a model*: it costs power when the
//! model is wrong, never a false keep.
//!
//! A candidate whose values have another shape but the same median is outside
//! the proof, and so is the true effect of an unrelated change in code layout.
//! `min_effect` and placebos ([`placebo_due`]) speak to those.
//!
//! # Conventions
//!
//! * Gains, scales and tolerances are differences of natural logarithms, above
//!   0 means better; [`change_percent`] and [`ratio`] translate.
//! * A verdict is a pure function of the recorded gains, the recorded starting
//!   scale and [`Params`]; [`replay`] and [`replay_guard`] recompute it.
//! * Functions on values of this run panic on a NaN, which is a bug; functions
//!   on recorded or configured values return a [`DecisionError`].
//!
//! # Sources
//!
//! * Vovk, Wang: *Nonparametric e-tests of symmetry*, arXiv 2208.08925.
//! * Ville 1939; Ramdas, Grünwald, Vovk, Shafer: *Game-theoretic statistics and
//!   safe anytime-valid inference*, 2023 (stopping at any time).
//! * Wald 1945 (sequential likelihood ratio); Huber 1965 (clipping it).
//! * Hodges, Lehmann 1963; Wilcoxon 1945 (estimate and its exact interval).
//! * Mytkowicz et al. 2009: *Producing wrong data without doing anything
//!   obviously wrong* (why slots and layout matter).

mod calibration;
mod combine;
mod composite;
mod confirm;
mod direction;
mod error;
mod estimate;
mod evidence;
pub mod exact;
mod expected;
mod guard;
mod pair_policy;
mod params;
mod scale;
mod schedule;
mod screen;
mod timeouts;

pub use calibration::{
    AaPair, Calibration, RUN_SECONDS_MIN, SlotBias, adjusted_metric_advised, repeats_needed,
};
pub use combine::{Claim, EndToEnd, StepSum};
pub use composite::Composite;
pub use confirm::{ConfirmVerdict, Confirmation};
pub use direction::{
    Direction, change_percent, checked_log_gain, gain_from_change_percent, log_gain, log_percent,
    ratio, speedup,
};
pub use error::{DecisionError, LOG_GAIN_ABS_MAX, SCALE_MAX, check_log_gains};
pub use estimate::{
    CONFIDENCE, Estimate, Interval, confirmation_pairs, hodges_lehmann, walsh_interval,
};
pub use evidence::{EProcess, Futility};
pub use expected::{false_discovery_bound, false_keep_bound};
pub use guard::{
    GUARD_TOLERANCE_PERCENT_DEFAULT, GuardProcess, GuardState, replay_guard, tolerance_from_percent,
};
pub use pair_policy::{PairOutcome, PairPolicy};
pub use params::Params;
pub use scale::{CALIBRATION_PAIRS_MIN, MAD_TO_SD, NoiseHistory, noise_residuals, robust_scale};
pub use schedule::{
    END_TO_END_EVERY_KEEPS, RECALIBRATE_AFTER_S, WARMUP_PAIRS, calibration_due, end_to_end_due,
    end_to_end_swapped, placebo_due,
};
pub use screen::{DropReason, Replay, ReplayPoint, Screen, ScreenStep, replay};
pub use timeouts::{DEADLINE_FLOOR_S, DEADLINE_PARENT_MEDIANS, run_deadline_s};
