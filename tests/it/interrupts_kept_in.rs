//! Ctrl-C while a child is kept in: once lets it end, twice ends it; both leave a state that goes on.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::hostile::{config, sandboxes};
use crate::support::{EXACT_SCRIPT, Project, files_below, verdict};

/// Longest wait for what must come, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// In a build, benchmark, gate or agent of the candidate: says so in its output, and waits until the user's
/// home has `go`, which every sandbox shows.
const WAITS: &str = "echo WAITING; while ! [ -e \"$HOME/go\" ]; do sleep 0.02; done";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Build,
    Benchmark,
    Gate,
    Agent,
}

impl Phase {
    fn log(self) -> &'static str {
        match self {
            Self::Build => "build.log",
            Self::Benchmark => "benchmark.log",
            Self::Gate => "gate.log",
            Self::Agent => "agent.log",
        }
    }
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
    std::fs::create_dir(project.beside("home")).expect("a home");
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

/// Waits until the child's output, which the loop keeps, has the word.
fn await_phase(project: &Project, phase: Phase, child: &mut Child) {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let logs = files_below(&project.work_dir());
        let is_waiting = logs.iter().any(|(path, content)| {
            path.ends_with(phase.log()) && content.windows(7).any(|part| part == b"WAITING")
        });
        if is_waiting {
            return;
        }
        assert!(child.try_wait().expect("ours").is_none(), "it ended early");
        assert!(std::time::Instant::now() < until, "{phase:?} never began");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt_in(phase: Phase) {
    for sandbox in sandboxes() {
        for is_twice in [false, true] {
            let project = waiting_in(phase, sandbox);
            let go = project.beside("home/go");
            let mut running = Loop::start(&project);
            await_phase(&project, phase, &mut running.child);
            running.interrupt();
            running.says("finishing the current step");
            if is_twice {
                running.interrupt();
            } else {
                std::fs::write(&go, "").expect("written");
            }
            let code = running.child.wait().expect("it ends").code();
            assert_eq!(code, Some(130), "{sandbox} twice: {is_twice}");
            project.assert_nothing_left();
            std::fs::write(&go, "").expect("written");
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
