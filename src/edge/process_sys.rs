//! The system calls that `std` and duct do not offer: waiting without reaping, resource use of one
//! child, signals to a group, dying with the parent, and what a child does before it is its program.
#![expect(
    unsafe_code,
    reason = "waitid, wait4, kill and prctl have no safe wrapper with the fields needed"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

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

/// Gives the command a session and with it a process group of its own, so that it has no terminal to
/// put words into, and has the kernel kill it when this thread dies.
pub fn isolate(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| check(libc::setsid()));
    }
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        // SAFETY: prctl, getppid and raise are async-signal-safe and touch no memory of ours.
        unsafe {
            command.pre_exec(move || {
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                // The parent may have died between fork and prctl.
                if u32::try_from(libc::getppid()) != Ok(parent) {
                    libc::raise(libc::SIGKILL);
                }
                Ok(())
            });
        }
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Bounds the address space of each of the command's processes.
pub fn limit_memory(command: &mut Command, bytes: Option<u64>) {
    let Some(bytes) = bytes else { return };
    // SAFETY: setrlimit is async-signal-safe and reads only the structure given.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: bytes,
            };
            check(libc::setrlimit(libc::RLIMIT_AS, &raw const limit))
        });
    }
}

/// Has the command enter a control group; `door` is its `cgroup.procs`.
pub fn enter_group(command: &mut Command, door: Arc<File>) {
    // SAFETY: write is async-signal-safe; the descriptor is open as long as the closure lives.
    unsafe {
        command.pre_exec(move || {
            let written = libc::write(door.as_raw_fd(), c"0".as_ptr().cast(), 1);
            if written == 1 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        });
    }
}

/// Has the command say when all that comes before its program is done.
pub fn say_begin(command: &mut Command, pipe: Arc<PipeWriter>) {
    // SAFETY: clock_gettime and write are async-signal-safe and touch no memory but the time's; the
    // descriptor is open as long as the closure lives.
    unsafe {
        command.pre_exec(move || {
            let bytes = monotonic_ns()?.to_ne_bytes();
            let written = libc::write(pipe.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
            if usize::try_from(written) == Ok(bytes.len()) {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        });
    }
}

/// When a child that was started said that its program begins.
///
/// # Errors
/// It said nothing.
pub fn said_begin(mut pipe: PipeReader) -> io::Result<Instant> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes)?;
    let ago = monotonic_ns()?.saturating_sub(u64::from_ne_bytes(bytes));
    let now = Instant::now();
    Ok(now.checked_sub(Duration::from_nanos(ago)).unwrap_or(now))
}

/// The clock of [`Instant`], nanoseconds.
fn monotonic_ns() -> io::Result<u64> {
    // SAFETY: a zeroed timespec is valid, and clock_gettime writes only into it.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        check(libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time))?;
        time
    };
    let part = |count| u64::try_from(count).unwrap_or(0);
    Ok(part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec))
}

/// Has the command take these rules of Landlock upon itself, for ever and for all its descendants, and
/// gives up root's capabilities, as bubblewrap does: one of them is to type into the user's terminals.
pub fn keep_in(command: &mut Command, rules: Arc<OwnedFd>) {
    #[cfg(target_os = "linux")]
    // SAFETY: both calls are async-signal-safe and touch no memory of ours; the descriptor is open as
    // long as the closure lives.
    unsafe {
        command.pre_exec(move || {
            for capability in 0..CAPABILITIES {
                // Of one that the kernel does not know, or for a user who has none, an error.
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            let none: libc::c_uint = 0;
            let call = libc::SYS_landlock_restrict_self;
            match libc::syscall(call, rules.as_raw_fd(), none) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    #[cfg(not(target_os = "linux"))]
    drop((command, rules));
}

/// More than any kernel has (41 in Linux 6.18).
#[cfg(target_os = "linux")]
const CAPABILITIES: libc::c_ulong = 64;

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

/// Takes off the process table what ended and was left to us, but for the child that is waited for.
pub fn reap_ended_orphans(child: u32) {
    for pid in orphans().into_iter().filter(|pid| *pid != child) {
        reap_if_ended(pid);
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
