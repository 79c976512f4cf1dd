//! A second decoder, which knows only what docs/ledger.md says and shares no code with the first:
//! a key that is written and not documented fails it.

use serde_json::Value;

/// What a key's value must be.
#[derive(Clone, Copy)]
enum Is {
    Text,
    Number,
    NumberOrNull,
    Whole,
    Flag,
    /// Free JSON, documented elsewhere.
    Free,
    /// Names to numbers.
    Numbers,
    /// Names to texts.
    Texts,
    OneOf(&'static [&'static str]),
    Object(&'static [(&'static str, bool, Is)]),
    List(&'static [(&'static str, bool, Is)]),
}
use Is::{Flag, Free, List, Number, NumberOrNull, Numbers, Object, OneOf, Text, Texts, Whole};

pub(super) const REASONS: &[&str] = &[
    "improved",
    "no_change",
    "repeat",
    "not_applicable",
    "no_gain",
    "inconclusive",
    "not_confirmed",
    "guard_failed",
    "guard_undecided",
    "not_exact",
    "self_report",
    "placebo_passed",
    "build_failed",
    "run_failed",
    "timeout",
    "bad_metric",
    "propose_failed",
    "drift",
    "tampered",
    "digest_differs",
    "gate_failed",
    "gate_flaky",
];

type Keys = &'static [(&'static str, bool, Is)];

const PAIR: Keys = &[
    (
        "phase",
        true,
        OneOf(&[
            "warm_up",
            "calibrate",
            "screen",
            "confirm",
            "guard",
            "end_to_end",
        ]),
    ),
    ("slot", true, Whole),
    ("candidate_first", true, Flag),
    ("parent", true, Numbers),
    ("candidate", true, Numbers),
    ("digests", false, Object(DIGESTS)),
    ("hold_out", false, Whole),
];
const DIGESTS: Keys = &[("compared", true, Whole), ("differ", false, Free)];
const SELF_REPORT: Keys = &[
    ("metric", true, Text),
    ("median_percent", true, Number),
    ("ln_e", true, Number),
];
const GAIN: Keys = &[
    ("log", true, Number),
    ("lo", false, Number),
    ("hi", false, Number),
    ("percent", true, Number),
    ("pairs", true, Whole),
];
const GUARD: Keys = &[
    ("name", true, Text),
    ("outcome", true, OneOf(&["pass", "fail", "undecided"])),
    ("tolerance_log", true, Number),
    ("pairs", true, Whole),
    ("median_percent", true, Number),
    ("scale", true, Number),
];
const GATE: Keys = &[
    (
        "outcome",
        true,
        OneOf(&["pass", "fail", "flaky", "not_run"]),
    ),
    ("duration_s", true, Number),
    ("output_tail", false, Text),
];
const DURATIONS: Keys = &[
    ("propose_s", true, Number),
    ("build_s", true, Number),
    ("measure_s", true, Number),
    ("gate_s", true, Number),
    ("total_s", true, Number),
];
const ORIGIN: Keys = &[
    ("proposer", true, Text),
    ("idea", false, Text),
    ("knobs", false, Texts),
];
const RUN: Keys = &[
    ("type", true, OneOf(&["run"])),
    ("run", true, Whole),
    ("commit", true, Text),
    ("metric", true, Number),
    ("metrics", true, Numbers),
    (
        "status",
        true,
        OneOf(&["keep", "discard", "crash", "checks_failed"]),
    ),
    ("description", true, Text),
    ("hypothesis", false, Text),
    ("timestamp", true, Whole),
    ("segment", true, Whole),
    ("confidence", true, NumberOrNull),
    ("asi", false, Free),
    ("format", true, Whole),
    ("session", true, Text),
    ("parent", true, Text),
    ("candidate", false, Text),
    ("tree", false, Text),
    ("ref", false, Text),
    ("reason", true, OneOf(REASONS)),
    ("detail", false, Text),
    ("incumbent", false, Number),
    ("estimate", false, Object(GAIN)),
    ("ln_e", false, Number),
    ("scale", false, Number),
    ("pairs", true, List(PAIR)),
    ("guards", false, List(GUARD)),
    ("self_report", false, Object(SELF_REPORT)),
    ("gate", true, Object(GATE)),
    ("durations", true, Object(DURATIONS)),
    ("origin", true, Object(ORIGIN)),
    ("seed", true, Whole),
    ("load", true, Number),
];
const ENVIRONMENT: Keys = &[
    ("cpu", true, Text),
    ("cores", true, Whole),
    ("memory_mib", true, Whole),
    ("kernel", true, Text),
    ("os", true, Text),
    ("rustc", true, Text),
    ("flags", true, Texts),
];
const CONFIG: Keys = &[
    ("type", true, OneOf(&["config"])),
    ("name", true, Text),
    ("metricName", true, Text),
    ("metricUnit", true, Text),
    ("bestDirection", true, OneOf(&["lower", "higher"])),
    ("format", true, Whole),
    ("session", true, Text),
    ("timestamp", true, Whole),
    ("start", true, Text),
    ("branch", true, Text),
    ("fingerprint", true, Text),
    ("version", true, Text),
    ("config", true, Free),
    ("environment", true, Object(ENVIRONMENT)),
];
const CALIBRATION: Keys = &[
    ("type", true, OneOf(&["calibration"])),
    ("format", true, Whole),
    ("session", true, Text),
    ("timestamp", true, Whole),
    ("commit", true, Text),
    ("seed", true, Whole),
    ("repeats", true, Whole),
    ("run_wall_ms", true, Number),
    ("primary", true, Free),
    ("guards", true, Free),
    ("load", true, Number),
    ("pairs", true, List(PAIR)),
];
const CLAIM: Keys = &[
    ("type", true, OneOf(&["claim"])),
    ("format", true, Whole),
    ("session", true, Text),
    ("timestamp", true, Whole),
    ("start", true, Text),
    ("head", true, Text),
    ("kept", true, Whole),
    ("estimate", true, Object(GAIN)),
    ("wall", false, Object(GAIN)),
    ("wall_adj", false, Object(GAIN)),
    ("sum_of_steps_log", true, Number),
    ("steps_do_not_add_up", true, Flag),
    ("seed", true, Whole),
    ("pairs", true, List(PAIR)),
];

