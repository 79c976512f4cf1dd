//! What a ledger comes to: a fold over its lines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{Entry, Read, Segment};
use super::record::{ClaimLine, Durations, Gain, Phase, Reason, RunLine, Status};

/// A whole ledger.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Its sessions, by segment.
    pub sessions: Vec<SessionSummary>,
}

/// How many runs ended how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// All runs.
    pub runs: u64,
    /// Kept.
    pub kept: u64,
    /// Not shown to be better.
    pub discarded: u64,
    /// Not measured.
    pub crashed: u64,
    /// Better and wrong.
    pub checks_failed: u64,
    /// By reason; runs of other programs' logs have none.
    pub reasons: BTreeMap<Reason, u64>,
}

/// One kept run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptRun {
    /// Its number.
    pub run: u64,
    /// Full commit id, or what the log has of it.
    pub commit: String,
    /// One line.
    pub description: String,
    /// Its confirmed gain; other programs' logs have none.
    pub estimate: Option<Gain>,
}

/// One session, or a segment of another program's log.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSummary {
    /// The segment and, for ours, its config line.
    pub segment: Segment,
    /// How its runs ended.
    pub counts: Counts,
    /// The kept ones that are still in the head, in order.
    pub kept: Vec<KeptRun>,
    /// Kept runs that `ablate` took out again.
    pub dropped: Vec<u64>,
    /// The commit after the last drop, when nothing was kept since.
    head_after_drop: Option<String>,
    /// Runs that were screened: each had its chance to be kept falsely. Placebos had none.
    pub judged: u64,
    /// Placebos judged to the end.
    pub placebos: u64,
    /// Those among them that would have been kept.
    pub placebos_passed: u64,
    /// Seconds spent, by what on, over all runs.
    pub spent: Durations,
    /// The last end-to-end claim.
    pub claim: Option<Box<ClaimLine>>,
}

