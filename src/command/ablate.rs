//! `autoresearch ablate`.

use super::{Global, pretty};
use crate::cli::AblateArgs;
use crate::driver::engine::Engine;
use crate::driver::open;
use crate::edge::interrupt::Interrupts;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::record::AblationLine;
use crate::flow::session::Kept;
use crate::report::ablation;

/// Leaves out each kept commit in turn and measures what the head loses.
///
/// # Errors
/// Nothing was kept, a run is not among the kept ones, or the environment fails.
pub fn run(global: &Global, args: &AblateArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let console = global.console();
    let opened = open::open(&global.directory, false, &console)?;
    let chosen = choose(&opened.state.kept, &args.run)?;
    let mut engine = Engine::new(opened, console, interrupts)?;
    let mut lines = Vec::new();
    let result = ablate_all(&mut engine, &chosen, args, &mut lines);
    engine.console.finish();
    if args.json {
        super::print(&pretty(&lines))?;
    } else if !lines.is_empty() {
        let direction = engine.opened.state.opened.best_direction;
        super::print(&ablation::text(&lines, &chosen, direction, args.drop))?;
    }
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    }
    let is_left = |line: &AblationLine| line.worth.is_flagged() && !line.dropped;
    Ok(if lines.iter().any(is_left) {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn ablate_all(
    engine: &mut Engine,
    chosen: &[Kept],
    args: &AblateArgs,
    lines: &mut Vec<AblationLine>,
) -> Result<()> {
    engine.get_ready()?;
    for kept in chosen {
        lines.push(engine.ablate(kept, args.pairs, args.drop)?);
    }
    if lines.iter().any(|line| line.dropped) {
        engine.claim_if_due()?;
    }
    Ok(())
}

/// The kept commits asked for, oldest first; all when none is named.
fn choose(kept: &[Kept], runs: &[u64]) -> Result<Vec<Kept>> {
    if kept.is_empty() {
        return Err(Error::usage(
            "nothing was kept in the last session, so nothing can be left out",
        )
        .hint("`autoresearch status` shows it"));
    }
    if let Some(run) = runs
        .iter()
        .find(|run| kept.iter().all(|kept| kept.run != **run))
    {
        return Err(Error::usage(format!(
            "run {run} is not among the kept ones of the last session"
        ))
        .hint("`autoresearch log --last --status keep` lists them"));
    }
    let is_chosen = |one: &&Kept| runs.is_empty() || runs.contains(&one.run);
    Ok(kept.iter().filter(is_chosen).cloned().collect())
}
