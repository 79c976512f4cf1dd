//! Packing.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::manifest::{Encoding, Entry, MAX_MANIFEST_BYTES, Manifest};
use super::{ArchiveInfo, MAGIC};
use crate::checked::CheckedWriter;
use crate::disk::Disk;
use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::tuning;

/// Packs `files` of `dir`, a store of the given kind, into `path`: written beside
/// it under another name, synced, renamed, and the directory synced.
///
/// # Errors
/// When any step fails, a file is no plain file, or [`unpack`](super::unpack)
/// would refuse the archive; `path` is then as it was.
pub fn pack(
    dir: &Path,
    engine: EngineKind,
    files: &[String],
    path: &Path,
    disk: &dyn Disk,
) -> Result<ArchiveInfo> {
    let temporary = temporary_name(path);
    // What a crash left there, or whatever somebody else made of the name.
    if let Err(error) = std::fs::remove_file(&temporary)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Error::io("remove", &temporary)(error));
    }
    let outcome = write_archive(dir, engine, files, &temporary, disk)
        .and_then(|info| disk.rename(&temporary, path).map(|()| info));
    match outcome {
        Ok(info) => {
            disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
            Ok(info)
        }
        Err(error) => {
            // The first error is the one to report; a leftover is removed next time.
            let _ = std::fs::remove_file(&temporary);
            Err(error)
        }
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

fn write_archive(
    dir: &Path,
    engine: EngineKind,
    files: &[String],
    temporary: &Path,
    disk: &dyn Disk,
) -> Result<ArchiveInfo> {
    let manifest = read_manifest(dir, engine, files)?;
    let header = encode_header(&manifest)?;
    let fail = |error| Error::io("write", temporary)(error);
    let file = disk.create(temporary)?;
    let out = DiskFile {
        disk,
        path: temporary,
        file,
        len: 0,
    };
    let mut out = BufWriter::with_capacity(tuning::COPY_BUFFER_BYTES, out);
    out.write_all(&header).map_err(fail)?;
    let mut out = CheckedWriter::new(out);
    match manifest.encoding {
        Encoding::Stored => copy_files(dir, &manifest, temporary, &mut out)?,
        Encoding::Zstd => {
            let mut encoder = zstd::Encoder::new(&mut out, tuning::ARCHIVE_LEVEL).map_err(fail)?;
            encoder.include_checksum(true).map_err(fail)?;
            copy_files(dir, &manifest, temporary, &mut encoder)?;
            encoder.finish().map_err(fail)?;
        }
    }
    let (mut out, crc) = out.finish();
    out.write_all(&crc.to_be_bytes()).map_err(fail)?;
    out.flush().map_err(fail)?;
    let out = out.get_ref();
    disk.sync_file(temporary, &out.file)?;
    Ok(ArchiveInfo {
        archive_bytes: out.len,
        payload_bytes: manifest.payload_bytes(),
    })
}

/// A file that is written from its start through a [`Disk`].
struct DiskFile<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    file: File,
    len: u64,
}

impl Write for DiskFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.disk.write_at(self.path, &self.file, bytes, self.len);
        written.map_err(|error| match error {
            // The caller names the path once more.
            Error::Io { source, .. } => std::io::Error::new(source.kind(), source),
            other => std::io::Error::other(other),
        })?;
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Magic, length of the manifest, manifest, its checksum.
fn encode_header(manifest: &Manifest) -> Result<Vec<u8>> {
    let manifest = manifest.encode();
    if manifest.len() > MAX_MANIFEST_BYTES as usize {
        let reason = "its files need a manifest that is too long".to_owned();
        return Err(Error::State {
            action: "pack a store",
            reason,
        });
    }
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&(manifest.len() as u32).to_be_bytes());
    header.extend_from_slice(&manifest);
    header.extend_from_slice(&crc32fast::hash(&manifest).to_be_bytes());
    Ok(header)
}

fn read_manifest(dir: &Path, engine: EngineKind, files: &[String]) -> Result<Manifest> {
    let mut manifest = Manifest {
        engine,
        encoding: Encoding::for_engine(engine),
        entries: Vec::new(),
    };
    for name in files {
        let mut hasher = crc32fast::Hasher::new();
        let len = for_each_block(&dir.join(name), |block| {
            hasher.update(block);
            Ok(())
        })?;
        manifest.add(Entry {
            name: name.clone(),
            len,
            crc: hasher.finalize(),
        })?;
    }
    Ok(manifest)
}

/// Copies the files to `out`, and fails when one is not as it was for the manifest.
fn copy_files(
    dir: &Path,
    manifest: &Manifest,
    temporary: &Path,
    out: &mut impl Write,
) -> Result<()> {
    for entry in &manifest.entries {
        let path = dir.join(&entry.name);
        let len = for_each_block(&path, |block| {
            out.write_all(block).map_err(Error::io("write", temporary))
        })?;
        if len != entry.len {
            let reason = format!("{} changes while it is packed", path.display());
            return Err(Error::State {
                action: "pack a store",
                reason,
            });
        }
    }
    Ok(())
}

/// Reads a plain file block by block, and returns its length.
fn for_each_block(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let metadata = std::fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
    if !metadata.is_file() {
        let reason = format!("{} is no plain file", path.display());
        return Err(Error::State {
            action: "pack a store",
            reason,
        });
    }
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut block = vec![0; tuning::COPY_BUFFER_BYTES];
    let mut total = 0;
    loop {
        let len = file.read(&mut block).map_err(Error::io("read", path))?;
        if len == 0 {
            return Ok(total);
        }
        each(&block[..len])?;
        total += len as u64;
    }
}
