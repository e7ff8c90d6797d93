//! A whole number of any size, as its decimal digits.
//!
//! Most of what is done with a number from a dataset or a model is to compare and to print it; text
//! does both exactly. Who computes parses it into the arithmetic of their choice.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Digits that Python reads into one integer at most (`sys.get_int_max_str_digits`); also what keeps
/// a hostile number from costing quadratic time.
pub(super) const DIGITS_MAX: usize = 4300;

/// A whole number of at most 4300 digits.
///
/// Invariant: canonical text, that is, digits without leading zeros, after a `-` if it is negative,
/// so that equal numbers are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Integer(Box<str>);

impl Integer {
    /// The number that decimal digits, after an optional `-`, stand for.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || digits.len() > DIGITS_MAX {
            return None;
        }
        match digits.trim_start_matches('0') {
            "" => Some(Self("0".into())),
            digits => Some(Self(format!("{sign}{digits}").into())),
        }
    }

    /// The number that a float is exactly; `None` if it has a fraction or is not finite.
    pub fn of_float(value: f64) -> Option<Self> {
        let is_whole = value.is_finite() && value.fract() == 0.0;
        is_whole.then(|| Self::parse(&format!("{value:.0}")))?
    }

    /// Its decimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest float; infinite if there is none near.
    pub fn to_float(&self) -> f64 {
        self.0.parse().expect("decimal digits parse as a float")
    }
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.0.to_string());
        text.expect("decimal digits are JSON").serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("Input should be a valid integer");
        Self::parse(text.get()).ok_or_else(wrong)
    }
}

impl JsonSchema for Integer {
    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_texts() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-0", Some("0")),
            ("-007", Some("-7")),
            ("100000000000000000000000001", Some("100000000000000000000000001")),
            ("", None),
            ("-", None),
            ("+1", None),
            ("1.0", None),
            ("\u{ff13}", None),
        ] {
            let number = Integer::parse(text);
            assert_eq!(number.as_ref().map(Integer::as_str), expected, "{text}");
        }
        assert!(Integer::parse(&"1".repeat(DIGITS_MAX)).is_some());
        assert!(Integer::parse(&"1".repeat(DIGITS_MAX + 1)).is_none());
    }

    #[test]
    fn a_float_becomes_the_whole_number_that_it_is() {
        let text = |value| Integer::of_float(value).map(|number| number.to_string());
        assert_eq!(text(-0.0).as_deref(), Some("0"));
        assert_eq!(text(1e23).as_deref(), Some("99999999999999991611392"));
        assert_eq!(text(2.5), None);
        assert_eq!(text(f64::NAN), None);
    }

    #[test]
    fn no_digit_is_lost_on_the_way_through_json() {
        let text = format!("[{},-12]", "9".repeat(40));
        let numbers: Vec<Integer> = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&numbers).unwrap(), text);
    }
}
