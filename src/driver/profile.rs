//! Profiling the benchmark at a commit: by itself where its script knows how, else by perf.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use git2::Oid;

use super::bench::{Bench, Task};
use super::judge::build_incumbent;
use super::project::{SCRIPT_FILE, script_command};
use crate::edge::console::Console;
use crate::edge::process::{End, Finished};
use crate::edge::process_output;
use crate::edge::repo::Repo;
use crate::edge::slots::SlotName;
use crate::edge::{flamegraph, output, pprof};
use crate::error::{Context, Error, Result};
use crate::flow::profile::{PROFILE_VARIABLE, Profile};

/// Samples a second that perf is asked for: not a divisor of the kernel's clock, so that nothing
/// periodic is always or never hit.
const FREQUENCY_HZ: &str = "199";
/// Interpreters that are asked for the names of what they run, which perf finds in `/tmp/perf-PID.map`:
/// Node and Python (from 3.12).
const PERF_NAMES: [(&str, &str); 2] = [
    (
        "NODE_OPTIONS",
        "--perf-basic-prof --interpreted-frames-native-stack",
    ),
    ("PYTHONPERFSUPPORT", "1"),
];
/// The file that every profile has.
const FOLDED_FILE: &str = "profile.folded";
/// The flamegraph in a commit's directory.
pub const FLAMEGRAPH_FILE: &str = "profile.svg";

/// Who takes the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profiler {
    /// The benchmark script, which honours `AUTORESEARCH_PROFILE`.
    Script,
    /// Linux' perf, for any program.
    Perf,
}

impl Profiler {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Perf => "perf",
        }
    }
}

/// A profile on disk.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Who took the samples.
    pub profiler: Profiler,
    /// The samples.
    pub profile: Profile,
    /// Where its files are.
    pub directory: PathBuf,
}

/// Where the profiles of a repository are kept: beside git's own files, so that no checkout has them.
pub fn default_directory(repo: &Repo) -> PathBuf {
    repo.common_dir().join("autoresearch/profiles")
}

/// The directory of a commit's profile below the one of all.
pub fn directory_of(base: &Path, commit: &str) -> PathBuf {
    base.join(crate::report::format::short_id(commit))
}

/// The profile of a commit, when one was taken; a damaged one is none.
pub fn taken_before(base: &Path, commit: &str) -> Option<Profile> {
    let text = std::fs::read_to_string(directory_of(base, commit).join(FOLDED_FILE)).ok()?;
    Profile::parse(&text).ok()
}

/// Builds the commit, runs its benchmark once under a profiler, and writes `profile.folded`,
/// `profile.svg` (flamegraph), `profile.pb` (pprof) and what else the script wrote into a directory of
/// the commit below `base`. Without a wish the script is tried first, then perf.
///
/// # Errors
/// The commit does not build or run, nobody can profile it here, or the user wants to stop.
pub fn take(
    bench: &mut Bench,
    console: &mut Console,
    commit: Oid,
    wish: Option<Profiler>,
    base: &Path,
) -> Result<Taken> {
    console.phase("building for a profile");
    build_incumbent(bench, SlotName::Zero, commit)?;
    console.phase("profiling");
    // What runs in the slot can write there.
    let scratch = bench.private_directory(SlotName::Zero)?.join("profile");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)
            .context(|| format!("cannot empty {}", scratch.display()))?;
    }
    std::fs::create_dir_all(&scratch).context(|| format!("cannot create {}", scratch.display()))?;
    let by_script = match wish {
        Some(Profiler::Perf) => None,
        Some(Profiler::Script) | None => by_script(bench, &scratch)?,
    };
    let (profiler, folded) = match (by_script, wish) {
        (Some(folded), _) => (Profiler::Script, folded),
        (None, Some(Profiler::Script)) => return Err(script_cannot()),
        (None, _) => (Profiler::Perf, by_perf(bench, &scratch)?),
    };
    let profile = Profile::parse(&folded).map_err(|why| {
        Error::environment(format!("the profile of {commit:.10} is unusable: {why}"))
    })?;
    let directory = directory_of(base, &commit.to_string());
    write(&scratch, &directory, &profile, commit)?;
    Ok(Taken {
        profiler,
        profile,
        directory,
    })
}

fn script_cannot() -> Error {
    Error::environment(format!(
        "{SCRIPT_FILE} wrote no profile: it does not honour {PROFILE_VARIABLE}"
    ))
    .hint(format!(
        "make it write folded stacks to ${PROFILE_VARIABLE}.folded when that variable is set, or use `--with perf`"
    ))
}

/// The script's own profile, when it writes one.
fn by_script(bench: &mut Bench, scratch: &Path) -> Result<Option<String>> {
    let path = scratch.join("profile");
    let extra = [(PROFILE_VARIABLE, path.display().to_string())];
    let script = script_command(SCRIPT_FILE);
    run_script(bench, &script, &extra, scratch)?;
    let folded = path.with_extension("folded");
    match std::fs::read(&folded) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("cannot read {}", folded.display())),
    }
}

