//! `init`: from the files of a foreign project to the four files the loop needs.
//!
//! Pure: a [`Tree`] is what is there, a [`Plan`] what to write. A script that `init` cannot finish
//! fails with a message until it is edited; none ever prints a METRIC line it did not measure.

mod checks;
mod detect;
mod manifest;
mod node;
mod python;
mod rust;
mod tree;

pub use detect::plan;
pub use tree::Tree;

use serde_json::{Value, json};

use crate::flow::config::is_branch_component;
use crate::flow::config_parts::Timeouts;

/// What `init` would write, and what it has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was found, such as `Rust with criterion benchmarks (parse, print)`.
    pub found: String,
    /// The files, relative to the project directory, in the order written.
    pub files: Vec<PlannedFile>,
    /// What the user should know or do before the first run.
    pub notes: Vec<String>,
}

/// One file to write when it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its name.
    pub name: &'static str,
    /// Its content.
    pub content: String,
    /// Whether it is a script.
    pub executable: bool,
}

/// What is known of a language's project: the raw material of a [`Plan`].
#[derive(Debug, Clone, PartialEq)]
struct Draft {
    found: String,
    metric: Value,
    script: String,
    checks: String,
    /// Globs relative to the project directory.
    scope: Vec<String>,
    protected: Vec<String>,
    artifacts: Vec<String>,
    /// Command in the project directory.
    build: Option<Vec<String>>,
    notes: Vec<String>,
}

impl Draft {
    /// The config's text. `prefix` is the project directory relative to the repository root, empty
    /// or with a slash at its end; `directory` its last name.
    fn config(&self, directory: &str, prefix: &str) -> String {
        let prefixed = |globs: &[String]| -> Vec<String> {
            let prefix = globset::escape(prefix);
            globs.iter().map(|glob| format!("{prefix}{glob}")).collect()
        };
        let mut config = serde_json::Map::new();
        if let Some(name) = branch_name(directory) {
            config.insert("name".to_owned(), json!(name));
        }
        config.insert("metric".to_owned(), self.metric.clone());
        if let Some(build) = &self.build {
            config.insert("build".to_owned(), json!(below(build, prefix)));
        }
        // Below the root the target directory may be the workspace's: nothing is said of it.
        if !self.artifacts.is_empty() && prefix.is_empty() {
            config.insert("artifacts".to_owned(), json!(self.artifacts));
        }
        config.insert("scope".to_owned(), json!(prefixed(&self.scope)));
        if !self.protected.is_empty() {
            config.insert("protected".to_owned(), json!(prefixed(&self.protected)));
        }
        config.insert("timeouts".to_owned(), json!(Timeouts::default()));
        let text = serde_json::to_string_pretty(&config);
        text.expect("a config is plain JSON") + "\n"
    }
}

/// A command that runs in `prefix` when it is started at the repository root.
fn below(command: &[String], prefix: &str) -> Vec<String> {
    if prefix.is_empty() {
        return command.to_vec();
    }
    let script = "cd \"$0\" && exec \"$@\"";
    ["sh", "-c", script, prefix.trim_end_matches('/')]
        .into_iter()
        .map(str::to_owned)
        .chain(command.iter().cloned())
        .collect()
}

/// `directory` as the end of a branch name, when something is left of it.
fn branch_name(directory: &str) -> Option<String> {
    let name: String = directory
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '_' | '.' => c,
            _ => '-',
        })
        .collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    is_branch_component(&name).then_some(name)
}

/// The metric object of the config.
fn metric(name: &str, unit: &str) -> Value {
    json!({ "name": name, "unit": unit, "direction": "lower" })
}

/// The unit that a metric's name ends in.
fn unit_of(name: &str) -> &'static str {
    ["ns", "us", "µs", "ms", "s", "kib", "mib", "bytes"]
        .into_iter()
        .find(|unit| {
            name.strip_suffix(unit)
                .is_some_and(|stem| stem.ends_with('_'))
        })
        .unwrap_or_default()
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests;
