//! `autoresearch init`: looks at the project, writes what is missing, says what comes next.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::edge::repo::Repo;
use crate::error::{Context as _, Error, Result};
use crate::exit::Exit;
use crate::init::{Plan, PlannedFile, Tree, plan};

/// How deep below the project directory files are looked for.
const DEPTH_MAX: usize = 6;
/// Most files looked at; a larger project is known by its first ones.
const FILES_MAX: usize = 20_000;
/// Largest file read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Directories that hold nobody's own code.
const SKIPPED: &[&str] = &[
    "node_modules",
    "target",
    "vendor",
    "__pycache__",
    "venv",
    "dist",
];

/// Flags of `init`.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Print what would be written and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// How [`run`] works.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether to write nothing.
    pub dry_run: bool,
}

/// What `init` did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What the project was taken for.
    pub found: String,
    /// Whether nothing was written on purpose.
    pub dry_run: bool,
    /// The four files, in the order written.
    pub files: Vec<FileReport>,
    /// What the user should know or do before the first run.
    pub notes: Vec<String>,
    /// The commands that come next, in this order.
    pub next: Vec<String>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Its name in the project directory.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Its content, in a dry run, unless it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Written now.
    Written,
    /// A dry run; it would be written.
    WouldWrite,
    /// It was there and is untouched.
    Exists,
}

/// Looks at the project in `project_dir` and writes those of the four files that are missing. An
/// existing file, link or directory of that name is never touched.
///
/// # Errors
/// The directory cannot be read or a file cannot be written; files written before stay.
pub fn run(project_dir: &Path, options: &Options) -> Result<Report> {
    let directory = project_dir
        .canonicalize()
        .context(|| format!("cannot find {}", project_dir.display()))?;
    let repo = Repo::discover(&directory).ok();
    let left_out = |path: &Path| repo.as_ref().is_some_and(|repo| repo.is_ignored(path));
    let files = list(&directory, &left_out)?;
    let read = |path: &str| read_text(&directory.join(path));
    let tree = Tree::new(files, &read);
    let root = repository_root(&directory);
    let prefix = root
        .as_deref()
        .and_then(|root| prefix_below(&directory, root))
        .unwrap_or_default();
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let plan = plan(&tree, &name, &prefix);
    let files = plan
        .files
        .iter()
        .map(|file| write_missing(&directory, file, options))
        .collect::<Result<Vec<_>>>()?;
    Ok(report(plan, files, options, root.is_some()))
}

fn report(plan: Plan, files: Vec<FileReport>, options: &Options, has_repository: bool) -> Report {
    let exist = |file: &FileReport| file.outcome == Outcome::Exists;
    // A note is about what was written; nothing was.
    let notes = if files.iter().all(exist) {
        Vec::new()
    } else {
        plan.notes
    };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let mut next = vec![
        "./autoresearch.sh && ./autoresearch.checks.sh".to_owned(),
        format!(
            "git add {} && git commit -m \"Add autoresearch\"",
            names.join(" ")
        ),
        "autoresearch doctor".to_owned(),
        "autoresearch noise".to_owned(),
        "autoresearch run".to_owned(),
    ];
    if !has_repository {
        next.insert(
            0,
            "git init && git add -A && git commit -m \"Start\"".to_owned(),
        );
    }
    Report {
        found: plan.found,
        dry_run: options.dry_run,
        files,
        notes,
        next,
    }
}

/// Runs the command and prints its report.
///
/// # Errors
/// As [`run`].
pub fn execute(global: &super::Global, args: &InitArgs) -> Result<Exit> {
    let report = run(
        &global.directory,
        &Options {
            dry_run: args.dry_run,
        },
    )?;
    super::print(&if args.json {
        report.json()
    } else {
        report.text()
    })?;
    Ok(Exit::Ok)
}

