//! The terminal: progress and talk on stderr. Data goes to stdout, and not through here.
//!
//! On a terminal one bar shows the iteration, the phase, pairs done of the most possible, candidates
//! kept of those tried, and the time left. Off a terminal each event is a plain line. With `--quiet`
//! there is nothing but errors. In every case other processes see the same state in a file
//! ([`super::live_file`]), which is written between runs of the benchmark and never during one.

use std::io::IsTerminal;
use std::time::Duration;

use super::clock;
use super::live_file::LiveFile;
use crate::flow::live::{Live, LivePairs};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress and verdicts.
    Normal,
}

/// Where progress goes.
pub struct Console {
    bar: Option<ProgressBar>,
    plain: bool,
    live: Live,
    file: Option<LiveFile>,
}

impl Console {
    /// A console for stderr.
    pub fn new(verbosity: Verbosity) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let plain = verbosity == Verbosity::Normal && !is_terminal;
        let bar = (verbosity == Verbosity::Normal && is_terminal).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self {
            bar,
            plain,
            live: Live {
                pid: std::process::id(),
                started: clock::now_ms(),
                ..Live::default()
            },
            file: None,
        }
    }

    /// From now on other processes see what is going on.
    pub fn publish_to(&mut self, file: LiveFile) {
        self.file = Some(file);
        self.publish();
    }

    /// A line that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None if self.plain => eprintln!("{text}"),
            None => {}
        }
    }

    /// A line that stays, also with `--quiet`.
    pub fn warn(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("warning: {text}")),
            None => eprintln!("warning: {text}"),
        }
    }

    /// How many iterations there will be at most.
    pub fn plan(&mut self, iterations: u32) {
        self.live.iterations = iterations;
        self.live.iterating_since = clock::now_ms();
    }

    /// A new iteration starts.
    pub fn iteration(&mut self, number: u32) {
        self.live.iteration = number;
    }

    /// What is going on now.
    pub fn phase(&mut self, phase: &str) {
        self.enter(phase, "");
    }

    /// A phase of so many pairs, when this is known at its beginning.
    pub fn measuring(&mut self, phase: &str, done: usize, most: usize) {
        let pairs = match done {
            0 => format!(", {most} pairs"),
            _ => format!(", {done} of {most} pairs done"),
        };
        self.enter(phase, &pairs);
        self.pairs(done, most);
    }

    fn enter(&mut self, phase: &str, particulars: &str) {
        if phase != self.live.phase {
            if self.plain {
                eprintln!("{}{phase}{particulars}", self.prefix());
            }
            self.live.phase = phase.to_owned();
            self.live.phase_since = clock::now_ms();
            self.live.pairs = None;
            self.publish();
        }
        self.draw("");
    }

    /// Pairs done of the most that this phase can take.
    pub fn pairs(&mut self, done: usize, most: usize) {
        self.live.pairs = Some(LivePairs { done, most });
        self.publish();
        self.draw(&format!(" {done}/{most} pairs"));
    }

    /// A candidate has been judged.
    pub fn verdict(&mut self, run: u64, kept: bool, text: &str) {
        self.live.tried += 1;
        self.live.kept += u32::from(kept);
        self.live.last = Some(format!("run {run}: {text}"));
        self.publish();
        let mark = if kept { '+' } else { '-' };
        self.say(&format!("{mark} run {run}: {text}"));
    }

    /// Nothing more is drawn or published.
    pub fn finish(&mut self) {
        self.file = None;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn publish(&self) {
        if let Some(file) = &self.file {
            file.publish(&self.live);
        }
    }

    fn prefix(&self) -> String {
        let live = &self.live;
        if live.iteration == 0 {
            String::new()
        } else {
            format!("[{}/{}] ", live.iteration, live.iterations)
        }
    }

    fn draw(&self, pairs: &str) {
        let Some(bar) = &self.bar else { return };
        let live = &self.live;
        let tally = if live.tried == 0 {
            String::new()
        } else {
            format!(" · kept {}/{}{}", live.kept, live.tried, self.time_left())
        };
        bar.set_message(format!("{}{}{pairs}{tally}", self.prefix(), live.phase));
    }

    fn time_left(&self) -> String {
        let left = self.live.seconds_left(clock::now_ms());
        left.map_or(String::new(), |seconds| {
            format!(" · about {} left", human_duration(seconds))
        })
    }
}

/// `42 s`, `3 min`, `2 h 5 min`.
pub fn human_duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
