//! How what a function returned is compared with what it should have returned: as Python's `==` does,
//! which tells a tuple from a list and `'3'` from `3`; or, if that is wanted, more tolerantly.

use framework::environment::python::Json;
use framework::environment::python::text::parse_float;
use schemars::JsonSchema;
use serde::Deserialize;

/// How returned values are compared.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CallComparison {
    /// As Python's `==`; a tuple that is returned counts as a list, one within it does not.
    #[default]
    Exact,
    /// As later versions of NeMo Gym: equal as JSON, or numbers that are close.
    Tolerant,
}

/// How deep values may be nested.
const DEPTH_MAX: usize = 128;
/// How close numbers have to be, relative to the expected one and absolutely.
const RELATIVE: f64 = 1e-5;
const ABSOLUTE: f64 = 1e-8;

/// A value that a program returned.
#[derive(Debug)]
pub(super) enum Value {
    /// One that JSON has as well, and neither list nor dictionary.
    Plain(Json),
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Dict(Vec<(Self, Self)>),
    /// Something that JSON has not.
    Other,
}

impl Value {
    /// Reads what a driver made of it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::read(Json::parse_nested(text, 3 * DEPTH_MAX).ok()?)
    }

    fn read(json: Json) -> Option<Self> {
        let Json::Array(pair) = json else { return None };
        let [kind, content] = <[Json; 2]>::try_from(pair).ok()?;
        let Json::String(kind) = kind else { return None };
        match (&*kind, content) {
            ("value", Json::Array(_) | Json::Object(_)) => None,
            ("value", plain) => Some(Self::Plain(plain)),
            ("list", Json::Array(items)) => {
                items.into_iter().map(Self::read).collect::<Option<_>>().map(Self::List)
            }
            ("tuple", Json::Array(items)) => {
                items.into_iter().map(Self::read).collect::<Option<_>>().map(Self::Tuple)
            }
            ("dict", Json::Array(entries)) => {
                let entry = |entry: Json| {
                    let Json::Array(entry) = entry else { return None };
                    let [key, value] = <[Json; 2]>::try_from(entry).ok()?;
                    Some((Self::read(key)?, Self::read(value)?))
                };
                entries.into_iter().map(entry).collect::<Option<_>>().map(Self::Dict)
            }
            ("other", _) => Some(Self::Other),
            _ => None,
        }
    }

    /// Whether it is what was expected.
    pub(super) fn is(&self, expected: &Json, comparison: CallComparison) -> bool {
        match comparison {
            CallComparison::Exact => self.equals(expected),
            CallComparison::Tolerant => self.equals(expected) || self.resembles(expected),
        }
    }

    /// Python's `==`.
    fn equals(&self, expected: &Json) -> bool {
        match (self, expected) {
            (Self::Plain(value), _) => value.equals(expected),
            (Self::List(items), Json::Array(expected)) => {
                items.len() == expected.len()
                    && items.iter().zip(expected).all(|(item, expected)| item.equals(expected))
            }
            (Self::Dict(entries), Json::Object(expected)) => {
                let same = |(key, value): &(Box<str>, Json)| {
                    let is_key = |entry: &&(Self, Self)| entry.0.is_text(key);
                    entries.iter().find(is_key).is_some_and(|entry| entry.1.equals(value))
                };
                entries.len() == expected.len() && expected.iter().all(same)
            }
            (Self::List(_) | Self::Tuple(_) | Self::Dict(_) | Self::Other, _) => false,
        }
    }

    /// Whether both are the same JSON, where tuples are lists and keys text, or numbers close to each
    /// other, also as text.
    fn resembles(&self, expected: &Json) -> bool {
        match (self, expected) {
            (Self::Plain(value), _) => value.equals(expected) || are_close(value, expected),
            (Self::List(items) | Self::Tuple(items), Json::Array(expected)) => {
                items.len() == expected.len()
                    && items.iter().zip(expected).all(|(item, expected)| item.resembles(expected))
            }
            (Self::Dict(entries), Json::Object(expected)) => {
                let same = |(key, value): &(Box<str>, Json)| {
                    let is_key = |entry: &&(Self, Self)| entry.0.key().as_deref() == Some(key);
                    entries.iter().find(is_key).is_some_and(|entry| entry.1.resembles(value))
                };
                entries.len() == expected.len() && expected.iter().all(same)
            }
            (Self::List(_) | Self::Tuple(_) | Self::Dict(_) | Self::Other, _) => false,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        matches!(self, Self::Plain(Json::String(own)) if **own == *text)
    }

    /// A dictionary's key as JSON writes it.
    fn key(&self) -> Option<String> {
        match self {
            Self::Plain(Json::String(text)) => Some(text.to_string()),
            Self::Plain(plain) => Some(plain.to_string()),
            Self::List(_) | Self::Tuple(_) | Self::Dict(_) | Self::Other => None,
        }
    }
}

