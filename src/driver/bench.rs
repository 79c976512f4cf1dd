//! Running the scripts: one benchmark run, one pair, one build, one gate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::Oid;
use globset::GlobSet;

use super::project::{CHECKS_FILE, Pinned, SCRIPT_FILE};
use crate::edge::child_env;
use crate::edge::interrupt::Interrupts;
use crate::edge::lock::Lock;
use crate::edge::process::{self, End, Finished, Job, TOKEN_VARIABLE};
use crate::edge::process_sys;
use crate::edge::repo::Repo;
use crate::edge::slots::{SlotName, Slots, repository_hash};
use crate::error::{Context, Error, Result};
use crate::flow::config_parts::DRIVER_PREFIX;
use crate::flow::measure::Judged;
use crate::flow::metric::{MetricError, Samples};
use crate::flow::record::Reason;
use crate::flow::session::judged;

/// Tells the benchmark script that the config's build command has run in this checkout, so that it
/// need not ask its build tool again in every run.
const BUILT_VARIABLE: &str = "AUTORESEARCH_BUILT";

/// Everything needed to run the scripts of one session.
pub struct Bench {
    /// The worktrees.
    pub slots: Slots,
    /// What judges.
    pub pinned: Pinned,
    /// Ctrl-C.
    pub interrupts: Interrupts,
    /// The session's start, for the gate.
    pub start: Oid,
    /// Metrics every run must give.
    pub metrics: Vec<Judged>,
    /// Executions of the script in one run.
    pub repeats: u32,
    /// Deadline of one execution.
    pub deadline: Duration,
    /// Time spent in children, by what on.
    pub spent: Spent,
    allowed: GlobSet,
    /// Whether the user's cargo settings make all checkouts share one target directory.
    cargo_shares_target: bool,
    token: String,
    logs: PathBuf,
}

/// Seconds spent in children since [`Bench::take_spent`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Checking out and building.
    pub build_s: f64,
    /// Benchmark runs.
    pub measure_s: f64,
    /// The gate.
    pub gate_s: f64,
}

/// One run of one side.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// Its metrics, the driver's among them.
    Measured(BTreeMap<String, f64>),
    /// It did not give a value for every metric.
    Failed(Reason, String),
}

/// A gate or build that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Exit 0.
    pub passed: bool,
    /// What the child did, for messages: "exited with code 1".
    pub ended: String,
    /// End of its output.
    pub tail: String,
    /// Seconds.
    pub duration_s: f64,
}

impl Bench {
    /// Takes possession of the repository's slots for one session.
    ///
    /// # Errors
    /// The slots cannot be created.
    pub fn open(repo: &Repo, pinned: Pinned, interrupts: Interrupts, start: Oid) -> Result<Self> {
        let slots = Slots::open(repo)?;
        let logs = slots.scratch()?;
        let (primary, guards) = judged(&pinned.config);
        // A composite is not printed but computed; its parts are guards.
        let printed = (!pinned.config.metric.is_composite()).then_some(primary);
        process_sys::adopt_orphans();
        Ok(Self {
            metrics: printed
                .into_iter()
                .chain(guards.into_iter().map(|(metric, _)| metric))
                .collect(),
            deadline: Duration::from_secs_f64(pinned.config.timeouts.benchmark_s),
            allowed: child_env::matcher(&pinned.config.env_allow),
            cargo_shares_target: child_env::cargo_shares_target(),
            token: repository_hash(repo),
            repeats: 1,
            spent: Spent::default(),
            logs,
            slots,
            pinned,
            interrupts,
            start,
        })
    }

    /// Time spent so far, and starts counting anew.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Checks a commit out into a slot and builds it there, when the config says how.
    ///
    /// # Errors
    /// The slot cannot be written, or the user wants to stop.
    pub fn prepare(&mut self, slot: SlotName, commit: Oid) -> Result<Checked> {
        self.interrupts.check()?;
        let started = Instant::now();
        self.slots.check_out(slot, commit)?;
        self.pin_scripts(slot)?;
        let checked = match self.pinned.config.build.clone() {
            None => Checked {
                passed: true,
                ended: String::new(),
                tail: String::new(),
                duration_s: 0.0,
            },
            Some(command) => {
                let deadline = self.pinned.config.timeouts.build_s;
                let _machine = self.machine_lock()?;
                let root = self.slots.path(slot);
                let finished = self.child(&command, &root, deadline, "build", &[])?;
                self.checked(&finished)?
            }
        };
        self.spent.build_s += started.elapsed().as_secs_f64();
        Ok(checked)
    }

