//! A row's JSON Schema: read, made strict, and checked against the rules that schemas themselves follow.
//!
//! The check is what the meta-schema of draft 2020-12 says, as a table of keywords; a pattern must be
//! one of Python's. A schema that does not pass can be satisfied by nothing.

use std::collections::{BTreeSet, HashMap};

use framework::environment::python::Json;
use framework::environment::python::pattern::{Flags, Pattern};
use framework::environment::python::text::shown;

use super::value::{Key, Map, Value};

/// How deep a schema may be nested.
const DEPTH_MAX: usize = 200;

/// A schema, ready to validate with.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) root: Value,
    /// The patterns in it.
    pub(super) patterns: HashMap<Box<str>, Pattern>,
    /// Whether something in it has a name of its own, so that it must be searched for names.
    pub(super) has_names: bool,
}

impl Schema {
    /// Reads a schema's JSON text and makes it strict.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let json = Json::parse_nested(text, DEPTH_MAX).map_err(|error| error.to_string())?;
        let mut root = Value::from(json);
        strictify(&mut root)?;
        let mut checker = Checker { patterns: HashMap::new(), path: String::from("#") };
        checker.schema(&root)?;
        let has_names = ["\"$id\"", "\"$anchor\"", "\"$dynamicAnchor\""];
        let has_names = has_names.iter().any(|name| text.contains(name)) || text.contains("\\u");
        Ok(Self { root, patterns: checker.patterns, has_names })
    }
}

/// Makes every declared property required and every other forbidden, in whatever object there is one
/// named `properties`; lists are not entered. Exactly this is what NeMo Gym does.
fn strictify(value: &mut Value) -> Result<(), String> {
    let Value::Map(map) = value else { return Ok(()) };
    if let Some(properties) = map.get("properties") {
        let Value::Map(properties) = properties else {
            return Err("`properties` must be an object".into());
        };
        let required = properties.keys().map(Key::value).collect();
        map.insert(Key::text("required"), Value::List(required));
        map.insert(Key::text("additionalProperties"), Value::Bool(false));
    }
    map.values_mut().try_for_each(strictify)
}

/// What a keyword's value must be.
#[derive(Clone, Copy)]
enum Shape {
    Schema,
    Schemas,
    SchemaMap,
    PatternMap,
    Dependencies,
    Type,
    List,
    Number,
    Positive,
    Count,
    Bool,
    Text,
    Pattern,
    Texts,
    TextsMap,
    Id,
    Anchor,
    Vocabulary,
}

/// The keywords of draft 2020-12 whose values must have a shape, deprecated ones included.
fn shape_of(keyword: &str) -> Option<Shape> {
    Some(match keyword {
        "additionalProperties"
        | "items"
        | "contains"
        | "propertyNames"
        | "if"
        | "then"
        | "else"
        | "not"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => Shape::Schema,
        "prefixItems" | "allOf" | "anyOf" | "oneOf" => Shape::Schemas,
        "$defs" | "definitions" | "properties" | "dependentSchemas" => Shape::SchemaMap,
        "patternProperties" => Shape::PatternMap,
        "dependencies" => Shape::Dependencies,
        "type" => Shape::Type,
        "enum" | "examples" => Shape::List,
        "maximum" | "exclusiveMaximum" | "minimum" | "exclusiveMinimum" => Shape::Number,
        "multipleOf" => Shape::Positive,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxContains" | "minContains"
        | "maxProperties" | "minProperties" => Shape::Count,
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => Shape::Bool,
        "title" | "description" | "format" | "contentEncoding" | "contentMediaType"
        | "$comment" | "$schema" | "$ref" | "$dynamicRef" | "$recursiveRef" => Shape::Text,
        "pattern" => Shape::Pattern,
        "required" => Shape::Texts,
        "dependentRequired" => Shape::TextsMap,
        "$id" => Shape::Id,
        "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" => Shape::Anchor,
        "$vocabulary" => Shape::Vocabulary,
        _ => return None,
    })
}

/// The types that a schema may name.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// Goes through a schema and keeps its patterns.
struct Checker {
    patterns: HashMap<Box<str>, Pattern>,
    /// Where it is, as a JSON pointer.
    path: String,
}

