//! Unpacking.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::MAGIC;
use super::manifest::{Encoding, Entry, MAX_MANIFEST_BYTES, Manifest};
use crate::checked::CheckedReader;
use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::tuning;

/// Unpacks an archive into `dir`, which must be new or empty, and says which kind
/// of store it was. Every length, name and checksum is checked; on a refusal
/// nothing is left in `dir`.
///
/// # Errors
/// When the archive is truncated, altered, of another version or hostile.
pub fn unpack(path: &Path, dir: &Path) -> Result<EngineKind> {
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
    let outcome = Unpacker { path, dir }.unpack(&mut written);
    if outcome.is_err() {
        for file in written {
            // The refusal is the error to report.
            let _ = std::fs::remove_file(file);
        }
    }
    outcome
}

type Input = BufReader<File>;

struct Unpacker<'a> {
    path: &'a Path,
    dir: &'a Path,
}

impl Unpacker<'_> {
    fn refuse(&self, reason: &str) -> Error {
        Error::Archive {
            path: self.path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn unpack(&self, written: &mut Vec<PathBuf>) -> Result<EngineKind> {
        let file = File::open(self.path).map_err(Error::io("open", self.path))?;
        let len = file.metadata().map_err(Error::io("look at", self.path))?;
        let mut input = BufReader::with_capacity(tuning::COPY_BUFFER_BYTES, file);
        let (manifest, header_len) = self.read_manifest(&mut input)?;
        let payload = CheckedReader::new(input);
        let rest = match manifest.encoding {
            Encoding::Stored => {
                let expected = header_len + manifest.payload_bytes() + 4;
                if len.len() != expected {
                    return Err(self.refuse("it is longer or shorter than its manifest says"));
                }
                let mut payload = payload;
                self.write_files(&manifest.entries, &mut payload, written)?;
                payload
            }
            Encoding::Zstd => self.unpack_frame(&manifest.entries, payload, written)?,
        };
        self.check_end(rest)?;
        Ok(manifest.engine)
    }

    fn unpack_frame(
        &self,
        entries: &[Entry],
        payload: CheckedReader<Input>,
        written: &mut Vec<PathBuf>,
    ) -> Result<CheckedReader<Input>> {
        let decoder = zstd::Decoder::with_buffer(payload)
            .map_err(|_| self.refuse("the payload cannot be decoded"))?;
        let mut decoder = decoder.single_frame();
        self.write_files(entries, &mut decoder, written)?;
        match decoder.read(&mut [0]) {
            Ok(0) => Ok(decoder.finish()),
            Ok(_) => Err(self.refuse("the payload is longer than the manifest says")),
            Err(_) => Err(self.refuse("the payload is damaged")),
        }
    }

    fn write_files(
        &self,
        entries: &[Entry],
        payload: &mut impl Read,
        written: &mut Vec<PathBuf>,
    ) -> Result<()> {
        let mut block = vec![0; tuning::COPY_BUFFER_BYTES];
        for entry in entries {
            let target = self.dir.join(&entry.name);
            // Never through a link: the name must be new.
            let mut out = File::create_new(&target).map_err(Error::io("create", &target))?;
            written.push(target.clone());
            let mut hasher = crc32fast::Hasher::new();
            let mut left = entry.len;
            while left > 0 {
                let want = left.min(block.len() as u64) as usize;
                let len = payload
                    .read(&mut block[..want])
                    .map_err(|_| self.refuse("the payload is damaged"))?;
                if len == 0 {
                    return Err(self.refuse("the payload is cut short"));
                }
                hasher.update(&block[..len]);
                out.write_all(&block[..len])
                    .map_err(Error::io("write", &target))?;
                left -= len as u64;
            }
            if hasher.finalize() != entry.crc {
                return Err(self.refuse("a file's checksum does not match"));
            }
        }
        Ok(())
    }

    /// The payload's checksum, and nothing after it. A frame's own checksum covers
    /// what it decodes to, not each bit of its headers.
    fn check_end(&self, payload: CheckedReader<Input>) -> Result<()> {
        let (mut rest, found) = payload.finish();
        let mut crc = [0; 4];
        rest.read_exact(&mut crc)
            .map_err(|_| self.refuse("the payload's checksum is missing"))?;
        if u32::from_be_bytes(crc) != found {
            return Err(self.refuse("the payload's checksum does not match"));
        }
        match rest.read(&mut [0]).map_err(Error::io("read", self.path))? {
            0 => Ok(()),
            _ => Err(self.refuse("bytes follow the payload")),
        }
    }

    /// The manifest, and where the payload starts.
    fn read_manifest(&self, input: &mut impl Read) -> Result<(Manifest, u64)> {
        let mut head = [0; 9];
        input
            .read_exact(&mut head)
            .map_err(|_| self.refuse("it is shorter than its header"))?;
        if head[..5] != MAGIC[..] {
            return Err(self.refuse("it does not start with the magic bytes"));
        }
        let len = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        if len > MAX_MANIFEST_BYTES {
            return Err(self.refuse("its manifest is too long"));
        }
        let mut manifest = vec![0; len as usize];
        let mut crc = [0; 4];
        let mut read = |bytes: &mut [u8]| {
            let outcome = input.read_exact(bytes);
            outcome.map_err(|_| self.refuse("its manifest is cut short"))
        };
        read(&mut manifest)?;
        read(&mut crc)?;
        if crc32fast::hash(&manifest) != u32::from_be_bytes(crc) {
            return Err(self.refuse("its manifest's checksum does not match"));
        }
        let decoded = Manifest::decode(&manifest).map_err(|error| match error {
            Error::Decode { reason, .. } => self.refuse(&reason),
            other => other,
        })?;
        Ok((decoded, 9 + u64::from(len) + 4))
    }
}
