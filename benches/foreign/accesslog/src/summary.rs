use crate::{parse_line, ParseError};

/// Lines that are counted together before they are added to the whole.
const BLOCK_LINES: usize = 8;

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub requests: u64,
    pub errors: u64,
    pub bytes: u64,
    /// Requests of each path, most first, then by name.
    pub paths: Vec<(String, u64)>,
}

/// Sums up a log; empty lines are passed over.
pub fn summarise(log: &str) -> Result<Summary, ParseError> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    let mut whole = Summary::default();
    for block in lines.chunks(BLOCK_LINES) {
        let mut part = Summary::default();
        for line in block {
            let entry = parse_line(line)?;
            part.requests += 1;
            part.errors += u64::from(entry.status >= 500);
            part.bytes += entry.bytes;
            count(&mut part.paths, &entry.path, 1);
        }
        add(&mut whole, part);
    }
    Ok(whole)
}

fn add(whole: &mut Summary, part: Summary) {
    whole.requests += part.requests;
    whole.errors += part.errors;
    whole.bytes += part.bytes;
    for (path, requests) in part.paths {
        count(&mut whole.paths, &path, requests);
    }
    whole
        .paths
        .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

fn count(paths: &mut Vec<(String, u64)>, path: &str, requests: u64) {
    match paths.iter_mut().find(|(known, _)| known == path) {
        Some((_, sum)) => *sum += requests,
        None => paths.push((path.to_owned(), requests)),
    }
}
