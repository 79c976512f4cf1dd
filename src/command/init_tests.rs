use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;
use crate::flow::config::Config;
use crate::flow::metric::Samples;

/// A directory with these files; those below `bin/` are executable.
fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let mode = if name.starts_with("bin/") {
            0o755
        } else {
            0o644
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    directory
}

/// Runs a script of the project with its `bin` before everything else on `PATH`.
fn script(directory: &TempDir, name: &str) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .arg(name)
        .current_dir(directory.path())
        .env("PATH", format!("{}/bin:{path}", directory.path().display()))
        .output()
        .unwrap()
}

/// Writes the files, runs `autoresearch.sh` for real, and reads its METRIC lines.
#[track_caller]
fn measured(files: &[(&str, &str)], expected: &[(&str, f64)]) {
    let directory = project(files);
    run(directory.path(), &Options::default()).unwrap();
    // Twice: what one run leaves behind must not reach the next.
    script(&directory, "autoresearch.sh");
    let output = script(&directory, "autoresearch.sh");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    let mut samples = Samples::default();
    out.lines().for_each(|line| samples.feed(line));
    for (name, value) in expected {
        let got = samples
            .required(name, false)
            .unwrap_or_else(|error| panic!("{error}: {out}"));
        let near = (got - value).abs() <= 1e-6 * value;
        assert!(value.is_nan() || near, "{name} is {got}, not {value}");
    }
    assert_eq!(samples.medians().len(), expected.len(), "{out}");
    let text = fs::read_to_string(directory.path().join("autoresearch.config.json")).unwrap();
    let primary = Config::parse(&text, "c").unwrap().metric.name;
    assert!(
        expected.iter().any(|(name, _)| *name == primary),
        "{primary}"
    );
}

