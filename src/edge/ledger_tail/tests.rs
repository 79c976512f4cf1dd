use std::fs;
use std::io::Write;

use super::*;
use crate::flow::ledger::samples;
use crate::flow::record::Reason;

/// Long enough for any ledger here.
const AT_ONCE: Duration = Duration::from_secs(60);

struct Ledger {
    _directory: tempfile::TempDir,
    path: PathBuf,
    tail: LedgerTail,
    /// Runs handed over since the last restart, with their lines as read again.
    runs: Vec<u64>,
}

impl Ledger {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("experiments.jsonl");
        Self {
            tail: LedgerTail::new(&path),
            _directory: directory,
            path,
            runs: Vec::new(),
        }
    }

    fn append(&self, text: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("appended");
    }

    fn read_for(&mut self, at_most: Duration) -> Change {
        let runs = &mut self.runs;
        let mut places = Vec::new();
        let change = self.tail.read(at_most, |new| match new {
            None => runs.clear(),
            Some((Read::Run(entry), segments, place)) => {
                assert!(segments.len() > entry.segment as usize);
                runs.push(entry.run);
                places.push((entry.run, place));
            }
            Some(_) => {}
        });
        for (run, place) in places {
            let line = self.tail.line(place).expect("the line is there");
            assert!(line.contains(&format!("\"run\":{run},")), "{line}");
        }
        change
    }

    fn read(&mut self) -> Change {
        self.read_for(AT_ONCE)
    }
}

fn run(number: u64) -> String {
    samples::run(samples::ended(number, Reason::NoGain, "")) + "\n"
}

fn opened() -> String {
    samples::config() + "\n"
}

#[test]
fn each_call_hands_over_what_is_new() {
    let mut ledger = Ledger::new();
    assert_eq!(ledger.read(), Change::Same);
    ledger.append(&(opened() + &run(1)));
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.read(), Change::Same);
    ledger.append(&(run(2) + &run(3)));
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.runs, [1, 2, 3]);
    let (read, length) = ledger.tail.progress();
    assert_eq!(read, length);
}

#[test]
fn a_line_is_taken_when_its_newline_is_there_in_however_many_pieces_it_came() {
    let mut ledger = Ledger::new();
    ledger.append(&opened());
    let line = run(1);
    for piece in line.as_bytes().chunks(97) {
        assert!(ledger.runs.is_empty());
        ledger.append(std::str::from_utf8(piece).expect("the sample is ASCII"));
        ledger.read();
    }
    assert_eq!(ledger.runs, [1]);
}

#[test]
fn a_torn_last_line_is_waited_for_and_its_repair_is_no_restart() {
    let mut ledger = Ledger::new();
    ledger.append(&(opened() + &run(1) + "{\"type\":\"run\",\"run\":2,\"co"));
    for expected in [Change::Grew, Change::Same, Change::Same] {
        assert_eq!(ledger.read(), expected);
    }
    assert_eq!((ledger.tail.problem(), &ledger.runs[..]), (None, &[1][..]));
    // As `run` cuts it off and goes on.
    let whole = (opened() + &run(1)).len() as u64;
    let file = fs::OpenOptions::new().write(true).open(&ledger.path);
    file.and_then(|file| file.set_len(whole)).expect("cut");
    ledger.append(&run(2));
    ledger.read();
    assert_eq!(ledger.runs, [1, 2]);
}

#[test]
fn a_whole_last_line_without_newline_is_taken_once_it_stays() {
    let mut ledger = Ledger::new();
    ledger.append(&(opened() + run(1).trim_end()));
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.runs, [] as [u64; 0]);
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.runs, [1]);
    ledger.append(&format!("\n{}", run(2)));
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.runs, [1, 2]);
    ledger.append("nonsense\n");
    ledger.read();
    let problem = ledger.tail.problem().expect("a problem");
    assert!(problem.contains("experiments.jsonl:4"), "{problem}");
}

#[test]
fn a_file_that_was_cut_replaced_or_written_anew_is_read_from_its_start() {
    let mut ledger = Ledger::new();
    ledger.append(&(opened() + &run(1) + &run(2)));
    ledger.read();
    fs::write(&ledger.path, opened() + &run(1)).expect("written");
    assert_eq!(ledger.read(), Change::Restarted);
    assert_eq!(ledger.runs, [1]);

    let other = ledger.path.with_extension("new");
    fs::write(&other, opened() + &run(1) + &run(2) + &run(3)).expect("written");
    fs::rename(&other, &ledger.path).expect("renamed");
    assert_eq!(ledger.read(), Change::Restarted);
    assert_eq!(ledger.runs, [1, 2, 3]);

    // The same inode, and longer than before.
    let kept = samples::run(samples::kept(1)) + "\n";
    let text = opened() + &kept + &kept.replace("\"run\":1,", "\"run\":2,");
    let text = text + &run(3) + &run(4);
    let before = fs::metadata(&ledger.path).expect("metadata").len();
    assert!(text.len() as u64 > before);
    fs::write(&ledger.path, text).expect("written");
    assert_eq!(ledger.read(), Change::Restarted);
    assert_eq!(ledger.runs, [1, 2, 3, 4]);

    fs::remove_file(&ledger.path).expect("removed");
    assert_eq!(ledger.read(), Change::Restarted);
    assert_eq!((ledger.read(), &ledger.runs[..]), (Change::Same, &[][..]));
}

#[test]
fn damage_is_reported_what_was_before_it_stays_and_a_repaired_file_is_read() {
    let mut ledger = Ledger::new();
    ledger.append(&(opened() + &run(1) + "{\"type\":\"run\"}\n" + &run(2)));
    assert_eq!(ledger.read(), Change::Grew);
    assert_eq!(ledger.runs, [1]);
    let problem = ledger.tail.problem().expect("a problem").to_owned();
    assert!(problem.contains("experiments.jsonl:3"), "{problem}");
    assert_eq!(
        (ledger.read(), ledger.tail.has_more()),
        (Change::Same, false)
    );
    fs::write(&ledger.path, opened() + &run(1) + &run(2)).expect("written");
    assert_eq!(ledger.read(), Change::Restarted);
    assert_eq!(
        (ledger.tail.problem(), &ledger.runs[..]),
        (None, &[1, 2][..])
    );
}

#[test]
fn a_long_file_is_read_in_parts() {
    let mut ledger = Ledger::new();
    let runs: String = (1..=50).map(run).collect();
    ledger.append(&(opened() + &runs));
    let mut calls = 1;
    ledger.read_for(Duration::ZERO);
    assert!(ledger.tail.has_more());
    while ledger.tail.has_more() {
        ledger.read_for(Duration::ZERO);
        calls += 1;
    }
    assert!(calls > 50, "{calls} calls");
    assert_eq!(ledger.runs, (1..=50).collect::<Vec<u64>>());
}

#[test]
fn a_table_of_another_program_is_followed_too() {
    let mut ledger = Ledger::new();
    ledger.append(
        "commit\tval_bpb\tmemory_gb\tstatus\tdescription\na1b2c3d\t0.99\t44.0\tkeep\tbaseline\n",
    );
    ledger.tail.read(AT_ONCE, |_| {});
    assert_eq!(ledger.tail.problem(), None);
    ledger.append("b1b2c3d\t0.98\t44.0\tkeep\tone more\n");
    let mut seen = Vec::new();
    ledger.tail.read(AT_ONCE, |new| {
        if let Some((Read::Run(entry), ..)) = new {
            seen.push(entry.description.clone());
        }
    });
    assert_eq!(seen, ["one more"]);
}
