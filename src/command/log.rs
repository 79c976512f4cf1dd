//! `autoresearch log`.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use super::{Global, ledger_read};
use crate::cli::LogArgs;
use crate::edge::clock;
use crate::error::Result;
use crate::exit::Exit;
use crate::flow::entry::Read;
use crate::report::log::{Layout, table};
use crate::report::rows::{Filter, Rows};

/// Prints the runs of a ledger.
///
/// # Errors
/// The ledger is missing or damaged.
pub fn run(global: &Global, args: &LogArgs) -> Result<Exit> {
    let path = global.ledger_path(args.file.as_deref())?;
    let segment = if args.last {
        last_segment(&path)?
    } else {
        None
    };
    let mut rows = Rows::new(Filter {
        statuses: args.status.clone(),
        since_ms: args
            .since
            .as_ref()
            .map(|since| since.milliseconds(&clock::here_and_now())),
        idea: args.idea.clone(),
        grep: args.grep.clone(),
        segment,
        session: None,
        sort: args.sort,
        reverse: args.reverse,
        limit: args.limit,
    });
    ledger_read::each(&path, |decoder, read| {
        if let Read::Run(entry) = read {
            rows.push(&entry, &decoder.segments()[entry.segment as usize]);
        }
        Ok(())
    })?;
    let rows = rows.sorted();
    if rows.lack_figure() {
        eprintln!(
            "warning: --sort: none of these runs has that figure, so they stand as in the ledger"
        );
    }
    print(&rows, args);
    Ok(Exit::Ok)
}

fn print(rows: &Rows, args: &LogArgs) {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = if args.json {
        rows.write_json(&mut stdout)
    } else if args.csv {
        rows.write_csv(&mut stdout)
    } else {
        stdout.write_all(table(rows, layout()).as_bytes())
    };
    // A reader that went away (`| head`) is no failure of ours.
    written.and_then(|()| stdout.flush()).ok();
}

fn last_segment(path: &Path) -> Result<Option<u32>> {
    let mut last = None;
    ledger_read::each(path, |decoder, _| {
        last = decoder.segments().last().map(|segment| segment.index);
        Ok(())
    })?;
    Ok(last)
}

/// As wide as the output, in colour where the user has not said otherwise.
pub fn layout() -> Layout {
    Layout {
        width: width().unwrap_or(u16::MAX),
        color: std::io::stdout().is_terminal() && wants_color(),
    }
}

/// Columns of the terminal; of a file or a pipe those that `COLUMNS` gives. `None` when there is
/// nothing to go by: then lines may be of any length, so that `grep` finds what they hold.
pub fn width() -> Option<u16> {
    let set = || {
        let columns = std::env::var("COLUMNS").ok()?;
        columns.parse().ok().filter(|&columns| columns > 0)
    };
    super::terminal_width().or_else(set)
}

/// Whether the user has not said otherwise.
pub fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
