//! One walk through a damaged ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::chain::{self, Chain};
use super::super::{Decoded, Decoder, SEGMENTS_LOST_MAX, decode_line};
use super::{Gap, Part, Plan, is_conflict_marker, without_newline};
use crate::error::{Error, Result};
use crate::flow::record::Line;
use crate::flow::session::Past;

/// How far back the line is looked for that another clone's lines follow.
const FORK_LINES_MAX: usize = 4_096;

/// Longest reason in a record, characters.
const REASON_CHARS_MAX: usize = 200;

/// Why a second line of one run is taken out.
const IS_THERE: &str = "a run of this number is there already";

/// The chain as of a line of the file, kept or not.
struct Written {
    chain: String,
    is_kept: bool,
    is_another_clones: bool,
    /// What may follow a line that stands in for others.
    next: Option<String>,
}

pub(super) struct Planner<'a> {
    text: &'a [u8],
    origin: &'a str,
    decoder: Decoder,
    past: Past,
    /// Segment of each session, as its runs say.
    segments: BTreeMap<String, u32>,
    /// By line, the number of the first run that can be read there or later.
    runs_ahead: Vec<u64>,
    /// Lines of git's conflicts, but for the first side.
    conflicts: Vec<Range<u64>>,
    written: Vec<Written>,
    /// The chain after each line that stays.
    kept_chains: BTreeSet<String>,
    parts: Vec<Part>,
    pending: Option<Gap>,
    has_ours: bool,
    kept: u64,
}

impl<'a> Planner<'a> {
    pub(super) fn new(text: &'a [u8], origin: &'a str) -> Self {
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let mut segments = BTreeMap::new();
        let mut runs_ahead = vec![0; lines.len()];
        let mut ahead = 0;
        for (index, line) in lines.iter().enumerate().rev() {
            let line = std::str::from_utf8(line).unwrap_or_default();
            if let Ok(Decoded::Line(Line::Run(run))) = decode_line(line, 0, origin) {
                ahead = run.run;
                segments.insert(run.session, run.segment);
            }
            runs_ahead[index] = ahead;
        }
        Self {
            text,
            origin,
            decoder: Decoder::new(origin),
            past: Past::new(),
            segments,
            runs_ahead,
            conflicts: conflicts(&lines),
            written: Vec::new(),
            kept_chains: BTreeSet::new(),
            parts: Vec::new(),
            pending: None,
            has_ours: false,
            kept: 0,
        }
    }

    pub(super) fn take(&mut self, number: u64, range: Range<usize>) -> Result<()> {
        let bytes = without_newline(&self.text[range.clone()]);
        let lossy = String::from_utf8_lossy(bytes);
        let mut chain = Chain::after(self.written.last().map_or("", |last| &last.chain));
        chain.read(number, &lossy);
        let is_blank = bytes.iter().all(u8::is_ascii_whitespace);
        let is_copy = !is_blank && self.kept_chains.contains(chain.last());
        let is_another_clones = !is_copy && self.is_another_clones(&lossy);
        let mut place = None;
        let reason = if self.conflicts.iter().any(|lines| lines.contains(&number)) {
            Some("git's conflict markers and the other clone's side".to_owned())
        } else if is_blank {
            self.pending.is_some().then(String::new)
        } else if is_copy {
            Some("a copy of a line before it".to_owned())
        } else if is_another_clones {
            Some("another clone's: it follows an earlier line than the one before it".to_owned())
        } else {
            let before = (self.decoder.next_run(), self.decoder.next_segment());
            let reason = self.misfit(number, bytes)?;
            place = Some(before).filter(|_| reason.is_none());
            reason
        };
        let next = match decode_line(&lossy, number, self.origin) {
            Ok(Decoded::Line(Line::Repair(line))) => line.next,
            Ok(_) | Err(_) => None,
        };
        if reason.is_none() {
            self.kept_chains.insert(chain.last().to_owned());
        }
        self.written.push(Written {
            chain: chain.last().to_owned(),
            is_kept: reason.is_none(),
            is_another_clones: is_another_clones || reason.as_deref() == Some(IS_THERE),
            next,
        });
        match reason {
            Some(reason) => self.take_out(number, range, reason),
            None => self.keep(number, range, place),
        }
        Ok(())
    }

    /// Whether the chain says that a line belongs to what was taken out for another clone's, or begins
    /// a second continuation of a line that has one.
    fn is_another_clones(&self, text: &str) -> bool {
        let Some(last) = self.written.last() else {
            return false;
        };
        if last.next.as_ref() == Some(&chain::sha256(text)) {
            return false;
        }
        match chain::follows(&last.chain, text) {
            None | Some(true) => last.is_another_clones,
            Some(false) => {
                let mut has_kept = false;
                for earlier in self.written.iter().rev().take(FORK_LINES_MAX) {
                    if chain::follows(&earlier.chain, text) == Some(true) {
                        return has_kept || earlier.is_another_clones;
                    }
                    has_kept |= earlier.is_kept;
                }
                last.is_another_clones
            }
        }
    }

