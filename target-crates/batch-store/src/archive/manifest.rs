//! The manifest: what is in the archive, and how.

use crate::codec::{Decoder, Encoder};
use crate::engine::EngineKind;
use crate::error::{Error, Result};

/// Longest manifest that is read, and written.
pub const MAX_MANIFEST_BYTES: u32 = 64 * 1024;
/// Largest file that is packed and unpacked.
pub const MAX_FILE_BYTES: u64 = 4 << 30;
const SCHEMA_VERSION: u64 = 1;

/// How the payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// One zstd frame.
    Zstd,
    /// As it is: for files that are compressed already.
    Stored,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Stored => "stored",
        }
    }

    /// The one that an engine's files are packed with.
    pub(super) fn for_engine(engine: EngineKind) -> Self {
        if engine.is_compressed() {
            Self::Stored
        } else {
            Self::Zstd
        }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) len: u64,
    pub(super) crc: u32,
}

#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) engine: EngineKind,
    pub(super) encoding: Encoding,
    pub(super) entries: Vec<Entry>,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.str(self.engine.name())
            .u64(SCHEMA_VERSION)
            .str(self.encoding.name())
            .u64(self.entries.len() as u64);
        for entry in &self.entries {
            out.str(&entry.name).u64(entry.len).u64(entry.crc.into());
        }
        out.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut input = Decoder::new("manifest", bytes);
        let (engine, version, encoding) = (input.string()?, input.u64()?, input.string()?);
        let known = [Encoding::Zstd, Encoding::Stored];
        let kind = EngineKind::named(&engine);
        let found = known.into_iter().find(|known| known.name() == encoding);
        let (Some(kind), SCHEMA_VERSION, Some(found)) = (kind, version, found) else {
            return Err(unfit(format!(
                "it is {engine} version {version} in {encoding}, which this version cannot read"
            )));
        };
        let count = input.u64()?;
        let mut manifest = Self {
            engine: kind,
            encoding: found,
            entries: Vec::new(),
        };
        for _ in 0..count {
            let entry = Entry {
                name: input.string()?,
                len: input.u64()?,
                crc: input.u32()?,
            };
            manifest.add(entry)?;
        }
        input.finish()?;
        Ok(manifest)
    }

    /// Adds an entry that is allowed: plainly named, once, and not too large.
    pub(super) fn add(&mut self, entry: Entry) -> Result<()> {
        let Entry { name, len, .. } = &entry;
        if !is_plain_name(name) || self.entries.iter().any(|other| other.name == *name) {
            return Err(unfit(format!("the file name {name:?} is not allowed")));
        }
        if *len > MAX_FILE_BYTES {
            return Err(unfit(format!("the file {name:?} is too large")));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Bytes of all files.
    pub(super) fn payload_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.len).sum()
    }
}

fn unfit(reason: String) -> Error {
    Error::Decode {
        table: "manifest",
        reason,
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
