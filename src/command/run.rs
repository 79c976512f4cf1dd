//! `autoresearch run`.

use super::Global;
use crate::cli::RunArgs;
use crate::driver::engine::Engine;
use crate::driver::open;
use crate::driver::propose::Proposers;
use crate::edge::host;
use crate::edge::interrupt::Interrupts;
use crate::error::{Kind, Result};
use crate::exit::Exit;
use crate::flow::limits::{Ending, Limits, Progress};
use crate::flow::summary::Summary;

/// Iterations when neither flag nor config says.
const ITERATIONS_DEFAULT: u32 = 50;

/// Runs the loop and prints the summary, also when it was cut short.
///
/// # Errors
/// The machine or repository cannot go on. What was judged is recorded.
pub fn run(global: &Global, args: &RunArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let console = global.console();
    let opened = open::open(&global.directory, args.fresh, &console)?;
    let config = &opened.pinned.config;
    let order = if args.proposer.is_empty() {
        config.proposers.clone()
    } else {
        args.proposer.clone()
    };
    let iterations = args
        .max_iterations
        .or(config.max_iterations)
        .unwrap_or(ITERATIONS_DEFAULT);
    let mut limits = config.limits.clone();
    if let Some(limit) = args.time_limit {
        limits.wall_s = Some(limit.as_secs_f64());
    }
    let mut proposers = Proposers::new(order, &opened)?;
    let mut engine = Engine::new(opened, console, interrupts)?;
    let result = go(&mut engine, &mut proposers, iterations, &limits);
    engine.console.finish();
    let (ending, error) = match result {
        Ok(ending) => (Some(ending), None),
        Err(error) => (None, Some(error)),
    };
    let was_interrupted = error
        .as_ref()
        .is_some_and(|error| error.kind() == Kind::Interrupted);
    if error.is_none() || was_interrupted || !engine.opened.state.tried.is_empty() {
        print_summary(&engine, ending, args.json)?;
    }
    match error {
        None => Ok(Exit::Ok),
        Some(_) if was_interrupted => {
            engine
                .console
                .say("interrupted; `autoresearch run` goes on from here");
            Ok(Exit::Interrupted)
        }
        Some(error) => Err(error),
    }
}

fn go(
    engine: &mut Engine,
    proposers: &mut Proposers,
    iterations: u32,
    limits: &Limits,
) -> Result<Ending> {
    // Before the baseline is built and measured for nothing.
    let progress = Progress {
        disk_free_bytes: host::disk_free_bytes(engine.bench.slots.directory()),
        ..Progress::default()
    };
    if let Some(ending) = limits.reached(&progress) {
        return Ok(ending);
    }
    proposers.note(&engine.opened, &engine.console);
    engine.get_ready()?;
    let ending = engine.iterate(proposers, iterations, limits)?;
    engine.claim_if_due()?;
    Ok(ending)
}

fn print_summary(engine: &Engine, ending: Option<Ending>, json: bool) -> Result<()> {
    let path = engine.opened.ledger.path();
    let summary = if path.exists() {
        super::status::summary_of(path)?
    } else {
        Summary::default()
    };
    if let Some(ending) = ending {
        engine
            .console
            .say(&format!("stopped: {}", ending.describe()));
    }
    super::print(&super::status::render(&summary, json))?;
    Ok(())
}
