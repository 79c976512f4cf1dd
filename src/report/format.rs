//! Numbers for people: gains, intervals, values with units, durations, times.

use crate::flow::decision::Direction;
use crate::flow::measure::percent_better as percent;
use crate::flow::record::Gain;

/// `+5.2 %`; the sign is always there and says better or worse.
pub fn signed_percent(value: f64) -> String {
    format!("{} %", signed(value))
}

/// A gain in percent; with a `~` before one that was seen while screening, which claims nothing.
pub fn gain_percent(value: f64, is_confirmed: bool) -> String {
    let mark = if is_confirmed { "" } else { "~" };
    format!("{mark}{}", signed_percent(value))
}

/// `+5.2`, one decimal, two below 1; never `-0.0`.
fn signed(value: f64) -> String {
    let decimals = if value.abs() < 0.995 { 2 } else { 1 };
    let text = format!("{value:+.decimals$}");
    if text.chars().all(|c| matches!(c, '+' | '-' | '0' | '.')) {
        "0".to_owned()
    } else {
        text
    }
}

/// `[+4.1, +6.3]`, an interval given in percent.
pub fn bracket(lo: f64, hi: f64) -> String {
    format!("[{}, {}]", signed(lo), signed(hi))
}

/// The interval of a gain in percent, `[+4.1, +6.3]`; `None` when it has none.
pub fn interval(direction: Direction, gain: &Gain) -> Option<String> {
    let (lo, hi) = (gain.lo?, gain.hi?);
    Some(bracket(percent(direction, lo), percent(direction, hi)))
}

/// `+5.2 % [+4.1, +6.3]`, without the bracket when there is no interval.
pub fn gain(direction: Direction, gain: &Gain) -> String {
    let estimate = signed_percent(gain.percent);
    match interval(direction, gain) {
        Some(interval) => format!("{estimate} {interval}"),
        None => estimate,
    }
}

/// A gain in percent as what the metric does: `5.2 % less`, `5.2 % more`.
pub fn change(direction: Direction, percent: f64) -> String {
    let word = match (direction, percent < 0.0) {
        (Direction::Lower, false) | (Direction::Higher, true) => "less",
        (Direction::Lower, true) | (Direction::Higher, false) => "more",
    };
    let size = signed_percent(percent.abs());
    format!("{} {word}", size.trim_start_matches('+'))
}

/// Four significant digits, whole numbers up to 999 999 in full, and a power of ten beyond.
pub fn value(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits_before = size.log10().floor() as i32 + 1;
    let decimals = usize::try_from((4 - digits_before).max(0)).expect("it is at least 0");
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A value and its unit, `12.35 ms`.
pub fn value_with_unit(number: f64, unit: &str) -> String {
    if unit.is_empty() {
        value(number)
    } else {
        format!("{} {}", value(number), one_line(unit))
    }
}

/// Seconds as `0.25s`, `12.3s`, `4m05s` or `2h03m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if seconds < 9.995 {
        format!("{seconds:.2}s")
    } else if seconds < 59.95 {
        format!("{seconds:.1}s")
    } else if whole < 3600 {
        format!("{}m{:02}s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!("{}h{:02}m", minutes / 60, minutes % 60)
    }
}

/// Milliseconds since 1970 as `2026-11-21 05:36:00Z`; the number itself when that is no date.
pub fn time(timestamp_ms: u64) -> String {
    i64::try_from(timestamp_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(
            || format!("{timestamp_ms} ms"),
            |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        )
}

/// A text of a ledger or a child on one line of a terminal: control characters and newlines are
/// shown, not obeyed.
pub fn one_line(text: &str) -> String {
    printable(text.lines().next().unwrap_or_default())
}

/// The same for several lines; tabs become spaces.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c if overrides_direction(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Whether a character turns the writing direction, which can make a line read as another.
pub fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first twelve characters of a commit id.
pub fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_in_percent_is_less_of_a_lower_and_more_of_a_higher_metric() {
        let half = 2f64.ln();
        assert!((percent(Direction::Lower, half) - 50.0).abs() < 1e-12);
        assert!((percent(Direction::Higher, half) - 100.0).abs() < 1e-12);
        assert!((percent(Direction::Lower, -half) + 100.0).abs() < 1e-12);
        assert!((percent(Direction::Higher, -half) + 50.0).abs() < 1e-12);
    }

    #[test]
    fn a_change_says_which_way_the_metric_goes() {
        assert_eq!(change(Direction::Lower, 5.0), "5.0 % less");
        assert_eq!(change(Direction::Lower, -5.0), "5.0 % more");
        assert_eq!(change(Direction::Higher, 5.0), "5.0 % more");
        assert_eq!(change(Direction::Higher, -5.0), "5.0 % less");
    }

    #[test]
    fn percents_have_a_sign_and_zero_has_none() {
        for (value, expected) in [
            (12.34, "+12.3 %"),
            (-0.456, "-0.46 %"),
            (0.0, "0 %"),
            (-0.001, "0 %"),
            (0.999, "+1.0 %"),
        ] {
            assert_eq!(signed_percent(value), expected);
        }
    }

    #[test]
    fn values_have_four_digits_and_whole_numbers_all_of_theirs() {
        for (number, expected) in [
            (0.0, "0"),
            (12.3456, "12.35"),
            (12.0, "12"),
            (123_456.7, "123457"),
            (15_586_000.0, "15586000"),
            (0.001_234_56, "0.001235"),
            (-3.5, "-3.5"),
            (1.5e12, "1.500e12"),
            (0.000_012_3, "1.230e-5"),
            (9.99996, "10"),
        ] {
            assert_eq!(value(number), expected);
        }
        assert_eq!(value_with_unit(5.0, "ms"), "5 ms");
        assert_eq!(value_with_unit(5.0, ""), "5");
    }

    #[test]
    fn durations_keep_about_three_digits_and_carry() {
        for (seconds, expected) in [
            (0.0, "0.00s"),
            (0.254, "0.25s"),
            (9.999, "10.0s"),
            (59.97, "1m00s"),
            (245.4, "4m05s"),
            (3599.7, "1h00m"),
            (7384.0, "2h03m"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn times_are_utc_and_absurd_ones_are_shown_as_they_are() {
        assert_eq!(time(0), "1970-01-01 00:00:00Z");
        assert_eq!(time(1_795_239_360_123), "2026-11-21 05:36:00Z");
        assert_eq!(time(u64::MAX), format!("{} ms", u64::MAX));
    }

    #[test]
    fn control_characters_of_a_child_do_not_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\tc\nd\u{202e}"),
            "a\u{fffd}[2Jb c\nd\u{fffd}"
        );
        assert_eq!(one_line("first\nsecond"), "first");
    }
}
