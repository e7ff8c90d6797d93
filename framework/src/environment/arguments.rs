//! Tool arguments: from the model's text to typed values.

use std::fmt;

use serde::de::DeserializeOwned;

use super::schema::Schema;
use super::tools::ToolError;

/// Why arguments do not fit their schema.
#[derive(Debug)]
pub enum ArgumentsError {
    /// Not JSON.
    Json(String),
    /// JSON that does not fit.
    Invalid(Vec<Problem>),
}

/// One thing that does not fit.
#[derive(Debug)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses arguments.
pub fn parse_arguments<A: DeserializeOwned>(schema: &Schema, text: &str) -> Result<A, ToolError> {
    parse_with_schema(schema, text).map_err(|error| ToolError::text(format!("{error:?}")))
}

/// Parses a value that a schema describes.
pub(super) fn parse_with_schema<A: DeserializeOwned>(
    _schema: &Schema,
    text: &str,
) -> Result<A, ArgumentsError> {
    serde_json::from_str(text)
        .map_err(|error| ArgumentsError::Invalid(vec![Problem(error.to_string())]))
}
