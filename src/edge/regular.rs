//! Opening files that somebody else may have replaced: a named pipe would keep a reader waiting for ever,
//! and a device or a socket holds no file's content.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens a regular file for reading; a link is followed.
///
/// # Errors
/// It cannot be opened, or is of another kind; the error says of which.
pub fn open(path: &Path) -> io::Result<File> {
    // Or to open a pipe would be to wait for its writer. On a regular file it changes nothing.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file whole; a link is followed.
///
/// # Errors
/// As [`open`], or it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// An error unless this is a regular file's.
///
/// # Errors
/// It is of another kind.
pub fn check(metadata: &std::fs::Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {} and not a regular file", name(kind)),
    ))
}

/// What kind of file it is, with its article.
pub fn name(kind: std::fs::FileType) -> &'static str {
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_symlink() {
        "a link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device"
    }
}
