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

/// Width of a table that goes to a file or a pipe, columns.
const WIDTH_DEFAULT: u16 = 120;

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
    print(&rows.sorted(), args)?;
    Ok(Exit::Ok)
}

fn print(rows: &Rows, args: &LogArgs) -> Result<()> {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = if args.json {
        rows.write_json(&mut stdout)
    } else if args.csv {
        rows.write_csv(&mut stdout)
    } else {
        stdout.write_all(table(rows, layout()).as_bytes())
    };
    super::printed(written.and_then(|()| stdout.flush()))
}

fn last_segment(path: &Path) -> Result<Option<u32>> {
    let mut last = None;
    ledger_read::each(path, |decoder, _| {
        last = decoder.segments().last().map(|segment| segment.index);
        Ok(())
    })?;
    Ok(last)
}

/// As wide as the terminal, in colour where the user has not said otherwise.
pub fn layout() -> Layout {
    let stdout = std::io::stdout();
    let width = super::terminal_width().filter(|_| stdout.is_terminal());
    Layout {
        width: width.unwrap_or(WIDTH_DEFAULT),
        color: stdout.is_terminal() && wants_color(),
    }
}

/// Whether the user has not said otherwise.
pub fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
