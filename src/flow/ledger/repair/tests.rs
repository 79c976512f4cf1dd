use proptest::prelude::*;

use super::super::{decode_text, samples};
use super::*;
use crate::flow::ledger::Decoder;
use crate::flow::record::{Reason, RunLine};
use crate::flow::session::Past;

const FILE: &str = "experiments.jsonl";
const KEPT: &str = "experiments.jsonl.damaged-1";

/// Appends to a ledger as the program does.
#[derive(Clone, Default)]
struct Written {
    chain: Chain,
    lines: Vec<String>,
}

impl Written {
    fn push(&mut self, line: &Line) {
        self.lines.push(self.chain.link(&line.encode()));
    }

    fn open(&mut self, session: &str) {
        let mut line = samples::config_line();
        line.session = session.to_owned();
        self.push(&Line::Config(Box::new(line)));
    }

    fn ran(&mut self, session: &str, segment: u32, run: u64) {
        let mut line: RunLine = samples::ended(run, Reason::BuildFailed, "exit 101");
        line.session = session.to_owned();
        line.segment = segment;
        self.push(&Line::Run(Box::new(line)));
    }
}

/// Two sessions: lines 1 to 5 and 6 to 9, runs 1 to 4 and 5 to 7.
fn written() -> Written {
    let mut written = Written::default();
    written.open("a");
    (1..=4).for_each(|run| written.ran("a", 0, run));
    written.open("b");
    (5..=7).for_each(|run| written.ran("b", 1, run));
    written
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .into_bytes()
}

/// Numbers of the runs that a ledger has, and the lines that break its chain. Fails when it cannot be
/// read.
fn runs_and_breaks(text: &[u8]) -> (Vec<u64>, Vec<u64>) {
    let mut decoder = Decoder::new(FILE).following_the_chain();
    let (mut past, mut runs) = (Past::new(), Vec::new());
    let ending = decode_text(text, &mut decoder, |read| {
        past.apply(&read).expect("possible values");
        if let crate::flow::entry::Read::Run(entry) = read {
            runs.push(entry.run);
        }
        Ok(())
    })
    .expect("a repaired ledger can be read");
    assert_eq!(ending.torn, None);
    assert_eq!(past.next_run, decoder.next_run());
    (runs, decoder.chain().broken().to_vec())
}

/// First line, lines and reason of each gap; and the repaired text.
fn repaired(text: &[u8]) -> (Vec<(u64, u64, String)>, Vec<u8>) {
    let plan = Plan::of(text, FILE).expect("it is ours");
    let gaps = plan
        .gaps()
        .map(|gap| (gap.line, gap.lines, gap.reason.clone()))
        .collect();
    let repaired = plan.apply(text, KEPT, 1).expect("it can be repaired");
    (gaps, repaired)
}

#[track_caller]
fn check(text: &[u8], gaps: &[(u64, u64, &str)], runs: &[u64]) -> Vec<u8> {
    let (found, repaired) = repaired(text);
    let found: Vec<_> = found
        .iter()
        .map(|(line, lines, reason)| (*line, *lines, reason.as_str()))
        .collect();
    assert_eq!(found.len(), gaps.len(), "{found:?}");
    for (found, expected) in found.iter().zip(gaps) {
        assert_eq!((found.0, found.1), (expected.0, expected.1), "{found:?}");
        assert!(found.2.contains(expected.2), "{found:?}");
    }
    assert_eq!(runs_and_breaks(&repaired), (runs.to_vec(), Vec::new()));
    repaired
}

#[test]
fn a_healthy_ledger_has_no_gap_and_stays_as_it_is() {
    let text = joined(&written().lines);
    let plan = Plan::of(&text, FILE).expect("it is ours");
    assert_eq!((plan.gaps().count(), plan.kept), (0, 9));
    assert_eq!(plan.apply(&text, KEPT, 1).expect("it is whole"), text);
    assert_eq!(Plan::of(b"", FILE).expect("empty").gaps().count(), 0);
}

#[test]
fn a_damaged_line_is_taken_out_and_the_chain_goes_on_after_it() {
    for damage in ["{\"type\":\"run\",\"ru", "\0\0\0\0", "garbage", "{\"a\":1}"] {
        let mut lines = written().lines;
        lines[2] = damage.to_owned();
        check(&joined(&lines), &[(3, 1, "")], &[1, 3, 4, 5, 6, 7]);
    }
    let mut text = joined(&written().lines[..2]);
    text.extend_from_slice(b"\xff\xfe\n");
    text.extend(joined(&written().lines[3..]));
    check(&text, &[(3, 1, "not UTF-8")], &[1, 3, 4, 5, 6, 7]);
}