/// The script fails, says why, and gives no value.
#[track_caller]
fn refused(files: &[(&str, &str)], name: &str, message: &str) {
    let directory = project(files);
    run(directory.path(), &Options::default()).unwrap();
    let output = script(&directory, name);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(!output.status.success(), "{out}");
    assert!(err.contains(message), "{err}");
    assert!(
        out.lines().all(|line| !line.starts_with("METRIC ")),
        "{out}"
    );
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// A `cargo` that leaves what criterion 0.8 leaves, and a result of another run in its usual place.
const CARGO: &str = r#"#!/usr/bin/env bash
set -e
result() {
  mkdir -p "$CRITERION_HOME/$1/new" "$CRITERION_HOME/$1/base"
  printf '{"group_id":"g","function_id":"f","full_id":"%s","directory_name":"%s"}' "$2" "$1" \
    > "$CRITERION_HOME/$1/new/benchmark.json"
  printf '{"mean":{"confidence_interval":{"lower_bound":1.0},"point_estimate":9.9},"median":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1.5},"point_estimate":%s,"standard_error":0.2},"slope":null}' "$3" \
    > "$CRITERION_HOME/$1/new/estimates.json"
  cp "$CRITERION_HOME/$1/new/"*.json "$CRITERION_HOME/$1/base/"
}
echo "METRICS of cargo $*"
result 'fib_group one/rec/10' 'fib/group one/rec/10' 40.5
result 'fib group-one/rec/10' 'fib group-one/rec/10' 10
result top 'top' 1.25e3
"#;
const MANIFEST: &str = "[package]\nname = \"p\"\n[[bench]]\nname = \"b\"\nharness = false\n";
const BENCH: &str = "criterion_main!(b);";

#[test]
fn criterions_results_become_one_metric_a_benchmark_under_distinct_names() {
    measured(
        &[
            ("Cargo.toml", MANIFEST),
            ("benches/b.rs", BENCH),
            ("bin/cargo", CARGO),
            // What a removed benchmark left where criterion writes by default.
            (
                "target/criterion/gone/new/benchmark.json",
                "{\"full_id\":\"gone\"}",
            ),
        ],
        &[
            ("fib_group_one_rec_10_ns", 10.0),
            ("fib_group_one_rec_10_ns_2", 40.5),
            ("top_ns", 1250.0),
            ("total_ns", 1300.5),
            ("geomean_ns", (10.0f64 * 40.5 * 1250.0).cbrt()),
        ],
    );
}

#[test]
fn criterion_without_a_result_or_with_a_broken_one_is_a_failure() {
    let files = |cargo| {
        [
            ("Cargo.toml", MANIFEST),
            ("benches/b.rs", BENCH),
            ("bin/cargo", cargo),
        ]
    };
    refused(
        &files("#!/bin/sh\nmkdir -p \"$CRITERION_HOME\"\n"),
        "autoresearch.sh",
        "criterion reported no benchmark",
    );
    let zero = CARGO
        .replace("1.25e3", "0")
        .replace("40.5", "0")
        .replace(" 10\n", " 0\n");
    refused(&files(&zero), "autoresearch.sh", "is 0");
    let broken = CARGO.replace("\"median\"", "\"middle\"");
    refused(&files(&broken), "autoresearch.sh", "no median in");
    refused(
        &files("#!/bin/sh\necho no >&2; exit 7\n"),
        "autoresearch.sh",
        "no",
    );
}

const GO: &str = "#!/bin/sh\ncat <<'E'\ngoos: linux\npkg: x/a\n\
    BenchmarkFib/n=10-8   \t 1000\t      1234.5 ns/op\t  16 B/op\n\
    BenchmarkFib/n=20-8   \t 1000\t      100 MB/s\t 20 ns/op\nPASS\npkg: x/b\n\
    BenchmarkFib/n=10-8   \t 1000\t      0.5 ns/op\nok  \tx/b\t1.2s\nE\n";

#[test]
fn go_benchmarks_become_metrics_without_the_processor_count_in_their_names() {
    let test = "func BenchmarkFib(b *testing.B) {}";
    measured(
        &[("go.mod", ""), ("a_test.go", test), ("bin/go", GO)],
        &[
            ("Fib_n_10_ns", 1234.5),
            ("Fib_n_20_ns", 20.0),
            ("Fib_n_10_ns_2", 0.5),
            ("total_ns", 1255.0),
            ("geomean_ns", (1234.5f64 * 20.0 * 0.5).cbrt()),
        ],
    );
}

#[test]
fn go_without_benchmarks_or_with_a_failure_is_a_failure() {
    let files = |go| [("go.mod", ""), ("bin/go", go)];
    let message = "go test ran no benchmark";
    refused(&files("#!/bin/sh\necho PASS\n"), "autoresearch.sh", message);
    let failing = format!("{GO}\necho broken >&2\nexit 1\n");
    refused(&files(&failing), "autoresearch.sh", "broken");
}

#[test]
fn a_node_benchmark_is_timed_for_real() {
    if !has("node") {
        return;
    }
    let package = r#"{"type": "module", "scripts": {"bench": "node perf.js 3"}}"#;
    let bench =
        "let s = 0; for (let i = 0; i < 1e6 * process.argv[2]; i++) s += i; console.log(s);";
    measured(
        &[("package.json", package), ("perf.js", bench)],
        &[("bench_ms", f64::NAN)],
    );
    refused(
        &[("package.json", package), ("perf.js", "process.exit(3)")],
        "autoresearch.sh",
        "node ended with 3",
    );
}

#[test]
fn a_node_benchmark_that_prints_metrics_or_rates_is_read_for_real() {
    if !has("node") {
        return;
    }
    let printing = "console.log(`METRIC parse_ms=${4 / 2}`)";
    measured(&[("bench.js", printing)], &[("parse_ms", 2.0)]);
    let package =
        r#"{"scripts": {"bench": "node perf.js"}, "devDependencies": {"benchmark": "2"}}"#;
    let rates = "console.log('RegExp#test x 4,000,000 ops/sec ±0.98% (90 runs sampled)');\
                 console.log('String x 500.5 ops/sec ±1% (80 runs sampled)');";
    let total = 250.0 + 1e9 / 500.5;
    measured(
        &[("package.json", package), ("perf.js", rates)],
        &[
            ("RegExp_test_ns", 250.0),
            ("String_ns", 1e9 / 500.5),
            ("total_ns", total),
            ("geomean_ns", (250.0 * 1e9f64 / 500.5).sqrt()),
        ],
    );
    refused(
        &[
            ("package.json", package),
            ("perf.js", "console.log('nothing')"),
        ],
        "autoresearch.sh",
        "printed no ops/sec line",
    );
}

#[test]
fn a_python_benchmark_is_timed_for_real_with_the_checkouts_own_code() {
    if !has("python3") {
        return;
    }
    let bench = "import app\nassert app.__file__.endswith('src/app.py'), app.__file__\n\
                 print(sum(app.numbers()))\n";
    measured(
        &[
            ("pyproject.toml", ""),
            ("bench.py", bench),
            ("src/app.py", "def numbers():\n    return range(100000)\n"),
        ],
        &[("bench_ms", f64::NAN)],
    );
    refused(
        &[("bench.py", "raise SystemExit('broken')")],
        "autoresearch.sh",
        "broken",
    );
}

/// A `pytest` that writes what pytest-benchmark writes.
const PYTEST: &str = r#"
import json, sys
path = next(a for a in sys.argv if a.startswith("--benchmark-json=")).split("=", 1)[1]
one = lambda name, median: {"name": name, "fullname": "t.py::" + name, "stats": {"median": median}}
json.dump({"benchmarks": [one("test_b[x-1]", 2e-6), one("test_a", 8e-6)]}, open(path, "w"))
"#;

#[test]
fn pytest_benchmarks_become_metrics() {
    if !has("python3") {
        return;
    }
    measured(
        &[
            ("requirements.txt", "pytest-benchmark"),
            ("pytest.py", PYTEST),
        ],
        &[
            ("test_a_ns", 8000.0),
            ("test_b_x_1__ns", 2000.0),
            ("total_ns", 10_000.0),
            ("geomean_ns", 4000.0),
        ],
    );
}

#[test]
fn a_script_that_needs_editing_says_so_and_prints_no_metric() {
    let message = "autoresearch.sh: run the benchmark here";
    refused(&[("Makefile", "")], "autoresearch.sh", message);
    let message = "autoresearch.checks.sh: run the tests here";
    refused(&[("Makefile", "")], "autoresearch.checks.sh", message);
    let manifest = "[package]\nname = \"tool\"\n";
    refused(
        &[("Cargo.toml", manifest), ("src/main.rs", "")],
        "autoresearch.sh",
        "give target/release/tool a workload",
    );
    if has("python3") {
        let message = "put the code to measure into work()";
        refused(&[("setup.py", "")], "autoresearch.sh", message);
    }
    if has("node") {
        let message = "put the code to measure into work()";
        refused(&[("package.json", "{}")], "autoresearch.sh", message);
    }
}

#[test]
fn the_gate_runs_the_tests_for_real() {
    if !has("python3") {
        return;
    }
    let test = |expected: u8| {
        format!(
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        \
             self.assertEqual(1, {expected})\n"
        )
    };
    for (expected, passes) in [(1, true), (2, false)] {
        for package in ["tests/__init__.py", "other.py"] {
            let files = [
                ("bench.py", ""),
                (package, ""),
                ("tests/test_a.py", &test(expected)),
            ];
            let directory = project(&files);
            run(directory.path(), &Options::default()).unwrap();
            let output = script(&directory, "autoresearch.checks.sh");
            assert_eq!(output.status.success(), passes, "{output:?}");
        }
    }
}

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    let files = report.files.iter();
    files
        .map(|file| (file.name.as_str(), file.outcome))
        .collect()
}

