//! Children: started by duct in a group of their own, output to a file, under a deadline.
//!
//! Output goes to a file and never through a pipe: a grandchild that keeps a pipe open makes the
//! wait for its end block (measured with duct: 4 s for a child that had left a `sleep 4` behind; with
//! a file, 2 ms); where there is a socket between, it is closed from our side. When the child ends or
//! its time is up, the whole group is killed before the child is reaped, while its process id can
//! belong to nobody else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::cgroup::{Group, Groups};
use super::fault;
use super::interrupt::{Interrupts, Urgency};
use super::process_output::Channel;
use super::process_sys::{self, Reaped};
use super::sandbox::Room;
use crate::error::{Context, Error, Result};
use crate::flow::driver_metrics::{MainThread, Usage};

/// Time between the request to end and the kill.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Time the kernel has to end a killed process.
const GRACE_AFTER_KILL: Duration = Duration::from_secs(30);
/// Time between two looks at what a child has written.
const LOOK: Duration = Duration::from_millis(250);
/// Most output of one child, bytes; looked at four times a second, so that a fast writer gets beyond it
/// by what it writes in that time.
pub const OUTPUT_MAX: u64 = 64 << 20;
/// Least space a child may leave on the disk of its output, bytes.
pub const DISK_FREE_MIN: u64 = 128 << 20;
/// Marks every child in its environment, so that what a killed loop leaves behind is found.
pub const TOKEN_VARIABLE: &str = "AUTORESEARCH_TOKEN";

/// What to start.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// Program and arguments.
    pub command: &'a [String],
    /// Working directory.
    pub dir: &'a Path,
    /// The whole environment.
    pub env: &'a BTreeMap<String, String>,
    /// After this it is killed.
    pub deadline: Duration,
    /// File for its standard output and error, in the order written; replaced.
    pub log: &'a Path,
    /// A key that it reads from its standard input, as a line. What it prints can then be unsaid by none of
    /// its processes.
    pub key: Option<&'a str>,
    /// Where it is kept in, if it is.
    pub room: Option<&'a Room>,
    /// Where its control group is made, if it is to have one.
    pub groups: Option<&'a Groups>,
    /// Most address space of each of its processes, MiB; in a control group with limits also the most
    /// memory of all together.
    pub memory_mib: Option<u64>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not ours.
    Signaled(i32),
    /// We killed it at its deadline.
    TimedOut,
    /// We killed it because it had printed more than [`OUTPUT_MAX`].
    OutputFull,
    /// We killed it because it had all but filled the disk, or it left it so.
    DiskFull,
    /// We killed it because the user wants to stop now.
    Interrupted,
}

impl End {
    /// Exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// Words that continue "the benchmark ...".
    pub fn describe(self) -> String {
        match self {
            Self::Exited(code) => format!("exited with code {code}"),
            Self::Signaled(signal) => format!("was killed by signal {signal}"),
            Self::TimedOut => "passed its deadline and was killed".to_owned(),
            Self::OutputFull => {
                format!("printed more than {} MiB and was killed", OUTPUT_MAX >> 20)
            }
            Self::DiskFull => "filled the disk and was ended".to_owned(),
            Self::Interrupted => "was interrupted".to_owned(),
        }
    }
}

/// A child that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How.
    pub end: End,
    /// What it used, from start to end.
    pub usage: Usage,
    /// Its output.
    pub log: PathBuf,
}

