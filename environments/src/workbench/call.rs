//! A tool call as Python makes it: arguments by name, what is falsy, and what goes wrong in Python's
//! words.

use std::borrow::Cow;
use std::fmt;

use framework::environment::python::{Float, Json, text_of};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::page::Page;
use super::table::{Cell, Record};

/// The arguments of a call: an object of whatever the model sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(Vec<(Box<str>, Json)>);

/// What stands for an argument that was not given.
static NONE: Json = Json::Null;

impl Arguments {
    /// The arguments in a JSON text; `None` if it holds no object.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match Json::parse(text) {
            Ok(Json::Object(entries)) => Some(Self(entries)),
            _ => None,
        }
    }

    /// The same without those that are null.
    pub(super) fn without_nulls(mut self) -> Self {
        self.0.retain(|(_, value)| !matches!(value, Json::Null));
        self
    }

    /// The value of an argument; null if it was not given.
    pub(super) fn get(&self, name: &str) -> &Json {
        self.given(name).unwrap_or(&NONE)
    }

    /// The value of an argument, if it was given.
    pub(super) fn given(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// The value of an argument, unless it is falsy.
    pub(super) fn truthy(&self, name: &str) -> Option<&Json> {
        self.given(name).filter(|value| is_truthy(value))
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Object(entries) => Ok(Self(entries)),
            _ => Err(serde::de::Error::custom("not an object")),
        }
    }
}

/// Any object; what the model is told is the tool's own schema.
impl JsonSchema for Arguments {
    fn schema_name() -> Cow<'static, str> {
        "Arguments".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}

/// Whether Python's `if` takes a value for true.
pub(super) fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Integer(number) => number.as_str() != "0",
        Json::Float(number) => *number != 0.0,
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

/// The name of a value's type in Python.
pub(super) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Integer(_) => "int",
        Json::Float(_) => "float",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// `repr(value)`.
pub(super) fn repr(value: &Json) -> String {
    let list = text_of(&Json::Array(vec![value.clone()]));
    list[1..list.len() - 1].to_owned()
}

/// What a call raised in Python, as its `str()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception(pub(super) String);

impl Exception {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// `value.lower()`.
pub(super) fn lower(value: &Json) -> Result<String, Exception> {
    match value {
        Json::String(text) => Ok(text.to_lowercase()),
        value => {
            let name = type_name(value);
            Err(Exception(format!("'{name}' object has no attribute 'lower'")))
        }
    }
}

/// `value.lower()`, as a value.
pub(super) fn lowered(value: &Json) -> Result<Json, Exception> {
    lower(value).map(|text| Json::String(text.into()))
}

/// `value.lower()`, as a cell.
pub(super) fn lower_cell(value: &Json) -> Result<Cell, Exception> {
    lower(value).map(|text| Cell::text(&text))
}

/// `needle in value`.
pub(super) fn contains(value: &Json, needle: &str) -> Result<bool, Exception> {
    let is_needle = |item: &Json| matches!(item, Json::String(text) if &**text == needle);
    match value {
        Json::String(text) => Ok(text.contains(needle)),
        Json::Array(items) => Ok(items.iter().any(is_needle)),
        Json::Object(entries) => Ok(entries.iter().any(|(key, _)| &**key == needle)),
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) => {
            let name = type_name(value);
            Err(Exception(format!("argument of type '{name}' is not iterable")))
        }
    }
}

/// Whether a value is one of some texts.
pub(super) fn is_one_of(value: &Json, texts: &[&str]) -> bool {
    matches!(value, Json::String(text) if texts.contains(&&**text))
}

/// What a call answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A sentence.
    Text(Cow<'static, str>),
    /// One field of a row.
    Field(Box<str>, Cell),
    /// A list of texts.
    Texts(Vec<Cell>),
    /// A list of rows.
    Records(Vec<Record>),
    /// A page of rows.
    Page(Page),
    /// A number for each of some dates.
    Counts(Vec<(Box<str>, usize)>),
    /// A mean for each of some dates.
    Means(Vec<(Box<str>, f64)>),
}

impl From<&'static str> for Answer {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Field(name, cell) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(name, cell)?;
                map.end()
            }
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Records(records) => records.serialize(serializer),
            Self::Page(page) => page.serialize(serializer),
            Self::Counts(counts) => serializer.collect_map(counts.iter().map(|(k, v)| (k, v))),
            Self::Means(means) => {
                serializer.collect_map(means.iter().map(|(date, mean)| (date, Mean(*mean))))
            }
        }
    }
}

/// A mean, null if it is no number.
struct Mean(f64);

impl Serialize for Mean {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            Float(self.0).serialize(serializer)
        } else {
            serializer.serialize_unit()
        }
    }
}

/// The body of a tool's answer.
#[derive(Debug, Serialize)]
pub(super) struct Output {
    pub(super) output: Answer,
}
