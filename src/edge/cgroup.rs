//! Control groups (cgroup v2): each child in one of its own, so that all it started can be killed at once,
//! whatever it forks and however it hides, and be limited together.
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>
//!
//! Groups are made in the one that this process is in, where the user may: as root, or in what systemd
//! delegates to a user. Limits need controllers, which the kernel gives to the groups below a group only
//! while no process is in it ("no internal processes"); where somebody else is in ours there are none.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::Access;

/// Most processes and threads of one child, where the `pids` controller is to be had: more than a build or
/// a test suite needs, and few enough for the machine to stay usable.
pub const PROCESSES_MAX: u32 = 4096;
/// Time the kernel has to end what was killed.
const GRACE: Duration = Duration::from_secs(2);
/// Where this process goes when it is alone in its group, so that controllers can be used below that.
const ASIDE: &str = "autoresearch-loop";

/// Where groups for the children of one repository's session are made.
#[derive(Debug, Clone)]
pub struct Groups {
    /// The group that this process was started in.
    parent: PathBuf,
    /// Name of a child's group; there is one child at a time.
    name: String,
    /// Whether numbers of processes and memory can be limited.
    pub has_limits: bool,
}

impl Groups {
    /// Finds out whether groups can be made; the reason when not. `hash` tells repositories apart.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn open(hash: &str) -> Result<Self, String> {
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
        };
        let parent = own_group(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)
            .ok_or("no cgroup v2 is mounted")?;
        for place in [parent.clone(), parent.join("cgroup.procs")] {
            rustix::fs::access(&place, Access::WRITE_OK)
                .map_err(|error| format!("cannot write {}: {error}", place.display()))?;
        }
        let mut groups = Self {
            name: format!("autoresearch-{hash}"),
            has_limits: false,
            parent,
        };
        let path = groups.path();
        // Also ends what a killed session left in it.
        let tried = groups.group(None).map(|group| group.can_be_killed());
        match tried {
            Ok(true) => {}
            Ok(false) => return Err("the kernel has no cgroup.kill (Linux 5.14)".to_owned()),
            Err(error) => return Err(format!("cannot make {}: {error}", path.display())),
        }
        groups.has_limits = enable_limits(&groups.parent);
        Ok(groups)
    }

    /// Where a child's group is while it runs.
    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// An empty group, with limits where they are to be had: `memory_bytes` for all processes together.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn group(&self, memory_bytes: Option<u64>) -> io::Result<Group> {
        let path = self.path();
        end(&path);
        fs::create_dir(&path)?;
        let group = Group { path };
        if self.has_limits {
            let set = |file: &str, value: String| fs::write(group.path.join(file), value);
            set("pids.max", PROCESSES_MAX.to_string())?;
            if let Some(bytes) = memory_bytes {
                set("memory.max", bytes.to_string())?;
                // One process alone would leave a benchmark that hangs; kernels without swap have no such file.
                set("memory.oom.group", "1".to_owned())?;
                set("memory.swap.max", "0".to_owned()).ok();
            }
        }
        Ok(group)
    }
}

/// The group of one child. All in it are killed when this is dropped.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// A process that writes `0` here is in the group.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn door(&self) -> io::Result<File> {
        File::options()
            .write(true)
            .open(self.path.join("cgroup.procs"))
    }

    /// Kills everything in it, and what that forks meanwhile.
    pub fn kill(&self) {
        kill(&self.path);
    }

    fn can_be_killed(&self) -> bool {
        self.path.join("cgroup.kill").exists()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        end(&self.path);
    }
}

/// Ends a group that a killed session left, if this is one.
pub fn sweep(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("autoresearch-") && path.join("cgroup.kill").exists() {
        end(path);
    }
}

fn kill(path: &Path) {
    // Never made: where it is missing this is no group.
    let file = File::options().write(true).open(path.join("cgroup.kill"));
    file.and_then(|mut file| io::Write::write_all(&mut file, b"1"))
        .ok();
}

