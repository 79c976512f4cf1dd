//! The dashboard without a terminal: keys and ledger lines in, a picture out.

mod pictures;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::ledger::samples;
use crate::flow::live::{Live, LivePairs, Running};
use crate::flow::record::{Phase, Reason, RunLine};

const FULL: Look = Look {
    color: true,
    unicode: true,
};
const NOW_MS: u64 = 1_795_240_000_000;

/// A dashboard with its ledger.
struct Watch {
    state: State,
    entries: Vec<Entry>,
    segments: Vec<Segment>,
}

impl Watch {
    /// An opened session without runs.
    fn new(size: (u16, u16)) -> Self {
        let mut watch = Self {
            state: State::new("experiments.jsonl".to_owned(), size),
            entries: Vec::new(),
            segments: Vec::new(),
        };
        watch.open_session();
        watch
    }

    /// With 30 runs of all kinds, every seventh of them kept.
    fn with_runs(size: (u16, u16)) -> Self {
        let mut watch = Self::new(size);
        (1..=30).for_each(|number| watch.run(number));
        watch
    }

    fn open_session(&mut self) {
        let index = u32::try_from(self.segments.len()).expect("few sessions");
        let segment = Segment::from((index, Box::new(samples::config_line())));
        self.segments.push(segment.clone());
        let read = Read::Segment(Box::new(segment));
        self.state.read(&read, &self.segments);
    }

    fn push(&mut self, mut line: RunLine) {
        line.segment = u32::try_from(self.segments.len()).expect("few sessions") - 1;
        let entry = Entry::from(Box::new(line));
        self.entries.push(entry.clone());
        self.state.read(&Read::Run(Box::new(entry)), &self.segments);
    }

    fn run(&mut self, number: u64) {
        let level = 100.0 * 0.97_f64.powi(i32::try_from(number / 7).expect("few runs"));
        let mut line = match number % 7 {
            0 => samples::kept(number),
            3 => samples::ended(
                number,
                Reason::BuildFailed,
                "error[E0308]: mismatched types",
            ),
            5 => samples::ended(number, Reason::GateFailed, "a test fails"),
            _ => samples::ended(number, Reason::NoGain, ""),
        };
        if line.incumbent.is_some() {
            let is_kept = number.is_multiple_of(7);
            let log: f64 = if is_kept {
                0.03
            } else {
                0.002 * (number % 5) as f64 - 0.004
            };
            let parent = if is_kept { level / 0.97 } else { level };
            line.incumbent = Some(parent);
            line.metric = parent * (-log).exp();
            line.estimate = Some(samples::gain(log, 0.012));
        }
        line.description = format!("Idea {number}: keep the index sorted");
        self.push(line);
    }

    fn keys(&mut self, keys: &str) -> After {
        let mut after = After::Continue;
        for letter in keys.chars() {
            after = self.state.key(match letter {
                '\n' => Key::Enter,
                '\t' => Key::Tab,
                '\u{1b}' => Key::Escape,
                '\u{8}' => Key::Backspace,
                letter => Key::Char(letter),
            });
        }
        after
    }

    /// Brings what is wanted, as the driver does.
    fn picture(&mut self, look: Look) -> Buffer {
        if let Some(wanted) = self.state.wanted() {
            let entry = &self.entries[wanted.row];
            let segment = &self.segments[entry.segment as usize];
            let diff = "@@ -1,2 +1,2 @@\n-    old();\n+    new();\n";
            let lines = detail::lines(entry, segment, Some(diff), wanted.columns);
            self.state.bring(wanted, lines);
        }
        assert_eq!(self.state.wanted(), None);
        let (width, height) = self.state.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.state, look, &mut buffer);
        buffer
    }

    fn text(&mut self) -> String {
        text(&self.picture(FULL))
    }

    fn selected(&self) -> Option<u64> {
        self.state.selected.map(|index| self.state.rows[index].run)
    }

    fn shown(&self) -> Vec<u64> {
        let rows = self.state.shown.iter();
        rows.map(|index| self.state.rows[*index].run).collect()
    }
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width).max(1));
    rows.map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    })
    .collect()
}

fn live() -> Running {
    Running::Yes {
        pid: Some(7),
        live: Some(Live {
            pid: 7,
            started: NOW_MS - 1_000_000,
            iterating_since: NOW_MS - 900_000,
            iteration: 31,
            iterations: 50,
            phase: "screening".to_owned(),
            phase_since: NOW_MS - 31_000,
            pairs: Some(LivePairs { done: 12, most: 60 }),
            kept: 4,
            tried: 30,
            last: Some("run 30: discard: no gain, -0.2 % [-1.4, +1.0]".to_owned()),
        }),
    }
}

