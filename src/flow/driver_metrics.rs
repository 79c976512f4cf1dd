//! What the driver itself measures of a benchmark process, beside what the script prints.
//!
//! All figures but the wall time are the kernel's, of the process and of every descendant that was
//! waited for (`wait4(2)`, `getrusage(2)`).

use std::collections::BTreeMap;
use std::time::Duration;

/// Prefix of the metrics that the driver measures itself.
pub const DRIVER_PREFIX: &str = "driver.";

/// From start to end, milliseconds; a guard wherever it is not the metric.
pub const DRIVER_WALL: &str = "driver.wall_ms";

/// Wall time minus the time spent waiting for a processor, milliseconds; see [`wall_adjusted`].
pub const DRIVER_WALL_ADJ: &str = "driver.wall_adj_ms";

/// Instructions that the script and all its descendants execute, counted by valgrind's cachegrind in
/// an execution of their own; only measured when it is the metric or a guard.
pub const DRIVER_INSTRUCTIONS: &str = "driver.instructions";

/// The driver's metrics, with their units in their names.
pub const DRIVER_METRICS: &[&str] = &[
    DRIVER_WALL,
    DRIVER_WALL_ADJ,
    "driver.user_ms",
    "driver.sys_ms",
    "driver.cpu_ms",
    "driver.peak_rss_kib",
    "driver.minor_faults",
    "driver.major_faults",
    "driver.ctx_voluntary",
    "driver.ctx_involuntary",
    DRIVER_INSTRUCTIONS,
];

/// The driver's metrics of which 0 is an ordinary value, whatever `allow_zero` says.
const COUNTS: &[&str] = &[
    "driver.minor_faults",
    "driver.major_faults",
    "driver.ctx_voluntary",
    "driver.ctx_involuntary",
];

/// Least part of all processor time that the script's own first thread must have used for its
/// run-queue delay to stand for the whole.
const OWN_SHARE_MIN: f64 = 0.95;

/// Processor time over adjusted wall time of one busy thread: below, the process also waits for
/// something else; above, other threads work beside it.
const BUSY_RANGE: std::ops::RangeInclusive<f64> = 0.9..=1.05;

/// What the kernel says of the first thread of a process (`/proc/<pid>/schedstat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MainThread {
    /// Time on a processor.
    pub on_cpu: Duration,
    /// Time ready to run and waiting for a processor.
    pub run_delay: Duration,
}

/// What one process used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel.
    pub sys: Duration,
    /// Largest resident set of any one process, KiB.
    pub peak_rss_kib: u64,
    /// Page faults served without reading from a disk.
    pub minor_faults: u64,
    /// Page faults that had to read from one.
    pub major_faults: u64,
    /// Times it gave the processor up to wait.
    pub ctx_voluntary: u64,
    /// Times the processor was taken from it.
    pub ctx_involuntary: u64,
    /// Its first thread; `None` where the kernel does not tell.
    pub main_thread: Option<MainThread>,
}

/// Whether 0 is an ordinary value of this driver metric.
pub fn may_be_zero(name: &str) -> bool {
    COUNTS.contains(&name)
}

