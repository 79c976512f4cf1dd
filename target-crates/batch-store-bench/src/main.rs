//! The `batch-store-bench` binary: prints `METRIC` and `DIGEST` lines, or exits 1 (a workload
//! failed or stored the wrong rows) or 2 (usage).

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use batch_store_bench::metrics::{Metric, peak_rss_kib};
use batch_store_bench::scale::{PROFILE_VARIABLE, Scale};
use batch_store_bench::workloads::{ALL, Workload};
use batch_store_bench::{BenchError, Result};

#[global_allocator]
static ALLOCATOR: batch_store_bench::alloc::Counting = batch_store_bench::alloc::Counting;

const USAGE: &str = "usage: batch-store-bench [--list] [--only NAME]... [--profile OUT]

  --list         print the workloads and exit
  --only NAME    run this workload only; may be repeated
  --profile OUT  write a CPU profile to OUT.svg and OUT.pb (needs --features pprof)

BATCH_STORE_BENCH_PROFILE=full runs the large scales; the default is fast.";

#[derive(Default)]
struct Arguments {
    list: bool,
    only: Vec<String>,
    profile: Option<PathBuf>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--list" => parsed.list = true,
            "--only" => parsed.only.push(value()?),
            "--profile" => parsed.profile = Some(value()?.into()),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    if let Some(name) = parsed
        .only
        .iter()
        .find(|name| !ALL.iter().any(|workload| workload.name == **name))
    {
        return Err(format!("no workload is named {name:?}; --list prints them"));
    }
    if parsed.profile.is_some() && cfg!(not(feature = "pprof")) {
        return Err("--profile needs a build with --features pprof".to_owned());
    }
    Ok(parsed)
}

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

fn print(metrics: &[Metric], out: &mut dyn Write) -> Result<()> {
    let failed = |source| BenchError::Io {
        action: "write to",
        path: "the standard output".into(),
        source,
    };
    metrics
        .iter()
        .try_for_each(|metric| metric.print(out))
        .map_err(failed)
}

fn run(arguments: &Arguments, scale: Scale) -> Result<()> {
    #[cfg(feature = "pprof")]
    let profile = arguments
        .profile
        .as_ref()
        .map(|_| batch_store_bench::profile::Profile::start())
        .transpose()?;
    let mut out = std::io::stdout().lock();
    for workload in ALL {
        if arguments.only.is_empty() || arguments.only.iter().any(|name| name == workload.name) {
            run_one(workload, scale, &mut out)?;
        }
    }
    if let Some(kib) = peak_rss_kib() {
        print(&[Metric::count("peak_rss_kib", kib)], &mut out)?;
    }
    #[cfg(feature = "pprof")]
    if let (Some(profile), Some(path)) = (profile, &arguments.profile) {
        profile.finish(path)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = parse(std::env::args().skip(1));
    let scale = Scale::from_env()
        .map_err(|value| format!("{PROFILE_VARIABLE}={value:?} is neither fast nor full"));
    let (arguments, scale) = match (arguments, scale) {
        (Ok(arguments), Ok(scale)) => (arguments, scale),
        (Err(message), _) | (_, Err(message)) => {
            eprintln!("batch-store-bench: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        ALL.iter()
            .for_each(|workload| println!("{:14} {}", workload.name, workload.about));
        return ExitCode::SUCCESS;
    }
    match run(&arguments, scale) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("batch-store-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
