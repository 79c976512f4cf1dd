//! What keeps children in: bubblewrap, else Landlock.
//!
//! In both a child may write into its own worktree and a private directory only (an agent also where
//! the config says), and has no network unless allowed. Bubblewrap also gives it process ids, `/tmp`,
//! `/dev/shm` and a loopback interface of its own; it costs some 10 ms a child, and the script is then
//! not our own child any more, so that the waiting of its thread is not known. Landlock costs nothing
//! and needs no program, but knows no UDP, cannot tell loopback from other hosts, and does not stop a
//! change of modes and times of files that the user owns.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::landlock_rules;
pub use super::landlock_rules::works as landlock_works;
use crate::error::{Context, Error, Result};
use crate::flow::config_sandbox::SandboxMode;

/// The means in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// Bubblewrap (`bwrap`).
    Bwrap,
    /// Landlock.
    Landlock,
    /// None.
    Off,
}

impl Sandbox {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bwrap => "bubblewrap",
            Self::Landlock => "Landlock",
            Self::Off => "no sandbox",
        }
    }

    /// What may have made a command fail that works by hand; reads on from a hint.
    pub fn hint(self) -> String {
        match self {
            Self::Off => String::new(),
            Self::Bwrap | Self::Landlock => format!(
                "\nit ran in {}: it can write only into its worktree and TMPDIR, and use no network unless `\"network\": true` (`sandbox` in docs/config.md)",
                self.name()
            ),
        }
    }
}

/// The sandbox that the config asks for and this machine has. `is_timed_by_thread`: whether the session
/// needs `driver.wall_adj_ms`, which bubblewrap hides.
///
/// # Errors
/// The config names one that does not work here.
pub fn choose(mode: SandboxMode, is_timed_by_thread: bool) -> Result<Sandbox> {
    let unusable = |name: &str, why: String| {
        Err(
            Error::environment(format!("{name} does not work here: {why}")).hint(
                "`\"sandbox\": \"auto\"` takes what there is; `\"off\"` runs candidates with your rights",
            ),
        )
    };
    match mode {
        SandboxMode::Off => Ok(Sandbox::Off),
        SandboxMode::Bwrap => match bwrap_works() {
            Ok(()) => Ok(Sandbox::Bwrap),
            Err(why) => unusable("bubblewrap", why),
        },
        SandboxMode::Landlock => match landlock_works() {
            Ok(()) => Ok(Sandbox::Landlock),
            Err(why) => unusable("Landlock", why),
        },
        SandboxMode::Auto if !is_timed_by_thread && bwrap_works().is_ok() => Ok(Sandbox::Bwrap),
        SandboxMode::Auto if landlock_works().is_ok() => Ok(Sandbox::Landlock),
        SandboxMode::Auto => Ok(Sandbox::Off),
    }
}

