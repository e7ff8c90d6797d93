//! NeMo Gym's directives to take over what stands elsewhere, carried out once all files are merged.
//!
//! | Written | Means |
//! |---|---|
//! | `_inherit_from: a.b` in a map, `${inherit_from:a.b}` as a value | what stands there moves here; the keys beside win |
//! | `_copy: a.b` in a map, `${copy:a.b}` as a value | the same, and it stays there as well |
//! | `_delete_key: "a, b"` in a map | these keys are taken out, of what was taken over as well |

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    key_path::KeyPath,
    problem::{Fault, Origin, Problem, nearest},
    tree::{Node, Value},
};

const INHERIT: &str = "_inherit_from";
const COPY: &str = "_copy";
const DELETE: &str = "_delete_key";

/// Carries out all directives of a tree.
pub(super) fn carry_out(root: &Node) -> (Node, Vec<Problem>) {
    let mut inheritance =
        Inheritance { root, open: Vec::new(), moved: BTreeSet::new(), problems: Vec::new() };
    let mut tree = inheritance.node(root, &KeyPath::root());
    for path in &inheritance.moved {
        tree.remove(path);
    }
    (tree, inheritance.problems)
}

struct Inheritance<'a> {
    root: &'a Node,
    /// The paths that are being taken over, the outermost first.
    open: Vec<KeyPath>,
    moved: BTreeSet<KeyPath>,
    problems: Vec<Problem>,
}

