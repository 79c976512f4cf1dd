//! Files that a command writes for its user.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fault;
use crate::error::{Context, Error, Result};

/// Writes a file in a directory that exists. What cannot be written whole is not there afterwards; a
/// file of that name is replaced, a link followed, and a device or fifo written to.
///
/// # Errors
/// Its directory does not exist, or it cannot be written.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            let mut target = File::options().write(true).open(path).context(context)?;
            return target.write_all(content).context(context);
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context(context);
        }
        Ok(_) | Err(_) => {}
    }
    let target = followed(path);
    let directory = target.parent().unwrap_or(Path::new("/"));
    if !directory.as_os_str().is_empty() && !directory.is_dir() {
        let directory = directory.display();
        return Err(
            Error::usage(format!("{}: there is no directory {directory}", context()))
                .hint(format!("`mkdir -p {directory}`, or correct the path")),
        );
    }
    replace(&target, content).context(context)
}

/// The same in a directory that is made when it is not there.
///
/// # Errors
/// The directory cannot be made, or the file not be written.
pub fn write_in(directory: &Path, name: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    let path = directory.join(name);
    std::fs::create_dir_all(directory).context(|| format!("cannot write {}", path.display()))?;
    write(&path, content)
}

/// Where the links at a path end; it has no circle.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(target) = std::fs::read_link(&path) {
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    path
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    fault::space_for("file-write")?;
    // Of a name that no file has; gone again unless it gets the name that was asked for.
    let mut file = tempfile::Builder::new()
        // Less what the umask takes away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(path.parent().unwrap_or(Path::new("/")))
        // It would tell a name that nobody has heard of.
        .map_err(|error| io::Error::from(error.kind()))?;
    if let Ok(there) = std::fs::metadata(path) {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().display().to_string())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_no_regular_file_is_written_to_and_stays_what_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a fifo");
        // Open at both ends, nobody waits.
        let mut reader = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("it opens");
        write(&path, b"page").expect("it is written");
        assert!(path.metadata().expect("it is there").file_type().is_fifo());
        assert_eq!(names(directory.path()), ["fifo"]);
        let mut read = [0; 4];
        reader.read_exact(&mut read).expect("something to read");
        assert_eq!(&read, b"page");
    }

    #[test]
    fn a_link_is_followed_also_to_a_file_that_is_not_there_yet() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("far")).expect("a directory");
        symlink("far/file", at("near")).expect("a link");
        symlink("near", at("nearer")).expect("a link");
        for content in ["one", "two"] {
            write(&at("nearer"), content.as_bytes()).expect("it is written");
            assert!(at("near").is_symlink() && at("nearer").is_symlink());
            assert_eq!(
                std::fs::read_to_string(at("far/file")).expect("it is there"),
                content
            );
        }
        symlink("circle", at("circle")).expect("a link");
        write(&at("circle"), b"x").expect_err("it has no end");
        assert!(at("circle").is_symlink());
    }

    #[test]
    fn nothing_else_in_the_directory_is_touched_and_the_mode_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        for name in ["page", "page.new", ".page"] {
            std::fs::write(at(name), name).expect("it is written");
        }
        let mode = Permissions::from_mode(0o662);
        std::fs::set_permissions(at("page"), mode).expect("it is ours");
        write(&at("page"), b"new").expect("it is written");
        write(&at("other"), b"new").expect("it is written");
        let mode_of = |name: &str| at(name).metadata().expect("it is there").mode() & 0o777;
        assert_eq!(
            (mode_of("page"), mode_of("other")),
            (0o662, mode_of("page.new"))
        );
        assert_eq!(
            names(directory.path()),
            [".page", "other", "page", "page.new"]
        );
        for name in [".page", "page.new"] {
            assert_eq!(
                std::fs::read_to_string(at(name)).expect("it is there"),
                name
            );
        }
    }

    #[test]
    fn a_directory_is_made_only_where_one_was_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = directory.path().join("a/b");
        let error = write(&missing.join("file"), b"x").expect_err("no directory");
        let told = error.render();
        let named = format!("there is no directory {}\n", missing.display());
        assert!(told.contains(&named) && told.contains("mkdir -p"), "{told}");
        assert_eq!(names(directory.path()), [""; 0]);
        write(directory.path(), b"x").expect_err("a directory is no file");
        write_in(&missing, "file", b"x").expect("it is made");
        assert_eq!(names(&missing), ["file"]);
    }
}
