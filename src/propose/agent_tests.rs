use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::flow::record::Origin;
use crate::propose::ideas_file::parse;

const IDEAS: &str = "\
- [ ] **batch** (p1) Write in batches. Larger ones.
  - risk: latency
- [ ] **other** (p2) Another idea.
- [ ] **patched** (p3) With a patch.
  - patch: a.patch
";

fn config() -> Config {
    let text = r#"{"metric": {"name": "total_ms", "unit": "ms"}, "scope": ["src/**"],
        "guards": [{"name": "bytes", "tolerance_percent": 2}]}"#;
    Config::parse(text, "autoresearch.config.json").unwrap()
}

fn run(number: u64, reason: Reason, detail: &str) -> Tried {
    Tried {
        run: number,
        description: format!("Change\n{number}"),
        origin: Origin::default(),
        reason,
        detail: detail.to_owned(),
        estimate: Some(Gain {
            log: 0.05,
            lo: Some(0.01),
            hi: Some(0.09),
            percent: 4.877,
            pairs: 9,
        }),
    }
}

fn brief(tried: &[Tried], idea: Option<&str>) -> Brief {
    let backlog = parse(IDEAS, "ideas.md").unwrap();
    let idea = backlog
        .ideas
        .iter()
        .find(|entry| Some(entry.id.as_str()) == idea);
    let incumbent = BriefIncumbent {
        commit: "0123456789abcdef".to_owned(),
        value: Some(12.5),
    };
    Brief::new(
        &config(),
        incumbent,
        idea,
        &backlog,
        tried,
        "/run/answer.json",
    )
}

#[test]
fn a_brief_has_the_documented_fields_and_reads_back() {
    let brief = brief(&[run(1, Reason::Improved, "")], Some("batch"));
    let json: Value = serde_json::from_str(&brief.to_json()).unwrap();
    let keys: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "version",
            "goal",
            "metric",
            "incumbent",
            "scope",
            "protected",
            "idea",
            "verdicts",
            "backlog",
            "rules",
            "answer_file"
        ]
    );
    assert_eq!(json["metric"]["direction"], "lower");
    assert_eq!(json["verdicts"][0]["status"], "keep");
    assert_eq!(json["backlog"].as_array().unwrap().len(), 1);
    assert_eq!(serde_json::from_value::<Brief>(json).unwrap(), brief);
}

#[test]
fn no_running_statistics_are_told() {
    let brief = brief(&[run(1, Reason::NoGain, "bytes")], None);
    let json: Value = serde_json::from_str(&brief.to_json()).unwrap();
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let expected = ["description", "gain", "reason", "run", "status"].map(str::to_owned);
    assert_eq!(keys(&json["verdicts"][0]), BTreeSet::from(expected));
    let expected = ["high", "low", "percent"].map(str::to_owned);
    assert_eq!(keys(&json["verdicts"][0]["gain"]), BTreeSet::from(expected));
}

#[test]
fn an_interval_is_in_percent_of_the_metric_in_its_direction() {
    let gain = Gain {
        log: 0.1,
        lo: Some(-0.1),
        hi: Some(0.5),
        percent: 9.516,
        pairs: 8,
    };
    let lower = BriefGain::new(gain, Direction::Lower);
    assert_eq!((lower.low, lower.high), (Some(-10.52), Some(39.35)));
    let higher = BriefGain::new(gain, Direction::Higher);
    assert_eq!((higher.low, higher.high), (Some(-9.52), Some(64.87)));
}

#[test]
fn only_the_latest_verdicts_are_told() {
    let tried: Vec<Tried> = (1..=50)
        .map(|number| run(number, Reason::NoGain, ""))
        .collect();
    let runs: Vec<u64> = brief(&tried, None)
        .verdicts
        .iter()
        .map(|verdict| verdict.run)
        .collect();
    assert_eq!(runs, (31..=50).collect::<Vec<u64>>());
}

#[test]
fn the_prompt_says_it_in_plain_words() {
    let tried = [
        run(1, Reason::Improved, ""),
        run(2, Reason::BuildFailed, "error[E0308]"),
    ];
    let prompt = prompt(&brief(&tried, Some("batch")));
    for part in [
        "Make total_ms (ms) lower with one change to this repository.\n",
        "You are in a checkout of commit 0123456789ab. It is 12.5 ms now. ",
        "Carry out this idea (batch): Write in batches. Larger ones.\n- risk: latency\n",
        "- A gain of less than 1 % is not kept.\n",
        "- These must not get worse by more than: bytes (2 %).\n",
        "Paths you may change:\n- src/**\n",
        "- **/autoresearch.sh\n",
        "- Change 1: kept, it was better, and still was when measured again (+4.9 %, 95 % between \
         +1.0 and +8.6)\n",
        "- Change 2: failed, it does not build: error[E0308] (",
        "Other ideas, not for now:\n- other: Another idea.\n",
        "to /run/answer.json (the variable AUTORESEARCH_ANSWER",
    ] {
        assert!(prompt.contains(part), "{part:?} is not in\n{prompt}");
    }
    assert!(prompt.starts_with(|c: char| c.is_ascii_alphabetic()));
    for jargon in ["e-value", "p-value", "incumbent", "sequential", "log unit"] {
        assert!(!prompt.contains(jargon), "{jargon}");
    }
}

#[test]
fn a_brief_of_long_texts_still_fits_an_argument() {
    let long = "word ".repeat(5_000);
    let tried: Vec<Tried> = (0..40)
        .map(|number| run(number, Reason::GateFailed, &long))
        .collect();
    let ideas: String = (0..60)
        .map(|n| format!("- [ ] **i{n}** {long}\n"))
        .collect();
    let backlog = parse(&ideas, "ideas.md").unwrap();
    let incumbent = BriefIncumbent {
        commit: String::new(),
        value: None,
    };
    let brief = Brief::new(&config(), incumbent, None, &backlog, &tried, "a.json");
    let length = prompt(&brief).len();
    assert!(length < 60_000, "{length}");
}

proptest! {
    #[test]
    fn any_text_in_a_verdict_is_one_bounded_line(detail in "(?s).{0,2000}") {
        let verdict = BriefVerdict::new(&run(1, Reason::GateFailed, &detail), Direction::Lower);
        prop_assert!(!verdict.reason.contains('\n'));
        prop_assert!(verdict.reason.chars().count() <= TEXT_CHARS_MAX + 1);
    }
}
