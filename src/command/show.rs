//! `autoresearch show`.

use std::path::Path;

use super::{Global, ledger_read};
use crate::cli::ShowArgs;
use crate::driver::engine::commit_id;
use crate::edge::repo::Repo;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::entry::{Entry, Read, Segment};
use crate::report::show;

/// Prints everything about one run, or its change.
///
/// # Errors
/// The ledger is missing or damaged, or there is no such run.
pub fn run(global: &Global, args: &ShowArgs) -> Result<Exit> {
    let path = global.ledger_path(args.file.as_deref())?;
    if args.diff {
        super::print(&diff(global, &path, args.run)?);
    } else {
        super::print(&render(&path, args.run, args.json)?);
    }
    Ok(Exit::Ok)
}

/// The text or JSON of one run.
///
/// # Errors
/// The ledger is missing or damaged, or there is no such run.
pub fn render(path: &Path, run: u64, json: bool) -> Result<String> {
    let (entry, segment) = find(path, run)?;
    Ok(if json {
        show::json(&entry, &segment)
    } else {
        let columns = super::log::width().map_or(usize::MAX, usize::from);
        show::text_within(&entry, &segment, columns)
    })
}

fn find(path: &Path, run: u64) -> Result<(Entry, Segment)> {
    let mut found = None;
    let mut last = 0;
    ledger_read::each(path, |decoder, read| {
        if let Read::Run(entry) = read {
            last = entry.run;
            if entry.run == run {
                found = Some((
                    *entry.clone(),
                    decoder.segments()[entry.segment as usize].clone(),
                ));
            }
        }
        Ok(())
    })?;
    found.ok_or_else(|| {
        let known = if last == 0 {
            "there are none yet".to_owned()
        } else {
            format!("the last one is {last}")
        };
        Error::usage(format!("{} has no run {run}; {known}", path.display()))
            .hint("`autoresearch log` lists the runs")
    })
}

/// The candidate's change against what it was judged against.
fn diff(global: &Global, path: &Path, run: u64) -> Result<String> {
    let (entry, _) = find(path, run)?;
    let line = entry.line().ok_or_else(|| {
        Error::usage(format!(
            "run {run} was recorded by another program, without its change"
        ))
        .hint(format!("`autoresearch show {run}` has what is known"))
    })?;
    let Some(candidate) = &line.candidate else {
        return Err(Error::usage(format!(
            "run {run} never became a commit: {}",
            line.reason.describe()
        ))
        .hint(format!("`autoresearch show {run}` says more")));
    };
    let repo = Repo::discover(&global.directory)?;
    let (parent, candidate) = (commit_id(&line.parent)?, commit_id(candidate)?);
    for id in [parent, candidate] {
        if !repo.has_commit(id) {
            return Err(Error::environment(format!("commit {id:.10} of run {run} is not in this repository"))
                .hint("candidates are kept under refs/autoresearch where they were made: `git fetch origin 'refs/autoresearch/*:refs/autoresearch/*'`"));
        }
    }
    repo.diff_text(parent, candidate)
}
