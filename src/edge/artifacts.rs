//! Whether two slots hold the same built files.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::interrupt::Interrupts;
use super::regular;
use crate::error::{Context, Error, Result};

/// Most bytes of one side's artifacts together, holes of sparse files included.
pub const ARTIFACT_BYTES_MAX: u64 = 4 << 30;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Content hash of built files, with the slot's own path made neutral: two builds of one commit in
/// two slots are then equal unless they really differ. `None` when no file matches.
///
/// # Errors
/// A file cannot be read, they hold more than [`ARTIFACT_BYTES_MAX`], or the user wants to stop.
pub fn artifact_hash(
    slot: &Path,
    globs: &[String],
    interrupts: &Interrupts,
) -> Result<Option<String>> {
    let mut files = Vec::new();
    for text in globs {
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(true)
            .build()
            .map_err(|error| Error::usage(format!("artifact glob {text:?}")).because(error))?;
        let fixed: PathBuf = Path::new(text)
            .components()
            .take_while(|part| {
                !part
                    .as_os_str()
                    .to_string_lossy()
                    .contains(['*', '?', '[', '{'])
            })
            .collect();
        collect(slot, &slot.join(fixed), &glob.compile_matcher(), &mut files);
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Ok(None);
    }
    let needle = slot.as_os_str().as_encoded_bytes();
    let mut left = ARTIFACT_BYTES_MAX;
    let mut hasher = Sha256::new();
    for path in files {
        let name = path.strip_prefix(slot).unwrap_or(&path);
        let shown = name.display();
        // Links are followed: build tools make them. What is no file by now is an error.
        let mut file = regular::open(&path).context(|| format!("cannot read {shown}"))?;
        let length = file
            .metadata()
            .context(|| format!("cannot read {shown}"))?
            .len();
        if length > left {
            return Err(Error::environment(format!(
                "the artifacts hold more than {} MiB: {shown} has {} MiB",
                ARTIFACT_BYTES_MAX >> 20,
                length >> 20
            )));
        }
        let mut neutral = Neutral::new(needle);
        let mut content = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            interrupts.check()?;
            let read = file
                .read(&mut chunk)
                .context(|| format!("cannot read {shown}"))?;
            if read == 0 {
                break;
            }
            // It may grow while it is read.
            left = left
                .checked_sub(read as u64)
                .ok_or_else(|| Error::environment(format!("{shown} grows while it is read")))?;
            content.update(neutral.push(&chunk[..read]));
        }
        content.update(neutral.rest());
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(content.finalize());
    }
    Ok(Some(
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    ))
}

/// Replaces a path by slashes in a text that comes in pieces.
struct Neutral<'a> {
    needle: &'a [u8],
    /// What was handed out last, and after it what may be the beginning of the path.
    buffer: Vec<u8>,
    handed_out: usize,
}

impl<'a> Neutral<'a> {
    fn new(needle: &'a [u8]) -> Self {
        Self {
            needle,
            buffer: Vec::new(),
            handed_out: 0,
        }
    }

    /// Takes a piece; returns what is certain by now.
    fn push(&mut self, piece: &[u8]) -> &[u8] {
        self.buffer.drain(..self.handed_out);
        self.buffer.extend_from_slice(piece);
        let mut replaced = 0;
        while let Some(offset) = find(&self.buffer[replaced..], self.needle) {
            let end = replaced + offset + self.needle.len();
            self.buffer[replaced + offset..end].fill(b'/');
            replaced = end;
        }
        let may_begin = self.buffer.len().saturating_sub(self.needle.len() - 1);
        self.handed_out = may_begin.max(replaced);
        &self.buffer[..self.handed_out]
    }

    /// The end of the text.
    fn rest(&self) -> &[u8] {
        &self.buffer[self.handed_out..]
    }
}

fn collect(slot: &Path, at: &Path, glob: &globset::GlobMatcher, files: &mut Vec<PathBuf>) {
    let Ok(metadata) = fs::metadata(at) else {
        return;
    };
    if metadata.is_file() {
        if at.strip_prefix(slot).is_ok_and(|path| glob.is_match(path)) {
            files.push(at.to_path_buf());
        }
        return;
    }
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        // Not through links: they may lead out, or round in circles.
        if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            collect(slot, &entry.path(), glob, files);
        }
    }
}

/// First position of `needle`; scans for its first byte, which paths start with rarely enough.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(offset) = haystack[from..].iter().position(|&byte| byte == first) {
        let at = from + offset;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_replaced_wherever_the_pieces_end() {
        let needle = b"/a/slot-0";
        let text = b"x/a/slot-0/a/slot-0/a/slot-1//a/slot-0a/slot-0/a/slot-";
        let mut expected = text.to_vec();
        for at in [1, 10, 29] {
            assert_eq!(&text[at..at + needle.len()], needle);
            expected[at..at + needle.len()].fill(b'/');
        }
        for size in 1..=text.len() {
            let mut neutral = Neutral::new(needle);
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                seen.extend_from_slice(neutral.push(piece));
            }
            seen.extend_from_slice(neutral.rest());
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_file_is_not_read() {
        let slot = tempfile::tempdir().unwrap();
        let hash =
            |glob: &str| artifact_hash(slot.path(), &[glob.to_owned()], &Interrupts::default());
        let sparse = fs::File::create(slot.path().join("sparse")).unwrap();
        sparse.set_len(ARTIFACT_BYTES_MAX + 1).unwrap();
        let error = hash("sparse").unwrap_err().to_string();
        assert!(error.contains("sparse has 4096 MiB"), "{error}");
        std::os::unix::net::UnixListener::bind(slot.path().join("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", slot.path().join("zero")).unwrap();
        for name in ["socket", "zero", "absent"] {
            assert_eq!(hash(name).unwrap(), None, "{name}");
        }
    }
}
