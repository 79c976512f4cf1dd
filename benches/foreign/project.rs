//! The projects, and what their user does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::outcome::Truth;

/// A project of this directory.
pub struct Project {
    /// Its directory, and the name in the table.
    pub name: &'static str,
    /// Programs that it needs.
    needs: &'static [&'static str],
    /// What `init` must say that it is.
    found: &'static str,
    /// What its user adds to the config that `init` wrote.
    settings: fn() -> Value,
    /// The candidates in the order of the backlog, then the agent's.
    pub candidates: &'static [(&'static str, Truth)],
}

/// All of them.
pub const PROJECTS: &[Project] = &[
    Project {
        name: "accesslog",
        needs: &["cargo"],
        found: "Found: Rust with criterion benchmarks (summary)",
        settings: || {
            json!({ "knobs": [{ "name": "block", "file": "src/summary.rs", "const": "BLOCK_LINES",
                                "values": [2, 8, 512] }] })
        },
        candidates: &[
            ("every-other-line", Truth::WrongAnswer),
            ("check-first", Truth::Loss),
            ("missing-brace", Truth::NoBuild),
            ("smaller-input", Truth::TouchesBenchmark),
            ("clearer-names", Truth::NoOp),
            ("borrow-fields", Truth::Gain),
            ("better-messages", Truth::NoOp),
            ("block = 2", Truth::Loss),
            ("block = 512", Truth::Gain),
            ("count-in-a-map", Truth::SmallGain),
        ],
    },
    Project {
        name: "tinysearch",
        needs: &["python3"],
        found: "Found: Python with benchmarks/bench_search.py",
        settings: || {
            json!({ "knobs": [{ "name": "block", "file": "src/tinysearch/index.py",
                                "pattern": "BLOCK = {value}", "values": [1, 4, 512] }] })
        },
        candidates: &[
            ("first-two-words", Truth::WrongAnswer),
            ("search-twice", Truth::Loss),
            ("missing-colon", Truth::NoBuild),
            ("fewer-documents", Truth::TouchesBenchmark),
            ("say-more", Truth::NoOp),
            ("set-of-others", Truth::Gain),
            ("name-the-result", Truth::NoOp),
            ("block = 1", Truth::Loss),
            ("block = 512", Truth::SmallGain),
            ("regex-tokens", Truth::SmallGain),
        ],
    },
    Project {
        name: "csvtable",
        needs: &["node", "npm"],
        found: "Found: Node with `node bench/run.js`",
        settings: || {
            json!({
                "proposers": ["ideas", "agent"],
                "agent": { "command": ["bash", "agent.sh", "{prompt_file}"] },
                "hooks": { "after": ["tee", "-a", "hooks.log"] }
            })
        },
        candidates: &[
            ("no-quotes", Truth::WrongAnswer),
            ("look-before", Truth::Loss),
            ("missing-brace", Truth::NoBuild),
            ("fewer-rows", Truth::TouchesBenchmark),
            ("for-another-version", Truth::DoesNotApply),
            ("better-message", Truth::NoOp),
            ("push-rows", Truth::Gain),
            ("say-what-it-throws", Truth::NoOp),
            ("group-in-a-map", Truth::Gain),
            ("agent: other names", Truth::NoOp),
        ],
    },
];

impl Project {
    /// Why it cannot be run on this machine.
    pub fn cannot_run(&self) -> Option<String> {
        let starts = |program: &&&str| {
            let mut command = Command::new(program);
            let quiet = command.arg("--version").stdout(Stdio::null());
            quiet.status().is_ok_and(|status| status.success())
        };
        let missing = self.needs.iter().find(|program| !starts(program));
        missing.map(|program| format!("{program} is not installed"))
    }

    /// Does what a user does, in a repository below `directory`; the ledger's lines.
    pub fn ten_iterations(&self, directory: &Path) -> Result<Vec<Value>, String> {
        let user = User::new(directory, self.name)?;
        user.copy_project()?;
        if user.has("Cargo.toml") {
            user.fetch_crates()?;
        }
        user.commit("Start")?;
        let said = user.run(env!("CARGO_BIN_EXE_autoresearch"), &["init"])?;
        eprint!("{said}");
        if said.lines().next() != Some(self.found) {
            return Err(format!("{}: init did not say {:?}", self.name, self.found));
        }
        user.set(&(self.settings)())?;
        user.copy_backlog()?;
        user.commit("Add autoresearch")?;
        let iterations = self.candidates.len().to_string();
        user.watch(&["run", "--max-iterations", &iterations])?;
        user.watch(&["explain"])?;
        user.ledger()
    }
}

