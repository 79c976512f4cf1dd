//! The commits that a session kept, on top of each other, and put together anew.

use std::collections::BTreeSet;

use git2::Oid;

use super::engine::commit_id;
use crate::edge::repo::Repo;
use crate::error::{Error, Result};
use crate::flow::finalize::{self, Group, Piece, Plan, Said};
use crate::flow::session::{Kept, SessionState};
use crate::report::finalize::commit_message;

/// The kept commits of a session.
pub struct Stack<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// The session.
    pub state: &'a SessionState,
    /// What they are on top of.
    pub start: Oid,
    /// What they make.
    pub head: Oid,
    /// What each changes, in the order in which they were kept.
    pub pieces: Vec<Piece>,
}

impl<'a> Stack<'a> {
    /// The kept commits that are still in the head.
    ///
    /// # Errors
    /// Nothing was kept, or a commit is missing.
    pub fn new(repo: &'a Repo, state: &'a SessionState) -> Result<Self> {
        if state.kept.is_empty() {
            return Err(Error::usage(
                "nothing was kept in the last session, so there is nothing to finalize",
            )
            .hint("`autoresearch status` shows it"));
        }
        let (start, head) = (commit_id(&state.opened.start)?, commit_id(state.head())?);
        let ids = [start, head].into_iter().map(Ok);
        let kept = state.kept.iter().map(|kept| commit_id(&kept.commit));
        for id in ids.chain(kept) {
            let id = id?;
            if !repo.has_commit(id) {
                let branch = &state.opened.branch;
                return Err(Error::environment(format!(
                    "commit {id:.10} is not in this repository"
                ))
                .hint(format!("fetch the branch: `git fetch origin {branch}`")));
            }
        }
        let pieces = state.kept.iter().map(|kept| piece(repo, state, kept));
        let pieces = pieces.collect::<Result<_>>()?;
        Ok(Self {
            repo,
            state,
            start,
            head,
            pieces,
        })
    }

    /// What a plan names: session, start and head.
    pub fn ids(&self) -> [&'a str; 3] {
        let opened = &self.state.opened;
        [&opened.session, &opened.start, self.state.head()]
    }

    /// The branch of a group.
    pub fn branch(&self, group: &Group) -> String {
        format!("{}-final/{}", self.state.opened.branch, group.name)
    }

    /// The runs' commits on top of the start, oldest first; or the run whose commit does not apply.
    /// All runs together are the head, whatever was dropped between them.
    pub fn cherry_pick(&self, runs: &[u64]) -> Result<std::result::Result<Oid, u64>> {
        let is_all = runs.len() == self.state.kept.len();
        let head_tree = self.repo.tree_id(self.head)?;
        let mut tip = self.start;
        for kept in self
            .state
            .kept
            .iter()
            .filter(|kept| runs.contains(&kept.run))
        {
            let commit = commit_id(&kept.commit)?;
            let before = self.repo.tree_id(self.repo.parent(commit)?)?;
            let (ours, theirs) = (self.repo.tree_id(tip)?, self.repo.tree_id(commit)?);
            let Some(tree) = self.repo.merge_trees(before, ours, theirs)? else {
                return if is_all {
                    self.squash(head_tree).map(Ok)
                } else {
                    Ok(Err(kept.run))
                };
            };
            let message = self.repo.message(commit)?;
            let message = commit_message(&message, kept.run, &self.state.opened.session);
            tip = self.repo.commit(tip, tree, &message)?;
        }
        if is_all && self.repo.tree_id(tip)? != head_tree {
            return self.squash(head_tree).map(Ok);
        }
        Ok(Ok(tip))
    }

    fn squash(&self, head_tree: Oid) -> Result<Oid> {
        let subjects: Vec<String> = self
            .state
            .kept
            .iter()
            .map(|kept| format!("- {} (run {})", kept.description, kept.run))
            .collect();
        let message = format!("All that was kept\n\n{}\n", subjects.join("\n"));
        self.repo.commit(self.start, head_tree, &message)
    }

