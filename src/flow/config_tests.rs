use super::*;

/// The whole text a user sees for a config with a mistake.
#[track_caller]
fn check(text: &str, expected: &str) {
    let error = Config::parse(text, "c.json").expect_err(text);
    assert_eq!(error.exit(), crate::exit::Exit::Usage, "{text}");
    let hints = [
        "docs/config.md has every key with its type, range and an example",
        "JSON has no comments, no comma after the last entry, and double quotes around every text",
    ];
    let hinted = hints.map(|hint| format!("error: {expected}\n  hint: {hint}"));
    let rendered = error.render();
    let is_expected = rendered == format!("error: {expected}") || hinted.contains(&rendered);
    assert!(is_expected, "{text}\n{rendered}\n{expected}");
}

/// As [`check`], for a config that is valid but for `keys`.
#[track_caller]
fn check_with(keys: &str, expected: &str) {
    let valid = Config::parse(r#"{"metric": "x_ms"}"#, "c.json");
    assert!(valid.is_ok(), "{valid:?}");
    check(&format!("{{\"metric\": \"x_ms\", {keys}}}"), expected);
}

#[test]
fn text_that_is_no_config_or_names_no_metric_is_said_with_its_place() {
    check(
        "",
        "c.json: it is no JSON object\n  hint: the least that is valid: {\"metric\": \"total_ms\"}",
    );
    check(
        "[]",
        "c.json: it is no JSON object\n  hint: the least that is valid: {\"metric\": \"total_ms\"}",
    );
    check("{}", "c.json:1:2: missing key `metric`");
    check(r#"{"metric": "x",}"#, "c.json:1:16: trailing comma");
    check(r#"{"metric": "x"} {}"#, "c.json:1:17: trailing characters");
    check(
        r#"{"metric": "x", "metric": "y"}"#,
        "c.json:1:24: duplicate key `metric`",
    );
    check(
        "{\n  \"metric\": {\"unit\": \"ms\"}\n}",
        "c.json:2:26: `metric`: missing key `name`",
    );
    check(
        r#"{"metric": 5}"#,
        "c.json:1:12: `metric`: invalid type: integer `5`, expected a metric name or an object with `name`",
    );
    check(
        r#"{"metric": "a-b"}"#,
        "c.json: `metric` is \"a-b\"; use letters, digits, '_', '.' and 'µ'",
    );
    check(
        r#"{"metric": "driver.wall_adj"}"#,
        "c.json: `metric` is \"driver.wall_adj\" (did you mean \"driver.wall_adj_ms\"?); the driver's metrics are driver.wall_ms, driver.wall_adj_ms, driver.user_ms, driver.sys_ms, driver.cpu_ms, driver.peak_rss_kib, driver.minor_faults, driver.major_faults, driver.ctx_voluntary, driver.ctx_involuntary, driver.instructions",
    );
    check(
        r#"{"metric": "driver.energy"}"#,
        "c.json: `metric` is \"driver.energy\"; the driver's metrics are driver.wall_ms, driver.wall_adj_ms, driver.user_ms, driver.sys_ms, driver.cpu_ms, driver.peak_rss_kib, driver.minor_faults, driver.major_faults, driver.ctx_voluntary, driver.ctx_involuntary, driver.instructions",
    );
    check(
        r#"{"metric": {"name": "x", "min_delta": -1}}"#,
        "c.json: `metric.min_delta` is -1; it must be at least 0",
    );
    check(
        r#"{"metric": {"name": "x", "direction": "up"}}"#,
        "c.json:1:42: `metric.direction`: unknown value `up`\n  hint: known: lower, higher",
    );
}

#[test]
fn an_unknown_name_comes_with_the_nearest_known_one() {
    check_with(
        r#""min_efect_percent": 1"#,
        "c.json:1:38: unknown key `min_efect_percent`\n  hint: did you mean `min_effect_percent`?",
    );
    check_with(
        r#""max_iterations": 5"#,
        "c.json:1:35: unknown key `max_iterations`\n  hint: did you mean `maxIterations`?",
    );
    check_with(
        r#""banana": 5"#,
        "c.json:1:27: unknown key `banana`\n  hint: known: $schema, name, maxIterations, workingDir, metric, guards, min_effect_percent, false_keeps_per_200, max_pairs, placebo_every, min_run_ms, self_report, hold_out_env, build, artifacts, timeouts, limits, scope, protected, protected_defaults, proposers, agent, knobs, sandbox, network, metric_lines, memory_mib, hooks, profile_kept, env_allow",
    );
    check_with(
        r#""self_report": "allow""#,
        "c.json:1:41: `self_report`: unknown value `allow`\n  hint: known: block, warn, off",
    );
    check_with(
        r#""hold_out_env": "1SEED""#,
        "c.json: `hold_out_env` is \"1SEED\"; use letters, digits and '_', not beginning with a digit",
    );
    check_with(
        r#""hold_out_env": "PATH""#,
        "c.json: `hold_out_env` is \"PATH\", which has another meaning",
    );
    check_with(
        r#""proposers": ["idea"]"#,
        "c.json:1:39: `proposers[0]`: unknown value `idea`\n  hint: did you mean `ideas`?",
    );
    check_with(
        r#""timeouts": {"bench_s": 5}"#,
        "c.json:1:41: `timeouts`: unknown key `bench_s`\n  hint: did you mean `benchmark_s`?",
    );
    check_with(
        r#""agent": {"preset": "claud"}"#,
        "c.json:1:46: `agent.preset`: unknown value `claud`\n  hint: did you mean `claude`?",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "range": {"min": 0, "max": 2, "scale": "log"}}]"#,
        "c.json:1:114: `knobs[0].range.scale`: unknown value `log`\n  hint: did you mean `log2`?",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_said_with_its_key_and_place() {
    check_with(
        r#""maxIterations": -1"#,
        "c.json:1:38: `maxIterations`: invalid value: integer `-1`, expected a whole number from 0",
    );
    check_with(
        r#""maxIterations": 2.5"#,
        "c.json:1:39: `maxIterations`: invalid type: number `2.5`, expected a whole number from 0",
    );
    check_with(
        r#""maxIterations": "5""#,
        "c.json:1:39: `maxIterations`: invalid type: string \"5\", expected a whole number from 0",
    );
    check_with(
        r#""min_effect_percent": "1 %""#,
        "c.json:1:46: `min_effect_percent`: invalid type: string \"1 %\", expected a number",
    );
    check_with(
        r#""scope": "src/**""#,
        "c.json:1:36: `scope`: invalid type: string \"src/**\", expected a list",
    );
    check_with(
        r#""build": "make""#,
        "c.json:1:34: `build`: invalid type: string \"make\", expected a list",
    );
    check_with(
        r#""timeouts": 5"#,
        "c.json:1:32: `timeouts`: invalid type: integer `5`, expected an object",
    );
    check_with(
        r#""guards": [{"name": "a"}, {"tolerance_percent": 5}]"#,
        "c.json:1:69: `guards[1]`: missing key `name`",
    );
    check_with(
        r#""guards": ["a"]"#,
        "c.json:1:33: `guards[0]`: invalid type: string \"a\", expected an object",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "values": [1, null]}]"#,
        "c.json:1:89: `knobs[0].values`: a knob value is a number, a text or a boolean, not null",
    );
    check_with(
        r#""protected_defaults": "yes""#,
        "c.json:1:46: `protected_defaults`: invalid type: string \"yes\", expected true or false",
    );
    check_with(
        r#""$schema": 5"#,
        "c.json:1:31: `$schema`: invalid type: integer `5`, expected a string",
    );
}

#[test]
fn a_value_out_of_range_is_said_with_the_range() {
    check_with(
        r#""maxIterations": 0"#,
        "c.json: `maxIterations` is 0; it must be at least 1",
    );
    check_with(
        r#""min_effect_percent": 0"#,
        "c.json: `min_effect_percent` is 0; it must be above 0 and at most 50",
    );
    check_with(
        r#""false_keeps_per_200": 30"#,
        "c.json: `false_keeps_per_200` is 30; use 0.01 to 20",
    );
    check_with(
        r#""max_pairs": 4"#,
        "c.json: `max_pairs` is 4; use 8 to 1000",
    );
    check_with(
        r#""min_run_ms": -1"#,
        "c.json: `min_run_ms` is -1; use 0 to 60000",
    );
    check_with(
        r#""scope": []"#,
        "c.json: `scope` is empty, so no candidate could change anything; use [\"**\"] for every file",
    );
    check_with(
        r#""scope": ["src/[**"]"#,
        "c.json: `scope[0]` is no glob: error parsing glob 'src/[**': unclosed character class; missing ']'",
    );
    check_with(r#""proposers": []"#, "c.json: `proposers` is empty");
    check_with(r#""build": []"#, "c.json: `build` is an empty command");
    check_with(
        r#""name": "My Project""#,
        "c.json: `name` is \"My Project\"; use lowercase letters, digits, '-', '_' and '.'",
    );
    check_with(
        r#""workingDir": "../x""#,
        "c.json: `workingDir` is \"../x\"; it must be a relative path inside the repository",
    );
    check_with(
        r#""workingDir": "/x""#,
        "c.json: `workingDir` is \"/x\"; it must be a relative path inside the repository",
    );
    check_with(
        r#""timeouts": {"build_s": 0}"#,
        "c.json: `timeouts.build_s` is 0; it must be above 0 and at most 604800 seconds",
    );
    check_with(
        r#""env_allow": ["{A"]"#,
        "c.json: `env_allow[0]` is no glob: error parsing glob '{A': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
    );
}

#[test]
fn guards_agent_and_knobs_that_contradict_themselves_are_named_by_index() {
    check_with(
        r#""guards": [{"name": "a"}, {"name": "a"}]"#,
        "c.json: `guards[1].name` names \"a\" a second time",
    );
    check_with(
        r#""guards": [{"name": "x_ms"}]"#,
        "c.json: `guards[0].name` names \"x_ms\" a second time",
    );
    check_with(
        r#""guards": [{"name": "a", "tolerance_percent": 100}]"#,
        "c.json: `guards[0].tolerance_percent` is 100; it must be at least 0 and below 100",
    );
    check_with(
        r#""agent": {}"#,
        "c.json: `agent` needs `preset` or `command`",
    );
    check_with(
        r#""agent": {"preset": "pi", "command": ["x"]}"#,
        "c.json: `agent` has both `preset` and `command`; give one",
    );
    check_with(
        r#""agent": {"command": []}"#,
        "c.json: `agent` has an empty `command`",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "pattern": "a {value}", "values": [1, 2]}]"#,
        "c.json: `knobs[0]` has both `const` and `pattern`; give one",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "values": [1, 2]}]"#,
        "c.json: `knobs[0]` needs `const` or `pattern`",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A"}]"#,
        "c.json: `knobs[0]` needs `values` or `range`",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "values": [1]}]"#,
        "c.json: `knobs[0]` needs at least two `values`",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "values": [1, 2], "range": {"min": 1, "max": 2}}]"#,
        "c.json: `knobs[0]` has both `values` and `range`; give one",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "pattern": "a", "values": [1, 2]}]"#,
        "c.json: `knobs[0]` has the pattern \"a\", which needs `{value}` once",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "range": {"min": 2, "max": 2}}]"#,
        "c.json: `knobs[0]` has the range 2 to 2; `min` must be below `max`",
    );
    check_with(
        r#""knobs": [{"name": "k", "file": "f", "const": "A", "range": {"min": 0, "max": 2, "scale": "log2"}}]"#,
        "c.json: `knobs[0]` has a log2 range from 0; `min` must be above 0",
    );
}

