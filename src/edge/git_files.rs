//! What makes git run programs: hooks, config and attributes of the user's repository. A child that no
//! sandbox keeps in can write there; what it put there the user's next `git commit` would run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::regular;

/// Those files of one repository at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GitFiles(BTreeMap<String, Vec<u8>>);

impl GitFiles {
    /// Reads them below the common directory. Settings of branches are left out: git writes them at every
    /// `git switch -c` and `git push -u` of the user's, and nothing in them is run.
    pub fn read(common_dir: &Path) -> Self {
        let mut files = BTreeMap::new();
        let config = common_dir.join("config");
        // Its files by content, when it cannot be parsed any more.
        let entries = entries(&config).or_else(|| regular::read(&config).ok());
        files.insert("config".to_owned(), entries.unwrap_or_default());
        for name in [
            "config.worktree",
            "info/attributes",
            "objects/info/alternates",
        ] {
            if let Ok(content) = regular::read(&common_dir.join(name)) {
                files.insert(name.to_owned(), content);
            }
        }
        let hooks = common_dir.join("hooks");
        for entry in fs::read_dir(hooks).into_iter().flatten().flatten() {
            let mode = fs::metadata(entry.path()).map_or(0, |metadata| metadata.mode());
            let mut content = regular::read(&entry.path()).unwrap_or_default();
            content.extend(mode.to_le_bytes());
            files.insert(
                format!("hooks/{}", entry.file_name().to_string_lossy()),
                content,
            );
        }
        Self(files)
    }

    /// Names of those that are not as they were.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let names = self.0.keys().chain(before.0.keys());
        let changed = names.filter(|name| self.0.get(*name) != before.0.get(*name));
        let mut changed: Vec<String> = changed.cloned().collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

/// Name and value of every setting but the branches'.
fn entries(path: &Path) -> Option<Vec<u8>> {
    // libgit2 would wait for the writer of a pipe.
    regular::open(path).ok()?;
    let config = git2::Config::open(path).ok()?;
    let mut entries = config.entries(None).ok()?;
    let mut text = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        if entry.name_bytes().starts_with(b"branch.") {
            continue;
        }
        text.extend_from_slice(entry.name_bytes());
        text.push(b'=');
        text.extend_from_slice(entry.value_bytes());
        text.push(b'\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_hook_and_a_setting_are_changes_and_a_branch_is_none() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        git2::Repository::init_bare(path).unwrap();
        let before = GitFiles::read(path);
        let mut config = git2::Config::open(&path.join("config")).unwrap();
        config.set_str("branch.main.remote", "origin").unwrap();
        assert_eq!(GitFiles::read(path).changed_since(&before), [""; 0]);
        config.set_str("core.fsmonitor", "./evil").unwrap();
        fs::create_dir_all(path.join("hooks")).unwrap();
        fs::write(path.join("hooks/pre-commit"), "evil").unwrap();
        let changed = GitFiles::read(path).changed_since(&before);
        assert_eq!(changed, ["config", "hooks/pre-commit"]);
    }
}
