//! Rust: criterion benchmarks, benchmarks that print METRIC lines, or a program to time.

use std::collections::BTreeMap;

use globset::GlobBuilder;

use super::manifest::{BenchTarget, Manifest};
use super::{Draft, Tree, checks, metric, owned, unit_of};

/// A benchmark with its own `main`.
struct Bench {
    package: String,
    name: String,
    kind: BenchKind,
}

#[derive(PartialEq)]
enum BenchKind {
    Criterion,
    /// It prints this METRIC itself.
    Metric(String),
    Other,
}

/// A package of the project: its directory (empty or with a slash at its end) and its manifest.
struct Package {
    directory: String,
    manifest: Manifest,
}

/// Cargo would write the file in each worktree, from what the registry has at that time.
const NO_LOCK_NOTE: &str = "Cargo.lock is not in git: commit it before `autoresearch run` (`cargo \
                            generate-lockfile`, and take it out of .gitignore) and run init again, \
                            else builds need the network (`\"network\": true`) and may differ";

pub(super) fn draft(tree: &Tree) -> Draft {
    let packages = packages(tree);
    let benches: Vec<Bench> = packages
        .iter()
        .flat_map(|package| benches(tree, package))
        .collect();
    let locked = if tree.has("Cargo.lock") {
        " --locked"
    } else {
        ""
    };
    let is_workspace = packages.iter().any(|package| package.manifest.is_workspace);
    let whole = if is_workspace { " --workspace" } else { "" };
    let mut draft = Draft {
        found: String::new(),
        metric: metric("total_ns", "ns"),
        script: String::new(),
        checks: checks::gate(&[&format!("cargo test{whole}{locked}")]),
        scope: scope(&packages),
        protected: owned(&["**/tests/**", "**/build.rs"]),
        artifacts: Vec::new(),
        build: None,
        notes: Vec::new(),
    };
    let criterion: Vec<&Bench> = benches
        .iter()
        .filter(|bench| bench.kind == BenchKind::Criterion)
        .collect();
    let own = benches.iter().find_map(|bench| match &bench.kind {
        BenchKind::Metric(name) => Some((bench, name)),
        BenchKind::Criterion | BenchKind::Other => None,
    });
    if locked.is_empty() {
        draft.notes.push(NO_LOCK_NOTE.to_owned());
    }
    if let Some((bench, name)) = own {
        with_own(&mut draft, bench, name, locked);
    } else if !criterion.is_empty() {
        with_criterion(&mut draft, &criterion, locked);
    } else {
        with_program(&mut draft, tree, &packages, locked);
        draft.notes.extend(benches.iter().map(|bench| {
            format!(
                "the benchmark `{}` is neither criterion's nor prints METRIC lines; \
                 call it from autoresearch.sh if you can turn its output into them",
                bench.name
            )
        }));
        draft.notes.extend(undeclared(tree, &packages));
    }
    draft
}

fn with_own(draft: &mut Draft, bench: &Bench, name: &str, locked: &str) {
    let target = target_flags(&bench.package, [bench.name.as_str()]);
    draft.found = format!(
        "Rust with the benchmark `{}`, which prints METRIC {name}",
        bench.name
    );
    draft.metric = metric(name, unit_of(name));
    let command = format!("cargo bench{locked}{target}");
    draft.script = include_str!("templates/rust-metric.sh").replace("@COMMANDS@", &command);
    draft.build = Some(words(&format!("cargo bench --no-run{locked}{target}")));
    draft.artifacts = vec![artifact(&bench.name)];
}

fn with_criterion(draft: &mut Draft, benches: &[&Bench], locked: &str) {
    let mut by_package: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for bench in benches {
        by_package
            .entry(&bench.package)
            .or_default()
            .push(&bench.name);
    }
    let targets: Vec<String> = by_package
        .into_iter()
        .map(|(package, names)| target_flags(package, names))
        .collect();
    let commands: Vec<String> = targets
        .iter()
        .map(|target| format!("cargo bench{locked}{target} -- \"${{settings[@]}}\""))
        .collect();
    let names: Vec<&str> = benches.iter().map(|bench| bench.name.as_str()).collect();
    draft.found = format!("Rust with criterion benchmarks ({})", names.join(", "));
    draft.script =
        include_str!("templates/criterion.sh").replace("@COMMANDS@", &commands.join("\n"));
    let build = |target: &String| format!("cargo bench --no-run{locked}{target}");
    draft.build = Some(match targets.as_slice() {
        [target] => words(&build(target)),
        targets => {
            let all: Vec<String> = targets.iter().map(build).collect();
            owned(&["sh", "-c", &all.join(" && ")])
        }
    });
    draft.artifacts = names.iter().map(|name| artifact(name)).collect();
    draft.notes.push(
        "one run takes about 1 s for each criterion benchmark; keep those that matter in \
         autoresearch.sh, and set `metric` to geomean_ns if small ones should count alike"
            .to_owned(),
    );
}

