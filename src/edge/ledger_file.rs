//! The ledger on disk: appended under the session lock, one fsync a line.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{fault, regular};
use crate::error::{Context, Error, Result};
use crate::flow::ledger::chain::Chain;
use crate::flow::record::Line;

/// The ledger of one project.
#[derive(Debug)]
pub struct LedgerFile {
    path: PathBuf,
    /// Length we left it with, to notice when somebody else changed it.
    length: u64,
    chain: Chain,
}

impl LedgerFile {
    /// Opens the ledger for appending; the file need not exist.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let length = match std::fs::metadata(path) {
            Ok(metadata) => {
                regular::check(&metadata).context(|| format!("cannot read {}", path.display()))?;
                metadata.len()
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error).context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self {
            path: path.to_owned(),
            length,
            chain: Chain::default(),
        })
    }

    /// Goes on with the chain as the file's last line left it.
    pub fn go_on_with(&mut self, chain: Chain) {
        self.chain = chain;
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its whole content; empty when there is no file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<Vec<u8>> {
        match regular::read(path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Cuts a torn last line, which a kill in the middle of a write leaves; says how many bytes.
    /// The bytes are kept beside the file, with `.torn` at the end of its name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn cut_torn_tail(&mut self, bytes: u64) -> Result<()> {
        let context = || format!("cannot repair {}", self.path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .context(context)?;
        let length = file.metadata().context(context)?.len();
        let keep = length.saturating_sub(bytes);
        let mut torn = Vec::new();
        file.seek(SeekFrom::Start(keep)).context(context)?;
        file.read_to_end(&mut torn).context(context)?;
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".torn");
        let mut aside = OpenOptions::new()
            .create(true)
            .append(true)
            .open(aside)
            .context(context)?;
        fault::space_for("torn-write")
            .and_then(|()| aside.write_all(&torn))
            .and_then(|()| aside.write_all(b"\n"))
            .context(context)?;
        aside.sync_all().context(context)?;
        file.set_len(keep).context(context)?;
        file.sync_all().context(context)?;
        self.length = keep;
        Ok(())
    }

    /// Appends one line and makes it durable.
    ///
    /// # Errors
    /// The file changed under us, or cannot be written; a line written in part is cut again.
    pub fn append(&mut self, line: &Line) -> Result<()> {
        let context = || format!("cannot append to {}", self.path.display());
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&self.path)
            .context(context)?;
        let length = file.metadata().context(context)?.len();
        if length != self.length {
            return Err(Error::environment(format!(
                "{} was changed while the loop ran: it has {length} bytes and had {}",
                self.path.display(),
                self.length
            ))
            .hint("nothing was written; run again to go on from the file as it is now"));
        }
        let mut chain = self.chain.clone();
        let mut text = chain.link(&line.encode());
        text.push('\n');
        if length > 0 && !ends_with_newline(&mut file).context(context)? {
            text.insert(0, '\n');
        }
        let (half, rest) = text.as_bytes().split_at(text.len() / 2);
        let written = fault::space_for("ledger-append")
            .and_then(|()| file.write_all(half))
            .inspect(|()| fault::reached("ledger-half-written"))
            .and_then(|()| file.write_all(rest))
            .and_then(|()| file.sync_data());
        if let Err(error) = written {
            file.set_len(length).ok();
            return Err(error).context(context);
        }
        if length == 0 {
            sync_parent(&self.path);
        }
        self.length = length + text.len() as u64;
        self.chain = chain;
        Ok(())
    }
}

fn ends_with_newline(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Makes a new directory entry durable. Not every file system can; then nothing is lost but speed.
pub fn sync_parent(path: &Path) {
    if let Some(parent) = path.parent()
        && let Ok(directory) = File::open(parent)
    {
        directory.sync_all().ok();
    }
}

/// Replaces a small text file: temporary file beside it, fsync, rename, directory fsync. A link is
/// followed.
///
/// # Errors
/// It cannot be written; the old file is then untouched.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let target = path.canonicalize().context(context)?;
    let steps = ["tick-write", "tick-half-written"];
    write_beside(&target, &target, text.as_bytes(), steps).context(context)
}

/// Where a damaged ledger is kept: the ledger's name with `.damaged-` and the lowest number that no
/// file has, or whose file has these bytes already.
///
/// # Errors
/// A file cannot be read.
pub fn name_for_original(path: &Path, original: &[u8]) -> Result<PathBuf> {
    let target = path
        .canonicalize()
        .context(|| format!("cannot find {}", path.display()))?;
    for number in 1_u32.. {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".damaged-{number}"));
        let kept = target.with_file_name(name);
        if kept.symlink_metadata().is_err() || LedgerFile::read(&kept)? == original {
            return Ok(kept);
        }
    }
    Err(Error::environment("every number is taken"))
}

/// Puts a repaired ledger in the place of the damaged one, which is first copied to `kept`. The caller
/// holds the session lock. A kill leaves the damaged ledger or the repaired one, never less.
///
/// # Errors
/// Something cannot be written; the ledger is then untouched.
pub fn put_repaired(path: &Path, original: &[u8], kept: &Path, repaired: &[u8]) -> Result<()> {
    let context = || format!("cannot repair {}", path.display());
    let target = path.canonicalize().context(context)?;
    if kept.symlink_metadata().is_err() {
        let steps = ["original-copy", "original-kept"];
        write_beside(&target, kept, original, steps)
            .context(|| format!("cannot write {}", kept.display()))?;
    }
    let steps = ["repair-write", "repair-half-written"];
    write_beside(&target, &target, repaired, steps).context(context)
}

/// Writes a file with the permissions of `like`: temporary file beside that, fsync, rename, directory
/// fsync. `steps` are the names of the write and of what comes after it.
fn write_beside(
    like: &Path,
    target: &Path,
    content: &[u8],
    steps: [&'static str; 2],
) -> std::io::Result<()> {
    let permissions = std::fs::metadata(like)?.permissions();
    let temporary = temporary_beside(like);
    let mut file = File::create(&temporary)?;
    let written = fault::space_for(steps[0])
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.set_permissions(permissions))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        std::fs::remove_file(&temporary).ok();
        return Err(error);
    }
    fault::reached(steps[1]);
    std::fs::rename(&temporary, target)?;
    sync_parent(target);
    Ok(())
}

/// One name for every attempt, so that a kill leaves at most one file, which the next run removes.
fn temporary_beside(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(TEMPORARY_SUFFIX);
    target.with_file_name(name)
}

/// How a temporary file ends.
pub const TEMPORARY_SUFFIX: &str = ".autoresearch-tmp";

/// Removes what a kill in the middle of [`replace`] or [`put_repaired`] left.
pub fn remove_leftover(path: &Path) {
    if let Ok(target) = path.canonicalize() {
        std::fs::remove_file(temporary_beside(&target)).ok();
    }
}
