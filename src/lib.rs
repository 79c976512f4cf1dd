//! `autoresearch`: an autonomous experiment loop.

pub mod cli;
pub mod command;
pub mod driver;
pub mod edge;
pub mod error;
pub mod exit;
pub mod flow;
pub mod propose;

use clap::Parser;

use cli::{Cli, Command};
use command::Global;
use error::Result;
use exit::Exit;

/// Parses the command line, runs the command, prints its error.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and version to stdout and mistakes to stderr.
            error.print().ok();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
        }
    };
    match dispatch(cli) {
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
        Command::Run(args) => command::run::run(&global, &args),
        Command::Try(args) => command::r#try::run(&global, &args),
        Command::Noise(args) => command::noise::run(&global, &args),
        Command::Reproduce(args) => command::reproduce::run(&global, &args),
        Command::Clean => command::clean::run(&global),
        Command::Completions(args) => Ok(command::completions::run(&args)),
        _ => Ok(Exit::Ok),
    }
}
