//! The little of `Cargo.toml` that `init` needs: names, targets, members, dependencies. Lines that
//! it does not understand are passed over; a wrong guess is a wrong proposal in a file that the
//! user reads, nothing more.

/// A benchmark target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BenchTarget {
    pub(super) name: String,
    pub(super) path: Option<String>,
    /// `harness = false`: its own `main`.
    pub(super) own_main: bool,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Manifest {
    pub(super) package: Option<String>,
    pub(super) benches: Vec<BenchTarget>,
    pub(super) binaries: Vec<String>,
    pub(super) is_workspace: bool,
    pub(super) members: Vec<String>,
    pub(super) has_criterion: bool,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let line = without_comment(line).trim();
            if let Some(header) = line.strip_prefix('[') {
                section = header
                    .trim_matches(['[', ']', ' '])
                    .replace(['"', '\''], "");
                manifest.open(&section);
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let mut value = value.trim().to_owned();
            while value.starts_with('[') && !value.ends_with(']') {
                let Some(more) = lines.next() else { break };
                value.push_str(without_comment(more).trim());
            }
            manifest.set(&section, key.trim(), &value);
        }
        manifest
    }

    fn open(&mut self, section: &str) {
        match section {
            "workspace" => self.is_workspace = true,
            "bench" => self.benches.push(BenchTarget::default()),
            "bin" => self.binaries.push(String::new()),
            _ => {
                if let Some((table, name)) = section.rsplit_once('.')
                    && table.ends_with("dependencies")
                {
                    self.has_criterion |= is_criterion(name);
                }
            }
        }
    }

    fn set(&mut self, section: &str, key: &str, value: &str) {
        match (section, key) {
            ("package", "name") => self.package = Some(unquote(value)),
            ("workspace", "members") => self.members = list(value),
            ("bench", key) => {
                if let Some(bench) = self.benches.last_mut() {
                    match key {
                        "name" => bench.name = unquote(value),
                        "path" => bench.path = Some(unquote(value)),
                        "harness" => bench.own_main = value == "false",
                        _ => {}
                    }
                }
            }
            ("bin", "name") => {
                if let Some(binary) = self.binaries.last_mut() {
                    *binary = unquote(value);
                }
            }
            (table, key) if table.ends_with("dependencies") => {
                let name = key.split('.').next().unwrap_or(key);
                self.has_criterion |= is_criterion(name);
            }
            _ => {}
        }
    }
}

fn is_criterion(dependency: &str) -> bool {
    let name = dependency.trim_matches(['"', '\'']);
    name == "criterion" || name == "codspeed-criterion-compat"
}

fn unquote(value: &str) -> String {
    value.trim().trim_matches(['"', '\'']).to_owned()
}

/// The strings of an array on one line.
fn list(value: &str) -> Vec<String> {
    value
        .trim_matches(['[', ']'])
        .split(',')
        .map(unquote)
        .filter(|item| !item.is_empty())
        .collect()
}

/// The line up to a `#` that is not inside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return &line[..at],
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None | Some(_), _) => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_members_and_dependencies_are_read() {
        let manifest = Manifest::parse(
            r#"
            [package] # the root
            name = "parser"   # "quoted"
            [workspace]
            members = [
                "crates/*", # all
                'tools/x',
            ]
            [dev-dependencies]
            criterion.workspace = true
            [[bench]]
            name = "parse"
            harness = false
            [[bench]]
            name = "old"
            path = "perf/old.rs"
            [[bin]]
            name = "cli"
            "#,
        );
        assert_eq!(
            manifest,
            Manifest {
                package: Some("parser".to_owned()),
                benches: vec![
                    BenchTarget {
                        name: "parse".to_owned(),
                        path: None,
                        own_main: true,
                    },
                    BenchTarget {
                        name: "old".to_owned(),
                        path: Some("perf/old.rs".to_owned()),
                        own_main: false,
                    },
                ],
                binaries: vec!["cli".to_owned()],
                is_workspace: true,
                members: vec!["crates/*".to_owned(), "tools/x".to_owned()],
                has_criterion: true,
            }
        );
    }

    #[test]
    fn criterion_is_found_in_every_kind_of_dependency_table() {
        for text in [
            "[dependencies]\ncriterion = \"0.8\"",
            "[dev-dependencies.criterion]\nversion = \"0.8\"",
            "[target.'cfg(unix)'.dev-dependencies]\ncriterion = { version = \"0.8\" }",
        ] {
            assert!(Manifest::parse(text).has_criterion, "{text}");
        }
        for text in [
            "[package]\ncriterion = 1",
            "# [dependencies]\n# criterion = 1",
            "[dependencies]\ncriterion-plot = \"0.8\"",
        ] {
            assert!(!Manifest::parse(text).has_criterion, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[\\[\\]a-z=\"'#,.\\n é]{0,80}") {
            Manifest::parse(&text);
        }
    }
}
