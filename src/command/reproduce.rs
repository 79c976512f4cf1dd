//! `autoresearch reproduce`.

use std::path::Path;

use git2::Oid;
use serde::Serialize;

use super::{Global, pretty};
use crate::cli::ReproduceArgs;
use crate::driver::bench::Bench;
use crate::driver::calibrate;
use crate::driver::engine::commit_id;
use crate::driver::open;
use crate::driver::project::Project;
use crate::edge::interrupt::Interrupts;
use crate::edge::ledger_file::LedgerFile;
use crate::edge::repo::Repo;
use crate::edge::{clock, host};
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::flow::decision::{Direction, Estimate};
use crate::flow::entry::Read;
use crate::flow::environment;
use crate::flow::ledger::{Decoder, decode_text};
use crate::flow::record::{ConfigLine, Environment, Gain, RunLine, Status};
use crate::flow::reproduction::Reproduction;
use crate::flow::session::judged;
use crate::report::format;

/// What to measure again, and what was claimed of it.
struct Claim {
    commit: Oid,
    parent: Oid,
    /// The commit whose scripts and config apply.
    start: Oid,
    run: Option<RunLine>,
    environment: Option<Environment>,
}

/// The comparison, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Comparison {
    commit: String,
    parent: String,
    run: Option<u64>,
    metric: String,
    claimed: Option<Gain>,
    measured: Gain,
    wall: Option<Gain>,
    verdict: Reproduction,
    differences: Vec<String>,
}

/// Builds a commit and its parent, measures them in fresh pairs and compares.
///
/// # Errors
/// The run or commit is unknown, was not kept, or does not build here.
pub fn run(global: &Global, args: &ReproduceArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let mut console = global.console();
    let repo = Repo::discover(&global.directory)?;
    let project = Project::find(&repo, &global.directory)?;
    let claim = find_claim(&repo, &project, &args.what)?;
    let _lock = open::take_lock(&repo)?;
    let pinned = project.pin_past(&repo, claim.start)?;
    let (primary, _) = judged(&pinned.config);
    let mut bench = Bench::open(&repo, pinned, interrupts, claim.start)?;
    let seed = clock::fresh_seed();
    let measured = calibrate::size_runs(&mut bench, &mut console, claim.parent).and_then(|()| {
        calibrate::end_to_end(
            &mut bench,
            &mut console,
            claim.parent,
            claim.commit,
            args.pairs as usize,
            seed,
        )
    });
    console.finish();
    let pairs = match measured {
        Ok(pairs) => pairs,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    let gains = calibrate::gains(&primary, &pairs)?;
    let measured = primary.gain_record(&Estimate::from_pairs(&gains));
    let claimed = claim.run.as_ref().and_then(|run| run.estimate);
    let here = host::environment();
    let comparison = Comparison {
        commit: claim.commit.to_string(),
        parent: claim.parent.to_string(),
        run: claim.run.as_ref().map(|run| run.run),
        metric: primary.name.clone(),
        claimed,
        measured,
        wall: calibrate::wall_gain(&primary, &pairs),
        verdict: Reproduction::judge(claimed.as_ref(), &measured),
        differences: claim
            .environment
            .map(|there| environment::differences(&there, &here))
            .unwrap_or_default(),
    };
    if args.json {
        super::print(&pretty(&comparison));
    } else {
        super::print(&render(&comparison, primary.direction));
    }
    Ok(if comparison.verdict.holds() {
        Exit::Ok
    } else {
        Exit::No
    })
}

/// The run of that number, or the run or bare commit that a revision names.
fn find_claim(repo: &Repo, project: &Project, what: &str) -> Result<Claim> {
    let runs = recorded_runs(&project.ledger(&project.config_now()?))?;
    let by_number = what
        .parse::<u64>()
        .ok()
        .and_then(|number| runs.iter().find(|(_, run)| run.run == number));
    let recorded = match by_number {
        Some(found) => Some(found),
        None if what.len() < 7 && what.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err(Error::usage(format!("there is no run {what}"))
                .hint("`autoresearch log` lists them"));
        }
        None => {
            let id = repo.resolve(what)?.to_string();
            runs.iter()
                .find(|(_, run)| run.candidate.as_deref() == Some(&id))
        }
    };
    match recorded {
        Some((session, run)) => recorded_claim(repo, session, run),
        None => {
            let commit = repo.resolve(what)?;
            let parent = repo.parent(commit)?;
            Ok(Claim {
                commit,
                parent,
                start: parent,
                run: None,
                environment: None,
            })
        }
    }
}

fn recorded_claim(repo: &Repo, session: &ConfigLine, run: &RunLine) -> Result<Claim> {
    let number = run.run;
    let Some(candidate) = run
        .candidate
        .as_deref()
        .filter(|_| run.status == Status::Keep)
    else {
        return Err(Error::usage(format!(
            "run {number} was not kept ({}): it claims nothing",
            run.reason.describe()
        ))
        .hint(format!("`autoresearch show {number}` says why")));
    };
    let find = |id: &str| {
        let id = commit_id(id)?;
        if repo.has_commit(id) {
            return Ok(id);
        }
        Err(Error::environment(format!(
            "commit {id:.10} of run {number} is not in this repository"
        ))
        .hint(format!(
            "fetch the branch it is on: `git fetch origin {}`",
            session.branch
        )))
    };
    Ok(Claim {
        commit: find(candidate)?,
        parent: find(&run.parent)?,
        start: find(&session.start)?,
        run: Some(run.clone()),
        environment: Some(session.environment.clone()),
    })
}

/// Every run of ours with the line that opened its session.
fn recorded_runs(path: &Path) -> Result<Vec<(ConfigLine, RunLine)>> {
    let text = LedgerFile::read(path)?;
    let mut decoder = Decoder::new(&path.display().to_string());
    let mut session: Option<ConfigLine> = None;
    let mut runs = Vec::new();
    decode_text(&text, &mut decoder, |read| {
        match read {
            Read::Segment(segment) => session = segment.session.map(|line| *line),
            Read::Run(entry) => {
                if let (Some(session), Some(line)) = (&session, entry.line()) {
                    runs.push((session.clone(), line.clone()));
                }
            }
            Read::Calibration(_)
            | Read::Claim(_)
            | Read::Ablation(_)
            | Read::Skipped
            | Read::Newer { .. } => {}
        }
        Ok(())
    })?;
    Ok(runs)
}

fn render(comparison: &Comparison, direction: Direction) -> String {
    let words = |direction, gain: &Gain| {
        let pairs = gain.pairs;
        format!("{}  ({pairs} pairs)", format::gain(direction, gain))
    };
    let mut text = format!(
        "commit    {:.10}  against parent {:.10}\nmetric    {}, + is better\nclaimed   {}\nmeasured  {}\n",
        comparison.commit,
        comparison.parent,
        comparison.metric,
        comparison
            .claimed
            .as_ref()
            .map_or("nothing on record".to_owned(), |gain| words(
                direction, gain
            )),
        words(direction, &comparison.measured),
    );
    if let Some(wall) = &comparison.wall {
        text.push_str(&format!("wall      {}\n", words(Direction::Lower, wall)));
    }
    for difference in &comparison.differences {
        text.push_str(&format!("differs   {difference}\n"));
    }
    text.push_str(&format!("verdict   {}\n", comparison.verdict.describe()));
    text
}