#[test]
fn the_documented_example_is_valid_and_names_every_key() {
    let text = include_str!("../../docs/config.md");
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let example = text
        .split("```jsonc\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let uncommented: String = example
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    Config::parse(&uncommented, "docs/config.md").unwrap();
    let mut definitions = vec![&schema];
    definitions.extend(schema["$defs"].as_object().unwrap().values());
    let keys = definitions
        .iter()
        .flat_map(|part| part["properties"].as_object())
        .flat_map(|properties| properties.keys());
    for key in keys {
        assert!(
            uncommented.contains(&format!("\"{key}\":")) || key == "command" || key == "pattern",
            "the example in docs/config.md has no {key}"
        );
        assert!(
            text.contains(&format!("`{key}`")),
            "docs/config.md says nothing of {key}"
        );
    }
}

#[test]
fn the_schema_takes_a_metric_as_a_name_or_an_object_and_knob_values_of_three_types() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let metric = &schema["$defs"]["MetricSpec"]["anyOf"];
    assert_eq!(metric[0]["type"], "string");
    assert_eq!(metric[1]["type"], "object");
    assert_eq!(metric[1]["required"], serde_json::json!(["name"]));
    assert_eq!(
        schema["$defs"]["KnobValue"]["type"],
        serde_json::json!(["string", "number", "boolean"])
    );
}

#[test]
fn a_config_survives_writing_and_reading() {
    let text = r#"{"metric": "x_ms", "guards": [{"name": "rss"}], "knobs": [{"name": "k",
        "file": "f.rs", "const": "K", "values": [1, 2.5, "a", true]}]}"#;
    let config = Config::parse(text, "c.json").unwrap();
    let again = Config::parse(&serde_json::to_string(&config).unwrap(), "c.json").unwrap();
    assert_eq!(config, again);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(
        text in "\\{\"metric\": *[\\[\\]{}:,0-9\"\\\\aé \n]{0,40}\\}?"
    ) {
        if let Err(error) = Config::parse(&text, "c.json") {
            proptest::prop_assert!(error.render().starts_with("error: c.json"));
        }
    }
}
