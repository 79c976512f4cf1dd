//! Running the scripts: one benchmark run, one pair, one build, one gate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::Oid;
use globset::GlobSet;

use super::fresh::SlotState;
use super::project::{CHECKS_FILE, Pinned, SCRIPT_FILE, script_command, warn_of_missing};
use crate::edge::cachegrind;
use crate::edge::cgroup::{self, Groups};
use crate::edge::child_env;
use crate::edge::git_files::GitFiles;
use crate::edge::interrupt::Interrupts;
use crate::edge::lock::Lock;
use crate::edge::process::{self, End, Finished, Job, TOKEN_VARIABLE};
use crate::edge::process_output;
use crate::edge::process_sys;
use crate::edge::repo::Repo;
use crate::edge::sandbox::{self, Room, Sandbox};
use crate::edge::slot_files;
use crate::edge::slots::{SlotName, Slots, repository_hash};
use crate::error::{Context, Error, Result};
use crate::flow::config_parts::AgentSpec;
use crate::flow::driver_metrics::{DRIVER_INSTRUCTIONS, DRIVER_WALL_ADJ};
use crate::flow::measure::Judged;
use crate::flow::session::judged;
use crate::propose::agent_presets;

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
    /// Where children's output goes.
    pub(super) logs: PathBuf,
    /// What keeps builds, benchmarks and gates in.
    pub sandbox: Sandbox,
    /// What keeps the agent in.
    pub agent_sandbox: Sandbox,
    /// Where control groups are made, if they can be.
    groups: Option<Groups>,
    /// What was in the slots when they were ready, and when something last ran in them.
    pub(super) states: [SlotState; 2],
    /// Files that builds make and incumbents' runs change, below the worktree or the private directory.
    pub(super) habits: BTreeSet<PathBuf>,
    /// What makes the user's git run programs, as it was when last looked at.
    git_files: GitFiles,
}

