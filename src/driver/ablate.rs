//! Leaving out one kept commit at a time: does the head still need it?

use git2::Oid;

use super::end_to_end::{Budget, end_to_end, gains};
use super::engine::{Engine, commit_id};
use super::judge::{Gated, gate_anew, no_gate};
use super::open::move_branch;
use crate::edge::clock;
use crate::edge::slots::SlotName;
use crate::error::{Kind, Result};
use crate::flow::decision::Estimate;
use crate::flow::record::{
    AblationLine, AblationTag, FORMAT_VERSION, GateOutcome, GateResult, Line, Pair, Worth,
};
use crate::flow::session::{Kept, judged};

/// The head without one commit, or why there is none.
enum Without {
    Commit(Oid),
    Needed(String),
}

impl Engine {
    /// Measures the head against the head without `kept`, records it, and with `drop` makes the
    /// latter the head when nothing is lost by it and it passes the gate.
    ///
    /// # Errors
    /// The head does not build or run, or the user wants to stop.
    pub fn ablate(&mut self, kept: &Kept, pairs: u32, drop: bool) -> Result<AblationLine> {
        let session = self.opened.state.opened.session.clone();
        let reference = format!("refs/autoresearch/{session}/without-{}", kept.run);
        let head = commit_id(self.opened.state.head())?;
        let seed = clock::fresh_seed();
        let mut line = AblationLine {
            kind: AblationTag::Ablation,
            format: FORMAT_VERSION,
            session,
            timestamp: 0,
            of: kept.run,
            head: head.to_string(),
            without: None,
            reference: None,
            worth: Worth::Needed,
            detail: String::new(),
            estimate: None,
            gate: no_gate(),
            dropped: false,
            seed,
            pairs: Vec::new(),
        };
        self.console.phase(&format!("leaving out run {}", kept.run));
        match self.without(kept, head)? {
            Without::Needed(why) => line.detail = why,
            Without::Commit(without) => {
                let log = "autoresearch: left out";
                self.opened.repo.set_ref(&reference, without, log)?;
                line.without = Some(without.to_string());
                line.reference = Some(reference);
                self.weigh(&mut line, without, head, pairs)?;
                if drop && line.worth.is_flagged() {
                    self.drop_if_it_passes(&mut line, without)?;
                }
            }
        }
        self.record_ablation(line)
    }

    /// The head with the commit's change taken back; built, so that it is known to be a program.
    fn without(&mut self, kept: &Kept, head: Oid) -> Result<Without> {
        let repo = &self.opened.repo;
        let commit = commit_id(&kept.commit)?;
        let (with, before) = (repo.tree_id(commit)?, repo.tree_id(repo.parent(commit)?)?);
        let head_tree = repo.tree_id(head)?;
        let Some(tree) = repo.merge_trees(with, head_tree, before)? else {
            let why = "it does not revert cleanly: later commits change the same lines";
            return Ok(Without::Needed(why.to_owned()));
        };
        if tree == head_tree {
            let why = "nothing of it is left in the head";
            return Ok(Without::Needed(why.to_owned()));
        }
        let message = format!(
            "Drop run {}: {}\n\nThe head is as good without it.\n\nAutoresearch-Drops: {}\n",
            kept.run,
            kept.description.lines().next().unwrap_or_default(),
            kept.commit
        );
        let without = repo.commit(head, tree, &message)?;
        let built = self.bench.prepare(SlotName::Zero, without)?;
        if !built.passed {
            let why = format!("without it the build {}\n{}", built.ended, built.tail);
            return Ok(Without::Needed(why));
        }
        Ok(match self.bench.try_run(SlotName::Zero)? {
            None => Without::Commit(without),
            Some(failure) => Without::Needed(format!("without it {failure}")),
        })
    }

    /// Fresh pairs of the head without the commit and the head.
    fn weigh(
        &mut self,
        line: &mut AblationLine,
        without: Oid,
        head: Oid,
        count: u32,
    ) -> Result<()> {
        let measured = end_to_end(
            &mut self.bench,
            &mut self.console,
            &format!("without run {}", line.of),
            (without, head),
            Budget::pairs(count as usize),
            line.seed,
        );
        let pairs: Vec<Pair> = match measured {
            Ok(pairs) => pairs,
            Err(error) if error.kind() == Kind::Differs => {
                line.detail = format!("without it the result is another: {error}");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (primary, _) = judged(&self.opened.state.opened.config);
        let gains = gains(&primary, &pairs)?;
        let gain = primary.gain_record(&Estimate::from_pairs(&gains));
        line.worth = Worth::judge(&gain, self.opened.state.params().min_effect);
        line.estimate = Some(gain);
        line.pairs = pairs;
        Ok(())
    }

    fn drop_if_it_passes(&mut self, line: &mut AblationLine, without: Oid) -> Result<()> {
        self.console.phase("checking");
        let head = commit_id(&line.head)?;
        let checked = match gate_anew(&mut self.bench, SlotName::Zero, head, without)? {
            Gated::NoGate => {
                line.dropped = true;
                return Ok(());
            }
            Gated::NotBuilt(built) => {
                line.detail = format!("not dropped: without it the build {}", built.ended);
                return Ok(());
            }
            Gated::Ran(checked) => checked,
        };
        line.dropped = checked.passed;
        line.gate = GateResult {
            outcome: if checked.passed {
                GateOutcome::Pass
            } else {
                GateOutcome::Fail
            },
            duration_s: checked.duration_s,
            output_tail: checked.tail,
        };
        if !checked.passed {
            line.detail = "not dropped: the gate fails without it".to_owned();
        }
        Ok(())
    }

    /// Makes the line durable, then moves the branch; a kill in between is healed from the line.
    fn record_ablation(&mut self, mut line: AblationLine) -> Result<AblationLine> {
        line.timestamp = clock::now_ms();
        if line.dropped
            && let Some(reference) = &mut line.reference
        {
            // A ref of its own: it is complete only once the branch has moved.
            *reference = reference.replace("/without-", "/drop-");
        }
        self.opened
            .ledger
            .append(&Line::Ablation(Box::new(line.clone())))?;
        self.opened.state.ablated(&line);
        if line.dropped {
            move_branch(&self.opened.repo, &self.opened.state)?;
        }
        Ok(line)
    }
}
