//! The rules that are compared: when a candidate replaces the code before it.
//!
//! | name | whose | runs a candidate | claims |
//! |---|---|---|---|
//! | `single` | karpathy/autoresearch, pi-autoresearch and labloop as they come: one run, kept if better than the best so far | 1 | first value over best value |
//! | `median5` | pi-autoresearch's advice for fast noisy benchmarks: the median of 5 runs | 5 | the same |
//! | `labloop` | labloop as `labloop noise` advises: `--min-delta` the range of 5 runs, `--confirm` | 1 to 2 | the same |
//! | `rigor` | `rigor.py` of autoresearch-mlx: 3 runs, bootstrap probability 0.95 | 1 to 3 | first mean over best mean |
//! | `welch` | 5 fresh runs each, in blocks; Welch's t, one-sided 0.05 | 10 | sum of the differences kept |
//! | `benchstat` | 10 fresh runs each, in blocks; Mann-Whitney, two-sided 0.05 | 20 | the same, of medians |
//! | `wilcoxon` | 10 pairs, parent first; signed-rank, one-sided 0.05 | 20 | the same |
//! | `tango` | tango's default: 20 pairs, parent first; mean at least 2.6 standard errors and 1 % | 40 | the same, of means |
//! | `group-sequential` | paired t at 4, 6, 9, 13, 19 and 28 pairs (Pocock), 0.005 in all | 8 to 56 | the same |
//! | `lord` | this program's screen without its confirmation, level by LORD++ for a false discovery rate of 0.05 | | 24 fresh pairs end to end |
//! | `autoresearch` | this program's rule, all of it | | 24 fresh pairs end to end |
//! | `fixed-slots` | the same without its coin for the slots and without their swap | | the same |
//!
//! Rules that build both sides have the parent in worktree 0 and the candidate in 1; those that
//! compare with a stored value, or run blocks, use one worktree.

mod best_so_far;
mod blocks;
mod own;
mod pairs;

use std::fmt;

use rand_chacha::ChaCha8Rng;

use super::machine::Machine;
use crate::error::{Error, Result};
use crate::flow::decision::Params;

/// A rule at work on one stream. Levels are log times of the code, without noise.
pub trait Rule {
    /// Judges code at level `candidate` against the incumbent's `parent`: whether to keep it.
    fn judge(&mut self, machine: &mut Machine<'_>, parent: f64, candidate: f64) -> bool;

    /// The log gain that the rule claims for the whole, from code at `start` to code at `head`.
    fn claim(&mut self, machine: &mut Machine<'_>, start: f64, head: f64) -> f64;
}

/// What this program's rule is set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The rule's parameters.
    pub params: Params,
    /// Whether the discarded warm-up pairs take runs, as they do in `run`.
    pub warm_up: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            params: Params::default(),
            warm_up: true,
        }
    }
}

/// The names of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleName {
    /// One run against the best so far.
    Single,
    /// Median of 5 against the best so far.
    Median5,
    /// labloop with margin and confirmation.
    Labloop,
    /// Three runs and a bootstrap.
    Rigor,
    /// Welch's t on fresh blocks.
    Welch,
    /// Mann-Whitney on fresh blocks.
    Benchstat,
    /// Signed-rank on pairs.
    Wilcoxon,
    /// z on pairs.
    Tango,
    /// Group-sequential paired t.
    GroupSequential,
    /// The screen at levels of LORD++.
    Lord,
    /// This program's rule.
    Autoresearch,
    /// This program's rule with slots that are neither random nor swapped.
    FixedSlots,
}

impl RuleName {
    /// Every rule, in the order of the tables.
    pub const ALL: [Self; 12] = [
        Self::Single,
        Self::Median5,
        Self::Labloop,
        Self::Rigor,
        Self::Welch,
        Self::Benchstat,
        Self::Wilcoxon,
        Self::Tango,
        Self::GroupSequential,
        Self::Lord,
        Self::Autoresearch,
        Self::FixedSlots,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Median5 => "median5",
            Self::Labloop => "labloop",
            Self::Rigor => "rigor",
            Self::Welch => "welch",
            Self::Benchstat => "benchstat",
            Self::Wilcoxon => "wilcoxon",
            Self::Tango => "tango",
            Self::GroupSequential => "group-sequential",
            Self::Lord => "lord",
            Self::Autoresearch => "autoresearch",
            Self::FixedSlots => "fixed-slots",
        }
    }

    /// The rule of that name.
    ///
    /// # Errors
    /// There is none; the hint lists those there are.
    pub fn find(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|rule| rule.as_str() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::usage(format!("no rule is called `{name}`")).hint(format!("known: {known}"))
        })
    }

    /// The rule on a fresh machine, its baseline or calibration measured on code at `level`.
    /// `random` decides its own coins.
    pub fn start(
        self,
        settings: &Settings,
        machine: &mut Machine<'_>,
        level: f64,
        random: ChaCha8Rng,
    ) -> Box<dyn Rule> {
        use best_so_far::{BestSoFar, Rigor};
        match self {
            Self::Single => Box::new(BestSoFar::single(machine, level)),
            Self::Median5 => Box::new(BestSoFar::median5(machine, level)),
            Self::Labloop => Box::new(BestSoFar::labloop(machine, level)),
            Self::Rigor => Box::new(Rigor::start(machine, level)),
            Self::Welch => Box::new(blocks::Welch::default()),
            Self::Benchstat => Box::new(blocks::Benchstat::new()),
            Self::Wilcoxon => Box::new(pairs::Wilcoxon::new()),
            Self::Tango => Box::new(pairs::Tango::default()),
            Self::GroupSequential => {
                Box::new(pairs::GroupSequential::start(machine, level, random))
            }
            Self::Lord => Box::new(own::Lord::start(settings, machine, level, random)),
            Self::Autoresearch => Box::new(own::Own::start(settings, true, machine, level, random)),
            Self::FixedSlots => Box::new(own::Own::start(settings, false, machine, level, random)),
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Unbiased variance.
fn variance(x: &[f64]) -> f64 {
    let centre = mean(x);
    x.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (x.len() - 1) as f64
}

fn median(x: &[f64]) -> f64 {
    crate::flow::metric::median(x)
}

/// `P(T > t)` of Student's t with `freedom` degrees of freedom.
fn student_tail(t: f64, freedom: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, StudentsT};
    StudentsT::new(0.0, 1.0, freedom)
        .expect("degrees of freedom are above 0")
        .sf(t)
}

/// Keeps a division by a standard error of 0 finite.
const TINY: f64 = 1e-30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_by_its_name_and_others_are_refused_with_the_list() {
        for rule in RuleName::ALL {
            assert_eq!(RuleName::find(rule.as_str()).unwrap(), rule);
        }
        let text = RuleName::find("ours").unwrap_err().render();
        for rule in RuleName::ALL {
            assert!(text.contains(rule.as_str()), "{text}");
        }
    }

    #[test]
    fn the_tail_of_students_t_is_that_of_the_printed_table() {
        for (t, freedom, tail) in [(2.015, 5.0, 0.05), (6.314, 1.0, 0.05), (2.878, 18.0, 0.005)] {
            assert!(
                (student_tail(t, freedom) - tail).abs() < 2e-5,
                "{t} {freedom}"
            );
        }
        assert!((student_tail(-2.015, 5.0) - 0.95).abs() < 2e-5);
    }
}