/// A command of the loop's.
pub struct Task<'a> {
    /// Program and arguments.
    pub command: &'a [String],
    /// Where it runs. In a slot it is kept in.
    pub directory: &'a Path,
    /// Seconds after which it is killed.
    pub deadline_s: f64,
    /// Name of its output's file.
    pub log: &'a str,
    /// Variables beside the session's.
    pub extra: &'a [(&'a str, &'a str)],
    /// The key that it reads from its standard input.
    pub key: Option<&'a str>,
    /// A directory of ours beside the slot that it may write, too.
    pub output: Option<&'a Path>,
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
        warn_of_missing(repo, start, &interrupts)?;
        let slots = Slots::open(repo)?;
        let logs = slots.scratch()?;
        let (primary, guards) = judged(&pinned.config);
        // A composite is not printed but computed; its parts are guards.
        let printed = (!pinned.config.metric.is_composite()).then_some(primary);
        let metrics: Vec<Judged> = printed
            .into_iter()
            .chain(guards.into_iter().map(|(metric, _)| metric))
            .collect();
        if counts_instructions(&metrics) {
            cachegrind::check()?;
        }
        process_sys::adopt_orphans();
        let by_thread = metrics.iter().any(|metric| metric.name == DRIVER_WALL_ADJ);
        let sandbox = sandbox::choose(pinned.config.sandbox, by_thread)?;
        let agent = pinned.config.agent.as_ref();
        let agent_mode = agent.and_then(|agent| agent.sandbox);
        let agent_sandbox = match agent {
            Some(_) => sandbox::choose(agent_mode.unwrap_or(pinned.config.sandbox), false)?,
            None => sandbox,
        };
        let token = repository_hash(repo);
        let groups = control_groups(&token, slots.directory())?;
        Ok(Self {
            metrics,
            deadline: Duration::from_secs_f64(pinned.config.timeouts.benchmark_s),
            allowed: child_env::matcher(&pinned.config.env_allow),
            cargo_shares_target: child_env::cargo_shares_target(),
            token,
            repeats: 1,
            spent: Spent::default(),
            logs,
            sandbox,
            agent_sandbox,
            groups,
            states: Default::default(),
            habits: BTreeSet::new(),
            git_files: GitFiles::read(repo.common_dir()),
            slots,
            pinned,
            interrupts,
            start,
        })
    }

    /// Whether the metric or a guard is the number of instructions.
    pub(super) fn counts_instructions(&self) -> bool {
        counts_instructions(&self.metrics)
    }

    /// Time spent so far, and starts counting anew.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// The scripts as pinned, whatever the commit has.
    pub(super) fn pin_scripts(&self, slot: SlotName) -> Result<()> {
        let root = self.slots.path(slot);
        let write = |name: &str, content: &[u8]| {
            slot_files::write_inside(&root, &self.pinned.work, name, content).context(|| {
                let path = root.join(&self.pinned.work).join(name);
                format!("cannot write {}", path.display())
            })
        };
        write(SCRIPT_FILE, &self.pinned.script)?;
        match &self.pinned.checks {
            Some(content) => write(CHECKS_FILE, content),
            None => Ok(()),
        }
    }

    /// A directory beside the slot, which what runs there cannot write to by itself.
    pub(super) fn private_directory(&self, slot: SlotName) -> Result<PathBuf> {
        let directory = self.slots.private(slot);
        std::fs::create_dir_all(&directory)
            .context(|| format!("cannot create {}", directory.display()))?;
        Ok(directory)
    }

    /// Whether the project has a gate.
    pub fn has_gate(&self) -> bool {
        self.pinned.checks.is_some()
    }

    /// Runs the gate in a slot; `None` when the project has none.
    ///
    /// # Errors
    /// It cannot be started, or the user wants to stop.
    pub fn gate(&mut self, slot: SlotName, base: Oid, candidate: Oid) -> Result<Option<Checked>> {
        if !self.has_gate() {
            return Ok(None);
        }
        self.interrupts.check()?;
        // What benchmark runs left in the worktree is none of the gate's business.
        self.forget_files(slot);
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
        let command = script_command(CHECKS_FILE);
        let directory = self.slots.path(slot).join(&self.pinned.work);
        let deadline = self.pinned.config.timeouts.checks_s;
        let _machine = self.machine_lock()?;
        let finished = self.child(&Task {
            command: &command,
            directory: &directory,
            deadline_s: deadline,
            log: "gate",
            extra: &extra,
            key: None,
            output: None,
        })?;
        self.has_executed(slot);
        self.spent.gate_s += finished.usage.wall.as_secs_f64();
        self.checked(&finished).map(Some)
    }

    /// Starts any command of ours with the session's environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn child(&self, task: &Task<'_>) -> Result<Finished> {
        let slot = self.slot_of(task.directory);
        let own_target = slot.and_then(|slot| self.own_cargo_target(slot));
        let room = slot.and_then(|slot| self.room(slot, task.output));
        // In bubblewrap all ends with its process 1 anyway, and a group takes time to enter.
        let is_whole = room
            .as_ref()
            .is_some_and(|room| room.sandbox == Sandbox::Bwrap);
        let groups = self.groups.as_ref();
        let is_measured = slot.is_some_and(|slot| slot != SlotName::Propose);
        let private = room.as_ref().map(Room::variables).unwrap_or_default();
        if let Some(room) = &room {
            room.make_ready()?;
        }
        let marked: Vec<(&str, &str)> = std::iter::once((TOKEN_VARIABLE, self.token.as_str()))
            .chain(
                own_target
                    .as_deref()
                    .map(|target| ("CARGO_TARGET_DIR", target)),
            )
            .chain(private.iter().map(|(name, value)| (*name, value.as_str())))
            .chain(task.extra.iter().copied())
            .collect();
        let mut env = child_env::build(&self.allowed, &marked);
        if let Some(name) = &self.pinned.config.hold_out_env
            && !task.extra.iter().any(|(given, _)| given == name)
        {
            // Whatever the user's own environment has: only held-out runs see it.
            env.remove(name);
        }
        let job = Job {
            command: task.command,
            dir: task.directory,
            env: &env,
            deadline: Duration::from_secs_f64(task.deadline_s),
            log: &self.logs.join(format!("{}.log", task.log)),
            key: task.key,
            room: room.as_ref(),
            groups: groups.filter(|groups| groups.has_limits || !is_whole),
            memory_mib: self.pinned.config.memory_mib.filter(|_| is_measured),
        };
        let finished = process::run(&job, &self.interrupts)?;
        if finished.end == End::DiskFull && slot.is_some() {
            self.make_room()?;
        }
        Ok(finished)
    }

    /// The slot that a directory is in; the user's hooks run in none.
    fn slot_of(&self, directory: &Path) -> Option<SlotName> {
        [SlotName::Zero, SlotName::One, SlotName::Propose]
            .into_iter()
            .find(|slot| directory.starts_with(self.slots.path(*slot)))
    }

    fn room(&self, slot: SlotName, output: Option<&Path>) -> Option<Room> {
        let agent = self.pinned.config.agent.as_ref();
        let agent = agent.filter(|_| slot == SlotName::Propose);
        let sandbox = agent.map_or(self.sandbox, |_| self.agent_sandbox);
        let mut writable: Vec<PathBuf> = output.map(Path::to_owned).into_iter().collect();
        if let Some(agent) = agent {
            // Where git keeps the HEAD and the index of its worktree: it may commit.
            writable.push(self.slots.registration(slot));
            writable.extend(places(agent));
        }
        let exists = |path: &PathBuf| path.canonicalize().ok();
        (sandbox != Sandbox::Off).then(|| Room {
            sandbox,
            worktree: self.slots.path(slot),
            private: self.slots.private(slot),
            common_dir: self.slots.common_dir().to_owned(),
            writable: writable.iter().filter_map(exists).collect(),
            network: agent.map_or(self.pinned.config.network, |agent| agent.network),
        })
    }

    /// What makes the user's git run programs and was changed since the last look.
    pub fn changed_git_files(&mut self) -> Vec<String> {
        let now = GitFiles::read(self.slots.common_dir());
        let changed = now.changed_since(&self.git_files);
        self.git_files = now;
        changed
    }

    /// A target directory of the slot's own, where the user's settings would have all share one:
    /// cargo would then run the other slot's binary.
    fn own_cargo_target(&self, slot: SlotName) -> Option<String> {
        let target = self.slots.path(slot).join("target");
        self.cargo_shares_target
            .then(|| target.display().to_string())
    }

    /// Holds the machine: no other loop of ours builds, tests or measures meanwhile.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn machine_lock(&self) -> Result<Lock> {
        Lock::machine(&self.interrupts)
    }

    pub(super) fn checked(&self, finished: &Finished) -> Result<Checked> {
        if finished.end == End::Interrupted {
            return Err(Error::interrupted());
        }
        Ok(Checked {
            passed: finished.end.is_success(),
            ended: finished.end.describe(),
            tail: if finished.end.is_success() {
                String::new()
            } else {
                process_output::tail(&finished.log)
            },
            duration_s: finished.usage.wall.as_secs_f64(),
        })
    }
}

