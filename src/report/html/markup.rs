//! Markup under construction. What comes from a ledger can only be added escaped: plain markup must
//! be a constant of the program.

use std::fmt::Write;

use crate::report::format;

/// A piece of HTML or SVG.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html {
    text: String,
}

impl Html {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds markup of the program's own.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Adds text, escaped for an element's content and for an attribute's value in double quotes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in format::printable(text).chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                c => self.text.push(c),
            }
        }
        self
    }

    /// Adds a whole number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        write!(self.text, "{number}").ok();
        self
    }

    /// Adds a coordinate of a picture, to a tenth; 0 for one that is not finite. Numbers in a row are
    /// kept apart.
    pub fn at(&mut self, coordinate: f64) -> &mut Self {
        let finite = if coordinate.is_finite() {
            coordinate
        } else {
            0.0
        };
        let gap = if self.text.ends_with(|c: char| c.is_ascii_digit()) {
            " "
        } else {
            ""
        };
        write!(self.text, "{gap}{finite:.1}").ok();
        self
    }

    /// Adds another piece.
    pub fn piece(&mut self, piece: &Self) -> &mut Self {
        self.text.push_str(&piece.text);
        self
    }

    /// Adds data to be shown as JSON, for a script element: nothing in it can end the element, and
    /// overrides of the writing direction are replaced.
    pub fn json(&mut self, value: &impl serde::Serialize) -> &mut Self {
        let json =
            serde_json::to_string(value).expect("reports hold finite numbers and string keys");
        for c in json.chars() {
            match c {
                '<' => self.text.push_str("\\u003c"),
                '>' => self.text.push_str("\\u003e"),
                '&' => self.text.push_str("\\u0026"),
                c if format::overrides_direction(c) => self.text.push('\u{fffd}'),
                '\u{2028}' => self.text.push_str("\\u2028"),
                '\u{2029}' => self.text.push_str("\\u2029"),
                c => self.text.push(c),
            }
        }
        self
    }

    /// The whole text.
    pub fn into_string(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_cannot_become_markup_or_leave_an_attribute() {
        let mut html = Html::new();
        html.text("<a href=\"x\" onload='y'>&amp;\u{202e}\u{0}");
        assert_eq!(
            html.into_string(),
            "&lt;a href=&quot;x&quot; onload=&#39;y&#39;&gt;&amp;amp;\u{fffd}\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn json_in_a_script_element_reads_back_and_cannot_end_it(text in "(</script|<!--|\u{2028}|.){0,20}") {
            let mut html = Html::new();
            html.json(&text);
            let json = html.into_string();
            let ends = json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!ends, "{json}");
            let expected = text.replace(format::overrides_direction, "\u{fffd}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("it is JSON"), expected);
        }
    }

    #[test]
    fn a_coordinate_that_is_no_number_is_none() {
        let mut html = Html::new();
        html.raw("M").at(f64::NAN).at(1.26).raw("H").at(-3.0);
        assert_eq!(html.into_string(), "M0.0 1.3H-3.0");
    }
}