impl Report {
    /// For people; no trailing newline.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("Found: {}", self.found)];
        for file in &self.files {
            lines.push(match file.outcome {
                Outcome::Written => format!("  wrote   {}", file.name),
                Outcome::WouldWrite => format!("  would write {}", file.name),
                Outcome::Exists => format!("  exists  {} (left as it is)", file.name),
            });
        }
        if self
            .files
            .iter()
            .all(|file| file.outcome == Outcome::Exists)
        {
            lines.push("All four files exist; nothing was written.".to_owned());
        }
        lines.extend(self.notes.iter().map(|note| format!("Note: {note}")));
        for file in &self.files {
            if let Some(content) = &file.content {
                lines.push(format!("\n--- {}\n{}", file.name, content.trim_end()));
            }
        }
        lines.push("\nNext:".to_owned());
        lines.extend(self.next.iter().map(|command| format!("  {command}")));
        lines.join("\n")
    }

    /// For programs; indented, no trailing newline.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain texts")
    }
}

fn write_missing(directory: &Path, file: &PlannedFile, options: &Options) -> Result<FileReport> {
    let path = directory.join(file.name);
    let outcome = if fs::symlink_metadata(&path).is_ok() {
        Outcome::Exists
    } else if options.dry_run {
        Outcome::WouldWrite
    } else {
        write_new(&path, file)?
    };
    let content = (outcome == Outcome::WouldWrite).then(|| file.content.clone());
    Ok(FileReport {
        name: file.name.to_owned(),
        outcome,
        content,
    })
}

/// Creates the file; one that appeared meanwhile stays.
fn write_new(path: &Path, file: &PlannedFile) -> Result<Outcome> {
    let mode = if file.executable { 0o777 } else { 0o666 };
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut created = match opened {
        Ok(created) => created,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(Outcome::Exists);
        }
        Err(error) => {
            return Err(
                Error::environment(format!("cannot create {}", path.display())).because(error),
            );
        }
    };
    created
        .write_all(file.content.as_bytes())
        .context(|| format!("cannot write {}", path.display()))?;
    Ok(Outcome::Written)
}

/// The nearest directory at or above `directory` with a `.git`.
fn repository_root(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .find(|ancestor| ancestor.join(".git").exists())
        .map(Path::to_path_buf)
}

/// `directory` relative to `root`, with a slash at its end; empty when it is the root.
fn prefix_below(directory: &Path, root: &Path) -> Option<String> {
    let below = directory.strip_prefix(root).ok()?.to_str()?;
    Some(if below.is_empty() {
        String::new()
    } else {
        format!("{below}/")
    })
}

/// The project's files, relative, breadth first; no hidden directories, no links, no dependencies, and
/// nothing of which the loop's own worktrees know nothing, because git ignores it.
fn list(directory: &Path, left_out: &dyn Fn(&Path) -> bool) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut level = vec![String::new()];
    for _ in 0..DEPTH_MAX {
        let mut deeper = Vec::new();
        for prefix in level {
            let entries = match fs::read_dir(directory.join(&prefix)) {
                Ok(entries) => entries,
                Err(error) if prefix.is_empty() => {
                    let message = format!("cannot read {}", directory.display());
                    return Err(Error::environment(message).because(error));
                }
                // What cannot be read tells nothing of the language.
                Err(_) => continue,
            };
            for entry in entries.flatten() {
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if left_out(&entry.path()) {
                    continue;
                }
                if kind.is_file() && files.len() < FILES_MAX {
                    files.push(format!("{prefix}{name}"));
                } else if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&&*name) {
                    deeper.push(format!("{prefix}{name}/"));
                }
            }
        }
        level = deeper;
    }
    Ok(files)
}

/// A file's text, unless it is too large or no UTF-8.
fn read_text(path: &Path) -> Option<String> {
    let size = fs::metadata(path).ok()?.len();
    if size > FILE_BYTES_MAX {
        return None;
    }
    fs::read_to_string(path).ok()
}

#[cfg(test)]
#[path = "init_tests.rs"]
mod tests;
