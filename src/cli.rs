//! The command line's types; what the flags do is in `command`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cli_help as help;
pub use crate::cli_read::{ExplainArgs, LogArgs, ReportArgs, ReportFormat, ShowArgs, WatchArgs};
use crate::flow::config_parts::ProposerName;

/// An autonomous experiment loop for performance work
///
/// Proposes changes to a git repository, builds each in a worktree of its own, measures it beside the
/// code it would replace, and keeps as a commit only what is really better and passes the checks.
/// Every candidate is a line of experiments.jsonl. Your checkout is not touched.
#[derive(Debug, Parser)]
#[command(
    name = "autoresearch",
    version,
    max_term_width = 100,
    after_help = help::PROGRAM
)]
pub struct Cli {
    /// Work as if started in this directory
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub directory: Option<PathBuf>,

    /// Say nothing but results, warnings and errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the scripts, the config and a backlog for this project
    ///
    /// Looks at what the project is (Rust, Go, Node, Python, or anything else) and writes
    /// autoresearch.sh, autoresearch.checks.sh, autoresearch.config.json and ideas.md. What exists is
    /// left alone. Says what to edit and which commands come next.
    #[command(after_long_help = help::INIT)]
    Init(crate::command::init::InitArgs),
    /// Check this machine and repository for what is missing or noisy
    ///
    /// Measures nothing and changes nothing. Each finding is good to know, a warning or a problem, and
    /// says what helps.
    #[command(after_long_help = help::DOCTOR)]
    Doctor(JsonArgs),
    /// Measure the unchanged code against itself: noise, bias, detectable effect
    ///
    /// Builds HEAD in both worktrees and measures them in pairs. Says how noisy the benchmark is, how
    /// often a gain of the wanted size would be found, and what would help. Nothing is recorded.
    #[command(after_long_help = help::NOISE)]
    Noise(NoiseArgs),
    /// Run the loop: propose, measure, decide, keep or discard
    ///
    /// Goes on with the last session when HEAD, config and scripts fit it, else starts a new one from
    /// HEAD. Kept changes are commits on the branch autoresearch/NAME; your checkout stays as it is.
    /// Ends when the candidates, the iterations or one of the config's `limits` are used up, measures
    /// the whole from its start to its head, and prints the summary.
    #[command(after_long_help = help::RUN)]
    Run(RunArgs),
    /// Judge the change that is now in the working tree as one candidate
    ///
    /// What differs from HEAD inside the scope is measured like any candidate of `run`, in the same
    /// session, and kept on the branch of the session when it is better.
    #[command(after_long_help = help::TRY)]
    Try(TryArgs),
    /// Show the session: what was kept, what is claimed, whether a loop is running
    ///
    /// Of a running loop it says what it is doing at the moment.
    #[command(after_long_help = help::STATUS)]
    Status(JsonArgs),
    /// Watch the loop in the terminal: progress, runs, the metric, the selected run
    ///
    /// Shows the last session, and what a running loop does to it. It locks nothing and writes nothing.
    #[command(after_long_help = help::WATCH)]
    Watch(WatchArgs),
    /// List the runs in the ledger
    ///
    /// One line a candidate, as many columns as fit the terminal; `show N` has everything. Also reads
    /// the logs of pi-autoresearch, codex-autoresearch, labloop and karpathy/autoresearch.
    #[command(after_long_help = help::LOG)]
    Log(LogArgs),
    /// Show everything about one run
    ///
    /// Its change, its pairs as a plot in text, guards, gate, environment, why it was kept or not, and
    /// how to measure it again.
    #[command(after_long_help = help::SHOW)]
    Show(ShowArgs),
    /// Recompute verdicts from their recorded pairs alone and show how they came about
    ///
    /// Runs no benchmark: it plays the recorded pairs through the rule that judged them.
    #[command(after_long_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Write a report of the ledger: an HTML page, Markdown or JSON
    ///
    /// The page needs no network. It has the claim, the progress, and every run with its pairs,
    /// evidence, guards, change and gate output.
    #[command(after_long_help = help::REPORT)]
    Report(ReportArgs),
    /// Measure a kept commit against its parent again
    ///
    /// Builds both in clean worktrees, measures fresh pairs with the recorded settings, and compares
    /// with the claim: reproduced, weaker, not reproduced, or cannot tell on this machine. Says what
    /// differs between the two machines.
    #[command(after_long_help = help::REPRODUCE)]
    Reproduce(ReproduceArgs),
    /// Measure the head against the head without each kept commit: does it still pay?
    ///
    /// A later change can make an earlier one worthless. The result is recorded in the ledger.
    #[command(after_long_help = help::ABLATE)]
    Ablate(AblateArgs),
    /// Profile the benchmark at a revision, or the difference of two
    ///
    /// Writes a flamegraph (SVG), a pprof profile (protobuf) and folded stacks for each revision, and
    /// prints the functions that cost most. The loop tells an agent what was found.
    #[command(after_long_help = help::PROFILE)]
    Profile(ProfileArgs),
    /// Put the kept commits on reviewable branches, each built, gated and measured on its own
    ///
    /// Commits that change the same files, come from one idea, or do not work without each other share
    /// a branch autoresearch/NAME-final/GROUP. Each branch starts at the session's start, and the
    /// message of each has its own measured effect. Together they are the loop's head.
    #[command(after_long_help = help::FINALIZE)]
    Finalize(FinalizeArgs),
    /// Play the keep/revert rules of this and other programs on simulated or recorded noise
    ///
    /// Candidates of known effect show how many false ones a rule keeps, how many real ones it finds,
    /// and how far its claim is from the truth.
    #[command(after_long_help = help::SIMULATE)]
    Simulate(SimulateArgs),
    /// Take damaged lines out of the ledger; the file as it was is kept beside it
    ///
    /// Says which lines it took out and why. A ledger without a damaged line stays as it is.
    #[command(after_long_help = help::REPAIR)]
    Repair(RepairArgs),
    /// Remove the worktrees and build caches of this repository
    ///
    /// They are outside the checkout and only save time. The ledger and all commits stay.
    #[command(after_long_help = help::CLEAN)]
    Clean(JsonArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print a manual page, or write all of them into a directory
    ///
    /// autoresearch.1 is the program's, autoresearch-run.1 that of `run`, and so on.
    #[command(after_long_help = help::MAN)]
    Man(ManArgs),
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

/// Flags of `repair`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each gap gets a line of its own in the ledger, so that `doctor` tells a repaired \
                        ledger from an edited one. Exit code 1: --dry-run found damage."
)]
pub struct RepairArgs {
    /// Only say what would be taken out
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Print what is taken out as JSON
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

/// Flags of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Only the page of this command [default: the program's own]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub page: Option<String>,

    /// Write every page into this directory, which is made when it is missing
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
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
