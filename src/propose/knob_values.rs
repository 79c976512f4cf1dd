//! The values a knob may take. Tested beside [`super::knob`], which re-exports this.

use super::number::{Number, same_value};
use crate::error::{Error, Result};
use crate::flow::config_parts::{Knob, KnobRange, KnobScale};

/// Most values a knob may have.
pub const VALUES_MAX: usize = 10_000;

/// The values to try: those listed, each number once, or the range written out. A range's ends
/// are always among them, and its values are integers when its numbers are.
///
/// # Errors
/// More than [`VALUES_MAX`] values, or no `values` and no `range`.
pub fn values(knob: &Knob) -> Result<Vec<String>> {
    let too_many = |count: f64| {
        let message = format!("knob `{}` has {count:.0} values", knob.name);
        Error::usage(message).hint(format!("at most {VALUES_MAX}; give a larger `step`"))
    };
    let all: Vec<String> = match (&knob.values, &knob.range) {
        (Some(values), _) if values.len() > VALUES_MAX => {
            return Err(too_many(values.len() as f64));
        }
        (Some(values), _) => values.iter().map(|value| value.0.clone()).collect(),
        (None, Some(range)) => match range_values(range) {
            Ok(values) => values,
            Err(count) => return Err(too_many(count)),
        },
        (None, None) => {
            let message = format!("knob `{}` needs `values` or `range`", knob.name);
            return Err(Error::usage(message));
        }
    };
    let mut distinct: Vec<String> = Vec::with_capacity(all.len());
    let mut seen = std::collections::HashSet::new();
    for value in all {
        let key = match Number::parse(&value) {
            Some(Number::Int(number)) => number.to_string(),
            Some(Number::Float(number)) => number.to_string(),
            None => value.trim().to_owned(),
        };
        if seen.insert(key) {
            distinct.push(value);
        }
    }
    Ok(distinct)
}

/// The range's values, or how many too many there are.
fn range_values(range: &KnobRange) -> std::result::Result<Vec<String>, f64> {
    let step = range.step.unwrap_or(1.0);
    let steps = match range.scale {
        KnobScale::Linear => ((range.max - range.min) / step + 1e-9).floor(),
        KnobScale::Log2 => ((range.max / range.min).log2() + 1e-9).floor(),
    };
    // Not a number counts as too many: an infinite step or end, or a log2 range from 0.
    if !(steps >= 0.0 && steps + 2.0 <= VALUES_MAX as f64) {
        return Err(steps + 1.0);
    }
    let decimals = match range.scale {
        KnobScale::Linear => decimals(range.min).max(decimals(step)),
        KnobScale::Log2 => decimals(range.min),
    };
    let mut values: Vec<String> = (0..=steps as u32)
        .map(|index| match range.scale {
            KnobScale::Linear => range.min + f64::from(index) * step,
            KnobScale::Log2 => range.min * f64::from(index).exp2(),
        })
        .map(|value| trimmed(value, decimals))
        .collect();
    let max = trimmed(range.max, self::decimals(range.max));
    if values.last().is_none_or(|last| !same_value(last, &max)) {
        values.push(max);
    }
    Ok(values)
}

/// Digits behind the point in the shortest decimal that reads back as `value`.
fn decimals(value: f64) -> usize {
    value
        .to_string()
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len())
}

/// `value` with at most `decimals` digits behind the point: no 0.30000000000000004.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if text == "-0" { "0".to_owned() } else { text }
}
