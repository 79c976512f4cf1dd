//! From the proposers' plans to trees of candidates.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Oid;

use super::bench::Bench;
use super::engine::commit_id;
use super::open::Opened;
use super::propose_agent;
use crate::edge::child_env;
use crate::edge::console::Console;
use crate::edge::ledger_file;
use crate::edge::regular;
use crate::error::{Context, Error, Result, utf8};
use crate::flow::config_parts::{Knob, ProposerName};
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::Reason;
use crate::propose::ideas::{self, Backlog};
use crate::propose::plan::Plan;
use crate::propose::{agent_presets, ideas_file, knob, patch, tune};

/// A proposal with the tree it makes of the incumbent, or why it makes none.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The proposal.
    pub proposal: Proposal,
    /// The candidate's tree.
    pub tree: std::result::Result<Oid, (Reason, String)>,
    /// Whether to judge it also when the same tree was judged before: somebody asks for it.
    pub again: bool,
}

/// The proposers of a run, asked in order.
#[derive(Debug)]
pub struct Proposers {
    order: Vec<ProposerName>,
    seed: u64,
    /// The backlog as last read without error.
    backlog: Backlog,
}

impl Proposers {
    /// Proposers in the order in which they are asked.
    ///
    /// # Errors
    /// The backlog is malformed, or `agent` is asked for and not configured or not installed.
    pub fn new(order: Vec<ProposerName>, opened: &Opened) -> Result<Self> {
        if order.contains(&ProposerName::Agent) && opened.pinned.config.agent.is_none() {
            return Err(Error::usage(
                "proposer `agent` needs an `agent` in autoresearch.config.json",
            )
            .hint("for example `\"agent\": {\"preset\": \"claude\"}`"));
        }
        if order.contains(&ProposerName::Agent)
            && let Some(spec) = &opened.pinned.config.agent
            && let Some(program) = agent_presets::program(spec)
            && !child_env::has_program(&program)
        {
            return Err(Error::environment(format!(
                "the agent's program `{program}` is not in PATH"
            ))
            .hint("install it, or write its path in `agent.command` of autoresearch.config.json"));
        }
        let backlog = read_backlog(opened)?;
        let origin = ideas_path(opened).display().to_string();
        ideas::check_knobs(&backlog, &opened.pinned.config.knobs, &origin)?;
        // The same session searches in the same order when it goes on.
        let seed = opened.state.opened.timestamp;
        Ok(Self {
            order,
            seed,
            backlog,
        })
    }

    /// The next candidate, or `None` when no proposer has one.
    ///
    /// # Errors
    /// The backlog is malformed, or the repository cannot be read.
    pub fn next(
        &mut self,
        opened: &Opened,
        bench: &mut Bench,
        console: &Console,
    ) -> Result<Option<Draft>> {
        match read_backlog(opened) {
            Ok(backlog) => self.backlog = backlog,
            // A person may be editing it at this moment.
            Err(error) => console.warn(&format!("{error}; going on with the backlog as it was")),
        }
        for &name in &self.order {
            let draft = match name {
                ProposerName::Ideas => self.idea_draft(opened)?,
                ProposerName::Tune => self.tune_draft(opened)?,
                ProposerName::Agent => Some(propose_agent::draft(opened, bench, &self.backlog)?),
            };
            if draft.is_some() {
                return Ok(draft);
            }
        }
        Ok(None)
    }

    fn idea_draft(&self, opened: &Opened) -> Result<Option<Draft>> {
        let knobs = &opened.pinned.config.knobs;
        let current = current_values(opened)?;
        let plan = ideas::next(&self.backlog, &opened.state.tried, knobs, &current);
        plan.map(|plan| draft_of(plan, opened)).transpose()
    }

    fn tune_draft(&self, opened: &Opened) -> Result<Option<Draft>> {
        let knobs = &opened.pinned.config.knobs;
        let start = values_at(opened, commit_id(&opened.state.opened.start)?)?;
        let current = current_values(opened)?;
        let plan = tune::next(knobs, &start, &current, &opened.state.tried, self.seed)?;
        plan.map(|plan| draft_of(plan, opened)).transpose()
    }

    /// Ticks finished entries of the backlog, each in its own line; nothing else of the file
    /// changes. The ledger knows anyway: a tick that fails is only said.
    pub fn note(&self, opened: &Opened, console: &Console) {
        if let Err(error) = tick(opened) {
            console.warn(&format!(
                "cannot tick {}: {error}",
                ideas_path(opened).display()
            ));
        }
    }
}

