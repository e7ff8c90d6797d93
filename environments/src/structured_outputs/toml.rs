//! TOML 1.0, which is what Python's `tomllib` reads. Dates and times are no type that a schema knows.

use framework::environment::python::Integer;

use super::value::{Key, Value};

/// Parses a document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| format!("TOMLDecodeError: {}", error.message()))?;
    Ok(value(toml::Value::Table(table)))
}

fn value(parsed: toml::Value) -> Value {
    match parsed {
        toml::Value::String(text) => Value::Text(text.into()),
        toml::Value::Integer(number) => Value::Integer(Integer::from(number)),
        toml::Value::Float(number) => Value::Float(number),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(datetime) => Value::Other(datetime.to_string().into()),
        toml::Value::Array(items) => Value::List(items.into_iter().map(value).collect()),
        toml::Value::Table(table) => {
            let entry = |(key, inside): (String, toml::Value)| (Key::text(&key), value(inside));
            Value::Map(table.into_iter().map(entry).collect())
        }
    }
}
