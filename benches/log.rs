//! How long reading a long ledger takes, and how much memory: `cargo bench --bench log -- 100000`.
//! It writes a ledger of that many candidates (default 10,000) to a temporary directory, runs the
//! binary on it, and prints seconds and the peak resident set. `-- 2000 FILE` only writes the ledger.

#[path = "../tests/support/ledger_of.rs"]
mod ledger_of;

use std::fs;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    let runs = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(10_000);
    let file = std::env::args().find(|argument| argument.ends_with(".jsonl"));
    if let Some(file) = file {
        let mut out = BufWriter::new(fs::File::create(file).expect("a new file"));
        ledger_of::write(runs, &mut out).expect("there is space");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("experiments.jsonl");
    let mut out = BufWriter::new(fs::File::create(&path).expect("a new file"));
    ledger_of::write(runs, &mut out).expect("there is space");
    out.flush().expect("there is space");
    let bytes = fs::metadata(&path).expect("the file").len();
    println!("{runs} candidates, {} MB", bytes / 1_000_000);
    for arguments in [
        &["log", "-n", "20"][..],
        &["log", "--sort", "gain", "-n", "20"],
        &["log", "--grep", "checksum.*copied", "--since", "2026-11-21"],
        &["log"],
        &["log", "--json"],
        &["log", "--csv"],
        &["show", "777"],
    ] {
        let (seconds, peak_kib) = measure(arguments, &path);
        println!(
            "{seconds:>7.2} s {:>6} MiB  autoresearch {}",
            peak_kib / 1024,
            arguments.join(" ")
        );
    }
}

/// Wall time in seconds and peak resident set in KiB.
fn measure(arguments: &[&str], ledger: &std::path::Path) -> (f64, u64) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_autoresearch"))
        .args(arguments)
        .arg("--file")
        .arg(ledger)
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut peak_kib = 0;
    loop {
        // The kernel keeps the high-water mark; the last look before the end has it but for the last
        // milliseconds.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            assert!(status.success(), "{arguments:?}: {status}");
            return (began.elapsed().as_secs_f64(), peak_kib);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
