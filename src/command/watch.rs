//! `autoresearch watch`.

use super::Global;
use crate::cli::WatchArgs;
use crate::driver::watch::{Sources, watch};
use crate::edge::regular;
use crate::edge::repo::Repo;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::flow::live::Running;
use crate::watch::Look;

/// Shows the dashboard until the user quits.
///
/// # Errors
/// There is no terminal, no project, or no such file.
pub fn run(global: &Global, args: &WatchArgs) -> Result<Exit> {
    let ledger = global.ledger_path(args.file.as_deref())?;
    if args.file.is_some() {
        // The project's own may come yet; another one should be there.
        regular::open(&ledger).map_err(|error| {
            Error::usage(format!("cannot read {}", ledger.display())).because(error)
        })?;
    }
    let repo = Repo::discover(&global.directory).ok();
    // A running loop belongs to the project's own ledger.
    let own = repo.as_ref().filter(|_| args.file.is_none());
    let sources = Sources {
        ledger: &ledger,
        running: &|| own.map_or(Running::No, super::status::running),
        change: &|parent, candidate| super::report::diff(repo.as_ref()?, parent, candidate),
    };
    let look = Look {
        color: super::log::wants_color(),
        unicode: is_utf8(),
    };
    watch(&sources, look)
}

/// Whether the locale's encoding is UTF-8: the first of the variables that is set decides.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
