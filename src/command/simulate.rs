//! `autoresearch simulate`.

use std::path::Path;
use std::thread::available_parallelism;

use super::{Global, ledger_read};
use crate::cli::SimulateArgs;
use crate::driver::project::Project;
use crate::edge::repo::Repo;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::decision::{Direction, Params, gain_from_change_percent};
use crate::report::simulation;
use crate::simulate::rules::{RuleName, Settings};
use crate::simulate::{LedgerSeries, NoiseCatalog, NoiseModel, Plan, Stream, simulate, trace};

/// Plays the rules and prints how they did.
///
/// # Errors
/// A name is unknown, a setting is out of range, or a trace or ledger cannot be replayed.
pub fn run(global: &Global, args: &SimulateArgs) -> Result<Exit> {
    let plan = Plan {
        noise: noise(global, args)?,
        rules: rules(args)?,
        stream: Stream::parse(&args.stream)?,
        streams: args.streams,
        seed: args.seed,
        settings: Settings {
            params: params(global, args)?,
            warm_up: !args.no_warm_up,
        },
    };
    let threads = args.threads.map_or_else(
        || available_parallelism().map_or(1, usize::from),
        |threads| threads as usize,
    );
    let mut console = global.console();
    let rows = simulate(&plan, threads, |job| {
        console.phase(&format!("simulating {}", plan.noise[job.noise]));
    });
    console.finish();
    if args.json {
        super::print(&super::pretty(&simulation::Report::new(&plan, &rows)))?;
    } else {
        super::print(&simulation::text(&plan, &rows))?;
    }
    Ok(Exit::Ok)
}

fn noise(global: &Global, args: &SimulateArgs) -> Result<Vec<NoiseModel>> {
    let (catalog, replays_only) = match (&args.trace, &args.ledger) {
        (Some(file), _) => (
            NoiseCatalog::of(read_trace(&global.directory.join(file))?),
            true,
        ),
        (None, Some(file)) => {
            let path = global.ledger_path(file.as_deref())?;
            (NoiseCatalog::of(vec![read_ledger(&path)?]), true)
        }
        (None, None) => (NoiseCatalog::bundled(), false),
    };
    if !args.noise.is_empty() {
        return args.noise.iter().map(|name| catalog.find(name)).collect();
    }
    Ok(if replays_only {
        catalog.recorded()
    } else {
        catalog.all()
    })
}

fn read_trace(path: &Path) -> Result<Vec<trace::Series>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("cannot read {}", path.display())).because(error))?;
    trace::parse(&text, &path.display().to_string())
}

fn read_ledger(path: &Path) -> Result<trace::Series> {
    let origin = path.display().to_string();
    let mut series = LedgerSeries::default();
    ledger_read::each(path, |_, read| {
        series.apply(&read).map_err(|error| {
            Error::usage(format!("{origin} holds a pair that cannot be judged")).because(error)
        })
    })?;
    series.finish(&origin)
}

fn rules(args: &SimulateArgs) -> Result<Vec<RuleName>> {
    if args.rule.is_empty() {
        return Ok(RuleName::ALL.to_vec());
    }
    args.rule.iter().map(|name| RuleName::find(name)).collect()
}

/// The config's where there is a project, else the defaults; flags go before both.
fn params(global: &Global, args: &SimulateArgs) -> Result<Params> {
    let project =
        Repo::discover(&global.directory).and_then(|repo| Project::find(&repo, &global.directory));
    let own = match project {
        Ok(project) => project.config_now()?.params(),
        Err(_) => Params::default(),
    };
    let wrong =
        |flag: &str, error| Error::usage(format!("--{flag} is out of range")).because(error);
    let mut params = own;
    if let Some(false_keeps) = args.false_keeps {
        let dial = Params::with_false_keeps_per_200(false_keeps)
            .map_err(|error| wrong("false-keeps", error))?;
        params = Params {
            e_keep: dial.e_keep,
            beta: dial.beta,
            ..own
        };
    }
    if let Some(percent) = args.min_effect {
        params.min_effect = gain_from_change_percent(Direction::Higher, percent)
            .map_err(|error| wrong("min-effect", error))?;
        params
            .validate()
            .map_err(|error| wrong("min-effect", error))?;
    }
    Ok(params)
}
