//! The text of `ideas.md`, as `docs/ideas.md` has it: to a [`Backlog`], and the tick.

use std::collections::HashMap;

use super::ideas::{Backlog, Idea, IdeaKind, TITLE_CHARS_MAX};
use crate::error::{Error, Result};

/// Priority of an entry that gives none.
pub const DEFAULT_PRIORITY: u8 = 5;
/// What stands between an entry's text and its verdict.
const ARROW: &str = " → ";
/// Most values of one sweep; each is a candidate to be measured.
const SWEEP_VALUES_MAX: usize = 1000;
/// Longest id made of a text, before its hash.
const SLUG_CHARS_MAX: usize = 48;

/// Reads the file; `origin` names it in errors.
///
/// # Errors
/// With the line number: a malformed checkbox, priority or knob line, an empty, absolute or
/// climbing patch path, a patch and a knob in one entry, an id that is used twice.
pub fn parse(text: &str, origin: &str) -> Result<Backlog> {
    let fail = |(line, problem): Problem| {
        Error::usage(format!("{origin}:{line}: {problem}"))
            .hint("`- [ ] **id** (p1) text`, below it `  - patch: path` or `  - knob: name = 1, 2`")
    };
    let mut ideas: Vec<Idea> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for entry in entries(text) {
        let idea = read_entry(&entry).map_err(fail)?;
        if let Some(first) = lines.insert(idea.id.clone(), idea.line) {
            let problem = format!("the id `{}` is already used on line {first}", idea.id);
            return Err(fail((idea.line, problem)));
        }
        ideas.push(idea);
    }
    Ok(Backlog { ideas })
}

/// Ticks the entry `id` and puts ` → verdict` at the end of its first line; every other byte
/// stays. `None` when there is no such entry; the unchanged text when it is ticked already.
pub fn tick(text: &str, id: &str, verdict: &str) -> Option<String> {
    let all = entries(text);
    let (entry, head) = all.iter().find_map(|entry| {
        let head = read_head(entry.head).ok()?;
        (head.id == id).then_some((entry, head))
    })?;
    if head.done {
        return Some(text.to_owned());
    }
    let verdict: Vec<&str> = verdict.split_whitespace().collect();
    let verdict = verdict.join(" ").replace('→', "->");
    let end = entry.head_start + entry.head.len();
    let mut ticked = String::with_capacity(text.len() + verdict.len() + 16);
    let mark = entry.head_start + head.body_start;
    match head.has_box {
        // `[ ] ` begins at the mark: only the blank inside changes.
        true => {
            ticked.push_str(&text[..=mark]);
            ticked.push('x');
            ticked.push_str(&text[mark + 2..end]);
        }
        false => {
            ticked.push_str(&text[..mark]);
            ticked.push_str("[x] ");
            ticked.push_str(&text[mark..end]);
        }
    }
    if !verdict.is_empty() {
        ticked.push_str(ARROW);
        ticked.push_str(&verdict);
    }
    ticked.push_str(&text[end..]);
    Some(ticked)
}

type Problem = (usize, String);

/// An entry's lines, not yet understood.
struct Entry<'a> {
    line: usize,
    /// The first line without its line end, and where it begins in the file.
    head: &'a str,
    head_start: usize,
    /// Further prose.
    prose: Vec<&'a str>,
    /// The indented bullets and `patch:`/`knob:` lines, with their continuation.
    subs: Vec<(usize, String)>,
}

/// Finds the entries.
fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut found: Vec<Entry> = Vec::new();
    let mut open = false;
    let mut fence: Option<&str> = None;
    let mut in_comment = false;
    let mut start = 0;
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        let line_start = start;
        start += raw.len();
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = line.trim_start();
        if let Some(marker) = fence {
            let closes = content.starts_with(marker)
                && content.trim_end().chars().all(|c| marker.starts_with(c));
            fence = if closes { None } else { Some(marker) };
            continue;
        }
        if in_comment || content.starts_with("<!--") {
            in_comment = !line.contains("-->");
            continue;
        }
        // A line such as ```` ```code``` ```` is no fence: its info string has a backtick.
        fence = ["```", "~~~"].into_iter().find(|marker| {
            content
                .strip_prefix(marker)
                .is_some_and(|info| !info.trim_matches('`').contains('`'))
        });
        if fence.is_some() || content.is_empty() {
            continue;
        }
        let indented = line.starts_with('\t') || line.len() - content.len() >= 2;
        if bullet(line).is_some() && !(indented && open) {
            let (line_number, head) = (index + 1, line);
            let (prose, subs) = (Vec::new(), Vec::new());
            found.push(Entry {
                line: line_number,
                head,
                head_start: line_start,
                prose,
                subs,
            });
            open = true;
        } else if indented && open {
            let entry = found.last_mut().expect("an open entry was pushed");
            add_indented(entry, index + 1, content);
        } else {
            open = false;
        }
    }
    found
}

