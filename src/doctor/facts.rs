//! What `doctor` judges: facts of the machine and of the repository, as they were found.
//!
//! `None` always means that nobody looked or that the system does not say; a check without its
//! fact is silent or says so, and never passes.

use serde::Serialize;

/// Everything `doctor` knows. Callers fill in what they can see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// The machine.
    pub host: HostFacts,
    /// The checkout's root, or why there is none.
    pub repository: Option<Result<String, String>>,
    /// Whether `HEAD` names a commit.
    pub has_commits: Option<bool>,
    /// Who would be the author of kept commits.
    pub identity: Option<Identity>,
    /// Whether the config was read: its project directory, or what is wrong with it.
    pub config: Option<Result<(), String>>,
    /// `autoresearch.config.json` in the checkout and at `HEAD`.
    pub config_file: Option<FileState>,
    /// `autoresearch.sh`.
    pub script: Option<FileState>,
    /// `autoresearch.checks.sh`.
    pub checks: Option<FileState>,
    /// The ledger.
    pub ledger: Option<LedgerState>,
    /// What keeps candidates in, or why nothing does.
    pub sandbox: Option<SandboxState>,
    /// Whether each child gets a control group, and the most processes in it if that can be limited; else
    /// why not.
    pub control_groups: Option<Result<Option<u32>, String>>,
    /// Who holds the loop's lock.
    pub lock: Option<LockState>,
    /// Worktrees of a loop that is not running any more.
    pub leftover_worktrees: Option<Vec<String>>,
    /// Submodules that the clone does not have as the head names them.
    pub missing_submodules: Option<Vec<String>>,
    /// Files in Git LFS whose content the clone does not have.
    pub missing_lfs: Option<Vec<String>>,
}

/// Name and address that git is configured with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// `user.name`.
    pub name: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
}

/// One of the project's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileState {
    /// Whether it is in the checkout.
    pub present: bool,
    /// Whether it may be executed.
    pub executable: bool,
    /// Whether `HEAD` has it.
    pub committed: bool,
    /// Whether the checkout's content is the one at `HEAD`.
    pub equal_to_head: bool,
}

/// `experiments.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerState {
    /// Not there yet; the first run writes it.
    Absent,
    /// Read to the end.
    Readable {
        /// Run lines in it.
        runs: u64,
        /// First line that is not as this program wrote it, by the hash chain.
        edited: Option<u64>,
        /// Gaps that `repair` left, where damaged lines were.
        repaired: u64,
    },
    /// Not readable, with the error.
    Unreadable(String),
}

/// What keeps benchmark, gate and build in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxState {
    /// Bubblewrap.
    Bwrap,
    /// Landlock, and why not bubblewrap.
    Landlock(String),
    /// The config says that nothing does.
    SwitchedOff,
    /// Nothing works here, and why.
    Missing(String),
    /// The config asks for one that does not work here.
    Refused(String),
}

/// The loop's lock on this repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Nobody runs a loop here.
    Free,
    /// A loop is running.
    Held(String),
    /// A lock file without a living holder.
    Stale(String),
}

/// Facts of the machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HostFacts {
    /// Logical processors this process may use.
    pub cores: Option<u32>,
    /// One-minute load average.
    pub load1: Option<f64>,
    /// Distinct frequency governors over all processors, sorted.
    pub governors: Option<Vec<String>>,
    /// Whether the processor may exceed its nominal frequency.
    pub turbo: Option<bool>,
    /// Whether two logical processors share a core.
    pub smt: Option<bool>,
    /// Linux's `randomize_va_space`: 0 off, 1 partial, 2 full.
    pub aslr: Option<u8>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// Hottest sensor, degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Part of the processors' time since boot that the hypervisor gave to others, 0 to 1.
    pub steal_share: Option<f64>,
    /// Free bytes for this user on the disk of the repository.
    pub disk_free_bytes: Option<u64>,
    /// Memory that can be had without swapping, bytes.
    pub memory_free_bytes: Option<u64>,
    /// Whether this is a virtual machine.
    pub is_virtual: Option<bool>,
    /// Whether each optional tool is on `PATH`, by name.
    pub tools: Vec<(String, bool)>,
}
