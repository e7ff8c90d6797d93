//! Lays the layers over each other: maps are merged key by key, lists and scalars replaced. What
//! gets another `kind` loses the `settings` of the old one, which mean nothing to the new.
//!
//! The merging is done by the `config` crate. What its values cannot carry (line, exact text, the
//! origin of maps) is kept in a ledger beside it; the crate hands the ledger's numbers through.
//! The whole tree stands under one key, because the crate reads keys at the top as path expressions.

use std::{collections::BTreeMap, fmt};

use ::config::{ConfigError, Map, Source, ValueKind};

use super::{
    key_path::KeyPath,
    problem::{Fault, Origin},
    scalar::read_outside_text,
    tree::{Node, Secrecy, Value},
    yaml,
};

const ROOT: &str = "configuration";

/// All layers so far, merged.
#[derive(Default)]
pub(super) struct Layers {
    merged: ::config::Config,
    ledger: Ledger,
}

impl Layers {
    /// Lays one more tree on top.
    pub(super) fn add(&mut self, layer: &Node) -> Result<(), ConfigError> {
        let mut below = self.tree();
        if forget_settings(&mut below, layer) {
            self.merged = ::config::Config::default();
            self.add(&below)?;
        }
        let encoded = self.ledger.encode(layer, &KeyPath::root());
        let merged = ::config::Config::builder()
            .add_source(std::mem::take(&mut self.merged))
            .add_source(Layer(encoded));
        self.merged = merged.build()?;
        Ok(())
    }

    /// Lays one value on top, which may stand inside a list.
    pub(super) fn assign(
        &mut self,
        path: &KeyPath,
        value: Node,
        case: KeyCase,
    ) -> Result<(), Fault> {
        let before = self.tree();
        let mut tree = before.clone();
        let origin = value.origin.clone();
        *slot(&mut tree, path, case, origin.as_ref())? = value;
        if path.segments().last().is_some_and(|key| key.eq_ignore_ascii_case("kind")) {
            forget_settings(&mut tree, &before);
        }
        self.merged = ::config::Config::default();
        self.add(&tree).map_err(|error| Fault::Refused { reason: error.to_string() })
    }

    /// Merges a value with the one under a path.
    pub(super) fn merge(&mut self, path: &KeyPath, value: Node) -> Result<(), Fault> {
        let wrap = |inner: Node, key: &String| {
            let origin = inner.origin.clone();
            Node::new(Value::Map(BTreeMap::from([(key.clone(), inner)])), origin)
        };
        let layer = path.segments().iter().rev().fold(value, wrap);
        self.add(&layer).map_err(|error| Fault::Refused { reason: error.to_string() })
    }

    /// Takes the value under a path out.
    pub(super) fn remove(&mut self, path: &KeyPath) -> Result<(), Fault> {
        let mut tree = self.tree();
        tree.remove(path);
        self.merged = ::config::Config::default();
        self.add(&tree).map_err(|error| Fault::Refused { reason: error.to_string() })
    }

    /// Returns the merged tree, with secrets marked.
    pub(super) fn tree(&self) -> Node {
        let merged = self.merged.collect().ok().and_then(|mut top| top.remove(ROOT));
        let mut tree = match merged {
            Some(value) => self.ledger.decode(value, &KeyPath::root()),
            None => Node::empty(),
        };
        tree.mark_secrets(Secrecy::Open);
        tree
    }
}

/// How the keys of an assignment are compared with those that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyCase {
    /// As written.
    Exact,
    /// Whatever the case; a key that does not exist yet is written in lower case.
    ///
    /// Environment variables are upper case by custom, keys mostly lower case but not always.
    Ignored,
}

/// How a text from outside of YAML is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The value of an environment variable: a plain scalar, or a list or map in brackets.
    Variable,
    /// The value of a `--set`: as a variable, or a text in quotes.
    Argument,
}

/// Reads a text from outside of YAML.
///
/// It is never read as a whole YAML document, where `pass #word` would lose its end to a comment.
pub(super) fn read_outside_value(text: &str, form: Form, origin: &Origin) -> Node {
    let is_structure = text.starts_with(['[', '{']);
    let is_quoted = form == Form::Argument && text.starts_with(['"', '\'']);
    let structured = (is_structure || is_quoted).then(|| yaml::parse_value(text).ok()).flatten();
    let mut node = match structured {
        Some(mut node) => {
            node.text = is_structure.then(|| text.to_owned());
            node
        }
        None => read_outside_text(text),
    };
    relabel(&mut node, origin);
    node
}

