//! What `init` may know of a project: a listing and a way to read.

use crate::flow::metric::is_metric_name;

/// The files of a project.
pub struct Tree<'a> {
    files: Vec<String>,
    read: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Tree<'a> {
    /// `files` are paths relative to the project directory, with `/`; `read` gives the text of
    /// one, or nothing when it is none.
    pub fn new(mut files: Vec<String>, read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        files.sort();
        Self { files, read }
    }

    /// Every file, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files
            .binary_search_by(|file| file.as_str().cmp(path))
            .is_ok()
    }

    /// The first of these files that there is.
    pub fn first<'p>(&self, paths: &[&'p str]) -> Option<&'p str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// Whether any file is below this directory.
    pub fn has_directory(&self, directory: &str) -> bool {
        self.files().any(|file| {
            file.strip_prefix(directory)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// A file's text.
    pub fn read(&self, path: &str) -> Option<String> {
        if self.has(path) {
            (self.read)(path)
        } else {
            None
        }
    }

    /// The names in `METRIC name=` of a file's text: it prints them itself.
    pub fn metric_names(&self, path: &str) -> Vec<String> {
        let text = self.read(path).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for rest in text.split("METRIC").skip(1) {
            let body = rest.trim_start_matches([' ', '\t']);
            let Some((name, _)) = body.split_once('=') else {
                continue;
            };
            if body.len() < rest.len() && is_metric_name(name) && !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}
