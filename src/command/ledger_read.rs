//! Streaming a ledger through a decoder, shared by the commands that only read.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use crate::edge::regular;
use crate::error::{Context, Error, Result};
use crate::flow::entry::Read;
use crate::flow::ledger::{Decoder, Tail};

/// Hands everything in the ledger at `path` to `each`, one line in memory at a time.
///
/// # Errors
/// The file is missing or a line is damaged; a torn last line is only warned of.
pub fn each(path: &Path, each: impl FnMut(&Decoder, Read) -> Result<()>) -> Result<()> {
    read_with(Decoder::new(&path.display().to_string()), path, each).map(drop)
}

/// As [`each`], with the hash chain followed; also says which lines break it.
///
/// # Errors
/// As [`each`].
pub fn each_chained(
    path: &Path,
    each: impl FnMut(&Decoder, Read) -> Result<()>,
) -> Result<Vec<u64>> {
    let decoder = Decoder::new(&path.display().to_string()).following_the_chain();
    read_with(decoder, path, each).map(|decoder| decoder.chain().broken().to_vec())
}

fn read_with(
    mut decoder: Decoder,
    path: &Path,
    mut each: impl FnMut(&Decoder, Read) -> Result<()>,
) -> Result<Decoder> {
    let file = regular::open(path).map_err(|error| {
        if error.kind() == ErrorKind::IsADirectory {
            return Error::usage(format!("{} is a directory", path.display()))
                .hint("`--file` takes a ledger, such as experiments.jsonl");
        }
        Error::usage(format!("cannot read {}", path.display()))
            .because(error)
            .hint("`autoresearch run` creates it; `--file` reads another")
    })?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let length = reader
            .read_until(b'\n', &mut line)
            .context(|| format!("cannot read {}", path.display()))?;
        if length == 0 {
            return Ok(decoder);
        }
        number += 1;
        let read = if line.last() == Some(&b'\n') {
            line.pop();
            decoder.feed_bytes(number, &line)?
        } else {
            match decoder.feed_tail(number, &line)? {
                Tail::Whole(read) => read,
                Tail::Torn(torn) => {
                    eprintln!(
                        "warning: {}: line {} is cut short; the next run moves it aside",
                        path.display(),
                        torn.number
                    );
                    return Ok(decoder);
                }
            }
        };
        each(&decoder, read)?;
    }
}
