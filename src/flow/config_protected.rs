//! The paths that no candidate may change.

/// Globs that no candidate may change whatever the config says: what judges it.
pub const ALWAYS_PROTECTED: &[&str] = &[
    "**/autoresearch.sh",
    "**/autoresearch.checks.sh",
    "**/autoresearch.config.json",
    "**/ideas.md",
    "**/ideas/**",
    "**/experiments.jsonl*",
    "**/.gitattributes",
    "**/.gitmodules",
    "**/.gitignore",
];

/// Globs protected unless `protected_defaults` is false: benchmarks, lock files, manifests and
/// toolchain settings, through which a change could alter what is measured or what it needs.
pub const DEFAULT_PROTECTED: &[&str] = &[
    "**/benches/**",
    "**/Cargo.toml",
    "**/Cargo.lock",
    "**/.cargo/**",
    "**/rust-toolchain",
    "**/rust-toolchain.toml",
    "**/go.mod",
    "**/go.sum",
    "**/package.json",
    "**/package-lock.json",
    "**/npm-shrinkwrap.json",
    "**/yarn.lock",
    "**/pnpm-lock.yaml",
    "**/pyproject.toml",
    "**/poetry.lock",
    "**/uv.lock",
    "**/Pipfile",
    "**/Pipfile.lock",
    "**/requirements*.txt",
];
