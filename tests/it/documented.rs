//! Every command in the documentation is run: the `$` lines of each ```` ```console ```` block of README.md and
//! docs/, top to bottom in a scratch project of that document, and the examples of every `--help`.
//!
//! - A line ends with `# exits N` when its exit code is not 0.
//! - `<!-- by hand: COMMAND -->` between the blocks does what the text asks the reader to do.
//! - `cargo run --release --` is the program.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use clap::CommandFactory;
use regex::Regex;

use crate::ledger_of;
use crate::support::Project;

/// What begins like this is not run.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo install ", "builds the program once more"),
    ("cargo uninstall ", "changes the machine"),
    ("cargo fmt ", "these are the tests"),
    ("man ", "is not installed everywhere"),
    ("gh ", "needs an account"),
    ("autoresearch report --serve", "serves until it is stopped"),
    ("autoresearch watch", "needs a terminal"),
    ("sudo ", "changes the machine"),
];

/// What the reader of an example of `--help` has done before.
const BEFORE_EXAMPLE: &[(&str, &str)] = &[
    (
        "autoresearch try -m \"Reuse",
        "git merge --quiet --ff-only autoresearch/toy && echo 70 > src/cost.txt",
    ),
    (
        "autoresearch try -m \"Add",
        "git checkout --quiet -- src && git merge --quiet --ff-only autoresearch/toy && \
         echo 60 > src/cost.txt && echo new > src/cache.txt",
    ),
    (
        "autoresearch simulate --ledger",
        "cp ../noisy.jsonl experiments.jsonl",
    ),
];

/// Exact, and able to profile itself.
const SCRIPT: &str = r#"#!/usr/bin/env bash
set -e
cost=$(<src/cost.txt)
if [ -n "${AUTORESEARCH_PROFILE:-}" ]; then
  printf 'main;parse %s\nmain;write 100\n' "$cost" > "$AUTORESEARCH_PROFILE.folded"
fi
if [ -e src/broken.txt ]; then exit 1; fi
if [ -e src/bad.txt ]; then cost=$((cost - 10)); fi
echo "METRIC cost=$cost"
"#;

/// As the toy's of the other tests, with an agent, and for speed without a sandbox.
const CONFIG: &str = r#"{
  "name": "toy",
  "metric": {"name": "cost", "unit": "ms"},
  "guards": [{"name": "driver.wall_ms", "direction": "higher", "tolerance_percent": 99.99}],
  "min_run_ms": 0,
  "self_report": "off",
  "scope": ["src/**"],
  "sandbox": "off",
  "agent": {"preset": "claude"}
}
"#;

/// Stands in for an agent's CLI: gains one more each time.
const AGENT: &str = "#!/usr/bin/env bash\necho $(($(<src/cost.txt) - 5)) > src/cost.txt\n\
    echo '{\"description\": \"Do less\", \"cost_usd\": 0.1}' > \"$AUTORESEARCH_ANSWER\"\n";

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("no-gain", &[("src/cost.txt", "101\n")]),
    ("buffer", &[("src/cost.txt", "90\n")]),
    ("broken", &[("src/broken.txt", "\n")]),
    ("wrong", &[("src/bad.txt", "\n")]),
    ("other-file", &[("src/note.txt", "two\n")]),
];

const ORIGIN: &str = "https://example.com/you/project.git";

/// Documents that are worked through at a time; most of it is waiting for processes.
const AT_A_TIME: usize = 4;

/// One step of a document.
struct Step {
    line: usize,
    command: String,
    /// `None` for what is done by hand, which has to work.
    exit: Option<i32>,
}

/// The steps of a Markdown text.
fn steps(text: &str) -> Vec<Step> {
    let exits = Regex::new(r"#.*\bexits (\d+)").expect("a pattern");
    let mut steps = Vec::new();
    let mut is_console = false;
    let mut is_in_block = false;
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            is_in_block = !is_in_block;
            is_console = is_in_block && trimmed == "```console";
            continue;
        }
        let by_hand = line
            .strip_prefix("<!-- by hand: ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        let typed = trimmed.strip_prefix("$ ").filter(|_| is_console);
        if let Some(command) = typed {
            let code = exits
                .captures(command)
                .map_or(Ok(0), |found| found[1].parse());
            steps.push(Step {
                line: index + 1,
                command: command.to_owned(),
                exit: Some(code.expect("an exit code")),
            });
        } else if let (true, Some(step)) = (is_console && goes_on, steps.last_mut()) {
            step.command = format!("{}\n{line}", step.command);
        } else if let Some(command) = by_hand.filter(|_| !is_in_block) {
            steps.push(Step {
                line: index + 1,
                command: command.to_owned(),
                exit: None,
            });
        }
        goes_on = is_console && line.ends_with('\\');
    }
    steps
}

