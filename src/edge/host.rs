//! Facts of this machine, read below a root directory so that tests can put a `/proc` and `/sys`
//! of their own there. Linux says most; elsewhere what is not known is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child_env::BUILD_FLAGS;
use super::host_cpu as cpu;
use super::host_sys as sys;
use crate::doctor::facts::HostFacts;
use crate::flow::record::Environment;

/// Tools that `doctor` looks for; the loop needs none of them.
const OPTIONAL_TOOLS: &[&str] = &["perf", "valgrind", "bwrap"];

/// How long `rustc --version` may take; a rustup shim may want to download a toolchain.
const RUSTC_DEADLINE: Duration = Duration::from_secs(5);

/// What a measurement on this machine depends on beside the code.
pub fn environment() -> Environment {
    let mut environment = environment_at(Path::new("/"));
    environment.rustc = rustc_version("rustc", RUSTC_DEADLINE).unwrap_or_default();
    environment.flags = build_flags(|name| std::env::var(name).ok());
    environment
}

/// The part of [`environment`] that is read from files, below `root`; unknown fields are empty.
pub fn environment_at(root: &Path) -> Environment {
    let uname = sys::uname();
    let cores = cpu::online(root).or_else(usable_cores).unwrap_or(0);
    Environment {
        cpu: cpu::model(root).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores,
        memory_mib: memory(root, "MemTotal")
            .or_else(sys::physical_memory)
            .map_or(0, |bytes| bytes >> 20),
        kernel: kernel(root).or(uname).unwrap_or_default(),
        os: os_name(root).unwrap_or_else(|| std::env::consts::OS.to_owned()),
        rustc: String::new(),
        flags: BTreeMap::new(),
    }
}

/// What `doctor` judges of this machine; `disk_at` is a path on the disk of the repository.
pub fn facts(disk_at: &Path) -> HostFacts {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    HostFacts {
        cores: usable_cores(),
        load1: load1(),
        disk_free_bytes: sys::disk_free_bytes(disk_at),
        tools: OPTIONAL_TOOLS
            .iter()
            .map(|tool| ((*tool).to_owned(), is_on_path(tool, &directories)))
            .collect(),
        ..facts_at(Path::new("/"))
    }
}

/// The part of [`facts`] that is read from files, below `root`.
pub fn facts_at(root: &Path) -> HostFacts {
    HostFacts {
        cores: cpu::online(root),
        load1: load1_at(root),
        governors: cpu::governors(root),
        turbo: cpu::turbo(root),
        smt: cpu::smt(root),
        aslr: number(root, "proc/sys/kernel/randomize_va_space"),
        huge_pages: selected(root, "sys/kernel/mm/transparent_hugepage/enabled"),
        temperature_c: cpu::temperature_c(root),
        steal_share: cpu::steal(root).map(|ticks| ticks.share()),
        disk_free_bytes: None,
        memory_free_bytes: memory(root, "MemAvailable"),
        is_virtual: cpu::is_virtual(root),
        tools: Vec::new(),
    }
}

/// The one-minute load average.
pub fn load1() -> Option<f64> {
    load1_at(Path::new("/")).or_else(sys::load1)
}

fn load1_at(root: &Path) -> Option<f64> {
    let load = text(root, "proc/loadavg")?
        .split_whitespace()
        .next()?
        .parse::<f64>()
        .ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}

/// Ticks of all processors since boot: what was stolen, and all.
pub fn steal_ticks() -> Option<cpu::Steal> {
    cpu::steal(Path::new("/"))
}

/// Free bytes for this user on the disk of `path`, which must exist.
pub fn disk_free_bytes(path: &Path) -> Option<u64> {
    sys::disk_free_bytes(path)
}

/// Those of [`BUILD_FLAGS`] that `lookup` knows and that are not empty.
fn build_flags(lookup: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    BUILD_FLAGS
        .iter()
        .filter_map(|name| {
            let value = lookup(name).filter(|value| !value.is_empty())?;
            Some(((*name).to_owned(), value))
        })
        .collect()
}

/// First line of `rustc --version`, unless it fails or takes longer than `deadline`.
fn rustc_version(rustc: impl duct::IntoExecutablePath, deadline: Duration) -> Option<String> {
    let handle = duct::cmd(rustc, ["--version"])
        .stdin_null()
        .stdout_capture()
        .stderr_null()
        .unchecked()
        .start()
        .ok()?;
    let line = match handle.wait_timeout(deadline) {
        Ok(Some(output)) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().next().map(|line| line.trim().to_owned())
        }
        Ok(Some(_)) => None,
        Ok(None) | Err(_) => {
            handle.kill().ok();
            None
        }
    };
    line.filter(|line| !line.is_empty())
}

/// Logical processors this process may use, by affinity and control group.
fn usable_cores() -> Option<u32> {
    let cores = std::thread::available_parallelism().ok()?;
    u32::try_from(cores.get()).ok()
}

/// `Linux 6.1.0`.
fn kernel(root: &Path) -> Option<String> {
    let name = text(root, "proc/sys/kernel/ostype")?;
    let release = text(root, "proc/sys/kernel/osrelease")?;
    Some(format!("{} {}", name.trim(), release.trim()))
}

/// `PRETTY_NAME` of `os-release`.
fn os_name(root: &Path) -> Option<String> {
    let release = text(root, "etc/os-release").or_else(|| text(root, "usr/lib/os-release"))?;
    let quoted = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = quoted.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// A row of `/proc/meminfo`, bytes.
fn memory(root: &Path, row: &str) -> Option<u64> {
    let info = text(root, "proc/meminfo")?;
    let rest = info
        .lines()
        .find_map(|line| line.strip_prefix(row)?.strip_prefix(':'))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn is_on_path(tool: &str, directories: &[PathBuf]) -> bool {
    use std::os::unix::fs::PermissionsExt;
    directories.iter().any(|directory| {
        std::fs::metadata(directory.join(tool))
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

/// A file's text; `None` when it is missing, unreadable or no UTF-8.
pub(super) fn text(root: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(root.join(path)).ok()
}

/// A file that holds one number.
pub(super) fn number<T: std::str::FromStr>(root: &Path, path: &str) -> Option<T> {
    text(root, path)?.trim().parse().ok()
}

/// The word in brackets of a file such as `always [madvise] never`.
fn selected(root: &Path, path: &str) -> Option<String> {
    let text = text(root, path)?;
    let (_, rest) = text.split_once('[')?;
    let (word, _) = rest.split_once(']')?;
    Some(word.to_owned())
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
