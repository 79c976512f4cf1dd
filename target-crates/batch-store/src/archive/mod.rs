//! The archive: a finished store in one file.
//!
//! | bytes | what |
//! |---|---|
//! | 5 | magic `BSAR1` |
//! | 4 | length of the manifest, big-endian, at most [`MAX_MANIFEST_BYTES`] |
//! | n | manifest: engine, schema version, payload encoding, then name, length and CRC-32 of each file |
//! | 4 | CRC-32 of the manifest, big-endian |
//! | m | payload: the files, one after the other; in the encoding `zstd` as one frame with a checksum, in `stored` as they are |
//! | 4 | CRC-32 of the payload's bytes, big-endian |

mod manifest;
mod pack;
mod unpack;

pub use manifest::{MAX_FILE_BYTES, MAX_MANIFEST_BYTES};
pub use pack::pack;
pub use unpack::unpack;

const MAGIC: &[u8; 5] = b"BSAR1";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
    /// Size of its files in bytes.
    pub payload_bytes: u64,
}
