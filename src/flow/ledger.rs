//! A ledger's text to [`Entry`]s, one line at a time: ours ([`super::record`]) and those of the
//! programs in [`super::foreign`].
//!
//! Nothing is guessed. A line that cannot be read is an error with its number and field; the one
//! exception is a last line that a crash cut short, which is told apart ([`TornTail`]) because the
//! writer may cut it off. A file is never held in memory: [`Decoder::feed`] takes line by line.

pub mod chain;
mod line;
mod place;
pub mod repair;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use line::{Decoded, decode_line};
pub(crate) use place::Place;

use std::sync::Arc;

use chain::Chain;

use super::entry::{Entry, Read, Segment, Source};
use super::foreign::{self, Foreign, Table};
use super::record::{ConfigLine, FORMAT_VERSION, Line, RunLine};
use crate::error::{Error, Result};

/// Most sessions that one repair line may say are missing; each costs memory.
const SEGMENTS_LOST_MAX: u32 = 1_000;

/// A last line without newline that is no complete JSON: what a crash leaves of an append. Cutting
/// these bytes off loses nothing that was ever reported as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// The line's number, from 1.
    pub number: u64,
    /// Its length.
    pub bytes: usize,
}

/// What the text after the last newline comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Tail {
    /// A whole line that lacks only its newline; whoever appends must write that first.
    Whole(Read),
    /// The rest of an interrupted append.
    Torn(TornTail),
}

/// How a file ends, and what was in it as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ending {
    /// Lines read, a torn one not counted.
    pub lines: u64,
    /// The torn last line.
    pub torn: Option<TornTail>,
    /// Whether the last line is whole and has no newline.
    pub lacks_newline: bool,
    /// The newest format above [`FORMAT_VERSION`]; such a file is never appended to.
    pub newer: Option<u32>,
}

/// Reads a ledger line by line and checks that the lines fit together.
#[derive(Debug, Clone)]
pub struct Decoder {
    origin: Arc<str>,
    last_run: u64,
    has_runs: bool,
    is_codex: bool,
    segments: Vec<Segment>,
    newer: Option<u32>,
    table: Option<Table>,
    chain: Option<Chain>,
}

