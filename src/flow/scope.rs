//! Drift rules: which paths a candidate may change, and how.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// One path that differs between the incumbent and a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the repository root, with `/`.
    pub path: String,
    /// What it was.
    pub old: Mode,
    /// What it is.
    pub new: Mode,
}

/// What git has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Absent,
    /// A plain file.
    File,
    /// A file with the execute bit.
    Executable,
    /// A symbolic link.
    Symlink,
    /// A commit of another repository.
    Submodule,
}

impl Mode {
    fn describe(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::File => "a file",
            Self::Executable => "an executable file",
            Self::Symlink => "a symbolic link",
            Self::Submodule => "a submodule",
        }
    }
}

/// The compiled globs of a config.
#[derive(Debug, Clone)]
pub struct Scope {
    allowed: GlobSet,
    protected: GlobSet,
}

impl Scope {
    /// Compiles globs that were checked when the config was read; `*` does not match `/`. With one
    /// that cannot be compiled, a candidate may change nothing.
    pub fn new(allowed: &[String], protected: &[String]) -> Self {
        match (compile(allowed), compile(protected)) {
            (Ok(allowed), Ok(protected)) => Self { allowed, protected },
            (Err(_), _) | (_, Err(_)) => Self {
                allowed: GlobSet::empty(),
                protected: GlobSet::empty(),
            },
        }
    }

    /// Whether a candidate may change this path at all.
    pub fn permits(&self, path: &str) -> bool {
        self.allowed.is_match(path) && !self.protected.is_match(path)
    }

    /// Every rule that the changes break, one line each; empty when they break none.
    pub fn violations(&self, changes: &[Change]) -> Vec<String> {
        changes
            .iter()
            .filter_map(|change| self.violation(change))
            .collect()
    }

    fn violation(&self, change: &Change) -> Option<String> {
        let path = &change.path;
        if self.protected.is_match(path) {
            return Some(format!("{path} is protected"));
        }
        if !self.allowed.is_match(path) {
            return Some(format!("{path} is outside the scope"));
        }
        match (change.old, change.new) {
            (_, Mode::Symlink | Mode::Submodule) => {
                Some(format!("{path} became {}", change.new.describe()))
            }
            (Mode::Symlink | Mode::Submodule, _) => {
                Some(format!("{path} was {}", change.old.describe()))
            }
            (Mode::File, Mode::Executable) | (Mode::Executable, Mode::File) => Some(format!(
                "{path} changed from {} to {}",
                change.old.describe(),
                change.new.describe()
            )),
            (Mode::Absent, Mode::Executable) => Some(format!("{path} is a new executable file")),
            (
                Mode::Absent | Mode::File | Mode::Executable,
                Mode::Absent | Mode::File | Mode::Executable,
            ) => None,
        }
    }
}

/// Compiles globs as a scope has them.
///
/// # Errors
/// One is malformed, or all together are too large to compile.
pub(super) fn compile(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for text in globs {
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(true)
            .build();
        builder.add(glob?);
        // A directory named without a trailing `/**` means all below it.
        builder.add(Glob::new(&format!("{}/**", text.trim_end_matches('/')))?);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, old: Mode, new: Mode, expected: &[&str]) {
        let scope = Scope::new(
            &["src/**".to_owned(), "lib".to_owned()],
            &["**/Cargo.toml".to_owned(), "src/judge".to_owned()],
        );
        let change = Change {
            path: path.to_owned(),
            old,
            new,
        };
        assert_eq!(scope.violations(&[change]), expected, "{path}");
    }

    #[test]
    fn a_change_inside_the_scope_is_allowed() {
        check("src/a/b.rs", Mode::File, Mode::File, &[]);
        check("src/new.rs", Mode::Absent, Mode::File, &[]);
        check("lib/gone.rs", Mode::File, Mode::Absent, &[]);
    }

    #[test]
    fn a_change_outside_the_scope_or_to_a_protected_path_is_drift() {
        check(
            "tests/a.rs",
            Mode::File,
            Mode::File,
            &["tests/a.rs is outside the scope"],
        );
        check(
            "src/Cargo.toml",
            Mode::File,
            Mode::File,
            &["src/Cargo.toml is protected"],
        );
        check(
            "src/judge/mod.rs",
            Mode::Absent,
            Mode::File,
            &["src/judge/mod.rs is protected"],
        );
    }

    #[test]
    fn links_submodules_and_modes_are_drift_even_inside_the_scope() {
        check(
            "src/a.rs",
            Mode::File,
            Mode::Symlink,
            &["src/a.rs became a symbolic link"],
        );
        check(
            "src/sub",
            Mode::Absent,
            Mode::Submodule,
            &["src/sub became a submodule"],
        );
        check(
            "src/a.rs",
            Mode::Symlink,
            Mode::File,
            &["src/a.rs was a symbolic link"],
        );
        check(
            "src/a.rs",
            Mode::File,
            Mode::Executable,
            &["src/a.rs changed from a file to an executable file"],
        );
        check(
            "src/x.sh",
            Mode::Absent,
            Mode::Executable,
            &["src/x.sh is a new executable file"],
        );
    }
}
