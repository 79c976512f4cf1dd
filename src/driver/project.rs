//! Finding a project's files, and pinning those that judge as a commit has them.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use git2::Oid;
use sha2::{Digest, Sha256};

use crate::doctor::repository as doctor;
use crate::edge::interrupt::Interrupts;
use crate::edge::regular;
use crate::edge::repo::Repo;
use crate::error::{Context, Error, Result, utf8};
use crate::flow::config::{CONFIG_FILE, Config};
use crate::flow::record::LEDGER_FILE;

/// The benchmark script.
pub const SCRIPT_FILE: &str = "autoresearch.sh";
/// The correctness gate.
pub const CHECKS_FILE: &str = "autoresearch.checks.sh";

/// The command that runs one of them in its directory. Bash reads the whole of it before it begins: a script
/// that it reads line by line could be rewritten by what it runs.
pub fn script_command(name: &str) -> Vec<String> {
    let path = format!("./{name}");
    ["bash", "-c", ". \"$0\"", &path]
        .map(str::to_owned)
        .to_vec()
}

/// The backlog.
pub const IDEAS_FILE: &str = "ideas.md";
/// The directory of its patches.
pub const PATCHES_DIRECTORY: &str = "ideas";

/// Where a project's files are in the user's checkout.
#[derive(Debug, Clone)]
pub struct Project {
    /// Root of the checkout.
    pub checkout: PathBuf,
    /// The config file, relative to the checkout.
    pub config_path: PathBuf,
}

/// What judges, as one commit has it. A candidate cannot change it: these paths are protected, and
/// the scripts are written anew before every run.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The config.
    pub config: Config,
    /// The directory of scripts, ledger and ideas, relative to the checkout.
    pub work: PathBuf,
    /// Content of `autoresearch.sh`.
    pub script: Vec<u8>,
    /// Content of `autoresearch.checks.sh`, when there is one.
    pub checks: Option<Vec<u8>>,
    /// SHA-256 over all of it.
    pub fingerprint: String,
}

impl Project {
    /// Looks for the config in `from` and its parents up to the root of the checkout.
    ///
    /// # Errors
    /// There is none.
    pub fn find(repo: &Repo, from: &Path) -> Result<Self> {
        let checkout = repo
            .workdir()
            .canonicalize()
            .context(|| format!("cannot find {}", repo.workdir().display()))?;
        let from = from
            .canonicalize()
            .context(|| format!("cannot find {}", from.display()))?;
        let found = from
            .ancestors()
            .take_while(|directory| directory.starts_with(&checkout))
            .find(|directory| directory.join(CONFIG_FILE).exists());
        let Some(directory) = found else {
            return Err(Error::usage(format!(
                "no {CONFIG_FILE} in {} or above it",
                from.display()
            ))
            .hint("`autoresearch init` writes one, with the scripts it needs"));
        };
        let relative = directory.strip_prefix(&checkout).unwrap_or(Path::new(""));
        let config_path = relative.join(CONFIG_FILE);
        Ok(Self {
            checkout,
            config_path,
        })
    }

    /// As [`Project::find`], and where the checkout has no config, from the directory of the ledger: for
    /// commands that take the config of a session from its start commit.
    ///
    /// # Errors
    /// There is neither.
    pub fn find_recorded(repo: &Repo, from: &Path) -> Result<Self> {
        let missing = match Self::find(repo, from) {
            Ok(project) => return Ok(project),
            Err(missing) => missing,
        };
        let (Ok(checkout), Ok(from)) = (repo.workdir().canonicalize(), from.canonicalize()) else {
            return Err(missing);
        };
        let found = from
            .ancestors()
            .take_while(|directory| directory.starts_with(&checkout))
            .find(|directory| directory.join(LEDGER_FILE).is_file());
        let Some(relative) = found.and_then(|found| found.strip_prefix(&checkout).ok()) else {
            return Err(missing);
        };
        let config_path = relative.join(CONFIG_FILE);
        Ok(Self {
            checkout,
            config_path,
        })
    }

