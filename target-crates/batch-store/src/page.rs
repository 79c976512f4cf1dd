//! Pages of a list, and the opaque cursor from one to the next.

use crate::error::{Error, Result};
use crate::table::Family;

/// Rows of a page when the caller asks for 0 or for more.
pub const MAX_PAGE_ROWS: usize = 10_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in key order.
    pub rows: Vec<T>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Cursor>,
}

/// Where a page starts. Opaque: print it, store it, hand it back to the same list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    pub(crate) fn after(family: Family, key: &[u8]) -> Self {
        let mut text = format!("{}.", family.name());
        for byte in key {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    /// A cursor from its text, checked when it is used.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text to hand to another process.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key after which the page starts.
    pub(crate) fn key(&self, family: Family) -> Result<Vec<u8>> {
        let invalid = |reason: &str| Error::InvalidCursor(format!("{reason}: {:?}", self.0));
        let (name, hex) = self
            .0
            .split_once('.')
            .ok_or_else(|| invalid("no list is named"))?;
        if name != family.name() {
            return Err(invalid("it belongs to another list"));
        }
        if hex.len() % 2 != 0 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid("the position is not hexadecimal"));
        }
        let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
        Ok(hex
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect())
    }
}

pub(crate) fn page_rows(limit: usize) -> usize {
    if limit == 0 || limit > MAX_PAGE_ROWS {
        MAX_PAGE_ROWS
    } else {
        limit
    }
}