/// perf around the script. The clock of the kernel needs no counters, which virtual machines lack.
fn by_perf(bench: &mut Bench, scratch: &Path) -> Result<String> {
    check_perf(Path::new("/proc/sys/kernel/perf_event_paranoid"))?;
    let data = scratch.join("perf.data");
    // Into a file of its own: a child may print only so much.
    let stacks = scratch.join("stacks");
    // One child, because names of interpreted functions are in its private /tmp. Without the period each
    // sample counts one; perf's warnings are no stacks.
    let script = format!(
        "data=$1 stacks=$2; shift 2
         perf record --quiet -e cpu-clock -F {FREQUENCY_HZ} -g -o \"$data\" -- \"$@\" &&
         exec perf script --no-inline -F comm,pid,tid,time,event,ip,sym,dso -i \"$data\" 2>/dev/null >\"$stacks\""
    );
    let [data_path, stacks_path] = [&data, &stacks].map(|path| path.display().to_string());
    let command: Vec<String> = [
        "bash".to_owned(),
        "-c".to_owned(),
        script,
        "perf".to_owned(),
    ]
    .into_iter()
    .chain([data_path, stacks_path])
    .chain(script_command(SCRIPT_FILE))
    .collect();
    let names = PERF_NAMES.map(|(name, value)| (name, value.to_owned()));
    run_script(bench, &command, &names, scratch)?;
    std::fs::remove_file(&data).ok();
    let file = File::open(&stacks).context(|| format!("cannot read {}", stacks.display()))?;
    let folded = flamegraph::collapse_perf(BufReader::new(file))?;
    std::fs::remove_file(stacks).ok();
    Ok(folded)
}

/// Whether perf can be used by this user.
fn check_perf(paranoid: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|directory| directory.join("perf").is_file());
    let both = format!(
        "or make {SCRIPT_FILE} write folded stacks to ${PROFILE_VARIABLE}.folded when that variable is set"
    );
    if !is_there {
        return Err(
            Error::environment(format!("nobody can profile this benchmark: {SCRIPT_FILE} writes no profile, and perf is not installed"))
                .hint(format!("install it (Debian: `apt install linux-perf`), {both}")),
        );
    }
    let level = std::fs::read_to_string(paranoid).ok();
    let level: Option<i32> = level.and_then(|level| level.trim().parse().ok());
    if level.is_some_and(|level| level > 2) && !rustix::process::geteuid().is_root() {
        return Err(Error::environment(format!(
            "perf may not be used: {} is {}",
            paranoid.display(),
            level.unwrap_or_default()
        ))
        .hint(format!(
            "`sudo sysctl kernel.perf_event_paranoid=2`, {both}"
        )));
    }
    Ok(())
}

/// One run of the script in slot 0, which may build something of its own.
fn run_script(
    bench: &mut Bench,
    command: &[String],
    extra: &[(&str, String)],
    scratch: &Path,
) -> Result<()> {
    let timeouts = &bench.pinned.config.timeouts;
    let limit_s = timeouts.build_s + timeouts.benchmark_s;
    let directory = bench.slots.path(SlotName::Zero).join(&bench.pinned.work);
    let mut variables: Vec<(&str, &str)> = extra
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    if bench.pinned.config.build.is_some() {
        variables.push((super::run::BUILT_VARIABLE, "1"));
    }
    bench.pin_scripts(SlotName::Zero)?;
    let _machine = bench.machine_lock()?;
    let finished = bench.child(&Task {
        command,
        directory: &directory,
        deadline_s: limit_s,
        log: "profile",
        extra: &variables,
        key: None,
        output: Some(scratch),
    })?;
    succeeded(&finished, SCRIPT_FILE)
}

fn succeeded(finished: &Finished, what: &str) -> Result<()> {
    match finished.end {
        End::Exited(0) => Ok(()),
        End::Interrupted => Err(Error::interrupted()),
        end @ (End::Exited(_)
        | End::Signaled(_)
        | End::TimedOut
        | End::OutputFull
        | End::DiskFull) => Err(Error::environment(format!(
            "no profile: `{what}` {}",
            end.describe()
        ))
        .hint(format!(
            "the end of its output:\n{}",
            process_output::tail(&finished.log)
        ))),
    }
}

/// Copies what the script wrote, and makes what it did not.
fn write(scratch: &Path, directory: &Path, profile: &Profile, commit: Oid) -> Result<()> {
    let entries =
        std::fs::read_dir(scratch).context(|| format!("cannot read {}", scratch.display()))?;
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_string_lossy().starts_with("profile.") {
            let path = entry.path();
            let content =
                std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
            output::write(&directory.join(entry.file_name()), &content)?;
        }
    }
    let title = format!("commit {commit:.10}");
    output::write(&directory.join(FOLDED_FILE), profile.folded().as_bytes())?;
    let wrote = |name: &str| scratch.join(name).exists();
    if !wrote(FLAMEGRAPH_FILE) {
        let svg = flamegraph::svg(profile, &title)?;
        output::write(&directory.join(FLAMEGRAPH_FILE), &svg)?;
    }
    if !wrote("profile.pb") {
        output::write(&directory.join("profile.pb"), &pprof::encode(profile))?;
    }
    Ok(())
}

/// The difference of two profiles, as a flamegraph and as its path.
///
/// # Errors
/// It cannot be drawn or written.
pub fn write_difference(
    base: &Path,
    (before, a): (&Profile, Oid),
    (after, b): (&Profile, Oid),
) -> Result<PathBuf> {
    let path = base.join(format!("{a:.12}-{b:.12}/difference.svg"));
    let title = format!("commit {b:.10} against {a:.10}: red is more, blue is less");
    output::write(&path, &flamegraph::differential_svg(before, after, &title)?)?;
    Ok(path)
}