/// The metrics of one execution by name; `driver.wall_adj_ms` only where it is valid.
pub fn metrics(usage: &Usage) -> BTreeMap<String, f64> {
    // Whole microseconds: rusage has no finer ones, and the ledger keeps every digit.
    let ms = |time: Duration| time.as_micros() as f64 / 1e3;
    let mut metrics = BTreeMap::from(
        [
            (DRIVER_WALL, ms(usage.wall)),
            ("driver.user_ms", ms(usage.user)),
            ("driver.sys_ms", ms(usage.sys)),
            ("driver.cpu_ms", ms(usage.user + usage.sys)),
            ("driver.peak_rss_kib", usage.peak_rss_kib as f64),
            ("driver.minor_faults", usage.minor_faults as f64),
            ("driver.major_faults", usage.major_faults as f64),
            ("driver.ctx_voluntary", usage.ctx_voluntary as f64),
            ("driver.ctx_involuntary", usage.ctx_involuntary as f64),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Ok(adjusted) = wall_adjusted(usage) {
        metrics.insert(DRIVER_WALL_ADJ.to_owned(), ms(adjusted));
    }
    metrics
}

/// Wall time minus run-queue delay, where that is the time the work itself took.
///
/// The kernel keeps the delay of each thread and adds it up for nobody, so only that of the process
/// the driver started can be known when it ends: not of its children, which it reaps itself, nor of
/// its other threads. It stands for the whole where that first thread did the work (at least 95 % of
/// the processor time) and was busy (processor time is 0.9 to 1.05 of the adjusted time).
///
/// # Errors
/// Why it is not valid, as a clause for people.
pub fn wall_adjusted(usage: &Usage) -> Result<Duration, String> {
    let Some(main) = usage.main_thread else {
        return Err("the kernel keeps no run-queue delays here (/proc/<pid>/schedstat)".to_owned());
    };
    let cpu = usage.user + usage.sys;
    let share = main.on_cpu.as_secs_f64() / cpu.as_secs_f64().max(1e-9);
    if share < OWN_SHARE_MIN {
        return Err(format!(
            "the script's own thread used {:.0} % of the processor time and its children and other threads the rest, \
             of whose waiting the kernel keeps no sum; start the benchmark with `exec` as the script's last command",
            100.0 * share.min(1.0)
        ));
    }
    let adjusted = usage.wall.saturating_sub(main.run_delay);
    let busy = cpu.as_secs_f64() / adjusted.as_secs_f64().max(1e-9);
    if BUSY_RANGE.contains(&busy) {
        return Ok(adjusted);
    }
    let meaning = if busy < 1.0 {
        "it also waits, for a disk or for other processes"
    } else {
        "several threads work"
    };
    Err(format!(
        "processor time is {busy:.2} of the adjusted wall time, where one busy thread has {:.2} to {:.2}: {meaning}",
        BUSY_RANGE.start(),
        BUSY_RANGE.end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn usage(wall: u64, cpu: u64, main: Option<(u64, u64)>) -> Usage {
        Usage {
            wall: ms(wall),
            user: ms(cpu),
            sys: Duration::ZERO,
            peak_rss_kib: 5000,
            minor_faults: 7,
            major_faults: 0,
            ctx_voluntary: 1,
            ctx_involuntary: 2,
            main_thread: main.map(|(on_cpu, run_delay)| MainThread {
                on_cpu: ms(on_cpu),
                run_delay: ms(run_delay),
            }),
        }
    }

    #[test]
    fn one_busy_thread_has_its_waiting_taken_off() {
        let usage = usage(500, 290, Some((290, 200)));
        assert_eq!(wall_adjusted(&usage), Ok(ms(300)));
        let metrics = metrics(&usage);
        assert_eq!(metrics["driver.wall_ms"], 500.0);
        assert_eq!(metrics["driver.wall_adj_ms"], 300.0);
        assert_eq!(metrics["driver.cpu_ms"], 290.0);
        assert_eq!(metrics["driver.minor_faults"], 7.0);
    }

    #[test]
    fn it_is_absent_rather_than_wrong() {
        for (usage, why) in [
            (usage(500, 290, None), "keeps no run-queue delays"),
            // A shell whose child did the work.
            (usage(500, 490, Some((5, 1))), "with `exec`"),
            // Two threads of the same process.
            (usage(300, 560, Some((280, 10))), "with `exec`"),
            // Asleep most of the time.
            (usage(500, 100, Some((100, 10))), "it also waits"),
            // A delay that cannot be: more than the wall time.
            (usage(100, 90, Some((90, 200))), "several threads work"),
            // Nothing used, nothing known.
            (usage(0, 0, Some((0, 0))), "with `exec`"),
        ] {
            let problem = wall_adjusted(&usage).expect_err("it is not valid");
            assert!(problem.contains(why), "{problem}");
            assert!(!metrics(&usage).contains_key(DRIVER_WALL_ADJ));
        }
    }

    #[test]
    fn every_metric_that_is_measured_has_a_name_that_the_config_knows() {
        let measured = metrics(&usage(500, 290, Some((290, 200))));
        let mut names: Vec<&str> = measured.keys().map(String::as_str).collect();
        names.push(DRIVER_INSTRUCTIONS);
        names.sort_unstable();
        let mut known = DRIVER_METRICS.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
        assert!(COUNTS.iter().all(|name| known.contains(name)));
    }
}
