//! `autoresearch profile`.

use git2::Oid;

use super::{Global, pretty};
use crate::cli::ProfileArgs;
use crate::driver::bench::Bench;
use crate::driver::open;
use crate::driver::profile::{self, Taken};
use crate::edge::console::Console;
use crate::edge::interrupt::Interrupts;
use crate::error::{Kind, Result};
use crate::exit::Exit;
use crate::report::profile::{self as report, Difference, Moved, Shown};

/// Functions in a table.
const FUNCTIONS_MAX: usize = 20;

/// Profiles the benchmark at one or two revisions.
///
/// # Errors
/// A revision names no commit, does not build or run, or nobody can profile it here.
pub fn run(global: &Global, args: &ProfileArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let (repo, project, _) = global.project()?;
    let commits: Vec<Oid> = if args.revisions.is_empty() {
        vec![repo.head()?]
    } else {
        let revisions = args.revisions.iter();
        revisions
            .map(|revision| repo.resolve(revision))
            .collect::<Result<_>>()?
    };
    // The scripts of the newest, which all are run with.
    let last = commits[commits.len() - 1];
    let pinned = project.pin_past(&repo, last)?;
    let base = match &args.out {
        Some(directory) => global.directory.join(directory),
        None => profile::default_directory(&repo),
    };
    let _lock = open::take_lock(&repo)?;
    let mut console = global.console();
    let mut bench = Bench::open(&repo, pinned, interrupts, last)?;
    let mut take_all = |console: &mut Console| -> Result<Vec<Taken>> {
        let commits = commits.iter();
        commits
            .map(|&commit| profile::take(&mut bench, console, commit, args.with, &base))
            .collect()
    };
    let taken = take_all(&mut console);
    console.finish();
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    let width = super::terminal_width();
    let text = match (&taken[..], &commits[..]) {
        ([before, after], &[a, b]) => {
            let (old, new) = (&before.profile, &after.profile);
            let moved = if old.is_telling() && new.is_telling() {
                Some(Moved {
                    svg: profile::write_difference(&base, (old, a), (new, b))?,
                    shifts: new.shifts(old, FUNCTIONS_MAX),
                })
            } else {
                None
            };
            let difference = Difference {
                before: shown(before, a),
                after: shown(after, b),
                moved,
            };
            if args.json {
                pretty(&difference)
            } else {
                report::difference(&difference, width)
            }
        }
        (taken, commits) => {
            let shown = shown(&taken[0], commits[0]);
            if args.json {
                pretty(&shown)
            } else {
                report::text(&shown, width)
            }
        }
    };
    super::print(&text)?;
    Ok(Exit::Ok)
}

fn shown(taken: &Taken, commit: Oid) -> Shown {
    Shown {
        commit: commit.to_string(),
        profiler: taken.profiler.as_str().to_owned(),
        samples: taken.profile.samples(),
        executions: taken.executions,
        directory: taken.directory.clone(),
        functions: taken.profile.top(FUNCTIONS_MAX),
    }
}