struct User {
    source: PathBuf,
    root: PathBuf,
    work: PathBuf,
}

impl User {
    fn new(directory: &Path, name: &str) -> Result<Self, String> {
        let root = directory.join(name);
        fs::create_dir_all(directory).map_err(|error| shown(directory, &error))?;
        fs::create_dir(&root).map_err(|error| shown(&root, &error))?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foreign");
        let user = Self {
            source: source.join(name),
            root,
            work: directory.join("work"),
        };
        user.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(user)
    }

    fn has(&self, file: &str) -> bool {
        self.root.join(file).exists()
    }

    /// The project without its backlog: that comes after `init`.
    fn copy_project(&self) -> Result<(), String> {
        for entry in read_dir(&self.source)? {
            if !["ideas", "ideas.md", "target"].contains(&entry.as_str()) {
                copy(&self.source.join(&entry), &self.root.join(&entry))?;
            }
        }
        Ok(())
    }

    /// In the place of the empty one that `init` wrote.
    fn copy_backlog(&self) -> Result<(), String> {
        for name in ["ideas", "ideas.md"] {
            copy(&self.source.join(name), &self.root.join(name))?;
        }
        Ok(())
    }

    /// Criterion, from what cargo has on this machine or else from the network; writes Cargo.lock.
    fn fetch_crates(&self) -> Result<(), String> {
        if self.run("cargo", &["fetch", "--offline"]).is_ok() {
            return Ok(());
        }
        eprintln!("foreign: criterion is not among cargo's downloads; fetching it");
        let fetched = self.run("cargo", &["fetch"]).map(drop);
        fetched.map_err(|error| format!("criterion is neither here nor can be fetched: {error}"))
    }

    /// Adds these settings to the config.
    fn set(&self, settings: &Value) -> Result<(), String> {
        let path = self.root.join("autoresearch.config.json");
        let text = fs::read_to_string(&path).map_err(|error| shown(&path, &error))?;
        let mut config: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| shown(&path, &error))?;
        config.extend(settings.as_object().cloned().unwrap_or_default());
        let text = format!("{:#}\n", Value::Object(config));
        fs::write(&path, text).map_err(|error| shown(&path, &error))
    }

    fn commit(&self, message: &str) -> Result<(), String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    fn git(&self, arguments: &[&str]) -> Result<(), String> {
        let identity = ["-c", "user.name=me", "-c", "user.email=me@example.com"];
        self.run("git", &[&identity, arguments].concat()).map(drop)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("AUTORESEARCH_WORK_DIR", &self.work);
        command
    }

    /// Runs a program to its end; its standard output.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(program, arguments).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!(
            "{program} {arguments:?}: {}\n{said}",
            output.status
        ))
    }

    /// Runs our binary with its output on the terminal.
    fn watch(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = self.command(env!("CARGO_BIN_EXE_autoresearch"), arguments);
        let status = command.stdout(std::io::stderr()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("autoresearch {arguments:?}: {status}")),
            Err(error) => Err(format!("autoresearch: {error}")),
        }
    }

    fn ledger(&self) -> Result<Vec<Value>, String> {
        let path = self.root.join("experiments.jsonl");
        let text = fs::read_to_string(&path).map_err(|error| shown(&path, &error))?;
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| shown(&path, &error)))
            .collect()
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        return fs::copy(from, to)
            .map(drop)
            .map_err(|error| shown(from, &error));
    }
    fs::create_dir_all(to).map_err(|error| shown(to, &error))?;
    for entry in read_dir(from)? {
        copy(&from.join(&entry), &to.join(&entry))?;
    }
    Ok(())
}

fn read_dir(directory: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(directory).map_err(|error| shown(directory, &error))?;
    let names = entries.map(|entry| {
        let name = entry.map_err(|error| shown(directory, &error))?.file_name();
        name.into_string()
            .map_err(|name| format!("{}: {name:?} is no UTF-8", directory.display()))
    });
    names
        .filter(|name| name.as_deref() != Ok("__pycache__"))
        .collect()
}

fn shown(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
