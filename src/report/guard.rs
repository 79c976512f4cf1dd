//! What is shown of a guard.

use crate::flow::decision::Direction;
use crate::flow::entry::Segment;
use crate::flow::measure::percent_better;
use crate::flow::record::GuardResult;
use crate::flow::session::judged;

/// The tolerance that was in force, in percent of the metric: as the config gives it where the
/// metric's own noise is not larger. At least 0.
pub fn tolerance_percent(guard: &GuardResult, segment: &Segment) -> f64 {
    let guards = segment
        .session
        .iter()
        .flat_map(|line| judged(&line.config).1);
    let mut named = guards.filter(|(metric, _)| metric.name == guard.name);
    let (direction, configured) = named
        .next()
        .map_or((Direction::Lower, None), |(metric, percent)| {
            (metric.direction, percent)
        });
    // The line has no tolerance for an exact guard, whose noise is 0.
    match configured {
        Some(percent) if guard.scale == 0.0 => percent,
        Some(_) | None => -percent_better(direction, -guard.tolerance_log),
    }
}

/// The same as text, `5.00 %`.
pub fn tolerance(guard: &GuardResult, segment: &Segment) -> String {
    format!("{:.2} %", tolerance_percent(guard, segment))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::decision::tolerance_from_percent;
    use crate::flow::ledger::samples;

    /// The tolerance shown of a guard that is configured like this.
    fn shown(direction: Direction, percent: f64, scale: f64) -> f64 {
        let mut line = samples::config_line();
        line.config.guards[0].direction = direction;
        line.config.guards[0].tolerance_percent = Some(percent);
        let segment = Segment::from((0, Box::new(line)));
        let mut guard = samples::kept(1).guards.remove(0);
        guard.scale = scale;
        guard.tolerance_log = if scale == 0.0 {
            0.0
        } else {
            tolerance_from_percent(direction, percent).expect("it is in range")
        };
        tolerance_percent(&guard, &segment)
    }

    proptest! {
        #[test]
        fn the_tolerance_shown_is_the_one_configured(
            percent in 0.0..99.99_f64,
            direction in prop_oneof![Just(Direction::Lower), Just(Direction::Higher)],
            scale in prop_oneof![Just(0.0), Just(0.003)],
        ) {
            let shown = shown(direction, percent, scale);
            prop_assert!((shown - percent).abs() < 1e-9, "{} for {}", shown, percent);
        }
    }

    #[test]
    fn a_guard_that_no_config_names_is_taken_for_lower_is_better() {
        let guard = samples::kept(1).guards.remove(0);
        assert_eq!(tolerance(&guard, &Segment::unnamed(0)), "5.13 %");
    }
}
