//! The system calls that `std` and duct do not offer: waiting without reaping, resource use of one
//! child, signals to a group, and dying with the parent.
#![expect(
    unsafe_code,
    reason = "waitid, wait4, kill and prctl have no safe wrapper with the fields needed"
)]

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::flow::driver_metrics::MainThread;

/// How a child ended and what it used, its waited-for descendants included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reaped {
    /// Exit code, when it exited by itself.
    pub code: Option<i32>,
    /// Signal number, when one killed it.
    pub signal: Option<i32>,
    /// User time.
    pub user: Duration,
    /// System time.
    pub sys: Duration,
    /// Largest resident set of any one process, KiB.
    pub peak_rss_kib: u64,
    /// Page faults without a read from disk.
    pub minor_faults: u64,
    /// Page faults with one.
    pub major_faults: u64,
    /// Context switches because it waited.
    pub ctx_voluntary: u64,
    /// Context switches because its time was up.
    pub ctx_involuntary: u64,
}

/// Gives the command a process group of its own and has the kernel kill it when this thread dies.
pub fn isolate(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        // SAFETY: prctl, getppid and raise are async-signal-safe and touch no memory of ours.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // The parent may have died between fork and prctl.
                if u32::try_from(libc::getppid()) != Ok(parent) {
                    libc::raise(libc::SIGKILL);
                }
                Ok(())
            });
        }
    }
}

/// Children that this process had before it became a subreaper: they are somebody else's, from
/// before an `exec`, and are never touched.
static INHERITED: OnceLock<BTreeSet<u32>> = OnceLock::new();

/// Makes this process the parent of every orphan among its descendants. Linux only; elsewhere
/// orphans are found by their environment when the next session starts.
pub fn adopt_orphans() {
    INHERITED.get_or_init(|| children().into_iter().collect());
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with this option has no memory effects.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
}

/// Orphaned descendants. None before [`adopt_orphans`], and none as process 1, which is the parent
/// of every orphan in its container.
pub fn orphans() -> Vec<u32> {
    match INHERITED.get() {
        Some(inherited) if std::process::id() != 1 => children()
            .into_iter()
            .filter(|pid| !inherited.contains(pid))
            .collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Process ids of this process's children.
fn children() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// Takes a child off the process table if it has ended; does not wait.
pub fn reap_if_ended(pid: u32) {
    if let Ok(pid) = to_pid(pid) {
        // SAFETY: waitpid with a null status writes nothing.
        unsafe {
            libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG);
        }
    }
}

/// Blocks until the child has ended and leaves it as a zombie, so that its id and its group stay
/// ours until [`reap`].
pub fn await_exit(pid: u32) {
    let id = libc::id_t::from(pid);
    loop {
        // SAFETY: a zeroed siginfo_t is valid, and waitid writes only into it.
        let result = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(
                libc::P_PID,
                id,
                &raw mut info,
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Takes the ended child off the process table.
///
/// # Errors
/// There is no such child.
pub fn reap(pid: u32) -> io::Result<Reaped> {
    let pid = to_pid(pid)?;
    let mut status = 0;
    // SAFETY: a zeroed rusage is valid, and wait4 writes only into the two places given.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let exited = libc::WIFEXITED(status);
    Ok(Reaped {
        code: exited.then(|| libc::WEXITSTATUS(status)),
        signal: (!exited).then(|| libc::WTERMSIG(status)),
        user: duration(usage.ru_utime),
        sys: duration(usage.ru_stime),
        peak_rss_kib: count(usage.ru_maxrss),
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        ctx_voluntary: count(usage.ru_nvcsw),
        ctx_involuntary: count(usage.ru_nivcsw),
    })
}

/// Sends a signal to every process of the group. A group that is gone is no error.
pub fn signal_group(pid: u32, signal: i32) {
    if let Ok(pid) = to_pid(pid) {
        // SAFETY: kill has no memory effects; a negative id addresses the group.
        unsafe {
            libc::kill(-pid, signal);
        }
    }
}

/// Kills one process.
pub fn kill(pid: u32) {
    if let Ok(pid) = to_pid(pid) {
        // SAFETY: kill has no memory effects.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
        }
    }
}

fn to_pid(pid: u32) -> io::Result<libc::pid_t> {
    libc::pid_t::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

fn count(value: libc::c_long) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Times of a process's first thread; of a zombie too. `None` where the kernel does not keep them:
/// other systems, and Linux without CONFIG_SCHED_INFO, which prints zeros.
pub fn main_thread(pid: u32) -> Option<MainThread> {
    schedstat(&format!("/proc/{pid}/schedstat")).filter(|thread| !thread.on_cpu.is_zero())
}

/// Time that the calling thread has been ready to run and waiting for a processor; 0 where the kernel
/// does not tell.
pub fn own_run_delay() -> Duration {
    schedstat("/proc/thread-self/schedstat").map_or(Duration::ZERO, |own| own.run_delay)
}

/// The first two fields of a thread's schedstat, in nanoseconds.
fn schedstat(path: &str) -> Option<MainThread> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut nanoseconds = text
        .split_whitespace()
        .map(|field| field.parse().ok().map(Duration::from_nanos));
    let (on_cpu, run_delay) = (nanoseconds.next()??, nanoseconds.next()??);
    Some(MainThread { on_cpu, run_delay })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