    /// The groups apply on the start, and merged they are the head's files.
    ///
    /// # Errors
    /// They do not, or they are not; with the group, run or paths.
    pub fn check_union(&self, plan: &Plan) -> Result<()> {
        let start = self.repo.tree_id(self.start)?;
        let mut union = start;
        for group in &plan.groups {
            let tip = self.tip(group)?;
            let merged = self
                .repo
                .merge_trees(start, union, self.repo.tree_id(tip)?)?;
            union = merged.ok_or_else(|| {
                Error::usage(format!(
                    "group {:?} conflicts with those before it",
                    group.name
                ))
                .hint("put what changes the same lines into one group")
            })?;
        }
        let left = self
            .repo
            .tree_changes(union, self.repo.tree_id(self.head)?)?;
        if left.is_empty() {
            return Ok(());
        }
        let paths: BTreeSet<&str> = left.iter().map(|change| change.path.as_str()).collect();
        let paths: Vec<&str> = paths.into_iter().collect();
        Err(Error::usage(format!(
            "the groups together are not the head of {}: {} differs",
            self.state.opened.branch,
            paths.join(", ")
        ))
        .hint("put all runs into one group: that is always the head"))
    }

    /// A group's commits on top of the start.
    ///
    /// # Errors
    /// One does not apply without those of other groups.
    pub fn tip(&self, group: &Group) -> Result<Oid> {
        self.cherry_pick(&group.runs)?.map_err(|run| {
            Error::usage(format!(
                "group {:?}: the commit of run {run} does not apply without those of other groups",
                group.name
            ))
            .hint("put it into one group with the commits whose lines it changes")
        })
    }

    /// What the branch that a group is to have says, when it is there already.
    ///
    /// # Errors
    /// A branch of that name is something else.
    pub fn existing(&self, group: &Group, tip: Oid) -> Result<Option<(Oid, Said)>> {
        let branch = self.branch(group);
        let Some(target) = self.repo.branch_target(&branch) else {
            return Ok(None);
        };
        let said = finalize::said(&self.repo.message(target)?).filter(|said| {
            said.start == self.state.opened.start && is_same_set(&said.runs, &group.runs)
        });
        let same_files = self.repo.tree_id(target)? == self.repo.tree_id(tip)?;
        match said.filter(|_| same_files) {
            Some(said) => Ok(Some((target, said))),
            None => Err(
                Error::usage(format!("branch {branch} exists and is another"))
                    .hint("`--force` replaces it; or rename the group in a plan"),
            ),
        }
    }

    /// The branch that a group is to have can be written.
    ///
    /// # Errors
    /// Another is in the way, or it is checked out.
    pub fn check_branch_name(&self, group: &Group) -> Result<()> {
        let branch = self.branch(group);
        if let Some(parent) = self.repo.blocking_branch(&branch) {
            return Err(Error::environment(format!(
                "branch {parent} is in the way: git cannot have {branch} beside it"
            ))
            .hint(format!("rename it: `git branch -m {parent} {parent}-old`")));
        }
        match self.repo.checkout_of(&branch) {
            Some(checkout) => Err(Error::environment(format!(
                "branch {branch} is checked out in {}",
                checkout.display()
            ))
            .hint("check out another branch there")),
            None => Ok(()),
        }
    }
}

fn piece(repo: &Repo, state: &SessionState, kept: &Kept) -> Result<Piece> {
    let commit = commit_id(&kept.commit)?;
    let changes = repo.changes(repo.parent(commit)?, commit)?;
    let tried = state.tried.iter().find(|tried| tried.run == kept.run);
    Ok(Piece {
        run: kept.run,
        description: kept.description.clone(),
        idea: tried.and_then(|tried| tried.origin.idea.clone()),
        files: changes.into_iter().map(|change| change.path).collect(),
    })
}

fn is_same_set(a: &[u64], b: &[u64]) -> bool {
    let set = |runs: &[u64]| runs.iter().copied().collect::<BTreeSet<u64>>();
    set(a) == set(b)
}
