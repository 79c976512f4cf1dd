//! What the documentation says is there: links, flags, commands, codes, snippets, manual pages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use autoresearch::cli::Cli;
use autoresearch::flow::config::Config;
use autoresearch::flow::record::Reason;
use autoresearch::propose::agent::Brief;
use autoresearch::propose::agent_answer::parse_answer;
use clap::CommandFactory;
use regex::Regex;
use serde_json::Value;

use crate::documented::documents;
use crate::support::Project;

/// Flags of other programs, which the documents may name.
const OTHER_PROGRAMS: &[(&str, &[&str])] = &[
    (
        "cargo",
        &[
            "all",
            "all-targets",
            "bench",
            "check",
            "features",
            "locked",
            "no-deps",
            "no-run",
            "open",
            "path",
            "quiet",
            "release",
            "workspace",
        ],
    ),
    (
        "git",
        &[
            "ff-only",
            "hard",
            "init",
            "initial-branch",
            "quiet",
            "recursive",
            "reverse",
            "stat",
            "theirs",
        ],
    ),
    ("gh", &["body-file", "head"]),
    ("criterion", &["measurement-time", "noplot", "warm-up-time"]),
    ("hyperfine", &["export-json", "runs", "shell", "warmup"]),
    ("node", &["input-type"]),
    ("claude", &["add-dir", "model", "permission-mode"]),
    ("codex", &["sandbox"]),
    ("gemini", &["approval-mode"]),
    (
        "aider",
        &[
            "message-file",
            "no-auto-commits",
            "no-check-update",
            "no-dirty-commits",
            "no-gitignore",
            "yes-always",
        ],
    ),
    ("my-agent", &["brief", "prompt"]),
    ("labloop", &["confirm", "min-delta"]),
    ("codex-autoresearch", &["from-last"]),
];

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// Long flags of a command.
fn flags(command: &clap::Command) -> BTreeSet<String> {
    command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(str::to_owned)
        .collect()
}

/// The program's definition with the flags that all commands have.
fn program() -> clap::Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// The fenced blocks of a text: language, content.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let fence = pattern(r"(?ms)^```(\w*)[^\n]*\n(.*?)^```$");
    fence
        .captures_iter(text)
        .map(|block| {
            (
                block.get(1).map_or("", |word| word.as_str()),
                block[2].to_owned(),
            )
        })
        .collect()
}

#[test]
fn every_flag_in_the_documents_is_one_of_ours_or_of_a_program_that_is_named() {
    let program = program();
    let mut known: BTreeSet<String> = flags(&program);
    known.extend(program.get_subcommands().flat_map(flags));
    let mut others: BTreeSet<&str> = OTHER_PROGRAMS
        .iter()
        .flat_map(|(_, flags)| flags.iter().copied())
        .collect();
    let flag = pattern(r#"(?:^|[\s`"(\[/])--([a-z][a-z0-9-]*)"#);
    let mut used = BTreeSet::new();
    for (name, text) in documents() {
        for found in flag.captures_iter(&text) {
            let flag = &found[1];
            assert!(
                known.contains(flag) || others.contains(flag),
                "{name} has --{flag}, which no command has"
            );
            used.insert(flag.to_owned());
        }
    }
    others.retain(|flag| !used.contains(*flag));
    assert!(others.is_empty(), "no document has {others:?}");
}

#[test]
fn every_command_in_the_text_has_the_flags_that_it_is_shown_with() {
    let program = program();
    let span = pattern(r"`autoresearch(?: -[Cq] ?\S*)* ([a-z]+)([^`\n]*)`");
    let typed = pattern(r"(?m)^\$ (?:cargo run --release -- |autoresearch )([a-z]+)([^|>#;&\n]*)");
    let flag = pattern(r"(?:^|\s)--([a-z-]+)");
    for (name, text) in documents() {
        for found in span.captures_iter(&text).chain(typed.captures_iter(&text)) {
            let command = program.find_subcommand(&found[1]);
            let command = command.unwrap_or_else(|| panic!("{name}: no command {}", &found[1]));
            for word in flag.captures_iter(&found[2]) {
                assert!(
                    flags(command).contains(&word[1]),
                    "{name}: `{}` has no --{}",
                    &found[1],
                    &word[1]
                );
            }
        }
    }
}

#[test]
fn the_readme_lists_every_command_and_every_document() {
    let documents = documents();
    let (_, readme) = &documents[0];
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let row = pattern(&format!(r"(?m)^\|[^|]*`{name}`[^|]*\|"));
        assert!(row.is_match(readme), "README.md has no row for {name}");
    }
    for (name, _) in &documents[1..] {
        assert!(
            readme.contains(&format!("({name})")),
            "README.md does not link to {name}"
        );
    }
}

