//! Where the incumbent spends its time, as an agent is told.

use serde::{Deserialize, Serialize};

use crate::flow::profile::Profile;

/// Longest name of a function in a brief, characters.
const NAME_CHARS_MAX: usize = 200;
/// Most functions in a brief.
pub const FUNCTIONS_MAX: usize = 12;

/// A profile in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefProfile {
    /// Samples in which a function was running, the most frequent first.
    pub functions: Vec<BriefFunction>,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BriefFunction {
    /// Its name as the profiler knows it.
    pub name: String,
    /// Share of all samples in which it was running itself, percent.
    pub self_percent: f64,
    /// The same with what it calls.
    pub total_percent: f64,
}

impl BriefProfile {
    /// The functions with the largest own share.
    pub fn new(profile: &Profile) -> Self {
        // A tenth of a percent: more digits would be noise.
        let round = |percent: f64| (10.0 * percent).round() / 10.0;
        let functions = profile.top(FUNCTIONS_MAX).into_iter();
        let functions = functions.map(|function| BriefFunction {
            name: function.name.chars().take(NAME_CHARS_MAX).collect(),
            self_percent: round(function.self_percent),
            total_percent: round(function.total_percent),
        });
        Self {
            functions: functions.collect(),
        }
    }

    /// A line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |function: &BriefFunction| {
            let (own, total) = (function.self_percent, function.total_percent);
            format!(
                "{own:.1} % ({total:.1} % with what it calls) {}",
                function.name
            )
        };
        self.functions.iter().map(line).collect()
    }
}
