//! `log`, `status` and `report` on real ledgers, and how the report is served.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{EXACT_SCRIPT, Project};

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("worse", &[("src/cost.txt", "101\n")]),
    ("better", &[("src/cost.txt", "90\n")]),
];

/// A project after two runs, the second kept.
fn after_two_runs() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "2"]).expect(0);
    project
}

#[test]
fn status_says_from_another_process_what_the_loop_is_doing() {
    // The benchmark itself asks, once, while a candidate is measured.
    let ask = format!(
        "if [ $(<src/cost.txt) = 90 ] && ! [ -e \"$HOME/status.json\" ]; then\n\
         '{binary}' -C \"$(cat \"$HOME/root\")\" status --json > \"$HOME/status.json\"\n\
         '{binary}' -C \"$(cat \"$HOME/root\")\" status > \"$HOME/status.txt\"; fi\n",
        binary = env!("CARGO_BIN_EXE_autoresearch")
    );
    let script = EXACT_SCRIPT.replace("set -e\n", &format!("set -e\n{ask}"));
    let project = Project::unconfined(&script);
    let home = project.beside("home");
    fs::create_dir(&home).expect("a home");
    fs::write(home.join("root"), project.root().display().to_string()).expect("a file");
    project.ideas(IDEAS);
    project.run(&["run", "-n", "2"]).expect(0);
    let text = fs::read_to_string(home.join("status.json")).expect("the benchmark has asked");
    let status: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(status["running"], true);
    let live = &status["live"];
    assert_eq!(
        (&live["iteration"], &live["iterations"]),
        (&2.into(), &2.into())
    );
    assert_eq!((&live["tried"], &live["kept"]), (&1.into(), &0.into()));
    assert_eq!(live["phase"], "warming up");
    assert_eq!(live["pairs"]["done"], 0);
    assert!(
        live["last"]
            .as_str()
            .expect("a verdict")
            .starts_with("run 1: discard")
    );
    let text = fs::read_to_string(home.join("status.txt")).expect("the benchmark has asked");
    assert!(
        text.contains("  now      iteration 2 of 2: warming up, 0 of at most "),
        "{text}"
    );

    let after = project.run(&["status", "--json"]).expect(0);
    let status: Value = serde_json::from_str(&after.stdout).expect("JSON");
    assert_eq!(
        (&status["running"], &status["live"]),
        (&false.into(), &Value::Null)
    );
    let left = project.root().join(".git/autoresearch/live.json");
    assert!(!left.exists(), "a loop takes its state with it");
}

#[test]
fn log_filters_sorts_and_prints_csv() {
    let project = after_two_runs();
    let runs = |arguments: &[&str]| -> Vec<u64> {
        let mut all = vec!["log", "--json"];
        all.extend(arguments);
        let rows: Value = serde_json::from_str(&project.run(&all).expect(0).stdout).expect("JSON");
        let rows = rows.as_array().expect("an array");
        rows.iter()
            .map(|row| row["run"].as_u64().expect("a number"))
            .collect()
    };
    assert_eq!(runs(&["--idea", "better"]), [2]);
    assert_eq!(runs(&["--grep", "TRY W.RSE"]), [1]);
    assert_eq!(runs(&["--since", "1h"]), [1, 2]);
    assert_eq!(runs(&["--since", "2999-01-01"]), [] as [u64; 0]);
    assert_eq!(runs(&["--sort", "gain"]), [2, 1]);
    assert_eq!(runs(&["--sort", "metric", "--reverse", "-n", "1"]), [1]);
    let csv = project
        .run(&["log", "--csv", "--status", "keep"])
        .expect(0)
        .stdout;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    for (flag, value) in [
        ("--grep", "("),
        ("--since", "yesterday"),
        ("--sort", "colour"),
    ] {
        project.run(&["log", flag, value]).expect(2).says(flag);
    }
}

