//! Ctrl-C while a child is kept in: once lets it end, twice ends it; both leave a state that goes on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::hostile::{config, sandboxes};
use crate::support::{EXACT_SCRIPT, Project, verdict};

/// Longest wait for what must come, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// In a build, benchmark, gate or agent of the candidate: waits for a line from `go` in the user's home, which
/// every sandbox shows. It is a pipe until the test has written to it, and then a file.
const WAITS: &str = "read -r line < \"$HOME/go\"";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Build,
    Benchmark,
    Gate,
    Agent,
}

fn waiting_in(phase: Phase, sandbox: &str) -> Project {
    let waits = |when: Phase| {
        if phase == when {
            format!("if [ $(<src/cost.txt) = 99 ]; then {WAITS}; fi")
        } else {
            "true".to_owned()
        }
    };
    let agent = if phase == Phase::Agent {
        format!("{WAITS}; echo 99 > src/cost.txt")
    } else {
        "echo 99 > src/cost.txt".to_owned()
    };
    let given = serde_json::json!({
        "sandbox": sandbox,
        "build": ["bash", "-c", waits(Phase::Build)],
        "proposers": ["agent"],
        "agent": {"command": ["bash", "-c", agent]},
    });
    // Its entries, for the middle of the config.
    let given = given.to_string();
    let given = &given[1..given.len() - 1];
    let script = format!("{EXACT_SCRIPT}{}\n", waits(Phase::Benchmark));
    let project = Project::with_config(&script, &config(given));
    project.write(
        "autoresearch.checks.sh",
        &format!("{}\n", waits(Phase::Gate)),
    );
    project.commit("gate");
    fs::create_dir(project.beside("home")).expect("a home");
    let made = project.shell("mkfifo ../home/go");
    assert!(made.status.success(), "{made:?}");
    project
}

/// The loop, and the lines of its standard error.
struct Loop {
    child: Child,
    lines: Receiver<String>,
}

impl Loop {
    fn start(project: &Project) -> Self {
        let mut command = project.command(&["run", "-n", "1"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (sender, lines) = mpsc::channel();
        let stderr = child.stderr.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        Self { child, lines }
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.expect("kill starts").success());
    }

    fn says(&self, text: &str) {
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains(text)) {
            let line = self.lines.recv_timeout(PATIENCE);
            said.push(line.unwrap_or_else(|_| panic!("no {text:?} in {said:?}")));
        }
    }
}

/// Waits until the child waits: then its pipe can be opened for writing.
fn await_phase(phase: Phase, go: &Path) -> File {
    let (sender, opened) = mpsc::channel();
    let go = go.to_owned();
    std::thread::spawn(move || sender.send(File::options().write(true).open(go)));
    let opened = opened.recv_timeout(PATIENCE);
    let opened = opened.unwrap_or_else(|_| panic!("{phase:?} never began"));
    opened.expect("the pipe can be written")
}

/// Lets it go on, and whatever waits later.
fn let_go(go: &Path, mut pipe: &File) {
    let file = go.with_extension("file");
    fs::write(&file, "\n").expect("written");
    fs::rename(&file, go).expect("the pipe is replaced");
    // Nobody reads it any more when the child was ended.
    pipe.write_all(b"\n").ok();
}

fn interrupt_in(phase: Phase) {
    for sandbox in sandboxes() {
        for is_twice in [false, true] {
            let project = waiting_in(phase, sandbox);
            let go = project.beside("home/go");
            let mut running = Loop::start(&project);
            let pipe = await_phase(phase, &go);
            running.interrupt();
            running.says("finishing the current step");
            if is_twice {
                running.interrupt();
            } else {
                let_go(&go, &pipe);
            }
            let code = running.child.wait().expect("it ends").code();
            assert_eq!(code, Some(130), "{sandbox} twice: {is_twice}");
            project.assert_nothing_left();
            let_go(&go, &pipe);
            if project.verdicts().is_empty() {
                project.run(&["run", "-n", "1"]).expect(0);
            }
            assert_eq!(
                project.verdicts(),
                [verdict("keep", "improved")],
                "{sandbox} twice: {is_twice}"
            );
            project.assert_nothing_left();
        }
    }
}

#[test]
fn ctrl_c_in_a_build_that_is_kept_in_leaves_a_state_that_goes_on() {
    interrupt_in(Phase::Build);
}

#[test]
fn ctrl_c_in_a_benchmark_that_is_kept_in_leaves_a_state_that_goes_on() {
    interrupt_in(Phase::Benchmark);
}

#[test]
fn ctrl_c_in_a_gate_that_is_kept_in_leaves_a_state_that_goes_on() {
    interrupt_in(Phase::Gate);
}

#[test]
fn ctrl_c_in_an_agent_that_is_kept_in_leaves_a_state_that_goes_on() {
    interrupt_in(Phase::Agent);
}
