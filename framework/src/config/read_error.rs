//! The error that serde's visitors raise while typed values are read, kept in its parts.
//!
//! Serde's own messages would show the value, which may be a secret, and name Rust types, which are
//! none of the reader's business.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::{
    key_path::KeyPath,
    problem::{Fault, nearest},
    tree::{Node, described_text},
};

/// Why a value could not be read, and where.
#[derive(Debug)]
pub(super) struct ReadError {
    /// The value to blame; known as soon as the error has left that value's deserializer.
    pub path: Option<KeyPath>,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) enum Cause {
    UnknownKey { key: String, known: Vec<String> },
    MissingKey { key: &'static str },
    Value(ValueCause),
}

/// What is wrong with a value as such.
#[derive(Debug)]
pub(super) enum ValueCause {
    WrongType { expected: String, found: String },
    UnknownVariant { value: String, known: Vec<String> },
    Refused { reason: String },
    Disclosed,
}

impl ReadError {
    /// Names the value to blame, unless something inside it is to blame.
    pub(super) fn at(mut self, path: &KeyPath) -> Self {
        self.path.get_or_insert_with(|| path.clone());
        self
    }
}

impl From<ValueCause> for ReadError {
    fn from(cause: ValueCause) -> Self {
        Self { path: None, cause: Cause::Value(cause) }
    }
}

impl ValueCause {
    /// Says what is wrong with the node, without showing a secret in it.
    pub(super) fn into_fault(self, node: Option<&Node>) -> Fault {
        let secret = node.filter(|node| node.holds_secret());
        match (self, secret) {
            (Self::Disclosed, _) => Fault::LiteralSecret,
            (Self::WrongType { expected, found: _ }, Some(node)) => {
                Fault::WrongType { expected, found: node.description() }
            }
            (Self::UnknownVariant { .. } | Self::Refused { .. }, Some(_)) => Fault::RefusedSecret,
            (Self::WrongType { expected, found }, None) => Fault::WrongType { expected, found },
            (Self::Refused { reason }, None) => Fault::Refused { reason },
            (Self::UnknownVariant { value, known }, None) => {
                let nearest = nearest(&value, known.iter().map(String::as_str));
                Fault::UnknownValue { value, nearest, known }
            }
        }
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ValueCause::Refused { reason: message.to_string() }.into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ValueCause::WrongType { expected: expectation(expected), found: description(found) }.into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let found = format!("{length} elements");
        ValueCause::WrongType { expected: expectation(expected), found }.into()
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        ValueCause::UnknownVariant { value: variant.to_owned(), known }.into()
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        Self { path: None, cause: Cause::UnknownKey { key: field.to_owned(), known } }
    }

    fn missing_field(key: &'static str) -> Self {
        Self { path: None, cause: Cause::MissingKey { key } }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value could not be read")
    }
}

impl std::error::Error for ReadError {}

/// Says in the reader's words what a type wants.
fn expectation(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let words = match expected.as_str() {
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "usize" | "u128" => "an integer of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "an integer",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        nonzero if nonzero.starts_with("a nonzero u") => "an integer of at least 1",
        structure
            if structure.starts_with("struct ") || structure.starts_with("internally tagged") =>
        {
            "a map"
        }
        variants if variants.starts_with("enum ") => "one of its names",
        other => other,
    };
    words.to_owned()
}

/// Says what was found, in the same words as `Node::description`.
fn description(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("boolean `{value}`"),
        Unexpected::Unsigned(value) => format!("number `{value}`"),
        Unexpected::Signed(value) => format!("number `{value}`"),
        Unexpected::Float(value) => format!("number `{value:?}`"),
        Unexpected::Char(value) => format!("text `{value}`"),
        Unexpected::Str(value) => described_text(value),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}
