//! Where `$ref` and `$dynamicRef` lead, found when validation gets there and not before.
//!
//! Follows the `referencing` package, on which Python's `jsonschema` rests: what is referred to by a
//! document that is not there is an error of the moment. Nothing is ever fetched.

use std::collections::HashMap;
use std::rc::Rc;

use url::Url;

use super::schema::Schema;
use super::value::{Map, Value};

/// A document's address, and those of the documents that references led through, the nearest first.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    base: Rc<str>,
    previous: Option<Rc<Scope>>,
}

/// Something with a name in a document.
#[derive(Clone, Copy)]
struct Anchor<'a> {
    schema: &'a Value,
    is_dynamic: bool,
}

/// The documents and names in a schema.
pub(super) struct Registry<'a> {
    root: &'a Value,
    resources: HashMap<String, &'a Value>,
    anchors: HashMap<(String, &'a str), Anchor<'a>>,
}

/// Keywords that hold a schema, a list of them, or an object of them.
const IN_VALUE: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const IN_LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const IN_MAP: [&str; 5] =
    ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

impl<'a> Registry<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        let root = &schema.root;
        let mut registry = Self { root, resources: HashMap::new(), anchors: HashMap::new() };
        let base = registry.root_scope().base.to_string();
        registry.resources.insert(base.clone(), root);
        if schema.has_names {
            registry.collect(root, &base);
        }
        registry
    }

    /// The scope of the whole schema.
    pub(super) fn root_scope(&self) -> Scope {
        let id = self.root.as_map().and_then(id_of).unwrap_or_default();
        Scope { base: join("", id).into(), previous: None }
    }

    /// Enters what a schema and those inside it are called.
    fn collect(&mut self, schema: &'a Value, base: &str) {
        let Some(map) = schema.as_map() else { return };
        let base = id_of(map).map_or_else(|| base.to_owned(), |id| join(base, id));
        if id_of(map).is_some() {
            self.resources.insert(base.clone(), schema);
        }
        for (keyword, is_dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
            if let Some(name) = map.get(keyword).and_then(Value::as_text) {
                self.anchors.insert((base.clone(), name), Anchor { schema, is_dynamic });
            }
        }
        for inside in subschemas(map) {
            self.collect(inside, &base);
        }
    }

    /// What a reference leads to, and the scope there; `None` if it leads nowhere.
    pub(super) fn look_up(&self, scope: &Scope, reference: &str) -> Option<(&'a Value, Scope)> {
        let (address, fragment) = match reference.strip_prefix('#') {
            Some(fragment) => (scope.base.to_string(), fragment),
            None => {
                let joined = reference.split_once('#').unwrap_or((reference, ""));
                (join(&scope.base, joined.0), joined.1)
            }
        };
        let resource = *self.resources.get(&address)?;
        let there = scope.at(&address);
        if fragment.starts_with('/') {
            return point(resource, fragment, there);
        }
        if fragment.is_empty() {
            return Some((resource, there));
        }
        let mut anchor = *self.anchors.get(&(address, fragment))?;
        if anchor.is_dynamic {
            // The outermost document on the way that has the name decides.
            let mut outer = there.previous.as_deref();
            while let Some(scope) = outer {
                let found = self.anchors.get(&(scope.base.to_string(), fragment));
                anchor = found.filter(|found| found.is_dynamic).copied().unwrap_or(anchor);
                outer = scope.previous.as_deref();
            }
        }
        let there = there.inside(anchor.schema);
        Some((anchor.schema, there))
    }
}

impl Scope {
    /// The scope of a schema inside this one. Only references lead from one document to the next.
    pub(super) fn inside(&self, schema: &Value) -> Self {
        match schema.as_map().and_then(id_of) {
            Some(id) => Self { base: join(&self.base, id).into(), previous: self.previous.clone() },
            None => self.clone(),
        }
    }

    /// The scope that a reference leads to.
    fn at(&self, address: &str) -> Self {
        let is_on_the_way = self.previous.is_none() || *self.base != *address;
        let previous = if is_on_the_way && !self.base.is_empty() {
            Some(Rc::new(self.clone()))
        } else {
            self.previous.clone()
        };
        Self { base: address.into(), previous }
    }
}

fn id_of(map: &Map) -> Option<&str> {
    let id = map.get("$id")?.as_text()?;
    Some(id.strip_suffix('#').unwrap_or(id))
}

fn subschemas(map: &Map) -> impl Iterator<Item = &Value> {
    let single = IN_VALUE.iter().filter_map(|keyword| map.get(*keyword));
    let listed = IN_LIST.iter().filter_map(|keyword| map.get(*keyword)?.as_list()).flatten();
    let named = IN_MAP.iter().filter_map(|keyword| map.get(*keyword)?.as_map());
    single.chain(listed).chain(named.flat_map(Map::values))
}

/// An address relative to another. One that is no URL is taken as it stands.
fn join(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let joined = Url::parse(base).and_then(|base| base.join(reference));
    match joined.or_else(|_| Url::parse(reference)) {
        Ok(url) => url.into(),
        Err(_) => reference.to_owned(),
    }
}

/// Follows a JSON pointer.
fn point<'a>(resource: &'a Value, pointer: &str, scope: Scope) -> Option<(&'a Value, Scope)> {
    let pointer = percent_decoded(pointer);
    let (mut value, mut scope) = (resource, scope);
    for segment in pointer[1..].split('/') {
        value = match value {
            Value::List(items) => items.get(segment.parse::<usize>().ok()?)?,
            Value::Map(map) => map.get(&*segment.replace("~1", "/").replace("~0", "~"))?,
            _ => return None,
        };
        scope = scope.inside(value);
    }
    Some((value, scope))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