    /// Feeds a line to the readers; why it has no place, when it has none. Numbers that were skipped
    /// are then a gap before it.
    fn misfit(&mut self, number: u64, bytes: &[u8]) -> Result<Option<String>> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Some("not UTF-8".to_owned()));
        };
        let decoded = match decode_line(text, number, self.origin) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Some(self.bare(number, &error))),
        };
        match &decoded {
            Decoded::Newer { .. } => {
                self.decoder.feed(number, text)?;
                self.decoder.check_writable()?;
            }
            Decoded::Foreign(_) => {}
            Decoded::Line(line) => {
                self.has_ours = true;
                if let Line::Run(run) = line {
                    if run.run < self.decoder.next_run() {
                        return Ok(Some(IS_THERE.to_owned()));
                    }
                    let segment = self.decoder.next_segment();
                    self.decoder.go_on_at(run.run, segment);
                }
                if let Line::Config(config) = line
                    && let Some(&segment) = self.segments.get(&config.session)
                    && segment.saturating_sub(self.decoder.next_segment()) <= SEGMENTS_LOST_MAX
                {
                    self.decoder.go_on_at(0, segment);
                }
            }
        }
        let read = match self.decoder.feed(number, text) {
            Ok(read) => read,
            Err(error) => {
                if let Decoded::Line(Line::Run(run)) = &decoded {
                    // Its number is taken, though it cannot be read.
                    let segment = self.decoder.next_segment();
                    self.decoder.go_on_at(run.run.saturating_add(1), segment);
                }
                return Ok(Some(self.bare(number, &error)));
            }
        };
        Ok(self
            .past
            .apply(&read)
            .err()
            .map(|error| format!("a recorded value is impossible: {error}")))
    }

    /// An error's message without the line's place, which the gap has.
    fn bare(&self, number: u64, error: &Error) -> String {
        let message = error.to_string();
        let place = format!("{}:{number}: ", self.origin);
        let message = message.strip_prefix(&place).unwrap_or(&message);
        message.chars().take(REASON_CHARS_MAX).collect()
    }

    fn take_out(&mut self, number: u64, range: Range<usize>, reason: String) {
        match &mut self.pending {
            Some(gap) => {
                gap.lines += 1;
                gap.bytes.end = range.end;
            }
            None => self.pending = Some(Gap::at(number, 1, range, reason)),
        }
    }

    /// Keeps a line; `due` is the run and the segment that were due before it.
    fn keep(&mut self, number: u64, range: Range<usize>, due: Option<(u64, u32)>) {
        if let Some((run_due, segment_due)) = due {
            let (run, segment) = self.place_of(&range, (run_due, segment_due));
            if self.pending.is_none() && (run > run_due || segment > segment_due) {
                let reason = if segment > segment_due {
                    "the line that opened a session is missing".to_owned()
                } else {
                    format!("run {run} where {run_due} was due")
                };
                self.pending = Some(Gap::at(number, 0, range.start..range.start, reason));
            }
            if let Some(mut gap) = self.pending.take() {
                let ahead = usize::try_from(number - 1).ok();
                let ahead = ahead.and_then(|index| self.runs_ahead.get(index).copied());
                gap.next_run = run.max(ahead.unwrap_or(0));
                gap.next_segment = segment;
                self.decoder.go_on_at(gap.next_run, segment);
                self.parts.push(Part::Gap(gap));
            }
        }
        self.parts.push(Part::Kept(range));
        self.kept += 1;
    }

    /// The run and the segment that are due just before a line that the decoder has taken.
    fn place_of(&self, range: &Range<usize>, due: (u64, u32)) -> (u64, u32) {
        let text = std::str::from_utf8(without_newline(&self.text[range.clone()]));
        match decode_line(text.unwrap_or_default(), 0, self.origin) {
            Ok(Decoded::Line(Line::Run(run))) => (run.run, due.1),
            Ok(Decoded::Line(Line::Config(_))) => {
                (due.0, self.decoder.next_segment().saturating_sub(1))
            }
            Ok(_) | Err(_) => due,
        }
    }

    pub(super) fn finish(mut self) -> Result<Plan> {
        if let Some(mut gap) = self.pending.take() {
            // Each line may have been a run, but for one that was never whole: no number is given twice.
            let torn = u64::from(!self.text.ends_with(b"\n"));
            gap.next_run = self.decoder.next_run() + (gap.lines - torn);
            gap.next_segment = self.decoder.next_segment();
            self.parts.push(Part::Gap(gap));
        }
        let plan = Plan {
            parts: self.parts,
            kept: self.kept,
        };
        if !self.has_ours && plan.gaps().next().is_some() {
            return Err(Error::usage(format!(
                "{} has no line that this program wrote and can read, so there is nothing to save",
                self.origin
            ))
            .hint("another program's log is its own to repair; a ledger may be whole in a commit (`git log -- experiments.jsonl`); else move it away to begin a new one"));
        }
        Ok(plan)
    }
}

/// The lines of whole conflicts that are markers or not of the first side, numbered from 1.
fn conflicts(lines: &[&[u8]]) -> Vec<Range<u64>> {
    let is = |marker: &str, line: &[u8]| line.starts_with(marker.as_bytes()) && is_marker(line);
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let after = |from: usize, marker: &str| {
            let rest = lines.get(from + 1..)?;
            Some(from + 1 + rest.iter().position(|line| is(marker, line))?)
        };
        let whole = || {
            let middle = after(at, "=======")?;
            Some((middle, after(middle, ">>>>>>>")?))
        };
        if is("<<<<<<<", lines[at])
            && let Some((middle, end)) = whole()
        {
            let base = after(at, "|||||||").filter(|base| *base < middle);
            let first = base.unwrap_or(middle);
            found.push(at as u64 + 1..at as u64 + 2);
            found.push(first as u64 + 1..end as u64 + 2);
            at = end;
        }
        at += 1;
    }
    found
}

fn is_marker(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(is_conflict_marker)
}
