//! Counting instructions: the script under valgrind's cachegrind, with every program it starts.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Context, Error, Result};

/// Where the processes of one counted execution write their counts, a file each.
#[derive(Debug)]
pub struct Counts(TempDir);

/// Makes sure that valgrind can be started.
///
/// # Errors
/// No directory in `PATH` has it.
pub fn check() -> Result<()> {
    if super::child_env::has_program("valgrind") {
        return Ok(());
    }
    Err(
        Error::environment("`driver.instructions` needs valgrind, which is not in PATH").hint(
            "install it (`apt-get install valgrind`), or take another metric, such as driver.cpu_ms",
        ),
    )
}

impl Counts {
    /// An empty directory below `parent`.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn new(parent: &Path) -> Result<Self> {
        TempDir::with_prefix_in("cachegrind-", parent)
            .map(Self)
            .context(|| format!("cannot create a directory in {}", parent.display()))
    }

    /// Where the counts are written.
    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    /// The command that runs `command` and counts.
    pub fn command(&self, command: &[String]) -> Vec<String> {
        let file = |name: &str| self.0.path().join(name).display().to_string();
        [
            "valgrind".to_owned(),
            "--tool=cachegrind".to_owned(),
            "--cache-sim=no".to_owned(),
            "--trace-children=yes".to_owned(),
            format!("--cachegrind-out-file={}", file("counts.%p")),
            // Not into the script's output.
            format!("--log-file={}", file("log.%p")),
        ]
        .into_iter()
        .chain(command.iter().cloned())
        .collect()
    }

    /// Instructions executed by all processes together.
    ///
    /// # Errors
    /// A file cannot be read or has no total, or there is none.
    pub fn total(&self) -> Result<u64> {
        let directory = self.0.path();
        let context = || format!("cannot read {}", directory.display());
        let mut total: Option<u64> = None;
        for entry in fs::read_dir(directory).context(context)? {
            let entry = entry.context(context)?;
            let path = entry.path();
            // What was counted could have put a pipe there.
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let is_counts = is_file
                && path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("counts."));
            if is_counts {
                total = Some(total.unwrap_or(0) + instructions(&path)?);
            }
        }
        total.ok_or_else(|| {
            Error::environment("valgrind counted nothing").hint("does `valgrind true` work here?")
        })
    }
}

/// The total of one process's file.
fn instructions(path: &PathBuf) -> Result<u64> {
    let text = fs::read(path).context(|| format!("cannot read {}", path.display()))?;
    parse_total(&String::from_utf8_lossy(&text)).ok_or_else(|| {
        Error::environment(format!(
            "{} is no output of cachegrind's: it counts no `Ir` or has no summary",
            path.display()
        ))
    })
}

/// `events: Ir ...` and `summary: N ...`: the first event's total.
fn parse_total(text: &str) -> Option<u64> {
    let field = |key: &str| text.lines().rev().find_map(|line| line.strip_prefix(key));
    let first_event = field("events:")?.split_whitespace().next()?;
    let total = field("summary:")?.split_whitespace().next()?;
    (first_event == "Ir").then(|| total.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_that_of_the_instructions() {
        let text =
            "desc: I1 cache:\ncmd: ./a\nevents: Ir\nfl=a.c\nfn=main\n1 7\nsummary: 1234567\n";
        assert_eq!(parse_total(text), Some(1_234_567));
        let with_caches = "events: Ir I1mr ILmr\nsummary: 42 7 8\n";
        assert_eq!(parse_total(with_caches), Some(42));
        for bad in [
            "",
            "events: Ir\n",
            "summary: 3\n",
            "events: Dr Ir\nsummary: 1 2\n",
            "events: Ir\nsummary: x\n",
        ] {
            assert_eq!(parse_total(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_counts_of_all_processes_are_added_and_nothing_is_an_error() {
        let parent = TempDir::new().unwrap();
        let counts = Counts::new(parent.path()).unwrap();
        assert!(counts.total().is_err());
        let write = |name: &str, text: &str| fs::write(counts.0.path().join(name), text).unwrap();
        write("log.1", "==1== Cachegrind");
        write("counts.1", "events: Ir\nsummary: 30\n");
        write("counts.2", "events: Ir\nsummary: 12\n");
        assert_eq!(counts.total().unwrap(), 42);
        write("counts.3", "events: Ir\n");
        assert!(
            counts.total().is_err(),
            "a process that was killed while counting"
        );
    }
}