/// Starts the job and waits for its end, its deadline or an urgent signal.
///
/// # Errors
/// The program cannot be started or the log file cannot be written.
pub fn run(job: &Job<'_>, interrupts: &Interrupts) -> Result<Finished> {
    let command = match job.room {
        Some(room) => room.command(job.command, job.dir),
        None => job.command.to_vec(),
    };
    let (program, arguments) = command
        .split_first()
        .expect("commands are checked to be non-empty");
    // A new file each time: a stray of an earlier run may still write into the old one.
    std::fs::remove_file(job.log).ok();
    let log = fault::space_for("log-create")
        .and_then(|()| {
            // A child that writes to `/dev/stdout` by its name must not write over what it printed.
            File::options().append(true).create_new(true).open(job.log)
        })
        .context(|| format!("cannot write {}", job.log.display()))?;
    let (channel, output) = match job.key {
        None => (None, log),
        Some(_) => {
            let channel = Channel::open(log, OUTPUT_MAX);
            let (channel, end) = channel.context(|| "cannot make a socket".to_owned())?;
            (Some(channel), end)
        }
    };
    // By its name it may be written only where it is the output itself.
    let named = job.key.is_none().then_some(job.log);
    let rules = job.room.map(|room| room.rules(named)).transpose()?;
    let rules = rules.flatten().map(Arc::new);
    let memory_bytes = job.memory_mib.map(|mib| mib << 20);
    let input = input(job.key).context(|| "cannot make a pipe".to_owned())?;
    let group = job.groups.map(|groups| groups.group(memory_bytes));
    let group = group
        .transpose()
        .context(|| "cannot make a control group".to_owned())?;
    let door = group.as_ref().map(Group::door).transpose();
    let door = door.context(|| "cannot open a control group".to_owned())?;
    let door = door.map(Arc::new);
    // The way into a control group takes the kernel some time: that is not the program's.
    let (begin, begins) = std::io::pipe().context(|| "cannot make a pipe".to_owned())?;
    let begins = Arc::new(begins);
    let handle = duct::cmd(program, arguments)
        .dir(job.dir)
        .full_env(job.env)
        .stdin_file(input)
        // duct applies the outermost redirection first: errors must follow stdout into the file.
        .stderr_to_stdout()
        .stdout_file(output)
        .unchecked()
        .before_spawn(move |command| {
            process_sys::isolate(command);
            if let Some(door) = &door {
                process_sys::enter_group(command, Arc::clone(door));
            }
            process_sys::limit_memory(command, memory_bytes);
            if let Some(rules) = &rules {
                process_sys::keep_in(command, Arc::clone(rules));
            }
            process_sys::say_begin(command, Arc::clone(&begins));
            Ok(())
        })
        .start()
        .map_err(|error| {
            let (command, dir) = (job.command.join(" "), job.dir.display());
            Error::environment(format!("cannot start `{command}` in {dir}"))
                .because(error)
                .hint("is the program installed, and in PATH?")
        })?;
    let pid = *handle
        .pids()
        .first()
        .expect("a started command has a process");

    let started = process_sys::said_begin(begin).unwrap_or_else(|_| Instant::now());
    let supervised = supervise(pid, started, job, group.as_ref(), interrupts);
    kill(pid, group.as_ref());
    let Some((killed, wall)) = supervised else {
        return Err(
            Error::environment(format!("`{program}` (process {pid}) cannot be killed"))
                .hint("it hangs in the kernel, perhaps on a broken disk or network mount"),
        );
    };
    // Of the zombie: the kernel forgets it with the reaping.
    let main_thread = process_sys::main_thread(pid);
    let used = process_sys::reap(pid).context(|| format!("cannot wait for `{program}`"))?;
    // Removed only when all in it have ended: what is left for us is to take them off the process table.
    drop(group);
    kill_orphans();
    if let Some(channel) = channel {
        channel
            .close()
            .context(|| format!("cannot write {}", job.log.display()))?;
    }
    // Reaped by `wait4` for its resource use; duct's own wait would only find it gone.
    drop(handle);
    let end = match (
        killed.or_else(|| full_disk(job.log)),
        used.code,
        used.signal,
    ) {
        (Some(end), _, _) => end,
        (None, Some(code), _) => End::Exited(code),
        (None, None, signal) => End::Signaled(signal.unwrap_or(0)),
    };
    Ok(Finished {
        end,
        usage: usage(wall, used, main_thread),
        log: job.log.to_owned(),
    })
}

fn usage(wall: Duration, used: Reaped, main_thread: Option<MainThread>) -> Usage {
    // It cannot have ended before its first thread ran and waited as long as the kernel says: a bound
    // for what `supervise` took off as its own delay.
    let lived = main_thread.map_or(Duration::ZERO, |main| main.on_cpu + main.run_delay);
    Usage {
        wall: wall.max(lived),
        user: used.user,
        sys: used.sys,
        peak_rss_kib: used.peak_rss_kib,
        minor_faults: used.minor_faults,
        major_faults: used.major_faults,
        ctx_voluntary: used.ctx_voluntary,
        ctx_involuntary: used.ctx_involuntary,
        main_thread,
    }
}

