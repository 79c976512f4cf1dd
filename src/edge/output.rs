//! Files that a command writes for its user.

use std::path::Path;

use super::fault;
use crate::error::{Context, Result};

/// Writes a file and the directories on the way to it. What cannot be written whole is not there
/// afterwards; a file of that name is replaced.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).context(context)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let written = fault::space_for("file-write")
        .and_then(|()| std::fs::write(&temporary, content))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        std::fs::remove_file(&temporary).ok();
    }
    written.context(context)
}