fn add_indented<'a>(entry: &mut Entry<'a>, line: usize, content: &'a str) {
    let item = bullet(content).map(|at| content[at..].trim());
    let text = item.unwrap_or_else(|| content.trim());
    if item.is_some() || key_value(text).is_some_and(|(key, _)| is_key(&key)) {
        entry.subs.push((line, text.to_owned()));
    } else if let Some((_, sub)) = entry.subs.last_mut() {
        sub.push(' ');
        sub.push_str(text);
    } else {
        entry.prose.push(text);
    }
}

/// Where a bullet's content begins, if the line is a bullet.
fn bullet(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let rest = line[indent..].strip_prefix(['-', '*', '+'])?;
    let content = rest.trim_start_matches([' ', '\t']);
    // `---` and `**bold**` are no bullets, nor is an empty one, nor the rule `- - -`.
    let is_rule = rest.chars().all(|c| matches!(c, '-' | '*' | ' ' | '\t'));
    (content.len() < rest.len() && !is_rule && !content.trim().is_empty())
        .then_some(line.len() - content.len())
}

/// The first line of an entry, understood.
struct Head {
    id: String,
    /// Prose after box, id and priority, without a verdict.
    text: String,
    priority: u8,
    done: bool,
    has_box: bool,
    /// Where the box, or without one the text, begins in the line.
    body_start: usize,
}

fn read_head(line: &str) -> std::result::Result<Head, String> {
    let body_start = bullet(line).ok_or("it is no list item")?;
    let body = &line[body_start..];
    let (mark, rest) = match read_box(body)? {
        Some((done, rest)) => (Some(done), rest),
        None => (None, body),
    };
    let done = mark == Some(true);
    let rest = rest.trim();
    if rest.is_empty() {
        return Err("the idea has no text".to_owned());
    }
    let bold = rest
        .strip_prefix("**")
        .and_then(|rest| rest.split_once("**"))
        .filter(|(id, _)| is_id(id));
    let (id, rest) = match bold {
        Some((id, rest)) => (Some(id), rest.trim_start_matches([':', ' ', '\t'])),
        None => (None, rest),
    };
    let (priority, rest) = read_priority(rest)?;
    // The blank lets a verdict be found behind an empty text.
    let padded = format!(" {rest}");
    let text = match padded.rfind(ARROW) {
        Some(at) if done => padded[..at].trim(),
        Some(_) | None => rest.trim(),
    };
    let id = id.map_or_else(|| slug(text), str::to_owned);
    let text = text.to_owned();
    Ok(Head {
        id,
        text,
        priority,
        done,
        has_box: mark.is_some(),
        body_start,
    })
}

/// `[ ]`, `[x]` or `[X]` and what follows. A link at the start is no box.
fn read_box(body: &str) -> std::result::Result<Option<(bool, &str)>, String> {
    let Some((inner, rest)) = body.strip_prefix('[').and_then(|body| body.split_once(']')) else {
        return Ok(None);
    };
    if inner.trim().chars().count() > 1 || rest.starts_with(['(', '[', ':']) {
        return Ok(None);
    }
    let separated = rest.is_empty() || rest.starts_with([' ', '\t']);
    match inner {
        " " if separated => Ok(Some((false, rest))),
        "x" | "X" if separated => Ok(Some((true, rest))),
        _ => Err(format!(
            "malformed checkbox `[{inner}]`; write `[ ] ` or `[x] `"
        )),
    }
}

