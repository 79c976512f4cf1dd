//! Running the user's hooks: a bounded time, bounded output, and never a reason to stop.

use std::path::Path;

use serde_json::Value;

use super::bench::{Bench, Task};
use crate::edge::console::Console;
use crate::edge::process::End;
use crate::edge::process_output;
use crate::error::{Context, Error, Kind, Result};
use crate::flow::hooks::HOOK_OUTPUT_BYTES;
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

/// Runs a hook in the project's directory; what it printed on standard output. A failure is only
/// warned of.
///
/// # Errors
/// The user wants to stop now.
pub fn run(
    bench: &Bench,
    console: &Console,
    (name, command): (&str, &[String]),
    directory: &Path,
    event: &Value,
) -> Result<Option<String>> {
    match try_run(bench, (name, command), directory, event) {
        Ok(output) => Ok(output),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => {
            console.warn(&error.explained());
            Ok(None)
        }
    }
}

fn try_run(
    bench: &Bench,
    (name, command): (&str, &[String]),
    directory: &Path,
    event: &Value,
) -> Result<Option<String>> {
    let input = bench.logs.join(format!("hook-{name}.json"));
    std::fs::write(&input, format!("{event}\n"))
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
        input: "",
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