#[test]
fn the_repair_line_says_what_was_taken_out_and_from_where() {
    let mut lines = written().lines;
    lines[2] = "garbage".to_owned();
    lines[3] = "more".to_owned();
    let repaired = check(
        &joined(&lines),
        &[(3, 2, "not a JSON object")],
        &[1, 4, 5, 6, 7],
    );
    let repaired = String::from_utf8(repaired).unwrap();
    let line: serde_json::Value = serde_json::from_str(repaired.lines().nth(2).unwrap()).unwrap();
    assert_eq!(line["type"], "repair");
    assert_eq!(line["file"], KEPT);
    assert_eq!((&line["line"], &line["lines"]), (&3.into(), &2.into()));
    assert_eq!(line["next_run"], 4);
    assert_eq!(
        line["sha256"].as_str().unwrap(),
        chain::sha256("garbage\nmore\n")
    );
    assert_eq!(line["next"].as_str().unwrap(), chain::sha256(&lines[4]));
}

#[test]
fn an_edit_beside_a_repaired_place_still_shows() {
    let mut lines = written().lines;
    lines[2] = "garbage".to_owned();
    let (_, repaired) = repaired(&joined(&lines));
    let repaired = String::from_utf8(repaired).unwrap();
    for edited in [
        // The repair line itself, the line after it, and the one after that.
        repaired.replacen("not a JSON object", "nothing much", 1),
        repaired.replacen("\"run\":3,", "\"run\":3 ,", 1),
        repaired.replacen("\"run\":4,", "\"run\":4 ,", 1),
    ] {
        assert!(edited != repaired);
        assert_eq!(runs_and_breaks(edited.as_bytes()).1.len(), 1, "{edited}");
    }
    let without: Vec<String> = repaired.lines().map(str::to_owned).collect();
    let without = joined(&[&without[..2], &without[3..]].concat());
    decode_text(&without, &mut Decoder::new(FILE), |_| Ok(()))
        .expect_err("a repair line that is taken out leaves a gap");
}

#[test]
fn without_its_opening_a_session_is_taken_out_and_later_ones_keep_their_places() {
    let mut lines = written().lines;
    lines[0] = "\0".repeat(100);
    let repaired = check(&joined(&lines), &[(1, 5, "")], &[5, 6, 7]);
    let mut decoder = Decoder::new(FILE);
    decode_text(&repaired, &mut decoder, |_| Ok(())).unwrap();
    assert_eq!(decoder.segments().len(), 2);
}

#[test]
fn a_conflict_of_git_keeps_the_first_side() {
    let base = {
        let mut base = Written::default();
        base.open("a");
        base.ran("a", 0, 1);
        base
    };
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    (2..=3).for_each(|run| ours.ran("a", 0, run));
    theirs.open("b");
    (2..=4).for_each(|run| theirs.ran("b", 1, run));
    let marker = |text: &str| vec![text.to_owned()];
    let merged = [
        base.lines.clone(),
        marker("<<<<<<< HEAD"),
        ours.lines[2..].to_vec(),
        marker("======="),
        theirs.lines[2..].to_vec(),
        marker(">>>>>>> theirs"),
    ]
    .concat();
    let why = "git's conflict markers";
    check(&joined(&merged), &[(3, 1, why), (6, 6, why)], &[1, 2, 3]);
    // As git's union driver merges, without markers.
    let union = [ours.lines.clone(), theirs.lines[2..].to_vec()].concat();
    let why = "another clone's";
    check(&joined(&union), &[(5, 4, why)], &[1, 2, 3]);
}

#[test]
fn two_clones_of_one_session_do_not_become_one() {
    let mut base = Written::default();
    base.open("a");
    base.ran("a", 0, 1);
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.ran("a", 0, 2);
    // Run 3 of theirs would fit by its number.
    theirs.ran("a", 0, 2);
    theirs.lines.pop();
    let mut other = samples::ended(2, Reason::Timeout, "other");
    other.session = "a".to_owned();
    theirs.chain = base.chain.clone();
    theirs.push(&Line::Run(Box::new(other)));
    theirs.ran("a", 0, 3);
    let union = [ours.lines.clone(), theirs.lines[2..].to_vec()].concat();
    check(&joined(&union), &[(4, 2, "another clone's")], &[1, 2]);
}

