//! What each keyword demands.

use std::cmp::Ordering;

use framework::environment::python::float_repr;

use super::multiples;
use super::schema::are_unique;
use super::unevaluated;
use super::validator::{Checked, Extent, Fault, Findings, Place, Validator};
use super::value::{Key, Map, Value};

/// A schema being applied to a value.
#[derive(Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) validator: &'a Validator<'a>,
    pub(super) schema: &'a Map,
    pub(super) place: &'a Place,
    pub(super) instance: &'a Value,
    pub(super) extent: Extent,
}

fn broken<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Broken(format!("TypeError: {what}")))
}

fn violation(holds: bool, message: impl FnOnce() -> String) -> Checked {
    Ok((!holds).then(message))
}

impl Rule<'_> {
    /// Whether the value meets one keyword; unknown ones are met.
    pub(super) fn check(&self, keyword: &str, value: &Value) -> Checked {
        match keyword {
            "$ref" | "$dynamicRef" => self.reference(value),
            "type" => self.type_of(value),
            "enum" => self.one_of_values(value),
            "const" => violation(self.instance.equals(value), || "is not the constant".into()),
            "properties" => self.properties(value),
            "required" => self.required(value),
            "additionalProperties" => self.additional_properties(value),
            "patternProperties" => self.pattern_properties(value),
            "propertyNames" => self.property_names(value),
            "dependentRequired" => self.dependent_required(value),
            "dependentSchemas" => self.dependent_schemas(value),
            "unevaluatedProperties" => self.unevaluated_properties(value),
            "items" => self.items(value),
            "prefixItems" => self.prefix_items(value),
            "contains" => self.contains(value),
            "unevaluatedItems" => self.unevaluated_items(),
            "uniqueItems" => self.unique_items(value),
            "allOf" | "anyOf" | "oneOf" if self.schema.contains_key("discriminator") => {
                self.discriminated()
            }
            "allOf" => self.all_of(value),
            "anyOf" => self.any_of(value),
            "oneOf" => self.one_of(value),
            "not" => {
                let fits = self.fits(value, self.instance)?;
                violation(!fits, || "is what it must not be".into())
            }
            "if" => self.condition(value),
            "pattern" => self.pattern(value),
            "multipleOf" => self.multiple_of(value),
            _ => self.bound(keyword, value),
        }
    }

    fn descend(&self, schema: &Value, instance: &Value) -> Checked {
        self.validator.descend(schema, instance, self.place, self.extent)
    }

    fn fits(&self, schema: &Value, instance: &Value) -> Result<bool, Fault> {
        self.validator.fits(schema, instance, self.place)
    }

    /// The entries, if the value is an object.
    fn object(&self) -> Option<&Map> {
        self.instance.as_map()
    }

    /// Checks pairs of schemas and values, as far as the extent asks for.
    fn each<'v>(&self, pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Checked {
        let mut findings = Findings::new(self.extent);
        for (schema, instance) in pairs {
            if findings.take(self.descend(schema, instance)?) {
                break;
            }
        }
        Ok(findings.into_first())
    }

    fn reference(&self, value: &Value) -> Checked {
        let Some(reference) = value.as_text() else { return broken("a reference is no text") };
        self.validator.follow(reference, self.instance, self.place, self.extent)
    }

    fn type_of(&self, value: &Value) -> Checked {
        let single = std::slice::from_ref(value);
        let types = match value {
            Value::List(types) => types,
            _ => single,
        };
        for name in types {
            let Some(name) = name.as_text() else { return broken("a type is no text") };
            let fits = match name {
                "array" => matches!(self.instance, Value::List(_)),
                "boolean" => matches!(self.instance, Value::Bool(_)),
                "integer" => self.instance.is_integer(),
                "null" => matches!(self.instance, Value::Null),
                "number" => self.instance.is_number(),
                "object" => matches!(self.instance, Value::Map(_)),
                "string" => matches!(self.instance, Value::Text(_)),
                _ => return Err(Fault::Broken(format!("UnknownType: {name}"))),
            };
            if fits {
                return Ok(None);
            }
        }
        let names: Vec<_> = types.iter().filter_map(Value::as_text).collect();
        Ok(Some(format!("is not of type {}", names.join(", "))))
    }

    fn one_of_values(&self, value: &Value) -> Checked {
        let Value::List(values) = value else { return broken("an enumeration is no list") };
        let is_one = values.iter().any(|value| value.equals(self.instance));
        violation(is_one, || "is not one of the enumerated values".into())
    }

    fn properties(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let Some(properties) = value.as_map() else { return broken("`properties` is no object") };
        let mut findings = Findings::new(self.extent);
        for (name, schema) in properties {
            let Some(instance) = object.get(name) else { continue };
            let found = self.descend(schema, instance)?;
            if findings.take(found.map(|found| at(name, &found))) {
                break;
            }
        }
        Ok(findings.into_first())
    }

    fn required(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let Some(names) = value.as_list() else { return broken("`required` is no list") };
        let missing =
            names.iter().find(|name| !name.as_text().is_some_and(|n| object.contains_key(n)));
        Ok(missing.map(|name| format!("`{}` is missing", name.as_text().unwrap_or_default())))
    }

    /// The properties that are neither declared nor match a pattern.
    fn additional(&self) -> Result<Vec<(&Key, &Value)>, Fault> {
        let declared = self.schema.get("properties").and_then(Value::as_map);
        let patterns = self.schema.get("patternProperties").and_then(Value::as_map);
        let patterns = patterns.filter(|patterns| !patterns.is_empty());
        let mut additional = Vec::new();
        for (key, value) in self.object().into_iter().flatten() {
            let is_declared = declared.is_some_and(|declared| declared.contains_key(key));
            if is_declared || (patterns.is_some() && self.matches_any(key, patterns)?) {
                continue;
            }
            additional.push((key, value));
        }
        Ok(additional)
    }

    fn matches_any(&self, key: &Key, patterns: Option<&Map>) -> Result<bool, Fault> {
        for pattern in patterns.into_iter().flat_map(Map::keys).filter_map(Key::as_text) {
            if self.matches(key, pattern)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches(&self, key: &Key, pattern: &str) -> Result<bool, Fault> {
        match key.as_text() {
            Some(key) => self.validator.finds(pattern, key),
            None => broken("a key is no text"),
        }
    }

    fn additional_properties(&self, value: &Value) -> Checked {
        if self.object().is_none() {
            return Ok(None);
        }
        let additional = self.additional()?;
        if value.as_map().is_some() {
            return self.each(additional.iter().map(|(_, instance)| (value, *instance)));
        }
        let names: Vec<_> = additional.iter().map(|(key, _)| shown(key)).collect();
        let is_allowed = value.is_truthy() || names.is_empty();
        violation(is_allowed, || format!("additional properties: {}", names.join(", ")))
    }

    fn pattern_properties(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let Some(patterns) = value.as_map() else { return broken("patterns are no object") };
        let mut findings = Findings::new(self.extent);
        for (pattern, schema) in patterns {
            for (key, instance) in object {
                if !self.matches(key, pattern.as_text().unwrap_or_default())? {
                    continue;
                }
                let found = self.descend(schema, instance)?;
                if findings.take(found.map(|found| at(key, &found))) {
                    return Ok(findings.into_first());
                }
            }
        }
        Ok(findings.into_first())
    }

    fn property_names(&self, value: &Value) -> Checked {
        let names: Vec<_> = self.object().into_iter().flat_map(Map::keys).map(Key::value).collect();
        self.each(names.iter().map(|name| (value, name)))
    }

    fn dependent_required(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let Some(dependencies) = value.as_map() else {
            return broken("dependencies are no object");
        };
        for (_, names) in dependencies.iter().filter(|(key, _)| object.contains_key(*key)) {
            let Some(names) = names.as_list() else { return broken("a dependency is no list") };
            let is_there =
                |name: &Value| name.as_text().is_some_and(|name| object.contains_key(name));
            if let Some(name) = names.iter().find(|name| !is_there(name)) {
                let name = name.as_text().unwrap_or_default();
                return Ok(Some(format!("`{name}` is missing beside another")));
            }
        }
        Ok(None)
    }

    fn dependent_schemas(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let Some(dependencies) = value.as_map() else {
            return broken("dependencies are no object");
        };
        let due = dependencies.iter().filter(|(key, _)| object.contains_key(*key));
        self.each(due.map(|(_, schema)| (schema, self.instance)))
    }

    fn unevaluated_properties(&self, value: &Value) -> Checked {
        let Some(object) = self.object() else { return Ok(None) };
        let evaluated = unevaluated::properties(*self, object)?;
        let mut first = None;
        for (key, instance) in object.iter().filter(|(key, _)| !evaluated.contains(*key)) {
            let found = self.validator.descend(value, instance, self.place, Extent::All)?;
            first = first.or(found.map(|_| format!("unevaluated property: {}", shown(key))));
        }
        Ok(first)
    }

    fn items(&self, value: &Value) -> Checked {
        let Some(items) = self.instance.as_list() else { return Ok(None) };
        let prefix = match self.schema.get("prefixItems") {
            None => 0,
            Some(Value::List(prefix)) => prefix.len(),
            Some(_) => return broken("`prefixItems` is no list"),
        };
        let rest = items.get(prefix..).unwrap_or_default();
        if matches!(value, Value::Bool(false)) {
            return violation(rest.is_empty(), || format!("more than {prefix} items"));
        }
        let mut findings = Findings::new(self.extent);
        for (index, item) in rest.iter().enumerate() {
            let found = self.descend(value, item)?;
            if findings.take(found.map(|found| format!("[{}]: {found}", prefix + index))) {
                break;
            }
        }
        Ok(findings.into_first())
    }

    fn prefix_items(&self, value: &Value) -> Checked {
        let Some(items) = self.instance.as_list() else { return Ok(None) };
        let Some(schemas) = value.as_list() else { return broken("`prefixItems` is no list") };
        self.each(schemas.iter().zip(items))
    }

    fn contains(&self, value: &Value) -> Checked {
        let Some(items) = self.instance.as_list() else { return Ok(None) };
        let one = Value::count(1);
        let least = self.schema.get("minContains").unwrap_or(&one);
        let all = Value::count(items.len());
        let most = self.schema.get("maxContains").unwrap_or(&all);
        if !least.is_number() || !most.is_number() {
            return broken("a count is no number");
        }
        let mut matches = 0;
        for item in items {
            matches += usize::from(self.fits(value, item)?);
            if is(&Value::count(matches), most, Ordering::is_gt) {
                return Ok(Some("too many items match what it contains".into()));
            }
        }
        let is_enough = !is(&Value::count(matches), least, Ordering::is_lt);
        violation(is_enough, || "too few items match what it must contain".into())
    }

    fn unevaluated_items(&self) -> Checked {
        let Some(items) = self.instance.as_list() else { return Ok(None) };
        let evaluated = unevaluated::items(*self, items)?;
        let left = evaluated.iter().position(|evaluated| !evaluated);
        Ok(left.map(|index| format!("unevaluated item {index}")))
    }

    fn unique_items(&self, value: &Value) -> Checked {
        let Some(items) = self.instance.as_list() else { return Ok(None) };
        violation(!value.is_truthy() || are_unique(items), || "items that are equal".into())
    }

    fn schemas(value: &Value) -> Result<&[Value], Fault> {
        value.as_list().map_or_else(|| broken("schemas are no list"), Ok)
    }

    fn all_of(&self, value: &Value) -> Checked {
        self.each(Self::schemas(value)?.iter().map(|schema| (schema, self.instance)))
    }

    /// The first schema that fits, to the end of each before it.
    fn first_fitting(&self, schemas: &[Value]) -> Result<Option<usize>, Fault> {
        for (index, schema) in schemas.iter().enumerate() {
            let found = self.validator.descend(schema, self.instance, self.place, Extent::All)?;
            if found.is_none() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn any_of(&self, value: &Value) -> Checked {
        let fitting = self.first_fitting(Self::schemas(value)?)?;
        violation(fitting.is_some(), || "fits none of the schemas".into())
    }

    fn one_of(&self, value: &Value) -> Checked {
        let schemas = Self::schemas(value)?;
        let Some(first) = self.first_fitting(schemas)? else {
            return Ok(Some("fits none of the schemas".into()));
        };
        let mut others = 0;
        for schema in &schemas[first + 1..] {
            others += usize::from(self.fits(schema, self.instance)?);
        }
        violation(others == 0, || "fits more than one of the schemas".into())
    }

    /// OpenAPI's choice among schemas by the value of a property.
    fn discriminated(&self) -> Checked {
        let discriminator = self.schema.get("discriminator").and_then(Value::as_map);
        let name = discriminator.and_then(|map| map.get("propertyName")?.as_text());
        let (Some(discriminator), Some(name)) = (discriminator, name) else {
            return broken("`discriminator` has no `propertyName`");
        };
        let Some(object) = self.object() else {
            return broken("what is discriminated is no object");
        };
        let Some(chosen) = object.get(name).filter(|value| value.is_truthy()) else {
            return Ok(Some(format!("`{name}` does not discriminate")));
        };
        let Some(shown) = formatted(chosen) else {
            return broken("a discriminator cannot be looked up");
        };
        let mapping = match discriminator.get("mapping") {
            None => None,
            Some(Value::Map(mapping)) => Some(mapping),
            Some(_) => return broken("`mapping` is no object"),
        };
        let mapped = chosen.as_text().and_then(|text| mapping?.get(text));
        let reference = match mapped.filter(|value| value.is_truthy()) {
            Some(Value::Text(reference)) => reference.to_string(),
            Some(_) => return Ok(Some("`mapping` maps to no text".into())),
            None => format!("#/components/schemas/{shown}"),
        };
        if self.validator.registry.look_up(&self.place.scope, &reference).is_none() {
            return Ok(Some(format!("`{reference}` cannot be resolved")));
        }
        let place = self.place.deeper(self.place.scope.clone())?;
        self.validator.follow(&reference, self.instance, &place, self.extent)
    }

    fn condition(&self, value: &Value) -> Checked {
        let branch = if self.fits(value, self.instance)? { "then" } else { "else" };
        match self.schema.get(branch) {
            Some(schema) => self.descend(schema, self.instance),
            None => Ok(None),
        }
    }

    fn pattern(&self, value: &Value) -> Checked {
        let Some(text) = self.instance.as_text() else { return Ok(None) };
        let Some(pattern) = value.as_text() else { return broken("a pattern is no text") };
        let found = self.validator.finds(pattern, text)?;
        violation(found, || format!("does not match `{pattern}`"))
    }

    /// Lower and upper bounds, of numbers and of lengths.
    fn bound(&self, keyword: &str, limit: &Value) -> Checked {
        let number = || self.instance.is_number().then(|| self.instance.clone());
        let length = || Some(Value::count(self.instance.as_text()?.chars().count()));
        let items = || Some(Value::count(self.instance.as_list()?.len()));
        let entries = || Some(Value::count(self.object()?.len()));
        type Excess = fn(Ordering) -> bool;
        let (size, is_beyond): (Option<Value>, Excess) = match keyword {
            "minimum" => (number(), Ordering::is_lt),
            "exclusiveMinimum" => (number(), Ordering::is_le),
            "maximum" => (number(), Ordering::is_gt),
            "exclusiveMaximum" => (number(), Ordering::is_ge),
            "minLength" => (length(), Ordering::is_lt),
            "maxLength" => (length(), Ordering::is_gt),
            "minItems" => (items(), Ordering::is_lt),
            "maxItems" => (items(), Ordering::is_gt),
            "minProperties" => (entries(), Ordering::is_lt),
            "maxProperties" => (entries(), Ordering::is_gt),
            _ => return Ok(None),
        };
        let Some(size) = size else { return Ok(None) };
        if !limit.is_number() {
            return broken("a limit is no number");
        }
        violation(!is(&size, limit, is_beyond), || format!("is beyond its `{keyword}`"))
    }

    /// With a divisor that is a float, as floats divide: 0.3 is no multiple of 0.1.
    fn multiple_of(&self, divisor: &Value) -> Checked {
        if !self.instance.is_number() {
            return Ok(None);
        }
        let is_multiple = multiples::is_multiple(self.instance, divisor)?;
        violation(is_multiple, || "is no multiple of its `multipleOf`".into())
    }
}

/// Whether a comparison of two numbers comes out so; with `NaN` none does.
fn is(a: &Value, b: &Value, how: fn(Ordering) -> bool) -> bool {
    a.compare(b).is_some_and(how)
}

fn at(key: &Key, found: &str) -> String {
    format!("{}: {found}", shown(key))
}

fn shown(key: &Key) -> String {
    match key {
        Key::Text(text) => format!("`{text}`"),
        Key::Other(shown) => format!("`{shown}` (no text)"),
    }
}

/// A value as Python writes it into text; `None` for what is no key of a dictionary.
fn formatted(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("None".into()),
        Value::Bool(value) => Some(if *value { "True" } else { "False" }.into()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Float(value) => Some(float_repr(*value)),
        Value::Text(text) | Value::Other(text) => Some(text.to_string()),
        Value::List(_) | Value::Map(_) => None,
    }
}
