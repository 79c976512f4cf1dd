//! Landlock: rules that a process takes upon itself and its descendants cannot shake off.

use std::io::Result;
use std::os::fd::OwnedFd;
use std::path::Path;

#[cfg(target_os = "linux")]
pub use linux::{new, works};

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
        Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
    };

    use super::*;

    /// The first version of Landlock that also stops a cutting of files (Linux 6.2).
    const ABI_MIN: ABI = ABI::V3;
    /// Devices that anything may write to.
    const DEVICES: &[&str] = &[
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/tty",
        "/dev/ptmx",
    ];
    /// Directories of the kernel's in which programs make files of their own.
    const SHARED_DIRECTORIES: &[&str] = &["/dev/pts", "/dev/shm"];

    /// Whether the kernel has Landlock of a sufficient version; the reason when not.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn works() -> std::result::Result<(), String> {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_write(ABI_MIN))
            .and_then(Ruleset::create)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The rules: writing to `places` (files, and directories with all in them) only, to devices, and to
    /// `log`, the file that `/dev/stdout` stands for.
    ///
    /// # Errors
    /// The kernel does not take them.
    pub fn new(places: &[&Path], log: Option<&Path>, network: bool) -> Result<OwnedFd> {
        let created = build(places, log, network).map_err(std::io::Error::other)?;
        Option::from(created).ok_or_else(|| std::io::ErrorKind::Unsupported.into())
    }

    fn build(
        places: &[&Path],
        log: Option<&Path>,
        network: bool,
    ) -> std::result::Result<landlock::RulesetCreated, RulesetError> {
        let whole = AccessFs::from_write(ABI_MIN);
        let content: BitFlags<AccessFs> = AccessFs::WriteFile | AccessFs::Truncate;
        let mut handled = Ruleset::default()
            .handle_access(whole)?
            // Where the kernel has it: signals to us, and sockets without a path.
            .scope(Scope::from_all(ABI::V6))?;
        if !network {
            handled = handled.handle_access(AccessNet::ConnectTcp)?;
        }
        let shared = SHARED_DIRECTORIES.iter().map(Path::new);
        let files = DEVICES.iter().map(Path::new).chain(log);
        let rules = (places
            .iter()
            .copied()
            .chain(shared)
            .map(|path| (path, whole)))
        .chain(files.map(|path| (path, content)))
        .filter_map(|(path, access)| Some((PathFd::new(path).ok()?, access)));
        let mut rules = rules.map(|(file, access)| PathBeneath::new(file, access));
        rules.try_fold(handled.create()?, |rules, rule| rules.add_rule(rule))
    }
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{new, works};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;

    /// Never.
    ///
    /// # Errors
    /// Always.
    pub fn works() -> std::result::Result<(), String> {
        Err("only Linux has it".to_owned())
    }

    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &[&Path], _: Option<&Path>, _: bool) -> Result<OwnedFd> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
