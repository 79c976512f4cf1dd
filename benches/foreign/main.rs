//! The loop on projects that it has never seen: `cargo bench --bench foreign`.
//!
//! Each directory here is a small project as somebody would have it, with tests, a benchmark and a
//! backlog. It is copied into a fresh repository; then comes what its user would do: `init`, the
//! edits that `init` leaves to people, a commit, and ten iterations. The verdicts are compared with
//! what each candidate is known to do. About ten minutes a project on a quiet machine; `-- --help`
//! lists the flags.

mod outcome;
mod project;

use std::process::ExitCode;

use outcome::{Row, table};
use project::{PROJECTS, Project};

const USAGE: &str = "usage: cargo bench --bench foreign -- [--keep DIR] [PROJECT...]

  PROJECT     accesslog (Rust), tinysearch (Python), csvtable (Node) [default: all]
  --keep DIR  make the repositories in this directory and leave them there";

struct Arguments {
    keep: Option<std::path::PathBuf>,
    projects: Vec<&'static Project>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        keep: None,
        projects: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keep" => parsed.keep = Some(arguments.next().ok_or("--keep needs a value")?.into()),
            // What `cargo bench` adds.
            "--bench" => {}
            name => parsed.projects.push(
                PROJECTS
                    .iter()
                    .find(|project| project.name == name)
                    .ok_or(format!("unknown argument {name:?}"))?,
            ),
        }
    }
    if parsed.projects.is_empty() {
        parsed.projects = PROJECTS.iter().collect();
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    // `cargo test --benches` starts every bench; half an hour is not what it is for.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("foreign: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match prove(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("foreign: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every verdict that must be right is.
fn prove(arguments: &Arguments) -> Result<bool, String> {
    let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
    let directory = arguments.keep.as_deref().unwrap_or(temporary.path());
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for project in &arguments.projects {
        if let Some(why) = project.cannot_run() {
            eprintln!("foreign: {}: not run: {why}", project.name);
            missed.push(project.name);
            continue;
        }
        let ledger = project.ten_iterations(directory)?;
        rows.extend(Row::all(project, &ledger)?);
    }
    print!("{}", table(&rows));
    let wrong: Vec<&Row> = rows.iter().filter(|row| row.is_wrong()).collect();
    for row in &wrong {
        println!("not as the truth: {} {}", row.project, row.candidate);
    }
    if !missed.is_empty() {
        println!("not run: {}", missed.join(", "));
    }
    Ok(wrong.is_empty() && missed.is_empty())
}