#[test]
fn what_exists_is_left_and_said_and_scripts_are_executable() {
    use Outcome::{Exists, Written};
    let directory = project(&[
        ("autoresearch.sh", "echo METRIC mine_s=1\n"),
        ("go.mod", ""),
    ]);
    // A link to nowhere is somebody's too.
    std::os::unix::fs::symlink("nowhere", directory.path().join("ideas.md")).unwrap();
    let report = run(directory.path(), &Options::default()).unwrap();
    assert_eq!(
        outcomes(&report),
        [
            ("autoresearch.sh", Exists),
            ("autoresearch.checks.sh", Written),
            ("autoresearch.config.json", Written),
            ("ideas.md", Exists),
        ]
    );
    let read = |name: &str| fs::read_to_string(directory.path().join(name));
    assert_eq!(read("autoresearch.sh").unwrap(), "echo METRIC mine_s=1\n");
    assert!(read("nowhere").is_err());
    let config = Config::parse(&read("autoresearch.config.json").unwrap(), "c").unwrap();
    assert_eq!(config.metric.name, "mine_s");
    let checks = fs::metadata(directory.path().join("autoresearch.checks.sh")).unwrap();
    assert_eq!(checks.permissions().mode() & 0o100, 0o100);
    let again = run(directory.path(), &Options::default()).unwrap();
    assert!(
        again
            .text()
            .contains("All four files exist; nothing was written.")
    );
    assert!(again.notes.is_empty());
}

#[test]
fn a_dry_run_shows_the_files_and_writes_none() {
    let directory = project(&[("go.mod", "")]);
    let report = run(directory.path(), &Options { dry_run: true }).unwrap();
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert!(
        report
            .files
            .iter()
            .all(|file| file.outcome == Outcome::WouldWrite)
    );
    let text = report.text();
    assert!(
        text.contains("would write autoresearch.sh") && text.contains("go test -run"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["dry_run"], true);
    assert_eq!(json["files"][3]["outcome"], "would_write");
}

#[test]
fn the_next_commands_fit_the_repository() {
    let directory = project(&[("sub/go.mod", "")]);
    let at = |path: &Path| run(path, &Options { dry_run: true }).unwrap();
    let report = at(&directory.path().join("sub"));
    assert!(report.next[0].starts_with("git init"), "{:?}", report.next);
    fs::create_dir(directory.path().join(".git")).unwrap();
    let report = at(&directory.path().join("sub"));
    assert_eq!(
        report.next,
        [
            "./autoresearch.sh && ./autoresearch.checks.sh",
            "git add autoresearch.sh autoresearch.checks.sh autoresearch.config.json ideas.md && \
             git commit -m \"Add autoresearch\"",
            "autoresearch doctor",
            "autoresearch noise",
            "autoresearch run",
        ]
    );
    let config = report.files[2].content.as_ref().unwrap();
    assert_eq!(Config::parse(config, "c").unwrap().scope, ["sub/**/*.go"]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error_with_its_name() {
    let directory = project(&[]);
    let path = directory.path().join("absent");
    let error = run(&path, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot find {}", path.display()));
}
