//! Every command in the documentation is run: the `$` lines of each ```` ```console ```` block of README.md and
//! docs/, top to bottom in a scratch project of that document, and the examples of every `--help`.
//!
//! - A line ends with `# exits N` when its exit code is not 0.
//! - `<!-- by hand: COMMAND -->` between the blocks does what the text asks the reader to do.
//! - `cargo run --release --` is the program.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use regex::Regex;

use crate::support::{CHECKS, Project};

/// What begins like this is not run.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo install ", "builds the program once more"),
    ("cargo fmt ", "these are the tests"),
    ("cargo doc ", "opens a browser"),
    ("man ", "is not installed everywhere"),
    ("gh ", "needs an account"),
    ("autoresearch report --serve", "serves until it is stopped"),
    ("sudo ", "changes the machine"),
];

/// What the reader of an example of `--help` has done before.
const BEFORE_EXAMPLE: &[(&str, &str)] = &[
    ("autoresearch try -m \"Reuse", "echo 70 > src/cost.txt"),
    (
        "autoresearch try -m \"Add",
        "echo 60 > src/cost.txt && echo new > src/cache.txt",
    ),
    ("autoresearch finalize --plan", "git checkout --quiet -- src"),
];

/// Exact, and able to profile itself.
const SCRIPT: &str = "#!/usr/bin/env bash\nset -e\ncost=$(<src/cost.txt)\n\
    if [ -n \"${AUTORESEARCH_PROFILE:-}\" ]; then\n\
      printf 'main;parse %s\\nmain;write 100\\n' \"$cost\" >\"$AUTORESEARCH_PROFILE.folded\"\n\
    fi\n\
    echo \"METRIC cost=$cost\"\n";

/// As the toy's of the other tests, with an agent.
const CONFIG: &str = r#"{
  "name": "toy",
  "metric": {"name": "cost", "unit": "ms"},
  "guards": [{"name": "driver.wall_ms", "tolerance_percent": 95}],
  "min_run_ms": 0,
  "self_report": "off",
  "scope": ["src/**"],
  "agent": {"preset": "claude"}
}
"#;

/// Stands in for an agent's CLI: gains one more each time.
const AGENT: &str =
    "#!/usr/bin/env bash\necho $(($(<src/cost.txt) - 5)) > src/cost.txt\n\
    echo '{\"description\": \"Do less\", \"cost_usd\": 0.1}' > \"$AUTORESEARCH_ANSWER\"\n";

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("no-gain", &[("src/cost.txt", "101\n")]),
    ("buffer", &[("src/cost.txt", "90\n")]),
    ("broken", &[("src/cost.txt", "none\n")]),
    ("wrong", &[("src/cost.txt", "80\n"), ("src/bad.txt", "\n")]),
    ("other-file", &[("src/note.txt", "two\n")]),
];

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
            let code = exits.captures(command).map_or(Ok(0), |found| found[1].parse());
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
        let before = BEFORE_EXAMPLE.iter().find(|(start, _)| example.starts_with(start));
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
fn scratch() -> Project {
    let project = Project::with_config(SCRIPT, CONFIG);
    project.write("autoresearch.checks.sh", CHECKS);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "4"]).expect(0);
    let counts = project.verdicts();
    assert_eq!(
        counts.iter().map(|(status, _)| status.as_str()).collect::<Vec<_>>(),
        ["discard", "keep", "crash", "checks_failed"]
    );
    let bin = project.beside("bin");
    fs::create_dir_all(&bin).expect("a directory");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_autoresearch"), bin.join("autoresearch"))
        .expect("a link");
    project.write("../bin/claude.sh", AGENT);
    fs::rename(bin.join("claude.sh"), bin.join("claude")).expect("an agent");
    let origin = project.beside("origin.git");
    project.git(&["clone", "--quiet", "--bare", ".", &origin.to_string_lossy()]);
    project.git(&["remote", "add", "origin", "https://example.com/you/project.git"]);
    project.write(
        "../home/.gitconfig",
        &format!(
            "[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n\
             [url \"{}\"]\ninsteadOf = https://example.com/you/project.git\n",
            origin.display()
        ),
    );
    project.write("../home/src/my-project/README.md", "Knows nothing of us.\n");
    project.write("../home/src/my-project/src/cost.txt", "100\n");
    project
}

/// One shell that does all steps, and stops at the first one that does not end as documented.
fn script(name: &str, steps: &[Step]) -> String {
    let cargo = Regex::new(r"cargo run --release -- ").expect("a pattern");
    let mut script = String::from(
        "export PATH=\"$PWD/../bin:$PATH\" GIT_CONFIG_GLOBAL=\"$HOME/.gitconfig\"\n\
         (cd ~/src/my-project && git init --quiet && git add . && git commit --quiet -m start) || exit 98\n",
    );
    for step in steps {
        if NOT_RUN.iter().any(|(start, _)| step.command.starts_with(start)) {
            continue;
        }
        let command = cargo.replace_all(&step.command, "autoresearch ");
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
fn run(name: &str, steps: &[Step]) -> Option<String> {
    if steps.is_empty() {
        return None;
    }
    let script = script(name, steps);
    let output = scratch().shell(&format!("exec 2>&1\n{script}"));
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

/// Runs these side by side; the order in which they end does not matter.
#[track_caller]
fn run_all(all: &[(String, Vec<Step>)]) {
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = all
            .iter()
            .map(|(name, steps)| scope.spawn(|| run(name, steps)))
            .collect();
        let ended = running.into_iter().map(|thread| thread.join().expect("no panic"));
        ended.flatten().collect()
    });
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
