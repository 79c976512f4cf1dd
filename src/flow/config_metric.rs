//! Several primary metrics judged as one: the parts of a composite.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config_names::check_metric_name;
use super::config_parts::{DRIVER_PREFIX, MetricSpec};
use super::decision::{Composite, Direction};

/// One metric of a composite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricPart {
    /// Name in the script's `METRIC` lines, or one of the driver's.
    pub name: String,
    /// Which way is better.
    #[serde(default)]
    pub direction: Direction,
    /// Its weight among the parts; above 0. Only the proportions count.
    #[serde(default = "default_weight")]
    pub weight: f64,
    /// How much worse it may get whatever the others gain, percent; as for a guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_percent: Option<f64>,
    /// As for the primary metric.
    #[serde(default)]
    pub allow_zero: bool,
}

fn default_weight() -> f64 {
    1.0
}

impl MetricPart {
    /// Whether 0 is one of its values: the config says so, or it is a count of the driver's.
    pub fn may_be_zero(&self) -> bool {
        self.allow_zero || super::driver_metrics::may_be_zero(&self.name)
    }
}

impl MetricSpec {
    /// Whether the metric is computed from parts.
    pub fn is_composite(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The composite's value, so that its log gain is the weighted mean of the parts' (`sum w_j d_j`,
    /// decision rule, section 5): a part whose better direction is not the composite's enters
    /// inversely. `None` for a metric without parts, or when a part has no positive value.
    pub fn composite(&self, values: &BTreeMap<String, f64>) -> Option<f64> {
        let weights: Vec<f64> = self.parts.iter().map(|part| part.weight).collect();
        let composite = Composite::new(&weights).ok()?;
        let logs: Vec<f64> = self
            .parts
            .iter()
            .map(|part| {
                let value = *values.get(&part.name)? + f64::from(u8::from(part.may_be_zero()));
                let log = (value > 0.0).then(|| value.ln())?;
                Some(if part.direction == self.direction {
                    log
                } else {
                    -log
                })
            })
            .collect::<Option<_>>()?;
        let value = composite.log_gain(&logs).exp();
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// Checks the parts; the error names the field.
    pub(super) fn check_parts(&self) -> Result<(), (String, String)> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if self.parts.len() == 1 {
            let problem = "has one entry; name that metric itself as `metric`";
            return Err(("metric.parts".to_owned(), problem.to_owned()));
        }
        if self.name.starts_with(DRIVER_PREFIX) || self.allow_zero {
            let problem = "cannot be a driver metric or `allow_zero` when it has `parts`";
            return Err(("metric".to_owned(), problem.to_owned()));
        }
        let mut seen = BTreeSet::from([self.name.as_str()]);
        for (index, part) in self.parts.iter().enumerate() {
            let fail =
                |key: &str, problem: String| Err((format!("metric.parts[{index}].{key}"), problem));
            check_metric_name(&part.name).or_else(|problem| fail("name", problem))?;
            if !seen.insert(&part.name) {
                return fail("name", format!("{:?} is there twice", part.name));
            }
            if !(part.weight > 0.0 && part.weight <= 1e6) {
                let problem = format!("is {}; it must be above 0 and at most 1e6", part.weight);
                return fail("weight", problem);
            }
            if let Some(tolerance) = part.tolerance_percent
                && !(0.0..100.0).contains(&tolerance)
            {
                let problem = format!("is {tolerance}; it must be from 0 to below 100");
                return fail("tolerance_percent", problem);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MetricSpec {
        serde_json::from_str(
            r#"{"name": "both", "parts": [{"name": "ms", "weight": 3},
                {"name": "ops", "direction": "higher", "tolerance_percent": 2}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_composite_gains_the_weighted_mean_of_its_parts_gains() {
        let value = |ms: f64, ops: f64| {
            let values = BTreeMap::from([("ms".to_owned(), ms), ("ops".to_owned(), ops)]);
            spec().composite(&values).unwrap()
        };
        let gain = value(100.0, 50.0).ln() - value(90.0, 55.0).ln();
        let expected = 0.75 * (100.0_f64 / 90.0).ln() + 0.25 * (55.0_f64 / 50.0).ln();
        assert!((gain - expected).abs() < 1e-12, "{gain} {expected}");
        assert_eq!(spec().composite(&BTreeMap::new()), None);
        let zero = BTreeMap::from([("ms".to_owned(), 0.0), ("ops".to_owned(), 1.0)]);
        assert_eq!(spec().composite(&zero), None);
    }

    #[test]
    fn parts_that_mean_nothing_are_refused_by_name() {
        let field = |change: fn(&mut MetricSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.check_parts().unwrap_err().0
        };
        assert_eq!(spec().check_parts(), Ok(()));
        assert_eq!(field(|s| s.parts.truncate(1)), "metric.parts");
        assert_eq!(field(|s| s.allow_zero = true), "metric");
        assert_eq!(field(|s| s.parts[1].weight = 0.0), "metric.parts[1].weight");
        assert_eq!(
            field(|s| s.parts[1].weight = f64::NAN),
            "metric.parts[1].weight"
        );
        assert_eq!(
            field(|s| s.parts[1].name = "ms".into()),
            "metric.parts[1].name"
        );
        assert_eq!(
            field(|s| s.parts[0].name = "both".into()),
            "metric.parts[0].name"
        );
        assert_eq!(
            field(|s| s.parts[0].tolerance_percent = Some(100.0)),
            "metric.parts[0].tolerance_percent"
        );
    }
}
