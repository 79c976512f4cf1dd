//! The archive: a finished store in one file.
//!
//! | bytes | what |
//! |---|---|
//! | 5 | magic `BSAR1` |
//! | 4 | length of the manifest, big-endian, at most [`MAX_MANIFEST_BYTES`] |
//! | n | manifest: engine, schema version, payload encoding, then name, length and CRC-32 of each file |
//! | 4 | CRC-32 of the manifest, big-endian |
//! | m | one zstd frame with a checksum: the files, one after the other |
//! | 4 | CRC-32 of the frame's bytes, big-endian |

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::checked::{CheckedReader, CheckedWriter};
use crate::codec::{Decoder, Encoder};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::tuning;

const MAGIC: &[u8; 5] = b"BSAR1";
/// Longest manifest that is read.
pub const MAX_MANIFEST_BYTES: u32 = 64 * 1024;
/// Largest file that is unpacked.
pub const MAX_FILE_BYTES: u64 = 4 << 30;
const ENGINE: &str = "sqlite";
const SCHEMA_VERSION: u64 = 1;
const ENCODING: &str = "zstd";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
    /// Size of its files in bytes.
    pub payload_bytes: u64,
}

#[derive(Debug)]
struct Entry {
    name: String,
    len: u64,
    crc: u32,
}