/// Says of a value and all in it where it was written.
pub(super) fn relabel(node: &mut Node, origin: &Origin) {
    node.origin = Some(origin.clone());
    match &mut node.value {
        Value::Map(entries) => entries.values_mut().for_each(|child| relabel(child, origin)),
        Value::List(items) => items.iter_mut().for_each(|item| relabel(item, origin)),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
        Value::Text(_) | Value::Broken => {}
    }
}

/// Removes the `settings` beside each `kind` that is another one in the other tree. Returns whether
/// there were any.
fn forget_settings(tree: &mut Node, other: &Node) -> bool {
    let (Value::Map(entries), Value::Map(others)) = (&mut tree.value, &other.value) else {
        return false;
    };
    let kinds = (entries.get("kind"), others.get("kind"));
    let differ = matches!(kinds, (Some(kind), Some(other)) if kind.value != other.value);
    let mut forgot = differ && entries.remove("settings").is_some();
    for (key, entry) in entries {
        forgot |= others.get(key).is_some_and(|other| forget_settings(entry, other));
    }
    forgot
}

/// Finds the place of a value, creating the maps on the way to it.
fn slot<'a>(
    tree: &'a mut Node,
    path: &KeyPath,
    case: KeyCase,
    origin: Option<&Origin>,
) -> Result<&'a mut Node, Fault> {
    let mut node = tree;
    let mut parent = KeyPath::root();
    for segment in path.segments() {
        if node.value == Value::Null {
            node.value = Value::Map(BTreeMap::new());
        }
        let found = node.description();
        let (key, child) = match &mut node.value {
            Value::Map(entries) => {
                let key = matching_key(entries, segment, case)?;
                let absent = || Node::new(Value::Null, origin.cloned());
                (key.clone(), entries.entry(key).or_insert_with(absent))
            }
            Value::List(items) => (segment.clone(), element(items, segment, &parent)?),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {
                return Err(Fault::BelowScalar { parent, found });
            }
            Value::Text(_) | Value::Broken => return Err(Fault::BelowScalar { parent, found }),
        };
        parent = parent.child(key);
        node = child;
    }
    Ok(node)
}

fn element<'a>(
    items: &'a mut [Node],
    segment: &str,
    list: &KeyPath,
) -> Result<&'a mut Node, Fault> {
    let length = items.len();
    let index = segment.parse::<usize>().ok();
    let missing = || Fault::NoSuchElement { list: list.clone(), index: segment.to_owned(), length };
    index.and_then(|index| items.get_mut(index)).ok_or_else(missing)
}

fn matching_key(
    entries: &BTreeMap<String, Node>,
    segment: &str,
    case: KeyCase,
) -> Result<String, Fault> {
    if case == KeyCase::Exact || entries.contains_key(segment) {
        return Ok(segment.to_owned());
    }
    let lower = segment.to_lowercase();
    let keys: Vec<&String> = entries.keys().filter(|key| key.to_lowercase() == lower).collect();
    match keys.as_slice() {
        [] => Ok(lower),
        [key] => Ok((*key).clone()),
        [_, _, ..] => Err(Fault::AmbiguousCase { keys: keys.into_iter().cloned().collect() }),
    }
}

/// One tree in the shape that the `config` crate merges.
#[derive(Clone)]
struct Layer(::config::Value);

/// Says nothing, since values may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Layer")
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, ::config::Value>, ConfigError> {
        Ok(Map::from_iter([(ROOT.to_owned(), self.0.clone())]))
    }
}

/// What the `config` crate's values cannot carry.
#[derive(Default)]
struct Ledger {
    /// By the number that stands as the origin of a merged value; nulls with what is known about it.
    notes: Vec<Node>,
    /// The first layer that wrote each map; merged maps have no origin of their own.
    maps: BTreeMap<KeyPath, Origin>,
}

impl Ledger {
    fn encode(&mut self, node: &Node, path: &KeyPath) -> ::config::Value {
        let kind = match &node.value {
            Value::Null | Value::Broken => ValueKind::Nil,
            Value::Boolean(value) => ValueKind::Boolean(*value),
            Value::Integer(value) => ValueKind::I128(*value),
            Value::Float(value) => ValueKind::Float(*value),
            Value::Text(value) => ValueKind::String(value.clone()),
            Value::List(items) => {
                let encode = |(index, item)| self.encode(item, &path.child(index));
                ValueKind::Array(items.iter().enumerate().map(encode).collect())
            }
            Value::Map(entries) => {
                if let Some(origin) = &node.origin {
                    self.maps.entry(path.clone()).or_insert_with(|| origin.clone());
                }
                let encode = |(key, child): (&String, &Node)| {
                    (key.clone(), self.encode(child, &path.child(key)))
                };
                ValueKind::Table(entries.iter().map(encode).collect())
            }
        };
        let number = self.notes.len().to_string();
        let (secrecy, exposure) = (node.secrecy, node.exposure);
        let known = Node::new(Value::Null, node.origin.clone());
        self.notes.push(Node { secrecy, exposure, text: node.text.clone(), ..known });
        ::config::Value::new(Some(&number), kind)
    }

