//! JSON as Python reads, compares and writes it.
//!
//! Datasets, tool outputs and verifiers of NeMo Gym are Python's: whole numbers of any size, `NaN`
//! in JSON, `711.0 == 711`, `1e-05`. A reward must not depend on the language that computes it, so
//! what crosses that border is kept here exactly: numbers stay digits until somebody needs a float.

mod decode;
mod dumps;
mod float;
mod integer;
pub mod lax;
pub mod pattern;
#[cfg(test)]
pub(super) mod reference;
mod repr;
pub mod text;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

pub use decode::DecodeError;
pub use dumps::dumps;
pub use float::{Float, float_repr};
pub use integer::Integer;
pub use repr::text_of;

/// A JSON value as Python's `json.loads` returns it.
#[derive(Clone, Debug)]
pub enum Json {
    /// `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number of any size.
    Integer(Integer),
    /// A number with a fraction or an exponent, `NaN` or an infinity.
    Float(f64),
    /// Text. Lone surrogates, which Rust's text cannot hold, are replaced by U+FFFD.
    String(Box<str>),
    /// A list.
    Array(Vec<Json>),
    /// A dictionary, in its order; a key that occurs twice has its last value.
    Object(Vec<(Box<str>, Json)>),
}

impl Json {
    /// Parses text as `json.loads` does.
    ///
    /// # Errors
    /// Fails where Python does, with Python's words, and on values nested more than 128 deep.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        decode::decode(text, decode::DEPTH_MAX)
    }

    /// Parses text with values nested up to `depth_max` deep. Whatever walks over such a value needs
    /// as much of the stack.
    ///
    /// # Errors
    /// Fails where Python does, with Python's words, and on values nested deeper.
    pub fn parse_nested(text: &str, depth_max: usize) -> Result<Self, DecodeError> {
        decode::decode(text, depth_max)
    }

    /// The value of a dictionary's key; `None` if it has no such key or is no dictionary.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
    }

    /// Whether Python's `==` holds: by value across numbers and truth values, whatever their types.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Self::Object(a), Self::Object(_)) => {
                let same = |(key, value): &(Box<str>, Self)| {
                    other.get(key).is_some_and(|there| value.equals(there))
                };
                self.len() == other.len() && a.iter().all(same)
            }
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Float(float), whole) | (whole, Self::Float(float)) => {
                Integer::of_float(*float).is_some_and(|float| whole.whole() == Some(float))
            }
            (a, b) => a.whole().is_some_and(|a| b.whole() == Some(a)),
        }
    }

    /// The number of entries of a list or a dictionary.
    fn len(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Object(entries) => entries.len(),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::String(_) => 0,
        }
    }

    /// The whole number that it is in Python: an integer or a truth value.
    fn whole(&self) -> Option<Integer> {
        match self {
            Self::Bool(value) => Some(Integer::from(i64::from(*value))),
            Self::Integer(value) => Some(value.clone()),
            Self::Null | Self::Float(_) | Self::String(_) | Self::Array(_) | Self::Object(_) => {
                None
            }
        }
    }

    /// Whether no float in it is `NaN` or an infinity, so that it can be written as JSON.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Float(value) => value.is_finite(),
            Self::Array(items) => items.iter().all(Self::is_finite),
            Self::Object(entries) => entries.iter().all(|(_, value)| value.is_finite()),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::String(_) => true,
        }
    }
}

/// Compact, as NeMo Gym's servers answer: no spaces, non-ASCII unescaped, floats as Python's `repr`.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{}", Float(*value)),
            Self::String(value) => write!(f, "{}", Quoted(value)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{}:{value}", Quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Text as JSON.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self.0).expect("text serialises to JSON"))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(|_| {
                serde::ser::Error::custom("Out of range float values are not JSON compliant")
            })?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(text.get()).map_err(serde::de::Error::custom)
    }
}

/// Any JSON at all.
impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_whatever_their_types() {
        for (a, b, equal) in [
            ("711.0", "711", true),
            ("true", "1", true),
            ("false", "-0.0", true),
            ("0", "-0.0", true),
            ("1e22", "10000000000000000000000", true),
            ("9007199254740993", "9007199254740992.0", false),
            ("100000000000000000000001", "1e23", false),
            ("NaN", "NaN", false),
            ("Infinity", "1e999", true),
            ("711.5", "711", false),
            ("null", "0", false),
            ("\"1\"", "1", false),
            ("[1,2.0]", "[1.0,2]", true),
            ("[1]", "[1,1]", false),
            (r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":true}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
        ] {
            let (left, right) = (Json::parse(a).unwrap(), Json::parse(b).unwrap());
            assert_eq!(left.equals(&right), equal, "{a} == {b}");
            assert_eq!(right.equals(&left), equal, "{b} == {a}");
        }
    }

    #[test]
    fn values_are_written_compactly_and_in_their_order() {
        let text = r#"{"z": 1.50, "a": [true, null, "é\n"], "n": 100000000000000000000000}"#;
        let written = Json::parse(text).unwrap().to_string();
        assert_eq!(written, r#"{"z":1.5,"a":[true,null,"é\n"],"n":100000000000000000000000}"#);
    }
}
