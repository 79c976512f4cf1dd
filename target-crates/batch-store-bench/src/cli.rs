//! The command line.

use std::path::PathBuf;

use batch_store_bench::workloads::ALL;

pub const USAGE: &str = "usage: batch-store-bench [--list] [--only NAME]... [--profile OUT]
       batch-store-bench compare [--rows N | --full] [--rounds K] [--seed S] [--table NAME] [--json]

  --list         print the workloads and exit
  --only NAME    run this workload only; may be repeated
  --profile OUT  write a CPU profile to OUT.folded, OUT.svg and OUT.pb (needs --features pprof)

  compare        this store beside other stores, as Markdown (needs --features compare)
  --rows N       grants, at least 8; the other tables take a share (default 100000)
  --full         --rows 1000000
  --rounds K     rounds, at least 1; medians are printed (default 3)
  --seed S       seed of the order within the rounds (default 1)
  --table NAME   this table only
  --json         every measurement, as JSON

BATCH_STORE_BENCH_PROFILE=full runs the workloads at the large scales; the default is fast.";

#[cfg(not(feature = "compare"))]
const HOW_TO_COMPARE: &str = "this build has no other stores to compare with; run
  cargo run --release -p batch-store-bench --features compare -- compare";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the workloads.
    Run(Run),
    /// Print the workloads.
    List,
    /// Compare with other stores.
    #[cfg(feature = "compare")]
    Compare(Compare),
    /// One measurement of a comparison: what `compare` starts as a child process.
    #[cfg(feature = "compare")]
    RunPeer {
        table: String,
        system: String,
        rows: usize,
        dir: PathBuf,
    },
}

/// Which workloads to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// These only; all when there are none.
    pub only: Vec<String>,
    /// Where the CPU profile goes.
    pub profile: Option<PathBuf>,
}

/// How to compare.
#[cfg(feature = "compare")]
#[derive(Debug, PartialEq, Eq)]
pub struct Compare {
    /// What and how often.
    pub options: batch_store_bench::compare::Options,
    /// JSON instead of Markdown.
    pub is_json: bool,
}

/// The command in the arguments, which do not include the program's name.
///
/// # Errors
/// What is wrong with them.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.peekable();
    match arguments.peek().map(String::as_str) {
        #[cfg(feature = "compare")]
        Some("compare") => compare::parse(arguments.skip(1)).map(Command::Compare),
        #[cfg(feature = "compare")]
        Some("run-peer") => compare::parse_peer(&arguments.skip(1).collect::<Vec<_>>()),
        #[cfg(not(feature = "compare"))]
        Some("compare" | "run-peer") => Err(HOW_TO_COMPARE.to_owned()),
        _ => parse_run(arguments),
    }
}

fn parse_run(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut run = Run::default();
    let mut lists = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--list" => lists = true,
            "--only" => run.only.push(value()?),
            "--profile" => run.profile = Some(value()?.into()),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let is_unknown = |name: &&String| !ALL.iter().any(|workload| workload.name == **name);
    if let Some(name) = run.only.iter().find(is_unknown) {
        return Err(format!("no workload is named {name:?}; --list prints them"));
    }
    if run.profile.is_some() && cfg!(not(feature = "pprof")) {
        return Err("--profile needs a build with --features pprof".to_owned());
    }
    Ok(match lists {
        true => Command::List,
        false => Command::Run(run),
    })
}

#[cfg(feature = "compare")]
mod compare {
    use batch_store_bench::compare::{DEFAULT_ROUNDS, DEFAULT_ROWS, FULL_ROWS, Options, TABLES};

    use super::{Command, Compare};

    /// Grants with which every table has a row for each of its clients.
    const LEAST_ROWS: usize = 8;

    fn number<T: std::str::FromStr + PartialOrd>(
        name: &str,
        text: &str,
        least: T,
    ) -> Result<T, String> {
        let parsed = text.parse().ok().filter(|number| *number >= least);
        parsed.ok_or_else(|| format!("{name} {text:?} is not a number that large"))
    }

    pub(super) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Compare, String> {
        let mut options = Options {
            rows: DEFAULT_ROWS,
            rounds: DEFAULT_ROUNDS,
            seed: 1,
            table: None,
        };
        let mut is_json = false;
        while let Some(argument) = arguments.next() {
            let name = argument.as_str();
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name {
                "--full" => options.rows = FULL_ROWS,
                "--rows" => options.rows = number(name, &value()?, LEAST_ROWS)?,
                "--rounds" => options.rounds = number(name, &value()?, 1)?,
                "--seed" => options.seed = number(name, &value()?, 0)?,
                "--table" => options.table = Some(table(&value()?)?),
                "--json" => is_json = true,
                other => return Err(format!("unknown argument {other:?} of compare")),
            }
        }
        Ok(Compare { options, is_json })
    }

    fn table(name: &str) -> Result<&'static str, String> {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        let found = names.iter().copied().find(|known| *known == name);
        found.ok_or_else(|| format!("no table is named {name:?}; there are {}", names.join(", ")))
    }

    pub(super) fn parse_peer(arguments: &[String]) -> Result<Command, String> {
        let [table, system, rows, dir] = arguments else {
            return Err("run-peer takes a table, a system, rows and a directory".to_owned());
        };
        Ok(Command::RunPeer {
            table: table.clone(),
            system: system.clone(),
            rows: number("rows", rows, LEAST_ROWS)?,
            dir: dir.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn workloads_are_chosen_by_name_and_unknown_ones_refused() {
        let run = Run {
            only: vec!["grants".to_owned(), "packages".to_owned()],
            profile: None,
        };
        let line = "--only grants --only packages";
        assert_eq!(parsed(line), Ok(Command::Run(run)));
        assert_eq!(parsed(""), Ok(Command::Run(Run::default())));
        assert_eq!(parsed("--list"), Ok(Command::List));
        for wrong in ["--only", "--only nothing", "--every", "grants"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "compare"))]
    #[test]
    fn a_build_without_other_stores_says_how_to_get_them() {
        let error = parsed("compare --full").expect_err("no peers");
        assert!(error.contains("--features compare"), "{error}");
    }

    #[cfg(feature = "compare")]
    #[test]
    fn compare_takes_rows_rounds_seed_and_table() {
        let options = |line: &str| match parsed(line) {
            Ok(Command::Compare(compare)) => Ok(compare),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error),
        };
        let default = options("compare").expect("the defaults");
        assert_eq!((default.options.rows, default.options.rounds), (100_000, 3));
        assert_eq!(
            options("compare --full").expect("a million").options.rows,
            1_000_000
        );
        let all = options("compare --rows 8 --rounds 1 --seed 0 --table grants --json");
        let all = all.expect("all arguments");
        assert_eq!((all.options.rows, all.options.table), (8, Some("grants")));
        assert!(all.is_json);
        for wrong in [
            "--rows 7",
            "--rows many",
            "--rounds 0",
            "--seed -1",
            "--table none",
            "--table",
            "--only grants",
        ] {
            assert!(options(&format!("compare {wrong}")).is_err(), "{wrong}");
        }
    }
}
