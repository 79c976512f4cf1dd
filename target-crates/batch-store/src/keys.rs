//! Order-preserving keys: tuples of strings and integers whose bytes sort as
//! the tuples do, and of which none is a prefix of another.
//!
//! A string is its bytes with `00` written `01 01` and `01` written `01 02`,
//! then a `00`. An unsigned integer is its 8 bytes, most significant first; a
//! signed one the same with the sign bit flipped.

use crate::error::{Error, Result};

/// Builds a key, component by component.
#[derive(Debug, Default, Clone)]
pub struct KeyBuilder {
    bytes: Vec<u8>,
}

impl KeyBuilder {
    /// An empty key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a string.
    #[must_use]
    pub fn str(mut self, value: &str) -> Self {
        append_str(&mut self.bytes, value);
        self
    }

    /// Adds an unsigned integer.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds a signed integer.
    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.u64(value as u64 ^ (1 << 63))
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Appends a string as a key's next component: [`KeyBuilder::str`] into a buffer
/// that the caller has.
pub fn append_str(out: &mut Vec<u8>, value: &str) {
    // Without an early exit, so that the compiler can take many bytes at a time.
    if value.bytes().fold(true, |plain, byte| plain & (byte > 1)) {
        out.extend_from_slice(value.as_bytes());
    } else {
        for &byte in value.as_bytes() {
            match byte {
                0 => out.extend_from_slice(&[1, 1]),
                1 => out.extend_from_slice(&[1, 2]),
                byte => out.push(byte),
            }
        }
    }
    out.push(0);
}

/// Reads a key back, component by component.
#[derive(Debug)]
pub struct KeyReader<'a> {
    table: &'static str,
    bytes: &'a [u8],
}

impl<'a> KeyReader<'a> {
    /// Starts at the front of `bytes`; `table` is for messages.
    #[must_use]
    pub fn new(table: &'static str, bytes: &'a [u8]) -> Self {
        Self { table, bytes }
    }

    fn error(&self, reason: &str) -> Error {
        Error::Decode {
            table: self.table,
            reason: reason.to_owned(),
        }
    }

    /// Reads a string.
    ///
    /// # Errors
    /// When the component has no end, a bad escape, or is not UTF-8.
    pub fn str(&mut self) -> Result<String> {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| self.error("a key component has no end"))?;
        let (mut raw, rest) = (&self.bytes[..end], &self.bytes[end + 1..]);
        self.bytes = rest;
        let mut value = Vec::with_capacity(raw.len());
        while let Some((&byte, tail)) = raw.split_first() {
            raw = tail;
            if byte != 1 {
                value.push(byte);
                continue;
            }
            let (&escape, tail) = raw
                .split_first()
                .ok_or_else(|| self.error("a key escape is cut short"))?;
            raw = tail;
            match escape {
                1 => value.push(0),
                2 => value.push(1),
                _ => return Err(self.error("a key escape is unknown")),
            }
        }
        String::from_utf8(value).map_err(|_| self.error("a key component is not UTF-8"))
    }

    /// Passes over a string and returns its bytes in the key, the final `00`
    /// included: what [`KeyBuilder::str`] would write for it.
    ///
    /// # Errors
    /// When the component has no end.
    pub fn raw_str(&mut self) -> Result<&'a [u8]> {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| self.error("a key component has no end"))?;
        let (raw, rest) = self.bytes.split_at(end + 1);
        self.bytes = rest;
        Ok(raw)
    }

    /// Reads an unsigned integer.
    ///
    /// # Errors
    /// When fewer than 8 bytes are left.
    pub fn u64(&mut self) -> Result<u64> {
        let (head, rest) = self
            .bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| self.error("a key integer is cut short"))?;
        self.bytes = rest;
        Ok(u64::from_be_bytes(*head))
    }

    /// Reads a signed integer.
    ///
    /// # Errors
    /// When fewer than 8 bytes are left.
    pub fn i64(&mut self) -> Result<i64> {
        Ok((self.u64()? ^ (1 << 63)) as i64)
    }

    /// Refuses bytes after the last component.
    ///
    /// # Errors
    /// When there are any.
    pub fn finish(self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.error("bytes follow the key's last component"))
        }
    }
}

/// The smallest key above every key that starts with `prefix`; `None` is no bound.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