/// Kills everything in a group and removes it.
fn end(path: &Path) {
    let until = Instant::now() + GRACE;
    kill(path);
    while path.exists() && Instant::now() < until {
        remove(path);
        if path.exists() {
            // The kernel takes a moment to end them.
            std::thread::sleep(Duration::from_millis(1));
            kill(path);
        }
    }
}

/// Removes a group that has no process, with the groups that were made in it.
fn remove(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    fs::remove_dir(path).ok();
}

/// The directory of this process's group, from `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn own_group(cgroup: &str, mounts: &str) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, place) = mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        (kind.split(' ').next() == Some("cgroup2")).then_some((fields.next()?, fields.next()?))
    })?;
    // Outside the mounted part it starts with `/..`.
    let below = Path::new(own).strip_prefix(root).ok()?;
    let path: PathBuf = Path::new(place).join(below).components().collect();
    if path.components().any(|part| part.as_os_str() == "..") {
        return None;
    }
    if path.ends_with(ASIDE) {
        return path.parent().map(Path::to_path_buf);
    }
    Some(path)
}

/// Has the groups below `own` limit processes and memory, if that is possible without moving any process
/// but this one.
fn enable_limits(own: &Path) -> bool {
    let has = |file: &str| {
        let text = fs::read_to_string(own.join(file)).unwrap_or_default();
        let names: Vec<&str> = text.split_whitespace().collect();
        names.contains(&"pids") && names.contains(&"memory")
    };
    let enable = || fs::write(own.join("cgroup.subtree_control"), "+pids +memory").is_ok();
    if has("cgroup.subtree_control") {
        return true;
    }
    if !has("cgroup.controllers") {
        return false;
    }
    if enable() {
        return true;
    }
    let all = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
    if all.trim() != std::process::id().to_string() {
        return false;
    }
    let aside = own.join(ASIDE);
    fs::create_dir(&aside).ok();
    if fs::write(aside.join("cgroup.procs"), "0").is_ok() && enable() {
        return true;
    }
    fs::write(own.join("cgroup.procs"), "0").ok();
    fs::remove_dir(&aside).ok();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_where_cgroup_v2_is_mounted() {
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "31 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            32 24 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        let container = "40 23 0:26 /docker/a1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        for (cgroup, mounts, expected) in [
            ("0::/\n", unified, Some("/sys/fs/cgroup")),
            (
                "0::/user.slice/a.scope\n",
                unified,
                Some("/sys/fs/cgroup/user.slice/a.scope"),
            ),
            (
                "0::/a.scope/autoresearch-loop\n",
                unified,
                Some("/sys/fs/cgroup/a.scope"),
            ),
            ("8:pids:/x\n0::/\n", hybrid, Some("/sys/fs/cgroup/unified")),
            ("0::/docker/a1/b\n", container, Some("/sys/fs/cgroup/b")),
            ("0::/../other\n", unified, None),
            ("0::/docker/other\n", container, None),
            ("8:pids:/x\n", hybrid, None),
            ("0::/\n", "", None),
        ] {
            let found = own_group(cgroup, mounts);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{cgroup}");
        }
    }

    #[test]
    fn everything_in_a_group_dies_with_it_also_in_groups_of_its_own() {
        let groups = match Groups::open(&format!("test-{}", std::process::id())) {
            Ok(groups) => groups,
            Err(why) => return eprintln!("SKIPPED without control groups: {why}"),
        };
        let group = groups.group(Some(64 << 20)).unwrap();
        // It changes its session, makes a group of its own in ours, and moves there.
        let script = "echo $$ > $1/cgroup.procs; mkdir $1/own; \
            setsid bash -c 'echo $$ > $1/own/cgroup.procs; echo; exec sleep 600' x $1 & wait";
        let mut child = std::process::Command::new("bash")
            .args(["-c", script, "x"])
            .arg(groups.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut byte = [0];
        io::Read::read_exact(&mut output, &mut byte).unwrap();
        drop(group);
        assert!(!groups.path().exists());
        // Ends when the last process that could write to it has.
        io::Read::read_to_end(&mut output, &mut Vec::new()).unwrap();
        child.wait().unwrap();
    }
}
