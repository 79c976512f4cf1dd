//! One benchmark run of one side: executions of the script, what they print, what they use.

use std::collections::{BTreeMap, BTreeSet};

use super::bench::{Bench, Task};
use super::project::{SCRIPT_FILE, script_command};
use crate::edge::cachegrind::Counts;
use crate::edge::clock::fresh_seed;
use crate::edge::process::{End, Finished};
use crate::edge::process_output;
use crate::edge::slots::SlotName;
use crate::error::{Error, Kind, Result};
use crate::flow::config_sandbox::MetricLines;
use crate::flow::digest::{self, DigestValues};
use crate::flow::driver_metrics::{
    self, DRIVER_INSTRUCTIONS, DRIVER_PREFIX, DRIVER_WALL_ADJ, wall_adjusted,
};
use crate::flow::measure::Judged;
use crate::flow::metric::{MetricError, Samples};
use crate::flow::record::Reason;

/// Tells the benchmark script that the config's build command has run in this checkout, so that it
/// need not ask its build tool again in every run.
pub(super) const BUILT_VARIABLE: &str = "AUTORESEARCH_BUILT";

/// Tells the script that the key of this run's lines is the first line of its standard input.
const KEYED_VARIABLE: &str = "AUTORESEARCH_KEYED";

/// One run of one side.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// It gave a value for every metric.
    Measured(Output),
    /// It did not.
    Failed(Reason, String),
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// Its metrics, the driver's among them.
    pub metrics: BTreeMap<String, f64>,
    /// Its DIGEST lines.
    pub digests: DigestValues,
    /// Metrics that an execution printed more than once.
    pub repeated: BTreeSet<String>,
}

/// How a run is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunPlan {
    /// Whether it has the whole deadline of the config: it may have to build first.
    pub full_deadline: bool,
    /// The seed of inputs that no other pair has.
    pub hold_out: Option<u64>,
}

impl Bench {
    /// One run: `repeats` executions of the script, their metrics averaged. Instructions, where they
    /// are asked for, are counted in an execution of their own, which takes many times as long and
    /// whose times mean nothing.
    ///
    /// # Errors
    /// The script cannot be started, or the user wants to stop.
    pub fn run(&mut self, slot: SlotName, plan: RunPlan) -> Result<Run> {
        let mut executions = Vec::new();
        for _ in 0..self.repeats {
            match self.execute(slot, plan, None)? {
                Run::Measured(output) => executions.push(output),
                failed @ Run::Failed(..) => return Ok(failed),
            }
        }
        let mut metrics = means(&executions);
        if self.counts_instructions() {
            let counts = Counts::new(&self.private_directory(slot)?)?;
            match self.execute(slot, plan, Some(&counts))? {
                Run::Measured(output) => executions.push(output),
                failed @ Run::Failed(..) => return Ok(failed),
            }
            metrics.insert(DRIVER_INSTRUCTIONS.to_owned(), counts.total()? as f64);
        }
        let spec = &self.pinned.config.metric;
        if spec.is_composite() {
            let Some(value) = spec.composite(&metrics) else {
                let detail = format!("the parts of {} have no mean", spec.name);
                return Ok(Run::Failed(Reason::BadMetric, detail));
            };
            metrics.insert(spec.name.clone(), value);
        }
        Ok(match unequal_digests(&executions) {
            Some(problem) => Run::Failed(Reason::BadMetric, problem),
            None => {
                self.has_run(slot);
                let repeated = executions.iter().flat_map(|output| &output.repeated);
                Run::Measured(Output {
                    metrics,
                    repeated: repeated.cloned().collect(),
                    digests: executions.swap_remove(0).digests,
                })
            }
        })
    }

    /// Runs what is in the slot once: `None` when it gives every metric, else what went wrong.
    ///
    /// # Errors
    /// The script cannot be started, or the user wants to stop.
    pub fn try_run(&mut self, slot: SlotName) -> Result<Option<String>> {
        let _machine = self.machine_lock()?;
        self.try_run_locked(slot)
    }

    pub(super) fn try_run_locked(&mut self, slot: SlotName) -> Result<Option<String>> {
        let plan = RunPlan {
            full_deadline: true,
            hold_out: None,
        };
        Ok(match self.execute(slot, plan, None)? {
            Run::Measured(_) => None,
            Run::Failed(reason, detail) => Some(format!("{}: {detail}", reason.describe())),
        })
    }

    fn execute(&mut self, slot: SlotName, plan: RunPlan, counts: Option<&Counts>) -> Result<Run> {
        self.interrupts.check()?;
        if let Err(error) = self.freshen(slot).and_then(|()| self.pin_scripts(slot)) {
            if error.is_disk_full() || error.kind() == Kind::Interrupted {
                // Not the candidate's doing.
                return Err(error);
            }
            return Ok(Run::Failed(Reason::RunFailed, error.chain()));
        }
        let mut command = script_command(SCRIPT_FILE);
        if let Some(counts) = counts {
            command = counts.command(&command);
        }
        let directory = self.slots.path(slot).join(&self.pinned.work);
        let limit_s = self.limit_s(plan.full_deadline || counts.is_some());
        let held_out = self.pinned.config.hold_out_env.clone();
        let seed = plan.hold_out.map(|seed| seed.to_string());
        let mut extra = Vec::new();
        let key = match self.pinned.config.metric_lines {
            MetricLines::Plain => None,
            MetricLines::Keyed => Some(format!("{:014x}{:014x}", fresh_seed(), fresh_seed())),
        };
        if key.is_some() {
            extra.push((KEYED_VARIABLE, "1"));
        }
        if self.pinned.config.build.is_some() {
            extra.push((BUILT_VARIABLE, "1"));
        }
        if let (Some(name), Some(seed)) = (&held_out, &seed) {
            extra.push((name.as_str(), seed.as_str()));
        }
        let task = Task {
            command: &command,
            directory: &directory,
            deadline_s: limit_s,
            log: "benchmark",
            extra: &extra,
            key: key.as_deref(),
            output: counts.map(Counts::directory),
        };
        let finished = self.child(&task)?;
        self.has_executed(slot);
        self.spent.measure_s += finished.usage.wall.as_secs_f64();
        match finished.end {
            End::Exited(0) => self.read(&finished, key.as_deref()),
            End::Interrupted => Err(Error::interrupted()),
            End::TimedOut => {
                let detail = format!(
                    "{SCRIPT_FILE} was killed after {limit_s:.0} s\n{}",
                    process_output::tail(&finished.log)
                );
                Ok(Run::Failed(Reason::Timeout, detail))
            }
            end @ (End::Exited(_) | End::Signaled(_) | End::OutputFull | End::DiskFull) => {
                let detail = format!(
                    "{SCRIPT_FILE} {}\n{}",
                    end.describe(),
                    process_output::tail(&finished.log)
                );
                Ok(Run::Failed(Reason::RunFailed, detail))
            }
        }
    }

