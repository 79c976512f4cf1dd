//! Running an agent: any command that edits the worktree it is started in.

use std::path::Path;

use super::bench::{Bench, TOKEN_VARIABLE};
use super::engine::commit_id;
use super::open::Opened;
use super::propose::Draft;
use crate::edge::process::{self, End};
use crate::edge::slots::SlotName;
use crate::error::{Context, Error, Result};
use crate::flow::proposal::{Change, Proposal};
use crate::flow::record::{Origin, Reason};
use crate::propose::agent::{self, Answer, Brief};
use crate::propose::ideas::{self, Backlog};

/// Environment variable with the path for the agent's answer.
const ANSWER_VARIABLE: &str = "AUTORESEARCH_ANSWER";

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
    let scratch = bench.slots.scratch()?;
    let idea = ideas::open_free_text(backlog, &opened.state.tried)
        .first()
        .copied();
    let brief = Brief::new(&opened.state, &config.protected_globs(), idea, backlog);
    let prompt = agent::prompt(&brief);
    let files = Files::write(&scratch, &brief, &prompt)?;
    let command = agent::command_line(spec, &files.prompt, &files.brief, &prompt)?;
    let extra = [(ANSWER_VARIABLE, files.answer.as_str())];
    let finished = bench.child(
        &command,
        &worktree,
        config.timeouts.propose_s,
        "agent",
        &extra,
    )?;
    process::kill_strays(TOKEN_VARIABLE, bench.token());

    let answer = read_answer(Path::new(&files.answer));
    let fallback = idea.map_or_else(|| "Agent's change".to_owned(), |idea| idea.title.clone());
    let proposal = |answer: Option<Answer>, description: String| Proposal {
        description: answer
            .as_ref()
            .and_then(|answer| answer.description.clone())
            .unwrap_or(description),
        origin: Origin {
            proposer: "agent".to_owned(),
            idea: idea.map(|idea| idea.id.clone()),
            ..Origin::default()
        },
        change: Change::Agent,
        asi: answer.and_then(|answer| answer.asi),
    };
    let failed = |detail: String| Draft {
        proposal: proposal(None, fallback.clone()),
        tree: Err((Reason::ProposeFailed, detail)),
    };
    match finished.end {
        End::Interrupted => return Err(Error::interrupted()),
        End::Exited(0) => {}
        end @ (End::Exited(_) | End::Signaled(_) | End::TimedOut) => {
            let tail = process::tail(&finished.log);
            return Ok(failed(format!("the agent {}\n{tail}", end.describe())));
        }
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Ok(failed(error.to_string())),
    };
    let tree = opened.repo.tree_of_checkout(&worktree, &|_, _| false)?;
    let changes = opened.repo.tree_changes(opened.repo.tree_id(head)?, tree)?;
    let paths: Vec<String> = changes.into_iter().map(|change| change.path).collect();
    let description = match idea {
        Some(idea) => idea.title.clone(),
        None => agent::describe_diff(&paths),
    };
    Ok(Draft {
        proposal: proposal(answer, description),
        tree: Ok(tree),
    })
}

/// The files an agent is given, outside its worktree.
struct Files {
    prompt: String,
    brief: String,
    answer: String,
}

impl Files {
    fn write(scratch: &Path, brief: &Brief, prompt: &str) -> Result<Self> {
        let path = |name: &str| scratch.join(name).display().to_string();
        let files = Self {
            prompt: path("prompt.md"),
            brief: path("brief.json"),
            answer: path("answer.json"),
        };
        let write = |path: &str, text: &str| {
            std::fs::write(path, text).context(|| format!("cannot write {path}"))
        };
        write(&files.prompt, prompt)?;
        write(&files.brief, &brief.to_json())?;
        match std::fs::remove_file(&files.answer) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context(|| format!("cannot remove {}", files.answer))
            }
            Ok(()) | Err(_) => Ok(files),
        }
    }
}

/// What the agent wrote about its change, if anything.
fn read_answer(path: &Path) -> Result<Option<Answer>> {
    match std::fs::read_to_string(path) {
        Ok(text) => agent::parse_answer(&text).map(Some),
        Err(_) => Ok(None),
    }
}