/// Control groups for a session's children, if they can be had. What a session that was killed left in
/// its own is ended: the next may be started elsewhere, so where that was is kept in `directory`.
fn control_groups(token: &str, directory: &Path) -> Result<Option<Groups>> {
    let record = directory.join("control-group");
    let context = || format!("cannot write {}", record.display());
    if let Ok(earlier) = std::fs::read_to_string(&record) {
        cgroup::sweep(Path::new(earlier.trim_end()));
    }
    let groups = Groups::open(token).ok();
    if let Some(groups) = &groups {
        std::fs::write(&record, format!("{}\n", groups.path().display())).context(context)?;
    }
    Ok(groups)
}

/// What the config lets an agent write, `~` being the home directory.
fn places(agent: &AgentSpec) -> Vec<PathBuf> {
    let preset = agent.preset.map(agent_presets::writable);
    let named = preset.unwrap_or_default().iter().copied();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    named
        .chain(agent.writable.iter().map(String::as_str))
        .filter_map(|path| match path.strip_prefix("~/") {
            Some(below) => Some(home.as_ref()?.join(below)),
            None => Some(PathBuf::from(path)),
        })
        .collect()
}

fn counts_instructions(metrics: &[Judged]) -> bool {
    metrics
        .iter()
        .any(|metric| metric.name == DRIVER_INSTRUCTIONS)
}

impl Drop for Bench {
    fn drop(&mut self) {
        process::kill_strays(&self.token);
    }
}