/// Whether bubblewrap is installed and may make its namespaces; the reason when not.
///
/// # Errors
/// The reason, in words.
pub fn bwrap_works() -> std::result::Result<(), String> {
    let tried = Command::new("bwrap")
        .args(ISOLATION)
        .args(["--unshare-net", "--ro-bind", "/", "/", "--", "true"])
        .output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The program is its process 1: with the init that bubblewrap would put between, the kernel would
/// not count what it used.
const ISOLATION: &[&str] = &[
    "--die-with-parent",
    "--unshare-pid",
    "--unshare-ipc",
    "--as-pid-1",
    "--cap-drop",
    "ALL",
];

/// One child's place.
#[derive(Debug, Clone)]
pub struct Room {
    /// The means; never [`Sandbox::Off`].
    pub sandbox: Sandbox,
    /// Its worktree.
    pub worktree: PathBuf,
    /// A directory of its own for temporary files and caches.
    pub private: PathBuf,
    /// The repository's common directory, which it may read.
    pub common_dir: PathBuf,
    /// What else it may write: files and directories that exist, by their real paths.
    pub writable: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: bool,
}

impl Room {
    /// Empties the temporary directory and makes the others.
    ///
    /// # Errors
    /// A directory cannot be written.
    pub fn make_ready(&self) -> Result<()> {
        let context = || format!("cannot prepare {}", self.private.display());
        let temporary = self.temporary();
        let cache = self.cache();
        if temporary.symlink_metadata().is_ok() {
            super::tree::remove_tree(&temporary)?;
        }
        // It was in the hands of what ran here: a link would lead us and our removals elsewhere.
        if cache.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            std::fs::remove_file(&cache).context(context)?;
        }
        for directory in [temporary, cache] {
            super::fault::space_for("private-create")
                .and_then(|()| std::fs::create_dir_all(directory))
                .context(context)?;
        }
        Ok(())
    }

    /// Emptied before every child.
    fn temporary(&self) -> PathBuf {
        self.private.join("tmp")
    }

    /// For the caches of build tools, which cannot write into the user's.
    fn cache(&self) -> PathBuf {
        self.private.join("cache")
    }

    /// What it may write. Nothing else that lasts: a file beside these would be there in the next run.
    fn own_places(&self) -> Vec<PathBuf> {
        [self.worktree.clone(), self.temporary(), self.cache()]
            .into_iter()
            .chain(self.writable.iter().cloned())
            .collect()
    }

    /// The variables that tell programs where they can write.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("TMPDIR", text(self.temporary())),
            ("XDG_CACHE_HOME", text(self.cache())),
            ("GOCACHE", text(self.cache().join("go-build"))),
            ("NPM_CONFIG_CACHE", text(self.cache().join("npm"))),
        ]
    }

    /// The command line that runs `command` in here: itself, unless bubblewrap does it.
    pub fn command(&self, command: &[String], directory: &Path) -> Vec<String> {
        if self.sandbox != Sandbox::Bwrap {
            return command.to_vec();
        }
        let mut line: Vec<String> = std::iter::once("bwrap")
            .chain(ISOLATION.iter().copied())
            .map(str::to_owned)
            .collect();
        if !self.network {
            line.push("--unshare-net".to_owned());
        }
        let mut mount = |how: &str, from: &Path, to: &Path| {
            let paths = [from, to].map(|path| path.display().to_string());
            line.push(how.to_owned());
            line.extend(paths);
        };
        mount("--ro-bind", Path::new("/"), Path::new("/"));
        let temporary = Path::new("/tmp");
        mount("--bind", &self.temporary(), temporary);
        for path in needed_paths().chain([self.common_dir.clone()]) {
            if path.starts_with(temporary) && path != temporary {
                mount("--ro-bind-try", &path, &path);
            }
        }
        for path in self.own_places() {
            mount("--bind", &path, &path);
        }
        // Through it we find the worktree's repository.
        let link = self.worktree.join(".git");
        mount("--ro-bind", &link, &link);
        let directory = directory.display().to_string();
        let rest = [
            "--dev", "/dev", "--proc", "/proc", "--chdir", &directory, "--",
        ];
        line.extend(rest.map(str::to_owned));
        line.extend(command.iter().cloned());
        line
    }

    /// The rules that the child is to take upon itself, with Landlock. `log` is the file of its output, if
    /// `/dev/stdout` stands for that.
    ///
    /// # Errors
    /// The kernel does not take them.
    pub fn rules(&self, log: Option<&Path>) -> Result<Option<OwnedFd>> {
        if self.sandbox != Sandbox::Landlock {
            return Ok(None);
        }
        let own = self.own_places();
        let places: Vec<&Path> = own.iter().map(PathBuf::as_path).collect();
        landlock_rules::new(&places, log, self.network)
            .map(Some)
            .context(|| "cannot set up Landlock".to_owned())
    }
}

/// What programs need to run and may lie where `/tmp` of the child's own hides it.
fn needed_paths() -> impl Iterator<Item = PathBuf> {
    let named = ["HOME", "CARGO_HOME", "RUSTUP_HOME"]
        .into_iter()
        .filter_map(|name| std::env::var_os(name).map(PathBuf::from));
    let programs = std::env::var_os("PATH").unwrap_or_default();
    let programs: Vec<PathBuf> = std::env::split_paths(&programs).collect();
    named.chain(programs)
}
