//! Node: a benchmark script of `package.json`, or a file with a usual name.

use serde_json::Value;

use super::{Draft, Tree, checks, metric, owned, unit_of};

/// Libraries that give each benchmark a fixed time: timing the process would measure nothing.
const TIME_BUDGETED: &[&str] = &[
    "benny",
    "cronometro",
    "mitata",
    "nanobench",
    "tinybench",
    "vitest",
    "benchmark",
];
const BENCH_FILES: &[&str] = &[
    "bench.js",
    "bench.mjs",
    "bench.cjs",
    "benchmark.js",
    "benchmark.mjs",
    "bench/index.js",
    "bench/index.mjs",
    "bench/bench.js",
    "benchmark/index.js",
    "benchmarks/index.js",
];
/// Directories and files with the code, as far as they are there.
const SOURCES: &[&str] = &["src", "lib"];
const MAIN_FILES: &[&str] = &["index.js", "index.mjs", "index.ts", "main.js"];

pub(super) fn draft(tree: &Tree) -> Draft {
    let package: Value = tree
        .read("package.json")
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let script = |name: &str| package["scripts"][name].as_str().map(str::to_owned);
    let (checks, mut notes) = gate(tree, script("test"));
    let mut draft = Draft {
        found: String::new(),
        metric: metric("bench_ms", "ms"),
        script: String::new(),
        checks,
        scope: scope(tree),
        protected: owned(&[
            "**/bench*/**",
            "**/bench*.*",
            "**/test/**",
            "**/tests/**",
            "**/__tests__/**",
            "**/*.test.*",
            "**/*.spec.*",
        ]),
        artifacts: Vec::new(),
        build: build(tree, &package, script("build").is_some()),
        notes: Vec::new(),
    };
    with_benchmark(&mut draft, tree, &package, script("bench"));
    draft.notes.append(&mut notes);
    draft
}

fn with_benchmark(draft: &mut Draft, tree: &Tree, package: &Value, bench: Option<String>) {
    let direct = bench.as_deref().and_then(plain_node_command);
    let file = direct
        .as_ref()
        .and_then(|words| words.iter().find(|word| tree.has(word)).cloned())
        .or_else(|| match bench {
            Some(_) => None,
            None => tree.first(BENCH_FILES).map(str::to_owned),
        });
    let command = match (direct, &file, &bench) {
        (Some(words), _, _) => words,
        (None, Some(file), _) => owned(&["node", file]),
        (None, None, Some(_)) => owned(&["npm", "run", "--silent", "bench"]),
        (None, None, None) => {
            draft.found = "Node without a benchmark".to_owned();
            return to_edit(draft, "no benchmark was found");
        }
    };
    let shown = command.join(" ");
    let printed = file
        .map(|file| tree.metric_names(&file))
        .unwrap_or_default();
    if let Some(name) = printed.first() {
        draft.found = format!("Node with `{shown}`, which prints METRIC {name}");
        draft.metric = metric(name, unit_of(name));
        draft.script = include_str!("templates/node-metric.sh").replace("@COMMAND@", &shown);
        return;
    }
    draft.found = format!("Node with `{shown}`");
    match library(package) {
        Some("benchmark") => {
            draft.found.push_str(" (benchmark.js)");
            draft.metric = metric("total_ns", "ns");
            draft.script = include_str!("templates/node-ops.sh").replace("@COMMAND@", &shown);
        }
        Some(library) => {
            draft.found.push_str(&format!(" ({library})"));
            to_edit(
                draft,
                &format!(
                    "{library} runs each benchmark for a fixed time, so `{shown}` cannot be timed from outside"
                ),
            );
        }
        None => {
            let json = serde_json::to_string(&command).expect("texts are JSON");
            draft.script = include_str!("templates/node-timed.sh").replace("@COMMAND@", &json);
            draft.notes.push(format!(
                "the metric is the time of `{shown}` as a whole: it must do a fixed amount of work"
            ));
        }
    }
}

fn to_edit(draft: &mut Draft, why: &str) {
    draft.script = include_str!("templates/node-edit.sh").to_owned();
    draft.notes.push(format!(
        "{why}: autoresearch.sh fails until you put the code to measure into it"
    ));
}

fn library(package: &Value) -> Option<&'static str> {
    TIME_BUDGETED.iter().copied().find(|name| {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|table| package[*table].get(name).is_some())
    })
}

/// The words of `node FILE ARGS`, when that is all the script does.
fn plain_node_command(script: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./=:,@".contains(c);
    let words: Vec<String> = script.split_whitespace().map(str::to_owned).collect();
    let is_node = words.first().is_some_and(|word| word == "node");
    (is_node && words.len() > 1 && script.chars().all(plain)).then(|| {
        words
            .into_iter()
            .map(|word| word.strip_prefix("./").map_or(word.clone(), str::to_owned))
            .collect()
    })
}

/// Dependencies are not in git, so a fresh checkout needs them; and what `npm run build` makes.
fn build(tree: &Tree, package: &Value, has_build_script: bool) -> Option<Vec<String>> {
    let has_dependencies = ["dependencies", "devDependencies"].iter().any(|table| {
        package[*table]
            .as_object()
            .is_some_and(|table| !table.is_empty())
    });
    let install = if !has_dependencies {
        None
    } else if tree.has("pnpm-lock.yaml") {
        Some("pnpm install --frozen-lockfile --prefer-offline")
    } else if tree.has("yarn.lock") {
        Some("yarn install --frozen-lockfile --prefer-offline")
    } else if tree.has("package-lock.json") {
        Some("npm ci --prefer-offline --no-audit --no-fund")
    } else {
        Some("npm install --prefer-offline --no-audit --no-fund --no-package-lock")
    };
    let install = install.map(|command| format!("{{ test -d node_modules || {command}; }}"));
    let make = has_build_script.then(|| "npm run --silent build".to_owned());
    let steps: Vec<String> = install.into_iter().chain(make).collect();
    (!steps.is_empty()).then(|| owned(&["sh", "-c", &steps.join(" && ")]))
}

fn gate(tree: &Tree, test: Option<String>) -> (String, Vec<String>) {
    let is_real = |script: &String| !script.contains("no test specified");
    let has_tests = || {
        tree.files().any(|file| {
            [".test.js", ".test.mjs", ".test.cjs"]
                .iter()
                .any(|end| file.ends_with(end))
        })
    };
    if test.is_some_and(|script| is_real(&script)) {
        (checks::gate(&["npm test --silent"]), Vec::new())
    } else if has_tests() {
        (checks::gate(&["node --test"]), Vec::new())
    } else {
        (checks::gate_to_edit(), owned(&[checks::EDIT_NOTE]))
    }
}

fn scope(tree: &Tree) -> Vec<String> {
    let directories = SOURCES
        .iter()
        .filter(|directory| tree.has_directory(directory))
        .map(|directory| format!("{directory}/**"));
    let files = MAIN_FILES
        .iter()
        .filter(|file| tree.has(file))
        .map(|file| (*file).to_owned());
    let found: Vec<String> = directories.chain(files).collect();
    if found.is_empty() {
        owned(&["**/*.js", "**/*.mjs", "**/*.cjs", "**/*.ts"])
    } else {
        found
    }
}
