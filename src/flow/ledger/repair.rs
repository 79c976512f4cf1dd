//! A damaged ledger to one that can be read: what cannot be read, or has no place, is taken out, and
//! each gap gets a [`RepairLine`]. Every other line stays as it is, to the byte.
//!
//! Two kinds of line are taken out although they can be read: those of a session whose opening is
//! lost, and, after a git merge, those that another clone wrote. These are told by their numbers,
//! by git's conflict markers, and by the hash chain: a line that follows an earlier line than the one
//! it should is another clone's, and so is what follows it.

mod planner;

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::chain::{self, Chain};
use super::{Decoded, decode_line};
use crate::error::{Error, Result};
use crate::flow::record::{FORMAT_VERSION, Line, RepairLine, RepairTag};
use planner::Planner;

/// A gap: lines taken out one after the other, or none where lines are missing already.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// Number of the first line taken out, or of the line before which some are missing.
    pub line: u64,
    /// How many are taken out.
    pub lines: u64,
    /// What is wrong with the first.
    pub reason: String,
    /// Number that the next run has.
    pub next_run: u64,
    /// Index that the next session has.
    pub next_segment: u32,
    #[serde(skip)]
    bytes: Range<usize>,
}

/// What is to be done to a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    parts: Vec<Part>,
    /// Lines that stay.
    pub kept: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Kept(Range<usize>),
    Gap(Gap),
}

impl Plan {
    /// Looks for damage.
    ///
    /// # Errors
    /// The file is not ours to repair: no line in it is this program's, or one is of a newer format.
    pub fn of(text: &[u8], origin: &str) -> Result<Self> {
        let mut planner = Planner::new(text, origin);
        let mut at = 0;
        for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            planner.take(number, at..at + line.len())?;
            at += line.len();
        }
        planner.finish()
    }

    /// The gaps, first to last; none in a healthy file.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.parts.iter().filter_map(|part| match part {
            Part::Gap(gap) => Some(gap),
            Part::Kept(_) => None,
        })
    }

    /// The repaired text. `file` is the name under which `text` is kept.
    ///
    /// # Errors
    /// The result cannot be read, which would be a defect of this program.
    pub fn apply(&self, text: &[u8], file: &str, timestamp: u64) -> Result<Vec<u8>> {
        let mut repaired = Vec::with_capacity(text.len());
        let mut chain = Chain::default();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Kept(range) => {
                    let line = String::from_utf8_lossy(without_newline(&text[range.clone()]));
                    chain.read(0, &line);
                    if let Ok(Decoded::Line(Line::Repair(earlier))) = decode_line(&line, 0, "") {
                        chain.goes_on_with(earlier.next);
                    }
                    repaired.extend_from_slice(line.as_bytes());
                }
                Part::Gap(gap) => {
                    let following = match self.parts.get(index + 1) {
                        Some(Part::Kept(range)) => Some(&text[range.clone()]),
                        Some(Part::Gap(_)) | None => None,
                    };
                    let line = gap.line(text, following, file, timestamp);
                    chain.goes_on_with(None);
                    repaired.extend_from_slice(chain.link(&line.encode()).as_bytes());
                }
            }
            repaired.push(b'\n');
        }
        let left = Self::of(&repaired, "the repaired ledger")?;
        match left.gaps().next() {
            None => Ok(repaired),
            Some(gap) => Err(Error::environment(format!(
                "line {} of the repaired ledger cannot be read: {}",
                gap.line, gap.reason
            ))
            .hint("nothing was changed; this is a defect of autoresearch: please report it")),
        }
    }
}

impl Gap {
    fn at(line: u64, lines: u64, bytes: Range<usize>, reason: String) -> Self {
        Self {
            line,
            lines,
            reason,
            next_run: 0,
            next_segment: 0,
            bytes,
        }
    }

    fn line(&self, text: &[u8], following: Option<&[u8]>, file: &str, timestamp: u64) -> Line {
        let taken = Sha256::digest(&text[self.bytes.clone()]);
        Line::Repair(Box::new(RepairLine {
            kind: RepairTag::Repair,
            format: FORMAT_VERSION,
            timestamp,
            file: file.to_owned(),
            line: self.line,
            lines: self.lines,
            sha256: taken.iter().map(|byte| format!("{byte:02x}")).collect(),
            reason: self.reason.clone(),
            next_run: self.next_run,
            next_segment: self.next_segment,
            next: following
                .map(|line| chain::sha256(&String::from_utf8_lossy(without_newline(line)))),
        }))
    }
}

/// Whether a line is one that git writes around the sides of a conflict.
pub fn is_conflict_marker(text: &str) -> bool {
    let text = text.trim_end();
    ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .iter()
        .any(|marker| {
            text.strip_prefix(marker)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
}

fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests;