#[test]
fn what_a_candidate_says_does_not_reach_the_terminal_as_control() {
    let mut watch = Watch::new((120, 40));
    let mut line = samples::ended(1, Reason::BuildFailed, "\u{1b}]0;title\u{7}");
    line.description = "a\u{1b}[2Jb".to_owned();
    watch.push(line);
    let control = |cell: &ratatui::buffer::Cell| cell.symbol().chars().any(char::is_control);
    assert!(!watch.picture(FULL).content.iter().any(control));
    assert!(watch.text().contains("a\u{fffd}[2Jb"));
}

#[test]
fn the_newest_run_is_followed_until_another_is_selected() {
    let mut watch = Watch::with_runs((60, 15));
    assert_eq!(watch.selected(), Some(30));
    watch.run(31);
    assert_eq!((watch.selected(), watch.state.top), (Some(31), 0));
    watch.keys("jjj");
    assert_eq!(watch.selected(), Some(28));
    watch.run(32);
    watch.run(33);
    assert_eq!((watch.selected(), watch.state.top), (Some(28), 2));
    watch.keys("g");
    assert_eq!((watch.selected(), watch.state.top), (Some(33), 0));
    watch.keys("Gj");
    assert_eq!(watch.selected(), Some(1));
    watch.keys("k");
    assert_eq!(watch.selected(), Some(2));
    watch.state.key(Key::PageUp);
    assert_eq!(watch.selected(), Some(12));
    watch.state.key(Key::PageDown);
    assert_eq!(watch.selected(), Some(2));
}

#[test]
fn verdicts_are_filtered_in_turn() {
    let mut watch = Watch::with_runs((60, 15));
    watch.keys("f");
    assert_eq!(watch.shown(), [7, 14, 21, 28]);
    assert_eq!(watch.selected(), Some(28));
    assert!(watch.text().contains("only keep"));
    watch.run(31);
    watch.run(35);
    assert_eq!(watch.shown(), [7, 14, 21, 28, 35]);
    watch.keys("ff");
    assert_eq!(watch.shown(), [3, 10, 17, 24, 31]);
    watch.keys("f");
    assert_eq!(watch.shown(), [5, 12, 19, 26]);
    watch.keys("f");
    assert_eq!(watch.shown().len(), 32);
    assert_eq!(watch.selected(), Some(26), "it is still shown");
}

#[test]
fn text_is_filtered_while_it_is_typed_and_escape_brings_the_old_filter_back() {
    let mut watch = Watch::with_runs((60, 15));
    watch.keys("/idea 1.:");
    assert_eq!(watch.shown(), (10..20).collect::<Vec<u64>>());
    assert!(watch.text().ends_with("/idea 1.:█\n"));
    watch.keys("\u{8}\u{8}");
    assert_eq!(watch.shown().len(), 11);
    assert_eq!(watch.keys("\nq"), After::Quit, "q is a key again");
    watch.keys("/ 23");
    assert_eq!(watch.shown(), [] as [u64; 0]);
    assert!(watch.text().contains("no run matches"));
    watch.keys("\u{1b}");
    assert_eq!(watch.shown().len(), 11);
    watch.keys("/");
    watch.state.key(Key::Clear);
    watch.keys("mismatched\n");
    assert_eq!(watch.shown(), [3, 10, 17, 24], "the detail counts too");
    watch.keys("/");
    watch.state.key(Key::Clear);
    watch.keys("(\n");
    assert_eq!(watch.shown(), [] as [u64; 0], "word for word");
}

#[test]
fn the_last_session_is_shown_and_s_shows_all() {
    let mut watch = Watch::with_runs((60, 15));
    watch.open_session();
    assert!(watch.text().contains("no runs in the last session yet"));
    watch.run(31);
    assert_eq!(watch.shown(), [31]);
    watch.keys("s");
    assert_eq!(watch.shown().len(), 31);
    assert!(watch.text().contains("all sessions"));
    watch.keys("s");
    assert_eq!((watch.shown(), watch.selected()), (vec![31], Some(31)));
}

