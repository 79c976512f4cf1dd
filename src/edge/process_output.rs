//! What a child printed.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;

use crate::error::{Context, Result};
use crate::flow::digest::Digests;
use crate::flow::metric::{Key, LINE_BYTES_MAX, Samples};

/// A way for a child's output into its log on which nothing can be unsaid: a file that is the output itself
/// can be cut and written over through its name in `/proc`, a pipe can be emptied, and a socket neither.
pub struct Channel {
    ours: UnixStream,
    copier: JoinHandle<io::Result<u64>>,
}

impl Channel {
    /// Copies what comes until it is closed, up to a little more than `bytes_max`; and the child's end.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn open(mut log: File, bytes_max: u64) -> io::Result<(Self, File)> {
        let (ours, theirs) = UnixStream::pair()?;
        let reader = ours.try_clone()?;
        let copier =
            std::thread::spawn(move || io::copy(&mut reader.take(bytes_max + 1), &mut log));
        Ok((Self { ours, copier }, File::from(OwnedFd::from(theirs))))
    }

    /// Waits until all is copied that was printed by now, whoever keeps the other end open.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn close(self) -> io::Result<()> {
        self.ours.shutdown(Shutdown::Read)?;
        let copied = self.copier.join();
        copied.unwrap_or_else(|_| Err(io::Error::other("a thread failed")))?;
        Ok(())
    }
}

/// Reads a log's METRIC and DIGEST lines, line by line: the output never has to fit into memory. With
/// a key only those that carry it count.
///
/// # Errors
/// The log cannot be read.
pub fn read(log: &Path, key: Option<&str>) -> Result<(Samples, Digests)> {
    let context = || format!("cannot read {}", log.display());
    let mut reader = BufReader::with_capacity(1 << 16, File::open(log).context(context)?);
    let (mut samples, mut digests) = (Samples::default(), Digests::default());
    let key = key.map(Key::new);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = reader
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .context(context)?;
        if read == 0 {
            return Ok((samples, digests));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read > LINE_BYTES_MAX {
            // Too long for a METRIC line; a DIGEST line must not be overlooked.
            if let Some(text) = counted(&String::from_utf8_lossy(&line), key.as_ref()) {
                digests.feed(&text);
            }
            skip_line(&mut reader).context(context)?;
            continue;
        }
        if let Some(text) = counted(&String::from_utf8_lossy(&line), key.as_ref()) {
            samples.feed(&text);
            digests.feed(&text);
        }
    }
}

/// The line to be read: any without a key, else one that has it, without it.
fn counted<'a>(line: &'a str, key: Option<&Key>) -> Option<Cow<'a, str>> {
    match key {
        None => Some(Cow::Borrowed(line)),
        Some(key) => key.unlock(line).map(Cow::Owned),
    }
}

/// Skips the rest of an overlong line.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let found = buffer.iter().position(|&byte| byte == b'\n');
        let length = found.map_or(buffer.len(), |position| position + 1);
        reader.consume(length);
        if found.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// The end of a log for messages and records: at most 80 lines (pi-autoresearch's number) and 8 KiB.
pub fn tail(log: &Path) -> String {
    const BYTES: u64 = 8192;
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}
