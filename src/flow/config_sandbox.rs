//! How far benchmark, gate and build are trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps children in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// Bubblewrap when it works here, else Landlock, else nothing and a warning.
    #[default]
    Auto,
    /// Bubblewrap, or an error.
    Bwrap,
    /// Landlock, or an error.
    Landlock,
    /// Nothing.
    Off,
}

/// Which METRIC and DIGEST lines of the benchmark count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricLines {
    /// Every one in its output.
    #[default]
    Plain,
    /// Those that carry the key that the script reads from its standard input: `METRIC[key] name=value`.
    Keyed,
}
