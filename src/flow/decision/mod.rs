//! Placeholder until the decision core is merged.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    #[default]
    Lower,
    /// More is better.
    Higher,
}

/// Parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// log ratio
    pub min_effect: f64,
    /// pairs
    pub cap_pairs: usize,
}

impl Params {
    /// dial
    pub fn with_false_keeps_per_200(_fk: f64) -> Self {
        Self {
            min_effect: 0.01,
            cap_pairs: 60,
        }
    }
}

/// Calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {}
