//! Walks a value along its schema and converts what pydantic's lax mode would convert.
//!
//! It understands the schemas that types have: scalars, lists, structs, maps, options and lists of
//! names. Other unions pass through as they are, for the type itself to judge.

use serde_json::{Map, Value};

use super::super::python::lax::{self, Refusal};
use super::super::python::{Float, Json};
use super::problem::{Problem, Step};

/// Problems listed at most, so that an answer stays readable whatever the model sent.
const PROBLEMS_MAX: usize = 100;

/// A value as its schema wants it, or all that is wrong with it.
pub(super) fn coerce(schema: &Value, value: &Json) -> Result<Json, Vec<Problem>> {
    let mut walk = Walk { path: Vec::new(), problems: Vec::new() };
    let coerced = walk.value(schema, value);
    match walk.problems.is_empty() {
        true => Ok(coerced),
        false => Err(walk.problems),
    }
}

struct Walk {
    path: Vec<Step>,
    problems: Vec<Problem>,
}

const STRING_TYPE: Refusal =
    Refusal { kind: "string_type", message: "Input should be a valid string" };
const LIST_TYPE: Refusal = Refusal { kind: "list_type", message: "Input should be a valid list" };
const DICT_TYPE: Refusal =
    Refusal { kind: "dict_type", message: "Input should be a valid dictionary" };
const MODEL_TYPE: Refusal = Refusal {
    kind: "model_attributes_type",
    message: "Input should be a valid dictionary or object to extract fields from",
};

impl Walk {
    fn value(&mut self, schema: &Value, value: &Json) -> Json {
        let (schema, is_nullable) = without_null(schema);
        if is_nullable && matches!(value, Json::Null) {
            return Json::Null;
        }
        if let Some(names) = names_of(schema) {
            return self.name(&names, value);
        }
        let is_a = |name: &str| type_of(schema) == Some(name);
        match value {
            _ if is_a("integer") => self.scalar(lax::integer(value).map(Json::Integer), value),
            _ if is_a("number") => self.scalar(lax::float(value).map(number), value),
            _ if is_a("boolean") => self.scalar(lax::boolean(value).map(Json::Bool), value),
            Json::String(_) if is_a("string") => value.clone(),
            _ if is_a("string") => self.refuse(STRING_TYPE, value),
            Json::Array(items) if is_a("array") => self.list(schema, items),
            _ if is_a("array") => self.refuse(LIST_TYPE, value),
            _ if is_a("object") => self.object(schema, value),
            _ => value.clone(),
        }
    }

    fn scalar(&mut self, coerced: Result<Json, Refusal>, value: &Json) -> Json {
        coerced.unwrap_or_else(|refusal| self.refuse(refusal, value))
    }

    fn refuse(&mut self, refusal: Refusal, value: &Json) -> Json {
        self.report(|path| Problem::new(refusal, path, value))
    }

    /// Takes note of a problem, and stands in for the value that there is none of.
    fn report(&mut self, problem: impl FnOnce(Vec<Step>) -> Problem) -> Json {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem(self.path.clone()));
        }
        Json::Null
    }

    fn inside(&mut self, step: Step, schema: &Value, value: &Json) -> Json {
        self.path.push(step);
        let coerced = self.value(schema, value);
        self.path.pop();
        coerced
    }

    fn name(&mut self, names: &[&str], value: &Json) -> Json {
        let is_listed = |text: &str| names.contains(&text);
        match value {
            Json::String(text) if is_listed(text) => value.clone(),
            _ => self.report(|path| Problem::not_listed(alternatives(names), path, value)),
        }
    }

    fn list(&mut self, schema: &Value, items: &[Json]) -> Json {
        let item_schema = schema.get("items").unwrap_or(&Value::Bool(true));
        let item = |(index, item)| self.inside(Step::Index(index), item_schema, item);
        Json::Array(items.iter().enumerate().map(item).collect())
    }

    fn object(&mut self, schema: &Value, value: &Json) -> Json {
        match (schema.get("properties"), value) {
            (Some(Value::Object(properties)), Json::Object(_)) => {
                self.fields(schema, properties, value)
            }
            (Some(_), _) => self.refuse(MODEL_TYPE, value),
            (None, Json::Object(entries)) => self.entries(schema, entries),
            (None, _) => self.refuse(DICT_TYPE, value),
        }
    }

    fn fields(&mut self, schema: &Value, properties: &Map<String, Value>, value: &Json) -> Json {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
        let mut fields = Vec::with_capacity(properties.len());
        for (name, schema) in properties {
            let step = Step::Key(name.as_str().into());
            match value.get(name) {
                Some(field) => {
                    let field = self.inside(step, schema, field);
                    fields.push((name.as_str().into(), field));
                }
                None if is_required(name) => {
                    self.path.push(step);
                    self.report(|path| Problem::missing(path, value));
                    self.path.pop();
                }
                None => {}
            }
        }
        // Keys that a struct does not have are dropped, unless it says that it takes any.
        if let (Some(Value::Bool(true)), Json::Object(entries)) =
            (schema.get("additionalProperties"), value)
        {
            let others = entries.iter().filter(|(key, _)| !properties.contains_key(&**key));
            fields.extend(others.cloned());
        }
        Json::Object(fields)
    }

    fn entries(&mut self, schema: &Value, entries: &[(Box<str>, Json)]) -> Json {
        let entry_schema = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let entry = |(key, value): &(Box<str>, Json)| {
            (key.clone(), self.inside(Step::Key(key.clone()), entry_schema, value))
        };
        Json::Object(entries.iter().map(entry).collect())
    }
}

/// A float as JSON that [`Float`] reads: there is no number for `NaN` and the infinities.
fn number(value: f64) -> Json {
    if value.is_finite() {
        return Json::Float(value);
    }
    Json::String(Float(value).to_string().into())
}

/// The only type of a schema besides `null`.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::Array(names) => {
            let mut names = names.iter().filter(|name| *name != "null");
            let only = names.next()?.as_str();
            if names.next().is_none() { only } else { None }
        }
        name => name.as_str(),
    }
}

/// The schema of what an option holds, and whether it is an option.
fn without_null(schema: &Value) -> (&Value, bool) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(choices)) = schema.get("anyOf") {
        let mut others = choices.iter().filter(|choice| !is_null(choice));
        return match (others.next(), others.next()) {
            (Some(only), None) => (only, choices.len() > 1),
            _ => (schema, false),
        };
    }
    let allows_null = |keyword, null: &Value| {
        schema.get(keyword).and_then(Value::as_array).is_some_and(|values| values.contains(null))
    };
    (schema, allows_null("type", &"null".into()) || allows_null("enum", &Value::Null))
}

/// The texts that a schema lists, if it does nothing else.
fn names_of(schema: &Value) -> Option<Vec<&str>> {
    let names: Option<Vec<&str>> = if let Some(Value::Array(values)) = schema.get("enum") {
        values.iter().filter(|value| !value.is_null()).map(Value::as_str).collect()
    } else if let Some(Value::Array(choices)) = schema.get("oneOf") {
        choices.iter().map(|choice| choice.get("const")?.as_str()).collect()
    } else {
        schema.get("const").map(|value| Some(vec![value.as_str()?]))?
    };
    names.filter(|names| !names.is_empty())
}

/// `'a', 'b' or 'c'`.
fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}
