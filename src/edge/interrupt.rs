//! Ctrl-C and termination signals, as a level and as a wake-up.
//!
//! Level 1 (first Ctrl-C): finish the step that is running, then stop. Level 2 (second Ctrl-C, or
//! SIGTERM or SIGHUP): kill the running child, then stop. Both leave by the ordinary way out, so
//! that guards clean up; a process that does not get there ends some seconds after level 2.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::process::GRACE;
use crate::error::{Context, Error, Result};
use crate::exit::Exit;

/// How urgently the user wants to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all.
    None,
    /// After the current step.
    AfterStep,
    /// At once.
    Now,
}

/// Time between the wish to stop at once and the end of the process, whatever it is doing: a child may
/// take [`GRACE`] to end, and the slots some seconds to be removed.
const HANG: Duration = GRACE.saturating_add(Duration::from_secs(5));

/// The flag that the signal thread sets and the waiting code reads.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    level: Arc<AtomicU8>,
    listener: Arc<Mutex<Option<Sender<()>>>>,
    is_quiet: bool,
}

impl Interrupts {
    /// Starts listening for signals. Call once per process.
    ///
    /// # Errors
    /// The operating system refuses the handlers.
    pub fn install(is_quiet: bool) -> Result<Self> {
        let interrupts = Self {
            is_quiet,
            ..Self::default()
        };
        // First: a signal between the two would not end a process that is held up.
        end_when_it_hangs(is_quiet)?;
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
            .context(|| "cannot listen for signals".to_owned())?;
        let shared = interrupts.clone();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                shared.raise(signal == SIGINT);
            }
        });
        Ok(interrupts)
    }

    /// A line for the user, unless they want none.
    pub fn say(&self, text: &str) {
        if !self.is_quiet {
            eprintln!("{text}");
        }
    }

    /// Notes one signal: a further Ctrl-C is more urgent than the first, others are urgent at
    /// once.
    pub fn raise(&self, is_ctrl_c: bool) {
        let raised = |level: u8| Some(level.saturating_add(step(is_ctrl_c)));
        let before = self
            .level
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, raised)
            .unwrap_or_default();
        if before == 0 && is_ctrl_c {
            self.say("\nfinishing the current step; press Ctrl-C again to stop now");
        }
        if let Ok(listener) = self.listener.lock()
            && let Some(sender) = listener.as_ref()
        {
            // The receiver may be gone already; then nobody waits.
            sender.send(()).ok();
        }
    }

    /// What the user wants.
    pub fn urgency(&self) -> Urgency {
        match self.level.load(Ordering::SeqCst) {
            0 => Urgency::None,
            1 => Urgency::AfterStep,
            _ => Urgency::Now,
        }
    }

    /// An error as soon as the user wants to stop; for use between steps.
    ///
    /// # Errors
    /// [`Error::interrupted`].
    pub fn check(&self) -> Result<()> {
        match self.urgency() {
            Urgency::None => Ok(()),
            Urgency::AfterStep | Urgency::Now => Err(Error::interrupted()),
        }
    }

    /// Sends a wake-up to `sender` at every signal, until the next call.
    pub fn wake(&self, sender: Option<Sender<()>>) {
        if let Ok(mut listener) = self.listener.lock() {
            *listener = sender;
        }
    }
}

/// Ends the process when the user wanted it to stop at once and it has not: it is held up outside any
/// child, by a file system that does not answer, say. What it leaves is what `kill -9` would. Counts
/// the signals on its own, because the thread that tells the user of them may be held up by a terminal.
fn end_when_it_hangs(is_quiet: bool) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .context(|| "cannot listen for signals".to_owned())?;
    std::thread::spawn(move || {
        let mut level = 0;
        for signal in signals.forever() {
            level += step(signal == SIGINT);
            if level >= 2 {
                break;
            }
        }
        std::thread::sleep(HANG);
        if !is_quiet {
            // In a thread of its own: nobody may be reading.
            std::thread::spawn(|| eprintln!("it hangs; ended as by `kill -9`"));
            std::thread::sleep(Duration::from_millis(100));
        }
        signal_hook::low_level::exit(Exit::Interrupted as i32);
    });
    Ok(())
}

/// By how much a signal makes it more urgent.
fn step(is_ctrl_c: bool) -> u8 {
    if is_ctrl_c { 1 } else { 2 }
}
