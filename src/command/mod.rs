//! One file a subcommand: each wires flow, driver and edges together and holds no logic.

pub mod ablate;
pub mod clean;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod finalize;
pub mod init;
pub mod ledger_read;
pub mod log;
pub mod man;
pub mod noise;
pub mod profile;
pub mod repair;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod show;
pub mod simulate;
pub mod status;
pub mod r#try;
pub mod watch;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::driver::project::Project;
use crate::edge::repo::Repo;
use crate::error::{Context, Result};
use crate::flow::config::Config;

/// What every command needs to know of the global flags.
#[derive(Debug, Clone)]
pub struct Global {
    /// Where the user stands.
    pub directory: PathBuf,
    /// Whether to be quiet.
    pub quiet: bool,
}

impl Global {
    /// A console as the flags want it.
    pub fn console(&self) -> crate::edge::console::Console {
        use crate::edge::console::{Console, Verbosity};
        Console::new(if self.quiet {
            Verbosity::Quiet
        } else {
            Verbosity::Normal
        })
    }

    /// The ledger to read: the one given, or the project's.
    ///
    /// # Errors
    /// There is no project here, or its config is invalid.
    pub fn ledger_path(&self, file: Option<&Path>) -> Result<PathBuf> {
        if let Some(file) = file {
            return Ok(self.directory.join(file));
        }
        let (_, project, config) = self.project()?;
        Ok(project.ledger(&config))
    }

    /// The project here with its config as it is now.
    ///
    /// # Errors
    /// There is none, or its config is invalid.
    pub fn project(&self) -> Result<(Repo, Project, Config)> {
        let repo = Repo::discover(&self.directory)?;
        let project = Project::find(&repo, &self.directory)?;
        let config = project.config_now()?;
        Ok((repo, project, config))
    }
}

/// JSON for stdout, indented.
pub fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("reports hold finite numbers and string keys only")
}

/// Prints a report, with exactly one newline at its end.
///
/// # Errors
/// As [`printed`].
pub fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    printed(written.and_then(|()| stdout.flush()))
}

/// What became of writing to standard output.
///
/// # Errors
/// It could not be written, but for a reader that went away (`| head`), which is no failure of ours.
pub fn printed(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context(|| "cannot write to standard output".to_owned())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Columns of the terminal, when there is one.
pub fn terminal_width() -> Option<u16> {
    use std::os::fd::AsFd;
    rustix::termios::tcgetwinsize(std::io::stdout().as_fd())
        .ok()
        .map(|size| size.ws_col)
        .filter(|&width| width > 0)
}
