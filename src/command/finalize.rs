//! `autoresearch finalize`.

use std::path::Path;

use super::{Global, ledger_read, pretty};
use crate::cli::FinalizeArgs;
use crate::driver::finalize::Finalizer;
use crate::driver::open;
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::edge::output;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::finalize::Plan;
use crate::flow::session::{Past, SessionState};
use crate::report::finalize::{self, Finished, Report};

/// Groups the kept commits of the last session and makes a branch of each group.
///
/// # Errors
/// Nothing was kept, the plan is none, a branch is in the way, or the environment fails.
pub fn run(global: &Global, args: &FinalizeArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let (repo, project, config) = global.project()?;
    let state = last_session(&project.ledger(&config))?;
    let _lock = open::take_lock(&repo)?;
    let mut console = global.console();
    let mut finalizer = Finalizer::new(&repo, &project, &state, interrupts)?;
    let mut done = Vec::new();
    let result = work(global, args, &mut finalizer, &mut console, &mut done);
    console.finish();
    let was_interrupted = match result {
        Ok(Some(plan)) => {
            super::print(&if args.json || is_stdout(args.plan.as_deref()) {
                plan.to_json()
            } else {
                finalize::plan_text(&plan, &finalizer.stack.pieces)
            })?;
            return Ok(Exit::Ok);
        }
        Ok(None) => false,
        Err(error) if error.kind() == Kind::Interrupted => true,
        Err(error) => return Err(error),
    };
    show(global, args, &state, &done)?;
    if was_interrupted {
        console.say("interrupted; `autoresearch finalize` goes on from here");
        return Ok(Exit::Interrupted);
    }
    Ok(if done.iter().all(Finished::is_better) {
        Exit::Ok
    } else {
        Exit::No
    })
}

/// The plan when only that was asked for; else the branches are made.
fn work(
    global: &Global,
    args: &FinalizeArgs,
    finalizer: &mut Finalizer<'_>,
    console: &mut Console,
    done: &mut Vec<Finished>,
) -> Result<Option<Plan>> {
    let plan = match &args.from {
        Some(path) => {
            let path = global.directory.join(path);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Error::usage(format!("cannot read {}", path.display()))
                    .because(error)
                    .hint("`autoresearch finalize --plan FILE` writes one")
            })?;
            let origin = path.display().to_string();
            Plan::parse(
                &text,
                &origin,
                &finalizer.stack.pieces,
                finalizer.stack.ids(),
            )?
        }
        None => {
            let target = args
                .plan
                .as_ref()
                .filter(|_| !is_stdout(args.plan.as_deref()));
            let target = target.map(|path| global.directory.join(path));
            if let Some(path) = target.as_ref().filter(|path| path.exists() && !args.force) {
                return Err(Error::usage(format!("{} exists", path.display()))
                    .hint("`--force` replaces it, `--from` uses it"));
            }
            let plan = finalizer.propose(console)?;
            if let Some(path) = target {
                output::write(&path, plan.to_json().as_bytes())?;
            }
            if args.plan.is_some() {
                return Ok(Some(plan));
            }
            plan
        }
    };
    finalizer.make(console, &plan, (args.pairs, args.force), done)?;
    Ok(None)
}

fn show(
    global: &Global,
    args: &FinalizeArgs,
    state: &SessionState,
    done: &[Finished],
) -> Result<()> {
    let texts = || {
        let text = |group| finalize::pull_request(group, state).map(|text| (group, text));
        done.iter().filter_map(text)
    };
    let to_stdout = is_stdout(args.pr_dir.as_deref());
    if let Some(directory) = args.pr_dir.as_ref().filter(|_| !to_stdout) {
        let directory = global.directory.join(directory);
        for (group, text) in texts() {
            output::write_in(&directory, format!("{}.md", group.name), text.as_bytes())?;
        }
    }
    if args.json {
        super::print(&pretty(&Report {
            session: &state.opened.session,
            start: &state.opened.start,
            head: state.head(),
            metric: &state.opened.metric_name,
            groups: done,
        }))?;
        return Ok(());
    }
    super::print(&finalize::text(done, state.opened.best_direction))?;
    if to_stdout {
        for (_, text) in texts() {
            super::print(&format!("\n{text}"))?;
        }
    }
    Ok(())
}

/// Whether a path is `-`.
fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

/// The last session of the ledger.
fn last_session(ledger: &Path) -> Result<SessionState> {
    let mut past = Past::new();
    ledger_read::each(ledger, |_, read| {
        past.apply(&read).map_err(|error| {
            Error::usage(format!(
                "{}: a recorded value is impossible",
                ledger.display()
            ))
            .because(error)
        })
    })?;
    let state = past.session.ok_or_else(|| {
        Error::usage(format!(
            "{} has no session of this program last",
            ledger.display()
        ))
        .hint("`autoresearch run` begins one")
    })?;
    if state.is_incomplete {
        return Err(Error::usage(format!(
            "a kept run of the last session was lost with damaged lines of {}",
            ledger.display()
        ))
        .hint(
            "the commits are still on its branch; put that in order by hand, or restore the ledger",
        ));
    }
    Ok(state)
}
