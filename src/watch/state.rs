//! What is known and what is looked at.

use regex::Regex;

use super::Key;
use super::layout::{Areas, areas};
use crate::flow::entry::{Entry, Read, Segment};
use crate::flow::live::Running;
use crate::flow::record::Status;
use crate::flow::summary::{SessionSummary, Summary};
use crate::report::row::Row;

/// A part of the picture that can have the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The table.
    Runs,
    /// The metric over the runs.
    Chart,
    /// The selected run.
    Detail,
}

/// What a key comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Go on.
    Continue,
    /// The user has seen enough.
    Quit,
}

/// A run whose text is to be shown and is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its index among the rows taken.
    pub row: usize,
    /// Columns for its text.
    pub columns: usize,
}

/// Everything about one run, as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    pub of: Wanted,
    pub lines: Vec<String>,
}

/// Which runs are shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub status: Option<Status>,
    pub all_sessions: bool,
    pub text: String,
    /// Of `text`; taken word for word where it is no expression.
    regex: Option<Regex>,
}

impl Filter {
    fn set_text(&mut self, text: String) {
        let build = |pattern: &str| {
            regex::RegexBuilder::new(pattern)
                .case_insensitive(true)
                .build()
        };
        self.regex = (!text.is_empty())
            .then(|| build(&text).or_else(|_| build(&regex::escape(&text))).ok())
            .flatten();
        self.text = text;
    }

    fn wants(&self, row: &Row, last_segment: u32) -> bool {
        (self.all_sessions || row.segment == last_segment)
            && self.status.is_none_or(|status| status == row.status)
            && self.regex.as_ref().is_none_or(|regex| {
                let fields = [&row.detail, &row.idea];
                let mut fields = fields.into_iter().flatten();
                regex.is_match(&row.description) || fields.any(|field| regex.is_match(field))
            })
    }
}

/// The dashboard.
#[derive(Debug)]
pub struct State {
    /// Name of the ledger.
    pub(super) ledger: String,
    /// In the ledger's order, without what is not shown of them.
    pub(super) rows: Vec<Row>,
    pub(super) summary: Summary,
    pub(super) running: Running,
    pub(super) now_ms: u64,
    /// Bytes read, and all there are.
    pub(super) progress: (u64, u64),
    pub(super) problem: Option<String>,
    pub(super) filter: Filter,
    /// What the filter was before the user began to type another.
    typing: Option<String>,
    /// Indices of the rows that the filter wants, oldest first.
    pub(super) shown: Vec<usize>,
    /// Index of the selected row.
    pub(super) selected: Option<usize>,
    /// Position of the first visible row; 0 is the newest shown.
    pub(super) top: usize,
    pub(super) focus: Pane,
    pub(super) is_whole: bool,
    pub(super) has_help: bool,
    pub(super) size: (u16, u16),
    pub(super) detail: Option<Detail>,
    pub(super) detail_top: usize,
    is_stale: bool,
}

impl State {
    /// Before the first line of the ledger of that name, on a terminal of so many columns and rows.
    pub fn new(ledger: String, size: (u16, u16)) -> Self {
        Self {
            ledger,
            rows: Vec::new(),
            summary: Summary::default(),
            running: Running::No,
            now_ms: 0,
            progress: (0, 0),
            problem: None,
            filter: Filter::default(),
            typing: None,
            shown: Vec::new(),
            selected: None,
            top: 0,
            focus: Pane::Runs,
            is_whole: false,
            has_help: false,
            size,
            detail: None,
            detail_top: 0,
            is_stale: true,
        }
    }