#[test]
fn a_line_that_is_there_twice_or_missing_is_mended() {
    let lines = written().lines;
    let doubled = [&lines[..3], &lines[2..]].concat();
    check(&joined(&doubled), &[(4, 1, "")], &[1, 2, 3, 4, 5, 6, 7]);
    let missing = [&lines[..2], &lines[3..]].concat();
    check(
        &joined(&missing),
        &[(3, 0, "run 3 where 2 was due")],
        &[1, 3, 4, 5, 6, 7],
    );
}

#[test]
fn no_number_is_given_twice_when_the_last_lines_are_lost() {
    let mut lines = written().lines;
    lines[8] = "garbage".to_owned();
    let (_, repaired) = repaired(&joined(&lines));
    let mut decoder = Decoder::new(FILE);
    decode_text(&repaired, &mut decoder, |_| Ok(())).unwrap();
    assert_eq!(decoder.next_run(), 8);
}

#[test]
fn what_is_not_ours_or_newer_is_refused() {
    let refused = |text: &str| Plan::of(text.as_bytes(), FILE).unwrap_err().render();
    let foreign = "{\"run\":1,\"metric\":2,\"status\":\"keep\",\"commit\":\"abc\"}\ngarbage\n";
    assert!(refused(foreign).contains("another program's log"));
    assert!(refused("\0\0\0\0").contains("nothing to save"));
    let newer = "{\"type\":\"config\",\"format\":9}\ngarbage\n";
    assert!(refused(newer).contains("update autoresearch"));
    // A healthy log of another program has nothing to repair, and that is no error.
    let healthy = foreign.replace("garbage\n", "");
    assert_eq!(
        Plan::of(healthy.as_bytes(), FILE).unwrap().gaps().count(),
        0
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens to a ledger's bytes, the repaired one can be read, has every line that was
    /// not hit, keeps their order, and is not repaired again.
    #[test]
    fn any_damage_leaves_every_other_line_as_it_was(
        hits in prop::collection::vec((0_usize..9, 0_usize..400, 0_u8..4), 1..4),
        crlf in any::<bool>(),
    ) {
        let lines = written().lines;
        let end = if crlf { "\r\n" } else { "\n" };
        let mut damaged: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| format!("{line}{end}").into_bytes())
            .collect();
        for (line, at, kind) in &hits {
            let bytes = &mut damaged[*line];
            let at = (*at).min(bytes.len().saturating_sub(3));
            match kind {
                0 => bytes[at] = 0,
                1 => bytes[at] = 0xff,
                2 => {
                    let newline = bytes.split_off(bytes.len() - 1);
                    bytes.truncate(at);
                    bytes.extend(newline);
                }
                _ => bytes.insert(at, b'{'),
            }
        }
        let text = damaged.concat();
        if let Ok(plan) = Plan::of(&text, FILE) {
            let repaired = plan.apply(&text, KEPT, 1).expect("it can be repaired");
            runs_and_breaks(&repaired);
            prop_assert_eq!(Plan::of(&repaired, FILE).unwrap().gaps().count(), 0);
            let text_of = |line: &[u8]| String::from_utf8_lossy(line).trim_end().to_owned();
            let left: Vec<String> = repaired.split(|byte| *byte == b'\n').map(text_of).collect();
            // Only the opening of a session takes others with it.
            let is_hit = |index: usize| hits.iter().any(|(line, ..)| *line == index);
            let mut from = 0;
            for (index, line) in lines.iter().enumerate() {
                let opening = if index < 5 { 0 } else { 5 };
                if is_hit(index) || is_hit(opening) {
                    continue;
                }
                let at = left[from..].iter().position(|one| one == line);
                prop_assert!(at.is_some(), "line {} is gone", index + 1);
                from += at.unwrap_or(0) + 1;
            }
        } else {
            prop_assert!(hits.iter().any(|(line, ..)| *line == 0), "refused");
        }
    }

    /// No bytes make it panic.
    #[test]
    fn arbitrary_bytes_are_repaired_or_refused(
        before in prop::collection::vec(any::<u8>(), 0..60),
        after in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let text = [&before[..], b"\n", &joined(&written().lines), &after].concat();
        let plan = Plan::of(&text, FILE).expect("there are lines of ours");
        let repaired = plan.apply(&text, KEPT, 1).expect("it can be repaired");
        runs_and_breaks(&repaired);
    }
}
