//! The ledger line that stands in for damaged ones.

use serde::{Deserialize, Serialize};

/// Lines that `autoresearch repair` took out, or whose absence it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairLine {
    /// Always `repair`.
    #[serde(rename = "type")]
    pub kind: RepairTag,
    /// The format's version.
    pub format: u32,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// Name of the file that keeps the ledger as it was, beside the ledger.
    pub file: String,
    /// Number, in that file, of the first line taken out.
    pub line: u64,
    /// Lines taken out; 0 where lines were missing already.
    pub lines: u64,
    /// SHA-256 of what was taken out, hexadecimal.
    pub sha256: String,
    /// What was wrong with the first of them.
    pub reason: String,
    /// Number that the next run has.
    pub next_run: u64,
    /// Index that the next session has.
    pub next_segment: u32,
    /// SHA-256 of the line that follows, which the hash chain goes on with; absent when none followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The `type` of a [`RepairLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepairTag {
    /// `repair`.
    #[serde(rename = "repair")]
    Repair,
}
