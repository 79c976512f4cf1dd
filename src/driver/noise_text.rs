//! A calibration in words.

use crate::flow::record::{CalibrationLine, ConfigLine};

/// One line for the start of a run.
pub fn one_line(opened: &ConfigLine, line: &CalibrationLine) -> String {
    let name = &opened.metric_name;
    match line.primary.exact {
        Some(_) => format!("calibrated: {name} is exact, {} every time", line.primary.median),
        None => format!(
            "calibrated: {name} about {:.4} {}, pair noise {:.2} %, gains from {:.2} % are looked for{}",
            line.primary.median,
            opened.metric_unit,
            100.0 * line.primary.s0,
            100.0 * line.primary.detectable_effect,
            if line.repeats > 1 {
                format!("; a run is {} executions", line.repeats)
            } else {
                String::new()
            }
        ),
    }
}
