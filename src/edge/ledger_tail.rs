//! A ledger that grows while it is read: each call takes the lines that are new. Nothing is written
//! and nothing is locked.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::regular;
use crate::error::{Context, Error, Result};
use crate::flow::entry::{Read, Segment};
use crate::flow::ledger::{Decoder, Tail};

/// Bytes before the place reached that must still be there, or the file was written anew.
const MEMORY: usize = 256;

/// What a call to [`LedgerTail::read`] has come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// New lines, or damage.
    Grew,
    /// The file is another one, or gone: everything read so far is void. Lines handed over in the
    /// same call are of the new one.
    Restarted,
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub offset: u64,
    /// Bytes, with the newline if there is one.
    pub length: usize,
    /// The line's number, from 1.
    pub number: u64,
}

/// A ledger and how far it has been read.
#[derive(Debug)]
pub struct LedgerTail {
    path: PathBuf,
    reader: Option<BufReader<File>>,
    /// Device, inode, length, time of the last change: when it was looked at last.
    seen: Option<[i128; 4]>,
    decoder: Decoder,
    /// Bytes taken.
    offset: u64,
    lines: u64,
    /// Of the line after `offset`, what is there already.
    partial: Vec<u8>,
    /// The end of what was taken.
    memory: Vec<u8>,
    /// The last line was taken without its newline.
    lacks_newline: bool,
    has_more: bool,
    problem: Option<String>,
}

