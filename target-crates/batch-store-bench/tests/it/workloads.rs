//! The workloads and their `METRIC` lines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use batch_store_bench::scale::Scale;
use batch_store_bench::workloads::ALL;

use crate::{complaint, printed};

/// Every workload in well under a second.
const TINY: Scale = Scale {
    grants: 300,
    sqlite_grants: 100,
    mixed_grants: 200,
    package_rows: 60,
    preloaded_events: 40,
    heartbeats: 400,
    durable_heartbeats: 20,
    artifact_rows: 100,
    artifact_burst: 80,
    entity_batches: 2,
    entity_batch_events: 200,
    entity_capacity: 500,
    ..Scale::FAST
};

#[test]
fn every_workload_runs_and_verifies_at_a_tiny_scale() {
    for workload in ALL {
        let dir = tempfile::tempdir().expect("a directory");
        let metrics = (workload.run)(dir.path(), TINY);
        let metrics = metrics.unwrap_or_else(|error| panic!("{}: {error}", workload.name));
        assert!(!metrics.is_empty(), "{}", workload.name);
        for metric in metrics {
            assert!(metric.value.is_finite(), "{metric:?}");
        }
    }
}

#[test]
fn two_runs_find_the_same_entities_also_on_a_busy_machine() {
    let digest = || {
        let text = printed(&["--only", "entities"]);
        let mut lines = text.lines().filter(|line| line.starts_with("DIGEST "));
        lines.next().expect("a digest").to_owned()
    };
    let first = digest();
    // Others move the store's threads against each other.
    let busy = AtomicBool::new(true);
    let second = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let second = digest();
        busy.store(false, Ordering::Relaxed);
        second
    });
    assert_eq!(second, first);
}

/// The names and values of the `METRIC` lines; beside them there are only `DIGEST` lines.
fn metrics(text: &str) -> BTreeMap<&str, Vec<f64>> {
    let mut metrics: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let is_metric = |line: &&str| !line.starts_with("DIGEST ");
    for line in text.lines().filter(is_metric) {
        let metric = line
            .strip_prefix("METRIC ")
            .and_then(|line| line.split_once('='));
        let (name, value) = metric.unwrap_or_else(|| panic!("not a metric: {line:?}"));
        let value = value.parse().expect("a number");
        metrics.entry(name).or_default().push(value);
    }
    metrics
}

#[test]
fn the_fast_profile_prints_every_metric_that_the_loop_is_configured_with() {
    let text = printed(&[]);
    let metrics = metrics(&text);
    let config = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../autoresearch.config.json"
    );
    let config = std::fs::read_to_string(config).expect("the loop's configuration");
    let is_metric_block = |line: &&str| line.contains("\"direction\"");
    let mut configured = 0;
    for line in config.lines().filter(is_metric_block) {
        let name = line
            .split("\"name\": \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let name = name.expect("a name");
        assert!(metrics.contains_key(name), "{name} is not printed:\n{text}");
        configured += 1;
    }
    assert!(
        configured >= 7,
        "{configured} metrics found in the configuration"
    );
}

#[test]
fn only_and_list_choose_and_print_workloads() {
    let list = printed(&["--list"]);
    for workload in ALL {
        assert!(list.contains(workload.name), "{list}");
    }
    let text = printed(&["--only", "grants_mixed"]);
    let names: Vec<&str> = metrics(&text).into_keys().collect();
    assert_eq!(names, ["grants_mixed_write_pack_ms", "peak_rss_kib"]);
}

#[test]
fn wrong_arguments_and_profiles_are_usage_errors() {
    for arguments in [&["--only", "nothing"][..], &["--fast"], &["--only"]] {
        let text = complaint(arguments, 2);
        assert!(text.contains("usage: batch-store-bench"), "{text}");
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_batch-store-bench"))
        .env("BATCH_STORE_BENCH_PROFILE", "slow")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("neither fast nor full"));
}

#[cfg(feature = "pprof")]
#[test]
fn every_workload_can_be_profiled() {
    for workload in ALL {
        let dir = tempfile::tempdir().expect("a directory");
        let out = dir.path().join("cpu");
        printed(&[
            "--only",
            workload.name,
            "--profile",
            out.to_str().expect("text"),
        ]);
        let svg = std::fs::read_to_string(out.with_extension("svg")).expect("a flamegraph");
        assert!(svg.contains("<svg"), "{}", workload.name);
        let protobuf = std::fs::metadata(out.with_extension("pb")).expect("a profile");
        assert!(protobuf.len() > 0, "{}", workload.name);
    }
}