/// The examples of a command's `--help`.
fn examples(command: &clap::Command) -> Vec<Step> {
    let help = command
        .get_after_long_help()
        .or_else(|| command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let typed = help.lines().filter_map(|line| line.strip_prefix("  $ "));
    let mut steps = Vec::new();
    for example in typed {
        let before = BEFORE_EXAMPLE
            .iter()
            .find(|(start, _)| example.starts_with(start));
        if let Some((_, before)) = before {
            steps.push(Step {
                line: 0,
                command: (*before).to_owned(),
                exit: None,
            });
        }
        steps.push(Step {
            line: 0,
            command: example.to_owned(),
            exit: Some(0),
        });
    }
    steps
}

/// A project with a history: one candidate of four was kept; one entry of the backlog is left. Beside
/// it are what it was pushed to, a home with a project that knows nothing of us, and an agent.
fn template() -> Project {
    let project = Project::with_config(SCRIPT, CONFIG);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "4"]).expect(0);
    let verdicts = project.verdicts();
    let statuses: Vec<&str> = verdicts.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(statuses, ["discard", "keep", "crash", "checks_failed"]);
    project.write("../bin/claude.sh", AGENT);
    let bin = project.beside("bin");
    fs::rename(bin.join("claude.sh"), bin.join("claude")).expect("an agent");
    symlink(env!("CARGO_BIN_EXE_autoresearch"), bin.join("autoresearch")).expect("a link");
    let noisy = File::create(project.beside("noisy.jsonl")).expect("a file");
    ledger_of::write(10, &mut BufWriter::new(noisy)).expect("a ledger of a noisy metric");
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/src/simulate/noise_trace.csv");
    fs::copy(recorded, project.beside("runs.csv")).expect("recorded runs");
    let origin = project.beside("origin.git");
    project.git(&["clone", "--quiet", "--bare", ".", &origin.to_string_lossy()]);
    project.git(&["remote", "add", "origin", ORIGIN]);
    project.write("../home/src/my-project/src/cost.txt", "100\n");
    project
}

/// A copy of it, where git finds what it was pushed to.
fn scratch(template: &Project) -> Project {
    let project = Project::copy_of(template);
    let origin = project.beside("origin.git");
    let settings = format!(
        "[user]\nname = t\nemail = t@example.com\n[url \"{}\"]\ninsteadOf = {ORIGIN}\n",
        origin.display()
    );
    project.write("../home/.gitconfig", &settings);
    project
}

/// The command as it is run: this build of the program, and of a simulation, which takes seconds in a
/// release and minutes here, a small part.
fn as_run(command: &str) -> String {
    let command = command.replace("cargo run --release -- ", "autoresearch ");
    let Some(rest) = command.strip_prefix("autoresearch simulate") else {
        return command;
    };
    let streams = Regex::new(r" --streams \d+").expect("a pattern");
    let has_noise = ["--noise", "--trace", "--ledger"]
        .iter()
        .any(|flag| rest.contains(flag));
    let noise = if has_noise { "" } else { " --noise iid2" };
    let rest = streams.replace(rest, "");
    format!("autoresearch simulate --streams 2{noise}{rest}")
}

/// One shell that does all steps, and stops at the first one that does not end as documented.
fn script(name: &str, steps: &[Step]) -> String {
    let mut script = String::from(
        "export PATH=\"$PWD/../bin:$PATH\" GIT_CONFIG_GLOBAL=\"$HOME/.gitconfig\"\n\
         (cd ~/src/my-project && git init --quiet && git add . && git commit --quiet -m start) || exit 98\n",
    );
    for step in steps {
        if NOT_RUN
            .iter()
            .any(|(start, _)| step.command.starts_with(start))
        {
            continue;
        }
        let command = as_run(&step.command);
        let wanted = step.exit.unwrap_or(0);
        let place = format!("{name}:{}", step.line);
        write!(
            script,
            "echo '--- {place}'\n{{\n{command}\n}} < /dev/null; code=$?\n\
             [ $code = {wanted} ] || {{ echo \"{place} ended with $code, not {wanted}\"; exit 99; }}\n",
        )
        .expect("a text");
    }
    script
}

/// What went wrong in a document.
fn run(template: &Project, name: &str, steps: &[Step]) -> Option<String> {
    let script = script(name, steps);
    let output = scratch(template).shell(&format!("exec 2>&1\n{script}"));
    let text = String::from_utf8_lossy(&output.stdout);
    (!output.status.success()).then(|| format!("{name}:\n{text}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md and the guides, by name.
pub fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![("README.md".to_owned(), read(&root.join("README.md")))];
    for path in crate::support::files_below(&root.join("docs")).into_keys() {
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(root).expect("below the root");
            documents.push((name.display().to_string(), read(&path)));
        }
    }
    documents
}

/// Runs documents side by side.
#[track_caller]
fn run_all(all: &[(String, Vec<Step>)]) {
    let template = template();
    let left = Mutex::new(all.iter().filter(|(_, steps)| !steps.is_empty()));
    let failed = Mutex::new(Vec::new());
    let next = || left.lock().expect("no panic").next();
    let work = || {
        while let Some((name, steps)) = next() {
            let problem = run(&template, name, steps);
            failed.lock().expect("no panic").extend(problem);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_command_in_the_documents_ends_as_documented() {
    let all: Vec<_> = documents()
        .into_iter()
        .map(|(name, text)| (name, steps(&text)))
        .collect();
    let count = all.iter().map(|(_, steps)| steps.len()).sum::<usize>();
    assert!(count > 50, "only {count} commands were found");
    run_all(&all);
}

#[test]
fn every_example_of_the_help_ends_well() {
    let program = autoresearch::cli::Cli::command();
    let all: Vec<_> = std::iter::once(&program)
        .chain(program.get_subcommands())
        .map(|command| (format!("{} --help", command.get_name()), examples(command)))
        .collect();
    for (name, steps) in &all {
        assert!(!steps.is_empty(), "{name} has no example");
    }
    run_all(&all);
}

#[test]
fn what_is_not_run_is_in_the_documents() {
    let program = autoresearch::cli::Cli::command();
    let commands: Vec<String> = documents()
        .iter()
        .flat_map(|(_, text)| steps(text))
        .chain(program.get_subcommands().flat_map(examples))
        .map(|step| step.command)
        .collect();
    for (start, _) in NOT_RUN {
        assert!(
            commands.iter().any(|command| command.starts_with(start)),
            "no command begins with {start:?}"
        );
    }
}
