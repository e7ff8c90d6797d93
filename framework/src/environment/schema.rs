//! JSON Schemas of argument and target types.
//!
//! A model reads them, so what `schemars` adds for the sake of Rust (bit widths and the bounds that
//! follow from them, titles, references) is taken out, and what strict tool calling wants is put in.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::arguments::parse_with_schema;
use crate::task::TargetError;

/// The JSON Schema of a type, without references and without meta data that models need not read.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    value: Value,
    description: Option<String>,
    is_plain: bool,
}

/// The schema of a type.
pub(super) fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut value = settings.into_generator().into_root_schema_for::<T>().to_value();
    clean(&mut value);
    let mut description = None;
    if let Some(object) = value.as_object_mut() {
        description = object.remove("description").and_then(|text| Some(text.as_str()?.to_owned()));
        object.insert("type".into(), "object".into());
        complete(object);
    }
    let is_plain = is_plain(&value);
    Schema { value, description, is_plain }
}

impl Schema {
    /// The schema as JSON.
    pub(super) fn as_value(&self) -> &Value {
        &self.value
    }

    /// What the type's doc comment says.
    pub(super) fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether what `serde_json` takes for the type is what the schema takes: an object of scalars
    /// and lists of scalars. In nested structs and enums `serde` takes forms that pydantic refuses.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }
}

/// Bounds that follow from a Rust type's width alone.
fn bounds_of(format: &str) -> [Option<Value>; 2] {
    match format {
        "int8" => [Some(json!(i8::MIN)), Some(json!(i8::MAX))],
        "int16" => [Some(json!(i16::MIN)), Some(json!(i16::MAX))],
        "uint8" => [Some(json!(0)), Some(json!(u8::MAX))],
        "uint16" => [Some(json!(0)), Some(json!(u16::MAX))],
        "uint32" | "uint64" | "uint128" | "uint" => [Some(json!(0)), None],
        _ => [None, None],
    }
}

/// Takes out what is Rust's, in every schema inside a schema.
fn clean(value: &mut Value) {
    let Value::Object(object) = value else { return };
    object.remove("title");
    clean_number(object);
    if object.contains_key("properties") {
        complete(object);
    }
    for (keyword, inner) in object.iter_mut() {
        match (keyword.as_str(), inner) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(clean),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(clean);
            }
            ("items" | "additionalProperties", schema) => clean(schema),
            _ => {}
        }
    }
}

fn clean_number(object: &mut Map<String, Value>) {
    let Some(format) = object.get("format").and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    let is_width = ["int", "uint", "float", "double"].iter().any(|width| {
        format.strip_prefix(width).is_some_and(|bits| bits.bytes().all(|bit| bit.is_ascii_digit()))
    });
    if !is_width {
        return;
    }
    object.remove("format");
    for (keyword, bound) in ["minimum", "maximum"].into_iter().zip(bounds_of(&format)) {
        if bound.is_some() && object.get(keyword) == bound.as_ref() {
            object.remove(keyword);
        }
    }
}

/// Adds what strict tool calling wants to see in an object's schema.
fn complete(object: &mut Map<String, Value>) {
    object.entry("properties").or_insert_with(|| json!({}));
    object.entry("required").or_insert_with(|| json!([]));
    object.entry("additionalProperties").or_insert(json!(false));
}

fn is_plain(schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| properties.values().all(is_scalar_or_list))
}

fn is_scalar_or_list(schema: &Value) -> bool {
    let is_closed = ["enum", "const", "anyOf", "oneOf", "allOf", "$ref"];
    if is_closed.iter().any(|keyword| schema.get(keyword).is_some()) {
        return false;
    }
    let is_scalar = |name: &Value| {
        ["string", "integer", "number", "boolean", "null"].iter().any(|scalar| name == scalar)
    };
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().all(is_scalar),
        Some(name) if name == "array" => schema.get("items").is_none_or(is_scalar_or_list),
        Some(name) => is_scalar(name),
        None => schema == &Value::Bool(true),
    }
}

/// Reads a target from the text of a row's object.
pub(crate) fn read_target<T>(text: &str) -> Result<T, TargetError>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    let schema = schema_of_target::<T>();
    parse_with_schema(&schema, text).map_err(|error| TargetError::new(error.to_string()))
}

/// The schema of a target type, made once: rows are many.
fn schema_of_target<T: JsonSchema + 'static>() -> Arc<Schema> {
    static MADE: LazyLock<Mutex<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(schema_of::<T>())).clone()
}

#[cfg(test)]
#[expect(dead_code, reason = "the fields are there for their schemas")]
mod tests {
    use super::*;

    /// Counts up.
    #[derive(JsonSchema)]
    struct Arguments {
        /// By how much.
        count: i64,
        zeal: u8,
        ratio: Option<f64>,
        #[schemars(range(min = 1, max = 5))]
        stars: u32,
        parts: Vec<Part>,
    }

    #[derive(JsonSchema)]
    struct Part {
        name: String,
    }

    #[test]
    fn a_schema_is_what_a_model_should_read() {
        let schema = schema_of::<Arguments>();
        assert_eq!(schema.description(), Some("Counts up."));
        let part = json!({
            "type": "object", "properties": {"name": {"type": "string"}},
            "required": ["name"], "additionalProperties": false
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "count": {"description": "By how much.", "type": "integer"},
                "zeal": {"type": "integer"},
                "ratio": {"type": ["number", "null"]},
                "stars": {"type": "integer", "minimum": 1, "maximum": 5},
                "parts": {"type": "array", "items": part}
            },
            "required": ["count", "zeal", "stars", "parts"],
            "additionalProperties": false
        });
        assert_eq!(schema.as_value(), &expected);
    }

    #[test]
    fn properties_stand_in_the_order_of_their_declaration() {
        let schema = schema_of::<Arguments>();
        let properties = schema.as_value()["properties"].as_object().unwrap();
        let names: Vec<_> = properties.keys().collect();
        assert_eq!(names, ["count", "zeal", "ratio", "stars", "parts"]);
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        #[derive(JsonSchema)]
        struct Nothing {}
        let expected = json!({
            "type": "object", "properties": {}, "required": [], "additionalProperties": false
        });
        assert_eq!(schema_of::<Nothing>().as_value(), &expected);
    }

    #[test]
    fn only_flat_types_are_plain() {
        #[derive(JsonSchema)]
        struct Flat {
            city: Option<String>,
            values: Vec<Vec<i64>>,
        }
        #[derive(JsonSchema)]
        enum Unit {
            Celsius,
            Kelvin,
        }
        #[derive(JsonSchema)]
        struct Chosen {
            unit: Unit,
        }
        assert!(schema_of::<Flat>().is_plain());
        assert!(!schema_of::<Arguments>().is_plain());
        assert!(!schema_of::<Chosen>().is_plain());
    }
}
