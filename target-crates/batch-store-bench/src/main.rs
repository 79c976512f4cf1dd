//! The `batch-store-bench` binary: prints `METRIC` and `DIGEST` lines, or exits 1 (a workload
//! failed or stored the wrong rows) or 2 (usage).

mod cli;

use std::io::Write;
use std::process::ExitCode;

use batch_store_bench::counters::peak_rss_kib;
use batch_store_bench::metrics::Metric;
use batch_store_bench::scale::{PROFILE_VARIABLE, Scale};
use batch_store_bench::workloads::{ALL, Workload};
use batch_store_bench::{BenchError, Result};
use cli::{Command, Run};

#[global_allocator]
static ALLOCATOR: batch_store_bench::alloc::Counting = batch_store_bench::alloc::Counting;

fn run_one(workload: &Workload, scale: Scale, out: &mut dyn Write) -> Result<()> {
    let failed = |source| BenchError::Io {
        action: "create a directory in",
        path: std::env::temp_dir(),
        source,
    };
    let dir = tempfile::Builder::new()
        .prefix("batch-store-bench-")
        .tempdir()
        .map_err(failed)?;
    let metrics = (workload.run)(dir.path(), scale)?;
    print(&metrics, out)?;
    print_digest(workload.name, out)
}

fn print_digest(name: &str, out: &mut dyn Write) -> Result<()> {
    let value = batch_store_bench::digest::take();
    writeln!(out, "DIGEST {name}={value:x}").map_err(|source| BenchError::Io {
        action: "write to",
        path: "the standard output".into(),
        source,
    })
}

fn output_failed(source: std::io::Error) -> BenchError {
    BenchError::Io {
        action: "write to",
        path: "the standard output".into(),
        source,
    }
}

fn print(metrics: &[Metric], out: &mut dyn Write) -> Result<()> {
    metrics
        .iter()
        .try_for_each(|metric| metric.print(out))
        .map_err(output_failed)
}

fn run_all(run: &Run, scale: Scale) -> Result<()> {
    #[cfg(feature = "pprof")]
    let profile = run
        .profile
        .as_ref()
        .map(|_| batch_store_bench::profile::Profile::start())
        .transpose()?;
    let mut out = std::io::stdout().lock();
    for workload in ALL {
        if run.only.is_empty() || run.only.iter().any(|name| name == workload.name) {
            run_one(workload, scale, &mut out)?;
        }
    }
    if let Some(kib) = peak_rss_kib() {
        print(&[Metric::count("peak_rss_kib", kib)], &mut out)?;
    }
    #[cfg(feature = "pprof")]
    if let (Some(profile), Some(path)) = (profile, &run.profile) {
        profile.finish(path)?;
    }
    Ok(())
}

#[cfg(feature = "compare")]
fn compare(compare: &cli::Compare) -> Result<String> {
    use batch_store_bench::compare as comparing;

    let options = compare.options;
    let program = std::env::current_exe().map_err(|source| BenchError::Io {
        action: "find",
        path: "this program".into(),
        source,
    })?;
    let mut progress = |table: &str, round, system: &str| {
        eprintln!("{table}, round {round} of {}: {system}", options.rounds);
    };
    let comparisons = comparing::compare(&program, options, &mut progress)?;
    let (machine, command) = (comparing::machine(), options.command());
    match compare.is_json {
        true => comparing::json(&machine, &command, &comparisons),
        false => Ok(comparing::markdown(&machine, &command, &comparisons)),
    }
}

fn list() -> String {
    let line = |workload: &Workload| format!("{:14} {}\n", workload.name, workload.about);
    ALL.iter().map(line).collect()
}

/// The text to print, after what the command printed itself.
fn execute(command: &Command, scale: Scale) -> Result<String> {
    match command {
        Command::List => Ok(list()),
        Command::Run(run) => run_all(run, scale).map(|()| String::new()),
        #[cfg(feature = "compare")]
        Command::Compare(options) => compare(options),
        #[cfg(feature = "compare")]
        Command::RunPeer {
            table,
            system,
            rows,
            dir,
        } => batch_store_bench::compare::run_child(table, system, *rows, dir),
    }
}

fn main() -> ExitCode {
    let command = cli::parse(std::env::args().skip(1));
    let scale = Scale::from_env()
        .map_err(|value| format!("{PROFILE_VARIABLE}={value:?} is neither fast nor full"));
    let (command, scale) = match (command, scale) {
        (Ok(command), Ok(scale)) => (command, scale),
        (Err(message), _) | (_, Err(message)) => {
            eprintln!("batch-store-bench: {message}\n\n{}", cli::USAGE);
            return ExitCode::from(2);
        }
    };
    let printed = execute(&command, scale)
        .and_then(|text| write!(std::io::stdout(), "{text}").map_err(output_failed));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("batch-store-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