    /// The deadline of one execution: of a first run, which may build, and of a counted one, which
    /// takes many times as long, the config's own; else what the calibration found to be long.
    fn limit_s(&self, full: bool) -> f64 {
        if full {
            self.pinned.config.timeouts.benchmark_s
        } else {
            self.deadline.as_secs_f64()
        }
    }

    /// What an execution that ended well gave.
    fn read(&self, finished: &Finished, key: Option<&str>) -> Result<Run> {
        let bad = |problem: String| Ok(Run::Failed(Reason::BadMetric, problem));
        let (samples, digests) = process_output::read(&finished.log, key)?;
        let repeated = samples.repeated();
        if let Some(name) = repeated.first().filter(|_| key.is_some()) {
            return bad(format!("{name} was printed twice with the key of one run"));
        }
        let digests = match digests.values() {
            Ok(digests) => digests,
            Err(error) => return bad(error.to_string()),
        };
        let mut metrics = samples.medians();
        metrics.extend(driver_metrics::metrics(&finished.usage));
        for metric in &self.metrics {
            if metric.name == DRIVER_WALL_ADJ
                && let Err(why) = wall_adjusted(&finished.usage)
            {
                return bad(format!("{DRIVER_WALL_ADJ} is not valid here: {why}"));
            }
            if let Err(error) = required(metric, &metrics, &samples) {
                return bad(error.to_string());
            }
        }
        Ok(Run::Measured(Output {
            metrics,
            digests,
            repeated,
        }))
    }
}

/// Means of the metrics that all executions have.
fn means(executions: &[Output]) -> BTreeMap<String, f64> {
    let Some((first, others)) = executions.split_first() else {
        return BTreeMap::new();
    };
    let count = executions.len() as f64;
    let mean = |(name, value): (&String, &f64)| {
        let mut sum = value / count;
        for other in others {
            // Divided first: a sum of large values could overflow.
            sum += other.metrics.get(name)? / count;
        }
        if name.starts_with(DRIVER_PREFIX) {
            // As the driver measures them, in thousandths: the ledger keeps every digit.
            sum = (sum * 1e3).round() / 1e3;
        }
        Some((name.clone(), sum))
    };
    first.metrics.iter().filter_map(mean).collect()
}

/// The executions of one run compute the same thing, or the output cannot be compared with anything.
fn unequal_digests(executions: &[Output]) -> Option<String> {
    let (first, others) = executions.split_first()?;
    others.iter().find_map(|other| {
        let difference =
            digest::compare(&first.digests, &other.digests)?.difference(["first", "later"])?;
        Some(format!(
            "two executions of the same build differ: {difference}"
        ))
    })
}

/// Whether an execution gave a possible value for this metric. Instructions are counted later.
fn required(
    metric: &Judged,
    values: &BTreeMap<String, f64>,
    samples: &Samples,
) -> std::result::Result<(), MetricError> {
    let name = &metric.name;
    if !name.starts_with(DRIVER_PREFIX) {
        return samples.required(name, metric.allow_zero).map(drop);
    }
    match values.get(name) {
        Some(&value) if value > 0.0 || metric.allow_zero => Ok(()),
        Some(&value) => Err(MetricError::NotPositive {
            name: name.clone(),
            value,
        }),
        None if name == DRIVER_INSTRUCTIONS => Ok(()),
        None => Err(MetricError::Missing {
            name: name.clone(),
            instead: String::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(metrics: &[(&str, f64)], digest: &str) -> Output {
        Output {
            metrics: metrics
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            digests: BTreeMap::from([("sum".to_owned(), digest.to_owned())]),
            repeated: BTreeSet::new(),
        }
    }

    #[test]
    fn a_metric_that_one_execution_lacks_has_no_mean() {
        let executions = [
            output(&[("a", 1.0), ("b", 4.0)], "x"),
            output(&[("a", 2.0), ("c", 4.0)], "x"),
        ];
        assert_eq!(means(&executions), BTreeMap::from([("a".to_owned(), 1.5)]));
        let large = [output(&[("a", 1e308)], "x"), output(&[("a", 1e308)], "x")];
        assert_eq!(means(&large)["a"], 1e308);
    }

    #[test]
    fn executions_of_one_run_that_compute_different_things_are_told() {
        let same = [output(&[], "x"), output(&[], "x")];
        assert_eq!(unequal_digests(&same), None);
        let other = [output(&[], "x"), output(&[], "x"), output(&[], "y")];
        assert_eq!(
            unequal_digests(&other).unwrap(),
            "two executions of the same build differ: DIGEST sum: first x, later y"
        );
    }
}
