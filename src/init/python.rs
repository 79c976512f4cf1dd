//! Python: pytest-benchmark, a benchmark file with a usual name, or a function to time.

use super::{Draft, Tree, checks, metric, owned, unit_of};

/// Directories that hold benchmarks; the project's own is the first.
const BENCH_DIRECTORIES: &[&str] = &[
    "",
    "bench/",
    "benches/",
    "benchmark/",
    "benchmarks/",
    "perf/",
];
/// Where dependencies and test settings are written down.
const SETTINGS: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "requirements.txt",
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
    "Pipfile",
];

pub(super) fn draft(tree: &Tree) -> Draft {
    let mentions = |what: &str| {
        SETTINGS
            .iter()
            .filter_map(|file| tree.read(file))
            .any(|text| text.contains(what))
    };
    let mut draft = Draft {
        found: String::new(),
        metric: metric("bench_ms", "ms"),
        script: String::new(),
        checks: String::new(),
        scope: scope(tree),
        protected: owned(&[
            "**/bench*/**",
            "**/bench*.py",
            "**/tests/**",
            "**/test_*.py",
            "**/*_test.py",
            "**/conftest.py",
            "**/setup.py",
        ]),
        artifacts: Vec::new(),
        build: None,
        notes: Vec::new(),
    };
    let files = bench_files(tree);
    let file = files.first().copied();
    let printed = file.map(|file| tree.metric_names(file)).unwrap_or_default();
    match (file, printed.first()) {
        (Some(file), Some(name)) => {
            draft.found = format!("Python with {file}, which prints METRIC {name}");
            draft.metric = metric(name, unit_of(name));
            draft.script = include_str!("templates/python-metric.sh").replace("@FILE@", file);
        }
        _ if mentions("pytest-benchmark") || mentions("pytest_benchmark") => {
            draft.found = "Python with pytest-benchmark".to_owned();
            draft.metric = metric("total_ns", "ns");
            draft.script = include_str!("templates/python-pytest.sh").to_owned();
        }
        (Some(file), None) => {
            draft.found = format!("Python with {file}");
            draft.script = include_str!("templates/python-timed.sh").replace("@FILE@", file);
            draft.notes.push(format!(
                "the metric is the time of {file} as a whole: it must do a fixed amount of work"
            ));
        }
        (None, _) => {
            draft.found = "Python without a benchmark".to_owned();
            draft.script = include_str!("templates/python-edit.sh").to_owned();
            draft.notes.push(
                "no benchmark was found: autoresearch.sh fails until you put the code to measure \
                 into it"
                    .to_owned(),
            );
        }
    }
    if let [used, others @ ..] = files.as_slice()
        && !others.is_empty()
    {
        draft.notes.push(format!(
            "autoresearch.sh runs {used}; there is also {}",
            others.join(", ")
        ));
    }
    let uses_pytest =
        mentions("pytest") || tree.has("conftest.py") || tree.has("tests/conftest.py");
    gate(&mut draft, tree, uses_pytest);
    draft
}

/// Scripts that are benchmarks by their name, or by being the main one where benchmarks are; one that
/// prints METRIC lines first.
fn bench_files<'a>(tree: &'a Tree) -> Vec<&'a str> {
    let is_bench = |file: &str| {
        BENCH_DIRECTORIES.iter().any(|directory| {
            let stem = file
                .strip_prefix(directory)
                .and_then(|name| name.strip_suffix(".py"));
            stem.is_some_and(|stem| {
                let is_main = !directory.is_empty() && ["main", "run"].contains(&stem);
                let is_test = stem.starts_with("test_") || stem.ends_with("_test");
                !stem.contains('/') && !is_test && (stem.contains("bench") || is_main)
            })
        })
    };
    let mut files: Vec<&str> = tree.files().filter(|file| is_bench(file)).collect();
    files.sort_by_key(|file| {
        (
            tree.metric_names(file).is_empty(),
            file.matches('/').count(),
        )
    });
    files
}

fn gate(draft: &mut Draft, tree: &Tree, uses_pytest: bool) {
    let python = "python=$(command -v python3 || command -v python)";
    let path = "export PYTHONPATH=\"$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}\"";
    let test_directory = tree.files().find_map(|file| {
        let (directory, name) = file.rsplit_once('/').unwrap_or((".", file));
        (name.starts_with("test") && name.ends_with(".py")).then_some(directory)
    });
    draft.checks = match test_directory {
        _ if uses_pytest => {
            checks::gate(&[python, path, "\"$python\" -m pytest -q -p no:cacheprovider"])
        }
        Some(directory) => {
            // A package's tests import each other from the top; loose files have no top.
            let top = match tree.has(&format!("{directory}/__init__.py")) {
                true => " -t .",
                false => "",
            };
            let discover = format!("\"$python\" -m unittest discover -s '{directory}'{top}");
            checks::gate(&[python, path, &discover])
        }
        None => {
            draft.notes.push(checks::EDIT_NOTE.to_owned());
            checks::gate_to_edit()
        }
    };
}

fn scope(tree: &Tree) -> Vec<String> {
    if tree.has_directory("src") {
        owned(&["src/**"])
    } else {
        owned(&["**/*.py", "**/*.pyx"])
    }
}
