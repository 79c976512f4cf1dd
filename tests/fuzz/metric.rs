//! METRIC lines, plain and with a key.

use std::sync::LazyLock;

use autoresearch::flow::metric::{
    Key, Line, NAMES_MAX, SAMPLES_MAX, Samples, is_metric_name, parse_line,
};
use proptest::prelude::*;

use crate::cases;
use crate::heap::bounded;
use crate::mutate::{any_input, text};

static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    [
        "METRIC total_ms=12.5\nMETRIC total_ms=13.25e-1\nMETRIC rss.kib=2048\n",
        "compiling\nMETRIC t_µs=-0.0\nMETRIC \t misses=0  \r\nMETRIC total_ms=1e3\n",
        "METRIC total_ms=18446744073709551615\nMETRIC total_ms=.5\nMETRIC total_ms=7.\n",
        "METRIC[7f3a] total_ms=4\nMETRIC total_ms=5\nDIGEST rows=9f86d081\n",
    ]
    .map(str::to_owned)
    .to_vec()
});

/// What a decimal is worth, by another parser than ours; `None` for what is no decimal.
fn worth(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(all_digits(whole) && all_digits(fraction) && all_digits(exponent_digits))
        || whole.len() + fraction.len() == 0
        || exponent_digits.is_empty()
    {
        return None;
    }
    // As JSON writes it: one digit before the point, at least one after.
    let digits = whole.trim_start_matches('0');
    let whole = if digits.is_empty() { "0" } else { digits };
    let sign = if text.starts_with('-') { "-" } else { "" };
    serde_json::from_str(&format!("{sign}{whole}.{fraction}0e{exponent}")).ok()
}

/// What a line must be read as, said in another way than the parser does.
fn check_line(line: &str) -> Result<(), TestCaseError> {
    match parse_line(line) {
        Line::Output => {
            let is_metric = line.strip_prefix("METRIC").is_some_and(|rest| {
                rest.starts_with(char::is_whitespace) && !rest.trim().is_empty()
            });
            prop_assert!(!is_metric, "{line:?} is overlooked");
        }
        Line::Sample { name, value } => {
            prop_assert!(is_metric_name(name));
            let (_, printed) = line.split_once('=').expect("a sample has a value");
            let printed = printed.trim_end();
            prop_assert_eq!(
                Some(value.to_bits()),
                worth(printed).map(f64::to_bits),
                "{:?}",
                line
            );
            let is_zero = !printed
                .split(['e', 'E'])
                .next()
                .is_some_and(|mantissa| mantissa.contains(|c: char| ('1'..='9').contains(&c)));
            prop_assert_eq!(value == 0.0, is_zero, "{:?}", line);
        }
        Line::Malformed { problem, .. } => prop_assert!(!problem.is_empty()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_output_gives_the_values_that_it_prints_or_an_error(input in any_input(&VALID)) {
        let output = text(&input);
        for line in output.split('\n') {
            check_line(line)?;
        }
        let samples = bounded(input.len(), 40, || {
            let mut samples = Samples::default();
            output.split('\n').for_each(|line| samples.feed(line));
            samples
        });
        for name in ["total_ms", "rss.kib", "t_µs", "misses"] {
            for allow_zero in [false, true] {
                match samples.required(name, allow_zero) {
                    Ok(value) => prop_assert!(value.is_finite() && (value > 0.0 || allow_zero && value >= 0.0)),
                    Err(error) => {
                        let message = error.to_string();
                        prop_assert!(message.len() < 2000, "{message}");
                        prop_assert!(message.contains(name) || message.contains('…'), "{message}");
                    }
                }
            }
        }
        prop_assert!(samples.medians().values().all(|value| value.is_finite()));
    }

    #[test]
    fn a_printed_value_is_read_as_it_was(
        name in "[A-Za-z0-9_.µ]{1,12}",
        value in any::<f64>(),
        space in "[ \t]{1,3}",
        end in "[ \t\r]{0,3}",
    ) {
        let line = format!("METRIC{space}{name}={value}{end}");
        let expected = if value.is_finite() && is_metric_name(&name) {
            Line::Sample { name: &name, value }
        } else {
            prop_assert!(matches!(parse_line(&line), Line::Malformed { .. }), "{line}");
            return Ok(());
        };
        prop_assert_eq!(parse_line(&line), expected);
    }

    #[test]
    fn with_a_key_exactly_the_lines_that_carry_it_count(
        input in any_input(&VALID),
        key in "[0-9a-f]{4,8}",
        is_marked in any::<u64>(),
    ) {
        let output = text(&input);
        let unlock = Key::new(&key);
        for (index, line) in output.split('\n').enumerate() {
            let is_marked = is_marked >> (index % 64) & 1 == 1;
            let marked = match line.strip_prefix("METRIC").or(line.strip_prefix("DIGEST")) {
                Some(rest) if is_marked => format!("{}[{key}]{rest}", &line[..6]),
                Some(_) | None => line.to_owned(),
            };
            let has_key = ["METRIC", "DIGEST"]
                .iter()
                .any(|word| marked.starts_with(&format!("{word}[{key}]")));
            let unlocked = unlock.unlock(&marked);
            prop_assert_eq!(unlocked.is_some(), has_key, "{:?}", marked);
            if is_marked && has_key {
                prop_assert_eq!(unlocked.as_deref(), Some(line));
            }
        }
    }
}

#[test]
fn endless_output_takes_bounded_memory_and_is_refused() {
    let samples = bounded(0, 0, || {
        let mut samples = Samples::default();
        for index in 0..1_000_000 {
            samples.feed(&format!("METRIC =x{index}"));
        }
        samples
    });
    assert!(samples.required("x", false).is_err());
    let samples = bounded(40 * SAMPLES_MAX, 1, || {
        let mut samples = Samples::default();
        for index in 0..NAMES_MAX * 2_000 {
            samples.feed(&format!("METRIC x{}=1", index % NAMES_MAX));
        }
        samples
    });
    let error = samples.required("x1", false).expect_err("too many");
    assert!(error.to_string().contains("more than"), "{error}");
}

#[test]
fn a_malformed_line_counts_however_many_others_there_are() {
    let mut samples = Samples::default();
    samples.feed("METRIC x_ms=1");
    for index in 0..2 * NAMES_MAX {
        samples.feed(&format!("METRIC other{index}=?"));
    }
    samples.feed("METRIC x_ms=NaN");
    assert!(samples.required("x_ms", false).is_err());
}
