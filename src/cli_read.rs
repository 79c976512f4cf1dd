//! Flags of the commands that only read a ledger: `log`, `show`, `report`, `watch`,
//! `explain`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::flow::record::Status;
use crate::report::rows::Sort;
use crate::report::since::Since;

/// Flags of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Only runs with this status; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = parse_status)]
    pub status: Vec<Status>,

    /// Only runs recorded since then: `2h`, `3 days`, `2026-11-20`, `2026-11-20T08:00Z`
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    pub since: Option<Since>,

    /// Only runs of this entry of ideas.md
    #[arg(long, value_name = "ID")]
    pub idea: Option<String>,

    /// Only runs whose description, hypothesis, detail or notes match, upper and lower case alike
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    pub grep: Option<regex::Regex>,

    /// In this order: as in the ledger, or best or longest first
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    pub sort: Sort,

    /// The other way round
    #[arg(long)]
    pub reverse: bool,

    /// Only N runs: the last, or with another order than the ledger's the first
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,

    /// Only the runs of the last session
    #[arg(long)]
    pub last: bool,

    /// Another ledger: also a log of pi-autoresearch, codex-autoresearch, labloop or
    /// karpathy/autoresearch
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Print the runs as JSON
    #[arg(long)]
    pub json: bool,

    /// Print the runs as CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Flags of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run's number
    #[arg(value_name = "N")]
    pub run: u64,

    /// Print the candidate's change instead
    #[arg(long)]
    pub diff: bool,

    /// Another ledger
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    pub file: Option<PathBuf>,

    /// Print the run as JSON
    #[arg(long, conflicts_with = "diff")]
    pub json: bool,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "serve")]
    pub output: Option<PathBuf>,

    /// What to write
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        conflicts_with = "serve"
    )]
    pub format: ReportFormat,

    /// Another ledger: also a log of pi-autoresearch, codex-autoresearch, labloop or
    /// karpathy/autoresearch
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Serve the page on this machine and keep it up to date while the loop runs
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0", value_parser = parse_address)]
    pub serve: Option<SocketAddr>,

    /// Let --serve listen on an address that other machines can reach
    #[arg(long, requires = "serve")]
    pub remote: bool,
}

/// What `report` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ReportFormat {
    /// One self-contained page
    #[default]
    Html,
    /// For the text of a pull request
    Md,
    /// For programs
    Json,
}

/// Flags of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Another ledger: also a log of pi-autoresearch, codex-autoresearch, labloop or
    /// karpathy/autoresearch
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The run's number; without it every verdict is recomputed, and those that differ are listed
    #[arg(value_name = "N")]
    pub run: Option<u64>,

    /// Another ledger
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Print the explanation as JSON
    #[arg(long)]
    pub json: bool,
}

fn parse_status(text: &str) -> Result<Status, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "use keep, discard, crash or checks_failed".to_owned())
}

/// `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`; no name is looked up.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let form = "write an address and a port, such as 127.0.0.1:8080 or localhost:8080";
    numeric.parse().map_err(|_| form.to_owned())
}

fn parse_regex(text: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(text)
        .case_insensitive(true)
        .build()
        .map_err(|error| error.to_string())
}
