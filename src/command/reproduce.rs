//! `autoresearch reproduce`.

use std::path::Path;
use std::time::Instant;

use super::{Global, ledger_read, pretty};
use crate::cli::ReproduceArgs;
use crate::driver::end_to_end::Budget;
use crate::driver::open;
use crate::driver::project::Project;
use crate::driver::reproduce::Reproducer;
use crate::edge::interrupt::Interrupts;
use crate::edge::repo::Repo;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::claims::{Claimed, Claims};
use crate::flow::finalize;
use crate::flow::reproduction::{Comparison, pairs_wanted};
use crate::report::reproduction::{self, Report};

/// Builds a commit and its parent, measures them in fresh pairs and compares with the claim; or does
/// so for everything that the last session claims.
///
/// # Errors
/// The run or commit is unknown, was not kept, or does not build here.
pub fn run(global: &Global, args: &ReproduceArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let repo = Repo::discover(&global.directory)?;
    let project = Project::find_recorded(&repo, &global.directory)?;
    let claims = read_claims(&project.recorded_ledger()?)?;
    match &args.what {
        Some(what) => {
            let claimed = find(&repo, &claims, what)?;
            one(global, args, (&repo, &project), &claimed, interrupts)
        }
        None => all(global, args, (&repo, &project), &claims, interrupts),
    }
}

fn one(
    global: &Global,
    args: &ReproduceArgs,
    (repo, project): (&Repo, &Project),
    claimed: &Claimed,
    interrupts: Interrupts,
) -> Result<Exit> {
    let budget = budget_of(args);
    let mut console = global.console();
    let _lock = open::take_lock(repo)?;
    let measured = Reproducer::new(repo, project, claimed, &mut console, interrupts)
        .and_then(|mut bench| bench.measure(&mut console, claimed, budget(claimed)));
    console.finish();
    let comparison = match measured {
        Ok(comparison) => comparison,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    super::print(&if args.json {
        pretty(&comparison)
    } else {
        reproduction::text(&comparison)
    })?;
    Ok(exit(std::slice::from_ref(&comparison)))
}

fn all(
    global: &Global,
    args: &ReproduceArgs,
    (repo, project): (&Repo, &Project),
    claims: &Claims,
    interrupts: Interrupts,
) -> Result<Exit> {
    let claimed = claims.of_last_session();
    let (Some(session), Some(first)) = (claims.session(), claimed.first()) else {
        return Err(
            Error::usage("nothing was kept in the last session, so it claims nothing")
                .hint("`autoresearch log --status keep` lists what earlier ones kept"),
        );
    };
    let budget = budget_of(args);
    let mut console = global.console();
    let _lock = open::take_lock(repo)?;
    let mut done = Vec::new();
    let measured = Reproducer::new(repo, project, first, &mut console, interrupts)
        .and_then(|mut bench| bench.measure_all(&mut console, &claimed, budget, &mut done));
    console.finish();
    let was_interrupted = match measured {
        Ok(()) => false,
        Err(error) if error.kind() == Kind::Interrupted => true,
        Err(error) => return Err(error),
    };
    super::print(&if args.json {
        pretty(&Report {
            session,
            holds: !was_interrupted && exit(&done) == Exit::Ok,
            claims: &done,
        })
    } else {
        reproduction::table(&done, super::terminal_width())
    })?;
    Ok(if was_interrupted {
        Exit::Interrupted
    } else {
        exit(&done)
    })
}

/// What each claim may cost; the time runs from now.
fn budget_of(args: &ReproduceArgs) -> impl Fn(&Claimed) -> Budget + use<> {
    let pairs = args.pairs;
    let until = args.time_limit.map(|limit| Instant::now() + limit);
    move |claimed| Budget {
        pairs: pairs.map_or_else(|| pairs_wanted(claimed), |pairs| pairs as usize),
        until,
    }
}

fn exit(comparisons: &[Comparison]) -> Exit {
    if comparisons.iter().all(|one| one.verdict.holds()) {
        Exit::Ok
    } else {
        Exit::No
    }
}

fn read_claims(ledger: &Path) -> Result<Claims> {
    let mut claims = Claims::default();
    // A commit can be measured where nothing is on record.
    if ledger.exists() {
        ledger_read::each(ledger, |_, read| {
            claims.apply(&read);
            Ok(())
        })?;
    }
    Ok(claims)
}

/// The run of that number, or the run or bare commit that a revision names.
fn find(repo: &Repo, claims: &Claims, what: &str) -> Result<Claimed> {
    let by_number = what.parse::<u64>().ok().and_then(|run| claims.of_run(run));
    match by_number {
        Some(Ok(claimed)) => return Ok(claimed.clone()),
        Some(Err(reason)) => {
            return Err(Error::usage(format!(
                "run {what} was not kept ({}): it claims nothing",
                reason.describe()
            ))
            .hint(format!("`autoresearch show {what}` says why")));
        }
        None if what.len() < 7 && what.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err(Error::usage(format!("there is no run {what}"))
                .hint("`autoresearch log` lists them"));
        }
        None => {}
    }
    let commit = repo.resolve(what)?;
    if let Some(claimed) = claims.of_commit(&commit.to_string()) {
        return Ok(claimed.clone());
    }
    // The tip of a branch that `finalize` made says what all of the branch was measured to be.
    let said = finalize::said(&repo.message(commit)?);
    let parent = match &said {
        Some(said) => said.start.clone(),
        None => repo.parent(commit)?.to_string(),
    };
    Ok(Claimed {
        run: None,
        description: String::new(),
        commit: commit.to_string(),
        start: parent.clone(),
        parent,
        branch: None,
        gain: said.map(|said| said.measured.gain),
        repeats: None,
        environment: None,
        load: None,
    })
}
