//! A value as Python's parsers return it, from whichever format.
//!
//! Beyond JSON there are dates, which no schema's `type` takes, and keys that are no text: YAML's `1:`
//! and the surplus cells of CSV.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use framework::environment::python::{Float, Integer, Json};
use indexmap::{Equivalent, IndexMap};

/// A parsed value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(Integer),
    Float(f64),
    Text(Box<str>),
    List(Vec<Value>),
    Map(Map),
    /// What JSON has no type for, by what Python would show.
    Other(Box<str>),
}

/// A dictionary: a key's place is its first, its value the last.
pub(super) type Map = IndexMap<Key, Value>;

/// A key of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Text(Box<str>),
    /// A key that is no text, by what Python would show; equal keys are shown as equals.
    Other(Box<str>),
}

impl Key {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    /// The key as a value of its own.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.clone()),
            Self::Other(shown) => Value::Other(shown.clone()),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) | Self::Other(text) => text.hash(state),
        }
    }
}

impl Equivalent<Key> for str {
    fn equivalent(&self, key: &Key) -> bool {
        key.as_text() == Some(self)
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Integer(value) => Self::Integer(value),
            Json::Float(value) => Self::Float(value),
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Json::Object(entries) => {
                let entry = |(key, value)| (Key::Text(key), Self::from(value));
                Self::Map(entries.into_iter().map(entry).collect())
            }
        }
    }
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Integer(Integer::from(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// Whether it is a number; truth values are none.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_))
    }

    /// Whether it is a whole number, however it is written.
    pub(super) fn is_integer(&self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Float(value) => value.is_finite() && value.fract() == 0.0,
            _ => false,
        }
    }

    /// Whether Python's `bool()` is true of it.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Integer(value) => value.as_str() != "0",
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Other(_) => true,
        }
    }

    /// Numbers by value, exactly; `None` for `NaN` and what is no number.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(compare_integers(a, b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Float(b)) => compare_with_float(a, *b),
            (Self::Float(a), Self::Integer(b)) => compare_with_float(b, *a).map(Ordering::reverse),
            _ => None,
        }
    }

    /// Text that two values have in common if, and only if, JSON Schema holds them to be equal: numbers
    /// by value, truth values apart from them, dictionaries whatever their order.
    pub(super) fn canonical(&self) -> String {
        let mut text = String::new();
        self.push_canonical(&mut text);
        text
    }

    fn push_canonical(&self, out: &mut String) {
        use fmt::Write;
        let written = match self {
            Self::Null => write!(out, "null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Float(value) => match Integer::of_float(*value) {
                Some(whole) => write!(out, "{whole}"),
                None => write!(out, "{}", Float(*value)),
            },
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Other(shown) => write!(out, "<{shown:?}>"),
            Self::List(items) => {
                out.push('[');
                for item in items {
                    item.push_canonical(out);
                    out.push(',');
                }
                write!(out, "]")
            }
            Self::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
                out.push('{');
                for (key, value) in entries {
                    key.value().push_canonical(out);
                    out.push(':');
                    value.push_canonical(out);
                    out.push(',');
                }
                write!(out, "}}")
            }
        };
        written.expect("a string takes what is written");
    }

    /// Equality as JSON Schema has it.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) | (Self::Other(a), Self::Other(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let same = |(key, value): (&Key, &Self)| {
                    b.get(key).is_some_and(|there| value.equals(there))
                };
                a.len() == b.len() && a.iter().all(same)
            }
            // Python's parser gives one and the same `NaN`, which is itself.
            (Self::Float(a), Self::Float(b)) if a.is_nan() => b.is_nan(),
            (a, b) => a.compare(b) == Some(Ordering::Equal),
        }
    }
}

impl Key {
    fn order(&self) -> (bool, &str) {
        match self {
            Self::Text(text) => (true, text),
            Self::Other(shown) => (false, shown),
        }
    }
}

fn compare_integers(a: &Integer, b: &Integer) -> Ordering {
    let (a, b) = (a.as_str(), b.as_str());
    let by_size = |a: &str, b: &str| (a.len(), a).cmp(&(b.len(), b));
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => by_size(a, b),
        (Some(a), Some(b)) => by_size(b, a),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
    }
}

/// A whole number beside a float; without rounding the first to a float.
fn compare_with_float(a: &Integer, b: f64) -> Option<Ordering> {
    match Integer::of_float(b.trunc()) {
        Some(whole) => {
            let fraction = 0.0.partial_cmp(&b.fract())?;
            Some(compare_integers(a, &whole).then(fraction))
        }
        None => 0.0.partial_cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Json::parse(text).unwrap().into()
    }

    #[test]
    fn equality_is_by_value_and_truth_values_are_no_numbers() {
        for (a, b, equal) in [
            ("1", "1.0", true),
            ("0", "-0.0", true),
            ("1", "true", false),
            ("0", "false", false),
            ("[1]", "[true]", false),
            ("NaN", "NaN", true),
            ("1e999", "Infinity", true),
            ("100000000000000000000000", "1e23", false),
            ("99999999999999991611392", "1e23", true),
            (r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1.0}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":1}"#, false),
            (r#""a""#, r#""a""#, true),
            ("null", "0", false),
        ] {
            let (left, right) = (value(a), value(b));
            assert_eq!(left.equals(&right), equal, "{a} {b}");
            assert_eq!(right.equals(&left), equal, "{b} {a}");
            assert_eq!(left.canonical() == right.canonical(), equal, "{a} {b}");
        }
    }

    #[test]
    fn numbers_compare_exactly() {
        for (a, b, order) in [
            ("9007199254740993", "9007199254740992.0", Some(Ordering::Greater)),
            ("-9007199254740993", "-9007199254740992.0", Some(Ordering::Less)),
            ("2", "2.5", Some(Ordering::Less)),
            ("-2", "-2.5", Some(Ordering::Greater)),
            ("10", "9", Some(Ordering::Greater)),
            ("-10", "-9", Some(Ordering::Less)),
            ("-1", "1", Some(Ordering::Less)),
            ("5", "Infinity", Some(Ordering::Less)),
            ("5", "-Infinity", Some(Ordering::Greater)),
            ("5", "NaN", None),
            ("0", "-0.0", Some(Ordering::Equal)),
        ] {
            assert_eq!(value(a).compare(&value(b)), order, "{a} {b}");
            assert_eq!(value(b).compare(&value(a)), order.map(Ordering::reverse), "{b} {a}");
        }
    }
}