    /// The scripts as pinned, whatever the commit has.
    fn pin_scripts(&self, slot: SlotName) -> Result<()> {
        let directory = self.slots.path(slot).join(&self.pinned.work);
        let write = |name: &str, content: &[u8]| {
            let path = directory.join(name);
            // Written only when it differs: a new time stamp would be a change of its own.
            if std::fs::read(&path).ok().as_deref() == Some(content) {
                return Ok(());
            }
            std::fs::remove_file(&path).ok();
            std::fs::write(&path, content).context(|| format!("cannot write {}", path.display()))
        };
        write(SCRIPT_FILE, &self.pinned.script)?;
        match &self.pinned.checks {
            Some(content) => write(CHECKS_FILE, content),
            None => Ok(()),
        }
    }

    /// The deadline of one execution: of a first run, which may build, the config's own; else what
    /// the calibration found to be long.
    fn limit_s(&self, full: bool) -> f64 {
        if full {
            self.pinned.config.timeouts.benchmark_s
        } else {
            self.deadline.as_secs_f64()
        }
    }

    /// One run: `repeats` executions of the script, their metrics averaged (the mean has the same
    /// ratios as the sum and keeps the unit).
    ///
    /// # Errors
    /// The script cannot be started, or the user wants to stop.
    pub fn run(&mut self, slot: SlotName, full_deadline: bool) -> Result<Run> {
        let repeats = f64::from(self.repeats);
        let mut means: BTreeMap<String, f64> = BTreeMap::new();
        for _ in 0..self.repeats {
            self.interrupts.check()?;
            match self.execute(slot, full_deadline)? {
                Run::Measured(metrics) => {
                    for (name, value) in metrics {
                        // Divided first: a sum of large values could overflow.
                        *means.entry(name).or_default() += value / repeats;
                    }
                }
                failed @ Run::Failed(..) => return Ok(failed),
            }
        }
        let spec = &self.pinned.config.metric;
        if spec.is_composite() {
            let Some(value) = spec.composite(&means) else {
                let detail = format!("the parts of {} have no mean", spec.name);
                return Ok(Run::Failed(Reason::BadMetric, detail));
            };
            means.insert(spec.name.clone(), value);
        }
        Ok(Run::Measured(means))
    }

    /// Runs what is in the slot once: `None` when it gives every metric, else what went wrong.
    ///
    /// # Errors
    /// The script cannot be started, or the user wants to stop.
    pub fn try_run(&mut self, slot: SlotName) -> Result<Option<String>> {
        let _machine = self.machine_lock()?;
        Ok(match self.execute(slot, true)? {
            Run::Measured(_) => None,
            Run::Failed(reason, detail) => Some(format!("{}: {detail}", reason.describe())),
        })
    }

    fn execute(&mut self, slot: SlotName, full_deadline: bool) -> Result<Run> {
        self.pin_scripts(slot)?;
        let command = ["bash".to_owned(), SCRIPT_FILE.to_owned()];
        let directory = self.slots.path(slot).join(&self.pinned.work);
        let limit_s = self.limit_s(full_deadline);
        let built = [(BUILT_VARIABLE, "1")];
        let extra = if self.pinned.config.build.is_some() {
            &built[..]
        } else {
            &[]
        };
        let finished = self.child(&command, &directory, limit_s, "benchmark", extra)?;
        self.spent.measure_s += finished.wall.as_secs_f64();
        match finished.end {
            End::Exited(0) => {}
            End::Interrupted => return Err(Error::interrupted()),
            End::TimedOut => {
                let detail = format!(
                    "{SCRIPT_FILE} was killed after {limit_s:.0} s\n{}",
                    process::tail(&finished.log)
                );
                return Ok(Run::Failed(Reason::Timeout, detail));
            }
            end @ (End::Exited(_) | End::Signaled(_)) => {
                let detail = format!(
                    "{SCRIPT_FILE} {}\n{}",
                    end.describe(),
                    process::tail(&finished.log)
                );
                return Ok(Run::Failed(Reason::RunFailed, detail));
            }
        }
        self.read(&finished)
    }

