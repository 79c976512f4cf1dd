//! A row of the artifact index and its bytes.

use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::error::{Error, Result};
use crate::table::{Family, Layout, Record};

/// The physical table.
pub const ARTIFACTS: Family = Family::new("artifacts", Layout::Rowid);

/// Version of a row's bytes, at their front. Version 1 has the fields below in
/// their order; a later version may add to them, and must go on reading this one.
const ROW_VERSION: u64 = 1;

/// A digest of an artifact's inputs: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactKey([u8; 32]);

impl ArtifactKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key from its text.
    ///
    /// # Errors
    /// When that is not 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let pairs = text.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
            .collect();
        let bytes = bytes.filter(|_| text.len() == 64);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| Error::Encode {
            record: format!("{text:?}"),
            reason: "an artifact's key is 64 lower-case hexadecimal digits".to_owned(),
        })
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ArtifactKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArtifactKey({self})")
    }
}

/// What is known about one artifact. A clone shares the payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactIndex {
    /// Names of the files it consists of.
    pub output_names: Arc<[String]>,
    /// Their sizes in bytes, in the same order.
    pub output_sizes: Arc<[u64]>,
    /// What the compiler printed.
    pub stdout: Arc<[u8]>,
    /// What it printed as diagnostics.
    pub stderr: Arc<[u8]>,
    /// Its exit code.
    pub exit_code: i32,
    /// Size of everything stored for the artifact, in bytes.
    pub total_size: u64,
    /// When it was stored or last touched, in seconds since 1970.
    pub stored_at_secs: u64,
}

/// A row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRow {
    /// The artifact's key.
    pub key: ArtifactKey,
    /// What is known about it.
    pub index: ArtifactIndex,
}

fn decode_error(reason: String) -> Error {
    Error::Decode {
        table: ARTIFACTS.name(),
        reason,
    }
}

impl Record for ArtifactRow {
    const PRIMARY: Family = ARTIFACTS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        self.key.0.to_vec()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let index = &self.index;
        if index.output_names.len() != index.output_sizes.len() {
            return Err(Error::Encode {
                record: self.key.to_string(),
                reason: format!(
                    "it has {} output names and {} sizes",
                    index.output_names.len(),
                    index.output_sizes.len()
                ),
            });
        }
        let mut out = Encoder::new();
        out.u64(ROW_VERSION).u64(index.output_names.len() as u64);
        for (name, size) in index.output_names.iter().zip(index.output_sizes.iter()) {
            out.str(name).u64(*size);
        }
        out.bytes(&index.stdout).bytes(&index.stderr);
        out.i64(index.exit_code.into());
        out.u64(index.total_size).u64(index.stored_at_secs);
        Ok(out.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let key = key
            .try_into()
            .map_err(|_| decode_error("the key is not 32 bytes".to_owned()))?;
        let mut input = Decoder::new(ARTIFACTS.name(), value);
        let version = input.u64()?;
        if version != ROW_VERSION {
            let reason = format!("it has version {version}, and {ROW_VERSION} is the newest known");
            return Err(decode_error(reason));
        }
        let (mut names, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..input.u64()? {
            names.push(input.string()?);
            sizes.push(input.u64()?);
        }
        let (stdout, stderr) = (input.bytes()?.into(), input.bytes()?.into());
        let exit_code = i32::try_from(input.i64()?)
            .map_err(|_| decode_error("the exit code is out of range".to_owned()))?;
        let index = ArtifactIndex {
            output_names: names.into(),
            output_sizes: sizes.into(),
            stdout,
            stderr,
            exit_code,
            total_size: input.u64()?,
            stored_at_secs: input.u64()?,
        };
        input.finish()?;
        let key = ArtifactKey(key);
        Ok(Self { key, index })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
