//! The command line's types; what the flags do is in `command`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use crate::cli_read::{ExplainArgs, LogArgs, ReportArgs, ReportFormat, ShowArgs};
use crate::flow::config_parts::ProposerName;

/// An autonomous experiment loop for performance work: proposes changes, measures each beside the
/// code it would replace, and keeps only what is really better.
#[derive(Debug, Parser)]
#[command(
    name = "autoresearch",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok; 1 the answer is no (not kept, not reproduced, biased); \
                  2 wrong usage or files; 3 the machine or repository cannot do it; 130 interrupted."
)]
pub struct Cli {
    /// Work as if started in this directory
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// Say nothing but results, warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the scripts, the config and a backlog for this project
    Init(crate::command::init::InitArgs),
    /// Run the loop: propose, measure, decide, keep or discard
    Run(RunArgs),
    /// Judge the change that is now in the working tree as one candidate
    Try(TryArgs),
    /// Measure the unchanged code against itself: noise, bias, detectable effect
    Noise(NoiseArgs),
    /// List the runs in the ledger
    Log(LogArgs),
    /// Show everything about one run
    Show(ShowArgs),
    /// Write a report of the ledger: an HTML page, Markdown or JSON
    Report(ReportArgs),
    /// Recompute verdicts from their recorded pairs alone and show how they came about
    Explain(ExplainArgs),
    /// Measure the head against the head without each kept commit: does it still pay?
    Ablate(AblateArgs),
    /// Measure a kept commit against its parent again
    Reproduce(ReproduceArgs),
    /// Put the kept commits on reviewable branches, each built, gated and measured on its own
    Finalize(FinalizeArgs),
    /// Profile the benchmark at a revision, or the difference of two
    Profile(ProfileArgs),
    /// Show the session: what was kept, what is claimed, whether a loop is running
    Status(JsonArgs),
    /// Play the keep/revert rules of this and other programs on simulated or recorded noise
    Simulate(SimulateArgs),
    /// Check this machine and repository for what is missing or noisy
    Doctor(JsonArgs),
    /// Remove the build caches of this repository's slots
    Clean(JsonArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Candidates to judge at most in this run [default: maxIterations of the config, or 50]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_iterations: Option<u32>,

    /// Where candidates come from, in this order; may be repeated [default: proposers of the config]
    #[arg(short, long, value_name = "NAME")]
    pub proposer: Vec<ProposerName>,

    /// Begin no further candidate after this time, such as `8h` or `90m`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub time_limit: Option<std::time::Duration>,

    /// Start a new session from HEAD, also when the last one could go on
    #[arg(long)]
    pub fresh: bool,

    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// What the change does, for the commit and the ledger
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,

    /// Also take files inside the scope that git does not know; without this only what is tracked
    /// or `git add`ed counts
    #[arg(short, long)]
    pub untracked: bool,

    /// Print the ledger line as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `noise`.
#[derive(Debug, Args)]
pub struct NoiseArgs {
    /// Pairs to measure
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(6..=10_000))]
    pub pairs: u32,

    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `ablate`.
#[derive(Debug, Args)]
pub struct AblateArgs {
    /// Numbers of kept runs; all of the last session when none is given
    #[arg(value_name = "N")]
    pub run: Vec<u64>,

    /// Take out those that cost or no longer pay, when the gate passes without them; the branch gets
    /// a commit that reverts each
    #[arg(long)]
    pub drop: bool,

    /// Pairs to measure for each
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(6..=10_000))]
    pub pairs: u32,

    /// Print the ledger lines as a JSON list
    #[arg(long)]
    pub json: bool,
}

/// Flags of `reproduce`.
#[derive(Debug, Args)]
#[command(
    after_help = "Works in any clone that has the commits and experiments.jsonl. Exit code 0: \
                        everything asked for is reproduced; 1: it is not, or this machine cannot tell."
)]
pub struct ReproduceArgs {
    /// A run's number, or a commit
    #[arg(
        value_name = "N|COMMIT",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub what: Option<String>,

    /// Every kept commit of the last session, and its start against its head
    #[arg(long)]
    pub all: bool,