    /// Whether the picture has changed since this was asked last.
    pub fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.is_stale)
    }

    /// The next line of the ledger; `segments` are those so far.
    pub fn read(&mut self, read: &Read, segments: &[Segment]) {
        self.is_stale = true;
        self.summary.push(read);
        match read {
            Read::Run(entry) => {
                let mut row = Row::new(entry, &segments[entry.segment as usize]);
                // Not shown, and most of a row's memory.
                row.metrics.clear();
                row.session = None;
                self.rows.push(row);
                self.show_last();
            }
            // Runs of an earlier session leave the table.
            Read::Segment(_) => self.refilter(),
            Read::Calibration(_)
            | Read::Claim(_)
            | Read::Ablation(_)
            | Read::Skipped
            | Read::Repair(_)
            | Read::Newer { .. } => {}
        }
    }

    /// The file is another one: nothing read so far counts.
    pub fn restart(&mut self) {
        self.is_stale = true;
        self.rows.clear();
        self.shown.clear();
        self.summary = Summary::default();
        (self.selected, self.detail, self.top) = (None, None, 0);
    }

    /// How far the ledger has been read, in bytes, and what is wrong with it.
    pub fn reading(&mut self, progress: (u64, u64), problem: Option<&str>) {
        self.is_stale |= self.progress != progress || self.problem.as_deref() != problem;
        self.progress = progress;
        self.problem = problem.map(str::to_owned);
    }

    /// What the loop is doing at `now_ms`, milliseconds since 1970.
    pub fn running(&mut self, running: Running, now_ms: u64) {
        let is_running = running != Running::No;
        let seconds_pass = is_running && now_ms / 1000 != self.now_ms / 1000;
        self.is_stale |= seconds_pass || running != self.running;
        self.running = running;
        self.now_ms = now_ms;
    }

    /// The terminal's size is now so many columns and rows.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.is_stale = true;
        self.size = size;
        self.keep_visible();
    }

    /// The run whose text is to be brought.
    pub fn wanted(&self) -> Option<Wanted> {
        let columns = usize::from(self.areas()?.detail?.width.saturating_sub(1));
        let wanted = Wanted {
            row: self.selected?,
            columns,
        };
        let is_there = self.detail.as_ref().is_some_and(|it| it.of == wanted);
        (!is_there).then_some(wanted)
    }

    /// The text of a run.
    pub fn bring(&mut self, of: Wanted, lines: Vec<String>) {
        self.is_stale = true;
        let is_same_run = self.detail.as_ref().is_some_and(|it| it.of.row == of.row);
        self.detail = Some(Detail { of, lines });
        let top = if is_same_run { self.detail_top } else { 0 };
        self.scroll_detail_to(top);
    }

    /// The session that is looked at: the selected run's, else the last one.
    pub(super) fn session(&self) -> Option<&SessionSummary> {
        let segment = self.selected.map(|index| self.rows[index].segment);
        let of = |segment: u32| self.summary.sessions.get(segment as usize);
        segment.and_then(of).or(self.summary.sessions.last())
    }

    /// The segment of an entry taken.
    pub fn segment(&self, entry: &Entry) -> Option<&Segment> {
        let session = self.summary.sessions.get(entry.segment as usize)?;
        Some(&session.segment)
    }

    pub(super) fn areas(&self) -> Option<Areas> {
        let whole = self.is_whole.then_some(self.focus);
        areas(self.size, self.focus, whole)
    }

    /// What is typed into the filter, while that is so.
    pub(super) fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Position of the selected row among those shown; 0 is the newest.
    pub(super) fn position(&self) -> Option<usize> {
        let index = self.shown.binary_search(&self.selected?).ok()?;
        Some(self.shown.len() - 1 - index)
    }

    /// The row at a position.
    pub(super) fn at(&self, position: usize) -> Option<usize> {
        let index = self.shown.len().checked_sub(position + 1)?;
        Some(self.shown[index])
    }

    /// Rows of the table that are visible.
    pub(super) fn page(&self) -> usize {
        let runs = self.areas().and_then(|areas| areas.runs);
        runs.map_or(1, |area| {
            usize::from(area.height.saturating_sub(super::table::ABOVE)).max(1)
        })
    }

    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> After {
        self.is_stale = true;
        if key == Key::Interrupt {
            return After::Quit;
        }
        if self.has_help {
            self.has_help = false;
            return match key {
                Key::Char('q') => After::Quit,
                _ => After::Continue,
            };
        }
        if self.is_typing() {
            self.type_key(key);
            return After::Continue;
        }
        match key {
            Key::Char('q') => return After::Quit,
            Key::Escape if self.is_whole => self.is_whole = false,
            Key::Escape => return After::Quit,
            Key::Char('?') => self.has_help = true,
            Key::Char('/') => self.typing = Some(self.filter.text.clone()),
            Key::Char('f') => {
                self.filter.status = next_status(self.filter.status);
                self.refilter();
            }
            Key::Char('s') => {
                self.filter.all_sessions = !self.filter.all_sessions;
                self.refilter();
            }
            Key::Tab => self.turn(1),
            Key::BackTab => self.turn(2),
            Key::Enter => self.open_or_close(),
            _ if self.focus == Pane::Detail => self.scroll_detail(key),
            _ => self.select_by(key),
        }
        self.keep_visible();
        After::Continue
    }

    fn type_key(&mut self, key: Key) {
        let mut text = self.filter.text.clone();
        match key {
            Key::Enter => self.typing = None,
            Key::Escape => text = self.typing.take().unwrap_or_default(),
            Key::Clear => text.clear(),
            Key::Char(letter) => text.push(letter),
            Key::Backspace => drop(text.pop()),
            _ => {}
        }
        if text != self.filter.text {
            self.filter.set_text(text);
            self.refilter();
        }
    }

    fn turn(&mut self, by: usize) {
        const PANES: [Pane; 3] = [Pane::Runs, Pane::Chart, Pane::Detail];
        let now = PANES.iter().position(|pane| *pane == self.focus);
        self.focus = PANES[(now.unwrap_or(0) + by) % PANES.len()];
    }

    fn open_or_close(&mut self) {
        if self.is_whole {
            self.is_whole = false;
            return;
        }
        self.is_whole = true;
        if self.focus == Pane::Runs {
            self.focus = Pane::Detail;
        }
    }

    fn select_by(&mut self, key: Key) {
        let (last, page) = (self.shown.len().saturating_sub(1), self.page());
        let now = self.position().unwrap_or(0);
        let position = match key {
            Key::Char('j') | Key::Down => now + 1,
            Key::Char('k') | Key::Up => now.saturating_sub(1),
            Key::PageDown | Key::Char(' ') => now + page,
            Key::PageUp => now.saturating_sub(page),
            Key::Char('g') | Key::Home => 0,
            Key::Char('G') | Key::End => last,
            _ => return,
        };
        self.select(position.min(last));
    }

    fn select(&mut self, position: usize) {
        self.selected = self.at(position);
    }

    fn scroll_detail(&mut self, key: Key) {
        let page = self.detail_page();
        let now = self.detail_top;
        let top = match key {
            Key::Char('j') | Key::Down => now + 1,
            Key::Char('k') | Key::Up => now.saturating_sub(1),
            Key::PageDown | Key::Char(' ') => now + page,
            Key::PageUp => now.saturating_sub(page),
            Key::Char('g') | Key::Home => 0,
            Key::Char('G') | Key::End => usize::MAX,
            Key::Char('n') => return self.select_by(Key::Down),
            Key::Char('p') => return self.select_by(Key::Up),
            _ => return,
        };
        self.scroll_detail_to(top);
    }

    fn detail_page(&self) -> usize {
        let detail = self.areas().and_then(|areas| areas.detail);
        detail.map_or(1, |area| usize::from(area.height.saturating_sub(1)).max(1))
    }

    fn scroll_detail_to(&mut self, top: usize) {
        let lines = self.detail.as_ref().map_or(0, |it| it.lines.len());
        self.detail_top = top.min(lines.saturating_sub(self.detail_page()));
    }

    /// The last row taken is new.
    fn show_last(&mut self) {
        let index = self.rows.len() - 1;
        if !self.filter.wants(&self.rows[index], self.last_segment()) {
            return;
        }
        let follows = self.position().unwrap_or(0) == 0;
        self.shown.push(index);
        if follows {
            self.selected = Some(index);
        } else {
            // What the user looks at stays where it is.
            self.top += 1;
        }
        self.keep_visible();
    }

    /// The filter is another: the selected run stays so, if it is shown.
    fn refilter(&mut self) {
        let last = self.last_segment();
        let wanted = |row: &Row| self.filter.wants(row, last);
        let rows = self.rows.iter().enumerate();
        self.shown = rows
            .filter(|(_, row)| wanted(row))
            .map(|(index, _)| index)
            .collect();
        if self.position().is_none() {
            self.select(0);
        }
        self.keep_visible();
    }

    fn last_segment(&self) -> u32 {
        let last = self.summary.sessions.last();
        last.map_or(0, |session| session.segment.index)
    }

    fn keep_visible(&mut self) {
        let page = self.page();
        let position = self.position().unwrap_or(0);
        let furthest = self.shown.len().saturating_sub(page);
        self.top = self
            .top
            .clamp((position + 1).saturating_sub(page), position)
            .min(furthest);
        self.scroll_detail_to(self.detail_top);
    }
}

fn next_status(status: Option<Status>) -> Option<Status> {
    match status {
        None => Some(Status::Keep),
        Some(Status::Keep) => Some(Status::Discard),
        Some(Status::Discard) => Some(Status::Crash),
        Some(Status::Crash) => Some(Status::ChecksFailed),
        Some(Status::ChecksFailed) => None,
    }
}
