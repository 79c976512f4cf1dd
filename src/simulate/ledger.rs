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
            Read::Claim(_)
            | Read::Ablation(_)
            | Read::Repair(_)
            | Read::Skipped
            | Read::Newer { .. } => Ok(()),
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
    use crate::flow::record::{Line, Reason, RunLine};

    /// A run whose screen has these values of parent and candidate, the candidate first.
    fn screened(run: u64, pairs: &[(f64, f64)]) -> RunLine {
        let mut line = samples::kept(run);
        let pair =
            |&(parent, candidate): &(f64, f64)| samples::pair(Phase::Screen, parent, candidate);
        line.pairs = pairs.iter().map(pair).collect();
        line
    }

    fn series(lines: &[String]) -> Result<Series> {
        let mut decoder = Decoder::new("test");
        let mut series = LedgerSeries::default();
        for (number, line) in (1..).zip(lines) {
            series.apply(&decoder.feed(number, line).unwrap()).unwrap();
        }
        series.finish("test")
    }

    #[test]
    fn effects_and_kept_gains_are_taken_out_and_the_noise_stays() {
        // Each candidate takes 90 % of its parent, and is kept: the code gets faster all the time,
        // while the machine stays as it is.
        let gain = -(0.9f64.ln());
        let mut lines = vec![samples::config()];
        for run in 1..=20 {
            let level = 100.0 * 0.9f64.powi(run as i32 - 1);
            let noisy = [0.01, -0.01, 0.02, -0.02].map(|e: f64| (level, 0.9 * level * e.exp()));
            let mut line = screened(run, &noisy);
            line.estimate = Some(samples::gain(gain, 0.01));
            lines.push(samples::run(line));
        }
        let series = series(&lines).unwrap();
        assert_eq!((series.name(), series.runs()), ("ledger", 160));
        let inflate = (4.0f64 / 3.0).sqrt();
        for t in (0..160).step_by(2) {
            let expected = [0.01, -0.01, 0.02, -0.02][t / 2 % 4] * inflate;
            let difference = series.at(t) - series.at(t + 1);
            assert!(
                (difference - expected).abs() < 1e-9,
                "pair {t}: {difference}"
            );
            assert!(
                (series.at(t + 1) - series.at(1)).abs() < 1e-9,
                "the level stays"
            );
        }
        // A replay keeps the two runs of a pair together.
        assert!((0..100).all(|i| series.offset(f64::from(i) / 100.0).is_multiple_of(2)));
    }

    #[test]
    fn each_session_is_centred_on_its_own_median() {
        let mut lines = Vec::new();
        for (session, level) in [(0, 5.0), (1, 5_000.0)] {
            let mut opened = samples::config_line();
            opened.session = format!("session-{session}");
            let mut candidates = Vec::new();
            for i in 0..10 {
                let mut line = screened(session * 10 + i + 1, &[(level, 0.9 * level); 4]);
                line.segment = session as u32;
                line.session.clone_from(&opened.session);
                line.status = Status::Discard;
                line.reason = Reason::NoGain;
                candidates.push(samples::run(line));
            }
            lines.push(Line::Config(Box::new(opened)).encode());
            lines.append(&mut candidates);
        }
        let series = series(&lines).unwrap();
        assert!((0..series.runs()).all(|t| series.at(t).abs() < 1e-9));
    }

    #[test]
    fn short_screens_and_empty_ledgers_are_no_noise() {
        let error = series(&[]).unwrap_err().render();
        assert!(error.contains("test has 0 pairs"), "{error}");
        let mut lines = vec![samples::config()];
        lines.extend((1..=60).map(|run| samples::run(screened(run, &[(100.0, 90.0); 3]))));
        let error = series(&lines).unwrap_err().render();
        assert!(error.contains("test has 0 pairs"), "{error}");
    }
}
