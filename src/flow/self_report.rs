//! The script's own clock against the driver's: a time that the script measures itself may not get
//! shorter while the whole process takes longer.
//!
//! A candidate that moves work out of the timed part, or prints what is wanted, wins by the script's
//! clock. The guard on wall time stops it from 5 % on; this test, which asks only of claimed wins,
//! from the smallest effect that the session looks for. It is an e-process on `-d - min_effect`, `d`
//! being the driver's log gain in each pair: if the process takes at most `min_effect` longer, it ever
//! reaches [`DISAGREE_E`] with probability 1 in 100 at most. Wall time is watched and, where it is
//! valid, the less noisy wall time minus run-queue delay; two tests must each show twice the evidence.

use super::config::Config;
use super::config_parts::SelfReportRule;
use super::decision::{DecisionError, Direction, EProcess, Params, robust_scale};
use super::driver_metrics::{DRIVER_PREFIX, DRIVER_WALL, DRIVER_WALL_ADJ};
use super::measure::{Judged, percent_better};
use super::metric::median;
use super::record::{Pair, Phase, SelfReport};

/// Evidence that the process takes longer, from which the script's clock is not believed.
pub const DISAGREE_E: f64 = 100.0;

/// Units of time, as people write them.
const TIME_UNITS: &[&str] = &[
    "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "min", "minutes",
];

/// What is watched, and what a disagreement does.
#[derive(Debug, Clone)]
pub struct SelfReportSetup {
    /// Whether it drops the candidate.
    pub blocks: bool,
    /// The driver's clocks, each with its noise scale in log units.
    pub clocks: Vec<(Judged, f64)>,
}

/// The watch of one trial.
#[derive(Debug)]
pub struct SelfReportWatch {
    blocks: bool,
    tolerance: f64,
    clocks: Vec<Clock>,
}

#[derive(Debug)]
struct Clock {
    metric: Judged,
    longer: EProcess,
    gains: Vec<f64>,
}

/// Whether the primary metric is a time that the script measures itself: by its unit, or, when it has
/// none, by the end of its name (`total_ms`).
pub fn is_self_reported_time(config: &Config) -> bool {
    let metric = &config.metric;
    let unit = match metric.unit.as_str() {
        "" => metric
            .name
            .rsplit('_')
            .next()
            .filter(|end| *end != metric.name),
        unit => Some(unit),
    };
    !metric.name.starts_with(DRIVER_PREFIX) && unit.is_some_and(|unit| TIME_UNITS.contains(&unit))
}

/// What to watch by config and calibration; `None` when nothing is. `wall_scale` is the noise scale of
/// [`DRIVER_WALL`]; that of the adjusted time comes from the A/A pairs, if all of them have it.
pub fn setup(
    config: &Config,
    params: &Params,
    calibration_pairs: &[Pair],
    wall_scale: f64,
) -> Option<SelfReportSetup> {
    if config.self_report == SelfReportRule::Off || !is_self_reported_time(config) {
        return None;
    }
    let mut clocks = vec![(Judged::time(DRIVER_WALL), wall_scale)];
    let adjusted = Judged::time(DRIVER_WALL_ADJ);
    let gains: Result<Vec<f64>, DecisionError> = calibration_pairs
        .iter()
        .filter(|pair| pair.phase == Phase::Calibrate)
        .map(|pair| adjusted.gain(pair))
        .collect();
    if let Ok(gains) = gains
        && !gains.is_empty()
    {
        clocks.push((adjusted, robust_scale(&gains).max(params.scale_floor)));
    }
    Some(SelfReportSetup {
        blocks: config.self_report == SelfReportRule::Block,
        clocks,
    })
}

impl SelfReportWatch {
    /// A watch without pairs; of nothing when there is no setup.
    pub fn new(setup: Option<&SelfReportSetup>, params: &Params) -> Self {
        let clocks = setup.map_or(&[][..], |setup| &setup.clocks);
        Self {
            blocks: setup.is_some_and(|setup| setup.blocks),
            tolerance: params.min_effect,
            clocks: clocks
                .iter()
                .map(|(metric, scale)| Clock {
                    metric: metric.clone(),
                    longer: EProcess::new(params, *scale),
                    gains: Vec::new(),
                })
                .collect(),
        }
    }

    /// Takes a pair that counts. A clock that was not valid in it learns nothing from it.
    pub fn push(&mut self, pair: &Pair) {
        for clock in &mut self.clocks {
            if let Ok(gain) = clock.metric.gain(pair) {
                clock.longer.push(-gain - self.tolerance);
                clock.gains.push(gain);
            }
        }
    }

