//! The configuration as a tree that keeps what the `config` crate's values lose: exact types, lines, secrecy.
//!
//! Everything between parsing and the typed sections works on this tree.

use std::{collections::BTreeMap, fmt};

use super::{
    key_path::KeyPath,
    problem::Origin,
    secret::{MASK, holds_url_credentials, is_secret_name},
};

/// One value with what is known about it.
#[derive(Clone, PartialEq)]
pub(super) struct Node {
    /// The value itself.
    pub value: Value,
    /// Where it was written.
    pub origin: Option<Origin>,
    /// Whether it may be shown.
    pub secrecy: Secrecy,
    /// Who can read where it was written.
    pub exposure: Exposure,
    /// The exact text, of a value that came as text from outside of YAML.
    ///
    /// Such a value is read as a YAML scalar, and as this text where a string is needed.
    pub text: Option<String>,
}

/// A value with its exact type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    /// Invariant: fits `i64` or `u64`.
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
    /// A value that could not be found out; the reason is among the problems already.
    Broken,
}

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Secrecy {
    #[default]
    Open,
    Secret,
}

/// Who can read what a value is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exposure {
    /// Others: it stands in a file, in a program's text or on a command line.
    #[default]
    Shared,
    /// Whoever starts the process: it comes from the environment or from the secrets file.
    Private,
    /// Others, and a problem says so already.
    Reported,
}

impl Exposure {
    /// What is made of two values shows no more than the one that shows less.
    pub(super) fn and(self, other: Exposure) -> Exposure {
        match (self, other) {
            (Self::Private, _) | (_, Self::Private) => Self::Private,
            (Self::Reported, _) | (_, Self::Reported) => Self::Reported,
            (Self::Shared, Self::Shared) => Self::Shared,
        }
    }
}

impl Secrecy {
    /// What is made of two values is secret if either of them is.
    pub(super) fn and(self, other: Secrecy) -> Secrecy {
        match (self, other) {
            (Self::Open, Self::Open) => Self::Open,
            (Self::Secret, _) | (Self::Open, Self::Secret) => Self::Secret,
        }
    }

    /// The secrecy of what is called by this name.
    pub(super) fn of_name(name: &str) -> Secrecy {
        if is_secret_name(name) { Self::Secret } else { Self::Open }
    }
}

impl Node {
    /// Creates an open value that was written at `origin`.
    pub(super) fn new(value: Value, origin: Option<Origin>) -> Self {
        Self { value, origin, secrecy: Secrecy::Open, exposure: Exposure::Shared, text: None }
    }

    /// Creates an empty map.
    pub(super) fn empty() -> Self {
        Self::new(Value::Map(BTreeMap::new()), None)
    }