impl Inheritance<'_> {
    fn node(&mut self, node: &Node, path: &KeyPath) -> Node {
        let value = match &node.value {
            Value::Map(entries) => return self.map(entries, node, path),
            Value::List(items) => {
                let item = |(index, item)| self.node(item, &path.child(index));
                Value::List(items.iter().enumerate().map(item).collect())
            }
            Value::Text(text) => match directive(text) {
                Some((directive, reference)) => {
                    let source = self.source(directive, reference, node.origin.as_ref(), path);
                    return source.unwrap_or_else(|| node.clone());
                }
                None => node.value.clone(),
            },
            Value::Null | Value::Boolean(_) | Value::Integer(_) => node.value.clone(),
            Value::Float(_) | Value::Broken => node.value.clone(),
        };
        Node { value, ..node.clone() }
    }

    /// Takes over what the map's directives name, then carries out those below and takes keys out.
    fn map(&mut self, entries: &BTreeMap<String, Node>, node: &Node, path: &KeyPath) -> Node {
        let own = entries.iter().filter(|(key, _)| ![INHERIT, COPY].contains(&key.as_str()));
        let own = own.map(|(key, child)| (key.clone(), child.clone())).collect();
        let mut result = Node { value: Value::Map(own), ..node.clone() };
        for directive in [INHERIT, COPY] {
            let Some(written) = entries.get(directive) else { continue };
            let origin = written.origin.as_ref();
            let reference = written.as_text().unwrap_or_default().trim();
            if let Some(source) = self.source(directive, reference, origin, path) {
                result = merged(source, result);
            }
        }
        let below = result.entries().filter(|(key, _)| *key != DELETE);
        let below: BTreeMap<_, _> =
            below.map(|(key, child)| (key.clone(), self.node(child, &path.child(key)))).collect();
        result.value = Value::Map(below);
        for key in entries.get(DELETE).map(listed).unwrap_or_default() {
            match KeyPath::parse(&key) {
                Ok(key) if result.remove(&key).is_some() => {}
                Ok(_) | Err(_) => {
                    let origin = entries.get(DELETE).and_then(|node| node.origin.clone());
                    let nearest = nearest(&key, result.keys());
                    self.report(
                        origin,
                        path,
                        Fault::UnknownSource { directive: DELETE, reference: key, nearest },
                    );
                }
            }
        }
        result
    }

    /// What stands under the path that a directive names, with its own directives carried out.
    fn source(
        &mut self,
        directive: &'static str,
        reference: &str,
        origin: Option<&Origin>,
        path: &KeyPath,
    ) -> Option<Node> {
        let source = KeyPath::parse(reference).ok();
        let Some((source, found)) =
            source.and_then(|source| Some((source.clone(), self.root.at(&source)?)))
        else {
            let nearest = nearest(reference, self.root.keys());
            let fault =
                Fault::UnknownSource { directive, reference: reference.to_owned(), nearest };
            self.report(origin.cloned(), path, fault);
            return None;
        };
        if self.open.contains(&source) || path.starts_with(&source) {
            let mut paths = self.open.clone();
            paths.extend([path.clone(), source]);
            self.report(origin.cloned(), path, Fault::Cycle { paths });
            return None;
        }
        self.open.push(source.clone());
        let node = self.node(found, &source);
        self.open.pop();
        if directive == INHERIT {
            self.moved.insert(source);
        }
        Some(node)
    }

    fn report(&mut self, origin: Option<Origin>, path: &KeyPath, fault: Fault) {
        let problem = Problem::new(origin, path.clone(), fault);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// A text that is one directive and nothing else.
fn directive(text: &str) -> Option<(&'static str, &str)> {
    let inner = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    let (name, reference) = inner.split_once(':')?;
    match name.trim() {
        "inherit_from" => Some((INHERIT, reference.trim())),
        "copy" => Some((COPY, reference.trim())),
        _ => None,
    }
}

/// The keys of a `_delete_key`: a text with commas, or a list.
fn listed(node: &Node) -> Vec<String> {
    let texts: Vec<&str> = match node.as_text() {
        Some(text) => text.split(',').collect(),
        None => node.children().filter_map(Node::as_text).collect(),
    };
    texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// Lays one value over another, maps key by key.
fn merged(lower: Node, upper: Node) -> Node {
    let (Value::Map(below), true) = (&lower.value, upper.is_map()) else { return upper };
    let mut result = below.clone();
    for (key, child) in upper.entries() {
        let child = match result.remove(key) {
            Some(below) => merged(below, child.clone()),
            None => child.clone(),
        };
        result.insert(key.clone(), child);
    }
    Node { value: Value::Map(result), ..upper }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn carried_out(tree: Json) -> (Json, Vec<String>) {
        let (tree, problems) = carry_out(&tree.into());
        (tree.to_json(), problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn what_is_inherited_moves_and_what_is_copied_stays() {
        let (tree, problems) = carried_out(json!({
            "base": {"x": {"a": 1, "b": 2, "c": [1]}},
            "copied": {"_copy": "base", "x": {"b": 3}},
            "moved": {"_inherit_from": "base", "_delete_key": "y", "x": {"b": 4, "_delete_key": ["c"]}, "y": 1},
            "value": "${copy:base.x.c}",
        }));
        assert_eq!(problems, [""; 0]);
        assert_eq!(
            tree,
            json!({
                "copied": {"x": {"a": 1, "b": 3, "c": [1]}},
                "moved": {"x": {"a": 1, "b": 4}},
                "value": [1],
            })
        );
        let (tree, _) = carried_out(json!({"a": {"b": 1}, "c": {"d": "${inherit_from:a}"}}));
        assert_eq!(tree, json!({"c": {"d": {"b": 1}}}));
    }

    #[test]
    fn inheritance_is_carried_out_through_several_steps() {
        let (tree, problems) = carried_out(json!({
            "a": {"_inherit_from": "b", "z": 1}, "b": {"_inherit_from": "c", "y": 1}, "c": {"x": 1},
        }));
        assert_eq!((tree, problems), (json!({"a": {"x": 1, "y": 1, "z": 1}}), vec![]));
    }

    #[test]
    fn what_is_not_there_and_what_leads_back_is_said() {
        let (_, problems) = carried_out(json!({"math": {}, "a": {"_inherit_from": "mth"}}));
        assert_eq!(problems, ["`a`: `_inherit_from: mth` refers to nothing; did you mean `math`?"]);
        let (_, problems) = carried_out(json!({"a": {"_copy": "b"}, "b": {"_copy": "a"}}));
        assert!(!problems.is_empty() && problems.iter().all(|line| line.contains("cycle")));
        let (_, problems) = carried_out(json!({"a": {"_delete_key": "b", "bc": 1}}));
        assert_eq!(problems, ["`a`: `_delete_key: b` refers to nothing"]);
    }
}