    /// The clock that disagrees most with a claimed win, if one does.
    pub fn disagreement(&self) -> Option<SelfReport> {
        let needed = (DISAGREE_E * self.clocks.len() as f64).ln();
        self.clocks
            .iter()
            .filter(|clock| clock.longer.ln_e_max() >= needed)
            .max_by(|a, b| a.longer.ln_e_max().total_cmp(&b.longer.ln_e_max()))
            .map(|clock| SelfReport {
                metric: clock.metric.name.clone(),
                median_percent: percent_better(Direction::Lower, median(&clock.gains)),
                ln_e: clock.longer.ln_e_max(),
            })
    }

    /// The disagreement in words, if it drops the candidate.
    pub fn objection(&self) -> Option<String> {
        self.disagreement()
            .filter(|_| self.blocks)
            .map(|report| report.describe())
    }
}

impl SelfReport {
    /// In words.
    pub fn describe(&self) -> String {
        format!(
            "the script's own time got better while {} got {:.2} % worse",
            self.metric, -self.median_percent
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pair(wall: (f64, f64), adjusted: Option<(f64, f64)>) -> Pair {
        let side = |wall: f64, adjusted: Option<f64>| {
            let adjusted = adjusted.map(|value| (DRIVER_WALL_ADJ.to_owned(), value));
            std::iter::once((DRIVER_WALL.to_owned(), wall))
                .chain(adjusted)
                .collect::<BTreeMap<_, _>>()
        };
        Pair {
            phase: Phase::Calibrate,
            slot: 0,
            candidate_first: true,
            parent: side(wall.0, adjusted.map(|pair| pair.0)),
            candidate: side(wall.1, adjusted.map(|pair| pair.1)),
            digests: None,
            hold_out: None,
        }
    }

    fn config(text: &str) -> Config {
        Config::parse(text, "c.json").expect("a valid config")
    }

    fn watch(rule: &str, calibration: &[Pair]) -> SelfReportWatch {
        let text = format!(r#"{{"metric": "total_ms", "self_report": "{rule}"}}"#);
        let (config, params) = (config(&text), Params::default());
        let setup = setup(&config, &params, calibration, 0.02);
        SelfReportWatch::new(setup.as_ref(), &params)
    }

    #[test]
    fn only_times_of_the_script_are_self_reports() {
        for (metric, expected) in [
            (r#""total_ms""#, true),
            (r#"{"name": "total", "unit": "µs"}"#, true),
            (r#"{"name": "total_ms", "unit": "ops"}"#, false),
            (r#""ms""#, false),
            (r#""bytes""#, false),
            (r#""driver.wall_ms""#, false),
        ] {
            let config = config(&format!(r#"{{"metric": {metric}}}"#));
            assert_eq!(is_self_reported_time(&config), expected, "{metric}");
        }
    }

    #[test]
    fn a_process_that_takes_longer_is_told_within_the_pairs_of_a_verdict() {
        let mut watch = watch("block", &[]);
        for pairs in 1.. {
            watch.push(&pair((100.0, 104.0), None));
            if let Some(objection) = watch.objection() {
                assert!((8..=16).contains(&pairs), "{pairs}");
                assert_eq!(
                    objection,
                    "the script's own time got better while driver.wall_ms got 4.00 % worse"
                );
                return;
            }
            assert!(pairs < 16, "never told");
        }
    }

    #[test]
    fn a_process_that_is_shorter_or_longer_by_less_than_matters_is_believed() {
        for candidate in [50.0, 99.0, 100.0, 100.9] {
            let mut watch = watch("block", &[]);
            (0..60).for_each(|_| watch.push(&pair((100.0, candidate), None)));
            assert_eq!(watch.disagreement(), None, "{candidate}");
        }
    }

    #[test]
    fn the_adjusted_clock_sees_what_the_noise_of_the_other_hides() {
        let calibration = [pair((100.0, 101.0), Some((90.0, 90.1))); 1];
        let mut watch = watch("block", &calibration);
        for index in 0..24 {
            let noisy = if index % 2 == 0 { 150.0 } else { 66.0 };
            watch.push(&pair((100.0, noisy), Some((90.0, 93.0))));
        }
        let report = watch.disagreement().expect("a disagreement");
        assert_eq!(report.metric, DRIVER_WALL_ADJ);
    }

    #[test]
    fn a_warning_does_not_object_and_off_does_not_look() {
        let longer = || pair((100.0, 150.0), None);
        let mut warns = watch("warn", &[]);
        let mut off = watch("off", &[]);
        for _ in 0..24 {
            warns.push(&longer());
            off.push(&longer());
        }
        assert!(warns.disagreement().is_some() && warns.objection().is_none());
        assert_eq!(off.disagreement(), None);
    }
}
