//! Every execution starts from the same files: what the last one left in the worktree is taken away.
//!
//! Ready is a slot when its build command has run; without one, after its first run, which builds. What
//! appears later is removed before the next execution, and what the commit has is put back. Files that
//! git ignores and that were there when it was ready (what was built) stay as they are where incumbents' runs
//! change them, too, as build tools do; where only the candidate's do, it may keep results in them, and the
//! slot is built again from nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use git2::Oid;
use globset::Glob;

use super::bench::{Bench, Checked, Task};
use crate::edge::host;
use crate::edge::process::DISK_FREE_MIN;
use crate::edge::sandbox::Sandbox;
use crate::edge::slot_files::{self, Files};
use crate::edge::slots::SlotName;
use crate::error::{Error, Result};

/// Most paths named in a message.
const NAMED_MAX: usize = 3;

/// How often a candidate's slot is built again because its runs change what was built.
const REBUILDS_MAX: u32 = 3;

/// What is in one slot.
#[derive(Debug, Default)]
pub struct SlotState {
    commit: Option<Oid>,
    /// Whether the commit is known to be good: its runs show what is usual.
    is_incumbent: bool,
    /// How often it was built again.
    rebuilt: u32,
    /// When it was ready.
    ready: Option<Files>,
    /// When something last ran in it; looked at only where no sandbox keeps others out.
    left: Option<Files>,
}

impl Bench {
    fn state(&mut self, slot: SlotName) -> &mut SlotState {
        &mut self.states[usize::from(slot == SlotName::One)]
    }

    fn files(&self, slot: SlotName) -> Files {
        Files::below(&[
            self.slots.path(slot),
            self.slots.private(slot).join("cache"),
        ])
    }

    /// A slot is about to hold something else.
    pub(super) fn forget_files(&mut self, slot: SlotName) {
        *self.state(slot) = SlotState::default();
    }

    /// Checks a commit out into a slot and builds it there, when the config says how.
    ///
    /// # Errors
    /// The slot cannot be written, or the user wants to stop.
    pub fn prepare(&mut self, slot: SlotName, commit: Oid) -> Result<Checked> {
        let _machine = match self.pinned.config.build {
            Some(_) => Some(self.machine_lock()?),
            None => None,
        };
        self.prepare_locked(slot, commit)
    }