/// The anchors that a forge makes of the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = pattern(r"(?m)^#+ (.*)$");
    let dropped = pattern(r"[^\w\- ]");
    heading
        .captures_iter(text)
        .map(|line| {
            dropped
                .replace_all(&line[1].to_lowercase(), "")
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_within_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let link = pattern(r"\]\(([^)\s]+)\)");
    let code = pattern(r"(?ms)^```.*?^```$|`[^`\n]*`");
    let mut all = documents();
    let security = std::fs::read_to_string(root.join("SECURITY.md")).expect("a file");
    all.push(("SECURITY.md".to_owned(), security));
    for (name, text) in &all {
        let here = root.join(name);
        for found in link.captures_iter(&code.replace_all(text, "")) {
            let target = &found[1];
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => here.clone(),
                path => here.parent().expect("a directory").join(path),
            };
            assert!(
                file.exists(),
                "{name} links to {target}, which is not there"
            );
            if !anchor.is_empty() {
                let content = std::fs::read_to_string(&file).expect("a text");
                assert!(
                    anchors(&content).contains(anchor),
                    "{name} links to {target}; there is no such heading"
                );
            }
        }
    }
}

/// `{...}` as it is, `"key": value` as a part of an object.
fn object(text: &str) -> Value {
    let whole = match text.trim_start().starts_with('{') {
        true => text.to_owned(),
        false => format!("{{{text}}}"),
    };
    serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

#[test]
fn every_json_snippet_is_read_by_what_reads_it_in_earnest() {
    let mut count = 0;
    for (name, text) in documents() {
        for (_, snippet) in blocks(&text)
            .into_iter()
            .filter(|(language, _)| *language == "json")
        {
            let mut value = object(&snippet);
            let has = |key: &str| value.get(key).is_some();
            let problem = if has("answer_file") {
                serde_json::from_value::<Brief>(value)
                    .err()
                    .map(|error| error.to_string())
            } else if has("asi") {
                parse_answer(&snippet).err().map(|error| error.render())
            } else {
                if !has("metric") {
                    value["metric"] = "any_ms".into();
                }
                Config::parse(&value.to_string(), &name)
                    .err()
                    .map(|error| error.render())
            };
            assert_eq!(problem, None, "{name}:\n{snippet}");
            count += 1;
        }
    }
    assert!(count > 5, "only {count} snippets were found");
}

#[test]
fn every_shell_snippet_is_shell() {
    let mut count = 0;
    for (name, text) in documents() {
        for (_, snippet) in blocks(&text)
            .into_iter()
            .filter(|(language, _)| *language == "bash")
        {
            let mut bash = Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("bash starts");
            let mut input = bash.stdin.take().expect("a pipe");
            input.write_all(snippet.as_bytes()).expect("bash reads");
            drop(input);
            let ended = bash.wait_with_output().expect("bash ends");
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(
                ended.status.success() && said.is_empty(),
                "{name}: {said}\n{snippet}"
            );
            count += 1;
        }
    }
    assert!(count > 5, "only {count} snippets were found");
}

/// The codes of all reasons, from the error of the type that reads them.
fn reasons() -> Vec<String> {
    let error = serde_json::from_str::<Reason>("\"no such reason\"").expect_err("no such reason");
    let known = error.to_string();
    let (_, known) = known.split_once("expected one of ").expect("a list");
    let word = pattern(r"`(\w+)`");
    word.captures_iter(known)
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn the_page_on_verdicts_has_every_reason_under_its_status_and_no_other() {
    let text = include_str!("../../docs/verdicts.md");
    let row = pattern(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$");
    let heading = pattern(r"^## `(\w+)`");
    let (mut status, mut found) = (String::new(), BTreeMap::new());
    for line in text.lines() {
        if line.starts_with("## ") {
            status = heading
                .captures(line)
                .map_or(String::new(), |word| word[1].to_owned());
        } else if let Some(cells) = row.captures(line) {
            found.insert(cells[1].to_owned(), (status.clone(), cells[2].to_owned()));
        }
    }
    let all = reasons();
    assert!(all.len() >= 22, "{all:?}");
    assert_eq!(found.keys().collect::<BTreeSet<_>>(), all.iter().collect());
    for (code, (status, words)) in found {
        let reason: Reason = serde_json::from_value(Value::String(code)).expect("a reason");
        assert_eq!(
            (status.as_str(), words.as_str()),
            (reason.status().as_str(), reason.describe())
        );
    }
}

#[test]
fn the_help_of_the_program_has_every_exit_code() {
    let help = Cli::command().render_long_help().to_string();
    for code in ["0", "1", "2", "3", "130"] {
        let line = pattern(&format!(r"(?m)^  {code} +\S"));
        assert!(line.is_match(&help), "no line for exit code {code}");
    }
}

#[test]
fn every_command_says_in_a_line_and_at_length_what_it_does() {
    for command in Cli::command().get_subcommands() {
        let about = command.get_about().expect("a summary").to_string();
        let name = command.get_name();
        assert!(
            about.len() <= 92 && !about.ends_with('.'),
            "{name}: {about}"
        );
        let help = command.clone().render_long_help().to_string();
        assert!(
            help.contains("\nExamples:\n  $ "),
            "{name} has no example:\n{help}"
        );
        let widest = command.get_after_long_help().expect("examples").to_string();
        for line in widest.lines() {
            assert!(line.len() <= 100, "{name}: wider than the help: {line}");
        }
    }
}

/// Fails unless a formatter takes the page without a word, or, where none is installed, its parts
/// are there.
fn check_page(name: &str, page: &str) {
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
        assert!(
            page.contains(&format!(".SH {section}\n")),
            "{name} has no {section}"
        );
    }
    for (number, line) in page.lines().enumerate() {
        let is_request = pattern(r"^\.(ie|el|TH|SH|SS|TP|PP|br|RS|RE|IP|nf|fi)\b").is_match(line);
        assert!(
            is_request || !line.starts_with(['.', '\'']),
            "{name}:{}: {line}",
            number + 1
        );
    }
    for (program, arguments) in [
        ("mandoc", &["-T", "lint", "-W", "error"][..]),
        ("groff", &["-man", "-Tutf8", "-ww", "-z"][..]),
    ] {
        let started = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut formatter) = started else { continue };
        let mut input = formatter.stdin.take().expect("a pipe");
        input.write_all(page.as_bytes()).expect("it reads");
        drop(input);
        let ended = formatter.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            ended.status.success() && said.is_empty(),
            "{program} on {name}: {said}"
        );
    }
}

