//! Which runs of a ledger are wanted, and in which order. A ledger of any length is read entry by
//! entry and only the rows wanted are kept.

use std::cmp::Ordering;
use std::io::{self, Write};

use regex::Regex;
use serde_json::Value;

use super::row::Row;
use crate::flow::decision::Direction;
use crate::flow::entry::{Entry, Segment};
use crate::flow::record::Status;

/// What runs are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Sort {
    /// The order in the ledger
    #[default]
    Run,
    /// Largest gain first
    Gain,
    /// Most time spent first
    Time,
    /// Best primary metric first, segment by segment, the last one on top
    Metric,
}

/// Which runs are wanted; all with the default.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these statuses; all when empty.
    pub statuses: Vec<Status>,
    /// Only those recorded at this time or later, milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Only those of this entry of ideas.md.
    pub idea: Option<String>,
    /// Only those whose description, detail or notes match.
    pub grep: Option<Regex>,
    /// Only this segment.
    pub segment: Option<u32>,
    /// Only this session, by id.
    pub session: Option<String>,
    /// The order.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
    /// Only so many: the last in the order of the ledger, the first in any other.
    pub limit: Option<usize>,
}

impl Sort {
    /// What a row is sorted by, larger first; `None` where it has no such figure.
    fn figure(self, row: &Row) -> Option<f64> {
        match self {
            Self::Run => None,
            Self::Gain => row.gain.map(|gain| gain.log),
            Self::Time => row.seconds,
            Self::Metric => row.metric.map(|value| match row.direction {
                Direction::Lower => -value,
                Direction::Higher => value,
            }),
        }
    }
}

impl Filter {
    fn wants(&self, entry: &Entry, segment: &Segment) -> bool {
        let line = entry.line();
        let session = segment.session.as_ref().map(|line| line.session.as_str());
        let idea = line.and_then(|line| line.origin.idea.as_deref());
        let is_late = |since| entry.timestamp_ms.is_some_and(|time| time >= since);
        (self.statuses.is_empty() || self.statuses.contains(&entry.status))
            && self.segment.is_none_or(|wanted| wanted == entry.segment)
            && (self.session.is_none() || self.session.as_deref() == session)
            && (self.idea.is_none() || self.idea.as_deref() == idea)
            && self.since_ms.is_none_or(is_late)
            && self.grep.as_ref().is_none_or(|grep| matches(grep, entry))
    }

    /// Which of two rows comes first. Runs without the figure come last, whichever way round.
    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        // What is measured, its unit and which way it is better may differ between segments.
        if self.sort == Sort::Metric && a.segment != b.segment {
            return b.segment.cmp(&a.segment);
        }
        let turned = |order: Ordering| {
            if self.reverse { order.reverse() } else { order }
        };
        match (self.sort.figure(a), self.sort.figure(b)) {
            (Some(a), Some(b)) => turned(b.total_cmp(&a)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) if self.sort == Sort::Run => turned(a.run.cmp(&b.run)),
            (None, None) => Ordering::Equal,
        }
    }
}

/// Whether a description, a detail, or a note of the proposer's matches.
fn matches(grep: &Regex, entry: &Entry) -> bool {
    let detail = entry.line().map_or("", |line| line.detail.as_str());
    let in_notes = || {
        let mut notes = entry.asi.iter().flatten();
        notes.any(|(key, value)| grep.is_match(key) || value_matches(grep, value))
    };
    grep.is_match(&entry.description) || grep.is_match(detail) || in_notes()
}

