//! A ledger's own pairs as noise.

use super::trace::Series;
use crate::error::{Error, Result};
use crate::flow::decision::{DecisionError, Params, noise_residuals};
use crate::flow::entry::Read;
use crate::flow::measure::Judged;
use crate::flow::record::{CalibrationLine, Pair, Phase, RunLine, Status};
use crate::flow::session::judged;

/// Fewest pairs a ledger must have to be replayed.
const PAIRS_MIN: usize = 50;

/// Collects the runs of a ledger in time order, with the effects of the candidates taken out.
///
/// * A calibration measures one commit; its pairs are taken as they are.
/// * Of a candidate's pairs the residuals are taken, as the noise history does
///   ([`noise_residuals`]).
/// * What was kept before is added back, so that the level shows the machine and not the progress.
/// * Each session is centred on its own median: metrics differ from session to session.
///
/// Sessions whose metric repeats itself exactly have no noise and are left out.
#[derive(Debug, Default)]
pub struct LedgerSeries {
    judging: Option<(Judged, Params)>,
    /// Gains of the commits kept so far in this session.
    kept: f64,
    is_exact: bool,
    session: Vec<f64>,
    runs: Vec<f64>,
}

impl LedgerSeries {
    /// Takes the next thing read.
    ///
    /// # Errors
    /// A pair holds impossible values.
    pub fn apply(&mut self, read: &Read) -> std::result::Result<(), DecisionError> {
        match read {
            Read::Segment(segment) => {
                self.close();
                let config = segment.session.as_ref().map(|line| &line.config);
                self.judging = config.map(|config| (judged(config).0, config.params()));
                Ok(())
            }
            Read::Calibration(line) => self.calibration(line),
            Read::Run(entry) => entry.line().map_or(Ok(()), |line| self.run(line)),
            Read::Claim(_) | Read::Skipped | Read::Newer { .. } => Ok(()),
        }
    }

    /// The series, named `ledger`.
    ///
    /// # Errors
    /// There are too few pairs, or they do not vary.
    pub fn finish(mut self, origin: &str) -> Result<Series> {
        self.close();
        let pairs = self.runs.len() / 2;
        if pairs < PAIRS_MIN {
            return Err(Error::usage(format!(
                "{origin} has {pairs} pairs of a noisy metric, at least {PAIRS_MIN} are needed"
            ))
            .hint("every `autoresearch run` adds 20 with its calibration, and those of each candidate"));
        }
        Ok(Series::new("ledger".to_owned(), self.runs, true))
    }

    fn calibration(&mut self, line: &CalibrationLine) -> std::result::Result<(), DecisionError> {
        self.is_exact = line.primary.exact.is_some();
        self.take(&line.pairs, Phase::Calibrate, false)
    }

    fn run(&mut self, line: &RunLine) -> std::result::Result<(), DecisionError> {
        self.take(&line.pairs, Phase::Screen, true)?;
        self.take(&line.pairs, Phase::Confirm, true)?;
        if let (Status::Keep, Some(gain)) = (line.status, line.estimate) {
            self.kept += gain.log;
        }
        Ok(())
    }

    fn take(
        &mut self,
        pairs: &[Pair],
        phase: Phase,
        has_effect: bool,
    ) -> std::result::Result<(), DecisionError> {
        let Some((primary, params)) = self.judging.as_ref().filter(|_| !self.is_exact) else {
            return Ok(());
        };
        let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.phase == phase).collect();
        let gains = pairs
            .iter()
            .map(|pair| primary.gain(pair))
            .collect::<std::result::Result<Vec<f64>, _>>()?;
        let gains = if has_effect {
            noise_residuals(&gains, params).unwrap_or_default()
        } else {
            gains
        };
        for (pair, gain) in pairs.iter().zip(gains) {
            let (parent, _) = primary.values(pair)?;
            let parent = primary.direction.sign() * primary.positive(parent).ln() + self.kept;
            let candidate = parent - gain;
            self.session.extend(if pair.candidate_first {
                [candidate, parent]
            } else {
                [parent, candidate]
            });
        }
        Ok(())
    }

    fn close(&mut self) {
        if !self.session.is_empty() {
            let session = Series::new(String::new(), std::mem::take(&mut self.session), true);
            self.runs.extend((0..session.runs()).map(|t| session.at(t)));
        }
        self.kept = 0.0;
        self.is_exact = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::{Decoder, samples};
}