    fn decode(&self, value: ::config::Value, path: &KeyPath) -> Node {
        let note = value
            .origin()
            .and_then(|number| self.notes.get(number.parse::<usize>().ok()?))
            .cloned();
        let note = note.unwrap_or_else(|| Node::new(Value::Null, None));
        let value = match value.kind {
            ValueKind::Nil => Value::Null,
            ValueKind::Boolean(value) => Value::Boolean(value),
            ValueKind::I64(value) => Value::Integer(value.into()),
            ValueKind::U64(value) => Value::Integer(value.into()),
            ValueKind::I128(value) => Value::Integer(value),
            ValueKind::U128(value) => Value::Float(value as f64),
            ValueKind::Float(value) => Value::Float(value),
            ValueKind::String(value) => Value::Text(value),
            ValueKind::Array(items) => {
                let decode = |(index, item)| self.decode(item, &path.child(index));
                Value::List(items.into_iter().enumerate().map(decode).collect())
            }
            ValueKind::Table(entries) => {
                let decode = |(key, child): (String, _)| {
                    let node = self.decode(child, &path.child(&key));
                    (key, node)
                };
                Value::Map(entries.into_iter().map(decode).collect())
            }
        };
        let origin = note.origin.clone().or_else(|| self.maps.get(path).cloned());
        Node { value, origin, ..note }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn layered(layers: &[serde_json::Value]) -> Layers {
        let mut merged = Layers::default();
        for layer in layers {
            merged.add(&Node::from(layer.clone())).unwrap();
        }
        merged
    }

    fn merged(layers: &[serde_json::Value]) -> serde_json::Value {
        layered(layers).tree().to_json()
    }

    fn assigned(
        tree: serde_json::Value,
        path: &str,
        case: KeyCase,
    ) -> Result<serde_json::Value, Fault> {
        let mut layers = layered(&[tree]);
        layers.assign(&KeyPath::parse(path).unwrap(), Node::from(json!(7)), case)?;
        Ok(layers.tree().to_json())
    }

    #[test]
    fn maps_merge_and_everything_else_is_replaced() {
        let cases = [
            (json!({"a": {"b": 1}}), json!({"a": {"c": 2}}), json!({"a": {"b": 1, "c": 2}})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (json!({"a": {"b": 1}}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": 2}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
            (json!({"a": 2}), json!({"a": null}), json!({"a": null})),
            (json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {"b": 1}})),
        ];
        for (lower, upper, expected) in cases {
            assert_eq!(merged(&[lower, upper]), expected);
        }
    }

    #[test]
    fn what_gets_another_kind_loses_the_settings_of_the_old_one() {
        let lower = json!({"models": {
            "a": {"kind": "x", "max": 1, "settings": {"p": 1}},
            "b": {"kind": "x", "settings": {"p": 1}},
        }});
        let upper =
            json!({"models": {"a": {"kind": "y", "settings": {"q": 2}}, "b": {"kind": "x"}}});
        let expected = json!({"models": {
            "a": {"kind": "y", "max": 1, "settings": {"q": 2}},
            "b": {"kind": "x", "settings": {"p": 1}},
        }});
        assert_eq!(merged(&[lower.clone(), upper]), expected);
        let mut layers = layered(&[lower]);
        let mut assign = |path: &str, value| {
            let path = KeyPath::parse(path).unwrap();
            layers.assign(&path, Node::from(value), KeyCase::Ignored).unwrap();
        };
        assign("MODELS.A.KIND", json!("y"));
        assign("MODELS.A.SETTINGS.Q", json!(2));
        assign("models.b", json!({"kind": "z", "settings": {"r": 3}}));
        assert_eq!(
            layers.tree().to_json(),
            json!({"models": {
                "a": {"kind": "y", "max": 1, "settings": {"q": 2}},
                "b": {"kind": "z", "settings": {"r": 3}},
            }})
        );
    }

    #[test]
    fn keys_and_types_pass_through_the_config_crate_untouched() {
        let tree = json!({
            "a.b": {"c[0]": 1, "org/model-7b.v1": 2}, "Upper": true, "f": 2.7, "n": 1.0, "s": "5",
            "max": u64::MAX, "min": i64::MIN, "empty": {}, "nothing": null, "list": [{"x": []}],
        });
        assert_eq!(merged(std::slice::from_ref(&tree)), tree);
    }

    #[test]
    fn an_assignment_reaches_into_maps_and_lists_and_creates_maps() {
        let cases = [
            (json!({}), "a.b", json!({"a": {"b": 7}})),
            (json!({"a": {"c": 1}}), "a.b", json!({"a": {"b": 7, "c": 1}})),
            (json!({"a": [1, {"x": 2, "y": 3}]}), "a.1.x", json!({"a": [1, {"x": 7, "y": 3}]})),
            (json!({"a": null}), "a.b", json!({"a": {"b": 7}})),
        ];
        for (tree, path, expected) in cases {
            assert_eq!(assigned(tree, path, KeyCase::Exact), Ok(expected));
        }
    }

    #[test]
    fn an_assignment_that_leads_nowhere_says_why() {
        let cases = [
            (json!({"a": 1}), "a.b", "cannot be set, since `a` is number `1`"),
            (json!({"api_key": "x"}), "api_key.b", "cannot be set, since `api_key` is a text"),
            (json!({"a": [1]}), "a.1", "cannot be set, since `a` has no element `1` but 1 in all"),
            (json!({"a": [1]}), "a.b", "cannot be set, since `a` has no element `b` but 1 in all"),
        ];
        for (tree, path, message) in cases {
            assert_eq!(assigned(tree, path, KeyCase::Exact).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_case_of_existing_keys_is_found_out_for_environment_variables() {
        let tree = json!({"Agent": {"maxTurns": 1}});
        assert_eq!(
            assigned(tree.clone(), "AGENT.MAXTURNS", KeyCase::Ignored),
            Ok(json!({"Agent": {"maxTurns": 7}}))
        );
        let new = assigned(tree, "AGENT.Other", KeyCase::Ignored);
        assert_eq!(new, Ok(json!({"Agent": {"maxTurns": 1, "other": 7}})));
        let fault = assigned(json!({"ab": 1, "aB": 2}), "AB", KeyCase::Ignored).unwrap_err();
        assert_eq!(fault.to_string(), "matches several keys: `aB`, `ab`");
        assert_eq!(
            assigned(json!({"ab": 1, "aB": 2}), "ab", KeyCase::Ignored),
            Ok(json!({"ab": 7, "aB": 2}))
        );
    }

    #[test]
    fn outside_text_is_no_yaml_document() {
        let origin = Origin { layer: "x".into(), line: None };
        let read = |text, form| read_outside_value(text, form, &origin).to_json();
        assert_eq!(read("pass #word", Form::Variable), json!("pass #word"));
        assert_eq!(read("a: b", Form::Argument), json!("a: b"));
        assert_eq!(read("[a, 1]", Form::Variable), json!(["a", 1]));
        assert_eq!(read("{a: 1}", Form::Argument), json!({"a": 1}));
        assert_eq!(read("[a", Form::Argument), json!("[a"));
        assert_eq!(read("'5'", Form::Argument), json!("5"));
        assert_eq!(read("'5'", Form::Variable), json!("'5'"));
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|value| json!(value)),
            any::<i64>().prop_map(|value| json!(value)),
            "[a-z.${}]{0,6}".prop_map(|value| json!(value)),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
                prop::collection::btree_map("[a-d.]{1,3}", inner, 0..4)
                    .prop_map(|entries| json!(entries)),
            ]
        })
    }

    fn map_of(key: &'static str) -> impl Strategy<Value = serde_json::Value> {
        prop::collection::btree_map(key, tree(), 0..4).prop_map(|entries| json!(entries))
    }

    proptest! {
        #[test]
        fn a_layer_on_itself_changes_nothing(tree in map_of("x[a-c]")) {
            prop_assert_eq!(merged(&[tree.clone(), tree.clone()]), tree);
        }

        #[test]
        fn the_later_of_two_scalars_wins(tree in map_of("x[a-c]"), value in any::<i64>()) {
            let mut expected = tree.clone();
            expected["xa"] = json!(value);
            prop_assert_eq!(merged(&[tree, json!({"xa": value})]), expected);
        }

        #[test]
        fn layers_with_disjoint_keys_merge_in_any_grouping_and_order(
            left in map_of("x[a-c]"), middle in map_of("y[a-c]"), right in map_of("z[a-c]"),
        ) {
            let in_order = merged(&[left.clone(), middle.clone(), right.clone()]);
            let grouped = merged(&[left.clone(), merged(&[middle.clone(), right.clone()])]);
            prop_assert_eq!(&in_order, &grouped);
            prop_assert_eq!(in_order, merged(&[right, left, middle]));
        }
    }
}
