use super::*;
use crate::flow::config::Config;

/// The plan for these files at the root of a repository in the directory `My App`.
fn plan_of(files: &[(&str, &str)]) -> Plan {
    plan_below(files, "")
}

fn plan_below(files: &[(&str, &str)], prefix: &str) -> Plan {
    let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let read = |path: &str| {
        let file = files.iter().find(|(name, _)| *name == path)?;
        Some(file.1.to_owned())
    };
    plan(&Tree::new(names, &read), "My App", prefix)
}

fn content<'a>(plan: &'a Plan, name: &str) -> &'a str {
    let file = plan.files.iter().find(|file| file.name == name);
    &file.unwrap().content
}

fn config(plan: &Plan) -> Config {
    Config::parse(content(plan, "autoresearch.config.json"), "planned").unwrap()
}

/// What was found, the metric, and a line that each script must have.
#[track_caller]
fn check(files: &[(&str, &str)], found: &str, metric: &str, script: &str, checks: &str) -> Plan {
    let plan = plan_of(files);
    assert_eq!(plan.found, found);
    assert_eq!(config(&plan).metric.name, metric);
    for (name, line) in [
        ("autoresearch.sh", script),
        ("autoresearch.checks.sh", checks),
    ] {
        let text = content(&plan, name);
        assert!(
            text.lines().any(|l| l == line),
            "no line {line:?} in\n{text}"
        );
    }
    plan
}

const CRITERION: &str = "use criterion::*; criterion_main!(b);";

#[test]
fn a_rust_package_with_criterion_runs_its_benches_and_compares_their_executables() {
    let manifest = "[package]\nname = \"fast\"\n[dev-dependencies]\ncriterion = \"0.8\"\n\
                    [[bench]]\nname = \"parse-all\"\nharness = false\n";
    let plan = check(
        &[
            ("Cargo.toml", manifest),
            ("Cargo.lock", ""),
            ("src/lib.rs", ""),
            ("benches/parse-all.rs", CRITERION),
        ],
        "Rust with criterion benchmarks (parse-all)",
        "total_ns",
        "cargo bench --locked -p fast --bench parse-all -- \"${settings[@]}\"",
        "cargo test --locked",
    );
    let config = config(&plan);
    assert_eq!(config.name.as_deref(), Some("my-app"));
    assert_eq!(config.scope, ["src/**"]);
    assert_eq!(
        config.build.unwrap().join(" "),
        "cargo bench --no-run --locked -p fast --bench parse-all"
    );
    assert_eq!(
        config.artifacts,
        ["target/release/deps/parse_all-????????????????"]
    );
}

#[test]
fn a_workspace_is_searched_through_its_members_only() {
    let root = "[workspace]\nmembers = [\"crates/*\"]\n";
    let member = |name| {
        format!("[package]\nname = \"{name}\"\n[[bench]]\nname = \"{name}_bench\"\nharness = false")
    };
    let (one, two, other) = (member("one"), member("two"), member("other"));
    let plan = check(
        &[
            ("Cargo.toml", root),
            ("crates/one/Cargo.toml", &one),
            ("crates/one/benches/one_bench.rs", CRITERION),
            ("crates/two/Cargo.toml", &two),
            ("crates/two/benches/two_bench/main.rs", CRITERION),
            ("fuzz/other/Cargo.toml", &other),
            ("fuzz/other/benches/other_bench.rs", CRITERION),
        ],
        "Rust with criterion benchmarks (one_bench, two_bench)",
        "total_ns",
        "cargo bench -p two --bench two_bench -- \"${settings[@]}\"",
        "cargo test --workspace",
    );
    let config = config(&plan);
    assert_eq!(config.scope, ["crates/one/src/**", "crates/two/src/**"]);
    assert_eq!(
        config.build.unwrap(),
        [
            "sh",
            "-c",
            "cargo bench --no-run -p one --bench one_bench && \
             cargo bench --no-run -p two --bench two_bench"
        ]
    );
}

#[test]
fn a_rust_benchmark_that_prints_metric_lines_is_run_as_it_is() {
    let manifest = "[package]\nname = \"fast\"\n[[bench]]\nname = \"mine\"\nharness = false\n";
    let source = "fn main() { println!(\"METRIC parse_ms={:.3}\", 1.0); }";
    let plan = check(
        &[("Cargo.toml", manifest), ("benches/mine.rs", source)],
        "Rust with the benchmark `mine`, which prints METRIC parse_ms",
        "parse_ms",
        "cargo bench -p fast --bench mine",
        "cargo test",
    );
    assert_eq!(config(&plan).metric.unit, "ms");
}

