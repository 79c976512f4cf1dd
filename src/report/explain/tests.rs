use super::*;
use crate::flow::explain::Rule;
use crate::flow::ledger::samples;

fn explanation() -> Explanation {
    let point = |d: f64, ln_e: f64, lr: f64| ReplayPoint {
        d,
        s: 0.02,
        ln_e,
        lr,
    };
    Explanation {
        run: 1,
        recorded: Reason::NoGain,
        recomputed: Recomputed::Verdict(Reason::NoGain),
        differences: Vec::new(),
        rule: Rule {
            exact: false,
            scale: 0.02,
            delta: 0.02,
            e_keep: 100.0,
            beta: 0.05,
            cap_pairs: 60,
            keep_pairs_min: 8,
        },
        screen: vec![
            point(0.01, 0.5, -0.2),
            point(-0.02, -1.0, -1.4),
            point(-0.03, -2.0, -3.4),
        ],
        confirm: Vec::new(),
        estimate: None,
        guards: Vec::new(),
        more: Some(MoreData::NoGainInSight { needed_gain: 0.02 }),
    }
}

#[test]
fn a_verdict_is_explained_with_its_chart_and_its_pairs() {
    let line = samples::ended(1, Reason::NoGain, "after 3 pairs");
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let text = text(&explanation(), &line, &segment);
    assert_eq!(
        text,
        "\
run 1: Batch the writes of one commit

on record   discard: no gain
recomputed  the same, from 2 recorded pairs
judged by   total_ms, lower is better; noise of a pair 2.02 %, smallest gain looked for 2.02 %
            goes to fresh pairs at E >= 100, is dropped at LR <= 0.05, after 60 pairs at most
            (no gain, however large, can be kept in fewer than 8 pairs)
why         LR fell to 0.033 after 3 pairs: they speak against a gain of 2.02 % (E = 0.14)
more data   the pairs point to no gain, so more of them would not have kept it; one of +2.0 % would have been

evidence for a gain, E after each pair (log scale)
      100 |===
          |
          |
          |
          |
          |*
        1 |---
          | *
     0.14 |  *
          +---

 pair      gain     scale         E        LR
    1    +1.0 %    2.02 %      1.65      0.82
    2    -2.0 %    2.02 %      0.37      0.25
    3    -3.0 %    2.02 %      0.14      0.03
median gain -2.0 % (a description: what is claimed comes from fresh pairs only)
"
    );
}

#[test]
fn one_pair_is_no_pairs() {
    let mut explanation = explanation();
    explanation.screen.truncate(1);
    explanation.confirm = vec![0.1];
    let mut line = samples::kept(1);
    line.pairs.truncate(1);
    let mut segment = Segment::from((0, Box::new(samples::config_line())));
    for reason in [Reason::Improved, Reason::NoGain] {
        line.reason = reason;
        explanation.guards = line.guards.clone();
        explanation.guards[0].pairs = 1;
        let text = text(&explanation, &line, &segment);
        assert!(text.contains("from 1 recorded pair\n"), "{text}");
        assert!(text.contains(" after 1 pair"), "{text}");
        assert!(
            !text.contains(" 1 fresh pairs") && !text.contains(" 1 pairs"),
            "{text}"
        );
    }
    segment.session = None;
    assert!(text(&explanation, &line, &segment).contains("over 1 pair, tolerance 5.13 %"));
}

#[test]
fn a_record_that_does_not_follow_is_told_loudly() {
    let mut explanation = explanation();
    explanation.differences = vec!["ln E on record is 9; the pairs give -2".to_owned()];
    let line = samples::ended(1, Reason::NoGain, "");
    let segment = Segment::from((0, Box::new(samples::config_line())));
    let text = text(&explanation, &line, &segment);
    assert!(text.contains("DIFFERENT"), "{text}");
    assert!(text.contains("ln E on record is 9"), "{text}");
}
