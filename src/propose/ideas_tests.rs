use super::*;
use crate::flow::config_parts::KnobValue;
use crate::flow::record::{Gain, Origin, Reason};
use crate::propose::ideas_file::parse;

const FILE: &str = "\
- [ ] **late** (p5) Late one.
  - patch: ideas/late.patch
- [ ] **cache** (p2) Larger page cache. It is small.
  - knob: cache_kib = 8000, 32000, 64000
- [ ] **early** (p1) Early one. With a reason.
  - patch: ideas/early.patch
- [x] **ticked** (p1) By hand.
  - patch: ideas/ticked.patch
- [ ] **words** (p9) For an agent.
- first words
";

fn backlog() -> Backlog {
    parse(FILE, "ideas.md").unwrap()
}

fn knob(name: &str) -> Knob {
    Knob {
        name: name.to_owned(),
        file: "src/a.rs".to_owned(),
        constant: Some("X".to_owned()),
        pattern: None,
        values: Some(vec![KnobValue("1".to_owned()), KnobValue("2".to_owned())]),
        range: None,
    }
}

fn settings(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("cache_kib".to_owned(), value.to_owned())])
}

fn run(number: u64, idea: &str, value: Option<&str>, reason: Reason, percent: f64) -> Tried {
    Tried {
        run: number,
        description: String::new(),
        origin: Origin {
            proposer: "ideas".to_owned(),
            idea: Some(idea.to_owned()),
            knobs: value.map(settings).unwrap_or_default(),
        },
        reason,
        detail: String::new(),
        estimate: Some(Gain {
            log: percent / 100.0,
            lo: None,
            hi: None,
            percent,
            pairs: 8,
        }),
    }
}

fn next_title(tried: &[Tried], current: &str) -> Option<String> {
    let plan = next(&backlog(), tried, &[knob("cache_kib")], &settings(current))?;
    Some(match plan {
        Plan::Patch { title, path, .. } => format!("{title} @ {path}"),
        Plan::Knobs { title, .. } => title,
        Plan::Agent { .. } => panic!("an agent's plan"),
    })
}

fn sweep(value: &str) -> String {
    format!("Larger page cache: cache_kib = {value}\n\nLarger page cache. It is small.")
}

#[test]
fn what_an_entry_says_beside_its_title_is_the_body_of_the_description() {
    let of = |file: &str| description(&parse(file, "ideas.md").unwrap().ideas[0]);
    assert_eq!(of("- Sync once."), "Sync once");
    assert_eq!(
        of("- Sync once. Each call syncs.\n  - expect: 20 %\n  - risk: none\n"),
        "Sync once\n\nSync once. Each call syncs.\nexpect: 20 %\nrisk: none"
    );
    assert_eq!(
        of("- Sync once.\n  - expect: 20 %"),
        "Sync once\n\nexpect: 20 %"
    );
}

#[test]
fn entries_come_by_priority_then_in_file_order_and_each_once() {
    let early = "Early one\n\nEarly one. With a reason. @ ideas/early.patch";
    let mut tried = Vec::new();
    assert_eq!(next_title(&tried, "8000").as_deref(), Some(early));
    // The patch did not fit: still not again.
    tried.push(run(1, "early", None, Reason::NotApplicable, 0.0));
    let sweep = sweep("32000");
    assert_eq!(next_title(&tried, "8_000").as_deref(), Some(sweep.as_str()));
    tried.push(run(2, "cache", Some("32_000"), Reason::NoGain, 0.1));
    let sweep = self::sweep("64000");
    assert_eq!(next_title(&tried, "8000").as_deref(), Some(sweep.as_str()));
    tried.push(run(3, "cache", Some("64000"), Reason::Inconclusive, 0.2));
    assert_eq!(
        next_title(&tried, "8000").as_deref(),
        Some("Late one @ ideas/late.patch")
    );
    tried.push(run(4, "late", None, Reason::BuildFailed, 0.0));
    assert_eq!(next_title(&tried, "8000"), None);
}

#[test]
fn a_sweep_does_not_go_back_to_the_value_that_a_keep_replaced() {
    let mut tried = vec![
        run(1, "early", None, Reason::NoGain, 0.0),
        run(2, "cache", Some("32000"), Reason::Improved, 4.0),
    ];
    let sweep = sweep("64000");
    assert_eq!(next_title(&tried, "32000").as_deref(), Some(sweep.as_str()));
    tried.push(run(3, "cache", Some("64000"), Reason::NoGain, -1.0));
    assert_eq!(
        next_title(&tried, "32000").as_deref(),
        Some("Late one @ ideas/late.patch")
    );
}