#[test]
fn enter_opens_a_run_escape_goes_back_and_quits() {
    let mut watch = Watch::with_runs((80, 24));
    watch.keys("jj\n");
    let text = watch.text();
    assert!(text.contains("run 28: Idea 28"), "{text}");
    assert!(text.contains("gain by pair"), "{text}");
    watch.keys("G");
    let text = watch.text();
    assert!(
        text.contains("the change:\n@@ -1,2 +1,2 @@\n-    old();\n+    new();\n"),
        "{text}"
    );
    watch.keys("kkk");
    assert!(!watch.text().contains("new();"));
    watch.keys("n");
    assert!(watch.text().contains("run 27: Idea 27"));
    watch.keys("p");
    assert!(watch.text().contains("run 28: Idea 28"));
    assert_eq!(watch.keys("\u{1b}"), After::Continue);
    assert!(watch.text().contains("runs: "));
    assert_eq!(watch.keys("\u{1b}"), After::Quit);
    assert_eq!(watch.state.key(Key::Interrupt), After::Quit);
}

#[test]
fn the_help_goes_away_with_any_key() {
    let mut watch = Watch::with_runs((80, 24));
    watch.keys("?");
    assert!(watch.text().contains("failed its checks   o placebo"));
    assert_eq!(watch.keys("\u{1b}"), After::Continue);
    assert!(!watch.text().contains("o placebo"));
    watch.keys("?");
    assert_eq!(watch.state.key(Key::Interrupt), After::Quit);
}

#[test]
fn damage_and_a_long_file_are_announced() {
    let mut watch = Watch::new((80, 24));
    watch.state.reading((1 << 20, 100 << 20), None);
    assert!(watch.text().contains("reading: 1 %"));
    let problem = "experiments.jsonl:3: missing field";
    watch.state.reading((1 << 20, 100 << 20), Some(problem));
    assert!(watch.text().contains("! experiments.jsonl:3: missing"));
}

#[test]
fn another_file_begins_anew() {
    let mut watch = Watch::with_runs((80, 24));
    watch.keys("jjj");
    watch.picture(FULL);
    watch.state.restart();
    let mut other = Watch::new((80, 24));
    watch.segments.clear();
    watch.entries.clear();
    watch.open_session();
    watch.run(1);
    other.run(1);
    assert_eq!(watch.text(), other.text());
}

#[test]
fn it_is_drawn_again_only_when_there_is_something_new() {
    let mut watch = Watch::with_runs((80, 24));
    watch.picture(FULL);
    assert!(watch.state.take_stale());
    watch.state.running(Running::No, NOW_MS);
    watch.state.running(Running::No, NOW_MS + 5_000);
    watch.state.reading((0, 0), None);
    assert!(!watch.state.take_stale());
    watch.state.running(live(), NOW_MS);
    assert!(watch.state.take_stale());
    watch.state.running(live(), NOW_MS + 100);
    assert!(!watch.state.take_stale());
    watch.state.running(live(), NOW_MS + 1_000);
    assert!(watch.state.take_stale(), "a second later the times differ");
}

#[test]
fn the_chart_shows_intervals_of_fresh_pairs_and_kept_ones_apart() {
    let mut watch = Watch::with_runs((100, 40));
    watch.keys("\t\n");
    let text = watch.text();
    let plot: Vec<&str> = text.lines().skip(5).collect();
    let count = |sign: char| {
        let of_line = |line: &&str| line.chars().skip(11).filter(|it| *it == sign).count();
        plot[..plot.len() - 2].iter().map(of_line).sum::<usize>()
    };
    assert_eq!((count('+'), count('x'), count('!')), (4, 4, 4), "{text}");
    assert!(count('│') >= 4 && count('─') > 40, "{text}");
    let has_confirm = |line: &RunLine| line.pairs.iter().any(|pair| pair.phase == Phase::Confirm);
    assert!(has_confirm(&samples::kept(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_done_the_selected_run_is_in_sight(
        steps in proptest::collection::vec((0_u8..24, 1_u16..140, 1_u16..60), 1..60)
    ) {
        let mut watch = Watch::new((80, 24));
        let mut next = 1;
        for (step, width, height) in steps {
            match step {
                0 => watch.state.resize((width, height)),
                1 => watch.open_session(),
                2..7 => {
                    watch.run(next);
                    next += 1;
                }
                _ => {
                    let keys = ["j", "k", "g", "G", "\t", "\n", "f", "s", "/2\n", "/\u{8}\n", "?", " ", "n", "p", "jjjj", "jjk", "/\u{1b}"];
                    watch.keys(keys[usize::from(step - 7)]);
                }
            }
            watch.picture(FULL);
            let state = &watch.state;
            match state.position() {
                None => prop_assert!(state.shown.is_empty()),
                Some(position) => {
                    prop_assert!((state.top..state.top + state.page()).contains(&position));
                }
            }
        }
    }
}
