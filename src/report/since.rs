//! `--since`: a time, or how long ago.

use jiff::{Span, Timestamp, Zoned};

/// The earliest time wanted.
#[derive(Debug, Clone)]
pub enum Since {
    /// So long ago.
    Ago(Span),
    /// From then on.
    At(Timestamp),
    /// From then on, in the time zone of whoever asks.
    Civil(jiff::civil::DateTime),
}

impl Since {
    /// Reads `2h`, `3 days`, `2026-11-20`, `2026-11-20 08:00` or `2026-11-20T08:00Z`.
    ///
    /// # Errors
    /// It is none of these; the text says what is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spelt = text.trim();
        if let Ok(at) = spelt.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(civil) = spelt.parse::<jiff::civil::DateTime>() {
            return Ok(Self::Civil(civil));
        }
        match spelt.parse::<Span>() {
            Ok(span) if span.is_positive() => Ok(Self::Ago(span)),
            Ok(_) | Err(_) => Err(format!(
                "{text:?} is no time; write `2h`, `3 days`, `2026-11-20` or `2026-11-20T08:00Z`"
            )),
        }
    }

    /// Milliseconds since 1970, as seen at `now`; 0 for a time before that.
    pub fn milliseconds(&self, now: &Zoned) -> u64 {
        let at = match self {
            Self::Ago(span) => now.checked_sub(*span).ok().map(|then| then.timestamp()),
            Self::At(at) => Some(*at),
            Self::Civil(civil) => {
                let there = civil.to_zoned(now.time_zone().clone());
                there.ok().map(|then| then.timestamp())
            }
        };
        at.and_then(|at| u64::try_from(at.as_millisecond()).ok())
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let now: Zoned = "2026-11-21T12:00+01:00[Europe/Berlin]"
            .parse()
            .expect("a time");
        let expected: Timestamp = expected.parse().expect("a time");
        let since = Since::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            since.milliseconds(&now),
            u64::try_from(expected.as_millisecond()).expect("after 1970"),
            "{text}"
        );
    }

    #[test]
    fn a_span_counts_back_from_now_and_a_date_begins_at_midnight_here() {
        check("2h", "2026-11-21T09:00Z");
        check("1h 30m", "2026-11-21T09:30Z");
        check("3 days", "2026-11-18T11:00Z");
        check("2026-11-20", "2026-11-19T23:00Z");
        check("2026-11-20 08:15", "2026-11-20T07:15Z");
        check("2026-11-20T08:15Z", "2026-11-20T08:15Z");
        check("9999 years", "1970-01-01T00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms_that_are() {
        for text in ["", "yesterday", "-2h", "0s", "2026-13-01", "12"] {
            let error = Since::parse(text).expect_err(text);
            assert!(
                error.contains("2026-11-20") && error.contains("2h"),
                "{error}"
            );
        }
    }
}