#[test]
fn a_value_the_search_tried_on_its_own_is_still_the_entrys_to_try() {
    let mut other = run(1, "cache", Some("32000"), Reason::NoGain, 0.0);
    other.origin.idea = None;
    other.origin.proposer = "tune".to_owned();
    let tried = [run(2, "early", None, Reason::NoGain, 0.0), other];
    let sweep = sweep("32000");
    assert_eq!(next_title(&tried, "8000").as_deref(), Some(sweep.as_str()));
}

#[test]
fn free_text_is_the_agents_and_each_entry_once() {
    let Some(Plan::Agent { idea: Some(idea) }) = next_for_agent(&backlog(), &[]) else {
        panic!("an entry for the agent")
    };
    assert_eq!(idea.id, "first-words");
    let tried = [run(1, "first-words", None, Reason::ProposeFailed, 0.0)];
    let Some(Plan::Agent { idea: Some(idea) }) = next_for_agent(&backlog(), &tried) else {
        panic!("the other entry")
    };
    assert_eq!(idea.id, "words");
    let tried = [
        tried[0].clone(),
        run(2, "words", None, Reason::Improved, 2.0),
    ];
    assert_eq!(next_for_agent(&backlog(), &tried), None);
}

#[test]
fn finished_entries_are_ticked_with_their_verdict() {
    let tried = [
        run(3, "early", None, Reason::NoGain, 0.0),
        run(12, "late", None, Reason::Improved, 4.12),
        run(13, "words", None, Reason::GateFailed, 9.0),
    ];
    assert_eq!(
        finished(&backlog(), &tried, &settings("8000")),
        [
            ("late".to_owned(), "keep, run 12 (+4.1 %)".to_owned()),
            ("early".to_owned(), "discard, run 3 (no gain)".to_owned()),
            (
                "words".to_owned(),
                "checks_failed, run 13 (gate failed)".to_owned()
            ),
        ]
    );
}

#[test]
fn a_sweep_is_finished_with_its_last_value() {
    let sweep = |runs: &[(u64, &str, Reason)], current: &str| {
        let tried: Vec<Tried> = runs
            .iter()
            .map(|&(number, value, reason)| run(number, "cache", Some(value), reason, 1.5))
            .collect();
        finished(&backlog(), &tried, &settings(current))
            .into_iter()
            .map(|(_, text)| text)
            .next()
    };
    assert_eq!(sweep(&[], "8000"), None);
    assert_eq!(sweep(&[(3, "32000", Reason::NoGain)], "8000"), None);
    let losing = [(3, "32000", Reason::NoGain), (4, "64000", Reason::NoGain)];
    assert_eq!(sweep(&losing, "8000").as_deref(), Some("discard, runs 3-4"));
    let mixed = [
        (3, "8000", Reason::NoGain),
        (4, "32000", Reason::Timeout),
        (6, "64000", Reason::NotConfirmed),
    ];
    assert_eq!(
        sweep(&mixed, "1").as_deref(),
        Some("discard, runs 3, 6; crash, run 4")
    );
    let kept = [
        (3, "32000", Reason::Improved),
        (4, "64000", Reason::Improved),
    ];
    assert_eq!(
        sweep(&kept, "64000").as_deref(),
        Some("keep, run 4 (+1.5 %)")
    );
}

#[test]
fn a_sweep_of_an_unknown_knob_is_an_error_that_names_the_nearest() {
    let error = check_knobs(&backlog(), &[knob("cache_kb")], "ideas.md").unwrap_err();
    assert_eq!(
        error.render(),
        "error: ideas.md:3: idea `cache` sweeps the unknown knob `cache_kib`\n  \
         hint: did you mean `cache_kb`?"
    );
    assert!(check_knobs(&backlog(), &[knob("cache_kib")], "ideas.md").is_ok());
    assert_eq!(
        next(
            &backlog(),
            &[run(1, "early", None, Reason::NoGain, 0.0)],
            &[],
            &settings("1")
        )
        .and_then(|plan| plan.origin().idea)
        .as_deref(),
        Some("late")
    );
}
