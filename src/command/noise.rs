//! `autoresearch noise`.

use super::{Global, pretty};
use crate::cli::NoiseArgs;
use crate::driver::bench::Bench;
use crate::driver::calibrate::{self, Setting};
use crate::driver::noise_text;
use crate::driver::open;
use crate::driver::project::Project;
use crate::edge::host;
use crate::edge::interrupt::Interrupts;
use crate::edge::repo::Repo;
use crate::error::{Kind, Result};
use crate::exit::Exit;
use crate::flow::decision::SlotBias;

/// Measures HEAD against itself. Nothing is written to the ledger.
///
/// # Errors
/// HEAD does not build or run.
pub fn run(global: &Global, args: &NoiseArgs) -> Result<Exit> {
    let interrupts = Interrupts::install(global.quiet)?;
    let mut console = global.console();
    let repo = Repo::discover(&global.directory)?;
    let head = repo.head()?;
    let project = Project::find(&repo, &global.directory)?;
    let _lock = open::take_lock(&repo)?;
    let pinned = project.pin(&repo, head)?;
    let mut params = pinned.config.params();
    params.calibration_pairs = args.pairs as usize;
    let spec = pinned.config.metric.clone();
    let mut bench = Bench::open(&repo, pinned, interrupts, head)?;
    let setting = Setting {
        session: "noise".to_owned(),
        environment: host::environment(),
        load: host::load1().unwrap_or(0.0),
    };
    let measured = calibrate::calibrate(&mut bench, &mut console, setting, head, &params);
    console.finish();
    let line = match measured {
        Ok(line) => line,
        Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Interrupted),
        Err(error) => return Err(error),
    };
    if args.json {
        super::print(&pretty(&line));
    } else {
        super::print(&noise_text::table(&spec, &line, &params));
    }
    Ok(match line.primary.slot_bias {
        SlotBias::Refuse => Exit::No,
        SlotBias::None | SlotBias::Warn => Exit::Ok,
    })
}
