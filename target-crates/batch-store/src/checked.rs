//! A reader and a writer that know the CRC-32 of what went through them.

use std::io::{BufRead, Read, Result, Write};

use crc32fast::Hasher;

/// Hashes what is consumed, and nothing that is merely buffered.
#[derive(Debug)]
pub(crate) struct CheckedReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: BufRead> CheckedReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::new(),
        }
    }

    pub(crate) fn finish(self) -> (R, u32) {
        (self.inner, self.hasher.finalize())
    }
}

impl<R: BufRead> Read for CheckedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..len]);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for CheckedReader<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed is buffered already, so this reads nothing and cannot fail.
        if let Ok(buffer) = self.inner.fill_buf() {
            self.hasher.update(&buffer[..amount]);
        }
        self.inner.consume(amount);
    }
}

/// Hashes what is written.
#[derive(Debug)]
pub(crate) struct CheckedWriter<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> CheckedWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Hasher::new(),
        }
    }

    pub(crate) fn finish(self) -> (W, u32) {
        (self.inner, self.hasher.finalize())
    }
}

impl<W: Write> Write for CheckedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}