impl Decoder {
    /// A decoder at the start of a file; `origin` names it in errors.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.into(),
            last_run: 0,
            has_runs: false,
            is_codex: false,
            segments: Vec::new(),
            newer: None,
            table: None,
            chain: None,
        }
    }

    /// The same decoder, which follows the hash chain as well: reading takes longer.
    #[must_use]
    pub fn following_the_chain(mut self) -> Self {
        self.chain = Some(Chain::default());
        self
    }

    /// The chain as of the last line; that of an empty file when it was not followed.
    pub fn chain(&self) -> Chain {
        self.chain.clone().unwrap_or_default()
    }

    /// The segments so far, by index.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The number the next run must have.
    pub fn next_run(&self) -> u64 {
        self.last_run.saturating_add(1)
    }

    /// The newest format above [`FORMAT_VERSION`] so far.
    pub fn newer(&self) -> Option<u32> {
        self.newer
    }

    /// Refuses a file that this program may read but must not append to.
    ///
    /// # Errors
    /// The file has lines of a newer format.
    pub fn check_writable(&self) -> Result<()> {
        match self.newer {
            None => Ok(()),
            Some(format) => Err(Error::usage(format!(
                "{} has lines of format {format}; this program writes {FORMAT_VERSION} and does not append to it",
                self.origin
            ))
            .hint("update autoresearch, or move the file away to begin a new one")),
        }
    }

    /// Takes line `number`, without its newline.
    ///
    /// # Errors
    /// The line cannot be read, or does not fit the lines before it: a run's number is not one
    /// above the last, a session was never opened, or a segment is not its session's.
    pub fn feed(&mut self, number: u64, text: &str) -> Result<Read> {
        if text.trim().is_empty() {
            return Ok(Read::Skipped);
        }
        if let Some(chain) = &mut self.chain {
            chain.read(number, text);
        }
        let origin = Arc::clone(&self.origin);
        let place = Place {
            origin: &origin,
            number,
        };
        if let Some(table) = &self.table {
            let entry = table.row(text, self.next_run(), place)?;
            return Ok(self.run(entry));
        }
        if number == 1 && Table::is_header(text) {
            let (table, segment) = Table::open(text, place)?;
            self.table = Some(table);
            self.segments.push(segment.clone());
            return Ok(Read::Segment(Box::new(segment)));
        }
        match decode_line(text, number, &origin)? {
            Decoded::Line(line) => self.ours(line, place),
            Decoded::Newer { format, keys } => {
                self.newer = self.newer.max(Some(format));
                match foreign::newer(&keys, format, place)? {
                    None => Ok(Read::Newer { format }),
                    Some(read) => Ok(self.foreign(read)),
                }
            }
            Decoded::Foreign(keys) => {
                let read = foreign::decode(&keys, self.is_codex, place)?;
                Ok(self.foreign(read))
            }
        }
    }

    /// Takes what stands after the last newline, if anything does.
    ///
    /// # Errors
    /// As [`feed`](Self::feed), when the text is complete JSON.
    pub fn feed_tail(&mut self, number: u64, text: &[u8]) -> Result<Tail> {
        let is_blank = text.iter().all(u8::is_ascii_whitespace);
        match std::str::from_utf8(text) {
            Ok(line) if is_blank || self.table.is_some() || !line::is_torn(text) => {
                self.feed(number, line).map(Tail::Whole)
            }
            Ok(_) | Err(_) => Ok(Tail::Torn(TornTail {
                number,
                bytes: text.len(),
            })),
        }
    }

    /// Takes the bytes of line `number`.
    ///
    /// # Errors
    /// As [`feed`](Self::feed); and bytes that are not UTF-8.
    pub fn feed_bytes(&mut self, number: u64, bytes: &[u8]) -> Result<Read> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.feed(number, text),
            Err(error) => Err(Place {
                origin: &self.origin,
                number,
            }
            .error(format!("not UTF-8 after byte {}", error.valid_up_to()))),
        }
    }

    fn ours(&mut self, line: Line, place: Place<'_>) -> Result<Read> {
        match line {
            Line::Config(line) => {
                let index = self.next_segment();
                self.check_new_session(&line, place)?;
                Ok(self.open(Segment::from((index, line))))
            }
            Line::Calibration(line) => {
                self.session(&line.session, place)?;
                Ok(Read::Calibration(line))
            }
            Line::Run(line) => {
                self.check_order(&line, place)?;
                Ok(self.run(Entry::from(line)))
            }
            Line::Claim(line) => {
                self.session(&line.session, place)?;
                Ok(Read::Claim(line))
            }
            Line::Ablation(line) => {
                self.session(&line.session, place)?;
                Ok(Read::Ablation(line))
            }
            Line::Repair(line) => {
                if line.next_run < self.next_run() || line.next_segment < self.next_segment() {
                    return Err(place.error("`next_run` or `next_segment` goes back"));
                }
                if line.next_segment - self.next_segment() > SEGMENTS_LOST_MAX {
                    return Err(place.error("`next_segment`: too many sessions are missing"));
                }
                self.go_on_at(line.next_run, line.next_segment);
                if let Some(chain) = &mut self.chain {
                    chain.goes_on_with(line.next.clone());
                }
                Ok(Read::Repair(line))
            }
        }
    }

    /// Goes on after lines that are missing.
    fn go_on_at(&mut self, next_run: u64, next_segment: u32) {
        self.last_run = self.last_run.max(next_run.saturating_sub(1));
        for index in self.next_segment()..next_segment {
            self.segments.push(Segment::unnamed(index));
        }
    }

    fn check_new_session(&self, line: &ConfigLine, place: Place<'_>) -> Result<()> {
        if self.session_index(&line.session).is_some() {
            return Err(place.error(format!("`session`: {:?} was opened before", line.session)));
        }
        Ok(())
    }

    fn check_order(&self, line: &RunLine, place: Place<'_>) -> Result<()> {
        let expected = self.next_run();
        if line.run != expected {
            return Err(place.error(format!("`run`: {} where {expected} was due", line.run)));
        }
        let index = self.session(&line.session, place)?;
        if line.segment != index {
            return Err(place.error(format!(
                "`segment`: {} where session {:?} is segment {index}",
                line.segment, line.session
            )));
        }
        Ok(())
    }

    /// The segment of an opened session.
    fn session(&self, session: &str, place: Place<'_>) -> Result<u32> {
        self.session_index(session).ok_or_else(|| {
            place.error(format!(
                "`session`: {session:?} was not opened by a config line before"
            ))
        })
    }

    fn session_index(&self, session: &str) -> Option<u32> {
        let opened = self.segments.iter().rev().find(|segment| {
            segment
                .session
                .as_ref()
                .is_some_and(|line| line.session == session)
        })?;
        Some(opened.index)
    }

    fn next_segment(&self) -> u32 {
        u32::try_from(self.segments.len()).expect("a file has fewer than 2^32 lines with config")
    }

    fn open(&mut self, segment: Segment) -> Read {
        let index = segment.index as usize;
        self.segments.truncate(index);
        self.segments.push(segment.clone());
        Read::Segment(Box::new(segment))
    }

    fn run(&mut self, entry: Entry) -> Read {
        self.last_run = self.last_run.max(entry.run);
        self.has_runs = true;
        Read::Run(Box::new(entry))
    }

    /// pi-autoresearch's rule: a config line after any run opens the next segment; before one it
    /// replaces what was known. Runs before any config line are segment 0.
    fn foreign(&mut self, read: Foreign) -> Read {
        match read {
            Foreign::Skipped => Read::Skipped,
            Foreign::Config(config) => {
                self.is_codex |= config.is_codex;
                let replaces_last = !self.has_runs
                    && self
                        .segments
                        .last()
                        .is_some_and(|segment| segment.session.is_none());
                let index = self.next_segment() - u32::from(replaces_last);
                let before = self.segments.last().cloned();
                let before = before.unwrap_or_else(|| Segment::unnamed(index));
                self.open(config.into_segment(index, before))
            }
            Foreign::Run(mut entry) => {
                if self.segments.is_empty() {
                    self.segments.push(Segment::unnamed(0));
                }
                entry.segment = self.next_segment() - 1;
                self.is_codex |= entry.source == Source::Codex;
                self.run(*entry)
            }
        }
    }
}

/// Decodes a whole file that is in memory and hands each line's meaning to `each`.
///
/// # Errors
/// As [`Decoder::feed`]; and what `each` returns.
pub fn decode_text(
    text: &[u8],
    decoder: &mut Decoder,
    mut each: impl FnMut(Read) -> Result<()>,
) -> Result<Ending> {
    let mut ending = Ending::default();
    let mut rest = text;
    while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
        ending.lines += 1;
        each(decoder.feed_bytes(ending.lines, &rest[..length])?)?;
        rest = &rest[length + 1..];
    }
    if !rest.is_empty() {
        match decoder.feed_tail(ending.lines + 1, rest)? {
            Tail::Whole(read) => {
                ending.lines += 1;
                ending.lacks_newline = true;
                each(read)?;
            }
            Tail::Torn(torn) => ending.torn = Some(torn),
        }
    }
    ending.newer = decoder.newer();
    Ok(ending)
}
