//! A hermetic repository with a scripted benchmark, and the binary run in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

/// Prints an exact metric: whatever `src/cost.txt` says.
pub const EXACT_SCRIPT: &str =
    "#!/usr/bin/env bash\nset -e\necho \"METRIC cost=$(<src/cost.txt)\"\n";

/// Prints the cost, a whole number, with a uniform noise of 1 %: times 1 + (RANDOM - 16384) / 1638400.
pub const NOISY_SCRIPT: &str = "#!/usr/bin/env bash\nset -e\nn=$(<src/cost.txt)\n\
    echo \"METRIC cost=$((${n:-0} * (1622016 + RANDOM) * 15625 / 256))e-8\"\n";

/// The gate refuses any tree with `src/bad.txt`.
pub const CHECKS: &str =
    "#!/usr/bin/env bash\nif [ -e src/bad.txt ]; then echo 'src/bad.txt exists'; exit 1; fi\n";

/// Wall time of a script of some milliseconds is all noise, on a busy machine by factors. Its guard cannot be
/// left out, but turned round: a candidate may not take less than a ten-thousandth. And the cost is made up, so
/// it is not compared with the driver's clock.
pub const CONFIG: &str = r#"{
  "name": "toy",
  "metric": {"name": "cost", "unit": "ms"},
  "guards": [{"name": "driver.wall_ms", "direction": "higher", "tolerance_percent": 99.99}],
  "min_run_ms": 0,
  "self_report": "off",
  "scope": ["src/**"]
}
"#;

/// A config as it is, but for the sandbox.
pub fn unconfined(config: &str) -> String {
    config.replacen("\"min_run_ms\"", "\"sandbox\": \"off\", \"min_run_ms\"", 1)
}

/// A project in a temporary directory.
pub struct Project {
    directory: TempDir,
}

/// What a finished command printed.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Of a finished process.
    pub fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails unless stderr has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in stderr:\n{}",
            self.stderr
        );
        self
    }
}

impl Project {
    /// The toy project with this benchmark script, everything committed.
    pub fn new(script: &str) -> Self {
        Self::with_config(script, CONFIG)
    }

    /// The same without a sandbox, for scripts that reach what a sandbox hides: the loop itself, or
    /// files outside the worktree.
    pub fn unconfined(script: &str) -> Self {
        Self::with_config(script, &unconfined(CONFIG))
    }

    /// The toy project with this script and config.
    pub fn with_config(script: &str, config: &str) -> Self {
        let project = Self::empty();
        project.write("autoresearch.sh", script);
        project.write("autoresearch.checks.sh", CHECKS);
        project.write("autoresearch.config.json", config);
        project.write("src/cost.txt", "100\n");
        project.write("src/note.txt", "one\n");
        project.write(".gitignore", "/ignored\n");
        project.commit("start");
        project
    }