/// Packs `files` of `dir` into `path`: written beside it under another name,
/// synced, renamed, and the directory synced.
///
/// # Errors
/// When any step fails; `path` is then as it was.
pub fn pack(dir: &Path, files: &[String], path: &Path, disk: &dyn Disk) -> Result<ArchiveInfo> {
    let temporary = temporary_name(path);
    let outcome = write_archive(dir, files, &temporary, disk)
        .and_then(|payload_bytes| Ok((payload_bytes, disk.rename(&temporary, path)?)));
    let (payload_bytes, ()) = match outcome {
        Ok(done) => done,
        Err(error) => {
            // The first error is the one to report; a leftover is overwritten next time.
            let _ = std::fs::remove_file(&temporary);
            return Err(error);
        }
    };
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    let archive_bytes = std::fs::metadata(path)
        .map_err(Error::io("look at", path))?
        .len();
    Ok(ArchiveInfo {
        archive_bytes,
        payload_bytes,
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

fn write_archive(dir: &Path, files: &[String], temporary: &Path, disk: &dyn Disk) -> Result<u64> {
    let mut entries = Vec::new();
    for name in files {
        let (len, crc) = checksum(&dir.join(name))?;
        entries.push(Entry {
            name: name.clone(),
            len,
            crc,
        });
    }
    let manifest = encode_manifest(&entries);
    let file = File::create(temporary).map_err(Error::io("create", temporary))?;
    let mut out = BufWriter::with_capacity(tuning::COPY_BUFFER_BYTES, file);
    let fail = |error| Error::io("write", temporary)(error);
    out.write_all(MAGIC).map_err(fail)?;
    out.write_all(&(manifest.len() as u32).to_be_bytes())
        .map_err(fail)?;
    out.write_all(&manifest).map_err(fail)?;
    out.write_all(&crc32fast::hash(&manifest).to_be_bytes())
        .map_err(fail)?;
    let mut encoder =
        zstd::Encoder::new(CheckedWriter::new(out), tuning::ARCHIVE_LEVEL).map_err(fail)?;
    encoder.include_checksum(true).map_err(fail)?;
    for name in files {
        let path = dir.join(name);
        for_each_block(&path, |block| encoder.write_all(block).map_err(fail))?;
    }
    let (mut out, crc) = encoder.finish().map_err(fail)?.finish();
    out.write_all(&crc.to_be_bytes()).map_err(fail)?;
    out.flush().map_err(fail)?;
    disk.sync_file(temporary, out.get_ref())?;
    Ok(entries.iter().map(|entry| entry.len).sum())
}

fn for_each_block(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut block = vec![0; tuning::COPY_BUFFER_BYTES];
    loop {
        let len = file.read(&mut block).map_err(Error::io("read", path))?;
        if len == 0 {
            return Ok(());
        }
        each(&block[..len])?;
    }
}

fn checksum(path: &Path) -> Result<(u64, u32)> {
    let mut hasher = crc32fast::Hasher::new();
    let mut total = 0;
    for_each_block(path, |block| {
        hasher.update(block);
        total += block.len() as u64;
        Ok(())
    })?;
    Ok((total, hasher.finalize()))
}

fn encode_manifest(entries: &[Entry]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.str(ENGINE)
        .u64(SCHEMA_VERSION)
        .str(ENCODING)
        .u64(entries.len() as u64);
    for entry in entries {
        out.str(&entry.name).u64(entry.len).u64(entry.crc.into());
    }
    out.finish()
}

/// Unpacks an archive into `dir`, which must be new or empty. Every length,
/// name and checksum is checked; on a refusal nothing is left in `dir`.
///
/// # Errors
/// When the archive is truncated, altered, of another version or hostile.
pub fn unpack(path: &Path, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    if std::fs::read_dir(dir)
        .map_err(Error::io("list", dir))?
        .next()
        .is_some()
    {
        let reason = format!("{} is not empty", dir.display());
        return Err(Error::State {
            action: "unpack an archive",
            reason,
        });
    }
    let mut written = Vec::new();
    let outcome = unpack_into(path, dir, &mut written);
    if outcome.is_err() {
        for file in written {
            // The refusal is the error to report.
            let _ = std::fs::remove_file(file);
        }
    }
    outcome
}

fn unpack_into(path: &Path, dir: &Path, written: &mut Vec<PathBuf>) -> Result<()> {
    let refuse = |reason: &str| Error::Archive {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut input = BufReader::with_capacity(tuning::COPY_BUFFER_BYTES, file);
    let entries = read_manifest(path, &mut input)?;
    let decoder = zstd::Decoder::with_buffer(CheckedReader::new(input))
        .map_err(|_| refuse("the payload cannot be decoded"))?;
    let mut decoder = decoder.single_frame();
    for entry in &entries {
        let target = dir.join(&entry.name);
        written.push(target.clone());
        let mut out = File::create_new(&target).map_err(Error::io("create", &target))?;
        let mut hasher = crc32fast::Hasher::new();
        let mut left = entry.len;
        let mut block = vec![0; tuning::COPY_BUFFER_BYTES];
        while left > 0 {
            let want = left.min(block.len() as u64) as usize;
            let len = decoder
                .read(&mut block[..want])
                .map_err(|_| refuse("the payload is damaged"))?;
            if len == 0 {
                return Err(refuse("the payload is cut short"));
            }
            hasher.update(&block[..len]);
            out.write_all(&block[..len])
                .map_err(Error::io("write", &target))?;
            left -= len as u64;
        }
        if hasher.finalize() != entry.crc {
            return Err(refuse("a file's checksum does not match"));
        }
    }
    let past_end = decoder
        .read(&mut [0])
        .map_err(|_| refuse("the payload is damaged"))?;
    if past_end != 0 {
        return Err(refuse("the payload is longer than the manifest says"));
    }
    // The frame's own checksum covers what it decodes to, not each bit of its headers.
    let (mut rest, found) = decoder.finish().finish();
    let mut crc = [0; 4];
    rest.read_exact(&mut crc)
        .map_err(|_| refuse("the payload's checksum is missing"))?;
    if u32::from_be_bytes(crc) != found {
        return Err(refuse("the payload's checksum does not match"));
    }
    let after = rest.read(&mut [0]).map_err(Error::io("read", path))?;
    if after == 0 {
        Ok(())
    } else {
        Err(refuse("bytes follow the payload"))
    }
}

fn read_manifest(path: &Path, input: &mut impl Read) -> Result<Vec<Entry>> {
    let refuse = |reason: &str| Error::Archive {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let mut head = [0; 9];
    input
        .read_exact(&mut head)
        .map_err(|_| refuse("it is shorter than its header"))?;
    if head[..5] != MAGIC[..] {
        return Err(refuse("it does not start with the magic bytes"));
    }
    let len = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    if len > MAX_MANIFEST_BYTES {
        return Err(refuse("its manifest is too long"));
    }
    let mut manifest = vec![0; len as usize];
    let mut crc = [0; 4];
    input
        .read_exact(&mut manifest)
        .map_err(|_| refuse("its manifest is cut short"))?;
    input
        .read_exact(&mut crc)
        .map_err(|_| refuse("its manifest is cut short"))?;
    if crc32fast::hash(&manifest) != u32::from_be_bytes(crc) {
        return Err(refuse("its manifest's checksum does not match"));
    }
    parse_manifest(&manifest).map_err(|error| match error {
        Error::Decode { reason, .. } => refuse(&reason),
        other => other,
    })
}

fn parse_manifest(manifest: &[u8]) -> Result<Vec<Entry>> {
    let unfit = |reason: String| Error::Decode {
        table: "manifest",
        reason,
    };
    let mut input = Decoder::new("manifest", manifest);
    let (engine, version, encoding) = (input.string()?, input.u64()?, input.string()?);
    if engine != ENGINE || version != SCHEMA_VERSION || encoding != ENCODING {
        return Err(unfit(format!(
            "it is {engine} version {version} in {encoding}, which this version cannot read"
        )));
    }
    let count = input.u64()?;
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..count {
        let entry = Entry {
            name: input.string()?,
            len: input.u64()?,
            crc: input.u32()?,
        };
        if !is_plain_name(&entry.name) || entries.iter().any(|other| other.name == entry.name) {
            return Err(unfit(format!(
                "the file name {:?} is not allowed",
                entry.name
            )));
        }
        if entry.len > MAX_FILE_BYTES {
            return Err(unfit(format!("the file {:?} is too large", entry.name)));
        }
        entries.push(entry);
    }
    input.finish()?;
    Ok(entries)
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
