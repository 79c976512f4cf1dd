//! Whether two slots hold the same built files.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Result};

/// Content hash of built files, with the slot's own path made neutral: two builds of one commit in
/// two slots are then equal unless they really differ. `None` when no file matches.
///
/// # Errors
/// A file cannot be read.
pub fn artifact_hash(slot: &Path, globs: &[String]) -> Result<Option<String>> {
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
    let neutral = vec![b'/'; needle.len()];
    let mut hasher = Sha256::new();
    for path in files {
        let mut content = fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
        let positions: Vec<usize> = find_all(&content, needle);
        for position in positions {
            content[position..position + needle.len()].copy_from_slice(&neutral);
        }
        let name = path.strip_prefix(slot).unwrap_or(&path);
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
    Ok(Some(
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    ))
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

fn find_all(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = memchr_find(&haystack[from..], needle) {
        found.push(from + offset);
        from += offset + needle.len();
    }
    found
}

/// First position of `needle`; scans for its first byte, which paths start with rarely enough.
fn memchr_find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
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
