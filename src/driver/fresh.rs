//! Every execution starts from the same files: what the last one left in the worktree is taken away.
//!
//! Ready is a slot when its build command has run; without one, after its first run, which builds. What
//! appears later is removed before the next execution, and what the commit has is put back. Files that
//! git ignores and that were there when it was ready (what was built) stay as they are.

use std::path::{Path, PathBuf};

use globset::Glob;

use super::bench::Bench;
use crate::edge::host;
use crate::edge::process::DISK_FREE_MIN;
use crate::edge::sandbox::Sandbox;
use crate::edge::slot_files::{self, Files};
use crate::edge::slots::SlotName;
use crate::error::{Error, Result};

/// Most paths named in a message.
const NAMED_MAX: usize = 3;

/// The files of one slot.
#[derive(Debug, Default)]
pub struct SlotState {
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
        let changed: Vec<PathBuf> = now.changed_since(&ready).map(PathBuf::from).collect();
        if let Some(path) = changed.iter().find(|path| self.is_artifact(slot, path)) {
            let problem = format!(
                "{} was built and is not as it was: something changed it while it ran",
                path.display()
            );
            self.state(slot).ready = Some(ready);
            return Err(Error::environment(problem));
        }
        for path in now.new_since(&ready) {
            if let Err(error) = slot_files::remove(path) {
                self.forget_files(slot);
                return Err(error);
            }
        }
        if changed.iter().any(|path| self.slots.is_tracked(slot, path)) {
            self.slots.restore(slot)?;
        }
        // With the stamps of what was put back, and of what build tools touch in every run.
        let again = if changed.is_empty() {
            ready
        } else {
            self.files(slot)
        };
        self.state(slot).ready = Some(again);
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