/// What may be said of a session's end-to-end gain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClaimState<'a> {
    /// No end-to-end measurement yet.
    NotMeasured,
    /// Measured, and the interval does not lie above 0: nothing is claimed.
    Nothing(&'a ClaimLine),
    /// Measured, and better by the whole interval.
    Better(&'a ClaimLine),
    /// Measured for a head that has since moved.
    Outdated(&'a ClaimLine),
}

impl Counts {
    fn add(&mut self, status: Status, reason: Option<Reason>) {
        self.runs += 1;
        match status {
            Status::Keep => self.kept += 1,
            Status::Discard => self.discarded += 1,
            Status::Crash => self.crashed += 1,
            Status::ChecksFailed => self.checks_failed += 1,
        }
        if let Some(reason) = reason {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }
}

impl SessionSummary {
    /// A session without runs.
    pub fn new(segment: Segment) -> Self {
        Self {
            segment,
            counts: Counts::default(),
            kept: Vec::new(),
            dropped: Vec::new(),
            head_after_drop: None,
            judged: 0,
            placebos: 0,
            placebos_passed: 0,
            spent: Durations::default(),
            claim: None,
        }
    }

    /// The commit at the end of the session's branch: the last keep's, or the start. `None` for
    /// other programs' logs.
    pub fn head(&self) -> Option<&str> {
        let session = self.segment.session.as_ref()?;
        let last = self.kept.last().map(|kept| kept.commit.as_str());
        let dropped = self.head_after_drop.as_deref();
        Some(dropped.or(last).unwrap_or(&session.start))
    }

    /// Proved bound on the expected number of kept runs without any effect:
    /// `judged * false_keeps_per_200 / 200`. `None` for other programs' logs, whose rules have none.
    pub fn false_keeps_bound(&self) -> Option<f64> {
        let session = self.segment.session.as_ref()?;
        Some(self.judged as f64 * session.config.false_keeps_per_200 / 200.0)
    }

    /// What may be said of the gain from start to head.
    pub fn claim_state(&self) -> ClaimState<'_> {
        match &self.claim {
            None => ClaimState::NotMeasured,
            Some(claim) if Some(claim.head.as_str()) != self.head() => ClaimState::Outdated(claim),
            Some(claim) if claim.estimate.lo.is_some_and(|lo| lo > 0.0) => {
                ClaimState::Better(claim)
            }
            Some(claim) => ClaimState::Nothing(claim),
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.counts.add(entry.status, entry.reason);
        let line = entry.line();
        if let Some(line) = line {
            let screened = u64::from(was_screened(line));
            if line.is_placebo() {
                self.placebos += screened;
                self.placebos_passed += u64::from(line.reason == Reason::PlaceboPassed);
            } else {
                self.judged += screened;
            }
            add_durations(&mut self.spent, &line.durations);
        }
        if entry.status == Status::Keep {
            self.head_after_drop = None;
            let full = line.and_then(|line| line.candidate.clone());
            self.kept.push(KeptRun {
                run: entry.run,
                commit: full.unwrap_or_else(|| entry.commit.clone()),
                description: entry.description.clone(),
                estimate: line.and_then(|line| line.estimate),
            });
        }
    }
}

impl Summary {
    /// Takes what the next line came to.
    pub fn push(&mut self, read: &Read) {
        match read {
            Read::Segment(segment) => {
                self.sessions.truncate(segment.index as usize);
                self.sessions
                    .push(SessionSummary::new(Segment::clone(segment)));
            }
            Read::Run(entry) => self.session(entry.segment).add(entry),
            Read::Claim(claim) => {
                if let Some(session) = self.named(&claim.session) {
                    session.claim = Some(claim.clone());
                }
            }
            Read::Ablation(line) if line.dropped => {
                if let Some(session) = self.named(&line.session) {
                    session.kept.retain(|kept| kept.run != line.of);
                    session.dropped.push(line.of);
                    session.head_after_drop.clone_from(&line.without);
                }
            }
            Read::Ablation(_) => {}
            // Sessions that were lost keep their place, so that segments are indices.
            Read::Repair(line) if line.next_segment > 0 => {
                self.session(line.next_segment - 1);
            }
            Read::Calibration(_) | Read::Repair(_) | Read::Skipped | Read::Newer { .. } => {}
        }
    }

    /// All sessions' runs together.
    pub fn counts(&self) -> Counts {
        let mut total = Counts::default();
        for session in &self.sessions {
            let counts = &session.counts;
            total.runs += counts.runs;
            total.kept += counts.kept;
            total.discarded += counts.discarded;
            total.crashed += counts.crashed;
            total.checks_failed += counts.checks_failed;
            for (reason, count) in &counts.reasons {
                *total.reasons.entry(*reason).or_default() += count;
            }
        }
        total
    }

    /// The session of that id.
    fn named(&mut self, id: &str) -> Option<&mut SessionSummary> {
        self.sessions.iter_mut().rev().find(|session| {
            let line = session.segment.session.as_ref();
            line.is_some_and(|line| line.session == id)
        })
    }

    /// The session of a segment; one for runs before any config line of a foreign log.
    fn session(&mut self, segment: u32) -> &mut SessionSummary {
        let index = segment as usize;
        while self.sessions.len() <= index {
            let next = u32::try_from(self.sessions.len()).expect("it is at most `segment`");
            self.sessions
                .push(SessionSummary::new(Segment::unnamed(next)));
        }
        &mut self.sessions[index]
    }
}

fn was_screened(line: &RunLine) -> bool {
    line.pairs.iter().any(|pair| match pair.phase {
        Phase::Screen => true,
        Phase::WarmUp | Phase::Calibrate | Phase::Confirm | Phase::Guard | Phase::EndToEnd => false,
    })
}

fn add_durations(total: &mut Durations, spent: &Durations) {
    total.propose_s += spent.propose_s;
    total.build_s += spent.build_s;
    total.measure_s += spent.measure_s;
    total.gate_s += spent.gate_s;
    total.total_s += spent.total_s;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples;

    fn fold(reads: Vec<Read>) -> Summary {
        let mut summary = Summary::default();
        reads.iter().for_each(|read| summary.push(read));
        summary
    }

    fn opened() -> Read {
        Read::Segment(Box::new(Segment::from((
            0,
            Box::new(samples::config_line()),
        ))))
    }

    fn run(line: RunLine) -> Read {
        Read::Run(Box::new(Entry::from(Box::new(line))))
    }

    fn claim(log: f64, half: f64, head: &str) -> Read {
        Read::Claim(Box::new(samples::claim(log, half, &samples::id(head))))
    }

    #[test]
    fn runs_are_counted_by_status_and_reason() {
        let summary = fold(vec![
            opened(),
            run(samples::kept(1)),
            run(samples::ended(2, Reason::NoGain, "")),
            run(samples::ended(3, Reason::Timeout, "")),
            run(samples::ended(4, Reason::NoGain, "")),
            run(samples::ended(5, Reason::GateFailed, "")),
        ]);
        let counts = summary.counts();
        assert_eq!((counts.runs, counts.kept, counts.discarded), (5, 1, 2));
        assert_eq!((counts.crashed, counts.checks_failed), (1, 1));
        assert_eq!(counts.reasons[&Reason::NoGain], 2);
        assert!((summary.sessions[0].spent.total_s - 5.0 * 51.9).abs() < 1e-9);
    }

    #[test]
    fn only_screened_runs_count_towards_the_bound_on_false_keeps() {
        let summary = fold(vec![
            opened(),
            run(samples::kept(1)),
            run(samples::ended(2, Reason::NoGain, "")),
            run(samples::ended(3, Reason::BuildFailed, "")),
        ]);
        assert_eq!(summary.sessions[0].judged, 2);
        assert_eq!(summary.sessions[0].false_keeps_bound(), Some(0.02));
    }

    #[test]
    fn the_head_is_the_last_keep_or_the_start() {
        let mut summary = fold(vec![opened()]);
        assert_eq!(
            summary.sessions[0].head(),
            Some(samples::id("57a27").as_str())
        );
        summary.push(&run(samples::kept(1)));
        assert_eq!(
            summary.sessions[0].head(),
            Some(samples::id("c0ffee1").as_str())
        );
    }

    #[test]
    fn a_claim_holds_for_the_head_it_was_measured_on_and_above_zero_only() {
        let state = |reads: Vec<Read>| match fold(reads).sessions[0].claim_state() {
            ClaimState::NotMeasured => "not measured",
            ClaimState::Nothing(_) => "nothing",
            ClaimState::Better(_) => "better",
            ClaimState::Outdated(_) => "outdated",
        };
        let kept = || run(samples::kept(1));
        assert_eq!(state(vec![opened(), kept()]), "not measured");
        assert_eq!(
            state(vec![opened(), kept(), claim(0.1, 0.01, "c0ffee1")]),
            "better"
        );
        assert_eq!(
            state(vec![opened(), kept(), claim(0.1, 0.2, "c0ffee1")]),
            "nothing"
        );
        assert_eq!(
            state(vec![opened(), kept(), claim(-0.1, 0.01, "c0ffee1")]),
            "nothing"
        );
        assert_eq!(
            state(vec![opened(), claim(0.1, 0.01, "57a27"), kept()]),
            "outdated"
        );
    }

    #[test]
    fn a_claim_without_an_interval_claims_nothing() {
        let mut line = samples::claim(0.1, 0.01, &samples::id("57a27"));
        (line.estimate.lo, line.estimate.hi) = (None, None);
        let summary = fold(vec![opened(), Read::Claim(Box::new(line))]);
        assert!(matches!(
            summary.sessions[0].claim_state(),
            ClaimState::Nothing(_)
        ));
    }
}
