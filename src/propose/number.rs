//! Knob values as numbers: `32_000`, `32000usize` and `32 * 1000` are one value.

/// A value that could be read as a number.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// Exact.
    Int(i128),
    /// Anything with a fraction or exponent.
    Float(f64),
}

/// Suffixes of Rust literals, then those of C and Go's neighbours; longest first within a family.
const RUST_SUFFIXES: &[&str] = &[
    "i128", "u128", "isize", "usize", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "i8",
    "u8",
];
const C_SUFFIXES: &[&str] = &["ull", "llu", "ul", "lu", "ll", "u", "l"];

impl Number {
    /// Reads a literal, a product of literals (`256 * 1024`) or a shift (`1 << 20`). `None` for
    /// anything else: it is then compared as text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((base, shift)) = text.split_once("<<") {
            let (Self::Int(base), Self::Int(shift)) = (literal(base)?, literal(shift)?) else {
                return None;
            };
            let shifted = base.checked_mul(1i128.checked_shl(u32::try_from(shift).ok()?)?)?;
            return Some(Self::Int(shifted));
        }
        let mut product = Self::Int(1);
        for factor in text.split('*') {
            product = product.times(literal(factor)?)?;
        }
        Some(product)
    }

    fn times(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.checked_mul(b).map(Self::Int),
            (Self::Int(_) | Self::Float(_), Self::Float(_)) | (Self::Float(_), Self::Int(_)) => {
                Some(Self::Float(self.as_f64() * other.as_f64()))
            }
        }
    }

    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Int(_) | Self::Float(_), Self::Float(_)) | (Self::Float(_), Self::Int(_)) => {
                self.as_f64() == other.as_f64()
            }
        }
    }
}

/// Whether two values are the same setting: numerically when both are numbers, else as text.
pub fn same_value(a: &str, b: &str) -> bool {
    match (Number::parse(a), Number::parse(b)) {
        (Some(a), Some(b)) => a == b,
        (None | Some(_), None) | (None, Some(_)) => a.trim() == b.trim(),
    }
}

/// Splits a literal into its digits and its suffix; the suffix keeps a leading `_`.
pub(super) fn split_suffix(text: &str) -> (&str, &str) {
    let lower = text.to_ascii_lowercase();
    let is_hex = lower.trim_start_matches('-').starts_with("0x");
    for suffix in RUST_SUFFIXES.iter().chain(C_SUFFIXES) {
        // In a hex literal `f32` and `f64` are digits.
        if (is_hex && suffix.starts_with('f')) || !lower.ends_with(suffix) {
            continue;
        }
        let mut digits = &text[..text.len() - suffix.len()];
        while let Some(shorter) = digits.strip_suffix('_') {
            digits = shorter;
        }
        if digits.ends_with(|c: char| c.is_ascii_hexdigit() || c == '.') {
            return text.split_at(digits.len());
        }
    }
    (text, "")
}

fn literal(text: &str) -> Option<Number> {
    let text = text.trim();
    let (digits, _) = split_suffix(text);
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let plain: String = digits.chars().filter(|&c| c != '_').collect();
    let lower = plain.to_ascii_lowercase();
    let radix = [("0x", 16), ("0b", 2), ("0o", 8)];
    for (prefix, radix) in radix {
        if let Some(digits) = lower.strip_prefix(prefix) {
            if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return None;
            }
            let value = i128::from_str_radix(digits, radix).ok()?;
            return Some(Number::Int(if negative { -value } else { value }));
        }
    }
    if plain.bytes().all(|b| b.is_ascii_digit()) {
        let value: i128 = plain.parse().ok()?;
        return Some(Number::Int(if negative { -value } else { value }));
    }
    let is_decimal = plain
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let value: f64 = if is_decimal {
        plain.parse().ok()?
    } else {
        return None;
    };
    value
        .is_finite()
        .then_some(Number::Float(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn different_spellings_of_one_number_are_the_same_value() {
        for (a, b) in [
            ("32_000", "32000"),
            ("32000usize", "32000"),
            ("64_u32", "64"),
            ("5UL", "5"),
            ("0x10", "16"),
            ("0b1_000", "8"),
            ("256 * 1024", "262144"),
            ("1 << 20", "1048576"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("-5", "- 5".replace(' ', "").as_str()),
            (" true ", "true"),
        ] {
            assert!(same_value(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn different_values_are_different() {
        for (a, b) in [
            ("1", "2"),
            ("0xf32", "15"),
            ("WAL", "DELETE"),
            ("8 * (1 << 20)", "8"),
            ("9007199254740993", "9007199254740992"),
            ("", "0"),
            ("_", "0"),
            ("u32", "0"),
            ("1 << 200", "0"),
            ("inf", "nan"),
        ] {
            assert!(!same_value(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn a_suffix_is_split_off_with_its_underscore() {
        for (text, expected) in [
            ("64_u32", ("64", "_u32")),
            ("64usize", ("64", "usize")),
            ("64UL", ("64", "UL")),
            ("0xfu8", ("0xf", "u8")),
            ("0xf32", ("0xf32", "")),
            ("2.5f64", ("2.5", "f64")),
            ("null", ("null", "")),
        ] {
            assert_eq!(split_suffix(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_number_never_panics(text in "\\PC{0,30}") {
            let _ = Number::parse(&text);
        }

        #[test]
        fn every_integer_reads_back(value in any::<i64>()) {
            prop_assert_eq!(Number::parse(&value.to_string()), Some(Number::Int(value.into())));
        }
    }
}
