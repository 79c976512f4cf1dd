//! The form of an answer to a mistake, and how it is written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{Project, Ran};

/// The answers so far, as Markdown, and what is wrong with their form.
#[derive(Default)]
pub struct Answers {
    /// Markdown.
    pub text: String,
    /// What breaks the rules of [`Answers::check_form`].
    pub problems: Vec<String>,
}

impl Answers {
    pub fn new() -> Self {
        let text = "# What mistakes are answered with\n\n\
            Written by `tests/it/mistakes.rs`. Places and numbers that differ from machine to machine are in `<>`.\n"
            .to_owned();
        Self {
            text,
            problems: Vec::new(),
        }
    }

    pub fn chapter(&mut self, name: &str) {
        self.text.push_str(&format!("\n## {name}\n"));
    }

    /// A command that must not begin: an error on stderr, nothing on stdout, no file changed.
    pub fn refused(&mut self, mistake: &str, project: &Project, arguments: &[&str], code: i32) {
        self.refused_with(mistake, project, arguments, &[], code);
    }

    pub fn refused_with(
        &mut self,
        mistake: &str,
        project: &Project,
        arguments: &[&str],
        variables: &[(&str, &Path)],
        code: i32,
    ) {
        let before = (project.snapshot(), lines_of_ledger(project));
        let ran = project.run_with(arguments, variables);
        let after = (project.snapshot(), lines_of_ledger(project));
        self.check(mistake, before == after, "something was written");
        self.check_form(mistake, &ran, code);
        self.add(mistake, project, arguments, &ran, &ran.stderr);
    }

    /// A `run` that cannot go on after it began: an error, and no candidate judged.
    pub fn stopped(&mut self, mistake: &str, project: &Project, variables: &[(&str, &Path)]) {
        let arguments = ["run", "-n", "1"];
        let ran = project.run_with(&arguments, variables);
        self.check(mistake, project.runs().is_empty(), "a candidate was judged");
        self.check_form(mistake, &ran, 3);
        self.add(mistake, project, &arguments, &ran, &ran.stderr);
        project.assert_nothing_left();
    }

    /// A candidate at fault: the loop goes on, and the record says why.
    pub fn recorded(&mut self, mistake: &str, project: &Project) {
        let arguments = ["run", "-n", "1"];
        let ran = project.run(&arguments);
        self.check(mistake, ran.code == Some(0), &ran.stderr);
        let run = project.runs().pop().unwrap_or_default();
        let word = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let recorded = format!(
            "recorded: {} ({})\n{}",
            word("status"),
            word("reason"),
            word("detail")
        );
        self.add(mistake, project, &arguments, &ran, &recorded);
    }

    /// Data goes to stdout, so an error leaves it empty; a message says what and what to do.
    fn check_form(&mut self, mistake: &str, ran: &Ran, code: i32) {
        let said = &ran.stderr;
        self.check(
            mistake,
            ran.code == Some(code),
            &format!("{:?}: {said}", ran.code),
        );
        self.check(mistake, ran.stdout.is_empty(), &ran.stdout);
        if said.starts_with("An autonomous experiment loop") {
            return; // The help is an answer too.
        }
        let error = said.lines().find_map(|line| line.strip_prefix("error: "));
        let is_lowercase = error.is_some_and(|error| !error.starts_with(char::is_uppercase));
        self.check(
            mistake,
            is_lowercase,
            &format!("no lowercase error: {said}"),
        );
        let hints = [
            "  hint: ",
            "  tip: ",
            "try '--help'",
            "; use ",
            "; it must be ",
            "needs ",
            "(did you mean ",
            "; missing ",
        ];
        let has_hint = hints.iter().any(|mark| said.contains(mark));
        self.check(mistake, has_hint, &format!("no hint: {said}"));
    }

    fn check(&mut self, mistake: &str, is_so: bool, problem: &str) {
        if !is_so {
            self.problems.push(format!("{mistake}: {problem}"));
        }
    }

    fn add(&mut self, mistake: &str, project: &Project, arguments: &[&str], ran: &Ran, said: &str) {
        let code = ran.code.unwrap_or_default();
        let command = project.neutral(&arguments.join(" "));
        let said = project.neutral(said);
        let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
        self.text.push_str(&format!(
            "\n### {mistake}\n\n`autoresearch {command}`: exit code {code}\n\n```text\n{}\n```\n",
            said.join("\n")
        ));
    }
}

fn lines_of_ledger(project: &Project) -> String {
    fs::read_to_string(project.root().join("experiments.jsonl")).unwrap_or_default()
}

impl Project {
    /// A text without what differs from run to run.
    fn neutral(&self, text: &str) -> String {
        let root = self.root().canonicalize().expect("it is there");
        let directory = root.parent().expect("a parent").to_path_buf();
        let mut neutral = text.to_owned();
        for (path, name) in [
            (root, "<project>"),
            (self.root(), "<project>"),
            (directory, "<tmp>"),
            (self.beside(""), "<tmp>/"),
        ] {
            neutral = neutral.replace(&path.display().to_string(), name);
        }
        let patterns = [
            (r"\b[0-9a-f]{40}\b", "<commit>"),
            (r"\bcommit [0-9a-f]{10}\b", "commit <commit>"),
            (r"\btoy-[0-9a-f]{8}\b", "toy-<id>"),
            (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "<session>"),
        ];
        for (pattern, name) in patterns {
            let pattern = regex::Regex::new(pattern).expect("a pattern");
            neutral = pattern.replace_all(&neutral, name).into_owned();
        }
        neutral
    }
}

/// The text by headings, so that a difference is small.
pub fn sections(text: &str) -> BTreeMap<String, String> {
    let mut chapter = "";
    let mut all = BTreeMap::new();
    for part in text.split("\n#").skip(1) {
        let (heading, body) = part.split_once('\n').unwrap_or((part, ""));
        match heading.strip_prefix("## ") {
            Some(mistake) => {
                all.insert(format!("{chapter}: {mistake}"), body.to_owned());
            }
            None => chapter = heading.trim_start_matches(['#', ' ']),
        }
    }
    all
}