    /// Pairs to measure [default: as many as the claim rests on, at least 24]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(6..=10_000))]
    pub pairs: Option<u32>,

    /// Measure fewer pairs when they would take longer, such as `10m`; six are measured in any case,
    /// and with `--all` what has not begun by then is left out
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub time_limit: Option<std::time::Duration>,

    /// Print the comparison as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `finalize`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --plan or --from: groups the kept commits and makes the branches \
                        autoresearch/<name>-final/<group> at once. Nothing is pushed, and nothing is \
                        checked out. Exit code 1: a group fails, or is not shown to be better on its own."
)]
pub struct FinalizeArgs {
    /// Only write the proposed groups to this file, to be edited
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "pr_dir"])]
    pub plan: Option<PathBuf>,

    /// Use the groups of this file
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// Pairs to measure for each branch
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(6..=10_000))]
    pub pairs: u32,

    /// Write the text of a pull request for each branch to `DIR/<group>.md`; `-` prints them
    #[arg(long, value_name = "DIR")]
    pub pr_dir: Option<PathBuf>,

    /// Replace branches and files that exist
    #[arg(long)]
    pub force: bool,

    /// Print the branches, or the plan, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `profile`.
#[derive(Debug, Args)]
#[command(
    after_help = "Writes a flamegraph (SVG), a pprof profile (protobuf) and folded stacks for each \
                        revision. An autoresearch.sh that honours AUTORESEARCH_PROFILE=PATH, by writing \
                        folded stacks to PATH.folded, profiles itself; others are run under perf."
)]
pub struct ProfileArgs {
    /// Up to two revisions: the second is compared with the first [default: HEAD]
    #[arg(value_name = "REV", num_args = 0..=2)]
    pub revisions: Vec<String>,

    /// Who takes the samples [default: the script when it can, else perf]
    #[arg(long, value_name = "WHO")]
    pub with: Option<crate::driver::profile::Profiler>,

    /// Directory for the profiles, one below it for each commit
    /// [default: autoresearch/profiles in git's own directory]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Print the functions as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `simulate`.
#[derive(Debug, Args)]
#[command(
    after_help = "The rules are described in docs/decision.md. The same seed gives the same \
                        bytes, whatever the number of threads."
)]
pub struct SimulateArgs {
    /// Only this noise: iid1, iid2, iid5, heavy, ar1, regime, first-of-pair, slot1 or a recorded
    /// series; may be repeated [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub noise: Vec<String>,

    /// Only this rule; may be repeated [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub rule: Vec<String>,

    /// The candidates: standard, no-ops, or SHARE:PERCENT and SHARE:LOW..HIGH, comma separated
    #[arg(long, value_name = "LAW", default_value = "standard")]
    pub stream: String,

    /// Streams of 200 candidates for each noise
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub streams: u32,

    /// Decides everything
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Replay the series of a file (`series,seconds`) instead of the bundled ones
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    pub trace: Option<PathBuf>,

    /// Replay the pairs of a ledger, by default this project's
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<Option<PathBuf>>,

    /// False keeps that our rule permits per 200 no-ops [default: the config's, or 1]
    #[arg(long, value_name = "N")]
    pub false_keeps: Option<f64>,

    /// Smallest gain that our rule looks for, percent [default: the config's, or 1]
    #[arg(long, value_name = "PERCENT")]
    pub min_effect: Option<f64>,

    /// Do not count the runs of our rule's discarded warm-up pairs
    #[arg(long)]
    pub no_warm_up: bool,

    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub threads: Option<u32>,

    /// Print the figures with their standard errors as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of commands that only choose their output.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

fn parse_time(text: &str) -> Result<std::time::Duration, String> {
    let usage = || format!("{text:?} is no time above 0; write it as `8h`, `90m` or `1h 30m`");
    let time: jiff::SignedDuration = text.parse().map_err(|_| usage())?;
    let time = std::time::Duration::try_from(time).map_err(|_| usage())?;
    if time.is_zero() {
        Err(usage())
    } else {
        Ok(time)
    }
}
