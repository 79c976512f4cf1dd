//! A file that is the result of a command: written beside its place and moved there when complete.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Context, Result};

/// Writes the whole file, or leaves what was there.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .context(context)?;
    file.write_all(text.as_bytes()).context(context)?;
    file.persist(path)
        .map_err(|error| error.error)
        .context(context)?;
    Ok(())
}
