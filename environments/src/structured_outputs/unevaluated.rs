//! Which properties and items the other keywords of a schema have looked at.
//!
//! Follows `find_evaluated_property_keys_by_schema` and `find_evaluated_item_indexes_by_schema` of
//! Python's `jsonschema`.

use std::collections::HashSet;

use super::keywords::Rule;
use super::validator::{Extent, Fault, Place};
use super::value::{Key, Map, Value};

/// The properties that a schema has evaluated.
pub(super) fn properties<'a>(rule: Rule<'a>, object: &'a Map) -> Result<HashSet<Key>, Fault> {
    let mut keys = HashSet::new();
    add_properties(rule, object, &mut keys)?;
    Ok(keys)
}

/// Which items a schema has evaluated, by index.
pub(super) fn items(rule: Rule<'_>, items: &[Value]) -> Result<Vec<bool>, Fault> {
    let mut evaluated = vec![false; items.len()];
    add_items(rule, items, &mut evaluated)?;
    Ok(evaluated)
}

fn add_properties(rule: Rule<'_>, object: &Map, keys: &mut HashSet<Key>) -> Result<(), Fault> {
    each_reference(rule, |rule| add_properties(rule, object, keys))?;
    if let Some(properties) = rule.schema.get("properties").and_then(Value::as_map) {
        keys.extend(properties.keys().filter(|key| object.contains_key(*key)).cloned());
    }
    for keyword in ["additionalProperties", "unevaluatedProperties"] {
        let schema = rule.schema.get(keyword).filter(|schema| !matches!(schema, Value::Null));
        let Some(schema) = schema else { continue };
        for (key, value) in object {
            if rule.validator.fits(schema, value, rule.place)? {
                keys.insert(key.clone());
            }
        }
    }
    if let Some(patterns) = rule.schema.get("patternProperties").and_then(Value::as_map) {
        for key in object.keys() {
            for pattern in patterns.keys().filter_map(Key::as_text) {
                let Some(text) = key.as_text() else {
                    return Err(Fault::Broken("TypeError: a key is no text".into()));
                };
                if rule.validator.finds(pattern, text)? {
                    keys.insert(key.clone());
                }
            }
        }
    }
    if let Some(schemas) = rule.schema.get("dependentSchemas").and_then(Value::as_map) {
        for (_, schema) in schemas.iter().filter(|(key, _)| object.contains_key(*key)) {
            within(rule, schema, |rule| add_properties(rule, object, keys))?;
        }
    }
    each_combined(rule, |rule| add_properties(rule, object, keys))?;
    condition(rule, |rule| add_properties(rule, object, keys))
}

fn add_items(rule: Rule<'_>, items: &[Value], evaluated: &mut [bool]) -> Result<(), Fault> {
    if rule.schema.contains_key("items") {
        evaluated.fill(true);
        return Ok(());
    }
    each_reference(rule, |rule| add_items(rule, items, evaluated))?;
    if let Some(prefix) = rule.schema.get("prefixItems").and_then(Value::as_list) {
        let prefix = prefix.len().min(evaluated.len());
        evaluated[..prefix].fill(true);
    }
    condition(rule, |rule| add_items(rule, items, evaluated))?;
    for keyword in ["contains", "unevaluatedItems"] {
        let Some(schema) = rule.schema.get(keyword) else { continue };
        for (item, evaluated) in items.iter().zip(&mut *evaluated) {
            *evaluated |= rule.validator.fits(schema, item, rule.place)?;
        }
    }
    each_combined(rule, |rule| add_items(rule, items, evaluated))
}

/// Goes on with a schema inside this one.
fn within(
    rule: Rule<'_>,
    schema: &Value,
    mut add: impl FnMut(Rule<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let place = rule.place.deeper(rule.place.scope.clone())?;
    go_on(rule, schema, &place, &mut add)
}

fn go_on(
    rule: Rule<'_>,
    schema: &Value,
    place: &Place,
    add: &mut impl FnMut(Rule<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    match schema {
        Value::Bool(_) => Ok(()),
        Value::Map(schema) => add(Rule { schema, place, ..rule }),
        _ => Err(Fault::Broken("AttributeError: a schema is no object".into())),
    }
}

fn each_reference(
    rule: Rule<'_>,
    mut add: impl FnMut(Rule<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for keyword in ["$ref", "$dynamicRef"] {
        let Some(reference) = rule.schema.get(keyword).and_then(Value::as_text) else { continue };
        let found = rule.validator.registry.look_up(&rule.place.scope, reference);
        let Some((schema, scope)) = found else {
            return Err(Fault::Broken(format!("Unresolvable: {reference}")));
        };
        go_on(rule, schema, &rule.place.deeper(scope)?, &mut add)?;
    }
    Ok(())
}

/// Goes on with each schema of `allOf`, `oneOf` and `anyOf` that fits.
fn each_combined(
    rule: Rule<'_>,
    mut add: impl FnMut(Rule<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for keyword in ["allOf", "oneOf", "anyOf"] {
        let schemas = rule.schema.get(keyword).and_then(Value::as_list).unwrap_or_default();
        for schema in schemas {
            let found = rule.validator.descend(schema, rule.instance, rule.place, Extent::First)?;
            if found.is_none() {
                within(rule, schema, &mut add)?;
            }
        }
    }
    Ok(())
}

fn condition(
    rule: Rule<'_>,
    mut add: impl FnMut(Rule<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(condition) = rule.schema.get("if") else { return Ok(()) };
    let holds = rule.validator.fits(condition, rule.instance, rule.place)?;
    if holds {
        within(rule, condition, &mut add)?;
    }
    match rule.schema.get(if holds { "then" } else { "else" }) {
        Some(schema) => within(rule, schema, &mut add),
        None => Ok(()),
    }
}
