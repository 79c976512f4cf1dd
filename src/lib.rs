//! `autoresearch`: an autonomous experiment loop for performance work on any git repository.
//!
//! ```text
//! propose -> commit on a detached worktree -> drift rules -> build both sides -> judge -> confirm
//!         -> gate -> record -> keep (move the branch) or discard
//! ```
//!
//! This page is the architecture document: the map, and what holds everywhere.
//!
//! # Map
//!
//! | where | what |
//! |---|---|
//! | [`flow`] | the pure core, in the order in which the data flows: [`config`](flow::config), [`metric`](flow::metric), [`proposal`](flow::proposal), [`scope`](flow::scope), [`decision`](flow::decision), [`trial`](flow::trial) (the judgement of one candidate as a state machine), [`record`](flow::record) (the ledger's format), [`session`](flow::session) (a session as a fold over records), [`explain`](flow::explain) (a verdict recomputed), [`limits`](flow::limits), [`summary`](flow::summary) |
//! | [`propose`] | where candidates come from: backlog, knob search, agents; pure |
//! | [`simulate`] | keep/revert rules played on simulated noise, ours through [`flow::trial`] itself; pure |
//! | [`edge`] | the only files that touch the world, one outside facility each: processes (duct), repository (git2), slots, ledger file, locks, signals, terminal (indicatif; ratatui for `watch`), the loop's live state, the report's server, host, faults on demand |
//! | [`driver`] | takes what the state machines need to the edges and the answers back |
//! | [`report`] | records to tables, text, JSON and a page; pure |
//! | [`watch`] | the dashboard in the terminal: state and picture; pure |
//! | [`command`] | one file a subcommand; wires, holds no logic |
//!
//! Data flows one way: `Config -> Proposal -> Pairs -> verdict -> Gate -> RunLine -> Summary`.
//!
//! # Invariants
//!
//! - **The user's checkout is never written**, except the append to `experiments.jsonl` and the tick
//!   in `ideas.md`. Candidates live in worktrees of their own ([`edge::slots`]); reverting one is
//!   forgetting it. The user's HEAD and index never change.
//! - **State is a fold over the ledger.** There is no second state file; how often a candidate ended the
//!   loop with an error ([`driver::attempts`]) decides no measured verdict. The record of a keep is
//!   durable before the branch moves, and moving it again is harmless, so a kill at any instant is
//!   finished or forgotten by the next run ([`driver::open`]). What git writes is synced too, so the
//!   record never names a commit that power loss took. Each step whose interruption could lose
//!   something has a name, at which tests kill the process or take its disk space away
//!   ([`edge::fault`]).
//! - **The ledger is chained** ([`flow::ledger::chain`]): an edited line shows.
//! - **A verdict is a function of the recorded pairs** ([`flow::trial::replay`]). Nothing else enters:
//!   no clock, no stored best value, no running statistic that a proposer could see.
//! - **What judges is pinned**: scripts and config are read from the session's start commit, are
//!   protected paths, and are written anew before every run ([`driver::project`]).
//! - **Unknown input is an error, never a keep**: config keys, statuses, METRIC values. A value that
//!   is missing, not finite, or impossible is a crash.
//! - **A child never outlives its step**: it has a process group, where they are to be had a control group
//!   ([`edge::cgroup`]), and a deadline; its output goes to a file, and the groups are killed before the child
//!   is reaped ([`edge::process`]).
//! - **A candidate is not trusted**: what runs it is kept in ([`edge::sandbox`]), starts from the same files every
//!   time ([`driver::fresh`]), and nothing of ours follows a link that it made ([`edge::slot_files`]).
//!   `SECURITY.md` has the attacks and their tests.
//! - The core ([`flow`], [`propose`], [`simulate`]) has no I/O, no clock and no randomness that is not passed in; a
//!   test (`tests/it/tidy.rs`) checks the imports.

pub mod cli;
mod cli_help;
mod cli_read;
pub mod command;
pub mod doctor;
pub mod driver;
pub mod edge;
pub mod error;
pub mod exit;
pub mod flow;
pub mod init;
pub mod propose;
pub mod report;
pub mod simulate;
pub mod watch;

use clap::Parser;

use cli::{Cli, Command};
use command::Global;
use error::Result;
use exit::Exit;

/// Parses the command line, runs the command, prints its error.
pub fn run() -> Exit {
    let done = match Cli::try_parse() {
        Ok(cli) => dispatch(cli),
        Err(error) => {
            // clap prints help and version to stdout and mistakes to stderr.
            let written = error.print();
            if error.use_stderr() {
                return Exit::Usage;
            }
            command::printed(written).map(|()| Exit::Ok)
        }
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{}", error.render());
            error.exit()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit> {
    let global = Global {
        directory: cli.directory.unwrap_or_else(|| ".".into()),
        quiet: cli.quiet,
    };
    match cli.command {
        Command::Init(args) => command::init::execute(&global, &args),
        Command::Run(args) => command::run::run(&global, &args),
        Command::Try(args) => command::r#try::run(&global, &args),
        Command::Noise(args) => command::noise::run(&global, &args),
        Command::Log(args) => command::log::run(&global, &args),
        Command::Ablate(args) => command::ablate::run(&global, &args),
        Command::Report(args) => command::report::run(&global, &args),
        Command::Explain(args) => command::explain::run(&global, &args),
        Command::Show(args) => command::show::run(&global, &args),
        Command::Status(args) => command::status::run(&global, &args),
        Command::Finalize(args) => command::finalize::run(&global, &args),
        Command::Profile(args) => command::profile::run(&global, &args),
        Command::Reproduce(args) => command::reproduce::run(&global, &args),
        Command::Watch(args) => command::watch::run(&global, &args),
        Command::Simulate(args) => command::simulate::run(&global, &args),
        Command::Doctor(args) => command::doctor::run(&global, &args),
        Command::Repair(args) => command::repair::run(&global, &args),
        Command::Clean(args) => command::clean::run(&global, &args),
        Command::Completions(args) => command::completions::run(&args),
        Command::Man(args) => command::man::run(&global, &args),
    }
}
