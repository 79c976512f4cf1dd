//! `autoresearch noise`.

use serde::Serialize;

use super::{Global, pretty};
use crate::cli::NoiseArgs;
use crate::driver::bench::Bench;
use crate::driver::calibrate::{self, Setting};
use crate::driver::judge::impossible;
use crate::driver::noise_text;
use crate::driver::open;
use crate::driver::project::Project;
use crate::edge::host;
use crate::edge::interrupt::Interrupts;
use crate::edge::repo::Repo;
use crate::error::{Kind, Result};
use crate::exit::Exit;
use crate::flow::coins::Coins;
use crate::flow::decision::SlotBias;
use crate::flow::driver_metrics::DRIVER_WALL;
use crate::flow::noise::{self, Advice};
use crate::flow::record::CalibrationLine;
use crate::flow::self_report::is_self_reported_time;

/// The figures, as `--json` prints them: the calibration's with `advice` beside them.
#[derive(Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    calibration: &'a CalibrationLine,
    advice: &'a Option<Advice>,
}

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
    let metric_is_time = spec.name == DRIVER_WALL || is_self_reported_time(&pinned.config);
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
    let mut coins = Coins::new(line.seed);
    let advice = noise::advise(&line, metric_is_time, &params, &mut coins).map_err(impossible)?;
    if args.json {
        let (calibration, advice) = (&line, &advice);
        super::print(&pretty(&Measured {
            calibration,
            advice,
        }))?;
    } else {
        super::print(&noise_text::table(&spec, &line, advice.as_ref(), &params))?;
    }
    Ok(match line.primary.slot_bias {
        SlotBias::Refuse => Exit::No,
        SlotBias::None | SlotBias::Warn => Exit::Ok,
    })
}
