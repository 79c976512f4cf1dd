//! A CPU profile of the run: `OUT.folded` (folded stacks), `OUT.svg` (flamegraph) and `OUT.pb`
//! (protobuf).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use pprof::ProfilerGuard;
use pprof::protos::Message;

use crate::{BenchError, Result};

/// Samples a second. The kernel's timer gives no more than 250.
const FREQUENCY_HZ: i32 = 249;

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Profile(error.to_string())
}

/// Profiles until it is finished.
pub struct Profile(ProfilerGuard<'static>);

impl Profile {
    /// Starts sampling.
    ///
    /// # Errors
    /// When the timer cannot be set.
    pub fn start() -> Result<Self> {
        ProfilerGuard::new(FREQUENCY_HZ).map(Self).map_err(failed)
    }

    /// Stops, and writes the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self, out: &Path) -> Result<()> {
        let report = self.0.report().build().map_err(failed)?;
        std::fs::write(out.with_extension("folded"), folded(&report)).map_err(failed)?;
        let svg = File::create(out.with_extension("svg")).map_err(failed)?;
        report.flamegraph(svg).map_err(failed)?;
        let bytes = report
            .pprof()
            .map_err(failed)?
            .write_to_bytes()
            .map_err(failed)?;
        File::create(out.with_extension("pb"))
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(failed)
    }
}

/// One line a stack, outermost frame first: `thread;outermost;...;innermost count`.
fn folded(report: &pprof::Report) -> String {
    let mut stacks: BTreeMap<String, isize> = BTreeMap::new();
    for (sample, count) in &report.data {
        let frames = sample.frames.iter().rev();
        // Inlined functions share a frame, the innermost first.
        let names = frames.flat_map(|symbols| symbols.iter().rev().map(pprof::Symbol::name));
        let names: Vec<String> = std::iter::once(sample.thread_name_or_id())
            .chain(names)
            .map(|name| name.replace([';', '\n'], ":"))
            .collect();
        *stacks.entry(names.join(";")).or_default() += count;
    }
    let line = |(stack, count): (&String, &isize)| format!("{stack} {count}\n");
    stacks.iter().map(line).collect()
}
