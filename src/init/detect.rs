//! Which language a project is in, and the plan for it.

use super::{Draft, Plan, PlannedFile, Tree, checks, metric, node, owned, python, rust, unit_of};

/// The languages known, in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    Go,
    Node,
    Python,
}

impl Language {
    const ALL: [Self; 4] = [Self::Rust, Self::Go, Self::Node, Self::Python];

    /// The file that says so.
    fn marker(self, tree: &Tree) -> Option<&'static str> {
        match self {
            Self::Rust => tree.first(&["Cargo.toml"]),
            Self::Go => tree.first(&["go.mod"]),
            Self::Node => tree.first(&["package.json", "bench.js", "bench.mjs"]),
            Self::Python => tree.first(&[
                "pyproject.toml",
                "setup.py",
                "setup.cfg",
                "requirements.txt",
                "bench.py",
            ]),
        }
    }

    fn draft(self, tree: &Tree) -> Draft {
        match self {
            Self::Rust => rust::draft(tree),
            Self::Go => go(tree),
            Self::Node => node::draft(tree),
            Self::Python => python::draft(tree),
        }
    }
}

/// Plans the files of the project in `directory` (its name), which is `prefix` below the root of
/// the repository (empty, or with a slash at its end).
pub fn plan(tree: &Tree, directory: &str, prefix: &str) -> Plan {
    let present: Vec<(Language, &str)> = Language::ALL
        .into_iter()
        .filter_map(|language| Some((language, language.marker(tree)?)))
        .collect();
    let mut draft = match present.first() {
        Some((language, _)) => language.draft(tree),
        None => generic(),
    };
    if let [(_, used), others @ ..] = present.as_slice()
        && !others.is_empty()
    {
        let others: Vec<&str> = others.iter().map(|(_, marker)| *marker).collect();
        draft.notes.push(format!(
            "went by {used}; there is also {}",
            others.join(", ")
        ));
    }
    keep_own_script(&mut draft, tree);
    let file = |name, content, executable| PlannedFile {
        name,
        content,
        executable,
    };
    Plan {
        files: vec![
            file("autoresearch.sh", draft.script.clone(), true),
            file("autoresearch.checks.sh", draft.checks.clone(), true),
            file(
                "autoresearch.config.json",
                draft.config(directory, prefix),
                false,
            ),
            file(
                "ideas.md",
                include_str!("templates/ideas.md").to_owned(),
                false,
            ),
        ],
        found: draft.found,
        notes: draft.notes,
    }
}

/// A script that is already there is the user's: the config names the metric it prints.
fn keep_own_script(draft: &mut Draft, tree: &Tree) {
    let printed = tree.metric_names("autoresearch.sh");
    let planned = draft.metric["name"].as_str().map(str::to_owned);
    if let Some(name) = printed.first()
        && planned.is_none_or(|planned| !printed.contains(&planned))
    {
        draft.metric = metric(name, unit_of(name));
        draft
            .notes
            .push(format!("`metric` is {name}, which autoresearch.sh prints"));
    }
}

fn go(tree: &Tree) -> Draft {
    let has_benchmark = tree
        .files()
        .filter(|file| file.ends_with("_test.go"))
        .filter_map(|file| tree.read(file))
        .any(|text| text.contains("func Benchmark"));
    let notes = if has_benchmark {
        "one run takes about 1 s for each benchmark; name those that matter in autoresearch.sh"
    } else {
        "no `func Benchmark` was found: autoresearch.sh fails until there is one"
    };
    Draft {
        found: "Go".to_owned(),
        metric: metric("total_ns", "ns"),
        script: include_str!("templates/go.sh").to_owned(),
        checks: checks::gate(&["go vet ./...", "go test -count 1 ./..."]),
        scope: owned(&["**/*.go"]),
        protected: owned(&["**/*_test.go", "**/testdata/**"]),
        artifacts: Vec::new(),
        build: Some(owned(&["go", "test", "-count", "1", "-run", "^$", "./..."])),
        notes: owned(&[notes]),
    }
}

fn generic() -> Draft {
    Draft {
        found: "no Rust, Go, Node or Python project".to_owned(),
        metric: metric("total_ms", "ms"),
        script: include_str!("templates/generic.sh").to_owned(),
        checks: checks::gate_to_edit(),
        scope: owned(&["**"]),
        protected: Vec::new(),
        artifacts: Vec::new(),
        build: None,
        notes: owned(&[
            "autoresearch.sh fails until you edit it; set `metric`, `scope` and, for a compiled \
             language, `build` in the config",
            checks::EDIT_NOTE,
        ]),
    }
}
