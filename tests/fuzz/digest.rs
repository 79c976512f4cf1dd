//! DIGEST lines.

use std::sync::LazyLock;

use autoresearch::flow::digest::{DigestError, Digests, NAMES_MAX, VALUE_BYTES_MAX};
use autoresearch::flow::metric::is_metric_name;
use proptest::prelude::*;

use crate::cases;
use crate::heap::bounded;
use crate::mutate::{any_input, text};

static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    [
        "DIGEST rows=9f86d081\nDIGEST sum.µ=a=b\nDIGEST rows=9f86d081\n",
        "noise\nDIGEST\tpages=0\r\nMETRIC total_ms=5\n",
    ]
    .map(str::to_owned)
    .to_vec()
});

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_output_gives_the_digests_that_it_prints_or_an_error(input in any_input(&VALID)) {
        let output = text(&input);
        let values = bounded(input.len(), 40, || {
            let mut digests = Digests::default();
            output.split('\n').for_each(|line| digests.feed(line));
            digests.values()
        });
        let claims = |line: &&str| line.strip_prefix("DIGEST").is_some_and(|rest| {
            rest.starts_with(char::is_whitespace) && !rest.trim().is_empty()
        });
        match values {
            Ok(values) => {
                // Every line that looks like a digest is one of them, and none is made up.
                for line in output.split('\n').filter(claims) {
                    let (name, value) = line["DIGEST".len()..].trim().split_once('=').expect("it was read");
                    prop_assert_eq!(values.get(name).map(String::as_str), Some(value));
                    prop_assert!(is_metric_name(name) && value.len() <= VALUE_BYTES_MAX);
                }
                let lines = output.split('\n').filter(claims).count();
                prop_assert!(values.len() <= lines);
            }
            Err(error) => {
                prop_assert!(output.split('\n').any(|line| claims(&line)), "{error}");
                prop_assert!(error.to_string().len() < 1000);
            }
        }
    }

    #[test]
    fn a_printed_digest_is_read_as_it_was(name in "[A-Za-z0-9_.µ]{1,12}", value in "[!-~µé🦀]{1,40}") {
        prop_assume!(is_metric_name(&name));
        let mut digests = Digests::default();
        digests.feed(&format!("DIGEST {name}={value}\r"));
        prop_assert_eq!(digests.values(), Ok([(name, value)].into()));
    }
}

#[test]
fn endless_digests_take_bounded_memory_and_are_refused() {
    let values = bounded(NAMES_MAX * (VALUE_BYTES_MAX + 100), 2, || {
        let mut digests = Digests::default();
        for index in 0..100_000 {
            digests.feed(&format!("DIGEST d{index}={}", "x".repeat(VALUE_BYTES_MAX)));
        }
        digests.values()
    });
    assert_eq!(values, Err(DigestError::TooMany));
}