    /// Where a session's ledger is: where the checkout's config says, or without one beside where it
    /// would be.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn recorded_ledger(&self) -> Result<PathBuf> {
        if self.checkout.join(&self.config_path).exists() {
            return Ok(self.ledger(&self.config_now()?));
        }
        Ok(self
            .checkout
            .join(&self.config_path)
            .with_file_name(LEDGER_FILE))
    }

    /// The config as it is in the checkout now, for commands that only read.
    ///
    /// # Errors
    /// It cannot be read or is not valid.
    pub fn config_now(&self) -> Result<Config> {
        let path = self.checkout.join(&self.config_path);
        let text = regular::read(&path).context(|| format!("cannot read {}", path.display()))?;
        let origin = self.config_path.display().to_string();
        Config::parse(utf8(&text, &origin)?, &origin)
    }

    /// The directory of scripts, ledger and ideas, relative to the checkout.
    pub fn work(&self, config: &Config) -> PathBuf {
        let parent = self.config_path.parent().unwrap_or(Path::new(""));
        match &config.working_dir {
            Some(directory) => parent.join(directory).components().collect(),
            None => parent.to_path_buf(),
        }
    }

    /// The same in the checkout.
    pub fn directory(&self, work: &Path) -> PathBuf {
        self.checkout.join(work).components().collect()
    }

    /// The ledger's path.
    pub fn ledger(&self, config: &Config) -> PathBuf {
        self.checkout.join(self.work(config)).join(LEDGER_FILE)
    }

    /// The backlog's path.
    pub fn ideas(&self, config: &Config) -> PathBuf {
        self.checkout.join(self.work(config)).join(IDEAS_FILE)
    }

    /// Reads config and scripts at a commit, and makes sure that the checkout does not have other
    /// ones: who edits the config and forgets to commit must not wonder.
    ///
    /// # Errors
    /// A file is missing, invalid, or differs from the checkout's.
    pub fn pin(&self, repo: &Repo, commit: Oid) -> Result<Pinned> {
        self.pin_with(commit, |path| self.committed(repo, commit, path))
    }

    /// Reads config and scripts at a commit, whatever the checkout has.
    ///
    /// # Errors
    /// A file is missing or invalid.
    pub fn pin_past(&self, repo: &Repo, commit: Oid) -> Result<Pinned> {
        self.pin_with(commit, |path| repo.file_at(commit, path))
    }

    fn pin_with(
        &self,
        commit: Oid,
        read: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
    ) -> Result<Pinned> {
        let config_text = read(&self.config_path)?.ok_or_else(|| {
            Error::usage(format!(
                "{} is not in commit {commit:.10}",
                self.config_path.display()
            ))
            .hint(format!(
                "commit it: `git add {} && git commit`",
                self.config_path.display()
            ))
        })?;
        let origin = self.config_path.display().to_string();
        let config = Config::parse(utf8(&config_text, &origin)?, &origin)?;
        let work = self.work(&config);
        let script_path = work.join(SCRIPT_FILE);
        let script = read(&script_path)?.ok_or_else(|| {
            Error::usage(format!(
                "{} is not in commit {commit:.10}",
                script_path.display()
            ))
            .hint("`autoresearch init` writes one; commit it")
        })?;
        let checks = read(&work.join(CHECKS_FILE))?;
        let mut hasher = Sha256::new();
        for part in [&config_text[..], &script, checks.as_deref().unwrap_or(b"-")] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let fingerprint = hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Pinned {
            config,
            work,
            script,
            checks,
            fingerprint,
        })
    }

    /// A file at the commit; an error when the checkout's differs.
    fn committed(&self, repo: &Repo, commit: Oid, path: &Path) -> Result<Option<Vec<u8>>> {
        let committed = repo.file_at(commit, path)?;
        let in_checkout = self.checkout.join(path);
        let current = match regular::read(&in_checkout) {
            Ok(content) => Some(content),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => None,
            Err(error) => {
                return Err(error).context(|| format!("cannot read {}", in_checkout.display()));
            }
        };
        let same = match (&committed, &current) {
            (Some(committed), Some(current)) => is_same_text(committed, current),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same {
            return Ok(committed);
        }
        let name = path.display();
        let problem = match (&committed, &current) {
            (None, _) => format!("{name} is not committed"),
            (Some(_), None) => {
                format!("{name} is in commit {commit:.10} and missing in the checkout")
            }
            (Some(_), Some(_)) => format!("{name} has uncommitted changes"),
        };
        Err(Error::usage(problem).hint(format!(
            "a session runs it as committed: `git add {name} && git commit`, or restore it"
        )))
    }
}

/// Equal but for line ends, which `core.autocrlf` changes on checkout.
fn is_same_text(a: &[u8], b: &[u8]) -> bool {
    let without_cr =
        |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(|&byte| byte != b'\r').collect() };
    a == b || without_cr(a) == without_cr(b)
}

/// Says what a commit needs and the clone does not have.
///
/// # Errors
/// The commit cannot be read.
pub(super) fn warn_of_missing(repo: &Repo, commit: Oid, interrupts: &Interrupts) -> Result<()> {
    let findings = [
        doctor::submodules(&repo.missing_submodules(commit)?),
        doctor::lfs(&repo.missing_lfs(commit)?),
    ];
    for finding in findings.into_iter().flatten() {
        let advice = finding.advice.unwrap_or_default();
        interrupts.say(&format!("warning: {}\n  hint: {advice}", finding.message));
    }
    Ok(())
}
