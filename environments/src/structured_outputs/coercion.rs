//! Texts of XML and CSV as the numbers and truth values that the schema asks for.
//!
//! Both formats have text alone, so a cell `25` where the schema wants an integer is one. Only what the
//! schema says next to the value counts; references and combinations of schemas are not followed.

use framework::environment::python::text::{parse_float, parse_int};

use super::value::{Map, Value};

/// Gives a value from XML the types of its schema.
pub(super) fn of_xml(value: Value, schema: &Value) -> Value {
    let Some(schema) = schema.as_map() else { return value };
    match (schema.get("type").and_then(Value::as_text), value) {
        (Some("object"), Value::Map(map)) => Value::Map(properties_of_xml(map, schema)),
        (Some("array"), value) => {
            let items = elements(value).into_iter();
            let of_items = schema.get("items").unwrap_or(&Value::Null);
            Value::List(items.map(|item| of_xml(item, of_items)).collect())
        }
        (Some("string"), Value::Null) => Value::text(""),
        (Some(name), Value::Text(text)) => scalar(name, &text).unwrap_or(Value::Text(text)),
        (_, value) => value,
    }
}

fn properties_of_xml(map: Map, schema: &Map) -> Map {
    let properties = schema.get("properties").and_then(Value::as_map);
    let coerced = map.into_iter().map(|(key, value)| {
        let property = properties.and_then(|properties| properties.get(&key));
        let value = match property {
            Some(property) => of_xml(value, property),
            None => value,
        };
        (key, value)
    });
    coerced.collect()
}

/// The elements of a list: those of the one element that wraps them, or the value itself.
fn elements(value: Value) -> Vec<Value> {
    let value = match value {
        Value::Map(mut map) if map.len() == 1 => {
            map.pop().map_or(Value::Null, |(_, inside)| inside)
        }
        value => value,
    };
    match value {
        Value::List(items) => items,
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Gives the cells of rows the types of their columns.
pub(super) fn of_csv(value: Value, schema: &Value) -> Value {
    let Value::List(rows) = value else { return value };
    let of_row = schema.as_map().and_then(|schema| schema.get("items")).unwrap_or(schema);
    let columns = of_row.as_map().and_then(|schema| schema.get("properties")?.as_map());
    let row = |row| match (row, columns) {
        (Value::Map(cells), Some(columns)) => Value::Map(row_of_csv(cells, columns)),
        (row, _) => row,
    };
    Value::List(rows.into_iter().map(row).collect())
}

fn row_of_csv(cells: Map, columns: &Map) -> Map {
    let coerced = cells.into_iter().map(|(key, cell)| {
        let of_column = columns.get(&key).and_then(|column| column.as_map()?.get("type"));
        let cell = match (cell, of_column) {
            (Value::Text(text), Some(of_column)) => cell_of_csv(text, of_column),
            (cell, _) => cell,
        };
        (key, cell)
    });
    coerced.collect()
}

fn cell_of_csv(text: Box<str>, of_column: &Value) -> Value {
    match of_column {
        Value::Text(name) if !text.is_empty() => scalar(name, &text).unwrap_or(Value::Text(text)),
        Value::List(names) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_text).collect();
            if text.is_empty() && names.contains(&"null") {
                return Value::Null;
            }
            let chosen = names.into_iter().take_while(|name| *name != "string");
            let coerced = chosen.filter(|_| !text.is_empty()).find_map(|name| scalar(name, &text));
            coerced.unwrap_or(Value::Text(text))
        }
        _ => Value::Text(text),
    }
}

/// A text as a value of a type; `None` if it says none.
fn scalar(name: &str, text: &str) -> Option<Value> {
    match name {
        "integer" => parse_int(text).map(Value::Integer),
        "number" => parse_float(text).map(Value::Float),
        "boolean" => match text.to_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}
