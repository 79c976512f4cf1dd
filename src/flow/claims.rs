//! What a ledger claims: each kept commit against its parent, and the head of the last session
//! against its start; with everything that a second measurement needs to know.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Read;
use super::record::{ConfigLine, Environment, Gain, Reason, RunLine, Status};

/// One claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The run that kept it; `None` of an end-to-end claim, or of a commit that no ledger knows.
    pub run: Option<u64>,
    /// What was done, one line.
    pub description: String,
    /// The better commit, full id.
    pub commit: String,
    /// What it is better than, full id.
    pub parent: String,
    /// The commit whose scripts and config apply, full id.
    pub start: String,
    /// The branch to fetch when a commit is missing.
    pub branch: Option<String>,
    /// By how much.
    pub gain: Option<Gain>,
    /// Executions of the script in one run, as it was measured.
    pub repeats: Option<u32>,
    /// Where it was measured.
    pub environment: Option<Environment>,
    /// One-minute load average then.
    pub load: Option<f64>,
}

impl Claimed {
    /// `run 3`, `all` (the whole session), `commit 0123456789`.
    pub fn name(&self) -> String {
        match (self.run, &self.branch) {
            (Some(run), _) => format!("run {run}"),
            (None, Some(_)) => "all".to_owned(),
            (None, None) => format!("commit {:.10}", self.commit),
        }
    }
}

/// Everything a ledger claims.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    session: Option<ConfigLine>,
    repeats: Option<u32>,
    environment: Option<Environment>,
    load: Option<f64>,
    kept: BTreeMap<u64, Claimed>,
    others: BTreeMap<u64, Reason>,
    /// Kept in the last session and not dropped since.
    in_head: BTreeSet<u64>,
    end_to_end: Option<Claimed>,
}

impl Claims {
    /// Takes the next thing read from the ledger.
    pub fn apply(&mut self, read: &Read) {
        match read {
            Read::Segment(segment) => {
                self.session = segment.session.as_deref().cloned();
                self.environment = self.session.as_ref().map(|line| line.environment.clone());
                self.repeats = None;
                self.load = None;
                self.in_head.clear();
                self.end_to_end = None;
            }
            Read::Calibration(line) => {
                self.repeats = Some(line.repeats);
                self.environment = Some(line.environment.clone());
                self.load = Some(line.load);
            }
            Read::Run(entry) => {
                if let Some(line) = entry.line() {
                    self.ran(line);
                }
            }
            Read::Claim(line) => {
                let what = format!("{} kept together", line.kept);
                let (commit, parent) = (&line.head, &line.start);
                self.end_to_end = self.claimed(what, commit, parent).map(|claimed| Claimed {
                    gain: Some(line.estimate),
                    ..claimed
                });
            }
            Read::Ablation(line) => {
                if line.dropped {
                    self.in_head.remove(&line.of);
                }
            }
            Read::Repair(_) | Read::Skipped | Read::Newer { .. } => {}
        }
    }

    fn ran(&mut self, line: &RunLine) {
        let commit = line.candidate.as_ref();
        match commit.filter(|_| line.status == Status::Keep) {
            None => {
                self.others.insert(line.run, line.reason);
            }
            Some(commit) => {
                let claimed = self.claimed(line.description.clone(), commit, &line.parent);
                self.kept.extend(claimed.map(|claimed| {
                    let claimed = Claimed {
                        run: Some(line.run),
                        gain: line.estimate,
                        load: Some(line.load),
                        ..claimed
                    };
                    (line.run, claimed)
                }));
                self.in_head.insert(line.run);
            }
        }
    }

    /// Of the session that is open; the reader refuses a file where none is.
    fn claimed(&self, description: String, commit: &str, parent: &str) -> Option<Claimed> {
        let session = self.session.as_ref()?;
        Some(Claimed {
            run: None,
            description,
            commit: commit.to_owned(),
            parent: parent.to_owned(),
            start: session.start.clone(),
            branch: Some(session.branch.clone()),
            gain: None,
            repeats: self.repeats,
            environment: self.environment.clone(),
            load: self.load,
        })
    }

    /// The claim of a run; `Err` says why a run that exists claims nothing.
    pub fn of_run(&self, run: u64) -> Option<Result<&Claimed, Reason>> {
        let kept = self.kept.get(&run).map(Ok);
        kept.or_else(|| self.others.get(&run).copied().map(Err))
    }

    /// The claim of a kept commit, by its full id.
    pub fn of_commit(&self, commit: &str) -> Option<&Claimed> {
        self.kept.values().find(|claimed| claimed.commit == commit)
    }

    /// The id of the last session, when the ledger's last lines are ours.
    pub fn session(&self) -> Option<&str> {
        self.session.as_ref().map(|line| line.session.as_str())
    }

    /// What the last session claims: its kept commits that are still in the head, oldest first, and
    /// last the whole.
    pub fn of_last_session(&self) -> Vec<&Claimed> {
        let kept = self.in_head.iter().filter_map(|run| self.kept.get(run));
        kept.chain(&self.end_to_end).collect()
    }
}
