//! The terminal: progress and talk on stderr. Data goes to stdout, and not through here.
//!
//! On a terminal one bar shows the iteration, the phase, pairs done of the most possible, candidates
//! kept of those tried, and the time left. Off a terminal each event is a plain line. With `--quiet`
//! there is nothing but errors.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

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
    started: Instant,
    iteration: u32,
    iterations: u32,
    kept: u32,
    tried: u32,
    phase: String,
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
            started: Instant::now(),
            iteration: 0,
            iterations: 0,
            kept: 0,
            tried: 0,
            phase: String::new(),
        }
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
        self.iterations = iterations;
        self.started = Instant::now();
    }

    /// A new iteration starts.
    pub fn iteration(&mut self, number: u32) {
        self.iteration = number;
    }

    /// What is going on now.
    pub fn phase(&mut self, phase: &str) {
        if self.plain && phase != self.phase {
            eprintln!("{}{phase}", self.prefix());
        }
        self.phase = phase.to_owned();
        self.draw("");
    }

    /// Pairs done of the most that this phase can take.
    pub fn pairs(&self, done: usize, most: usize) {
        self.draw(&format!(" {done}/{most} pairs"));
    }

    /// A candidate has been judged.
    pub fn verdict(&mut self, run: u64, kept: bool, text: &str) {
        self.tried += 1;
        self.kept += u32::from(kept);
        let mark = if kept { '+' } else { '-' };
        self.say(&format!("{mark} run {run}: {text}"));
    }

    /// Nothing more is drawn.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn prefix(&self) -> String {
        if self.iteration == 0 {
            String::new()
        } else {
            format!("[{}/{}] ", self.iteration, self.iterations)
        }
    }

    fn draw(&self, pairs: &str) {
        let Some(bar) = &self.bar else { return };
        let tally = if self.tried == 0 {
            String::new()
        } else {
            format!(" · kept {}/{}{}", self.kept, self.tried, self.time_left())
        };
        bar.set_message(format!("{}{}{pairs}{tally}", self.prefix(), self.phase));
    }

    /// From the mean time of the candidates so far.
    fn time_left(&self) -> String {
        let left = self.iterations.saturating_sub(self.tried);
        if self.iterations == 0 || left == 0 {
            return String::new();
        }
        let each = self.started.elapsed().as_secs_f64() / f64::from(self.tried);
        format!(" · about {} left", human_duration(each * f64::from(left)))
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