#[test]
fn there_is_a_manual_page_for_the_program_and_each_command() {
    let project = Project::empty();
    project
        .run(&["man", "--out", "pages"])
        .expect(0)
        .says("pages");
    let pages = crate::support::files_below(&project.root().join("pages"));
    let wanted = Cli::command()
        .get_subcommands()
        .map(|command| format!("autoresearch-{}.1", command.get_name()))
        .chain(["autoresearch.1".to_owned()])
        .collect::<BTreeSet<_>>();
    let name = |path: &Path| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    assert_eq!(
        pages.keys().map(|path| name(path)).collect::<BTreeSet<_>>(),
        wanted
    );
    for (path, content) in &pages {
        check_page(&name(path), &String::from_utf8_lossy(content));
    }
    let page = project.run(&["man", "run"]).expect(0).stdout;
    assert_eq!(
        page.as_bytes(),
        pages[&project.root().join("pages/autoresearch-run.1")]
    );
    assert!(page.contains("\\-\\-max\\-iterations") && page.contains("\\-\\-time\\-limit 8h"));
}

#[test]
fn a_manual_page_of_no_command_and_one_that_cannot_be_written_are_errors() {
    let project = Project::empty();
    project
        .run(&["man", "rum"])
        .expect(2)
        .says("no command \"rum\"");
    project.write("file", "");
    project
        .run(&["man", "--out", "file"])
        .expect(3)
        .says("cannot write");
    project.run(&["man", "run", "--out", "pages"]).expect(2);
}
