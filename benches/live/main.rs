//! The whole loop on candidates whose truth is known: `cargo bench --bench live`.
//!
//! A program whose work is a loop of an exact number of steps is the target; each candidate changes
//! the number by a known factor, or only its text (a no-op that changes the binary), or breaks it.
//! Another process loads the machine in bursts meanwhile. The loop's verdicts are then compared with
//! the truth, and with what the rule of one run against the best so far would have made of the very
//! same measurements. About ten minutes; `-- --help` lists the flags.

mod candidates;
mod outcome;
mod target;

use std::process::ExitCode;

use candidates::{Candidate, candidates};
use outcome::Outcome;
use target::{Load, Target};

const USAGE: &str =
    "usage: cargo bench --bench live -- [--metric NAME] [--load N] [--seed N] [--json]

  --metric NAME  what is judged: driver.wall_adj_ms (the default), another driver.* or work_ms, the
                 program's own wall time
  --load N       processes that load the machine in bursts [default: 1]
  --seed N       order of the candidates [default: 1]
  --json         print the outcome as JSON";

/// Set in the processes that make the load.
const LOAD_VARIABLE: &str = "AUTORESEARCH_LIVE_LOAD";

struct Arguments {
    metric: String,
    load: u32,
    seed: u64,
    json: bool,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        metric: "driver.wall_adj_ms".to_owned(),
        load: 1,
        seed: 1,
        json: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let no_number = |_| format!("{argument} needs a whole number");
        match argument.as_str() {
            "--metric" => parsed.metric = value()?,
            "--load" => parsed.load = value()?.parse().map_err(no_number)?,
            "--seed" => parsed.seed = value()?.parse().map_err(no_number)?,
            "--json" => parsed.json = true,
            // What `cargo bench` and `cargo test` add.
            "--bench" | "--test" => {}
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    if std::env::var_os(LOAD_VARIABLE).is_some() {
        target::make_load();
    }
    // `cargo test --benches` starts every bench; ten minutes of load are not what it is for.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("live: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match prove(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("live: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prove(arguments: &Arguments) -> Result<(), String> {
    let all: Vec<Candidate> = candidates(arguments.seed);
    let target = Target::create(&all, &arguments.metric)?;
    let load = Load::start(arguments.load)?;
    target.autoresearch(&["run", "--max-iterations", &(all.len() + 2).to_string()])?;
    drop(load);
    target.autoresearch(&["explain"])?;
    let outcome = Outcome::of(&target.ledger()?, &all, &arguments.metric)?;
    if arguments.json {
        println!("{:#}", outcome.json());
    } else {
        print!("{}", outcome.text());
    }
    Ok(())
}