fn value_matches(grep: &Regex, value: &Value) -> bool {
    match value {
        Value::String(text) => grep.is_match(text),
        Value::Array(values) => values.iter().any(|value| value_matches(grep, value)),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| grep.is_match(key) || value_matches(grep, value)),
        Value::Number(number) => grep.is_match(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

/// The rows wanted of a ledger that is read entry by entry.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    filter: Filter,
    rows: Vec<Row>,
    /// Wanted but beyond the limit.
    dropped: u64,
}

impl Rows {
    /// No rows yet.
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            rows: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes the next entry and its segment.
    pub fn push(&mut self, entry: &Entry, segment: &Segment) {
        if !self.filter.wants(entry, segment) {
            return;
        }
        self.rows.push(Row::new(entry, segment));
        // Twice the limit is held, so that the work for each row stays the same on average.
        let limit = self.filter.limit.unwrap_or(usize::MAX);
        if self.rows.len() > limit.saturating_mul(2).max(64) {
            self.cut(limit);
        }
    }

    /// All have been pushed: sorts them and keeps the limit.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.cut(self.filter.limit.unwrap_or(usize::MAX));
        let filter = &self.filter;
        self.rows.sort_by(|a, b| filter.compare(a, b));
        self
    }

    fn cut(&mut self, limit: usize) {
        let beyond = self.rows.len().saturating_sub(limit);
        if self.filter.sort == Sort::Run {
            self.rows.drain(..beyond);
        } else {
            let filter = &self.filter;
            self.rows.sort_by(|a, b| filter.compare(a, b));
            self.rows.truncate(limit);
        }
        self.dropped += beyond as u64;
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// Runs that matched and were left out by the limit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What they are sorted by.
    pub fn sort(&self) -> Sort {
        self.filter.sort
    }

    /// Whether there are runs and none has the figure that they should be sorted by.
    pub fn lack_figure(&self) -> bool {
        let sort = self.filter.sort;
        let has_figure = |row: &Row| sort.figure(row).is_some();
        sort != Sort::Run && !self.is_empty() && !self.rows.iter().any(has_figure)
    }

    /// Whether nothing matched.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// `log --json`: an array, one object a line, with a newline at the end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        for (index, row) in self.rows.iter().enumerate() {
            out.write_all(if index == 0 { b"[\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, row)?;
        }
        out.write_all(if self.is_empty() { b"[]\n" } else { b"\n]\n" })
    }

    /// `log --csv`: RFC 4180 but for plain newlines; a header, then one record a run.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", CSV_HEADER.join(","))?;
        for row in &self.rows {
            let fields: Vec<String> = csv_fields(row).iter().map(|text| quoted(text)).collect();
            writeln!(out, "{}", fields.join(","))?;
        }
        Ok(())
    }
}

/// The columns of `log --csv`; what they mean is in docs/ledger.md.
pub const CSV_HEADER: [&str; 23] = [
    "run",
    "segment",
    "session",
    "timestamp",
    "status",
    "reason",
    "commit",
    "metric_name",
    "unit",
    "incumbent",
    "metric",
    "gain_log",
    "gain_lo",
    "gain_hi",
    "gain_percent",
    "confirmed",
    "pairs",
    "guards_moved",
    "gate",
    "seconds",
    "proposer",
    "idea",
    "description",
];

fn csv_fields(row: &Row) -> [String; CSV_HEADER.len()] {
    fn text<T: ToString>(value: Option<T>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    // The words of the ledger, as in `--json`.
    fn word<T: serde::Serialize>(value: T) -> String {
        match serde_json::to_value(value) {
            Ok(Value::String(word)) => word,
            Ok(_) | Err(_) => String::new(),
        }
    }
    let gain = row.gain.as_ref();
    [
        row.run.to_string(),
        row.segment.to_string(),
        row.session.clone().unwrap_or_default(),
        text(row.timestamp),
        word(row.status),
        word(row.reason),
        row.commit.clone(),
        row.metric_name.clone(),
        row.unit.clone(),
        text(row.incumbent),
        text(row.metric),
        text(gain.map(|gain| gain.log)),
        text(gain.and_then(|gain| gain.lo)),
        text(gain.and_then(|gain| gain.hi)),
        text(gain.map(|gain| gain.percent)),
        text(gain.map(|gain| gain.confirmed)),
        text(row.pairs),
        super::log::guards(row).unwrap_or_default(),
        word(row.gate),
        text(row.seconds),
        row.proposer.clone().unwrap_or_default(),
        row.idea.clone().unwrap_or_default(),
        row.description.clone(),
    ]
}

/// In quotes where a comma, a quote or a line break would end the field.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