    fn prepare_locked(&mut self, slot: SlotName, commit: Oid) -> Result<Checked> {
        self.interrupts.check()?;
        let started = Instant::now();
        self.forget_files(slot);
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
                let root = self.slots.path(slot);
                let finished = self.child(&Task {
                    command: &command,
                    directory: &root,
                    deadline_s: deadline,
                    log: "build",
                    extra: &[],
                    key: None,
                    output: None,
                })?;
                self.checked(&finished)?
            }
        };
        self.state(slot).commit = Some(commit);
        self.has_executed(slot);
        self.spent.build_s += started.elapsed().as_secs_f64();
        Ok(checked)
    }

    /// What is in the slot is known to be good.
    pub(super) fn is_incumbent(&mut self, slot: SlotName) {
        self.state(slot).is_incumbent = true;
    }

    /// Takes away what the last execution left.
    ///
    /// # Errors
    /// A file cannot be put back.
    pub(super) fn freshen(&mut self, slot: SlotName) -> Result<()> {
        let now = self.files(slot);
        let has_build = self.pinned.config.build.is_some();
        let Some(ready) = self.state(slot).ready.take() else {
            if has_build {
                self.state(slot).ready = Some(now);
            }
            return Ok(());
        };
        match self.put_back(slot, &ready, &now) {
            Ok(Some(path)) => self.build_again(slot, &path).inspect_err(|_| {
                // Whoever tries once more finds the same.
                self.state(slot).ready.get_or_insert(ready);
            }),
            Ok(None) => {
                // With the stamps of what was put back, and of what build tools touch in every run.
                let has_changed = now.changed_since(&ready).next().is_some();
                self.state(slot).ready = Some(if has_changed { self.files(slot) } else { ready });
                Ok(())
            }
            Err(error) => {
                self.state(slot).ready = Some(ready);
                Err(error)
            }
        }
    }

    /// Removes and restores what can be; a built file that no incumbent's run changes cannot.
    fn put_back(&mut self, slot: SlotName, ready: &Files, now: &Files) -> Result<Option<PathBuf>> {
        let changed: Vec<PathBuf> = now.changed_since(ready).map(PathBuf::from).collect();
        if let Some(path) = changed.iter().find(|path| self.is_artifact(slot, path)) {
            return Err(Error::environment(format!(
                "{} was built and is not as it was: something changed it while it ran",
                path.display()
            )));
        }
        for path in now.new_since(ready) {
            slot_files::remove(path)?;
        }
        let (tracked, built) = self.slots.part_tracked(slot, changed);
        if !tracked.is_empty() {
            self.slots.restore(slot)?;
        }
        Ok(self.unusual(slot, built))
    }

    /// What a run changed of `built` that no incumbent's has; those say what is usual.
    fn unusual(&mut self, slot: SlotName, built: Vec<PathBuf>) -> Option<PathBuf> {
        let built = self.below(slot, built);
        if self.state(slot).is_incumbent {
            self.habits.extend(built);
            return None;
        }
        if built.iter().all(|path| self.habits.contains(path)) {
            return None;
        }
        let other = if slot == SlotName::Zero {
            SlotName::One
        } else {
            SlotName::Zero
        };
        self.learn(other);
        built.into_iter().find(|path| !self.habits.contains(path))
    }

    /// Takes in what an incumbent's runs have changed since it was last looked at.
    fn learn(&mut self, slot: SlotName) {
        let now = self.files(slot);
        let state = self.state(slot);
        let Some(ready) = state.ready.as_ref().filter(|_| state.is_incumbent) else {
            return;
        };
        let changed = now.changed_since(ready).map(PathBuf::from).collect();
        let (_, built) = self.slots.part_tracked(slot, changed);
        let built = self.below(slot, built);
        self.habits.extend(built);
    }

    /// The same paths in either slot.
    fn below(&self, slot: SlotName, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        let (worktree, private) = (self.slots.path(slot), self.slots.private(slot));
        let below = |path: &PathBuf| {
            let rest = path
                .strip_prefix(&worktree)
                .or_else(|_| path.strip_prefix(&private));
            rest.ok().map(PathBuf::from)
        };
        paths.iter().filter_map(below).collect()
    }

    /// Builds a candidate from nothing, because a run has changed `path`.
    fn build_again(&mut self, slot: SlotName, path: &Path) -> Result<()> {
        let state = self.state(slot);
        let times = state.rebuilt + 1;
        let Some(commit) = state.commit.filter(|_| times <= REBUILDS_MAX) else {
            return Err(Error::environment(format!(
                "its runs change {}, which was built, and its parent's do not: results could be kept there",
                path.display()
            )));
        };
        self.slots.discard(slot)?;
        let built = self.prepare_locked(slot, commit)?;
        if !built.passed {
            return Err(Error::environment(format!(
                "built again, the build {}",
                built.ended
            )));
        }
        // Without a build command the first run builds; it does not count.
        if self.pinned.config.build.is_none()
            && let Some(why) = self.try_run_locked(slot)?
        {
            return Err(Error::environment(format!("built again, {why}")));
        }
        let files = self.files(slot);
        let state = self.state(slot);
        state.rebuilt = times;
        state.ready = Some(files);
        Ok(())
    }

    /// Takes both slots away, so that they are made anew with nothing in them that a candidate left.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn renew(&mut self) -> Result<()> {
        for slot in [SlotName::Zero, SlotName::One] {
            self.forget_files(slot);
            self.slots.discard(slot)?;
        }
        Ok(())
    }

    /// The disk is full: all that a candidate may have written goes, before what runs next fails for it.
    ///
    /// # Errors
    /// The disk is still full: it was somebody else.
    pub(super) fn make_room(&self) -> Result<()> {
        for slot in SlotName::ALL {
            self.slots.discard(slot)?;
        }
        let directory = self.slots.directory();
        match host::disk_free_bytes(directory) {
            Some(free) if free < DISK_FREE_MIN => Err(Error::environment(format!(
                "{} has only {} MiB free, with nothing of a candidate's on it",
                directory.display(),
                free >> 20
            ))
            .hint("make room and start again: `run` goes on from there")),
            _ => Ok(()),
        }
    }

    fn is_artifact(&self, slot: SlotName, path: &Path) -> bool {
        let root = self.slots.path(slot);
        let globs = &self.pinned.config.artifacts;
        path.strip_prefix(root).is_ok_and(|path| {
            globs
                .iter()
                .filter_map(|glob| Glob::new(glob).ok())
                .any(|glob| glob.compile_matcher().is_match(path))
        })
    }

    /// A build, a gate or an execution of the script is over.
    pub(super) fn has_executed(&mut self, slot: SlotName) {
        if self.sandbox == Sandbox::Off {
            self.state(slot).left = Some(self.files(slot));
        }
    }

    /// A run is over.
    pub(super) fn has_run(&mut self, slot: SlotName) {
        if self.state(slot).ready.is_none() {
            self.state(slot).ready = Some(self.files(slot));
        }
    }

    /// What somebody did to a slot while nothing ran in it. The slot is then built from nothing when it is
    /// next used.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn tampered(&mut self, slot: SlotName) -> Result<Option<String>> {
        let Some(left) = self.state(slot).left.take() else {
            return Ok(None);
        };
        let now = self.files(slot);
        let touched: Vec<String> = now
            .changed_since(&left)
            .chain(now.new_since(&left))
            .map(|path| path.strip_prefix(self.slots.path(slot)).unwrap_or(path))
            .map(|path| path.display().to_string())
            .collect();
        if touched.is_empty() {
            self.state(slot).left = Some(left);
            return Ok(None);
        }
        self.forget_files(slot);
        self.slots.discard(slot)?;
        let named = touched
            .iter()
            .take(NAMED_MAX)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        Ok(Some(format!(
            "{} changed in a worktree in which nothing ran: {named}",
            touched.len()
        )))
    }
}
