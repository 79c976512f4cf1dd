//! `watch` in a real terminal: tmux, where there is one.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::support::{EXACT_SCRIPT, Project, files_below};

const IDEAS: &[(&str, &[(&str, &str)])] = &[
    ("worse", &[("src/cost.txt", "101\n")]),
    ("better", &[("src/cost.txt", "90\n")]),
];

/// How long to wait for what must come; long, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A shell in a terminal of its own.
struct Terminal<'a> {
    project: &'a Project,
    /// One message whenever something was printed.
    printed: Receiver<()>,
}

impl<'a> Terminal<'a> {
    /// One of 120 columns and 40 rows; `None`, with a word about it, where tmux is not installed.
    fn open(project: &'a Project) -> Option<Self> {
        let has_tmux = Command::new("tmux").arg("-V").output().is_ok();
        if !has_tmux {
            eprintln!("skipped: tmux is not installed");
            return None;
        }
        fs::create_dir_all(project.beside("home")).expect("a home");
        let pipe = project.beside("home/printed");
        fs::remove_file(&pipe).ok();
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo starts").success());
        let (sender, printed) = mpsc::channel();
        let terminal = Self { project, printed };
        let shell = "exec bash --norc --noprofile -i";
        let opened = terminal.tmux(&["new-session", "-d", "-x", "120", "-y", "40", shell]);
        assert!(opened.status.success(), "{opened:?}");
        let copy = format!("exec cat > '{}'", pipe.display());
        let piped = terminal.tmux(&["pipe-pane", &copy]);
        assert!(piped.status.success(), "{piped:?}");
        std::thread::spawn(move || {
            let mut pipe = fs::File::open(pipe)?;
            let mut some = [0; 4096];
            while pipe.read(&mut some)? > 0 && sender.send(()).is_ok() {}
            std::io::Result::Ok(())
        });
        terminal.line("PS1='ready> '; echo before-the-watch");
        terminal.wait_for("\nbefore-the-watch\n");
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = self.project.command(&[]);
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new("tmux");
        command
            .env_clear()
            .envs(variables)
            .env("LANG", "C.UTF-8")
            .env("WATCH", env!("CARGO_BIN_EXE_autoresearch"))
            .current_dir(self.project.root())
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.socket())
            .args(arguments)
            .output()
            .expect("tmux starts")
    }

    fn socket(&self) -> PathBuf {
        self.project.beside("tmux")
    }

    /// Types a command.
    fn line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses a key, by tmux's name.
    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Starts `watch` so that its process id, its exit code and the terminal's modes after it can be
    /// had. It holds a lock while it lives.
    fn watch(&self, arguments: &str) {
        self.line(&format!(
            "bash -c 'echo $$ > \"$HOME/pid\"; exec 9> \"$HOME/alive\"; flock 9; exec \"$WATCH\" watch {arguments}'; \
             echo \"code=$?\"; stty -a > \"$HOME/modes\"; echo over"
        ));
    }

    fn pid(&self) -> String {
        let text = fs::read_to_string(self.project.beside("home/pid")).expect("a process id");
        text.trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid()]).status();
        assert!(sent.expect("kill starts").success());
    }

    fn screen(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8_lossy(&shown.stdout).into_owned()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = format!("\n{}", self.screen());
            if holds(&screen) {
                return screen;
            }
            let printed = self
                .printed
                .recv_timeout(PATIENCE.saturating_sub(began.elapsed()));
            assert!(printed.is_ok(), "never {what}:\n{screen}");
        }
    }

    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// The watch has ended with this code and the terminal is as it was.
    #[track_caller]
    fn assert_restored(&self, code: i32) {
        let screen = self.wait_for("\nover\n");
        assert!(screen.contains(&format!("\ncode={code}\n")), "{screen}");
        assert!(screen.contains("\nbefore-the-watch\n"), "{screen}");
        assert!(!screen.contains("runs:"), "{screen}");
        let modes = fs::read_to_string(self.project.beside("home/modes")).expect("modes");
        for mode in [" icanon ", " echo ", " isig ", " opost "] {
            assert!(modes.replace('\n', " ").contains(mode), "{mode}: {modes}");
        }
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_flag}#{alternate_on}"]);
        assert_eq!(String::from_utf8_lossy(&cursor.stdout).trim(), "10");
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// A project whose second candidate stays in the gate for as long as `home/hold` exists.
fn project_that_can_be_held() -> Project {
    let project = Project::new(EXACT_SCRIPT);
    let hold =
        "while [ \"$(<src/cost.txt)\" = 90 ] && [ -e \"$HOME/hold\" ]; do sleep 0.02; done\n";
    project.write(
        "autoresearch.checks.sh",
        &format!("#!/usr/bin/env bash\n{hold}"),
    );
    project.commit("a gate that can be held");
    fs::create_dir_all(project.beside("home")).expect("a home");
    project.ideas(IDEAS);
    project
}

