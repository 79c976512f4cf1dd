//! A calibration in words.

use crate::flow::config_parts::MetricSpec;
use crate::flow::decision::{Calibration, Params, SlotBias};
use crate::flow::driver_metrics::{DRIVER_INSTRUCTIONS, DRIVER_WALL, DRIVER_WALL_ADJ};
use crate::flow::noise::{Advice, POWER_WANTED};
use crate::flow::record::{CalibrationLine, ConfigLine};

/// Load per processor above which a quieter machine is worth the mention.
const LOAD_BUSY: f64 = 0.5;

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

/// The table of `autoresearch noise`; without advice the metric is exact.
pub fn table(
    spec: &MetricSpec,
    line: &CalibrationLine,
    advice: Option<&Advice>,
    params: &Params,
) -> String {
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
    let Some(advice) = advice else {
        text.push_str("noise         none: the metric is exact; one run of each side decides\n");
        return text;
    };
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
    text.push_str(&slot_bias(primary, params));
    text.push_str(&clocks(advice));
    for (name, guard) in &line.guards {
        let words = if guard.exact.is_some() {
            "exact".to_owned()
        } else {
            format!("pair noise {:.2} %", 100.0 * guard.s0)
        };
        text.push_str(&format!("guard         {name}: {words}\n"));
    }
    text.push_str(&finds(advice, params));
    text.push_str(&verdict(spec, line, advice));
    text
}

fn slot_bias(primary: &Calibration, params: &Params) -> String {
    let words = match primary.slot_bias {
        SlotBias::None => "none seen",
        SlotBias::Warn => "perhaps; slots are assigned by coin and swapped",
        SlotBias::Refuse => "yes: the two worktrees of one commit differ, so nothing can be judged",
    };
    let e = primary.ln_e_slot0_lower.max(primary.ln_e_slot1_lower).exp();
    format!(
        "slot bias     {words} (E {e:.1}; a warning from {:.0}, refused from {:.0})\n",
        params.slot_warn_e, params.slot_refuse_e
    )
}

/// The noise of the driver's clocks.
fn clocks(advice: &Advice) -> String {
    let adjusted = advice
        .wall_adjusted_noise
        .map_or("not valid here".to_owned(), |noise| {
            format!("pair noise {:.2} %", 100.0 * noise)
        });
    format!(
        "clocks        {DRIVER_WALL}: pair noise {:.2} %; {DRIVER_WALL_ADJ}: {adjusted}\n",
        100.0 * advice.wall_noise
    )
}

/// What is found, in how many pairs.
fn finds(advice: &Advice, params: &Params) -> String {
    let within = |pairs: Option<usize>| {
        pairs.map_or(String::new(), |pairs| {
            format!(", mostly within {pairs} pairs")
        })
    };
    let mut text = format!(
        "finds         a gain of {:.2} % {:.0} times in 100{}\n",
        100.0 * advice.wanted,
        100.0 * advice.power,
        within(advice.pairs)
    );
    if !advice.resolves() {
        let least = 100.0 * POWER_WANTED;
        text.push_str(&match advice.resolvable {
            Some(gain) => format!(
                "              a gain of {:.2} % {least:.0} times in 100{}\n",
                100.0 * gain,
                within(advice.resolvable_pairs)
            ),
            None => format!("              nothing {least:.0} times in 100\n"),
        });
    }
    text.push_str(&format!(
        "pairs         {} at most for one candidate, and 8 to 24 to confirm it\n",
        params.cap_pairs
    ));
    text
}

/// Whether the wanted effect is resolved, and what to do when it is not.
fn verdict(spec: &MetricSpec, line: &CalibrationLine, advice: &Advice) -> String {
    if line.primary.slot_bias == SlotBias::Refuse {
        return "verdict       refused: does the benchmark depend on its path, on files left by \
                earlier runs, or on a port?\n"
            .to_owned();
    }
    let mut lines = if advice.resolves() {
        vec!["the benchmark resolves the wanted gain".to_owned()]
    } else {
        vec![format!(
            "the benchmark cannot resolve the wanted gain of {:.2} %: most such gains are missed",
            100.0 * advice.wanted
        )]
    };
    if advice.take_wall_adjusted {
        lines.push(format!(
            "take \"metric\": \"{DRIVER_WALL_ADJ}\", which leaves out the waiting for a processor; {DRIVER_WALL} stays a guard"
        ));
    }
    if !advice.resolves() {
        lines.extend(remedies(spec, line, advice));
    }
    let (first, others) = lines.split_first().map_or(("", &[][..]), |(a, b)| (a, b));
    let mut text = format!("verdict       {first}\n");
    for line in others {
        text.push_str(&format!("              - {line}\n"));
    }
    text
}

