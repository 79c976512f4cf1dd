//! `autoresearch.config.json`.

use std::sync::LazyLock;

use autoresearch::flow::config::Config;
use autoresearch::flow::scope::Scope;
use proptest::prelude::*;

use crate::cases;
use crate::heap::bounded;
use crate::mutate::{any_input, line_named, text};

const FILE: &str = "c.json";

/// The documented example, which names every key, and the least that is valid.
static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let documented = include_str!("../../docs/config.md");
    let example = documented.split("```jsonc\n").nth(1).expect("an example");
    let example = example.split("```").next().expect("its end");
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let example: Vec<&str> = example.lines().filter(|line| !is_comment(line)).collect();
    let example = example.join("\n");
    let small = [
        r#"{"metric": "total_ms"}"#,
        include_str!("../../autoresearch.config.json"),
        r#"{"metric": {"name": "qps", "direction": "higher", "min_delta": 0.5}, "knobs":
            [{"name": "k", "file": "src/a.rs", "const": "K", "values": [1, 2.5, "a", true]}],
            "agent": {"preset": "claude"}, "limits": {"wall_s": 3600}}"#,
    ];
    let valid: Vec<String> = std::iter::once(example)
        .chain(small.map(str::to_owned))
        .collect();
    for text in &valid {
        Config::parse(text, FILE).expect("the sample is valid");
    }
    valid
});

fn check(input: &[u8]) -> Result<(), TestCaseError> {
    let text = text(input);
    // A glob is compiled to an automaton of some hundred times its size, within a limit.
    let parsed = bounded(input.len(), 1000, || Config::parse(&text, FILE));
    let config = match parsed {
        Ok(config) => config,
        Err(error) => {
            let message = error.to_string();
            prop_assert!(message.starts_with("c.json:"), "{message}");
            let names_field = message.contains('`');
            let names_line =
                line_named(&message, FILE).is_some_and(|line| line <= text.split('\n').count());
            let is_no_object = message.contains("no JSON object");
            prop_assert!(names_field || names_line || is_no_object, "{message}");
            prop_assert_eq!(error.exit(), autoresearch::exit::Exit::Usage);
            return Ok(());
        }
    };
    let printed = serde_json::to_string(&config).expect("it is plain JSON");
    let again = Config::parse(&printed, FILE);
    prop_assert_eq!(again.as_ref().ok(), Some(&config), "{:?}", again);
    // What is derived from a valid config exists, and protects what it must.
    let params = config.params();
    prop_assert!(params.min_effect > 0.0 && params.min_effect.is_finite());
    let scope = Scope::new(&config.scope, &config.protected_globs());
    prop_assert!(!scope.permits("autoresearch.sh") && !scope.permits("experiments.jsonl"));
    Ok(())
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_text_is_a_config_that_survives_printing_or_an_error_with_its_place(input in any_input(&VALID)) {
        check(&input)?;
    }
}

#[test]
fn deep_nesting_and_huge_values_are_refused_at_once() {
    let deep = |open: &str| format!("{{\"metric\": {}", open.repeat(1_000_000));
    for text in [
        deep("["),
        deep("{\"a\":"),
        format!("{{\"metric\": \"{}\"}}", "x-".repeat(2_500_000)),
        format!("{{\"metric\": \"x\", \"{}\": 1}}", "y".repeat(5_000_000)),
        format!(
            "{{\"metric\": \"x\", \"maxIterations\": \"{}\"}}",
            "z".repeat(5_000_000)
        ),
        format!(
            "{{\"metric\": \"x\", \"scope\": [\"{}\"]}}",
            "[".repeat(5_000_000)
        ),
        format!(
            "{{\"metric\": \"x\", \"min_run_ms\": 1{}}}",
            "0".repeat(1_000_000)
        ),
    ] {
        let error = Config::parse(&text, FILE)
            .expect_err("it is refused")
            .render();
        assert!(error.len() < 2000, "a message of {} bytes", error.len());
    }
}

#[test]
fn globs_too_large_to_compile_are_refused_and_never_leave_a_path_unprotected() {
    let large = "{a,b}".repeat(20_000);
    for field in ["scope", "protected", "env_allow", "artifacts"] {
        let text = format!(r#"{{"metric": "x", "build": ["make"], "{field}": ["{large}"]}}"#);
        if let Ok(config) = Config::parse(&text, FILE) {
            let scope = Scope::new(&config.scope, &config.protected_globs());
            assert!(!scope.permits("autoresearch.sh"), "{field}");
            assert!(field == "scope" || scope.permits("src/a.rs"), "{field}");
        }
    }
}