impl LedgerTail {
    /// The ledger at `path`, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            reader: None,
            seen: None,
            decoder: Decoder::new(&path.display().to_string()),
            offset: 0,
            lines: 0,
            partial: Vec::new(),
            memory: Vec::new(),
            lacks_newline: false,
            has_more: false,
            problem: None,
        }
    }

    /// Hands the new lines to `each`, for about `at_most`; the rest comes with the next calls
    /// ([`has_more`](Self::has_more)). `None` comes before the lines of
    /// another file.
    ///
    /// A damaged line ends the reading until the file is another one; [`problem`](Self::problem)
    /// says what is wrong with it.
    pub fn read(
        &mut self,
        at_most: Duration,
        mut each: impl FnMut(Option<(Read, &[Segment], Place)>),
    ) -> Change {
        let metadata = std::fs::metadata(&self.path);
        let now = metadata.as_ref().map(stamp).ok();
        let has_changed = now != self.seen;
        let mut change = Change::Same;
        let has_read = self.seen.is_some() || self.problem.is_some();
        if has_changed && has_read && !self.goes_on(metadata.as_ref().ok()) {
            *self = Self::new(&self.path.clone());
            each(None);
            change = Change::Restarted;
        }
        self.seen = now;
        match metadata {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return change,
            Err(error) => {
                self.problem = Some(format!("cannot read {}: {error}", self.path.display()));
                return change;
            }
        }
        if self.problem.is_some() {
            return change;
        }
        let is_stable = !has_changed && !self.has_more;
        match self.take(is_stable, at_most, &mut each) {
            Ok(false) => change,
            Ok(true) => change.max_grew(),
            Err(error) => {
                self.problem = Some(error.chain());
                self.has_more = false;
                change.max_grew()
            }
        }
    }

    /// Whether there is more to read at once.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// What is wrong with the file.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Bytes read of those there are.
    pub fn progress(&self) -> (u64, u64) {
        let length = self.seen.map_or(0, |[_, _, length, _]| length);
        (self.offset, u64::try_from(length).unwrap_or(0))
    }

    /// A line once more, without its newline.
    ///
    /// # Errors
    /// It is no longer there.
    pub fn line(&self, place: Place) -> Result<String> {
        let context = || format!("cannot read {} again", self.path.display());
        let mut bytes = vec![0; place.length];
        let reader = self.reader.as_ref().ok_or_else(|| {
            Error::environment(context()).hint("the file is gone; it is read anew when it is back")
        })?;
        let file = reader.get_ref();
        file.read_exact_at(&mut bytes, place.offset)
            .context(context)?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        String::from_utf8(bytes).map_err(|error| Error::environment(context()).because(error))
    }

    /// Whether the file is still the one that was read, and has what was read at its beginning.
    fn goes_on(&self, metadata: Option<&Metadata>) -> bool {
        let (Some(metadata), Some(seen)) = (metadata, self.seen) else {
            return false;
        };
        let is_same = stamp(metadata)[..2] == seen[..2];
        let read = self.offset + self.partial.len() as u64;
        is_same && self.problem.is_none() && metadata.len() >= read && self.remembers()
    }

    fn remembers(&self) -> bool {
        let Some(reader) = &self.reader else {
            return true;
        };
        let mut bytes = vec![0; self.memory.len()];
        let start = self.offset - self.memory.len() as u64;
        let read = reader.get_ref().read_exact_at(&mut bytes, start);
        read.is_ok() && bytes == self.memory
    }

    /// Takes lines; whether there were any.
    fn take(
        &mut self,
        is_stable: bool,
        at_most: Duration,
        each: &mut impl FnMut(Option<(Read, &[Segment], Place)>),
    ) -> Result<bool> {
        let context = || format!("cannot read {}", self.path.display());
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => BufReader::with_capacity(1 << 18, regular::open(&self.path).context(context)?),
        };
        // What is buffered of a line that was cut short then is read again whole now.
        if !self.partial.is_empty() && !is_stable {
            self.partial.clear();
            reader.seek(SeekFrom::Start(self.offset)).context(context)?;
        }
        let began = Instant::now();
        let mut has_taken = false;
        self.has_more = false;
        let result = loop {
            let read = reader.read_until(b'\n', &mut self.partial);
            if let Err(error) = read {
                break Err(error).context(|| format!("cannot read {}", self.path.display()));
            }
            if self.partial.last() != Some(&b'\n') {
                break match self.last_line(is_stable, each) {
                    Ok(was_whole) => Ok(has_taken | was_whole),
                    Err(error) => Err(error),
                };
            }
            if let Err(error) = self.whole_line(each) {
                break Err(error);
            }
            has_taken = true;
            if began.elapsed() >= at_most {
                self.has_more = true;
                break Ok(true);
            }
        };
        self.reader = Some(reader);
        result
    }

    fn whole_line(
        &mut self,
        each: &mut impl FnMut(Option<(Read, &[Segment], Place)>),
    ) -> Result<()> {
        let is_late_newline = std::mem::take(&mut self.lacks_newline) && self.partial == b"\n";
        if is_late_newline {
            self.move_on();
            return Ok(());
        }
        let end = self.partial.len() - 1;
        let read = self
            .decoder
            .feed_bytes(self.lines + 1, &self.partial[..end])?;
        self.hand_over(read, each);
        Ok(())
    }

    /// The text after the last newline. Only when it has stayed as it is for a while is it taken for
    /// a line without a newline, or for one that a crash cut short.
    fn last_line(
        &mut self,
        is_stable: bool,
        each: &mut impl FnMut(Option<(Read, &[Segment], Place)>),
    ) -> Result<bool> {
        if self.partial.is_empty() || !is_stable {
            return Ok(false);
        }
        match self.decoder.feed_tail(self.lines + 1, &self.partial)? {
            Tail::Torn(_) => Ok(false),
            Tail::Whole(read) => {
                self.hand_over(read, each);
                self.lacks_newline = true;
                Ok(true)
            }
        }
    }

    fn hand_over(&mut self, read: Read, each: &mut impl FnMut(Option<(Read, &[Segment], Place)>)) {
        self.lines += 1;
        let place = Place {
            offset: self.offset,
            length: self.partial.len(),
            number: self.lines,
        };
        self.move_on();
        each(Some((read, self.decoder.segments(), place)));
    }

    fn move_on(&mut self) {
        self.offset += self.partial.len() as u64;
        let keep = self.partial.len().saturating_sub(MEMORY);
        self.memory.extend_from_slice(&self.partial[keep..]);
        let beyond = self.memory.len().saturating_sub(MEMORY);
        self.memory.drain(..beyond);
        self.partial.clear();
    }
}

impl Change {
    /// At least [`Change::Grew`].
    fn max_grew(self) -> Self {
        match self {
            Self::Same | Self::Grew => Self::Grew,
            Self::Restarted => Self::Restarted,
        }
    }
}

/// Device, inode, length, and nanoseconds of the last change.
fn stamp(metadata: &Metadata) -> [i128; 4] {
    let changed = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    [
        metadata.dev().into(),
        metadata.ino().into(),
        metadata.len().into(),
        changed,
    ]
}

#[cfg(test)]
mod tests;
