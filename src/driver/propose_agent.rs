//! Running an agent: any command that edits the worktree it is started in.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::bench::{Bench, Task};
use super::engine::commit_id;
use super::open::Opened;
use super::profile;
use super::propose::Draft;
use crate::edge::fault;
use crate::edge::process::End;
use crate::edge::process_output;
use crate::edge::sandbox::Sandbox;
use crate::edge::slot_files;
use crate::edge::slots::SlotName;
use crate::error::{Context, Error, Result};
use crate::flow::config_parts::AgentSpec;
use crate::flow::record::Reason;
use crate::propose::agent::{self, ANSWER_ENV, Brief, BriefIncumbent};
use crate::propose::agent_answer::{self, Answer};
use crate::propose::agent_presets;
use crate::propose::agent_profile::BriefProfile;
use crate::propose::ideas::{self, Backlog, Idea};

/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Lets the agent edit a worktree of the incumbent; whatever differs afterwards, committed or not,
/// is the candidate.
///
/// # Errors
/// The worktree cannot be prepared, or the user wants to stop.
pub fn draft(opened: &Opened, bench: &mut Bench, backlog: &Backlog) -> Result<Draft> {
    let config = &opened.pinned.config;
    let spec = config
        .agent
        .as_ref()
        .ok_or_else(|| Error::usage("no `agent` in the config"))?;
    let head = commit_id(opened.state.head())?;
    bench.slots.check_out(SlotName::Propose, head)?;
    let worktree = bench.slots.path(SlotName::Propose);
    let idea = ideas::open_free_text(backlog, &opened.state.tried)
        .first()
        .copied();
    let files = Files::new(&bench.private_directory(SlotName::Propose)?);
    let incumbent = BriefIncumbent {
        commit: opened.state.head().to_owned(),
        value: opened.state.incumbent_value(),
    };
    let answer_path = files.answer.display().to_string();
    let mut brief = Brief::new(
        config,
        incumbent,
        idea,
        backlog,
        &opened.state.tried,
        &answer_path,
    );
    brief.hint.clone_from(&opened.hint);
    brief.profile = brief_profile(opened);
    let prompt = agent::prompt(&brief);
    files.write(&brief, &prompt)?;
    let command = agent_presets::command_line(spec, &files.prompt, &files.brief, &prompt)?;
    // What it commits goes into a store of its own: that of the repository it can only read.
    let objects = files.objects.display().to_string();
    let common_objects = bench.slots.common_dir().join("objects");
    let common_objects = common_objects.display().to_string();
    let mut extra = vec![(ANSWER_ENV, answer_path.as_str())];
    if bench.agent_sandbox != Sandbox::Off {
        extra.push(("GIT_OBJECT_DIRECTORY", &objects));
        extra.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES", &common_objects));
    }
    let task = Task {
        command: &command,
        directory: &worktree,
        deadline_s: config.timeouts.propose_s,
        log: "agent",
        extra: &extra,
        key: None,
        output: Some(&files.directory),
    };
    let finished = bench.child(&task)?;

    match finished.end {
        End::Interrupted => return Err(Error::interrupted()),
        End::Exited(0) => {}
        end @ (End::Exited(_)
        | End::Signaled(_)
        | End::TimedOut
        | End::OutputFull
        | End::DiskFull) => {
            let tail = process_output::tail(&finished.log);
            let where_it_ran = match bench.agent_sandbox {
                Sandbox::Off => String::new(),
                sandbox => format!(" (in {}, see `agent.writable`)", sandbox.name()),
            };
            return Ok(failed(
                idea,
                format!("the agent {}{where_it_ran}\n{tail}", end.describe()),
            ));
        }
    }
    let answer = match read_answer(&files.answer) {
        Ok(answer) => answer,
        Err(error) => return Ok(failed(idea, error.to_string())),
    };
    let leftovers = leftovers(spec);
    let read = bench
        .slots
        .uncommit(SlotName::Propose, head)
        .and_then(|()| {
            opened
                .repo
                .tree_of_checkout(&worktree, &|path, _| leftovers.is_match(path))
        });
    let tree = match read {
        Ok(tree) => tree,
        // It left its worktree in a state that has no tree: conflicts, a nested repository.
        Err(error) => return Ok(failed(idea, error.chain())),
    };
    let changes = opened.repo.tree_changes(opened.repo.tree_id(head)?, tree)?;
    let paths: Vec<String> = changes.into_iter().map(|change| change.path).collect();
    let proposal = agent_answer::proposal(
        idea.map(|idea| idea.id.clone()),
        or_title(answer, idea),
        &paths,
    );
    Ok(Draft {
        proposal,
        tree: Ok(tree),
        again: false,
    })
}

/// Where the incumbent spends its time, when somebody profiled it.
fn brief_profile(opened: &Opened) -> Option<BriefProfile> {
    let base = profile::default_directory(&opened.repo);
    let profile = profile::taken_before(&base, opened.state.head())?;
    Some(BriefProfile::new(&profile))
}

/// An agent that carried out an entry and described nothing has its title as description.
fn or_title(answer: Answer, idea: Option<&Idea>) -> Answer {
    let title = idea.map(|idea| idea.title.clone());
    Answer {
        description: answer.description.or(title),
        ..answer
    }
}

fn failed(idea: Option<&Idea>, detail: String) -> Draft {
    let answer = or_title(Answer::default(), idea);
    let proposal = agent_answer::proposal(idea.map(|idea| idea.id.clone()), answer, &[]);
    Draft {
        proposal,
        tree: Err((Reason::ProposeFailed, detail)),
        again: false,
    }
}

/// What the agent's CLI itself leaves in the worktree.
fn leftovers(spec: &AgentSpec) -> GlobSet {
    let globs = spec
        .preset
        .map(agent_presets::leftovers)
        .unwrap_or_default();
    let mut builder = GlobSetBuilder::new();
    for glob in globs.iter().filter_map(|glob| Glob::new(glob).ok()) {
        builder.add(glob);
    }
    builder.build().unwrap_or_else(|_| GlobSet::empty())
}

/// The files an agent is given, outside its worktree.
struct Files {
    directory: PathBuf,
    prompt: PathBuf,
    brief: PathBuf,
    answer: PathBuf,
    /// Git's objects of what it commits.
    objects: PathBuf,
}

impl Files {
    fn new(scratch: &Path) -> Self {
        let directory = scratch.join("agent");
        Self {
            prompt: directory.join("prompt.md"),
            brief: directory.join("brief.json"),
            answer: directory.join("answer.json"),
            objects: directory.join("objects"),
            directory,
        }
    }

    /// Writes prompt and brief into an empty directory: no answer of an earlier run is left.
    fn write(&self, brief: &Brief, prompt: &str) -> Result<()> {
        let directory = &self.directory;
        let context = || format!("cannot write into {}", directory.display());
        // The agent before may have put a link there.
        slot_files::remove(directory)?;
        std::fs::create_dir_all(&self.objects).context(context)?;
        fault::space_for("brief-write")
            .and_then(|()| std::fs::write(&self.prompt, prompt))
            .context(context)?;
        std::fs::write(&self.brief, brief.to_json()).context(context)
    }
}

/// What the agent wrote about its change, if anything.
fn read_answer(path: &Path) -> Result<Answer> {
    match slot_files::read(path, ANSWER_BYTES_MAX) {
        Ok(text) => agent_answer::parse_answer(&String::from_utf8_lossy(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Answer::default()),
        Err(error) => Err(error).context(|| format!("cannot read {}", path.display())),
    }
}
