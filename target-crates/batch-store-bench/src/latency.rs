//! Percentiles of acknowledgement latencies.

use std::time::Duration;

/// The nearest-rank percentile: the smallest latency that at least `percent` of
/// 100 do not exceed; zero when there are none. Sorts.
pub fn percentile(latencies: &mut [Duration], percent: f64) -> Duration {
    latencies.sort_unstable();
    let rank = (percent / 100.0 * latencies.len() as f64).ceil() as usize;
    latencies
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// A duration in microseconds.
#[must_use]
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let mut latencies: Vec<_> = (1..=200).rev().map(Duration::from_micros).collect();
        let mut at = |percent| micros(percentile(&mut latencies, percent)).round();
        assert_eq!(
            [at(0.5), at(50.0), at(99.0), at(100.0)],
            [1.0, 100.0, 198.0, 200.0]
        );
        assert_eq!(percentile(&mut [], 50.0), Duration::ZERO);
    }
}
