//! `autoresearch explain`.

use std::path::Path;

use super::{Global, ledger_read, pretty};
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::entry::{Read, Segment};
use crate::flow::explain::{Explainer, Explanation};
use crate::flow::record::RunLine;
use crate::flow::session::Past;
use crate::flow::trial::TrialSetup;
use crate::report::explain;

/// Recomputes recorded verdicts from their pairs alone and says how they came about.
///
/// # Errors
/// The ledger is missing or damaged, or there is no such run of ours.
pub fn run(global: &Global, args: &ExplainArgs) -> Result<Exit> {
    let path = global.ledger_path(args.file.as_deref())?;
    let mut found = Vec::new();
    let mut last = 0;
    let mut explainer = Explainer::default();
    each_run(&path, |line, setup, segment| {
        last = line.run;
        if args.run.is_none_or(|run| run == line.run) {
            found.push((
                explain_run(&mut explainer, line, setup)?,
                line.clone(),
                segment.clone(),
            ));
        }
        Ok(())
    })?;
    let Some(first) = found.first() else {
        return Err(match args.run {
            Some(run) => Error::usage(format!(
                "{} has no run {run} recorded by this program; the last one is {last}",
                path.display()
            ))
            .hint("`autoresearch log` lists the runs; those of other programs have no pairs"),
            None => Error::usage(format!("{} has no runs of this program", path.display()))
                .hint("`autoresearch run` records some; those of other programs have no pairs"),
        });
    };
    let differing = found.iter().filter(|(found, ..)| !found.holds()).count();
    if args.json {
        let all: Vec<&Explanation> = found.iter().map(|(explanation, ..)| explanation).collect();
        super::print(&match args.run {
            Some(_) => pretty(all[0]),
            None => pretty(&all),
        })?;
    } else if args.run.is_some() {
        let (explanation, line, segment) = first;
        super::print(&explain::text(explanation, line, segment))?;
    } else {
        for (explanation, ..) in found.iter().filter(|(found, ..)| !found.holds()) {
            let differences = explanation.differences.join("; ");
            super::print(&format!("run {}: {differences}", explanation.run))?;
        }
        super::print(&format!(
            "{} of {} verdicts follow from their recorded pairs",
            found.len() - differing,
            found.len()
        ))?;
    }
    Ok(if differing == 0 { Exit::Ok } else { Exit::No })
}

fn explain_run(
    explainer: &mut Explainer,
    line: &RunLine,
    setup: Option<TrialSetup>,
) -> Result<Explanation> {
    let number = line.run;
    let setup = setup.ok_or_else(|| {
        Error::usage(format!(
            "run {number} comes before its session's calibration"
        ))
    })?;
    explainer.explain(&setup, line).map_err(|error| {
        Error::usage(format!("run {number} holds values that no run can have")).because(error)
    })
}

/// Hands every run of ours to `each`, with what it was judged by.
fn each_run(
    path: &Path,
    mut each: impl FnMut(&RunLine, Option<TrialSetup>, &Segment) -> Result<()>,
) -> Result<()> {
    let mut past = Past::new();
    ledger_read::each(path, |decoder, read| {
        if let Read::Run(entry) = &read
            && let Some(line) = entry.line()
        {
            let session = past.session.as_ref();
            let setup = session.and_then(|session| session.trial_setup());
            each(line, setup, &decoder.segments()[entry.segment as usize])?;
        }
        past.apply(&read).map_err(|error| {
            Error::usage(format!("{} holds impossible values", path.display())).because(error)
        })
    })
}
