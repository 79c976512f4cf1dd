//! Pairs as a strip of characters: how many log gains fall where. Plain ASCII.

use std::collections::BTreeMap;

use crate::flow::decision::Direction;
use crate::flow::entry::Segment;
use crate::flow::measure::percent_better;
use crate::flow::metric::median;
use crate::flow::record::{Gain, Pair, Phase};

use super::format;

/// Characters between the brackets, where there is room.
pub const CELLS: usize = 41;
/// Characters beside those between the brackets.
pub const BESIDE: usize = 36;

/// The log gain of one pair in the segment's primary metric: above 0 is better. `None` when a side
/// has no value that has a logarithm.
pub fn log_gain(pair: &Pair, segment: &Segment) -> Option<f64> {
    let value = |metrics: &BTreeMap<String, f64>| {
        let value = *metrics.get(&segment.metric_name)?;
        let shifted = if segment.allows_zero() {
            1.0 + value
        } else {
            value
        };
        (shifted > 0.0).then(|| shifted.ln())
    };
    let difference = value(&pair.parent)? - value(&pair.candidate)?;
    Some(match segment.direction {
        Direction::Lower => difference,
        Direction::Higher => -difference,
    })
}

/// One line a phase: its name, its pairs, their median gain (of the fresh pairs the run's `estimate`,
/// which is what is claimed of them and need not be their median), and a strip on which a digit counts
/// the pairs of that gain (`+` is ten or more) and `|` stands at no gain. All strips share the
/// scale in the last line. Empty when no pair has a gain; warm-ups are left out. `cells` is the
/// width of a strip, odd and at least 3.
pub fn strips(pairs: &[Pair], segment: &Segment, estimate: Option<&Gain>, cells: usize) -> String {
    let phases: Vec<(Phase, &str, Vec<f64>)> = [
        (Phase::Screen, "screen"),
        (Phase::Confirm, "confirm"),
        (Phase::Guard, "guards"),
        (Phase::Calibrate, "calibrate"),
        (Phase::EndToEnd, "end to end"),
    ]
    .into_iter()
    .map(|(phase, name)| {
        let of_phase = pairs.iter().filter(|pair| pair.phase == phase);
        (
            phase,
            name,
            of_phase
                .filter_map(|pair| log_gain(pair, segment))
                .collect(),
        )
    })
    .filter(|(_, _, gains): &(_, _, Vec<f64>)| !gains.is_empty())
    .collect();
    let all: Vec<f64> = phases
        .iter()
        .flat_map(|(_, _, gains)| gains)
        .copied()
        .collect();
    if all.is_empty() {
        return String::new();
    }
    // 0 is always on the scale, in a cell of its own.
    let reach = all
        .iter()
        .fold(1e-4_f64, |reach, gain| reach.max(gain.abs()));
    let percent = |log| format::signed_percent(percent_better(segment.direction, log));
    let mut text = String::new();
    for (phase, name, gains) in &phases {
        let (word, figure) = match estimate.filter(|_| *phase == Phase::Confirm) {
            Some(gain) => ("gain", format::signed_percent(gain.percent)),
            None => ("median", percent(median(gains))),
        };
        text.push_str(&format!(
            "{name:<10} {:>3}  {word:<6} {figure:>8}  [{}]\n",
            gains.len(),
            strip(gains, reach, cells)
        ));
    }
    let half = cells / 2;
    let (left, right) = (percent(-reach), percent(reach));
    text.push_str(&format!("{:34}{left:<half$}0{right:>half$}\n", ""));
    text
}

/// Counts of gains over -reach to reach.
fn strip(gains: &[f64], reach: f64, cells: usize) -> String {
    let mut counts = vec![0_usize; cells];
    let middle = cells / 2;
    for gain in gains {
        let offset = (gain / reach * middle as f64).round() as isize;
        let cell = middle.saturating_add_signed(offset).min(cells - 1);
        counts[cell] += 1;
    }
    counts
        .iter()
        .enumerate()
        .map(|(cell, count)| match count {
            0 if cell == middle => '|',
            0 => '.',
            1..=9 => char::from(b'0' + u8::try_from(*count).expect("it is one digit")),
            _ => '+',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ledger::samples;

    fn segment() -> Segment {
        Segment::from((0, Box::new(samples::config_line())))
    }

    #[test]
    fn a_gain_is_positive_when_the_candidate_is_better() {
        let pair = samples::pair(Phase::Screen, 100.0, 50.0);
        let mut segment = segment();
        let gain = log_gain(&pair, &segment).expect("both sides have values");
        assert!((gain - 2f64.ln()).abs() < 1e-12);
        segment.direction = Direction::Higher;
        let gain = log_gain(&pair, &segment).expect("both sides have values");
        assert!((gain + 2f64.ln()).abs() < 1e-12);
        segment.metric_name = "absent".to_owned();
        assert_eq!(log_gain(&pair, &segment), None);
    }

    #[test]
    fn strips_count_pairs_by_gain_on_one_scale() {
        let pairs = [
            samples::pair(Phase::WarmUp, 100.0, 1.0),
            samples::pair(Phase::Screen, 100.0, 100.0),
            samples::pair(Phase::Screen, 100.0, 110.0),
            samples::pair(Phase::Confirm, 100.0, 90.0),
            samples::pair(Phase::Confirm, 100.0, 90.0),
        ];
        let text = strips(&pairs, &segment(), None, CELLS);
        assert_eq!(
            text,
            "\
screen       2  median   -4.9 %  [..1.................1....................]
confirm      2  median  +10.0 %  [....................|...................2]
                                  -11.1 %             0             +10.0 %
"
        );
    }

    #[test]
    fn the_fresh_pairs_stand_beside_what_is_claimed_of_them_and_the_others_beside_their_median() {
        let pairs = [
            samples::pair(Phase::Screen, 100.0, 99.0),
            samples::pair(Phase::Confirm, 100.0, 101.0),
        ];
        let gain = samples::gain(0.0011, 0.001);
        let text = strips(&pairs, &segment(), Some(&gain), CELLS);
        assert!(
            text.contains("screen       1  median   +1.0 %  ["),
            "{text}"
        );
        assert!(
            text.contains("confirm      1  gain    +0.11 %  ["),
            "{text}"
        );
    }

    #[test]
    fn a_narrow_strip_keeps_its_middle_and_its_ends() {
        let pairs = [
            samples::pair(Phase::Screen, 100.0, 100.0),
            samples::pair(Phase::Screen, 100.0, 110.0),
            samples::pair(Phase::Screen, 100.0, 90.0),
        ];
        let text = strips(&pairs, &segment(), None, 9);
        assert!(text.contains("[1...1...1]"), "{text}");
    }

    #[test]
    fn pairs_without_values_have_no_strip() {
        assert_eq!(strips(&[], &segment(), None, CELLS), "");
        let pair = samples::pair(Phase::Screen, 0.0, 0.0);
        assert_eq!(strips(&[pair], &segment(), None, CELLS), "");
    }
}
