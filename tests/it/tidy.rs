//! House rules that a machine can check.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = crate::support::files_below(&root);
    files
        .into_keys()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file")
}

/// The part of a file before its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn no_source_file_is_longer_than_450_lines_without_its_unit_tests() {
    for path in sources("src").into_iter().chain(sources("tests")) {
        let lines = code(&text(&path)).lines().count();
        assert!(lines <= 450, "{} has {lines} lines", path.display());
    }
}

#[test]
fn main_is_shorter_than_15_lines() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    assert!(text(&main).lines().count() < 15);
}

#[test]
fn the_core_touches_no_clock_no_process_and_no_file() {
    for path in sources("src/flow")
        .into_iter()
        .chain(sources("src/propose"))
        .chain(sources("src/simulate"))
        .chain(sources("src/watch"))
    {
        let text = text(&path);
        for word in [
            "std::fs",
            "std::process",
            "std::env",
            "Instant::now",
            "SystemTime",
            "crate::edge",
            "crate::driver",
            "git2::",
            "duct::",
        ] {
            assert!(
                !code(&text).contains(word),
                "{} uses {word}",
                path.display()
            );
        }
    }
}

#[test]
fn each_outside_crate_is_used_in_the_edges_only() {
    for (word, allowed) in [
        ("duct::", "src/edge/"),
        ("indicatif::", "src/edge/"),
        ("libc::", "src/edge/"),
        ("signal_hook::", "src/edge/"),
        ("crossterm::", "src/edge/"),
    ] {
        for path in sources("src") {
            let name = path.to_string_lossy().into_owned();
            assert!(
                name.contains(allowed) || !text(&path).contains(word),
                "{name} uses {word}"
            );
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    let marks = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    for path in sources("src")
        .into_iter()
        .chain(sources("tests"))
        .chain(sources("benches"))
    {
        let text = text(&path);
        for mark in &marks {
            assert!(
                !text.contains(mark.as_str()),
                "{} has {mark}",
                path.display()
            );
        }
        assert!(
            !text.contains(&format!("#[{}", "ignore")),
            "{} skips a test",
            path.display()
        );
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/main.rs"));
    for path in sources("tests/it") {
        let stem = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            stem == "main" || main.contains(&format!("mod {stem};")),
            "{stem} is not in main.rs"
        );
    }
}

#[test]
fn the_changelog_names_this_version() {
    let changelog = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md"));
    assert!(
        changelog
            .expect("a changelog")
            .contains(env!("CARGO_PKG_VERSION"))
    );
}