#[test]
fn a_pipe_gets_whole_lines_unless_columns_says_how_many_there_are() {
    let project = after_two_runs();
    let wide = project.run(&["log"]).expect(0).stdout;
    let description = project.runs()[1]["description"].clone();
    let description = description.as_str().expect("a text");
    assert!(wide.contains(&format!("  {description}\n")), "{wide}");
    assert!(wide.contains("  by "), "every column is there: {wide}");
    let narrow = |arguments: &[&str], columns: &str| {
        let mut command = project.command(arguments);
        let output = command.env("COLUMNS", columns).output().expect("it starts");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let fits = |lines: &[&str], columns| {
        let mut widths = lines.iter().map(|line| line.chars().count());
        !lines.is_empty() && widths.all(|width| width <= columns)
    };
    for columns in [40, 60] {
        let log = narrow(&["log", "--status", "keep"], &columns.to_string());
        let lines: Vec<&str> = log.lines().collect();
        assert!(fits(&lines, columns) && lines.len() == 2, "{log}");
        assert!(log.contains("  Try better\n"), "{log}");
    }
    let show = narrow(&["show", "2"], "60");
    let strips: Vec<&str> = show.lines().filter(|line| line.contains("  [")).collect();
    assert!(fits(&strips, 60), "{show}");
    assert_eq!(narrow(&["log"], "none"), wide);
}

#[test]
fn an_order_by_a_figure_that_no_run_has_is_told() {
    let project = Project::new(EXACT_SCRIPT);
    let log = include_str!("../data/pi-autoresearch.jsonl");
    fs::write(project.root().join("pi.jsonl"), log).expect("a written file");
    for sort in ["gain", "time"] {
        project
            .run(&["log", "--file", "pi.jsonl", "--sort", sort])
            .expect(0)
            .says("warning: --sort");
    }
    let sorted = project.run(&["log", "--file", "pi.jsonl", "--sort", "metric"]);
    assert_eq!(sorted.expect(0).stderr, "");
}

#[test]
fn a_report_is_written_whole_or_not_at_all_with_the_changes_from_git() {
    let project = after_two_runs();
    project
        .run(&["report", "-o", "report.html"])
        .expect(0)
        .says("wrote");
    let page = project.read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("10.0 % less cost"), "the claim");
    assert!(
        page.contains("\\n-100\\n+90\\n"),
        "the change of the kept run"
    );
    let piped = project.run(&["report"]).expect(0).stdout;
    assert!(piped.contains("10.0 % less cost"));
    let markdown = project.run(&["report", "--format", "md"]).expect(0).stdout;
    assert!(markdown.starts_with("## 10.0 % less cost\n"), "{markdown}");
    let commit = project.runs()[1]["candidate"].as_str().expect("a commit")[..12].to_owned();
    let profiles = project.root().join(".git/autoresearch/profiles");
    let directory = profiles.join(commit);
    fs::create_dir_all(&directory).expect("directories");
    fs::write(directory.join("profile.svg"), "<svg/>").expect("a written file");
    let json = project
        .run(&["report", "--format", "json"])
        .expect(0)
        .stdout;
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        value["runs"][1]["detail"]["flamegraph"],
        "data:image/svg+xml;base64,PHN2Zy8+"
    );
    assert_eq!(value["sessions"][0]["claim_state"], "better");
    assert!(
        value["runs"][1]["detail"]["diff"]
            .as_str()
            .expect("a change")
            .contains("+90")
    );
    project
        .run(&["report", "-o", "autoresearch.sh/report.html"])
        .expect(3)
        .says("autoresearch.sh/report.html");
    project
        .run(&["report", "--file", "absent.jsonl"])
        .expect(2)
        .says("absent.jsonl");
}

/// A server that is stopped at the end of the test.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut all = vec!["report", "--serve"];
        all.extend(arguments);
        let mut child = project
            .command(&all)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).expect("a line");
        let address = url
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        Self {
            child,
            address: address.to_owned(),
        }
    }

    /// Sends a request; the stream that answers.
    fn ask(&self, request: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        stream
            .write_all(request.as_bytes())
            .expect("a request is sent");
        BufReader::new(stream)
    }

    fn get(&self, path: &str, host: &str) -> String {
        let mut answer = String::new();
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .read_to_string(&mut answer)
            .expect("an answer");
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_report_makes_no_directory_and_replaces_nothing_but_a_file() {
    let project = after_two_runs();
    project
        .run(&["report", "-o", "../absent/page.html"])
        .expect(2)
        .says("there is no directory")
        .says("hint: `mkdir -p ");
    assert!(!project.beside("absent").exists());
    let far = project.beside("far.html");
    std::os::unix::fs::symlink(&far, project.beside("near.html")).expect("a link");
    project.run(&["report", "-o", "../near.html"]).expect(0);
    assert!(project.beside("near.html").is_symlink());
    let page = fs::read_to_string(far).expect("it was written");
    let printed = project.run(&["report", "-o", "-"]).expect(0).stdout;
    for page in [page, printed] {
        assert!(page.starts_with("<!doctype html>"), "{page:.80}");
    }
    assert!(!project.root().join("-").exists());
}

#[test]
fn a_served_report_answers_its_own_host_only_and_tells_of_a_new_run() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(IDEAS);
    project.run(&["run", "-n", "1"]).expect(0);
    let served = Served::start(&project, &[]);
    let page = served.get("/", &served.address);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page:.200}");
    assert!(page.contains("frame-ancestors 'none'") && page.contains("data-live=\""));
    assert!(!page.contains("id=\"run-2\""));
    for (path, host, status) in [
        ("/", "evil.example", "421"),
        ("/../etc/passwd", "localhost", "404"),
        ("/?x", "localhost", "404"),
    ] {
        let answer = served.get(path, host);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path} {host}: {answer:.80}"
        );
        assert!(!answer.contains("run-1"));
    }

    let mut events = served.ask("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let next = |events: &mut BufReader<TcpStream>| loop {
        let mut line = String::new();
        assert!(
            events.read_line(&mut line).expect("an event in time") > 0,
            "it stays open"
        );
        if line.trim_end() == "event: ledger" {
            let mut data = String::new();
            events.read_line(&mut data).expect("its data");
            break data;
        }
    };
    let first = next(&mut events);
    let stamp = first.trim_start_matches("data: ").trim_end().to_owned();
    assert!(
        page.contains(&format!("data-live=\"{stamp}\"")),
        "the page is that state"
    );
    project.run(&["run", "-n", "1"]).expect(0);
    let second = next(&mut events);
    assert_ne!(first, second);
    assert!(served.get("/", "localhost").contains("id=\"run-2\""));
}

#[test]
fn a_server_refuses_to_be_reached_from_elsewhere_unless_asked() {
    let project = after_two_runs();
    project
        .run(&["report", "--serve", "0.0.0.0:0"])
        .expect(2)
        .says("--remote");
    let served = Served::start(&project, &["0.0.0.0:0", "--remote"]);
    assert!(served.address.starts_with("0.0.0.0:"));
    for no_address in ["elsewhere", "localhost", "localhost:x", "elsewhere:8080"] {
        project
            .run(&["report", "--serve", no_address])
            .expect(2)
            .says("--serve")
            .says("such as 127.0.0.1:8080 or localhost:8080");
    }
    let served = Served::start(&project, &["localhost:0"]);
    assert!(served.address.starts_with("127.0.0.1:"));
}