fn tick(opened: &Opened) -> Result<()> {
    let path = ideas_path(opened);
    let Some(text) = regular::read(&path)
        .ok()
        .and_then(|text| String::from_utf8(text).ok())
    else {
        return Ok(());
    };
    let backlog = ideas_file::parse(&text, &path.display().to_string())?;
    let finished = ideas::finished(&backlog, &opened.state.tried, &current_values(opened)?);
    let ticked = finished.iter().fold(text.clone(), |text, (id, verdict)| {
        ideas_file::tick(&text, id, verdict).unwrap_or(text)
    });
    if ticked == text {
        Ok(())
    } else {
        ledger_file::replace(&path, &ticked)
    }
}

fn ideas_path(opened: &Opened) -> std::path::PathBuf {
    opened.project.ideas(&opened.pinned.config)
}

/// The backlog as it is in the checkout now: a person may add to it while the loop runs.
fn read_backlog(opened: &Opened) -> Result<Backlog> {
    let path = ideas_path(opened);
    let text = match regular::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).context(|| format!("cannot read {}", path.display())),
    };
    let origin = path.display().to_string();
    ideas_file::parse(utf8(&text, &origin)?, &origin)
}

/// Each knob's value in the incumbent.
fn current_values(opened: &Opened) -> Result<BTreeMap<String, String>> {
    values_at(opened, commit_id(opened.state.head())?)
}

/// Each knob's value at a commit. A knob that is not found there is left out.
fn values_at(opened: &Opened, commit: Oid) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for knob in &opened.pinned.config.knobs {
        let source = source_of(opened, commit, knob)?;
        if let Some(Ok(value)) = source.map(|source| knob::read(&source, knob)) {
            values.insert(knob.name.clone(), value);
        }
    }
    Ok(values)
}

fn source_of(opened: &Opened, commit: Oid, knob: &Knob) -> Result<Option<String>> {
    let bytes = opened.repo.file_at(commit, Path::new(&knob.file))?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

fn draft_of(plan: Plan, opened: &Opened) -> Result<Draft> {
    let head = commit_id(opened.state.head())?;
    let directory = opened.project.checkout.join(&opened.pinned.work);
    let mut missing = None;
    let proposal = plan.into_proposal(|path| {
        let file = directory.join(path);
        match regular::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                missing = Some(format!("{path} does not exist"));
                Ok(Vec::new())
            }
            result => result.context(|| format!("cannot read {}", file.display())),
        }
    })?;
    let not_applicable = |detail: String| (Reason::NotApplicable, detail);
    let tree = match (&proposal.change, missing) {
        (_, Some(detail)) => Err(not_applicable(detail)),
        (Change::Patch { path, text }, None) => opened
            .repo
            .apply_patch(head, &patch::with_git_headers(text))?
            .map_err(|why| not_applicable(format!("{path} does not apply: {why}"))),
        (Change::Knobs(settings), None) => turn_knobs(opened, head, settings)?,
        (Change::Nothing, None) => Ok(opened.repo.tree_id(head)?),
        (Change::Agent, None) => Err((
            Reason::ProposeFailed,
            "an agent's change is made by running it".to_owned(),
        )),
    };
    Ok(Draft {
        proposal,
        tree,
        again: false,
    })
}

/// Writes knob settings into the incumbent's sources.
fn turn_knobs(
    opened: &Opened,
    head: Oid,
    settings: &BTreeMap<String, String>,
) -> Result<std::result::Result<Oid, (Reason, String)>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let not_applicable = |detail: String| Ok(Err((Reason::NotApplicable, detail)));
    for (name, value) in settings {
        let Some(knob) = opened
            .pinned
            .config
            .knobs
            .iter()
            .find(|knob| knob.name == *name)
        else {
            return not_applicable(format!("knob {name} is not in the config"));
        };
        let source = match files.get(&knob.file) {
            Some(edited) => Some(String::from_utf8_lossy(edited).into_owned()),
            None => source_of(opened, head, knob)?,
        };
        let Some(source) = source else {
            return not_applicable(format!("{} is not in the incumbent", knob.file));
        };
        match knob::write(&source, knob, value) {
            Ok(edited) => files.insert(knob.file.clone(), edited.into_bytes()),
            Err(error) => return not_applicable(error.to_string()),
        };
    }
    opened.repo.replace_files(head, &files).map(Ok)
}