fn are_close(value: &Json, expected: &Json) -> bool {
    let (Some(value), Some(expected)) = (number(value), number(expected)) else { return false };
    value == expected || (value - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs()
}

/// The number that `float()` makes of a value.
fn number(value: &Json) -> Option<f64> {
    let number = match value {
        Json::Integer(integer) => integer.as_str().parse().ok()?,
        Json::Float(number) => *number,
        Json::Bool(value) => f64::from(u8::from(*value)),
        Json::String(text) => parse_float(text)?,
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_as_python_does_or_more_tolerantly() {
        for (returned, expected, exact, tolerant) in [
            (r#"["value",3]"#, "3.0", true, true),
            (r#"["value",true]"#, "1", true, true),
            (r#"["value",null]"#, "null", true, true),
            (r#"["value",null]"#, "0", false, false),
            (r#"["value","3"]"#, "3", false, true),
            (r#"["value","x"]"#, "3", false, false),
            (r#"["value",3.00001]"#, "3", false, true),
            (r#"["value",3.0001]"#, "3", false, false),
            (r#"["value",1e-9]"#, "0", false, true),
            (r#"["value",NaN]"#, "NaN", false, false),
            (r#"["value",Infinity]"#, "Infinity", true, true),
            (r#"["value",100000000000000000000001]"#, "100000000000000000000001", true, true),
            (r#"["list",[["value",1],["value","a"]]]"#, r#"[1,"a"]"#, true, true),
            (r#"["list",[["value",1]]]"#, "[1,2]", false, false),
            (r#"["list",[["tuple",[["value",1]]]]]"#, "[[1]]", false, true),
            (r#"["list",[["value",2.000001]]]"#, "[2]", false, true),
            (r#"["dict",[[["value",1],["value",2]]]]"#, r#"{"1":2}"#, false, true),
            (r#"["dict",[[["value","1"],["value",2]]]]"#, r#"{"1":2.0}"#, true, true),
            (r#"["dict",[]]"#, r#"{"1":2}"#, false, false),
            (r#"["dict",[[["value","a"],["value",2]]]]"#, "[2]", false, false),
            (r#"["other",null]"#, "null", false, false),
            (r#"["value",""]"#, "0", false, false),
        ] {
            let value = Value::parse(returned).unwrap();
            let expected_value = Json::parse(expected).unwrap();
            let is = |comparison| value.is(&expected_value, comparison);
            assert_eq!(is(CallComparison::Exact), exact, "{returned} == {expected}");
            assert_eq!(is(CallComparison::Tolerant), tolerant, "{returned} ~ {expected}");
        }
    }

    #[test]
    fn what_no_driver_says_is_no_value() {
        let deep = "[\"list\",[".repeat(2 * DEPTH_MAX) + &"]]".repeat(2 * DEPTH_MAX);
        for text in ["", "3", "[]", r#"["value",[1]]"#, r#"["list",3]"#, r#"["set",[]]"#, &deep] {
            assert!(Value::parse(text).is_none(), "{}", &text[..text.len().min(40)]);
        }
    }
}
