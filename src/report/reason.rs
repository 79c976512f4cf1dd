//! A verdict in words: the short form of a table, and a plain sentence.

use crate::flow::entry::Entry;
use crate::flow::record::{Reason, RunLine, Status};

/// `keep`, `discard: no gain`; the status alone where the log gives no reason.
pub fn verdict(status: Status, reason: Option<Reason>) -> String {
    let word = match status {
        Status::Keep => "keep",
        Status::Discard => "discard",
        Status::Crash => "crash",
        Status::ChecksFailed => "checks",
    };
    match reason {
        Some(Reason::Improved) => word.to_owned(),
        Some(reason) => format!("{word}: {}", reason.describe()),
        None if status == Status::ChecksFailed => "checks: failed".to_owned(),
        None => word.to_owned(),
    }
}

/// The same without the status where there is a reason: `no gain`.
pub fn short_verdict(status: Status, reason: Option<Reason>) -> String {
    match reason {
        Some(reason) if status != Status::Keep => reason.describe().to_owned(),
        _ => verdict(status, reason),
    }
}

/// What the verdict means, for someone who has not read the documentation.
pub fn sentence(entry: &Entry) -> &'static str {
    match entry.reason {
        Some(Reason::Improved) if entry.line().is_some_and(is_of_unsure_size) => {
            "Better on fresh pairs and committed; how much is not sure."
        }
        Some(reason) => explain(reason),
        None => match entry.status {
            Status::Keep => "Kept by the program that wrote this log.",
            Status::Discard => "Discarded by the program that wrote this log.",
            Status::Crash => "It could not be measured.",
            Status::ChecksFailed => "Its correctness checks failed.",
        },
    }
}

/// Whether a kept run's own pairs do not exclude that it gained nothing. The screening's evidence, of
/// other pairs, kept it.
pub(super) fn is_of_unsure_size(line: &RunLine) -> bool {
    let lo = line.estimate.as_ref().and_then(|gain| gain.lo);
    lo.is_some_and(|lo| lo <= 0.0)
}

fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::Improved => "Better, confirmed on fresh pairs, and through the gate: committed.",
        Reason::NoChange => "It changes nothing that is built, so nothing was measured.",
        Reason::Repeat => "The same tree was judged before in this session; that stands.",
        Reason::NotApplicable => "The patch or knob does not fit the incumbent.",
        Reason::NoGain => "The pairs speak against a gain of the smallest size wanted.",
        Reason::Inconclusive => "A gain was neither shown nor excluded within the pairs allowed.",
        Reason::NotConfirmed => "The screening saw a gain; fresh pairs, slots swapped, did not.",
        Reason::GuardFailed => "A guard metric got worse by more than its tolerance.",
        Reason::GuardUndecided => "A guard metric could not be decided within its pairs.",
        Reason::NotExact => "A metric taken for exact differed between runs of one build.",
        Reason::SelfReport => "The script's own time got better; the process takes longer.",
        Reason::PlaceboPassed => "A no-op came through every test: not kept, but counted.",
        Reason::BuildFailed => "The build command failed.",
        Reason::RunFailed => "The benchmark exited with an error, twice.",
        Reason::Timeout => "The benchmark passed its deadline, twice.",
        Reason::BadMetric => "A required metric was missing, malformed or impossible, twice.",
        Reason::ProposeFailed => "The proposer itself failed.",
        Reason::Drift => "It changes what no candidate may change.",
        Reason::Tampered => "Files that are not its own changed while its code ran.",
        Reason::DigestDiffers => "Wrong: what it computed (DIGEST) differs from its parent's.",
        Reason::GateFailed => "Better, and wrong: the gate fails with it, not with the incumbent.",
        Reason::GateFlaky => "The gate fails with the incumbent too: the gate is unreliable.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples::{self, REASONS};

    #[test]
    fn every_reason_has_a_sentence_of_its_own_that_fits_beside_a_label() {
        let mut sentences: Vec<&str> = REASONS
            .iter()
            .map(|reason| {
                let line = samples::ended(1, *reason, "");
                sentence(&Entry::from(Box::new(line)))
            })
            .collect();
        assert!(
            sentences
                .iter()
                .all(|text| text.len() <= 68 && text.ends_with('.'))
        );
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), REASONS.len());
    }

    #[test]
    fn a_verdict_names_status_and_reason() {
        let check = |status, reason, expected: &str| assert_eq!(verdict(status, reason), expected);
        check(Status::Keep, Some(Reason::Improved), "keep");
        check(Status::Keep, None, "keep");
        check(Status::Discard, Some(Reason::NoGain), "discard: no gain");
        check(Status::Discard, None, "discard");
        check(Status::Crash, Some(Reason::Timeout), "crash: timed out");
        check(
            Status::ChecksFailed,
            Some(Reason::GateFailed),
            "checks: gate failed",
        );
        check(Status::ChecksFailed, None, "checks: failed");
    }
}
