//! A task as its row states it, and why an answer to it earns nothing.

use std::fmt;

use framework::environment::python::text::strip;
use framework::environment::python::{DecodeError, Json};
use framework::responses::FunctionCall;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::Schema;
use super::validator::{Fault, validate};
use super::value::Value;
use super::{coercion, csv, toml, xml, yaml};

/// How deep JSON may be nested; Python takes 900 levels and not 2,000.
const DEPTH_MAX: usize = 900;
/// Characters of an error's text that are kept.
const MESSAGE_MAX: usize = 200;

/// A row beyond its prompt, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Row {
    /// The JSON Schema, as JSON text.
    schema_str: String,
    /// The format that answers are in.
    #[serde(default)]
    schema_type: Format,
    /// Whether the answer is text or a tool call.
    #[serde(default)]
    response_mode: ResponseMode,
    /// The tool that is to be called.
    tool_name: Option<String>,
    /// The argument of the tool that is the answer.
    tool_payload_key: Option<String>,
}

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON as Python reads it.
    #[default]
    Json,
    /// YAML 1.1.
    Yaml,
    /// XML, folded into objects.
    Xml,
    /// TOML 1.0.
    Toml,
    /// CSV with a header.
    Csv,
}

/// How an answer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResponseMode {
    #[default]
    Text,
    ToolCall,
}

/// A task, ready to be graded.
#[derive(Debug)]
pub(super) struct Task {
    schema: Schema,
    format: Format,
    pub(super) response_mode: ResponseMode,
    tool_name: Option<String>,
    tool_payload_key: Option<String>,
}

impl TryFrom<Row> for Task {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let schema = Schema::parse(&row.schema_str);
        Ok(Self {
            schema: schema
                .map_err(|error| format!("`schema_str` can be met by nothing: {error}"))?,
            format: row.schema_type,
            response_mode: row.response_mode,
            tool_name: row.tool_name,
            tool_payload_key: row.tool_payload_key,
        })
    }
}

/// What the model said.
#[derive(Debug)]
pub(super) enum Said {
    /// The text of its messages.
    Text(String),
    /// Its tool calls.
    Calls(Vec<FunctionCall>),
    /// The API said that it failed.
    Error(String),
}

impl Said {
    /// Bytes of the answer.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Error(text) => text.len(),
            Self::Calls(calls) => calls.iter().map(|call| call.arguments.len()).sum(),
        }
    }
}

/// Why an answer earns nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// Verification takes too long, which says nothing about the answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct TooLong(String);

fn failure(kind: &'static str, message: &str) -> Failure {
    Failure { kind, message: shortened(message) }
}

/// The name of an exception, and the beginning of its text.
fn shortened(message: &str) -> String {
    let start = message.find(": ").map_or(0, |colon| colon + 2);
    let end = message[start..].char_indices().nth(MESSAGE_MAX).map(|(index, _)| start + index);
    message[..end.unwrap_or(message.len())].to_owned()
}

impl Task {
    /// Whether the schema has patterns, of which nobody knows how long they take.
    pub(super) fn has_patterns(&self) -> bool {
        !self.schema.patterns.is_empty()
    }

    /// Why what the model said earns nothing; `None` if it earns 1.
    ///
    /// # Errors
    /// Fails if that cannot be found out in the time that there is.
    pub(super) fn failure(
        &self,
        said: &Said,
        coerces_xml: bool,
    ) -> Result<Option<Failure>, TooLong> {
        let answer = match said {
            Said::Text(text) => self.read(text, coerces_xml),
            Said::Calls(calls) => self.payload(calls),
            Said::Error(error) => Err(failure("api_error", error)),
        };
        match answer {
            Ok(answer) => self.validate(&answer),
            Err(failure) => Ok(Some(failure)),
        }
    }

    /// The value that a text is, with the types of the schema where its format has none.
    fn read(&self, text: &str, coerces_xml: bool) -> Result<Value, Failure> {
        if strip(text).is_empty() {
            return Err(failure("empty_response", "No assistant response text"));
        }
        let parsed = match self.format {
            Format::Json => json(text),
            Format::Yaml => yaml::parse(text),
            Format::Xml => xml::parse(text),
            Format::Toml => toml::parse(text),
            Format::Csv => csv::parse(text),
        };
        let value = parsed.map_err(|error| failure("parse_error", &error))?;
        Ok(match self.format {
            Format::Xml if coerces_xml => coercion::of_xml(value, &self.schema.root),
            Format::Csv => coercion::of_csv(value, &self.schema.root),
            Format::Json | Format::Yaml | Format::Xml | Format::Toml => value,
        })
    }

    /// The value that the only tool call carries.
    fn payload(&self, calls: &[FunctionCall]) -> Result<Value, Failure> {
        let call = match calls {
            [call] => call,
            [] => return Err(failure("missing_tool_call", "No function call in the response")),
            calls => {
                let message = format!("{} function calls instead of one", calls.len());
                return Err(failure("multiple_tool_calls", &message));
            }
        };
        if let Some(name) = self.tool_name.as_deref().filter(|name| **name != *call.name) {
            let message = format!("`{}` was called instead of `{name}`", call.name);
            return Err(failure("wrong_tool_name", &message));
        }
        let arguments =
            json(&call.arguments).map_err(|error| failure("tool_arguments_parse_error", &error))?;
        let Some(key) = self.tool_payload_key.as_deref() else { return Ok(arguments) };
        let missing = || failure("missing_tool_payload_key", &format!("no argument `{key}`"));
        let Value::Map(mut arguments) = arguments else { return Err(missing()) };
        arguments.swap_remove(key).ok_or_else(missing)
    }

    fn validate(&self, answer: &Value) -> Result<Option<Failure>, TooLong> {
        let invalid = |message: &str| failure("validation_error", message);
        match validate(&self.schema, answer) {
            Ok(violation) => {
                Ok(violation.map(|violation| invalid(&format!("ValidationError: {violation}"))))
            }
            Err(Fault::Broken(raised)) => Ok(Some(invalid(&raised))),
            Err(Fault::TooLong(reason)) => Err(TooLong(reason)),
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    let json = Json::parse_nested(text, DEPTH_MAX).map_err(|error| raised(&error))?;
    Ok(json.into())
}

/// An exception as `Name: text`, of its `repr`.
fn raised(error: &DecodeError) -> String {
    let shown = fmt::format(format_args!("{error}"));
    let Some((name, quoted)) = shown.split_once('(') else { return shown };
    let text = quoted.trim_end_matches(')');
    let text = text.get(1..text.len().saturating_sub(1)).unwrap_or(text);
    format!("{name}: {}", text.replace("\\\\", "\\"))
}