    /// Returns the element of a map or list under one key or index.
    pub(super) fn get(&self, segment: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.get(segment),
            Value::List(items) => items.get(segment.parse::<usize>().ok()?),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
            Value::Text(_) | Value::Broken => None,
        }
    }

    /// Returns the value under a path.
    pub(super) fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| node.get(segment))
    }

    /// Where the value under a path was written or, if it is not there, the nearest map above it.
    pub(super) fn origin_of(&self, path: &KeyPath) -> Option<Origin> {
        let mut node = self;
        let mut origin = self.origin.as_ref();
        for segment in path.segments() {
            let Some(child) = node.get(segment) else { break };
            node = child;
            origin = child.origin.as_ref().or(origin);
        }
        origin.cloned()
    }

    /// Returns the keys of a map; nothing for other values.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries().map(|(key, _)| key.as_str())
    }

    /// Returns the entries of a map; nothing for other values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Node)> {
        let entries = match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
            Value::Text(_) | Value::List(_) | Value::Broken => None,
        };
        entries.into_iter().flatten()
    }

    /// Returns a text; nothing for other values.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
            Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    /// Makes the value another text, whatever it was read from.
    pub(super) fn set_text(&mut self, text: impl Into<String>) {
        self.value = Value::Text(text.into());
        self.text = None;
    }

    /// Whether this is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// Whether this is neither a map nor a list.
    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::Map(_) | Value::List(_))
    }

    /// Takes the value under a path out and returns it; maps that it leaves empty stay.
    pub(super) fn remove(&mut self, path: &KeyPath) -> Option<Node> {
        let last = path.segments().last()?;
        match &mut self.at_mut(&path.parent()?)?.value {
            Value::Map(entries) => entries.remove(last),
            Value::List(items) => {
                let index = last.parse().ok().filter(|index| *index < items.len())?;
                Some(items.remove(index))
            }
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
            Value::Text(_) | Value::Broken => None,
        }
    }

    /// Puts a value under a path of keys, in place of what is there; maps on the way are created.
    pub(super) fn put(&mut self, path: &KeyPath, value: Node) {
        let mut node = self;
        for segment in path.segments() {
            if !node.is_map() {
                node.value = Value::Map(BTreeMap::new());
            }
            let Value::Map(entries) = &mut node.value else { return };
            let empty = || Node { origin: value.origin.clone(), ..Node::empty() };
            node = entries.entry(segment.clone()).or_insert_with(empty);
        }
        *node = value;
    }

    /// Returns the value under a path, to be changed.
    pub(super) fn at_mut(&mut self, path: &KeyPath) -> Option<&mut Node> {
        path.segments().iter().try_fold(self, |node, segment| node.get_mut(segment))
    }

    fn get_mut(&mut self, segment: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries.get_mut(segment),
            Value::List(items) => items.get_mut(segment.parse::<usize>().ok()?),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => None,
            Value::Text(_) | Value::Broken => None,
        }
    }

    /// Whether the value or anything in it is secret.
    pub(super) fn holds_secret(&self) -> bool {
        self.secrecy == Secrecy::Secret || self.children().any(Node::holds_secret)
    }

    /// Says of a value and all in it who can read it.
    pub(super) fn expose(&mut self, exposure: Exposure) {
        self.exposure = exposure;
        match &mut self.value {
            Value::Map(entries) => entries.values_mut().for_each(|child| child.expose(exposure)),
            Value::List(items) => items.iter_mut().for_each(|item| item.expose(exposure)),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
            Value::Text(_) | Value::Broken => {}
        }
    }

    /// Marks everything under secretly named keys as secret, and URLs with credentials.
    pub(super) fn mark_secrets(&mut self, inherited: Secrecy) {
        self.secrecy = self.secrecy.and(inherited);
        match &mut self.value {
            Value::Map(entries) => {
                for (key, child) in entries {
                    child.mark_secrets(inherited.and(Secrecy::of_name(key)));
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| item.mark_secrets(inherited)),
            Value::Text(text) if holds_url_credentials(text) => self.secrecy = Secrecy::Secret,
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
            Value::Text(_) | Value::Broken => {}
        }
    }

    /// Returns all secret texts in the value.
    pub(super) fn secret_texts<'a>(&'a self, found: &mut Vec<&'a str>) {
        if let (Secrecy::Secret, Value::Text(text)) = (self.secrecy, &self.value) {
            found.push(text);
        }
        self.children().for_each(|child| child.secret_texts(found));
    }

    /// Says what the value is, without showing it if it is secret.
    pub(super) fn description(&self) -> String {
        match (&self.value, self.secrecy) {
            (Value::Null, _) => "null".to_owned(),
            (Value::List(_), _) => "a list".to_owned(),
            (Value::Map(_), _) => "a map".to_owned(),
            (Value::Broken, _) => "nothing".to_owned(),
            (Value::Boolean(_), Secrecy::Secret) => "a boolean".to_owned(),
            (Value::Integer(_) | Value::Float(_), Secrecy::Secret) => "a number".to_owned(),
            (Value::Text(_), Secrecy::Secret) => "a text".to_owned(),
            (Value::Boolean(value), Secrecy::Open) => format!("boolean `{value}`"),
            (Value::Integer(value), Secrecy::Open) => format!("number `{value}`"),
            (Value::Float(value), Secrecy::Open) => format!("number `{value:?}`"),
            (Value::Text(value), Secrecy::Open) => described_text(value),
        }
    }

    /// Returns the value without what is known about it, secrets in clear.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Broken => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => match u64::try_from(*value) {
                Ok(value) => value.into(),
                Err(_) => (*value as i64).into(),
            },
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, child)| (key.clone(), child.to_json())).collect()
            }
        }
    }

    /// Returns the value with `***` for all that is secret.
    pub(super) fn to_masked_json(&self) -> serde_json::Value {
        match &self.value {
            Value::List(items) => items.iter().map(Node::to_masked_json).collect(),
            Value::Map(entries) => {
                let masked = |(key, child): (&String, &Node)| (key.clone(), child.to_masked_json());
                entries.iter().map(masked).collect()
            }
            Value::Null | Value::Broken => serde_json::Value::Null,
            Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
                match self.secrecy {
                    Secrecy::Secret => MASK.into(),
                    Secrecy::Open => self.to_json(),
                }
            }
        }
    }

    /// Returns the values of a map or list; nothing for other values.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match &self.value {
            Value::Map(entries) => Box::new(entries.values()),
            Value::List(items) => Box::new(items.iter()),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {
                Box::new(std::iter::empty())
            }
            Value::Text(_) | Value::Broken => Box::new(std::iter::empty()),
        }
    }
}

/// Messages show so many characters of a text.
const SHOWN_MAX: usize = 80;

/// Says what a text is, by its beginning if it is long.
pub(super) fn described_text(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("text `{}…`", &text[..end]),
        None => format!("text `{text}`"),
    }
}

impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Boolean(value),
            serde_json::Value::String(value) => Value::Text(value),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Node::from).collect())
            }
            serde_json::Value::Object(entries) => {
                Value::Map(entries.into_iter().map(|(key, child)| (key, child.into())).collect())
            }
            serde_json::Value::Number(number) => {
                let integer = number.as_u64().map(i128::from).or(number.as_i64().map(i128::from));
                let float = || Value::Float(number.as_f64().unwrap_or(f64::NAN));
                integer.map_or_else(float, Value::Integer)
            }
        };
        Node::new(value, None)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.to_masked_json())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_under_a_secret_name_is_masked() {
        let mut node = Node::from(json!({"api_key": {"a": "x", "b": [1, null]}, "model": "m"}));
        node.mark_secrets(Secrecy::Open);
        let masked = json!({"api_key": {"a": "***", "b": ["***", null]}, "model": "m"});
        assert_eq!(node.to_masked_json(), masked);
        assert_eq!(format!("{node:?}"), masked.to_string());
        assert_eq!(node.get("api_key").unwrap().get("a").unwrap().description(), "a text");
    }

    #[test]
    fn a_json_value_survives_the_way_through_the_tree() {
        let value = json!({"a": [1, -2, 2.5, true, null, "x"], "big": u64::MAX});
        assert_eq!(Node::from(value.clone()).to_json(), value);
    }
}