/// `(p1)` to `(p9)` at the start. Prose in parentheses that begins with a p is left alone.
fn read_priority(text: &str) -> std::result::Result<(u8, &str), String> {
    let Some(inner) = text.strip_prefix("(p").or_else(|| text.strip_prefix("(P")) else {
        return Ok((DEFAULT_PRIORITY, text));
    };
    let (word, rest) = inner.split_once(')').unwrap_or((inner, ""));
    let digit = match word.as_bytes() {
        [digit @ b'1'..=b'9'] if inner.len() > 1 => Some(digit - b'0'),
        _ => None,
    };
    let meant = word
        .trim()
        .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
        || word.trim().chars().count() <= 1;
    match digit {
        Some(priority) => Ok((priority, rest.trim_start_matches([':', ' ', '\t']))),
        None if meant => {
            let shown: String = word.chars().take(12).collect();
            Err(format!(
                "malformed priority `(p{shown})`; write (p1) to (p9)"
            ))
        }
        None => Ok((DEFAULT_PRIORITY, text)),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The words of a text as an id. A text too long for it, or without ASCII words, gets a hash.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let words = slug.trim_end_matches('-');
    if !words.is_empty() && words.len() <= SLUG_CHARS_MAX {
        return words.to_owned();
    }
    let cut = words[..words.len().min(SLUG_CHARS_MAX)].trim_end_matches('-');
    let cut = if cut.is_empty() { "idea" } else { cut };
    format!("{cut}-{:08x}", fnv1a(text))
}

/// FNV-1a, 32 bits: stable through versions, which the standard library's hasher is not.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

fn read_entry(entry: &Entry) -> std::result::Result<Idea, Problem> {
    let head = read_head(entry.head).map_err(|problem| (entry.line, problem))?;
    let mut kind = IdeaKind::FreeText;
    let mut notes = Vec::new();
    for (line, sub) in &entry.subs {
        let fail = |problem: String| (*line, problem);
        let carried = match key_value(sub) {
            Some((key, value)) if key == "patch" => read_patch(value).map_err(fail)?,
            Some((key, value)) if key == "knob" => read_sweep(value).map_err(fail)?,
            Some((key, _)) if is_key(&key) => {
                let known = if key == "patches" { "patch" } else { "knob" };
                return Err(fail(format!(
                    "unknown key `{key}`; write one `{known}:` line"
                )));
            }
            Some(_) | None => {
                notes.push(sub.clone());
                continue;
            }
        };
        if kind != IdeaKind::FreeText {
            let problem = "a second `patch:` or `knob:` in one idea; give it an entry of its own";
            return Err(fail(problem.to_owned()));
        }
        kind = carried;
    }
    let mut text = head.text;
    for more in &entry.prose {
        text.push(' ');
        text.push_str(more);
    }
    let text = text.trim().to_owned();
    Ok(Idea {
        title: title(&text, &head.id),
        id: head.id,
        text,
        priority: head.priority,
        done: head.done,
        line: entry.line,
        kind,
        notes,
    })
}

/// `key: value` with a one-word key, in lower case.
fn key_value(text: &str) -> Option<(String, &str)> {
    let (key, value) = text.split_once(':')?;
    let key = key.trim();
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_word.then(|| (key.to_lowercase(), value.trim()))
}

/// The keys that carry something, and the plurals they are mistaken for.
fn is_key(key: &str) -> bool {
    matches!(key, "patch" | "knob" | "patches" | "knobs")
}

fn read_patch(value: &str) -> std::result::Result<IdeaKind, String> {
    let path = value
        .strip_prefix('`')
        .and_then(|path| path.strip_suffix('`'))
        .unwrap_or(value);
    let mut parts = path.split(['/', '\\']);
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.is_empty() {
        Err("`patch:` has no path".to_owned())
    } else if path.starts_with(['/', '\\', '~']) || drive {
        Err(format!(
            "the patch path `{path}` is absolute; write it relative to ideas.md"
        ))
    } else if parts.any(|part| part == "..") {
        Err(format!(
            "the patch path `{path}` climbs out of the directory of ideas.md"
        ))
    } else if path.chars().any(char::is_control) {
        Err("the patch path has a control character".to_owned())
    } else {
        Ok(IdeaKind::Patch(path.to_owned()))
    }
}

fn read_sweep(value: &str) -> std::result::Result<IdeaKind, String> {
    let Some((knob, list)) = value.split_once('=') else {
        return Err(format!(
            "malformed knob line `{value}`; write `knob: name = 1, 2, 3`"
        ));
    };
    let knob = knob.trim();
    if knob.is_empty() || knob.contains(char::is_whitespace) {
        return Err(format!(
            "malformed knob name `{knob}`; write `knob: name = 1, 2, 3`"
        ));
    }
    let mut values: Vec<String> = Vec::new();
    for value in list.split(',').map(str::trim) {
        if value.is_empty() {
            return Err(format!("an empty value for knob `{knob}`"));
        }
        if let Some(twin) = values
            .iter()
            .find(|other| super::number::same_value(other, value))
        {
            return Err(format!(
                "knob `{knob}` has one value twice: {twin} and {value}"
            ));
        }
        if values.len() == SWEEP_VALUES_MAX {
            return Err(format!(
                "more than {SWEEP_VALUES_MAX} values for knob `{knob}`"
            ));
        }
        values.push(value.to_owned());
    }
    Ok(IdeaKind::Sweep {
        knob: knob.to_owned(),
        values,
    })
}

/// The first sentence, shortened at a word.
fn title(text: &str, id: &str) -> String {
    let ends = [". ", "; ", ": "].iter().filter_map(|end| text.find(end));
    let sentence = &text[..ends.min().unwrap_or(text.len())];
    let sentence = sentence.trim_end_matches('.').trim();
    if sentence.is_empty() {
        return id.to_owned();
    }
    if sentence.chars().count() <= TITLE_CHARS_MAX {
        return sentence.to_owned();
    }
    let cut: String = sentence.chars().take(TITLE_CHARS_MAX - 1).collect();
    let at_word = cut.rfind(' ').map_or(cut.as_str(), |at| &cut[..at]);
    format!("{}…", at_word.trim_end())
}

#[cfg(test)]
#[path = "ideas_file_tests.rs"]
mod tests;