const ABLATION: Keys = &[
    ("type", true, OneOf(&["ablation"])),
    ("format", true, Whole),
    ("session", true, Text),
    ("timestamp", true, Whole),
    ("of", true, Whole),
    ("head", true, Text),
    ("without", false, Text),
    ("ref", false, Text),
    (
        "worth",
        true,
        OneOf(&["pays", "no_longer_pays", "costs", "cannot_tell", "needed"]),
    ),
    ("detail", false, Text),
    ("estimate", false, Object(GAIN)),
    ("gate", true, Object(GATE)),
    ("dropped", true, Flag),
    ("seed", true, Whole),
    ("pairs", true, List(PAIR)),
];

const REPAIR: Keys = &[
    ("type", true, OneOf(&["repair"])),
    ("format", true, Whole),
    ("timestamp", true, Whole),
    ("file", true, Text),
    ("line", true, Whole),
    ("lines", true, Whole),
    ("sha256", true, Text),
    ("reason", true, Text),
    ("next_run", true, Whole),
    ("next_segment", true, Whole),
    ("next", false, Text),
];

/// What is wrong with a line, by the documentation.
pub(super) fn problem(line: &Value) -> Option<String> {
    match line["type"].as_str() {
        Some("run") => walk(line, RUN, "run"),
        Some("config") => walk(line, CONFIG, "config"),
        Some("calibration") => walk(line, CALIBRATION, "calibration"),
        Some("claim") => walk(line, CLAIM, "claim"),
        Some("ablation") => walk(line, ABLATION, "ablation"),
        Some("repair") => walk(line, REPAIR, "repair"),
        other => Some(format!("type {other:?}")),
    }
}

/// Every documented key.
pub(super) fn keys() -> Vec<&'static str> {
    let all = [
        PAIR,
        DIGESTS,
        SELF_REPORT,
        GAIN,
        GUARD,
        GATE,
        DURATIONS,
        ORIGIN,
        RUN,
        ENVIRONMENT,
        CONFIG,
        CALIBRATION,
        CLAIM,
        ABLATION,
        REPAIR,
    ];
    all.iter()
        .copied()
        .flatten()
        .map(|(key, _, _)| *key)
        .collect()
}

fn walk(value: &Value, keys: Keys, at: &str) -> Option<String> {
    let Some(object) = value.as_object() else {
        return Some(format!("{at} is no object"));
    };
    for key in object.keys() {
        if !keys.iter().any(|(known, _, _)| known == key) {
            return Some(format!("{at}.{key} is not documented"));
        }
    }
    keys.iter()
        .find_map(|(key, required, is)| match object.get(*key) {
            None if *required => Some(format!("{at}.{key} is missing")),
            None => None,
            Some(value) => wrong(value, *is, &format!("{at}.{key}")),
        })
}

fn wrong(value: &Value, is: Is, at: &str) -> Option<String> {
    let all = |test: fn(&Value) -> bool| {
        value
            .as_object()
            .is_some_and(|object| object.values().all(test))
    };
    let right = match is {
        Text => value.is_string(),
        Number => value.is_number(),
        NumberOrNull => value.is_number() || value.is_null(),
        Whole => value.is_u64(),
        Flag => value.is_boolean(),
        Free => value.is_object(),
        Numbers => all(Value::is_number),
        Texts => all(Value::is_string),
        OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Object(keys) => return walk(value, keys, at),
        List(keys) => {
            let Some(items) = value.as_array() else {
                return Some(format!("{at} is no array"));
            };
            return items.iter().find_map(|item| walk(item, keys, at));
        }
    };
    (!right).then(|| format!("{at} is {value}"))
}
