//! What a run does between two candidates beside judging them: the user's hooks, in a bounded time and
//! with bounded output, and profiles of what was kept. Neither is ever a reason to stop.

use std::path::Path;

use serde_json::Value;

use super::bench::{Bench, Task};
use super::engine::{Engine, commit_id};
use super::profile;
use crate::edge::fault;
use crate::edge::process::End;
use crate::edge::process_output;
use crate::error::{Context, Error, Kind, Result};
use crate::flow::hooks::{self, HOOK_OUTPUT_BYTES};
use crate::flow::record::{RunLine, Status};
use crate::report::format;

/// Gives the hook its standard input, and keeps the beginning of each of its outputs; the rest is
/// read and thrown away, so that it neither fills the disk nor kills the hook. `$0` is the input's
/// path, the outputs are beside it.
fn script() -> String {
    let keep = |name| format!("{{ head -c {HOOK_OUTPUT_BYTES} >\"$0.{name}\"; cat >/dev/null; }}");
    format!(
        "set -o pipefail; {{ \"$@\" <\"$0\" 2>&3 | {}; }} 3>&1 | {}",
        keep("out"),
        keep("err")
    )
}

impl Engine {
    /// Tells the hook `before`; what it says is for who makes the candidate, after what `after` said.
    ///
    /// # Errors
    /// The user wants to stop now.
    pub fn hook_before(&mut self) -> Result<()> {
        let opened = &self.opened;
        let Some(command) = opened.pinned.config.hooks.before.clone() else {
            return Ok(());
        };
        let last = opened.last_run.as_deref();
        let event = hooks::before(&opened.state, &self.hook_cwd(), self.next_run, last);
        let said = self.hook("before", &command, &event)?;
        let said: Vec<String> = self.opened.hint.take().into_iter().chain(said).collect();
        self.opened.hint = Some(said.join("\n")).filter(|said| !said.is_empty());
        Ok(())
    }

    /// What comes after a candidate was recorded: the hook `after`, and a profile of one that was kept.
    ///
    /// # Errors
    /// The user wants to stop now.
    pub fn follow_up(&mut self, line: &RunLine) -> Result<()> {
        self.hook_after(line)?;
        self.profile_if_kept(line)
    }

    /// Tells the hook `after`; what it says is for who makes the next candidate.
    fn hook_after(&mut self, line: &RunLine) -> Result<()> {
        self.opened.hint = None;
        let opened = &self.opened;
        let Some(command) = opened.pinned.config.hooks.after.clone() else {
            return Ok(());
        };
        let event = hooks::after(&opened.state, &self.hook_cwd(), line);
        self.opened.hint = self.hook("after", &command, &event)?;
        Ok(())
    }

    fn hook_cwd(&self) -> String {
        let directory = self.opened.project.directory(&self.opened.pinned.work);
        directory.display().to_string()
    }

    /// Runs a hook; what it printed on standard output. A failure is only warned of.
    fn hook(&mut self, name: &str, command: &[String], event: &Value) -> Result<Option<String>> {
        self.console.phase(&format!("running the hook {name}"));
        let directory = self.opened.project.directory(&self.opened.pinned.work);
        match try_run(&self.bench, (name, command), &directory, event) {
            Ok(output) => Ok(output),
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                self.console.warn(&error.explained());
                Ok(None)
            }
        }
    }

    /// The profile of a kept commit, off the measured path; a failure is only warned of.
    fn profile_if_kept(&mut self, line: &RunLine) -> Result<()> {
        let opened = &self.opened;
        if line.status != Status::Keep || !opened.pinned.config.profile_kept {
            return Ok(());
        }
        let base = profile::default_directory(&opened.repo);
        let commit = commit_id(opened.state.head())?;
        let taken = profile::take(&mut self.bench, &mut self.console, commit, None, &base);
        match taken {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                let run = line.run;
                self.console
                    .warn(&format!("run {run} has no profile: {}", error.explained()));
                Ok(())
            }
        }
    }
}

/// Runs a hook in the project's directory; what it printed on standard output.
///
/// # Errors
/// It cannot be started or failed, or the user wants to stop now.
fn try_run(
    bench: &Bench,
    (name, command): (&str, &[String]),
    directory: &Path,
    event: &Value,
) -> Result<Option<String>> {
    let input = bench.logs.join(format!("hook-{name}.json"));
    fault::space_for("hook-input")
        .and_then(|()| std::fs::write(&input, format!("{event}\n")))
        .context(|| format!("cannot write {}", input.display()))?;
    let shell = ["bash", "-c", &script(), &input.display().to_string()].map(str::to_owned);
    let command = [&shell[..], command].concat();
    let limit_s = bench.pinned.config.hooks.timeout_s;
    let log = format!("hook-{name}");
    let finished = bench.child(&Task {
        command: &command,
        directory,
        deadline_s: limit_s,
        log: &log,
        extra: &[],
        key: None,
        output: None,
    })?;
    let beginning = |stream: &str| {
        let path = input.with_extension(format!("json.{stream}"));
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = format::printable(&String::from_utf8_lossy(&bytes));
        text.trim().to_owned()
    };
    match finished.end {
        End::Exited(0) => Ok(Some(beginning("out")).filter(|output| !output.is_empty())),
        End::Interrupted => Err(Error::interrupted()),
        end @ (End::Exited(_)
        | End::Signaled(_)
        | End::TimedOut
        | End::OutputFull
        | End::DiskFull) => {
            let said = [beginning("err"), process_output::tail(&finished.log)].join("\n");
            let error = Error::environment(format!("hook `{name}` {}", end.describe()));
            let said: String = said.trim().chars().take(400).collect();
            Err(if said.is_empty() {
                error
            } else {
                error.hint(said)
            })
        }
    }
}