#[test]
fn a_running_loop_is_watched_its_runs_are_selected_filtered_and_opened() {
    let project = project_that_can_be_held();
    let Some(terminal) = Terminal::open(&project) else {
        return;
    };
    terminal.watch("");
    terminal.wait_for("no runs yet");
    fs::write(project.beside("home/hold"), "").expect("a file");
    let mut run = project
        .command(&["run", "-n", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the loop starts");
    terminal.wait_for("running: iteration 2 of 2: checking");
    let screen = terminal.wait_for(">-     1 discard: no gain");
    assert!(
        screen.contains("1/2 · 0 kept of 1 tried · about "),
        "{screen}"
    );
    fs::remove_file(project.beside("home/hold")).expect("removed");
    assert!(run.wait().expect("the loop ends").success());

    terminal.wait_for("no loop is running");
    terminal.wait_for(">+     2 keep");
    terminal.wait_for("end to end: 10.0 % less cost");
    let before = files_below(&project.root());
    terminal.key("j");
    terminal.wait_for(">-     1 discard: no gain");
    terminal.key("f");
    terminal.wait_for("runs: 1-1 of 1 · only keep");
    for key in ["f", "f", "f", "f"] {
        terminal.key(key);
    }
    terminal.wait_for("runs: 1-2 of 2 ─");
    terminal.line("/better");
    terminal.wait_for("runs: 1-1 of 1 · /better");
    terminal.key("Enter");
    let screen = terminal.wait_for("\nesc back");
    assert!(screen.contains("\nrun 2: Try better\n"), "{screen}");
    assert!(screen.contains("gain by pair"), "{screen}");
    terminal.key("G");
    let screen = terminal.wait_for("\n+90\n");
    assert!(screen.contains("\n-100\n"), "{screen}");
    terminal.key("Escape");
    terminal.wait_for("runs: 1-1 of 1");
    terminal.key("?");
    terminal.wait_for("keys and signs");
    terminal.key("x");
    terminal.key("q");
    terminal.assert_restored(0);
    assert_eq!(files_below(&project.root()), before, "nothing is written");
}

#[test]
fn signals_end_it_and_give_the_terminal_back() {
    let project = Project::new(EXACT_SCRIPT);
    for signal in ["-TERM", "-HUP", "-INT"] {
        let Some(terminal) = Terminal::open(&project) else {
            return;
        };
        terminal.watch("");
        terminal.wait_for("no runs yet");
        terminal.signal(signal);
        terminal.assert_restored(130);
    }
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_message() {
    let project = Project::new(EXACT_SCRIPT);
    let Some(terminal) = Terminal::open(&project) else {
        return;
    };
    terminal.line("export AUTORESEARCH_FAULT=panic:watch-drawn");
    terminal.watch("");
    terminal.assert_restored(101);
    assert!(terminal.screen().contains("asked for at watch-drawn"));
}

#[test]
fn a_terminal_that_goes_away_takes_it_along() {
    let project = Project::new(EXACT_SCRIPT);
    let Some(terminal) = Terminal::open(&project) else {
        return;
    };
    terminal.watch("");
    terminal.wait_for("no runs yet");
    let alive = fs::File::open(project.beside("home/alive")).expect("a lock file");
    assert!(alive.try_lock().is_err(), "it lives");
    drop(terminal);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(alive.lock().is_ok()));
    let ended = ended.recv_timeout(PATIENCE);
    assert_eq!(ended, Ok(true), "it lives on without a terminal");
}

#[test]
fn the_log_of_another_program_is_followed_at_every_size_and_without_colour() {
    let project = Project::empty();
    let log = project.root().join("autoresearch.jsonl");
    let config = r#"{"type":"config","name":"speed","metricName":"seconds","metricUnit":"s","bestDirection":"lower"}"#;
    let line = |run: u64, status: &str, metric: f64| {
        format!(
            "{{\"run\":{run},\"commit\":\"abc{run:04}\",\"metric\":{metric},\"metrics\":{{}},\"status\":\"{status}\",\"description\":\"try number {run}\",\"timestamp\":1,\"segment\":0}}\n"
        )
    };
    fs::write(&log, format!("{config}\n{}", line(1, "keep", 10.0))).expect("a log");
    let Some(terminal) = Terminal::open(&project) else {
        return;
    };
    terminal.line("export NO_COLOR=1");
    terminal.watch("--file autoresearch.jsonl");
    terminal.wait_for("try number 1");
    let appended = fs::OpenOptions::new().append(true).open(&log);
    let text = line(2, "discard", 11.0) + &line(3, "keep", 9.0) + "{\"run\":4,\"com";
    appended
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("appended");
    let screen = terminal.wait_for("try number 3");
    assert!(screen.contains(">+     3 keep"), "{screen}");
    assert!(
        !screen.contains(" ! "),
        "a torn line is no damage: {screen}"
    );
    let raw = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let raw = String::from_utf8_lossy(&raw.stdout).into_owned();
    let has_color = (30..38).chain(40..48).any(|code| {
        let code = code.to_string();
        [
            format!("[{code}m"),
            format!(";{code}m"),
            "[38;".to_owned(),
            "[48;".to_owned(),
        ]
        .iter()
        .any(|escape| raw.contains(escape.as_str()))
    });
    assert!(!has_color, "{raw:?}");

    terminal.tmux(&["resize-window", "-x", "60", "-y", "15"]);
    terminal.wait_until("redrawn", |screen| {
        screen.lines().count() <= 16
            && screen.contains("runs: 1-3 of 3")
            && screen.contains("q quit")
    });
    terminal.tmux(&["resize-window", "-x", "30", "-y", "5"]);
    terminal.wait_for("needs 40x8, has 30x5");
    terminal.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    terminal.wait_for("runs: 1-3 of 3");
    fs::write(&log, format!("{config}\n{}", line(1, "crash", 0.0))).expect("a log");
    terminal.wait_for("runs: 1-1 of 1");
    fs::write(&log, format!("{config}\n{{\"run\":\"one\"}}\n")).expect("a log");
    terminal.wait_for("autoresearch.jsonl:2: `run`: ");
    terminal.key("C-c");
    terminal.assert_restored(0);
}

#[test]
fn what_is_no_terminal_is_told_of_status() {
    let project = Project::new(EXACT_SCRIPT);
    let ran = project.run(&["watch"]).expect(2);
    let ran = ran
        .says("`watch` needs a terminal")
        .says("`autoresearch status`");
    assert_eq!(ran.stdout, "");
    project
        .run(&["watch", "--file", "absent.jsonl"])
        .expect(2)
        .says("absent.jsonl");
}
