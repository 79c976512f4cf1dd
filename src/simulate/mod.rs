//! Keep/revert rules played against simulated candidates of known effect on simulated or recorded
//! noise. Pure: the seed decides everything.
//!
//! The rule of this program is not modelled here: [`rules`] drives the very state machine that `run`
//! drives ([`crate::flow::trial::Trial`]), and takes its calibration, noise history and end-to-end
//! claim from [`crate::flow::decision`]. The other rules are those of programs that people use, read
//! from their sources and documentation.
//!
//! # The model
//!
//! Everything is a logarithm of time. A candidate has a true effect, `ln parent - ln candidate`, so
//! that a positive one is faster. A benchmark run of code at level `L` reads `L + noise[t]`, where
//! `t` counts all runs of the machine ([`Machine`]). All rules of one stream meet the same
//! candidates and the same noise (common random numbers) and spend runs at their own pace, so that
//! drift hits each where it would; between two candidates [`PROPOSAL_RUNS`] runs of time pass.
//!
//! # What is counted
//!
//! [`Row`] has the figures, over the first [`CANDIDATES`] candidates of each stream. Standard errors
//! are jackknife estimates over the streams: candidates of one stream are not independent, for a
//! rule that has kept a lucky value is strict from then on.
//!
//! # Sources
//!
//! * [`NoiseModel`]: the synthetic models are round numbers near what was measured; the recorded
//!   series are described at [`trace`].
//! * Jackknife: Efron and Stein, *The jackknife estimate of variance*, 1981.

mod ledger;
mod machine;
mod noise;
mod play;
mod rank;
pub mod rules;
mod run;
mod seed;
mod stream;
mod table;
pub mod trace;

pub use ledger::LedgerSeries;
pub use machine::{Machine, Timeline};
pub use noise::{NoiseCatalog, NoiseModel};
pub use play::{BUDGETS, Budget, CANDIDATES, PROPOSAL_RUNS, Played, play};
pub use run::{Job, Plan, simulate};
pub use seed::generator;
pub use stream::Stream;
pub use table::{Figure, PROBES_PERCENT, Row};