/// Waits until the child is a zombie; says whether and why we killed it, and how long it ran.
/// `None` when it cannot be killed.
fn supervise(
    pid: u32,
    started: Instant,
    job: &Job<'_>,
    group: Option<&Group>,
    interrupts: &Interrupts,
) -> Option<(Option<End>, Duration)> {
    let (exit_sender, exit) = mpsc::channel();
    let wake = exit_sender.clone();
    let look_now = exit_sender.clone();
    // Each message is only a reason to look again.
    std::thread::spawn(move || {
        let waited = process_sys::own_run_delay();
        process_sys::await_exit(pid);
        // On a busy machine the child has ended some time before this thread gets a processor to see
        // it: that is not the child's time.
        let late = process_sys::own_run_delay().saturating_sub(waited);
        let noticed = Instant::now();
        let ended = noticed.checked_sub(late).unwrap_or(noticed);
        exit_sender.send(Message::Exited(ended.max(started))).ok();
    });
    let (signal_sender, signals) = mpsc::channel();
    interrupts.wake(Some(signal_sender));
    // A signal may have come before we listened.
    look_now.send(Message::Signal).ok();
    drop(look_now);
    std::thread::spawn(move || {
        while signals.recv().is_ok() {
            if wake.send(Message::Signal).is_err() {
                return;
            }
        }
    });
    let mut killed = None;
    let ended = loop {
        let left = job.deadline.saturating_sub(started.elapsed());
        let reason = match exit.recv_timeout(left.min(LOOK)) {
            Ok(Message::Exited(at)) => break at,
            Err(RecvTimeoutError::Timeout) if left > LOOK => {
                // What forks for ever and ends would fill the process table.
                process_sys::reap_ended_orphans(pid);
                match written_too_much(job.log) {
                    Some(end) => end,
                    None => continue,
                }
            }
            Ok(Message::Signal) if interrupts.urgency() < Urgency::Now => continue,
            Ok(Message::Signal) => End::Interrupted,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => End::TimedOut,
        };
        killed = Some(reason);
        match end_child(pid, group, &exit) {
            Some(at) => break at,
            None => {
                interrupts.wake(None);
                return None;
            }
        }
    };
    interrupts.wake(None);
    Some((killed, ended.duration_since(started)))
}

/// Whether a child has printed too much or left too little of the disk.
fn written_too_much(log: &Path) -> Option<End> {
    let printed = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
    if printed > OUTPUT_MAX {
        return Some(End::OutputFull);
    }
    full_disk(log)
}

fn full_disk(log: &Path) -> Option<End> {
    let free = super::host::disk_free_bytes(log.parent().unwrap_or(log));
    free.is_some_and(|free| free < DISK_FREE_MIN)
        .then_some(End::DiskFull)
}

/// A pipe with this line in it and nobody at its other end; nothing at all for nothing.
fn input(line: Option<&str>) -> std::io::Result<File> {
    let Some(line) = line else {
        return File::open("/dev/null");
    };
    let (reader, mut writer) = std::io::pipe()?;
    // It fits into any pipe.
    writeln!(writer, "{line}")?;
    Ok(File::from(std::os::fd::OwnedFd::from(reader)))
}

enum Message {
    Exited(Instant),
    Signal,
}

/// TERM, grace, KILL, grace; returns when the child is a zombie.
fn end_child(pid: u32, group: Option<&Group>, exit: &mpsc::Receiver<Message>) -> Option<Instant> {
    for patience in [GRACE, GRACE_AFTER_KILL] {
        if patience == GRACE {
            process_sys::signal_group(pid, libc::SIGTERM);
        } else {
            kill(pid, group);
        }
        let until = Instant::now() + patience;
        loop {
            match exit.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Exited(at)) => return Some(at),
                Ok(Message::Signal) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
    }
    None
}

/// Kills a child's process group, and all of its control group.
fn kill(pid: u32, group: Option<&Group>) {
    process_sys::signal_group(pid, libc::SIGKILL);
    if let Some(group) = group {
        group.kill();
    }
}

/// Kills and reaps what a child left behind outside its process group. As a subreaper we are the parent of
/// every orphan, also of one that changed its session; killing it makes its own children ours. Gives
/// up on what forks faster than it is killed, where there is no control group; the next session's sweep
/// may find it.
fn kill_orphans() {
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        let orphans = process_sys::orphans();
        if orphans.is_empty() {
            return;
        }
        for pid in orphans {
            process_sys::kill(pid);
            process_sys::reap_if_ended(pid);
        }
        // The kernel takes a moment to end them, and says nothing when it has.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills every process that carries this token in its environment: what a killed loop left behind,
/// also when it changed its group or session. Linux only; elsewhere it finds nothing.
pub fn kill_strays(token: &str) -> usize {
    let mark = format!("{TOKEN_VARIABLE}={token}");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let strays = entries.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environ = std::fs::read(entry.path().join("environ")).ok()?;
        let is_marked = environ
            .split(|&byte| byte == 0)
            .any(|variable| variable == mark.as_bytes());
        (is_marked && pid != std::process::id()).then_some(pid)
    });
    strays.map(process_sys::kill).count()
}
