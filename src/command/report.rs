//! `autoresearch report`.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use super::{Global, ledger_read};
use crate::cli::{ReportArgs, ReportFormat};
use crate::driver::engine::commit_id;
use crate::driver::profile;
use crate::edge::repo::Repo;
use crate::edge::serve::{Server, Site};
use crate::edge::{clock, output};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::live::Running;
use crate::flow::record::Status;
use crate::report::html::{self, Setting};
use crate::report::review::{Builder, Review};
use crate::report::{markdown, status};

/// Largest change that is put into a report, bytes.
const DIFF_BYTES_MAX: usize = 64 << 10;
/// Largest sum of changes, bytes; kept runs come first.
const DIFFS_BYTES_MAX: usize = 8 << 20;
/// Largest flamegraph that is put into a report, bytes.
const FLAMEGRAPH_BYTES_MAX: u64 = 2 << 20;

/// Writes or serves a report.
///
/// # Errors
/// The ledger is missing or damaged, or the report cannot be written or served.
pub fn run(global: &Global, args: &ReportArgs) -> Result<Exit> {
    let source = Source {
        path: global.ledger_path(args.file.as_deref())?,
        directory: global.directory.clone(),
        is_own: args.file.is_none(),
        diffs: Mutex::default(),
    };
    if let Some(address) = args.serve {
        // A ledger that cannot be read is better said here than to a browser.
        source.page(Some(source.stamp()))?;
        let server = Server::bind(address, args.remote)?;
        super::print(&server.url())?;
        server.run(Arc::new(source));
    }
    let is_page = args.format == ReportFormat::Html;
    if is_page && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::usage("a page of HTML is not for a terminal")
            .hint("write it to a file with `-o report.html`, or look at it with `--serve`"));
    }
    let text = match args.format {
        ReportFormat::Html => source.page(None)?,
        ReportFormat::Md => markdown::text(&source.review(false)?),
        ReportFormat::Json => source.review(true)?.to_json(),
    };
    match args
        .output
        .as_deref()
        .filter(|file| *file != Path::new("-"))
    {
        None => super::print(&text)?,
        Some(file) => {
            let path = global.directory.join(file);
            output::write(&path, text.as_bytes())?;
            if !global.quiet {
                eprintln!(
                    "wrote {} ({} KiB)",
                    path.display(),
                    text.len().div_ceil(1024)
                );
            }
        }
    }
    Ok(Exit::Ok)
}

/// A ledger and the repository around it.
struct Source {
    path: PathBuf,
    directory: PathBuf,
    /// Whether it is the project's own ledger, to which a running loop belongs.
    is_own: bool,
    /// Changes by candidate: git is asked once for each.
    diffs: Mutex<HashMap<String, String>>,
}

impl Source {
    /// The page; `stamp` is that of the ledger before it is read, for a page that is served.
    fn page(&self, stamp: Option<String>) -> Result<String> {
        let setting = Setting {
            ledger: self
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            now_ms: clock::now_ms(),
            running: self.running(),
            stamp,
        };
        Ok(html::page(&self.review(true)?, &setting))
    }

    fn review(&self, with_changes: bool) -> Result<Review> {
        let mut builder = Builder::new();
        ledger_read::each(&self.path, |decoder, read| {
            builder.push(&read, decoder.segments()).map_err(|error| {
                Error::usage(format!("{} holds impossible values", self.path.display()))
                    .because(error)
            })
        })?;
        let mut review = builder.finish();
        if with_changes && let Ok(repo) = Repo::discover(&self.directory) {
            self.add_changes(&repo, &mut review);
        }
        Ok(review)
    }

    /// Adds changes and flamegraphs, as far as they are here.
    fn add_changes(&self, repo: &Repo, review: &mut Review) {
        let mut diffs = self.diffs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = DIFFS_BYTES_MAX;
        for wants_kept in [true, false] {
            for run in &mut review.runs {
                let is_kept = run.row.status == Status::Keep;
                let detail = &mut run.detail;
                if is_kept != wants_kept || detail.candidate.is_empty() || detail.parent.is_empty()
                {
                    continue;
                }
                let diff = diffs.entry(detail.candidate.clone()).or_insert_with(|| {
                    diff(repo, &detail.parent, &detail.candidate).unwrap_or_default()
                });
                if !diff.is_empty() && diff.len() <= left {
                    left -= diff.len();
                    detail.diff = Some(diff.clone());
                }
                if is_kept {
                    detail.flamegraph = flamegraph(repo, &detail.candidate);
                }
            }
        }
    }

    /// What changes with the ledger: its length and the time of its last change.
    fn stamp(&self) -> String {
        let metadata = std::fs::metadata(&self.path).ok();
        let changed = metadata.as_ref().and_then(|metadata| {
            let since_epoch = metadata.modified().ok()?.duration_since(UNIX_EPOCH);
            since_epoch.ok().map(|time| time.as_nanos())
        });
        let length = metadata.map_or(0, |metadata| metadata.len());
        format!("{length}-{}", changed.unwrap_or(0))
    }

    fn running(&self) -> Option<String> {
        let repo = self
            .is_own
            .then(|| Repo::discover(&self.directory).ok())??;
        match super::status::running(&repo) {
            Running::No => None,
            Running::Yes { live, .. } => {
                Some(live.map_or(String::new(), |live| status::doing(&live)))
            }
        }
    }
}

impl Site for Source {
    fn page(&self) -> Result<String> {
        self.page(Some(self.stamp()))
    }

    fn policy(&self) -> String {
        html::policy(true)
    }

    fn look(&self) -> Vec<(&'static str, String)> {
        let running = match self.running() {
            None => String::new(),
            Some(doing) => format!("running: {doing}"),
        };
        vec![
            ("ledger", self.stamp()),
            // As JSON it is one line, whatever is in it.
            ("live", serde_json::Value::String(running).to_string()),
        ]
    }
}

/// The change between two commits that are here; one that is too long is cut, and says so.
pub(super) fn diff(repo: &Repo, parent: &str, candidate: &str) -> Option<String> {
    let (parent, candidate) = (commit_id(parent).ok()?, commit_id(candidate).ok()?);
    if !repo.has_commit(parent) || !repo.has_commit(candidate) {
        return None;
    }
    let mut text = repo.diff_text(parent, candidate).ok()?;
    if text.len() > DIFF_BYTES_MAX {
        let within = &text.as_bytes()[..DIFF_BYTES_MAX];
        let end = within.iter().rposition(|byte| *byte == b'\n');
        text.truncate(end.unwrap_or(0));
        text.push_str("\n... the rest is in the repository");
    }
    Some(text)
}

/// The flamegraph of a commit, where `profile` has left one.
fn flamegraph(repo: &Repo, commit: &str) -> Option<String> {
    // The ledger may hold anything; only a commit's id becomes part of a path.
    let commit = commit_id(commit).ok()?.to_string();
    let base = profile::default_directory(repo);
    let path = profile::directory_of(&base, &commit).join(profile::FLAMEGRAPH_FILE);
    let length = std::fs::metadata(&path).ok()?.len();
    if length > FLAMEGRAPH_BYTES_MAX {
        return None;
    }
    std::fs::read(path).ok().map(|svg| html::svg_address(&svg))
}
