//! A calibration in words.

use crate::flow::config_parts::MetricSpec;
use crate::flow::decision::{Calibration, Params, SlotBias};
use crate::flow::record::{CalibrationLine, ConfigLine};

/// One line for the start of a run.
pub fn one_line(opened: &ConfigLine, line: &CalibrationLine) -> String {
    let name = &opened.metric_name;
    match line.primary.exact {
        Some(_) => format!(
            "calibrated: {name} is exact, {} every time",
            line.primary.median
        ),
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

/// The table of `autoresearch noise`.
pub fn table(spec: &MetricSpec, line: &CalibrationLine, params: &Params) -> String {
    let primary = &line.primary;
    let unit = &spec.unit;
    let mut text = format!(
        "metric        {} {unit}\nmedian        {:.4} {unit}\n",
        spec.name, primary.median
    );
    if line.repeats > 1 {
        text.push_str(&format!(
            "one run       {} executions, {:.0} ms\n",
            line.repeats, line.run_wall_ms
        ));
    } else {
        text.push_str(&format!("one run       {:.0} ms\n", line.run_wall_ms));
    }
    if primary.exact.is_some() {
        text.push_str("noise         none: the metric is exact; one run of each side decides\n");
        return text;
    }
    text.push_str(&format!(
        "pair noise    {:.2} % (sd {:.2} %), neighbouring runs correlate {:.2}\n",
        100.0 * primary.s0,
        100.0 * primary.pair_sd,
        primary.lag1_autocorrelation
    ));
    text.push_str(&format!(
        "looks for     gains from {:.2} %\n",
        100.0 * primary.detectable_effect
    ));
    text.push_str(&format!(
        "slot bias     {}\n",
        bias_words(primary.slot_bias)
    ));
    for (name, guard) in &line.guards {
        let words = if guard.exact.is_some() {
            "exact".to_owned()
        } else {
            format!("pair noise {:.2} %", 100.0 * guard.s0)
        };
        text.push_str(&format!("guard         {name}: {words}\n"));
    }
    text.push_str(&advice(primary, params));
    text
}

fn bias_words(bias: SlotBias) -> &'static str {
    match bias {
        SlotBias::None => "none seen",
        SlotBias::Warn => "perhaps; slots are assigned by coin and swapped",
        SlotBias::Refuse => "yes: the two worktrees of one commit differ, so nothing can be judged",
    }
}

/// What to do when the wanted effect is below the noise.
fn advice(primary: &Calibration, params: &Params) -> String {
    if primary.s0 <= params.min_effect {
        return "verdict       the benchmark can resolve the wanted effect\n".to_owned();
    }
    let wanted = 100.0 * params.min_effect;
    format!(
        "verdict       the noise of a pair is above the wanted {wanted:.2} %: smaller gains are mostly missed.\n\
         \x20             make the benchmark longer, use an exact metric (bytes, allocations), or quieten the machine\n"
    )
}