fn with_program(draft: &mut Draft, tree: &Tree, packages: &[Package], locked: &str) {
    let mut programs = packages.iter().flat_map(|package| {
        let main = format!("{}src/main.rs", package.directory);
        let default = package
            .manifest
            .package
            .iter()
            .filter(move |_| tree.has(&main));
        package.manifest.binaries.iter().chain(default)
    });
    let Some(program) = programs.find(|name| !name.is_empty()) else {
        draft.found = "Rust without a benchmark".to_owned();
        draft.metric = metric("total_ms", "ms");
        draft.script = include_str!("templates/generic.sh").to_owned();
        draft
            .notes
            .push("no benchmark was found: autoresearch.sh fails until you edit it".to_owned());
        return;
    };
    draft.found = format!("Rust program `{program}` without a benchmark");
    draft.metric = metric("driver.wall_ms", "ms");
    draft.script = include_str!("templates/rust-binary.sh").replace("@BINARY@", program);
    draft.build = Some(words(&format!(
        "cargo build --release{locked} --bin {program}"
    )));
    draft.artifacts = vec![format!("target/release/{program}")];
    draft
        .notes
        .push("autoresearch.sh fails until you give the program a workload".to_owned());
}

/// Sources that use criterion without a target: cargo would run them with the wrong harness.
fn undeclared(tree: &Tree, packages: &[Package]) -> Vec<String> {
    let declared = |file: &str| {
        packages.iter().any(|package| {
            let benches = &package.manifest.benches;
            benches
                .iter()
                .any(|bench| source(tree, package, bench) == file)
        })
    };
    tree.files()
        .filter(|file| file.contains("benches/") && file.ends_with(".rs") && !declared(file))
        .filter(|file| tree.read(file).is_some_and(|text| uses_criterion(&text)))
        .map(|file| {
            format!(
                "{file} uses criterion, but Cargo.toml has no [[bench]] entry for it with \
                 `harness = false`"
            )
        })
        .collect()
}

/// The root's package and the workspace's members.
fn packages(tree: &Tree) -> Vec<Package> {
    let read = |directory: &str| {
        let manifest = Manifest::parse(&tree.read(&format!("{directory}Cargo.toml"))?);
        Some(Package {
            directory: directory.to_owned(),
            manifest,
        })
    };
    let root = read("");
    let members = root
        .as_ref()
        .map(|root| root.manifest.members.clone())
        .unwrap_or_default();
    let is_member = |directory: &str| {
        members.iter().any(|member| {
            let glob = GlobBuilder::new(member.trim_start_matches("./"))
                .literal_separator(true)
                .build();
            glob.is_ok_and(|glob| glob.compile_matcher().is_match(directory))
        })
    };
    let directories = tree
        .files()
        .filter_map(|file| file.strip_suffix("/Cargo.toml"))
        .filter(|directory| is_member(directory));
    let below = directories.filter_map(|directory| read(&format!("{directory}/")));
    root.into_iter().chain(below).collect()
}

fn benches(tree: &Tree, package: &Package) -> Vec<Bench> {
    let own_main = package
        .manifest
        .benches
        .iter()
        .filter(|bench| bench.own_main && !bench.name.is_empty());
    own_main
        .map(|bench| {
            let path = source(tree, package, bench);
            let kind = match tree.read(&path) {
                Some(text) if uses_criterion(&text) => BenchKind::Criterion,
                Some(_) => match tree.metric_names(&path).into_iter().next() {
                    Some(name) => BenchKind::Metric(name),
                    None => BenchKind::Other,
                },
                None if package.manifest.has_criterion => BenchKind::Criterion,
                None => BenchKind::Other,
            };
            Bench {
                package: package.manifest.package.clone().unwrap_or_default(),
                name: bench.name.clone(),
                kind,
            }
        })
        .collect()
}

fn uses_criterion(source: &str) -> bool {
    source.contains("criterion_main!") || source.contains("criterion::")
}

/// Path of a benchmark's source.
fn source(tree: &Tree, package: &Package, bench: &BenchTarget) -> String {
    let directory = &package.directory;
    if let Some(path) = &bench.path {
        return format!("{directory}{path}");
    }
    let file = format!("{directory}benches/{}.rs", bench.name);
    if tree.has(&file) {
        file
    } else {
        format!("{directory}benches/{}/main.rs", bench.name)
    }
}

fn scope(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| package.manifest.package.is_some())
        .map(|package| format!("{}src/**", package.directory))
        .collect()
}

fn target_flags<'a>(package: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut flags = if package.is_empty() {
        String::new()
    } else {
        format!(" -p {package}")
    };
    for name in names {
        flags.push_str(&format!(" --bench {name}"));
    }
    flags
}

/// The benchmark's executable; cargo adds a hash of sixteen digits.
fn artifact(bench: &str) -> String {
    format!(
        "target/release/deps/{}-{}",
        bench.replace('-', "_"),
        "?".repeat(16)
    )
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}