    /// A repository without commits.
    pub fn empty() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let project = Self { directory };
        fs::create_dir(project.root()).expect("a new directory");
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project
    }

    /// A copy of a project with all that is beside it, at a place of its own.
    pub fn copy_of(other: &Self) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let all = other.directory.path().join(".");
        let copied = Command::new("cp")
            .arg("-a")
            .args([&all, directory.path()])
            .status();
        assert!(copied.expect("cp starts").success());
        Self { directory }
    }

    /// The checkout.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("toy")
    }

    /// A place beside the checkout.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the slots are.
    pub fn work_dir(&self) -> PathBuf {
        self.beside("work")
    }

    /// Writes a file of the checkout.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, content).expect("a written file");
        if path.extension().is_some_and(|extension| extension == "sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        }
    }

    /// Reads a file of the checkout.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Makes the backlog: each entry is an id and the files its patch changes.
    pub fn ideas(&self, ideas: &[(&str, &[(&str, &str)])]) {
        let mut backlog = String::from("# Ideas\n\n");
        for (id, files) in ideas {
            for (path, content) in *files {
                self.write(path, content);
            }
            self.git(&["add", "--all", "src"]);
            let patch = self.git(&["diff", "--cached"]);
            self.git(&["reset", "--quiet", "--hard"]);
            self.write(&format!("ideas/{id}.patch"), &patch);
            backlog.push_str(&format!(
                "- [ ] **{id}** (p1) Try {id}.\n  - patch: ideas/{id}.patch\n"
            ));
        }
        self.write("ideas.md", &backlog);
        self.commit("ideas");
    }

    /// Runs git; fails when git does.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self
            .hermetic(
                Command::new("git")
                    .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
                    .args(arguments),
            )
            .output()
            .expect("git starts");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The binary with these arguments, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoresearch"));
        self.hermetic(command.args(arguments));
        command
    }

    /// The binary with these arguments, started by a wrapper, whose last arguments it and they are.
    pub fn wrapped(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(wrapper[0]);
        let binary = [env!("CARGO_BIN_EXE_autoresearch")];
        self.hermetic(command.args(&wrapper[1..]).args(binary).args(arguments));
        command
    }

    /// Runs the binary to its end.
    #[must_use = "look at the exit code or the output"]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).output().expect("the binary starts"))
    }

    /// Runs the binary to its end with further environment variables.
    #[must_use = "look at the exit code or the output"]
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Ran {
        let output = self
            .command(arguments)
            .envs(variables.iter().copied())
            .output();
        Ran::new(output.expect("the binary starts"))
    }

    /// Runs a shell script in the checkout.
    pub fn shell(&self, script: &str) -> Output {
        self.hermetic(Command::new("bash").args(["-c", script]))
            .output()
            .expect("bash starts")
    }

    /// No settings of the machine's user reach the test.
    fn hermetic<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.beside("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("AUTORESEARCH_WORK_DIR", self.work_dir())
            .env("AUTORESEARCH_MACHINE_LOCK", self.beside("machine.lock"))
    }

    /// The ledger's lines; one that a kill cut short is none.
    pub fn ledger(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.root().join("experiments.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// The ledger's candidates.
    pub fn runs(&self) -> Vec<Value> {
        self.ledger()
            .into_iter()
            .filter(|line| line["type"] == "run")
            .collect()
    }

    /// Status and reason of every candidate.
    pub fn verdicts(&self) -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.runs()
            .iter()
            .map(|run| (word(&run["status"]), word(&run["reason"])))
            .collect()
    }

    /// Fails unless the candidates are numbered 1, 2, and so on.
    #[track_caller]
    pub fn assert_numbered(&self, case: &str) {
        let numbers: Vec<Value> = self.runs().iter().map(|run| run["run"].clone()).collect();
        let due: Vec<Value> = (1..=numbers.len()).map(Value::from).collect();
        assert_eq!(numbers, due, "{case}");
    }

    /// Fails when a worktree, a branch of ours beside `autoresearch/*`, or a slot is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let worktrees = self.git(&["worktree", "list", "--porcelain"]);
        assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
        let branches = self.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
        for branch in branches.lines() {
            assert!(
                branch == "refs/heads/main" || branch.starts_with("refs/heads/autoresearch/"),
                "{branch}"
            );
        }
        let slots: Vec<PathBuf> = files_below(&self.work_dir())
            .into_keys()
            .filter(|path| path.to_string_lossy().contains("/slot-"))
            .collect();
        assert!(slots.is_empty(), "{slots:?}");
        self.command(&["status"])
            .output()
            .expect("the lock is free");
    }

    /// Every file of the checkout and git's index, but for the ledger, the backlog and git's objects.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(&self.root())
            .into_iter()
            .filter(|(path, _)| {
                let path = path.strip_prefix(self.root()).expect("below the root");
                let is_git = path.starts_with(".git") && path != Path::new(".git/index");
                let is_ours = ["experiments.jsonl", "ideas.md"]
                    .iter()
                    .any(|name| path == Path::new(name));
                !is_git && !is_ours
            })
            .collect()
    }
}

/// Content of every file below a directory; a link's is its target.
pub fn files_below(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a file type"));
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).expect("a link's target");
            files.insert(path, target.into_os_string().into_encoded_bytes());
        } else {
            match fs::read(&path) {
                Ok(content) => drop(files.insert(path, content)),
                // Of a loop at work, since the directory was read.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }
    files
}

/// Plays every case, two at a time: the loop waits as often as it computes.
pub fn in_parallel<T>(cases: impl Iterator<Item = T> + Send, play: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases);
    let next = || cases.lock().expect("no holder panics").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = next() {
                    play(case);
                }
            });
        }
    });
}

/// The pair of words a verdict is compared with.
pub fn verdict(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}
