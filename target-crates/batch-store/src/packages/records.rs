//! The package index's record and its format.

use std::collections::BTreeMap;

use crate::codec::{Decoder, Encoder};
use crate::error::{Error, Result};
use crate::table::{Family, Layout, Record};

/// The physical table. Rowid, because rows of about 1 KB and more would leave
/// a clustered tree for overflow pages.
pub const PACKAGE_INDEX: Family = Family::new("package_index", Layout::Rowid);

/// One file of a package, as the content-addressed store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Digest of the contents: lower-case hexadecimal, an even number of digits.
    pub digest: String,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// When the contents were last verified, in milliseconds since 1970.
    pub checked_at_ms: Option<u64>,
}

/// What a build step changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SideEffects {
    /// Files that it wrote, by path.
    pub added: Option<BTreeMap<String, FileInfo>>,
    /// Paths that it removed.
    pub deleted: Option<Vec<String>>,
}

/// The files of one package. Maps are sorted, so equal values give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFiles {
    /// The package's manifest, as JSON text.
    pub manifest: Option<String>,
    /// Whether it must be built after unpacking.
    pub requires_build: Option<bool>,
    /// The digests' algorithm: "sha512".
    pub algo: String,
    /// The files, by path.
    pub files: BTreeMap<String, FileInfo>,
    /// What builds changed, by platform.
    pub side_effects: Option<BTreeMap<String, SideEffects>>,
}

/// The key of a package from a registry.
#[must_use]
pub fn integrity_key(integrity: &str, package_id: &str) -> String {
    format!("{integrity}\t{package_id}")
}

/// The key of a package from git, or from a tarball without integrity.
#[must_use]
pub fn git_key(package_id: &str, built: bool) -> String {
    format!(
        "{package_id}\t{}",
        if built { "built" } else { "not-built" }
    )
}

/// A row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// [`integrity_key`] or [`git_key`].
    pub key: String,
    /// The package's files.
    pub files: PackageFiles,
}

fn write_files(out: &mut Encoder, record: &str, files: &BTreeMap<String, FileInfo>) -> Result<()> {
    out.u64(files.len() as u64);
    for (path, file) in files {
        out.str(path)
            .bytes(&digest_bytes(record, path, &file.digest)?);
        out.u64(file.mode.into()).u64(file.size);
        out.option(file.checked_at_ms, |out, at| {
            out.u64(at);
        });
    }
    Ok(())
}

fn digest_bytes(record: &str, path: &str, hex: &str) -> Result<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
        .collect();
    bytes.ok_or_else(|| Error::Encode {
        record: record.to_owned(),
        reason: format!("the digest of {path:?} is not lower-case hexadecimal"),
    })
}

fn read_files(input: &mut Decoder<'_>) -> Result<BTreeMap<String, FileInfo>> {
    let count = input.u64()?;
    let mut files = BTreeMap::new();
    for _ in 0..count {
        let path = input.string()?;
        let mut digest = String::new();
        for byte in input.bytes()? {
            digest.push_str(&format!("{byte:02x}"));
        }
        let (mode, size) = (input.u32()?, input.u64()?);
        let checked_at_ms = input.option(Decoder::u64)?;
        files.insert(
            path,
            FileInfo {
                digest,
                mode,
                size,
                checked_at_ms,
            },
        );
    }
    Ok(files)
}

fn read_side_effects(input: &mut Decoder<'_>) -> Result<BTreeMap<String, SideEffects>> {
    let count = input.u64()?;
    let mut all = BTreeMap::new();
    for _ in 0..count {
        let platform = input.string()?;
        let added = input.option(read_files)?;
        let deleted = input.option(|input| {
            let count = input.u64()?;
            (0..count)
                .map(|_| input.string())
                .collect::<Result<Vec<_>>>()
        })?;
        all.insert(platform, SideEffects { added, deleted });
    }
    Ok(all)
}

impl Record for PackageRow {
    const PRIMARY: Family = PACKAGE_INDEX;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        self.key.clone().into_bytes()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::new();
        let files = &self.files;
        out.option(files.manifest.as_ref(), |out, manifest| {
            out.str(manifest);
        });
        out.option(files.requires_build, |out, flag| {
            out.bool(flag);
        });
        out.str(&files.algo);
        write_files(&mut out, &self.key, &files.files)?;
        out.bool(files.side_effects.is_some());
        if let Some(effects) = &files.side_effects {
            out.u64(effects.len() as u64);
            for (platform, effect) in effects {
                out.str(platform).bool(effect.added.is_some());
                if let Some(added) = &effect.added {
                    write_files(&mut out, &self.key, added)?;
                }
                out.option(effect.deleted.as_ref(), |out, deleted| {
                    out.u64(deleted.len() as u64);
                    for path in deleted {
                        out.str(path);
                    }
                });
            }
        }
        Ok(out.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut input = Decoder::new(PACKAGE_INDEX.name(), value);
        let files = PackageFiles {
            manifest: input.option(Decoder::string)?,
            requires_build: input.option(Decoder::bool)?,
            algo: input.string()?,
            files: read_files(&mut input)?,
            side_effects: input.option(read_side_effects)?,
        };
        input.finish()?;
        let key = String::from_utf8(key.to_vec()).map_err(|_| Error::Decode {
            table: PACKAGE_INDEX.name(),
            reason: "the key is not UTF-8".to_owned(),
        })?;
        Ok(Self { key, files })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
