//! The environment children see: an allow-list, the same for both sides of a pair.

use std::collections::BTreeMap;
use std::path::PathBuf;

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Variables that pass without being named in the config: what toolchains need to run, and what
/// changes how they build (recorded with the session). Secrets and session state do not pass.
pub const DEFAULT_ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_NET_OFFLINE",
    "CC",
    "CXX",
    "AR",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "PKG_CONFIG_PATH",
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "GOMODCACHE",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOPROXY",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NVM_DIR",
    "NPM_CONFIG_*",
    "PYENV_ROOT",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "JAVA_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Variables that change what is built; kept with a session's environment.
pub const BUILD_FLAGS: &[&str] = &[
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "GOFLAGS",
    "NODE_OPTIONS",
    "PYTHONPATH",
];

/// The allow-list as one matcher. The globs were checked when the config was read.
pub fn matcher(extra: &[String]) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    let defaults = DEFAULT_ALLOWED.iter().copied();
    for glob in defaults.chain(extra.iter().map(String::as_str)) {
        if let Ok(glob) = Glob::new(glob) {
            builder.add(glob);
        }
    }
    builder.build().unwrap_or_else(|_| GlobSet::empty())
}

/// This process's variables that pass `allowed`, and `extra` over them.
pub fn build(allowed: &GlobSet, extra: &[(&str, &str)]) -> BTreeMap<String, String> {
    let inherited = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        allowed.is_match(&name).then_some((name, value))
    });
    let given = extra
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    inherited.chain(given).collect()
}

/// Whether the user's cargo settings name one target or build directory for all checkouts. Two
/// worktrees that share one run each other's binaries (rust-lang/cargo#16642).
pub fn cargo_shares_target() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let Some(home) = home else { return false };
    ["config.toml", "config"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(home.join(name)).ok())
        .any(|text| text.lines().any(names_a_directory))
}

/// `target-dir = ...`, `build.target-dir = ...`, and the same of `build-dir`.
fn names_a_directory(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else {
        return false;
    };
    let key = key.trim().trim_start_matches("build.");
    ["target-dir", "build-dir"].contains(&key)
}
/// Whether a child can start this program: a directory in `PATH` has it, or it is a path itself.
pub fn has_program(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.contains('/')
        || std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