    /// The metrics of a run that ended well.
    fn read(&self, finished: &Finished) -> Result<Run> {
        let samples = process::read_metrics(&finished.log)?;
        let mut metrics = samples.medians();
        metrics.extend(driver_metrics(finished));
        for metric in &self.metrics {
            if let Err(error) = required(metric, &metrics, &samples) {
                return Ok(Run::Failed(Reason::BadMetric, error.to_string()));
            }
        }
        Ok(Run::Measured(metrics))
    }

    /// Runs the gate in a slot; `None` when the project has none.
    ///
    /// # Errors
    /// It cannot be started, or the user wants to stop.
    pub fn gate(&mut self, slot: SlotName, base: Oid, candidate: Oid) -> Result<Option<Checked>> {
        if self.pinned.checks.is_none() {
            return Ok(None);
        }
        self.interrupts.check()?;
        // What benchmark runs left in the worktree is none of the gate's business.
        self.slots.check_out(slot, candidate)?;
        self.pin_scripts(slot)?;
        let (base, start, candidate) = (
            base.to_string(),
            self.start.to_string(),
            candidate.to_string(),
        );
        let extra = [
            ("AUTORESEARCH_BASE", base.as_str()),
            ("AUTORESEARCH_START", start.as_str()),
            ("AUTORESEARCH_CANDIDATE", candidate.as_str()),
        ];
        let command = ["bash".to_owned(), CHECKS_FILE.to_owned()];
        let directory = self.slots.path(slot).join(&self.pinned.work);
        let deadline = self.pinned.config.timeouts.checks_s;
        let _machine = self.machine_lock()?;
        let finished = self.child(&command, &directory, deadline, "gate", &extra)?;
        self.spent.gate_s += finished.wall.as_secs_f64();
        self.checked(&finished).map(Some)
    }

    /// Starts any command of ours with the session's environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn child(
        &self,
        command: &[String],
        directory: &Path,
        deadline_s: f64,
        log: &str,
        extra: &[(&str, &str)],
    ) -> Result<Finished> {
        let own_target = self.own_cargo_target(directory);
        let marked: Vec<(&str, &str)> = std::iter::once((TOKEN_VARIABLE, self.token.as_str()))
            .chain(
                own_target
                    .as_deref()
                    .map(|target| ("CARGO_TARGET_DIR", target)),
            )
            .chain(extra.iter().copied())
            .collect();
        let job = Job {
            command,
            dir: directory,
            env: &child_env::build(&self.allowed, &marked),
            deadline: Duration::from_secs_f64(deadline_s),
            log: &self.logs.join(format!("{log}.log")),
        };
        process::run(&job, &self.interrupts)
    }

    /// A target directory of the slot's own, where the user's settings would have all share one:
    /// cargo would then run the other slot's binary.
    fn own_cargo_target(&self, directory: &Path) -> Option<String> {
        let slots =
            [SlotName::Zero, SlotName::One, SlotName::Propose].map(|slot| self.slots.path(slot));
        let slot = slots.iter().find(|slot| directory.starts_with(slot))?;
        self.cargo_shares_target
            .then(|| slot.join("target").display().to_string())
    }

    /// Holds the machine: no other loop of ours builds, tests or measures meanwhile.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn machine_lock(&self) -> Result<Lock> {
        Lock::machine(&self.interrupts)
    }

    fn checked(&self, finished: &Finished) -> Result<Checked> {
        if finished.end == End::Interrupted {
            return Err(Error::interrupted());
        }
        Ok(Checked {
            passed: finished.end.is_success(),
            ended: finished.end.describe(),
            tail: if finished.end.is_success() {
                String::new()
            } else {
                process::tail(&finished.log)
            },
            duration_s: finished.wall.as_secs_f64(),
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        process::kill_strays(&self.token);
    }
}

/// Whether a run gave a possible value for this metric.
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
        None => Err(MetricError::Missing { name: name.clone() }),
    }
}

/// What the driver itself saw of a process and its waited-for descendants.
fn driver_metrics(finished: &Finished) -> [(String, f64); 5] {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let used = finished.used;
    [
        ("driver.wall_ms".to_owned(), ms(finished.wall)),
        ("driver.user_ms".to_owned(), ms(used.user)),
        ("driver.sys_ms".to_owned(), ms(used.sys)),
        ("driver.cpu_ms".to_owned(), ms(used.user + used.sys)),
        ("driver.max_rss_kib".to_owned(), used.max_rss_kib as f64),
    ]
}
