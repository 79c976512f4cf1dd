//! Keys sort as their tuples do, and read back.

use batch_store::keys::{KeyBuilder, KeyReader, prefix_end};
use proptest::prelude::*;

use crate::support::cases;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(
            prop_oneof![
                Just('\0'),
                Just('\u{1}'),
                Just('\u{2}'),
                Just('a'),
                Just('ÿ')
            ],
            0..5
        )
        .prop_map(|chars| chars.into_iter().collect()),
        ".{0,6}",
    ]
}

fn key(tuple: &(String, i64, String, u64)) -> Vec<u8> {
    KeyBuilder::new()
        .str(&tuple.0)
        .i64(tuple.1)
        .str(&tuple.2)
        .u64(tuple.3)
        .finish()
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn keys_sort_as_their_tuples_and_read_back(
        a in (text(), any::<i64>(), text(), any::<u64>()),
        b in (text(), any::<i64>(), text(), any::<u64>()),
    ) {
        prop_assert_eq!(a.cmp(&b), key(&a).cmp(&key(&b)));
        let bytes = key(&a);
        let mut reader = KeyReader::new("test", &bytes);
        let read = (reader.str().unwrap(), reader.i64().unwrap(), reader.str().unwrap(), reader.u64().unwrap());
        reader.finish().unwrap();
        prop_assert_eq!(read, a);
    }

    #[test]
    fn no_string_key_is_a_prefix_of_another(a in text(), b in text()) {
        let (left, right) = (KeyBuilder::new().str(&a).finish(), KeyBuilder::new().str(&b).finish());
        prop_assert_eq!(right.starts_with(&left), a == b);
    }

    #[test]
    fn the_end_of_a_prefix_is_above_exactly_its_keys(
        prefix in proptest::collection::vec(prop_oneof![Just(0xff_u8), any::<u8>()], 0..4),
        other in proptest::collection::vec(prop_oneof![Just(0xff_u8), any::<u8>()], 0..6),
    ) {
        let is_inside = other >= prefix && prefix_end(&prefix).is_none_or(|end| other < end);
        prop_assert_eq!(is_inside, other.starts_with(&prefix));
    }
}
