//! Exit codes: one closed list, the same for every command.

/// What the process tells its caller. Listed in README.md; each has a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command did what it was asked.
    Ok = 0,
    /// The command worked and the answer is no: a candidate that was not kept by `try`, a claim
    /// that did not reproduce, a benchmark that `noise` finds biased.
    No = 1,
    /// Wrong flags, an invalid config, idea or ledger file: the user must change the input.
    Usage = 2,
    /// The machine or repository cannot do it now: no git repository, a lock held by another
    /// loop, a benchmark or gate that fails on the unchanged code, a full disk.
    Environment = 3,
    /// Ctrl-C or a termination signal; `run` goes on from there.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
