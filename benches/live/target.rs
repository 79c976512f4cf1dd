//! The target: a repository with one small program, and the load beside it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::candidates::Candidate;

/// Steps of the loop before any candidate: about 200 ms, so that starting the process, which no
/// candidate makes faster, is one part in a hundred.
const STEPS: u64 = 100_000_000;

const SCRIPT: &str = "#!/usr/bin/env bash\nexec ./burn\n";

/// The answer of a correct program does not depend on how much it works; and one that prints no
/// figure must not be kept for what the driver measures.
const CHECKS: &str = "#!/usr/bin/env bash
set -e
out=$(./burn)
grep -q '^answer right$' <<< \"$out\" || { echo 'wrong answer'; exit 1; }
grep -q '^METRIC work_ms=' <<< \"$out\" || { echo 'no figure'; exit 1; }
";

/// A repository in a temporary directory.
pub struct Target {
    directory: TempDir,
}

impl Target {
    /// Writes program, scripts, config and backlog, and commits them.
    pub fn create(candidates: &[Candidate], metric: &str) -> Result<Self, String> {
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let target = Self { directory };
        let config = serde_json::json!({
            "name": "live",
            "metric": {"name": metric, "unit": "ms"},
            "build": ["rustc", "-O", "--edition", "2021", "-o", "burn", "src/main.rs"],
            "artifacts": ["burn"],
            "scope": ["src/**"],
        });
        target.write("autoresearch.config.json", &format!("{config:#}\n"))?;
        target.write("autoresearch.sh", SCRIPT)?;
        target.write("autoresearch.checks.sh", CHECKS)?;
        target.write(".gitignore", "/burn\n")?;
        target.write("src/main.rs", &program(candidates))?;
        for candidate in candidates {
            target.write(&file_of(candidate), Candidate::original())?;
        }
        let mut backlog = "# Candidates with a known truth\n\n".to_owned();
        for candidate in candidates {
            let id = candidate.id();
            target.write(&format!("ideas/{id}.patch"), &patch(candidate))?;
            backlog.push_str(&format!(
                "- [ ] **{id}** (p1) {:?}\n  - patch: ideas/{id}.patch\n",
                candidate.truth
            ));
        }
        target.write("ideas.md", &backlog)?;
        target.git(&["init", "--quiet", "--initial-branch=main"])?;
        target.git(&["add", "--all"])?;
        target.git(&["commit", "--quiet", "--message", "start"])?;
        Ok(target)
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    fn write(&self, path: &str, content: &str) -> Result<(), String> {
        let path = self.root().join(path);
        let parent = path.parent().ok_or("a file has a parent")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn git(&self, arguments: &[&str]) -> Result<(), String> {
        let identity = ["-c", "user.name=live", "-c", "user.email=live@example.com"];
        self.command("git", &[&identity, arguments].concat())
    }

    /// Runs the binary; its progress goes to the terminal.
    pub fn autoresearch(&self, arguments: &[&str]) -> Result<(), String> {
        self.command(env!("CARGO_BIN_EXE_autoresearch"), arguments)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let status = Command::new(program)
            .args(arguments)
            .current_dir(self.root())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("AUTORESEARCH_WORK_DIR", self.directory.path().join("work"))
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| format!("{program}: {error}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{program} {arguments:?}: {status}"))
        }
    }

    /// The lines of the ledger.
    pub fn ledger(&self) -> Result<Vec<Value>, String> {
        let path = self.root().join("experiments.jsonl");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| error.to_string()))
            .collect()
    }
}

fn file_of(candidate: &Candidate) -> String {
    format!("src/{}.rs", candidate.id())
}

/// The program: the product of all factors decides how often the loop turns. The answer is computed
/// after the timer from a fixed number of steps.
fn program(candidates: &[Candidate]) -> String {
    let mut modules = String::new();
    let mut factors = Vec::new();
    let mut texts = Vec::new();
    for candidate in candidates {
        let id = candidate.id();
        modules.push_str(&format!("mod {id};\n"));
        factors.push(format!("{id}::FACTOR"));
        texts.push(format!("{id}::TEXT"));
    }
    format!(
        r#"use std::hint::black_box;
use std::time::Instant;

{modules}
const FACTORS: &[f64] = &[{}];
const TEXTS: &[&str] = &[{}];

#[inline(never)]
fn work(steps: u64) -> u64 {{
    let mut x = black_box(88_172_645_463_325_252_u64);
    for _ in 0..steps {{
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }}
    x
}}

fn main() {{
    let texts = black_box(TEXTS);
    if texts.contains(&"exit") {{
        std::process::exit(3);
    }}
    let steps = ({STEPS}_f64 * black_box(FACTORS).iter().product::<f64>()).round() as u64;
    let started = Instant::now();
    black_box(work(black_box(steps)));
    let ms = started.elapsed().as_secs_f64() * 1e3;
    if !texts.contains(&"silent") {{
        println!("METRIC work_ms={{ms}}");
    }}
    println!("answer {{}}", if texts.contains(&"wrong") {{ "wrong" }} else {{ "right" }});
}}
"#,
        factors.join(", "),
        texts.join(", ")
    )
}

fn patch(candidate: &Candidate) -> String {
    let path = file_of(candidate);
    let (old, new) = (Candidate::original(), candidate.source());
    let lines = |text: &str, sign: char| {
        text.lines()
            .map(|line| format!("{sign}{line}\n"))
            .collect::<String>()
    };
    format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{} +1,{} @@\n{}{}",
        old.lines().count(),
        new.lines().count(),
        lines(old, '-'),
        lines(&new, '+')
    )
}

/// Processes that load the machine; they end with this value.
pub struct Load(Vec<Child>);

impl Load {
    /// Starts them.
    pub fn start(count: u32) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut load = Self(Vec::new());
        for number in 1..=count {
            let child = Command::new(&program)
                .env(super::LOAD_VARIABLE, number.to_string())
                .spawn()
                .map_err(|error| error.to_string())?;
            load.0.push(child);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Works and rests in bursts of 20 to 2000 ms, so that the load drifts as a shared machine's does.
/// Ends with its parent.
pub fn make_load() -> ! {
    let parent = std::os::unix::process::parent_id();
    let mut state = u64::from(std::process::id());
    let mut burst = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Log-uniform: as many short bursts as long ones.
        Duration::from_millis(20 * 10_u64.pow((state % 3) as u32).min(100))
    };
    while std::os::unix::process::parent_id() == parent {
        let until = Instant::now() + burst();
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        std::thread::sleep(burst());
    }
    std::process::exit(0)
}
