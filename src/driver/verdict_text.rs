//! A verdict in one line, for progress and history.

use crate::flow::record::{Gain, RunLine};

/// "keep, improved +4.10 %: Write the call in one transaction".
pub fn one_line(line: &RunLine) -> String {
    let gain = line
        .estimate
        .as_ref()
        .map(|gain| format!(" {}", gain_words(gain)))
        .unwrap_or_default();
    let detail = line.detail.lines().next().unwrap_or_default();
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    };
    format!(
        "{}, {}{gain}{detail}: {}",
        line.status.as_str(),
        line.reason.describe(),
        line.description
    )
}

/// "+4.10 %" or "-1.20 %".
pub fn gain_words(gain: &Gain) -> String {
    format!("{:+.2} %", gain.percent)
}
