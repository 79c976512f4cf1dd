//! The part of a trial that judges an exact metric: one pair, a second one that must repeat it, and,
//! where inputs are held out, one with inputs of its own.

use super::Trial;
use crate::flow::decision::DecisionError;
use crate::flow::decision::exact::{ExactRule, ExactStep, ExactVerdict};
use crate::flow::measure::percent_better;
use crate::flow::record::{Gain, Pair, Reason};

impl Trial {
    pub(super) fn screen_exact(
        &mut self,
        rule: ExactRule,
        pair: &Pair,
    ) -> Result<(), DecisionError> {
        let (parent, candidate) = self.setup.primary.values(pair)?;
        self.screened.push(self.setup.primary.gain(pair)?);
        self.first_exact = Some((parent, candidate));
        match rule.judge(self.setup.primary.direction, parent, candidate) {
            ExactStep::Equal => self.end(Reason::NoGain, format!("exactly {candidate}, as before")),
            ExactStep::Worse => self.end(Reason::NoGain, format!("{candidate} against {parent}")),
            ExactStep::TooSmall => {
                self.end(
                    Reason::NoGain,
                    format!("{candidate} against {parent}, too small a gain"),
                );
            }
            ExactStep::RunAgain => self.before_confirmation(),
        }
        Ok(())
    }

    pub(super) fn confirm_exact(
        &mut self,
        rule: ExactRule,
        pair: &Pair,
    ) -> Result<(), DecisionError> {
        let primary = &self.setup.primary;
        let (parent, second) = primary.values(pair)?;
        let gain = primary.gain(pair)?;
        let direction = primary.direction;
        self.confirmed.push(gain);
        if let Some(seed) = pair.hold_out {
            // Other inputs have other values: they need not agree with the first, only be better too.
            match rule.judge(direction, parent, second) {
                ExactStep::RunAgain => self.after_guard_pair(),
                ExactStep::Equal | ExactStep::Worse | ExactStep::TooSmall => self.end(
                    Reason::NotConfirmed,
                    format!("{second} against {parent} with the hold-out seed {seed}"),
                ),
            }
            return Ok(());
        }
        let (first_parent, first) = self.first_exact.expect("the screen ran before");
        let verdict = if rule.agrees(first_parent, parent) {
            rule.confirm(direction, parent, first, second)
        } else {
            ExactVerdict::Demote
        };
        match verdict {
            ExactVerdict::Keep => {
                let smaller = gain.min(self.screened[0]);
                self.estimate = Some(Gain {
                    log: smaller,
                    lo: Some(smaller),
                    hi: Some(smaller),
                    percent: percent_better(direction, smaller),
                    pairs: 2,
                });
                if self.confirmed.len() == self.confirmation_pairs() {
                    self.after_guard_pair();
                }
            }
            ExactVerdict::Drop => {
                self.end(Reason::NotConfirmed, format!("{second} the second time"));
            }
            ExactVerdict::Demote => self.end(
                Reason::NotExact,
                format!(
                    "parent {first_parent} and {parent}, candidate {first} and {second}; \
                     it is judged as a noisy metric from here on"
                ),
            ),
        }
        Ok(())
    }
}