#[test]
fn a_rust_program_without_a_benchmark_fails_until_it_has_a_workload() {
    let manifest = "[package]\nname = \"tool\"\n";
    let plan = check(
        &[
            ("Cargo.toml", manifest),
            ("src/main.rs", ""),
            ("benches/b.rs", CRITERION),
        ],
        "Rust program `tool` without a benchmark",
        "driver.wall_ms",
        "exit 1",
        "cargo test",
    );
    assert_eq!(config(&plan).artifacts, ["target/release/tool"]);
    assert_eq!(
        plan.notes[1..],
        [
            "autoresearch.sh fails until you give the program a workload",
            "benches/b.rs uses criterion, but Cargo.toml has no [[bench]] entry for it with \
             `harness = false`"
        ]
    );
}

#[test]
fn a_go_module_runs_its_benchmarks() {
    let test = "func BenchmarkX(b *testing.B) {}";
    let plan = check(
        &[("go.mod", "module x"), ("x.go", ""), ("x_test.go", test)],
        "Go",
        "total_ns",
        "output=$(go test -run '^$' -bench . -benchtime 200ms -count 1 ./...) || {",
        "go test -count 1 ./...",
    );
    assert!(!plan.notes[0].contains("fails"), "{:?}", plan.notes);
    let without = plan_of(&[("go.mod", "module x"), ("x.go", "")]);
    assert!(without.notes[0].contains("no `func Benchmark`"));
}

#[test]
fn a_node_bench_script_is_timed_run_or_left_to_the_user_by_what_it_does() {
    let package = |dependency: &str| {
        format!(
            "{{\"scripts\": {{\"bench\": \"node ./perf/run.js --n 5\", \"test\": \"node t.js\"}},
              \"devDependencies\": {{{dependency}}}}}"
        )
    };
    let plain = package("");
    let plan = check(
        &[
            ("package.json", &plain),
            ("perf/run.js", ""),
            ("src/a.js", ""),
        ],
        "Node with `node perf/run.js --n 5`",
        "bench_ms",
        "const [program, ...args] = [\"node\",\"perf/run.js\",\"--n\",\"5\"];",
        "npm test --silent",
    );
    assert_eq!(config(&plan).scope, ["src/**"]);
    assert_eq!(config(&plan).build, None);
    check(
        &[
            ("package.json", &plain),
            ("perf/run.js", "console.log(`METRIC parse_us=${t}`)"),
        ],
        "Node with `node perf/run.js --n 5`, which prints METRIC parse_us",
        "parse_us",
        "node perf/run.js --n 5",
        "npm test --silent",
    );
    let suite = package("\"benchmark\": \"2\"");
    let plan = check(
        &[("package.json", &suite), ("package-lock.json", "")],
        "Node with `node perf/run.js --n 5` (benchmark.js)",
        "total_ns",
        "output=$(node perf/run.js --n 5) || {",
        "npm test --silent",
    );
    assert_eq!(
        config(&plan).build.unwrap()[2],
        "{ test -d node_modules || npm ci --prefer-offline --no-audit --no-fund; }"
    );
    let budgeted = package("\"tinybench\": \"3\"");
    check(
        &[("package.json", &budgeted)],
        "Node with `node perf/run.js --n 5` (tinybench)",
        "bench_ms",
        "  throw new Error(\"autoresearch.sh: put the code to measure into work()\");",
        "npm test --silent",
    );
}

#[test]
fn npms_placeholder_test_is_no_gate() {
    let package = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
    check(
        &[("package.json", package), ("bench.js", "")],
        "Node with `node bench.js`",
        "bench_ms",
        "const [program, ...args] = [\"node\",\"bench.js\"];",
        "exit 1",
    );
    check(
        &[
            ("package.json", package),
            ("bench.js", ""),
            ("a.test.js", ""),
        ],
        "Node with `node bench.js`",
        "bench_ms",
        "const [program, ...args] = [\"node\",\"bench.js\"];",
        "node --test",
    );
}