fn remedies(spec: &MetricSpec, line: &CalibrationLine, advice: &Advice) -> Vec<String> {
    let mut remedies = vec![match advice.run_length_factor {
        Some(factor) => format!(
            "make a run {factor} times as long: \"min_run_ms\": {:.0}, or a larger workload",
            f64::from(factor) * line.run_wall_ms
        ),
        None => "longer runs alone will not do: even 64 times as long is not enough".to_owned(),
    }];
    if advice.wall_adjusted_noise.is_none() && spec.name != DRIVER_WALL_ADJ {
        remedies.push(format!(
            "if one thread does the work, start it with `exec` as the script's last command: then {DRIVER_WALL_ADJ} can be measured"
        ));
    }
    remedies.push(format!(
        "take an exact metric: bytes, allocations, or {DRIVER_INSTRUCTIONS} (counted by valgrind)"
    ));
    let busy = line.load > LOAD_BUSY * f64::from(line.environment.cores.max(1));
    remedies.push(if busy {
        format!(
            "stop other work on this machine: its load is {:.1} on {} processors",
            line.load, line.environment.cores
        )
    } else {
        "measure on a quieter machine; `autoresearch doctor` says what disturbs this one".to_owned()
    });
    if let Some(gain) = advice.resolvable {
        remedies.push(format!(
            "or look for larger gains only: \"min_effect_percent\": {:.1}",
            (1000.0 * gain.exp_m1()).ceil() / 10.0
        ));
    }
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples;

    fn advice() -> Advice {
        Advice {
            wanted: 0.01,
            power: 0.12,
            pairs: Some(40),
            resolvable: Some(0.05),
            resolvable_pairs: Some(22),
            run_length_factor: Some(16),
            wall_noise: 0.06,
            wall_adjusted_noise: Some(0.01),
            take_wall_adjusted: true,
        }
    }

    fn words(advice: &Advice, slot_bias: SlotBias) -> String {
        let primary = Calibration {
            d: Vec::new(),
            exact: None,
            median: 250.0,
            s0: 0.06,
            pair_sd: 0.07,
            pair_mad_sd: 0.06,
            lag1_autocorrelation: 0.9,
            detectable_effect: 0.06,
            ln_e_slot1_lower: 30f64.ln(),
            ln_e_slot0_lower: -2.0,
            slot_bias,
        };
        let mut line = samples::calibration(primary, Vec::new());
        line.load = 7.0;
        let spec = samples::config_line().config.metric;
        table(&spec, &line, Some(advice), &Params::default())
    }

    #[test]
    fn a_benchmark_that_cannot_resolve_the_gain_is_told_so_with_everything_that_helps() {
        let text = words(&advice(), SlotBias::Warn);
        for part in [
            "pair noise    6.00 % (sd 7.00 %), neighbouring runs correlate 0.90",
            "slot bias     perhaps; slots are assigned by coin and swapped (E 30.0; a warning from 20, refused from 100)",
            "driver.wall_ms: pair noise 6.00 %; driver.wall_adj_ms: pair noise 1.00 %",
            "finds         a gain of 1.00 % 12 times in 100, mostly within 40 pairs",
            "a gain of 5.00 % 90 times in 100, mostly within 22 pairs",
            "verdict       the benchmark cannot resolve the wanted gain of 1.00 %",
            "- take \"metric\": \"driver.wall_adj_ms\"",
            "- make a run 16 times as long: \"min_run_ms\": 4000",
            "- take an exact metric",
            "its load is 7.0 on 2 processors",
            "\"min_effect_percent\": 5.2",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn a_benchmark_that_resolves_the_gain_is_told_nothing_more() {
        let text = words(
            &Advice {
                power: 0.97,
                take_wall_adjusted: false,
                ..advice()
            },
            SlotBias::None,
        );
        assert!(
            text.ends_with("verdict       the benchmark resolves the wanted gain\n"),
            "{text}"
        );
    }

    #[test]
    fn a_biased_harness_has_no_other_verdict() {
        let text = words(&advice(), SlotBias::Refuse);
        assert!(text.contains("slot bias     yes: "), "{text}");
        assert!(text.contains("verdict       refused: "), "{text}");
        assert!(!text.contains("- "), "{text}");
    }
}
