//! JSON Schemas of argument and target types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::{ArgumentsError, parse_with_schema};
use crate::task::TargetError;

/// The JSON Schema of a type, without references and without meta data that models need not read.
#[derive(Clone, Debug)]
pub struct Schema(Value);

/// The schema of a type.
pub(super) fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        object.entry("properties").or_insert_with(|| Value::Object(serde_json::Map::new()));
        object.entry("required").or_insert_with(|| Value::Array(Vec::new()));
        object.insert("type".into(), "object".into());
    }
    Schema(schema)
}

impl Schema {
    /// The schema as JSON.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// What the type's doc comment says.
    pub fn description(&self) -> Option<&str> {
        self.0.get("description")?.as_str()
    }
}

/// Reads a target from the text of a row's object.
pub(super) fn read_target<T: DeserializeOwned + JsonSchema>(text: &str) -> Result<T, TargetError> {
    if let Ok(target) = serde_json::from_str(text) {
        return Ok(target);
    }
    let error = match parse_with_schema(&schema_of::<T>(), text) {
        Ok(target) => return Ok(target),
        Err(error) => error,
    };
    match error {
        ArgumentsError::Invalid(problems) => {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            Err(TargetError::new(texts.join("; ")))
        }
        ArgumentsError::Json(error) => Err(TargetError::new(error)),
    }
}