#[test]
fn a_python_project_is_measured_by_its_file_by_pytest_or_by_hand() {
    let pytest = "[dependency-groups]\ndev = [\"pytest-benchmark\"]";
    check(
        &[("pyproject.toml", ""), ("bench.py", "")],
        "Python with bench.py",
        "bench_ms",
        "    subprocess.run([sys.executable, \"bench.py\"], check=True, stdin=subprocess.DEVNULL)",
        "exit 1",
    );
    check(
        &[
            ("setup.py", ""),
            ("bench.py", "print(f'METRIC rows_s={n}')"),
            ("tests/test_a.py", ""),
        ],
        "Python with bench.py, which prints METRIC rows_s",
        "rows_s",
        "\"$python\" bench.py",
        "\"$python\" -m unittest discover -s 'tests'",
    );
    check(
        &[("pyproject.toml", pytest), ("bench.py", "")],
        "Python with pytest-benchmark",
        "total_ns",
        "  --benchmark-json=\"$report\"",
        "\"$python\" -m pytest -q -p no:cacheprovider",
    );
    check(
        &[
            ("pyproject.toml", ""),
            ("benchmarks/bench_search.py", ""),
            ("benchmarks/test_bench.py", ""),
            ("src/tiny/bench_data.py", ""),
        ],
        "Python with benchmarks/bench_search.py",
        "bench_ms",
        "    subprocess.run([sys.executable, \"benchmarks/bench_search.py\"], check=True, stdin=subprocess.DEVNULL)",
        "\"$python\" -m unittest discover -s 'benchmarks'",
    );
    let plan = check(
        &[
            ("perf/run.py", "print('METRIC rows_s=1')"),
            ("setup.py", ""),
            ("bench.py", ""),
        ],
        "Python with perf/run.py, which prints METRIC rows_s",
        "rows_s",
        "\"$python\" perf/run.py",
        "exit 1",
    );
    assert_eq!(
        plan.notes[0],
        "autoresearch.sh runs perf/run.py; there is also bench.py"
    );
    check(
        &[("requirements.txt", "numpy")],
        "Python without a benchmark",
        "bench_ms",
        "    raise SystemExit(\"autoresearch.sh: put the code to measure into work()\")",
        "exit 1",
    );
}

#[test]
fn anything_else_gets_scripts_that_fail_until_they_are_edited() {
    let plan = check(
        &[("Makefile", "")],
        "no Rust, Go, Node or Python project",
        "total_ms",
        "exit 1",
        "exit 1",
    );
    assert_eq!(config(&plan).build, None);
    assert_eq!(plan.notes.len(), 2);
}

#[test]
fn a_second_language_is_mentioned() {
    let plan = plan_of(&[("package.json", "{}"), ("Cargo.toml", ""), ("setup.py", "")]);
    let note = "went by Cargo.toml; there is also package.json, setup.py";
    assert!(
        plan.notes.iter().any(|found| found == note),
        "{:?}",
        plan.notes
    );
}

#[test]
fn a_script_that_is_there_already_names_the_metric() {
    let script = "echo METRIC x=1\necho METRIC queue_ns=$(cat out)";
    let plan = plan_of(&[("go.mod", ""), ("autoresearch.sh", script)]);
    assert_eq!(config(&plan).metric.name, "x");
    let planned = "echo \"METRIC total_ns=$a\"; echo METRIC x=1";
    let plan = plan_of(&[("go.mod", ""), ("autoresearch.sh", planned)]);
    assert_eq!(config(&plan).metric.name, "total_ns");
}

#[test]
fn below_the_root_globs_have_the_prefix_and_the_build_goes_there() {
    let manifest = "[package]\nname = \"tool\"\n";
    let files = [("Cargo.toml", manifest), ("src/main.rs", "")];
    let config = config(&plan_below(&files, "apps/[a]/"));
    assert_eq!(config.scope, ["apps/[[]a[]]/src/**"]);
    assert!(
        config
            .protected
            .iter()
            .all(|glob| glob.starts_with("apps/"))
    );
    assert!(config.artifacts.is_empty());
    let build = config.build.unwrap();
    assert_eq!(
        build[..4],
        ["sh", "-c", "cd \"$0\" && exec \"$@\"", "apps/[a]"]
    );
    assert_eq!(build[4..].join(" "), "cargo build --release --bin tool");
}

#[test]
fn a_directory_name_becomes_a_branch_name_or_none() {
    for (directory, expected) in [
        ("My App", Some("my-app")),
        ("parser_2.0", Some("parser_2.0")),
        (".hidden.", Some("hidden")),
        ("a..b", None),
        ("Größe", Some("gr--e")),
        ("日本", None),
        ("x.lock", None),
    ] {
        assert_eq!(branch_name(directory).as_deref(), expected, "{directory}");
    }
}

#[test]
fn no_placeholder_is_left_and_only_scripts_are_executable() {
    for files in [
        &[
            ("Cargo.toml", "[package]\nname = \"t\""),
            ("src/main.rs", ""),
        ][..],
        &[("go.mod", "")],
        &[("package.json", "{}"), ("bench.js", "")],
        &[("bench.py", "")],
        &[],
    ] {
        for file in plan_of(files).files {
            let left = ["@COMMAND", "@BINARY@", "@FILE@"];
            assert!(
                left.iter().all(|mark| !file.content.contains(mark)),
                "{file:?}"
            );
            let shebang = file.content.starts_with("#!/usr/bin/env bash\n");
            assert_eq!(file.executable, shebang, "{}", file.name);
        }
    }
}

#[test]
fn the_backlog_written_has_no_entries_yet() {
    let plan = plan_of(&[]);
    let backlog = crate::propose::ideas_file::parse(content(&plan, "ideas.md"), "ideas.md");
    assert!(backlog.unwrap().ideas.is_empty());
}