impl Checker {
    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("`{}` must be {expected}", self.path))
    }

    /// Checks what is below a name.
    fn below<T>(
        &mut self,
        name: &str,
        check: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        let checked = check(self);
        self.path.truncate(length);
        checked
    }

    fn schema(&mut self, schema: &Value) -> Result<(), String> {
        let map = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Map(map) => map,
            _ => return self.wrong("a schema: an object, `true` or `false`"),
        };
        for (key, value) in map {
            let Some(keyword) = key.as_text() else { continue };
            if let Some(shape) = shape_of(keyword) {
                self.below(keyword, |this| this.keyword(shape, value))?;
            }
        }
        Ok(())
    }

    fn keyword(&mut self, shape: Shape, value: &Value) -> Result<(), String> {
        match shape {
            Shape::Schema => self.schema(value),
            Shape::Schemas => self.schemas(value),
            Shape::SchemaMap => self.each(value, Self::schema),
            Shape::PatternMap => {
                for pattern in self.map(value)?.keys().filter_map(Key::as_text) {
                    self.pattern(pattern)?;
                }
                self.each(value, Self::schema)
            }
            Shape::Dependencies => self.each(value, |this, value| match value {
                Value::List(_) => this.texts(value),
                _ => this.schema(value),
            }),
            Shape::Type => self.type_name(value),
            Shape::List => self.expect(value.as_list().is_some(), "a list"),
            Shape::Number => self.expect(value.is_number(), "a number"),
            Shape::Positive => {
                let is_positive =
                    value.is_number() && value.compare(&Value::count(0)).is_none_or(|o| o.is_gt());
                self.expect(is_positive, "a number above 0")
            }
            Shape::Count => {
                let is_count = value.is_integer()
                    && value.compare(&Value::count(0)).is_some_and(|o| o.is_ge());
                self.expect(is_count, "a whole number, at least 0")
            }
            Shape::Bool => self.expect(matches!(value, Value::Bool(_)), "`true` or `false`"),
            Shape::Text => self.expect(value.as_text().is_some(), "text"),
            Shape::Pattern => match value.as_text() {
                Some(pattern) => self.pattern(pattern),
                None => self.wrong("text"),
            },
            Shape::Texts => self.texts(value),
            Shape::TextsMap => self.each(value, Self::texts),
            Shape::Id => {
                let is_id = value
                    .as_text()
                    .is_some_and(|id| !id.strip_suffix('#').unwrap_or(id).contains('#'));
                self.expect(is_id, "an identifier without a fragment")
            }
            Shape::Anchor => {
                let is_anchor = value.as_text().is_some_and(is_anchor);
                self.expect(is_anchor, "a name that starts with a letter or `_`")
            }
            Shape::Vocabulary => {
                let is_bool = |value: &Value| matches!(value, Value::Bool(_));
                self.each(value, |this, value| this.expect(is_bool(value), "`true` or `false`"))
            }
        }
    }

    fn expect(&self, holds: bool, expected: &str) -> Result<(), String> {
        if holds { Ok(()) } else { self.wrong(expected) }
    }

    fn map<'v>(&self, value: &'v Value) -> Result<&'v Map, String> {
        value.as_map().map_or_else(|| self.wrong("an object"), Ok)
    }

    fn each(
        &mut self,
        value: &Value,
        mut check: impl FnMut(&mut Self, &Value) -> Result<(), String>,
    ) -> Result<(), String> {
        for (key, value) in self.map(value)? {
            self.below(key.as_text().unwrap_or_default(), |this| check(this, value))?;
        }
        Ok(())
    }

    fn schemas(&mut self, value: &Value) -> Result<(), String> {
        let Some(schemas) = value.as_list().filter(|schemas| !schemas.is_empty()) else {
            return self.wrong("a list with at least one schema");
        };
        for (index, schema) in schemas.iter().enumerate() {
            self.below(&index.to_string(), |this| this.schema(schema))?;
        }
        Ok(())
    }

    fn type_name(&self, value: &Value) -> Result<(), String> {
        let is_type = |value: &Value| value.as_text().is_some_and(|name| TYPES.contains(&name));
        let fits = match value {
            Value::List(types) => {
                !types.is_empty() && types.iter().all(is_type) && are_unique(types)
            }
            value => is_type(value),
        };
        self.expect(fits, "a type, or a list of different types")
    }

    fn texts(&mut self, value: &Value) -> Result<(), String> {
        let fits = value.as_list().is_some_and(|texts| {
            texts.iter().all(|text| text.as_text().is_some()) && are_unique(texts)
        });
        self.expect(fits, "a list of different texts")
    }

    fn pattern(&mut self, text: &str) -> Result<(), String> {
        if !self.patterns.contains_key(text) {
            let pattern = Pattern::compile(text, Flags::default());
            let pattern = pattern.map_err(|error| {
                let (path, text) = (&self.path, shown(text));
                format!("`{path}`: `{text}` is no pattern of Python's `re`: {error}")
            })?;
            self.patterns.insert(text.into(), pattern);
        }
        Ok(())
    }
}

/// Whether no two of the values are equal.
pub(super) fn are_unique(values: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    values.iter().all(|value| seen.insert(value.canonical()))
}

/// `^[A-Za-z_][-A-Za-z0-9._]*$`, of which Python's `$` lets a final newline pass.
fn is_anchor(name: &str) -> bool {
    let name = name.strip_suffix('\n').unwrap_or(name);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
