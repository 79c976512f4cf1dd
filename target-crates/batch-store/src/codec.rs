//! The byte formats of values: little-endian base-128 integers and
//! length-prefixed strings, in a fixed field order per record.

use crate::error::{Error, Result};

/// Builds one value.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes after what `bytes` holds; [`Encoder::finish`] gives them back.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(crate) fn u64(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }

    /// Zigzag, so that small negative numbers stay short.
    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.u64(((value << 1) ^ (value >> 63)) as u64)
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u64(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    pub(crate) fn str(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.u64(u64::from(value))
    }

    pub(crate) fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads one value; every read checks its bounds.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    table: &'static str,
    bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(table: &'static str, bytes: &'a [u8]) -> Self {
        Self { table, bytes }
    }

    fn error(&self, reason: &str) -> Error {
        Error::Decode {
            table: self.table,
            reason: reason.to_owned(),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self
                .bytes
                .split_first()
                .ok_or_else(|| self.error("an integer is cut short"))?;
            self.bytes = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error("an integer is too long"))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        let raw = self.u64()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        u32::try_from(self.u64()?).map_err(|_| self.error("an integer is out of range"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.u64()?;
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= self.bytes.len());
        let (value, rest) = self
            .bytes
            .split_at(len.ok_or_else(|| self.error("a field is cut short"))?);
        self.bytes = rest;
        Ok(value)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.error("a string is not UTF-8"))
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        Ok(self.str()?.to_owned())
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        match self.u64()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Refuses bytes after the last field.
    pub(crate) fn finish(self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.error("bytes follow the last field"))
        }
    }
}
