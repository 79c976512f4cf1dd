//! The line that says where a comparison ran.

use std::path::Path;

/// Processors that this process may use, kernel, and the file system of the
/// temporary directory. What cannot be found out is called unknown.
#[must_use]
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.as_deref().map_or("unknown kernel", str::trim);
    let temporary = std::env::temp_dir();
    let temporary = temporary.canonicalize().unwrap_or(temporary);
    let mounts = read("/proc/mounts");
    let file_system = mounts
        .as_deref()
        .and_then(|mounts| file_system(mounts, &temporary));
    format!(
        "{processors} processors, {} {kernel}, {}",
        std::env::consts::OS,
        file_system.unwrap_or("unknown file system")
    )
}

/// The type of the file system that holds `path`, from the text of `/proc/mounts`:
/// of the mounts on a parent, the deepest, and of those on one place the last.
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (Path::new(fields.next()?), fields.next()?);
        path.starts_with(place)
            .then(|| (place.components().count(), kind))
    };
    let mounts = mounts.lines().filter_map(mount);
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\nx /tmp tmpfs rw 0 0\nx /tm xfs rw 0 0\n/dev/b /tmp btrfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/dir")), Some("btrfs"));
        assert_eq!(file_system(mounts, Path::new("/home")), Some("ext4"));
        assert_eq!(file_system("", Path::new("/home")), None);
    }
}
